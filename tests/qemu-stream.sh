#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Migration streams as a real QEMU writes them, of a guest that changes its
# memory all the time: show-stream checks that each comes out as it went in,
# and here every page that QEMU says it sent must have been found.
# $QEMU is the command of another QEMU than the one installed.
. "${srcdir:?}/tests/tap.sh"
asked_for
[ -n "${QEMU:-}" ] || need qemu-system-x86_64
show=${builddir:?}/tests/show-stream
cd "$dir" || exit 99
"${CC:-gcc}" -m32 -static -nostdlib -o boot \
	-Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none \
	"${srcdir:?}/tests/boot-dirty.S" || skip_all "cannot make a boot sector"
truncate -s 1M boot

# Sets $sent_*, what QEMU says, and $got_*, what was found.
capture() { # OPTION...
	rm -rf capture
	python3 "$srcdir/tests/capture-stream.py" boot capture "$@" \
		>said 2>error || return 1
	"$show" capture/[0-9] >shown 2>>error || return 1
	read -r _ sent_normal _ sent_duplicate _ _ <said
	got_pages=$(sum pages)
	got_zeros=$(sum zeros)
	got_bare=$(sum bare)
}
sum() { # WORD
	awk -v word="$1" '{ for (i = 1; i < NF; i++)
		if ($i == word) n += $(i + 1) } END { print n + 0 }' shown
}
# The main channel was understood to its end.
whole() {
	grep -q '^main: .* ended 1 opaque -$' shown && [ "$(sum eof)" -gt 0 ]
}
all_found() {
	[ "$got_pages" = "$sent_normal" ] && [ "$got_zeros" = "$sent_duplicate" ]
}
says() { # TEXT...
	for text; do
		grep -q -- " $text" shown || return 1
	done
}
explain() {
	cat said shown error | sed 's/^/# /'
}

capture && whole && all_found
result $? "precopy"
capture --machine q35 --args '-vga std -device qemu-xhci -device virtio-rng' \
	--stopped && whole && all_found
result $? "a guest that was stopped, with more devices"
capture --caps xbzrle && whole && says 'coded 1' && [ "$got_pages" -gt 4096 ]
result $? "xbzrle"
if capture --caps compress --params '{"compress-threads": 2}'; then
	whole && says 'coded 1'
	result $? "compress"
elif grep -q "does not accept value 'compress'" error; then
	skipped "compress" "this QEMU has it no more"
else
	result 1 "compress"
fi
capture --destination --caps multifd --params '{"multifd-channels": 2}' &&
	sed -i '/^multifd/s/eof -1/eof 0/' shown && whole &&
	[ "$got_bare" -ge "$sent_normal" ] && ! grep 'opaque [^-]' shown
result $? "multifd"
capture --destination --caps multifd \
	--params '{"multifd-channels": 2, "multifd-compression": "zstd"}' &&
	says 'opaque pages compressed by QEMU'
result $? "multifd with compression is passed on"
capture --destination --postcopy --caps postcopy-ram,return-path && whole &&
	all_found && says 'postcopy 1'
result $? "postcopy"
truncate -s 64M disk
capture --machine q35 --caps dirty-bitmaps \
	--args "-blockdev file,node-name=disk,filename=../disk \
		-device virtio-blk,drive=disk" --qmp '[
	{ "execute": "block-dirty-bitmap-add", "node": "disk", "name": "b" },
	{ "execute": "human-monitor-command",
	  "command-line": "qemu-io disk \"write 1M 64k\"" }]' &&
	whole && all_found
result $? "dirty bitmaps"
truncate -s 64M memory
capture --caps x-ignore-shared --args "-m 64 -object \
	memory-backend-file,id=m,size=64M,mem-path=$dir/memory,share=on \
	-machine memory-backend=m" \
	--stopped && whole && says 'pages [0-9][0-9] '
result $? "a guest whose memory is shared and stays"
capture --caps validate-uuid --stopped && whole && all_found
result $? "a guest whose UUID must match"
tests_end
