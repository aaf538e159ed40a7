#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A SYNTHETIC Windows guest and a disk with the libraries that it has loaded:
# they come from the disk, though no page of them is a block of it.
. "${srcdir:?}/tests/tap.sh"
need jq
virt_mig=${builddir:?}/virt-mig
export VIRT_MIG_INDEX_DIR="$dir/indexes"
cd "$dir" || exit 99
receiver=
qemu=
at_end() {
	[ -z "$receiver" ] || kill "$receiver" 2>/dev/null
	[ -z "$qemu" ] || kill -9 "$qemu" 2>/dev/null
}
"$builddir/tests/make-windows" 10240 full 64 3 guest \
	/usr/lib/gcc/x86_64-w64-mingw32/*/libgcc_s_seh-1.dll >log 2>&1
result $? "a guest is made"
images=$(grep -c ' image .*System32\| standby .*System32' guest.truth)
[ "$images" -gt 50 ]
result $? "the guest has libraries in memory"
cp guest.disk bare.disk # the same without a file system
printf 'XXXX' | dd of=bare.disk bs=1 seek=$(((1 << 20) + 3)) conv=notrunc \
	2>/dev/null
moved() { # IMAGE
	"$virt_mig" bench --image "$1" --peers none --tiers middle \
		--format json guest 2>log |
		jq '.captures[0].tiers[0].plans | .ref.pages + .move.pages'
}
without=$(moved bare.disk)
with=$(moved guest.disk)
echo "# $without pages from the blocks, $with with programs; $images images" \
	>log
[ "$((with - without))" -gt "$((images * 3 / 4))" ]
result $? "libraries come from the disk"

"$virt_mig" bench --explain-guest guest >explained 2>log
cat explained >>log
grep -q '^  windows 10.0.10240, 63.6 MiB' explained &&
	[ "$(grep -c '^  passed: ' explained)" -ge 9 ] &&
	! grep -q FAILED explained &&
	grep -q '^  free pages need not be sent$' explained
result $? "what was found, and which checks passed, is explained"
grep -q "^  image  *$(grep -c '^[^ ]* image ' guest.truth) pages" explained &&
	grep -q '^  standby by priority, 0 to 7: [0-9 ,]*$' explained
result $? "so is how many pages there are of each class"

timeout -s KILL 120 "$virt_mig" receive --listen unix:"$dir/socket" \
	--port-file port --output got --image guest.disk >r.out 2>log &
receiver=$!
i=0
while [ ! -s port ] && [ $i -lt 600 ] && kill -0 $receiver 2>/dev/null; do
	sleep 0.05
	i=$((i + 1))
done
timeout -s KILL 120 "$virt_mig" send --format json --image guest.disk guest \
	unix:"$dir/socket" >s.out 2>>log
sent=$?
wait $receiver
received=$?
receiver=
[ $sent -eq 0 ] && [ $received -eq 0 ] && cmp -s guest got &&
	[ "$(jq '.pages.ref + .pages.move' s.out)" -eq "$with" ]
result $? "both ends agree on the programs of a disk"

# In a QEMU, where it might run, it is not looked for, and nothing is dropped.
held() {
	"$builddir/tests/make-windows" 19041 raw 64 3 raw >log 2>&1 &&
		"$builddir/tests/show-guest" raw >>log &&
		grep -q '^system windows' log && grep -q '^sound 1' log || return
	qemu-system-x86_64 -S -nodefaults -display none -accel tcg -m 64M \
		-machine pc,memory-backend=ram -object \
		memory-backend-file,id=ram,size=64M,mem-path=raw,share=on >>log 2>&1 &
	qemu=$!
	i=0 # until its RAM is there
	until "$builddir/tests/show-live" $qemu 0x4000000 >live 2>>log &&
		grep -q '^way ' live; do
		[ $i -lt 200 ] && kill -0 $qemu 2>/dev/null || return
		sleep 0.1
		i=$((i + 1))
	done
	cat live >>log
	! grep -qE '^way .*: windows |^free now' live
}
if command -v qemu-system-x86_64 >/dev/null; then
	held
	result $? "in a QEMU nothing of it is dropped"
else
	n=$((n + 1))
	echo "ok $n - in a QEMU nothing of it is dropped # SKIP no QEMU"
fi
tests_end
