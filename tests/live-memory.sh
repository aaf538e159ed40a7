#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The memory of guests that run, found in their QEMU: 4 GiB, of which each
# machine puts another part above 4 GiB.  The guest's own tables must pass every
# check, and more of its pages must be free than can stand below.  Memory that
# is shared is found in its file.
# For root with VIRT_MIG_GUEST_TESTS=1; a minute and 70 MB of packages.
guest=${builddir:?}/guest
show=$builddir/tests/show-live
. "${srcdir:?}/tests/tap.sh"
asked_for
need qemu-system-x86_64 cpio apt-get depmod
qemu=
halt() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null
	[ -z "$qemu" ] || wait "$qemu" 2>/dev/null
	qemu=
}
at_end() {
	halt
}
# A program that says that it runs, and waits.
make_parts() {
	mkdir "$dir/root" || return
	printf '%s\n' '#include <stdio.h>' '#include <unistd.h>' \
		'int main(void) { puts("guest: ready"); fflush(stdout);' \
		'for (;;) pause(); }' >"$dir/init.c"
	cc -static -O1 -o "$dir/root/init" "$dir/init.c" &&
		(cd "$dir/root" && echo init | cpio -o -H newc --quiet) \
			>"$dir/initrd" &&
		"${srcdir:?}/scripts/get-kernel" trixie "$guest/kernel-trixie-cloud-amd64" \
			cloud-amd64
}
boot() { # MACHINE OPTION...
	machine=$1
	shift
	rm -f "$dir/serial"
	qemu-system-x86_64 -nodefaults -display none -no-reboot -accel tcg \
		-machine "$machine" -cpu max -m 4G "$@" \
		-kernel "$guest/kernel-trixie-cloud-amd64/vmlinuz" \
		-initrd "$dir/initrd" -append "console=ttyS0 quiet rdinit=/init" \
		-serial "file:$dir/serial" </dev/null >"$dir/qemu.log" 2>&1 &
	qemu=$!
	for _ in $(seq 600); do
		grep -qa 'guest: ready' "$dir/serial" 2>/dev/null && return
		kill -0 "$qemu" 2>/dev/null || break
		sleep 0.1
	done
	cat "$dir/qemu.log" "$dir/serial"
	return 1
}
# MACHINE as QEMU calls it in its stream, PAGES that it has below 4 GiB.  In one
# way alone all checks pass and the kernel is seen to tick.
found() {
	timeout 60 "$show" "$qemu" 0x100000000 "$1" >"$dir/show" || return
	cat "$dir/show"
	[ "$(grep -c '^ticks: ' "$dir/show")" = 1 ] &&
		[ "$(grep -c '^free now: ' "$dir/show")" = 1 ] &&
		[ "$(sed -n 's/^free now: \([0-9]*\) .*/\1/p' "$dir/show")" \
			-gt "$2" ]
}

boot_with() { # BACKEND
	boot pc,memory-backend=ram -object "memory-backend-$1,id=ram,size=4G"
}
found_in_file() {
	found pc-i440fx-7.2 786432 && grep 'linux.*by its file$' "$dir/show"
}
found_elsewhere() {
	found pc-i440fx-7.2 786432 && ! grep 'by its file$' "$dir/show"
}

ok "the guest's parts are made" make_parts
for test in "pc pc-i440fx-7.2 786432" "q35 pc-q35-7.2 524288" \
	"microvm,isa-serial=on,acpi=off microvm 786432"; do
	# shellcheck disable=SC2086 # words
	set -- $test
	ok "$2: a guest boots" boot "$1" || { halt; continue; }
	ok "$2: its memory below and above 4 GiB is found" found "$2" "$3"
	# A machine that is not told is found by its layout.
	ok "$2: so it is where the machine is not known" found '' "$3"
	halt
done
for backend in memfd,share=on file,share=on,mem-path=/dev/shm; do
	ok "$backend: a guest boots" boot_with "$backend"
	ok "$backend: its memory is found in its file" found_in_file
	halt
done
ok "memfd,share=off: a guest boots" boot_with memfd,share=off
ok "memfd,share=off: its memory is found, but not in the file" found_elsewhere
tests_end
