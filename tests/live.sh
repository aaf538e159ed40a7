#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A running guest goes from one host to the other through virt-migd, by
# virt-mig and by virsh; and stays where it is when it cannot.  Root, minutes:
# only with VIRT_MIG_GUEST_TESTS=1.
. "${srcdir:?}/tests/tap.sh"
. "$srcdir/tests/hosts/hosts.sh"
hosts_or_skip
tool=${builddir:?}/virt-mig
at_end() {
	hosts_down
}

explain() {
	tail -n 5 "$dir/log" "$hosts"/[ab]/migd.log | sed 's/^/# /'
	[ $n -gt 1 ] || exit 1
}
there=qemu+tcp://$hosts_b_ip/system
migrate() { # FROM OPTION...
	from=$1
	to=$there
	[ "$from" = a ] || to=qemu+tcp://$hosts_a_ip/system
	shift
	host "$from" timeout 120 "$tool" migrate vm "$to" --format json "$@" \
		>"$dir/out" 2>"$dir/log"
}
# Each test begins with the guest on a.
fresh() {
	guest_end vm
	guest_start vm >>"$dir/log" 2>&1
}
# With nothing but what the systemd unit leaves it.
confined() { # HOST
	caps=$(sed -n 's/^CapabilityBoundingSet=//p' \
		"$srcdir/data/virt-migd.service.in" | tr 'A-Z ' 'a-z,' |
		sed 's/cap_/+/g')
	migd_stop "$1" && RUN="setpriv --no-new-privs --inh-caps=-all \
		--bounding-set=-all,$caps" migd_start "$1" good </dev/null
}
holds() { # FILTER
	jq -e "$1" "$dir/out" >/dev/null || {
		cat "$dir/out" >>"$dir/log"
		return 1
	}
}
# No socket or session of ours is left behind, whatever happened.  A QEMU that
# is killed before anybody calls leaves its own.
tidy() {
	for h in a b; do
		hosts_wait 100 sh -c "[ -z \"\$(nsenter -t \$(cat '$hosts/$h/pid') \
			-m find /run/virt-mig -name '*.sock' -user root)\" ]" ||
			return
		hosts_wait 100 sh -c "! nsenter -t \$(cat '$hosts/$h/pid') \
			-m -p pgrep -x virt-mig-sessio" || return
	done
}

hosts_up "$dir/hosts" >"$dir/log" 2>&1 &&
	sh "$srcdir/tests/certs.sh" "$hosts/certs" $hosts_a_ip $hosts_b_ip &&
	printf 'keep = yes\n' | migd_start a good &&
	printf 'keep = yes\n' | migd_start b good &&
	fresh
result $? "two hosts with virt-migd, and a guest"

# On a network of some speed; on a faster one it would not try as hard.
migrate a --bandwidth 40 && guest_checked vm b >>"$dir/log" && tidy
result $? "virt-mig migrate: it runs there, all of its memory with it"
holds '.memory_bytes > 250000000 and .wire_bytes * 2 < .memory_bytes and
	.pages.zero > 0 and .memory_kept and .frames_refused == 0'
result $? "in less than half the bytes, and virt-mig says so"
first=$(jq .wire_bytes "$dir/out")
migrate b && guest_checked vm a >>"$dir/log" && tidy
result $? "and back again"
holds ".wire_bytes * 3 < $first"
result $? "to where its memory was kept, in a third of the bytes or less"

fresh
migrate a --bandwidth 20 && guest_checked vm b >>"$dir/log" && tidy &&
	holds '.drops_free_pages'
result $? "the guest is known: what it has free may be left out"
migrate b --bandwidth 20 --no-free-drop && guest_checked vm a >>"$dir/log" &&
	tidy && holds '(.drops_free_pages | not) and .pages.free == 0'
result $? "unless it is asked for"

fresh
uri=$(host a "$tool" uri vm $there 2>"$dir/log") &&
	host a virsh migrate --live --p2p vm $there --migrateuri "$uri" \
		>>"$dir/log" 2>&1 && guest_checked vm b >>"$dir/log" && tidy
