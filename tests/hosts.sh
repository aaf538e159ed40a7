#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The two hosts that tests of live migration run on, by themselves: a guest
# goes from one to the other by libvirt and QEMU alone.  Root, and minutes: only
# with VIRT_MIG_GUEST_TESTS=1.
. "${srcdir:?}/tests/hosts/hosts.sh"
hosts_or_skip
dir=$(mktemp -d) || exit 99
finish() {
	hosts_down
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 99' INT TERM

n=0
result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$dir/log"
		[ $n -gt 1 ] || exit 1
	fi
}

hosts_up "$dir/hosts" >"$dir/log" 2>&1 && guest_start vm >>"$dir/log" 2>&1
result $? "two hosts, a guest on the first"
host a virsh migrate --live vm qemu+tcp://$hosts_b_ip/system \
	tcp://$hosts_b_ip >"$dir/log" 2>&1 && guest_checked vm >>"$dir/log" 2>&1
result $? "it moves to the second, and all of its memory with it"
grep '^[0-9]* heartbeats' "$dir/log" | sed 's/^/# /'
hosts_down
! grep -q "$dir" /proc/mounts && ! grep -lq "$dir" /proc/[0-9]*/cmdline \
	2>"$dir/log"
result $? "nothing is left of them"
echo "1..$n"
