#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The two hosts that tests of live migration run on, by themselves: a guest
# goes from one to the other by libvirt and QEMU alone.  Root, and minutes: only
# with VIRT_MIG_GUEST_TESTS=1.
. "${srcdir:?}/tests/tap.sh"
. "$srcdir/tests/hosts/hosts.sh"
hosts_or_skip
at_end() {
	hosts_down
}

explain() {
	sed 's/^/# /' "$dir/log"
	[ $n -gt 1 ] || exit 1
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
tests_end