result $? "virsh migrate --p2p --migrateuri, as virt-mig uri says"
fresh
uri=$(host a "$tool" uri vm $there 2>"$dir/log") &&
	host a virsh migrate --live vm $there "$uri" >>"$dir/log" 2>&1 &&
	guest_checked vm b >>"$dir/log" && tidy
result $? "virsh migrate without --p2p"

fresh
migrate a --parallel --parallel-connections 3 &&
	guest_checked vm b >>"$dir/log" && tidy
result $? "--parallel: several connections of QEMU"

# QEMU's own word for it, while it migrates.
counts_on() { # BYTES-A-SECOND
	hosts_wait 100 host a sh -c "virsh qemu-monitor-command vm --hmp \
		'info migrate_parameters' |
		grep -q 'avail-switchover-bandwidth: $1 bytes'"
}
fresh
if version=$(host a virsh -q version --daemon |
	sed -n 's/.*daemon: //p') &&
	printf '11.1\n%s\n' "$version" | sort -CV; then
	migrate a --bandwidth 20 --available-switchover-bandwidth 7 &
	counts_on 7340032 && wait $! && guest_checked vm b >>"$dir/log"
	result $? "--available-switchover-bandwidth: QEMU counts on it"
else
	migrate a --available-switchover-bandwidth 7
	[ $? -eq 2 ] && grep -q 'needs libvirt 11.1' "$dir/log" &&
		guest_on vm a && tidy
	result $? "--available-switchover-bandwidth: not with that libvirt"
fi

# A guest that changes its memory faster than the cable carries it.
cable() { # RATE
	for h in a b; do
		nsenter -t "$(cat "$hosts/$h/pid")" -n tc qdisc replace dev \
			v0 root tbf rate "$1" burst 64k latency 50ms
	done
}
restless() { # The cable carries some 1500 of these pages a second.
	guest_end vm
	guest_start vm still=8 busy=16 text=0 rate=8000 whole=1 \
		>>"$dir/log" 2>&1 && cable 50mbit
}
if hosts_allow_postcopy; then
	restless
	migrate a --postcopy --postcopy-after-precopy &&
		guest_checked vm b >>"$dir/log" && tidy && holds .postcopy
	result $? "--postcopy: it runs there before all of its memory does"
	restless
	uri=$(host a "$tool" uri vm $there 2>"$dir/log") &&
		host a virsh migrate --live --p2p --postcopy \
			--postcopy-after-precopy vm $there --migrateuri "$uri" \
			>>"$dir/log" 2>&1 &&
		guest_checked vm b >>"$dir/log" && tidy
	result $? "virsh migrate --postcopy --postcopy-after-precopy"
	restless
	migrate a --postcopy --timeout 1 --timeout-postcopy &&
		guest_checked vm b >>"$dir/log" && tidy && holds .postcopy
	result $? "--timeout-postcopy: when it takes too long"
	restless
	migrate a --postcopy --timeout 2 --timeout-suspend &&
		guest_checked vm b >>"$dir/log" && tidy &&
		holds '.postcopy | not'
	result $? "--timeout-suspend: it is stopped then, and does not go there"
fi

# Which would never end.
job_says() { # VIRSH-COMMAND PATTERN
	hosts_wait 400 host a sh -c "virsh -q $1 vm | grep -q '$2'"
}
restless
migrate a --auto-converge --auto-converge-initial 90 --timeout 60 &
job_says domjobinfo 'Auto converge throttle: *9[0-9]' && wait $! &&
	guest_checked vm b >>"$dir/log" && tidy
result $? "--auto-converge: the guest is slowed down until it does"
restless
migrate a --timeout 4 &
job_says 'domstate --reason' 'paused (migrating)' && wait $! &&
	guest_checked vm b >>"$dir/log" && tidy
result $? "--timeout: the guest is stopped, goes there and on"
cable 10gbit

