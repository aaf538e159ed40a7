#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A running guest goes from one host to the other through virt-migd, by
# virt-mig and by virsh; and stays where it is when it cannot.  Root, minutes:
# only with VIRT_MIG_GUEST_TESTS=1.
. "${srcdir:?}/tests/hosts/hosts.sh"
hosts_or_skip
dir=$(mktemp -d) || exit 99
tool=${builddir:?}/virt-mig
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
		tail -n 5 "$dir/log" "$hosts"/[ab]/migd.log | sed 's/^/# /'
		[ $n -gt 1 ] || exit 1
	fi
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

migrate a && guest_checked vm b >>"$dir/log" && tidy
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

for h in a b; do
	truncate -s 64M "$hosts/$h/lib/images/disk.img"
done
guest_end vm
DISK=/var/lib/libvirt/images/disk.img fresh
migrate a --copy-storage-all && guest_checked vm b >>"$dir/log" && tidy
result $? "--copy-storage-all: its disk comes, too"

fresh
host a sh -c "timeout -s INT 3 '$tool' migrate vm $there --bandwidth 4" \
	>"$dir/out" 2>"$dir/log"
grep -q 'interrupted; the VM runs here' "$dir/log" &&
	guest_checked vm a >>"$dir/log" && tidy
result $? "Ctrl-C: it stays"

for kind in foreign other; do
	migd_stop b && migd_start b $kind </dev/null
	migrate a
	[ $? -eq 3 ] && guest_on vm a && tidy
	result $? "the other end has a certificate of kind '$kind': refused"
done
migd_stop b && printf '[peers]\nallow = somebody else\n' | migd_start b good
migrate a
[ $? -eq 3 ] && grep -q refused "$dir/log" && guest_on vm a && tidy
result $? "the other end does not let us in: refused"
migd_stop b
! migrate a && grep -q 'not begun' "$dir/log" && guest_on vm a && tidy
result $? "there is no virt-migd at the other end: not begun"

host b mount -t tmpfs -o size=1m tmpfs "$hosts/b/memory"
migd_start b good </dev/null
migrate a && guest_checked vm b >>"$dir/log" && tidy &&
	[ -z "$(host b ls "$hosts/b/memory")" ]
result $? "no room to keep its memory at the other end: it goes all the same"
host b umount "$hosts/b/memory"
echo "1..$n"
