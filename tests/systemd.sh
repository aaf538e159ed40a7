#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units as they are installed, run by a systemd on each of two hosts: what
# they keep from virt-migd and its listener is not what it needs, and who ends
# the one or the other ends no migration.  Root, minutes: only with
# VIRT_MIG_GUEST_TESTS=1.

# Units do not see /tmp.
[ "$(id -u)" != 0 ] || export TMPDIR=/var/lib
. "${srcdir:?}/tests/tap.sh"
. "$srcdir/tests/hosts/hosts.sh"
hosts_or_skip
[ -x /lib/systemd/systemd ] || skip_all "systemd is not installed"
[ -w "$(hosts_cgroups)/cgroup.procs" ] || skip_all "no cgroup to give systemd"
SYSTEMD=1
tool=$dir/hosts/bin/virt-mig
at_end() {
	hosts_down
}
explain() {
	tail -n 5 "$dir/log" "$hosts"/[ab]/init.log "$hosts"/[ab]/migd.log |
		sed 's/^/# /'
	[ $n -gt 1 ] || exit 1
}
start() { # HOST
	printf '[tls]\ndir = %s\n' "$hosts/certs/good" \
		>"$hosts/$1/conf/virt-mig.conf"
	units_install "$1" && host "$1" systemctl start virt-migd.socket
}
migrate() { # FROM OPTION...
	to=$hosts_b_ip
	[ "$1" = a ] || to=$hosts_a_ip
	from=$1
	shift
	host "$from" timeout 120 "$tool" migrate vm "qemu+tcp://$to/system" \
		"$@" >"$dir/log" 2>&1
}
pid_of() { # HOST UNIT: 0 if it does not run, as systemd says it
	host "$1" systemctl show -P MainPID "$2.service"
}
status_of() { # HOST UNIT
	host "$1" cat "/proc/$(pid_of "$1" "$2")/status"
}
network_of() { # HOST PID
	host "$1" readlink "/proc/$2/ns/net"
}

mkdir -p "$dir/hosts/bin" && chmod 755 "$dir" &&
	cp "${builddir:?}/virt-mig" "$builddir/virt-migd" \
		"$builddir/virt-mig-listener" "$builddir/virt-mig-session" \
		"$dir/hosts/bin" && hosts_up "$dir/hosts" >"$dir/log" 2>&1 &&
	sh "$srcdir/tests/certs.sh" "$hosts/certs" $hosts_a_ip $hosts_b_ip &&
	start a >>"$dir/log" 2>&1 && start b >>"$dir/log" 2>&1 &&
	guest_start vm >>"$dir/log" 2>&1
result $? "two hosts with systemd and virt-migd's sockets, and a guest"
for h in a b; do
	for unit in virt-migd virt-mig-listener; do
		echo "$h $unit $(pid_of $h $unit)"
	done
done >"$dir/log"
! grep -v ' 0$' "$dir/log"
result $? "nothing of virt-mig runs that nobody has asked for"
migrate a && guest_checked vm b >>"$dir/log"
result $? "the guest moves: both were started"

status_of b virt-mig-listener >"$dir/log"
grep -q '^Uid:.64002.64002' "$dir/log" && grep -q '^CapBnd:.0*$' "$dir/log" &&
	grep -q '^NoNewPrivs:.1' "$dir/log" && grep -q '^Seccomp:.2' "$dir/log"
result $? "the listener has no rights"
{
	network_of b 1
	network_of b "$(pid_of b virt-mig-listener)"
	network_of b "$(pid_of b virt-migd)"
} >"$dir/log"
[ "$(uniq "$dir/log" | wc -l)" = 2 ] &&
	[ "$(head -n 2 "$dir/log" | uniq | wc -l)" = 1 ]
result $? "and the network, which virt-migd has not"

listener=$(pid_of a virt-mig-listener)
migrate b --bandwidth 8 &
sleep 3
for h in a b; do
	host $h systemctl kill --kill-whom=main --signal=KILL \
		virt-mig-listener.service
	host $h systemctl restart virt-migd.service
done
wait $! && guest_checked vm a >>"$dir/log"
result $? "it moves back, though the listeners die and virt-migd is restarted"
[ "$(pid_of a virt-mig-listener)" != "$listener" ] && migrate a &&
	guest_checked vm b >>"$dir/log"
result $? "they are there again: it moves once more"
tests_end