# An image of what the guest has in memory, at both hosts; its name is no UTF-8.
text=$(printf 't\374xt.img')
for h in a b; do
	python3 "$srcdir/tests/hosts/text-image.py" "$hosts/$h/$text" 16 &&
		host $h env VIRT_MIG_INDEX_DIR="$hosts/$h/index" "$tool" \
			index build "$hosts/$h/$text" >>"$dir/log" 2>&1
	migd_stop $h
	printf '[images]\npublic = %s\n' "$hosts/$h/$text" |
		migd_start $h good
done
fresh
migrate a && guest_checked vm b >>"$dir/log" && tidy &&
	holds '.pages.ref > 4000 and .frames_refused == 0'
result $? "what an image holds is not sent"
refs=$(jq .pages.ref "$dir/out")
fresh
cp -p "$hosts/b/$text" "$dir/before"
python3 "$srcdir/tests/hosts/text-image.py" "$hosts/b/$text" 16 other
touch -r "$dir/before" "$hosts/b/$text"
migrate a && guest_checked vm b >>"$dir/log" && tidy &&
	holds '.pages.ref > 0 and .frames_refused > 0'
result $? "unless it is there no more, whatever the index says: it is sent then"
fresh
touch "$hosts/b/$text"
migrate a && guest_checked vm b >>"$dir/log" && tidy &&
	holds ".pages.ref + 3000 < $refs and .frames_refused == 0"
result $? "an image that is newer than its index is not looked into"

# The VM's own disk, over a base that both hosts hold; nobody has indexed it.
base=$hosts/guest/base.img
python3 "$srcdir/tests/hosts/text-image.py" "$base" 16 &&
	qemu-img create -q -f qcow2 -F raw -b "$base" "$hosts/guest/over.qcow2"
for h in a b; do
	migd_stop $h
	migd_start $h good </dev/null
done
indexed() { # HOST
	host "$1" env VIRT_MIG_INDEX_DIR="$hosts/$1/index" "$tool" \
		index check "$base"
}
guest_end vm
DISK=$hosts/guest/over.qcow2 DISK_FORMAT=qcow2 fresh
migrate a --unsafe --persistent && guest_checked vm b >>"$dir/log" && tidy &&
	holds '.pages.ref < 4000' &&
	host b virsh dominfo vm | grep -q 'Persistent: *yes'
result $? "the VM's own image has no index: it goes all the same"
hosts_wait 300 indexed a && hosts_wait 300 indexed b
result $? "and has one soon after, at both hosts"
migrate b --unsafe --undefinesource && guest_checked vm a >>"$dir/log" &&
	tidy && holds '.pages.ref > 4000 and .frames_refused == 0' &&
	! host b virsh dominfo vm >/dev/null 2>&1
result $? "so that on the way back what it holds is not sent"

for h in a b; do
	truncate -s 64M "$hosts/$h/lib/images/disk.img"
done
guest_end vm
DISK=/var/lib/libvirt/images/disk.img fresh
migrate a --copy-storage-all && guest_checked vm b >>"$dir/log" && tidy
result $? "--copy-storage-all: its disk comes, too"

fresh
migrate a --suspend --format text && grep -q "^vm is at $there" "$dir/out" &&
	[ "$(host b virsh -q domstate vm)" = paused ] &&
	host b virsh -q resume vm && guest_checked vm b >>"$dir/log" && tidy
result $? "--suspend: it is paused there"

# The file system of its disk is full, so QEMU stops it, until there is room.
for h in a b; do
	truncate -s 8M "$hosts/$h/small" && mkfs.ext4 -qF -O ^has_journal \
		"$hosts/$h/small" && host $h mkdir -p /run/small &&
		host $h mount -o loop "$hosts/$h/small" /run/small &&
		host $h truncate -s 64M /run/small/disk.img ||
		small=none
