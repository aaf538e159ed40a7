#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that takes and gives back memory as fast as it can goes from one QEMU
# to the next through the relays, which leave out what it has free; after each
# time all of its memory is compared.  For root with VIRT_MIG_GUEST_TESTS=1;
# VIRT_MIG_ROUNDS says how often (4).
. "${srcdir:?}/tests/tap.sh"
. "$srcdir/tests/hosts/hosts.sh"
hosts_or_skip

explain() {
	sed 's/^/# /' "$dir/log"
	[ $n -gt 1 ] || exit 1
}
make_guest() {
	hosts_get_kernel || return
	cp "$hosts_kernel/vmlinuz" "$dir/vmlinuz" && mkdir -p "$dir/root/dev" &&
		gcc -O2 -static -o "$dir/root/init" "$srcdir/tests/churn.c" &&
		mknod "$dir/root/dev/console" c 5 1 &&
		(cd "$dir/root" && find . | cpio --quiet -o -H newc) \
			>"$dir/initrd"
}
move() { # BACKEND ROUNDS OPTION...
	rm -f "$dir/serial"
	timeout 3000 python3 "$srcdir/tests/free-pages.py" "$builddir" "$dir" \
		"$@" >"$dir/log" 2>&1
}
dropped() {
	sed -n 's/^dropped //p' "$dir/log"
}

make_guest >"$dir/log" 2>&1
result $? "a guest is made"
move ram "${VIRT_MIG_ROUNDS:-4}"
result $? "it moves, again and again, unharmed"
[ "$(dropped)" -gt 1000 ]
result $? "and many of its free pages stay behind"
move ram 1 --no-free-drop && [ "$(dropped)" -eq 0 ]
result $? "but for those who want all"
move memfd,share=on 1 && [ "$(dropped)" -gt 1000 ]
result $? "so it is where QEMU shares its memory"
tests_end
