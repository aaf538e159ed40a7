#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is read from a guest's own tables, against what that guest says of
# itself: kernels of Debian's suites boot in QEMU with one program
# (guest-init.c), say how many pages of each kind they have and stand still.
# For root with VIRT_MIG_GUEST_TESTS=1; a minute and 70 MB of packages.
# VIRT_MIG_KERNELS='SUITE[/FLAVOUR] ...' and VIRT_MIG_BOOTS='CPU[,ARGUMENT] ...'
# choose others: every kernel is booted in each way.
tests=${srcdir:?}/tests
scripts=$srcdir/scripts
guest=${builddir:?}/guest
show=$builddir/tests/show-guest
skip() {
	echo "1..0 # SKIP $*"
	exit 0
}
[ "${VIRT_MIG_GUEST_TESTS:-}" = 1 ] || skip "VIRT_MIG_GUEST_TESTS is not 1"
for tool in qemu-system-x86_64 mkfs.ext4 debugfs python3 cpio apt-get depmod jq; do
	PATH=$PATH:/sbin:/usr/sbin command -v $tool >/dev/null ||
		skip "no $tool"
done
PATH=$PATH:/sbin:/usr/sbin
both='max qemu64,nokaslr'
if [ -n "${VIRT_MIG_KERNELS:-}" ]; then
	plan=
	for kernel in $VIRT_MIG_KERNELS; do
		for boot in ${VIRT_MIG_BOOTS:-$both}; do
			plan="$plan $kernel:$boot"
		done
	done
else
	plan='bookworm/amd64:max bookworm/amd64:qemu64,nokaslr,page_poison=1
		trixie:qemu64,nokaslr trixie:max,init_on_free=1'
fi

out=$(mktemp -d) || exit 99
qemu=
clean() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null
	rm -rf "$out"
}
trap clean EXIT
trap 'exit 130' INT TERM
n=0
ok() { # NAME COMMAND...
	n=$((n + 1))
	name=$1
	shift
	if "$@" >"$out/log" 2>&1; then
		echo "ok $n - $name"
		return 0
	fi
	echo "not ok $n - $name"
	tail -n 20 "$out/log" | sed 's/^/# /'
	return 1
}

# A disk of files to read, and the program.
make_parts() {
	mkdir -p "$out/disk/files" "$out/root/modules" || return
	for i in 1 2 3 4 5; do
		head -c 4194304 /dev/urandom >"$out/disk/files/$i" || return
	done
	head -c 5000 /dev/urandom >"$out/disk/files/short" || return
	truncate -s 64M "$out/disk.img" &&
		mkfs.ext4 -q -F -d "$out/disk" "$out/disk.img" &&
		cc -static -O1 -o "$out/root/init" "$tests/guest-init.c"
}
get_kernel() { # KERNEL: its folder
	suite=${1%/*}
	flavour=cloud-amd64
	[ "$suite" = "$1" ] || flavour=${1#*/}
	folder=$guest/kernel-$suite-$flavour
	"$scripts/get-kernel" "$suite" "$folder" "$flavour"
}

# An emulated guest may panic before our program runs: that is not what is
# tested.
boot() { # FOLDER BOOT
	for _ in 1 2 3; do
		boot_once "$1" "$2" && return
		tail -n 5 "$out/serial"
		halt
	done
	return 1
}
# Boots, waits for its word, and leaves it stopped with its memory in
# $out/ram.  The first word of BOOT is the CPU; one is m=SIZE; the rest goes to
# the kernel.
boot_once() { # FOLDER BOOT
	rm -rf "$out/root/modules" "$out/serial" "$out/ram"
	cp -r "$1/modules" "$out/root/modules" || return
	(cd "$out/root" && find . | cpio -o -H newc --quiet | gzip -1) \
		>"$out/initrd" || return
	cp "$out/disk.img" "$out/run.img" || return
	size=320M
	append="console=ttyS0 quiet mitigations=off rdinit=/init"
	for word in $(echo "${2#*,}" | tr , ' '); do
		case $word in
		m=*) size=${word#m=} ;;
		*) append="$append $word" ;;
		esac
	done
	rm -f "$out/qmp"
	mkfifo "$out/qmp.in" "$out/qmp.out" 2>/dev/null
	qemu-system-x86_64 -nodefaults -display none -no-reboot \
		-machine q35,memory-backend=ram -accel tcg -cpu "${2%%,*}" \
		-smp 2 -m "$size" \
		-object "memory-backend-file,id=ram,size=$size,mem-path=$out/ram,share=on" \
		-kernel "$1/vmlinuz" -initrd "$out/initrd" -append "$append" \
		-drive "file=$out/run.img,if=virtio,format=raw" \
		-chardev "pipe,id=qmp,path=$out/qmp" \
		-mon chardev=qmp,mode=control \
		-serial "file:$out/serial" </dev/null >"$out/qemu.log" 2>&1 &
	qemu=$!
	exec 3>"$out/qmp.in" 4<"$out/qmp.out"
	echo '{"execute": "qmp_capabilities"}' >&3
	for _ in $(seq 900); do
		grep -q 'guest: ready' "$out/serial" 2>/dev/null && break
		grep -qE 'guest: failed|Kernel panic' "$out/serial" \
			2>/dev/null && break
		sleep 0.1
	done
	echo '{"execute": "stop"}' >&3
	while read -r line <&4; do
		case $line in
		*'"STOP"'*) break ;;
		esac
	done
	grep -a 'guest: ready' "$out/serial"
}
halt() {
	[ -n "$qemu" ] || return
	kill "$qemu" 2>/dev/null
	wait "$qemu" 2>/dev/null
	qemu=
	exec 3>&- 4<&-
}