done >>"$dir/log" 2>&1
if [ -z "${small:-}" ]; then
	guest_end vm
	DISK=/run/small/disk.img fresh
	migrate a --unsafe --bandwidth 4 --abort-on-error &
	hosts_wait 100 host a sh -c "'$tool' status --format json |
		jq -e 'any(.state == \"STREAM\")'" &&
		host a sh -c 'cat /dev/zero 2>/dev/null >/run/small/fill'
	wait $!
	[ $? -eq 1 ] && grep -q 'I/O error.*is paused here' "$dir/log" &&
		host a rm /run/small/fill && host a virsh -q resume vm &&
		guest_checked vm a >>"$dir/log" && tidy
	result $? "--abort-on-error: a disk that fails ends it"
	for h in a b; do
		host $h virsh destroy vm
		host $h umount /run/small
	done >>"$dir/log" 2>&1
else
	skipped "--abort-on-error" "cannot mount a small file system"
fi

fresh
host a sh -c "timeout -s INT 3 '$tool' migrate vm $there --bandwidth 4" \
	>"$dir/out" 2>"$dir/log"
grep -q 'interrupted; the VM runs here' "$dir/log" &&
	guest_checked vm a >>"$dir/log" && tidy
result $? "Ctrl-C: it stays"

# The connection is lost on the way.
lose() {
	hosts_wait 100 host a sh -c "'$tool' status --format json |
		jq -e 'any(.state == \"STREAM\" and
			.wire_bytes > 4000000)' >/dev/null" &&
		host a ss -tK 'dport = :49216' >>"$dir/log"
}
# Of a VM that it still knows, libvirt knows how long it stood.
fresh
host a sh -c "virsh dumpxml vm >'$dir/vm.xml' && virsh define '$dir/vm.xml'" \
	>>"$dir/log"
migrate a --bandwidth 8 &
lose && wait $! && guest_checked vm b >>"$dir/log" && tidy &&
	holds '.reconnects == 1 and .downtime_measured and .downtime_ms > 0' &&
	host a virsh undefine vm >>"$dir/log" 2>&1
result $? "the connection is lost: it is made again"
fresh
migrate a --bandwidth 8 --reconnect-timeout 0 &
lose
wait $!
[ $? -eq 1 ] && grep -q 'runs here' "$dir/log" && guest_checked vm a \
	>>"$dir/log" && tidy
result $? "--reconnect-timeout 0: it is not, and the guest stays"

# The last line that was said, and the only one.
says() { # TEXT
	grep -q -- "$1" "$dir/log" &&
		[ "$(grep -c '^virt-mig migrate: ' "$dir/log")" = 1 ]
}
for kind in foreign other; do
	migd_stop b && migd_start b $kind </dev/null
	migrate a
	[ $? -eq 3 ] && says 'not begun: ' && guest_on vm a && tidy
	result $? "the other end has a certificate of kind '$kind': refused"
done
# What cannot even begin TLS can say nothing; its log does.
for kind in expired swapped; do
	migd_stop b && migd_start b $kind </dev/null
	migrate a
	[ $? -eq 1 ] && says 'not begun: .*hung up; its log' &&
		tail -n 1 "$hosts/b/migd.log" | grep -q "$kind/server" &&
		guest_on vm a && tidy
	result $? "the other end has a certificate of kind '$kind': not begun"
done
migd_stop b && migd_start b good </dev/null
for kind in other expired; do
	migd_stop a && migd_start a $kind </dev/null
	migrate a
	[ $? -eq 3 ] && says 'not begun: ' && guest_on vm a && tidy
	result $? "we have a certificate of kind '$kind': refused"
