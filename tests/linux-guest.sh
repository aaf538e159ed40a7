#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is read from a guest's own tables, against what that guest says of
# itself: kernels of Debian's suites boot in QEMU with one program
# (guest-init.c), say how many pages of each kind they have and stand still.
# For root with VIRT_MIG_GUEST_TESTS=1; a minute and 70 MB of packages.
# VIRT_MIG_KERNELS='SUITE[/FLAVOUR] ...' and VIRT_MIG_BOOTS='CPU[,ARGUMENT] ...'
# choose others: every kernel is booted in each way.  VIRT_MIG_PROGRAMS='FILE ...'
# are other programs of Windows than the libraries that come with MinGW.
tests=${srcdir:?}/tests
scripts=$srcdir/scripts
guest=${builddir:?}/guest
show=$builddir/tests/show-guest
. "${srcdir:?}/tests/tap.sh"
asked_for
need qemu-system-x86_64 mkfs.ext4 debugfs python3 cpio apt-get depmod jq
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
		trixie:qemu64,nokaslr trixie:max,init_on_free=1
		bookworm/amd64:max,m=256M,virt-mig-age'
fi

qemu=
at_end() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null
}

# A disk of files to read, and the program.  Behind the file system is what
# says that the disk has one of Windows, so that its programs are looked for.
make_parts() {
	mkdir -p "$dir/disk/files" "$dir/disk/programs" "$dir/root/modules" ||
		return
	for file in ${VIRT_MIG_PROGRAMS:-/usr/lib/gcc/x86_64-w64-mingw32/*/*.dll}; do
		[ ! -e "$file" ] || cp "$file" "$dir/disk/programs" || return
	done
	for i in 1 2 3 4 5; do
		head -c 4194304 /dev/urandom >"$dir/disk/files/$i" || return
	done
	head -c 5000 /dev/urandom >"$dir/disk/files/short" || return
	truncate -s 512M "$dir/disk.img" &&
		mkfs.ext4 -q -F -d "$dir/disk" "$dir/disk.img" &&
		truncate -s 513M "$dir/disk.img" && mark_disk disk NTFS &&
		cc -static -O1 -I"$builddir" -I"$srcdir" -o "$dir/root/init" \
			"$tests/guest-init.c" "$tests/guest-programs.c" \
			"$tests/made-pe.c"
}
mark_disk() { # NAME WHAT
	printf '%s    ' "$2" | dd of="$dir/$1.img" bs=1 conv=notrunc \
		seek=$(((512 << 20) + 3)) 2>/dev/null
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
		tail -n 5 "$dir/serial"
		halt
	done
	return 1
}
# Boots, waits for its word, and leaves it stopped with its memory in
# $dir/ram.  The first word of BOOT is the CPU; one is m=SIZE; the rest goes to
# the kernel.
boot_once() { # FOLDER BOOT
	rm -rf "$dir/root/modules" "$dir/serial" "$dir/ram"
	cp -r "$1/modules" "$dir/root/modules" || return
	(cd "$dir/root" && find . | cpio -o -H newc --quiet | gzip -1) \
		>"$dir/initrd" || return
	cp "$dir/disk.img" "$dir/run.img" || return
	size=320M
	append="console=ttyS0 quiet mitigations=off rdinit=/init"
	for word in $(echo "${2#*,}" | tr , ' '); do
		case $word in
		m=*) size=${word#m=} ;;
		*) append="$append $word" ;;
		esac
	done
	rm -f "$dir/qmp"
	mkfifo "$dir/qmp.in" "$dir/qmp.out" 2>/dev/null
	qemu-system-x86_64 -nodefaults -display none -no-reboot \
		-machine q35,memory-backend=ram -accel tcg -cpu "${2%%,*}" \
		-smp 2 -m "$size" \
		-object "memory-backend-file,id=ram,size=$size,mem-path=$dir/ram,share=on" \
		-kernel "$1/vmlinuz" -initrd "$dir/initrd" -append "$append" \
		-drive "file=$dir/run.img,if=virtio,format=raw" \
		-chardev "pipe,id=qmp,path=$dir/qmp" \
		-mon chardev=qmp,mode=control \
		-serial "file:$dir/serial" </dev/null >"$dir/qemu.log" 2>&1 &
	qemu=$!
	exec 3>"$dir/qmp.in" 4<"$dir/qmp.out"
	echo '{"execute": "qmp_capabilities"}' >&3
	for _ in $(seq 1800); do
		grep -q 'guest: ready' "$dir/serial" 2>/dev/null && break
		grep -qE 'guest: failed|Kernel panic' "$dir/serial" \
			2>/dev/null && break
		sleep 0.1
	done
	echo '{"execute": "stop"}' >&3
	while read -r line <&4; do
		case $line in
		*'"STOP"'*) break ;;
		esac
	done
	grep -a 'guest: ready' "$dir/serial"
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
		tr -d '\r' <"$dir/serial" | sed -n "s/^$name: *\([0-9]*\) kB/\1/p"
	done | awk '{ sum += $1 } END { print sum / 4 }'
}
classes() { # NAME...
	for name in "$@"; do
		sed -n "s/^class $name //p" "$dir/show"
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
	"$show" "$dir/ram" >"$dir/show" || return
	cat "$dir/show"
	grep -q '^system linux' "$dir/show" && grep -q '^sound 1' "$dir/show" &&
		grep -qF "release $(sed 's/-.*//' "$1/version")" "$dir/show"
}
# All 10,240 marked pages of the programs are theirs, so none is free.  Where
# pages moved, their marks stay behind in what is free now.
owned() { # HOW
	"$show" "$dir/ram" marked 'virt-mig: this page is owned' >"$dir/marked"
	cat "$dir/marked"
	awk -v moved="$(echo "$1" | grep -c virt-mig-age)" '
		$1 == "free" || $1 == "unknown" || $1 == "offline" { bad += $2 }
		$1 == "anon" || $1 == "shmem" { held += $2 }
		END { exit !(held == 10240 && (moved || bad == 0)) }' \
		"$dir/marked"
}
# Of what it gave back, nearly all is free again.
given_back() {
	"$show" "$dir/ram" marked 'virt-mig: this page was freed' >"$dir/marked"
	cat "$dir/marked"
	awk '$1 == "free" { free = $2 } { all += $2 }
		END { exit !(free * 10 >= all * 9) }' "$dir/marked"
}
# Every clean page of a file is what the file holds on the disk.
files() {
	e2fsck -p -E journal_only "$dir/run.img" || return
	"$show" "$dir/ram" files | python3 "$tests/linux-files.py" \
		"$dir/ram" "$dir/run.img"
}
# Free pages cost nothing, unless they are asked for: those that were given
# back are noise.
dropped() {
	for drop in --no-free-drop ''; do
		# shellcheck disable=SC2086 # one word or none
		"$builddir/virt-mig" bench "$dir/ram" --tiers lz4 --peers none \
			$drop --format json >"$dir/json$drop" || return
		jq -c '.captures[0] | .guest, .tiers[0].plans.free' \
			"$dir/json$drop"
	done
	jq -e '.captures[0] | .guest.drops_free_pages and
		.tiers[0].plans.free.pages >= 7000' "$dir/json" &&
		jq -e '.captures[0] | (.guest.drops_free_pages | not) and
		.tiers[0].plans.free.pages == 0' "$dir/json--no-free-drop" &&
		[ $(($(wire "$dir/json") + 24000000)) -lt \
			"$(wire "$dir/json--no-free-drop")" ]
}
wire() {
	jq '.results[0].wire_bytes' "$1"
}
# Pages of the modules that it has loaded come from an image that has their
# files in blocks that follow each other, as the kernel writes them.
modules() { # FOLDER
	rm -f "$dir"/modules.img*
	printf '\123\357' | dd bs=1 seek=1080 of="$dir/modules.img" 2>/dev/null
	at=32
	for file in "$1"/modules/*; do
		dd if="$file" of="$dir/modules.img" bs=4096 seek=$at 2>/dev/null
		at=$((at + $(wc -c <"$file") / 4096 + 1))
	done
	truncate -s 64M "$dir/modules.img"
	VIRT_MIG_INDEX_DIR=$dir "$builddir/virt-mig" bench "$dir/ram" \
		--image "$dir/modules.img" --tiers lz4 --peers none \
		--format json >"$dir/json-modules" || return
	jq -c '.captures[0].tiers[0].plans.delta' "$dir/json-modules"
	# Half of a file is tables that are not loaded.
	jq -e --argjson blocks $((at - 32)) \
		'.captures[0].tiers[0].plans.delta.pages * 5 >= $blocks' \
		"$dir/json-modules"
}
# The pages of Windows' programs of that kind, cut out of the guest's memory, and
# what they cost with its disk, and with the same disk where programs of Windows
# are not looked for.
measure_programs() { # KIND
	tr -d '\r' <"$dir/serial" | sed -n "s/^program $1 //p" |
		python3 -c 'import sys
memory = open(sys.argv[1], "rb")
for line in sys.stdin:
    memory.seek(4096 * int(line))
    sys.stdout.buffer.write(memory.read(4096))
' "$dir/ram" >"$dir/$1"
	for image in run bare; do
		VIRT_MIG_INDEX_DIR=$dir "$builddir/virt-mig" bench "$dir/$1" \
			--image "$dir/$image.img" --tiers fast --peers none \
			--format json | jq '.results[0].wire_bytes as $wire |
			.captures[0].tiers[0].plans | map_values(.pages) |
			.wire = $wire' >"$dir/json-$1-$image" || return
		jq -c . "$dir/json-$1-$image" | sed "s/^/$1, $image: /"
	done
}
# Nearly all pages that were relocated go as moved pointers, for a few bytes
# each, and nearly all others that are not zero as they are in the file; few of
# either without the programs.
programs() {
	cp "$dir/run.img" "$dir/bare.img" && mark_disk bare XXXX &&
		measure_programs relocated && measure_programs as-linked &&
		jq -es '.[0].move + .[0].delta >= 50 and
			.[0].data * 10 <= .[0].move + .[0].delta and
			.[0].wire <= 500 + (.[0].move + .[0].delta) * 32 and
			.[1].data >= .[1].move + .[1].delta and
			.[2].ref >= 1000 and .[2].data * 10 <= .[2].ref and
			.[3].data >= .[3].ref' \
			"$dir/json-relocated-run" "$dir/json-relocated-bare" \
			"$dir/json-as-linked-run" "$dir/json-as-linked-bare"
}
# It has aged: pages moved, were thrown out, and were huge.
aged() {
	tr -d '\r' <"$dir/serial" >"$dir/vmstat"
	grep -aE '^(pgmigrate_success|pgsteal_file|thp_fault_alloc) ' \
		"$dir/vmstat"
	awk '$1 == "pgmigrate_success" && $2 > 2000 { moved = 1 }
		$1 == "pgsteal_file" && $2 > 20000 { thrown = 1 }
		$1 == "thp_fault_alloc" && $2 > 4 { huge = 1 }
		END { exit !(moved && thrown && huge) }' "$dir/vmstat"
}
poisoned() {
	grep -q "^poisons $1" "$dir/show"
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
	ok "$kernel ($how): no owned page is free" owned "$how"
	case $how in
	*virt-mig-age*) ok "$kernel ($how): it has aged" aged ;;
	esac
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
	ok "$kernel ($how): modules are those on the disk" modules "$folder"
	if grep -q '^program relocated' "$dir/serial"; then
		ok "$kernel ($how): relocated programs go as moves" programs
	else
		skipped "$kernel ($how): relocated programs" "no MinGW"
	fi
	[ -z "${VIRT_MIG_KEEP:-}" ] || cp "$dir/ram" "$dir/show" \
		"$dir/serial" "$VIRT_MIG_KEEP"
	halt
done
tests_end