# What the guest counts, in pages; several are added.
counts() { # NAME...
	for name in "$@"; do
		tr -d '\r' <"$out/serial" | sed -n "s/^$name: *\([0-9]*\) kB/\1/p"
	done | awk '{ sum += $1 } END { print sum / 4 }'
}
classes() { # NAME...
	for name in "$@"; do
		sed -n "s/^class $name //p" "$out/show"
	done | awk '{ sum += $1 } END { print sum + 0 }'
}
near() { # PAGES CLASSES MEMINFO: no further apart
	# shellcheck disable=SC2086 # lists of names
	a=$(classes $2)
	# shellcheck disable=SC2086
	b=$(counts $3)
	echo "$2: $a, the guest says $3: $b"
	[ $((a - b)) -le "$1" ] && [ $((b - a)) -le "$1" ]
}
sound() {
	"$show" "$out/ram" >"$out/show" || return
	cat "$out/show"
	grep -q '^system linux' "$out/show" && grep -q '^sound 1' "$out/show" &&
		grep -qF "release $(sed 's/-.*//' "$1/version")" "$out/show"
}
# Marked pages of the program: none is free, and all are there.
owned() {
	"$show" "$out/ram" marked 'virt-mig: this page is owned' >"$out/marked"
	cat "$out/marked"
	awk '$1 == "free" || $1 == "unknown" || $1 == "offline" { bad += $2 }
		{ all += $2 }
		END { exit !(all >= 10200 && bad == 0) }' "$out/marked"
}
# Of what it gave back, nearly all is free again.
given_back() {
	"$show" "$out/ram" marked 'virt-mig: this page was freed' >"$out/marked"
	cat "$out/marked"
	awk '$1 == "free" { free = $2 } { all += $2 }
		END { exit !(free * 10 >= all * 9) }' "$out/marked"
}
# Every clean page of a file is what the file holds on the disk.
files() {
	e2fsck -p -E journal_only "$out/run.img" || return
	"$show" "$out/ram" files | python3 "$tests/linux-files.py" \
		"$out/ram" "$out/run.img"
}
# Free pages cost nothing, unless they are asked for: those that were given
# back are noise.
dropped() {
	for drop in --no-free-drop ''; do
		# shellcheck disable=SC2086 # one word or none
		"$builddir/virt-mig" bench "$out/ram" --tiers lz4 --peers none \
			$drop --format json >"$out/json$drop" || return
		jq -c '.captures[0] | .guest, .tiers[0].plans.free' \
			"$out/json$drop"
	done
	jq -e '.captures[0] | .guest.drops_free_pages and
		.tiers[0].plans.free.pages >= 7000' "$out/json" &&
		jq -e '.captures[0] | (.guest.drops_free_pages | not) and
		.tiers[0].plans.free.pages == 0' "$out/json--no-free-drop" &&
		[ $(($(wire "$out/json") + 24000000)) -lt \
			"$(wire "$out/json--no-free-drop")" ]
}
wire() {
	jq '.results[0].wire_bytes' "$1"
}
poisoned() {
	grep -q "^poisons $1" "$out/show"
}

ok "the guest's parts are made" make_parts
for test in $plan; do
	kernel=${test%%:*}
	how=${test#*:}
	ok "$kernel is there" get_kernel "$kernel" || continue
	ok "$kernel ($how) boots" boot "$folder" "$how" || continue
	ok "$kernel ($how): its tables are found sound" sound "$folder"
	ok "$kernel ($how): free within 4 MiB" near 1024 buddy MemFree
	ok "$kernel ($how): anonymous within 2 MiB" near 512 anon AnonPages
	ok "$kernel ($how): cached within 2 MiB" \
		near 512 'file shmem' 'Cached Buffers'
	ok "$kernel ($how): shared within 1 MiB" near 256 shmem Shmem
	# Counted as slab there, and large objects, which have pages of
	# their own, too.
	ok "$kernel ($how): slab within 4 MiB" near 1024 slab Slab
	ok "$kernel ($how): page tables within 1 MiB" near 256 table PageTables
	ok "$kernel ($how): no owned page is free" owned
	case $how in
	*poison*) ok "$kernel ($how): it poisons" poisoned 1 ;;
	*)
		ok "$kernel ($how): it does not poison" poisoned 0
		case $how in
		*init_on_free*) ;;
		*)
			ok "$kernel ($how): what it gave back is free" \
				given_back
			ok "$kernel ($how): and costs nothing" dropped
			;;
		esac
		;;
	esac
	ok "$kernel ($how): clean file pages are the files'" files
	[ -z "${VIRT_MIG_KEEP:-}" ] || cp "$out/ram" "$out/show" \
		"$out/serial" "$VIRT_MIG_KEEP"
	halt
done
echo "1..$n"