done
migd_stop a && migd_start a none </dev/null
migrate a
[ $? -eq 3 ] && says 'not begun: .*none' && guest_on vm a && tidy
result $? "we have no certificate: not begun"
migd_stop a && migd_start a good </dev/null
migd_stop b
other_end() { # KIND
	host b python3 "$srcdir/tests/hosts/other-end.py" $hosts_b_ip \
		"$hosts/certs/good" "$1" >>"$dir/log" 2>&1 &
	hosts_wait 50 host b sh -c 'ss -tln | grep -q :49216'
}
other_end version
migrate a
[ $? -eq 6 ] && says 'not begun: .*versions 7 to 9' && guest_on vm a && tidy
result $? "the other end speaks another version: not begun"
kill $! 2>/dev/null
for pid in $(host_pids b python3); do host b kill "$pid"; done
other_end slow
migrate a
[ $? -eq 5 ] && says 'not begun: .*does not answer' && guest_on vm a && tidy
result $? "the other end says one byte a second: not begun"
for pid in $(host_pids b python3); do host b kill "$pid"; done
migd_start b good </dev/null
# Those who call, and then say one byte a second, are not waited for.
for _ in 1 2 3 4; do
	host a python3 -c "
import socket, time
s = socket.create_connection(('$hosts_b_ip', 49216))
for _ in range(60):
    s.sendall(b'v')
    time.sleep(1)" >/dev/null 2>&1 &
done
sleep 7
[ "$(host b ss -tn 'sport = :49216' | grep -c ESTAB)" = 0 ] &&
	migrate a && guest_checked vm b >>"$dir/log" && tidy
result $? "callers that say one byte a second are sent away"
# Who asks may call the VM what he likes, but that is not a line of the log.
host a python3 -c "
import json, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect('/run/virt-mig/control')
s.send(json.dumps({'do': 'prepare', 'vm': 'vm\\nvirt-migd: all is well',
    'uuid': '12345678-1234-1234-1234-123456789abc',
    'peer': '$hosts_b_ip'}).encode())
s.recv(65536)" >"$dir/log" 2>&1 &&
	hosts_wait 50 grep -q '^virt-migd: vm.x0avirt-migd: all is well to' \
		"$hosts/a/migd.log" && ! grep -q '^virt-migd: all' "$hosts/a/migd.log"
result $? "what it says is one line of the log, whatever the VM is called"

fresh
migd_stop b && printf '[memory]\ndir = /proc/none\n' | migd_start b good
migrate a --parallel
[ $? -eq 1 ] && says 'the receiver says: /proc/none: .*runs here' &&
	guest_on vm a && tidy
result $? "the other end cannot open what it needs: it says what"
migd_stop b && printf '[peers]\nallow = somebody else\n' | migd_start b good
migrate a
[ $? -eq 3 ] && grep -q refused "$dir/log" && guest_on vm a && tidy
result $? "the other end does not let us in: refused"
migd_stop b
! migrate a && grep -q 'not begun' "$dir/log" && guest_on vm a && tidy
result $? "there is no virt-migd at the other end: not begun"

# A QEMU whose several connections broke may not migrate again (7.2: duplicate
# yank instance).
fresh
host b mount -t tmpfs -o size=1m tmpfs "$hosts/b/memory"
migd_start b good </dev/null
migrate a && guest_checked vm b >>"$dir/log" && tidy &&
	[ -z "$(host b ls "$hosts/b/memory")" ]
result $? "no room to keep its memory at the other end: it goes all the same"
host b umount "$hosts/b/memory"

# What is on the network runs without any right, and is started again.
listener_is() { # FIELD VALUE
	grep -q "^$1:[[:space:]]*$2\$" "/proc/$(cat "$hosts/b/pid")/root/proc/$(
		host_pids b virt-mig-listen)/status"
}
confined a && confined b
old=$(host_pids b virt-mig-listen)
listener_is Uid "$(id -u daemon)	.*" && listener_is CapEff 0000000000000000 &&
	listener_is NoNewPrivs 1 && host b kill -9 "$old" && fresh &&
	[ "$(host_pids b virt-mig-listen)" != "$old" ]
result $? "its listener has no rights, and comes back when it is killed"
migrate a && guest_checked vm b >>"$dir/log" && tidy
result $? "with no more capabilities than the systemd unit leaves it"
tests_end
