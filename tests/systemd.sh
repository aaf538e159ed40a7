#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units as they are installed, run by a systemd on each of two hosts: what
# they keep from virt-migd and its listener is not what it needs, whatever is
# asked of it, and who ends the one or the other ends no migration.  Root,
# minutes: only with VIRT_MIG_GUEST_TESTS=1.

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
	printf '[tls]\ndir = %s\n[memory]\nkeep = yes\n' \
		"$hosts/certs/good" >"$hosts/$1/conf/virt-mig.conf"
	units_install "$1" && host "$1" systemctl start virt-migd.socket
}
migrate() { # FROM OPTION...
	to=$hosts_b_ip
	[ "$1" = a ] || to=$hosts_a_ip
	from=$1
	shift
	host "$from" timeout 120 "$tool" migrate vm "qemu+tcp://$to/system" \
		--format json "$@" >"$dir/out" 2>"$dir/log"
}
holds() { # FILTER
	jq -e "$1" "$dir/out" >/dev/null || {
		cat "$dir/out" >>"$dir/log"
		return 1
	}
}
cable() { # RATE
	for h in a b; do
		nsenter -t "$(cat "$hosts/$h/pid")" -n tc qdisc replace dev \
			v0 root tbf rate "$1" burst 64k latency 50ms
	done
}
# Each of what follows begins with the guest on a.
fresh() { # KEY=N...
	guest_end vm
	guest_start vm "$@" >>"$dir/log" 2>&1
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
migrate a --bandwidth 30 && guest_checked vm b >>"$dir/log" &&
	holds '.drops_free_pages and .memory_kept'
result $? "the guest moves, but for its free pages: both were started"
first=$(jq .wire_bytes "$dir/out")

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
wait $! && guest_checked vm a >>"$dir/log" &&
	holds ".wire_bytes * 3 < $first"
result $? "it moves back, though the listeners die and virt-migd is restarted"
[ "$(pid_of a virt-mig-listener)" != "$listener" ] && migrate a --parallel &&
	guest_checked vm b >>"$dir/log"
result $? "they are there again: it moves once more, over several connections"

# There is no room for its memory on the disk, and need not be.
stopped() { # HOST
	host "$1" systemctl stop virt-migd.socket virt-migd-calls.socket \
		virt-migd.service
}
stopped b
host b mount -t tmpfs -o size=1m,mode=700 tmpfs /var/lib/virt-mig/memory
host b systemctl start virt-migd.socket
fresh && migrate a && guest_checked vm b >>"$dir/log" &&
	holds '.memory_kept | not'
result $? "a guest that fits into memory needs no room on the disk"
stopped b
host b umount /var/lib/virt-mig/memory
host b systemctl start virt-migd.socket

# Memory that QEMU shares: the session at the source reads its file.
session_has_file() {
	host a ls -l "/proc/$(host_pids a virt-mig-sessio)/fd" |
		grep 'memfd:memory-backend'
}
SHARED=1 fresh && {
	migrate a --bandwidth 8 &
	hosts_wait 200 session_has_file
	seen=$?
	wait $! && [ $seen = 0 ] && guest_checked vm b >>"$dir/log" &&
		holds .drops_free_pages
}
result $? "a guest moves whose memory is in a file, by that file"

# What is copied before it moves takes its time, and a session ends meanwhile.
for h in a b; do
	head -c 64M /dev/urandom >"$hosts/$h/lib/images/disk.img"
done
guest_end vm
DISK=/var/lib/libvirt/images/disk.img fresh
cable 32mbit
host a timeout 120 "$tool" migrate vm "qemu+tcp://$hosts_b_ip/system" \
	--copy-storage-all >/dev/full 2>"$dir/log" &
sleep 13
host a timeout 20 "$tool" uri vm "qemu+tcp://$hosts_b_ip/system" \
	>"$dir/out" 2>&1 && wait $! && guest_checked vm b >>"$dir/log"
result $? "a QEMU that waits for long keeps its socket"
grep -q 'standard output: No space' "$dir/log"
result $? "and it is there, though the result could not be shown: status 0"
cable 10gbit

# The VM's own disk, over a base that nobody has indexed.
base=$hosts/guest/base.img
python3 "$srcdir/tests/hosts/text-image.py" "$base" 16 &&
	qemu-img create -q -f qcow2 -F raw -b "$base" "$hosts/guest/over.qcow2"
indexed() { # HOST FILE
	host "$1" "$tool" index check "$2"
}
guest_end vm
DISK=$hosts/guest/over.qcow2 DISK_FORMAT=qcow2 fresh
migrate a --unsafe && guest_checked vm b >>"$dir/log" &&
	hosts_wait 300 indexed a "$base" && hosts_wait 300 indexed b "$base"
result $? "the VM's own image has an index soon after, at both hosts"
migrate b --unsafe && guest_checked vm a >>"$dir/log" &&
	holds '.pages.ref > 4000 and .frames_refused == 0'
result $? "so that on the way back what it holds is not sent"
mkdir "$hosts/a/add"
python3 "$srcdir/tests/hosts/text-image.py" "$hosts/a/add/other.img" 16
host a "$tool" index add "$hosts/a/add" >"$dir/log" 2>&1
cp "$hosts/a/add/other.img" "$hosts/a/add/more.img"
host a systemctl start virt-mig-index.service &&
	indexed a "$hosts/a/add/more.img" >>"$dir/log" 2>&1
result $? "what is added to a folder has an index after virt-mig-index.service"

# A guest that changes its memory faster than the cable carries it.
if hosts_allow_postcopy; then
	fresh rate=8000 whole=1
	cable 150mbit
	migrate a --postcopy --postcopy-after-precopy &&
		guest_checked vm b >>"$dir/log" && holds .postcopy
	result $? "--postcopy: it runs there before all of its memory does"
fi
tests_end
