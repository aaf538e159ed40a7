#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A running guest through 'virt-mig relay-send' and 'relay-receive', between
# two QEMUs and nothing else: what the one says is what the other hears, byte
# by byte, in each way that QEMU has to migrate.  Where postcopy is for
# privileged users only, and this is not root, that is left out.
# $QEMU is the command of another QEMU than the one installed.
. "${srcdir:?}/tests/tap.sh"
asked_for
[ -n "${QEMU:-}" ] || need qemu-system-x86_64
tool=$(cd "${builddir:?}" && pwd)/virt-mig
capture=$(cd "${srcdir:?}/tests" && pwd)/capture-stream.py
cd "$dir" || exit 99
"${CC:-gcc}" -m32 -static -nostdlib -o boot \
	-Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none \
	"${capture%/*}/boot-dirty.S" || skip_all "cannot make a boot sector"
truncate -s 1M boot

move() { # OPTION...
	rm -rf capture
	timeout 120 python3 "$capture" boot capture --destination \
		--through "$tool" "$@" >said 2>error
}
# Everything that left came, over so many connections.
same() { # CONNECTIONS
	i=0
	while [ $i -lt "$1" ]; do
		cmp "capture/$i" "capture/out.$i" >>error 2>&1 || return
		i=$((i + 1))
	done
	[ ! -e "capture/$1" ] && [ ! -e "capture/out.$1" ] && [ -s capture/0 ]
}
saved() { # at least so many times
	jq -e ".memory_bytes > $1 * .wire_bytes" capture/relay-send.json >/dev/null
}
opaque() {
	grep -q 'less can be saved' capture/relay-send.log
}
explain() {
	cat said error capture/relay-*.log | sed 's/^/# /'
}

move --caps return-path && same 1 && saved 2 && ! opaque
result $? "precopy: every byte of it, in half of them"
move && same 1 && saved 2
result $? "without a return path"
move --caps return-path --machine q35 \
	--args '-vga std -device qemu-xhci -device virtio-rng' --stopped &&
	same 1
result $? "a guest that was stopped, with more devices"
move --caps return-path,multifd --params '{"multifd-channels": 3}' && same 4 &&
	saved 2 && ! opaque
result $? "multifd: every channel"
move --caps return-path,multifd --params \
	'{"multifd-channels": 2, "multifd-compression": "zstd"}' && same 3 &&
	opaque
result $? "multifd that compresses: as it is, and it says so"
move --caps return-path,xbzrle && same 1 && opaque
result $? "xbzrle: as it is, and it says so"
if [ "$(id -u)" = 0 ] ||
	[ "$(cat /proc/sys/vm/unprivileged_userfaultfd)" = 1 ]; then
	move --caps return-path,postcopy-ram --postcopy && same 1
	result $? "postcopy"
fi
for who in relay-send relay-receive; do
	move --caps return-path --kill $who
	result $? "$who is killed: the guest runs on"
done
tests_end
