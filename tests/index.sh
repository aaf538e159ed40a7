#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# virt-mig index, on images that qemu-img and mkfs.ext4 made.
. "${srcdir:?}/tests/tap.sh"
need qemu-img qemu-nbd qemu-io mkfs.ext4
virt_mig=${builddir:?}/virt-mig
export VIRT_MIG_INDEX_DIR="$dir/indexes"
cd "$dir" || exit 99

index() {
	"$virt_mig" index "$@" >out 2>log
}
field() { # NAME: of the JSON in out
	sed -n "s/^ *\"$1\": \"*\\([^\",]*\\)\"*,*\$/\\1/p" out
}
# Builds IMAGE's index as JSON, then says FIELD.
built() { # IMAGE FIELD
	index build --format json -o "$1.idx" "$1" && field "$2"
}

# A file system with real files: our own sources.
truncate -s 64M fs.raw
mkfs.ext4 -q -d "${srcdir:?}/common" fs.raw 2>log || exit 99
root=$(built fs.raw root)
[ ${#root} -eq 64 ]
result $? "a raw image is indexed"

for format in qcow2 vmdk vhdx vdi; do
	qemu-img convert -O $format fs.raw "disk.$format"
	[ "$(built disk.$format root)" = "$root" ]
	result $? "the same disk as $format has the same root"
	[ "$(field image_format)" = $format ]
	result $? "$format is found by content"
done

qemu-img create -q -f qcow2 -F raw -b fs.raw one.qcow2
qemu-img create -q -f qcow2 -F qcow2 -b one.qcow2 two.qcow2
[ "$(built two.qcow2 root)" = "$root" ] && [ "$(field files)" = 3 ]
result $? "two empty overlays have the root of their base"
qemu-io -f qcow2 -c 'write -P 7 20M 64k' two.qcow2 >/dev/null
cp fs.raw same.raw
qemu-io -f raw -c 'write -P 7 20M 64k' same.raw >/dev/null
[ "$(built two.qcow2 root)" != "$root" ] &&
	[ "$(built two.qcow2 root)" = "$(built same.raw root)" ]
result $? "a write to the overlay shows in the root"

# With an index of the base, only what the overlay holds is read: 16 blocks.
index build fs.raw
[ "$(built two.qcow2 read_blocks)" -ne 16 ]
result $? "the index of a file below the backing file is of no use"
cp two.qcow2.idx want.idx
index build --backing -o two.qcow2.idx --force two.qcow2 &&
	grep -q '^read 64.0 KiB in' out
result $? "only the overlay is read when its backing file is known"
# The first 4 KiB also say how many blocks had data: what was read of a new
# file since then may count, too.
cmp -s -i 4096 two.qcow2.idx want.idx
result $? "and the index is the same, byte by byte"
touch fs.raw
[ "$(built two.qcow2 read_blocks)" -ne 16 ]
result $? "a touched backing file is read"
index build --backing -o two.qcow2.idx --force two.qcow2 &&
	grep -q '^read 64.0 KiB in' out
result $? "or its indexes are built again first"

# An MBR whose one partition begins at sector 63, as old tools made it.
unique=$(built fs.raw unique_blocks)
truncate -s 65M old.raw
printf '\0\0\0\0\203\0\0\0\077\0\0\0\0\0\002\0' |
	dd of=old.raw bs=1 seek=446 conv=notrunc 2>/dev/null
printf '\125\252' | dd of=old.raw bs=1 seek=510 conv=notrunc 2>/dev/null
dd if=fs.raw of=old.raw bs=512 seek=63 conv=notrunc,sparse 2>/dev/null
# All blocks of the file system, and the one with the table.
[ "$(built old.raw unique_blocks)" = $((unique + 1)) ] &&
	grep -q '"offset": 32256,' out
result $? "a file system at sector 63 is found block by block"

index check fs.raw.idx && index check --data fs.raw.idx
result $? "a good index passes"
index build fs.raw && index check fs.raw && index show fs.raw &&
	grep -q "^root: *$root" out
result $? "an index is found by its image"
index build fs.raw && grep -q 'nothing was read' out
result $? "an unchanged image is not read again"
chmod 600 fs.raw && chmod 644 fs.raw && index check fs.raw
result $? "whoever owns it and may read it"
index build --force fs.raw && grep -q '^read .* MiB in' out
result $? "unless forced"

head -c 100000 fs.raw.idx >cut.idx
index check cut.idx
[ $? -eq 4 ] && grep -q 'cut.idx: 100000 bytes where' log
result $? "a truncated index is refused"
cp fs.raw.idx bad.idx
printf 'x' | dd of=bad.idx bs=1 seek=50000 conv=notrunc 2>/dev/null
index check bad.idx
[ $? -eq 4 ] && grep -q 'bad.idx: damaged: fingerprints' log
result $? "a damaged index is refused"
index check nothing
[ $? -eq 1 ]
result $? "no file is an error"
index check disk.vdi
[ $? -eq 2 ] && grep -q 'has no index' log
result $? "an image without an index is said to have none"

printf 'changed' | dd of=fs.raw bs=1 seek=9000000 conv=notrunc 2>/dev/null
index check fs.raw.idx
[ $? -eq 4 ] && grep -q 'changed since it was indexed' log
result $? "a stale index is found"
index check --data fs.raw.idx
[ $? -eq 4 ] && grep -q '1 blocks differ from the index' log
result $? "and the block that changed"

loop=$(losetup --find --show --read-only same.raw 2>/dev/null)
if [ -b "$loop" ]; then
	want=$(built same.raw root)
	[ "$(index build --format json -o loop.idx "$loop" && field root)" = \
		"$want" ] && index check --data loop.idx
	result $? "a block device is indexed"
	losetup --detach "$loop"
else
	n=$((n + 1))
	echo "ok $n - a block device is indexed # SKIP no loop device"
fi

(
	trap '' XFSZ
	ulimit -f 40
	index build -o full.idx same.raw
)
[ $? -eq 1 ] && grep -q 'File too large' log && ! ls full.idx* >/dev/null 2>&1
result $? "a full disk leaves no index"
qemu-img create -q -f qcow2 big.qcow2 20T
index build -o big.idx big.qcow2
[ $? -eq 5 ] && grep -q 'at most 16 TiB' log
result $? "an image with too many blocks is refused"
PATH=$dir "$virt_mig" index build -o x.idx disk.qcow2 >out 2>log
[ $? -eq 2 ] && grep -q 'not installed' log
result $? "a missing qemu-img is said so"
index build --image-format raw -o x.idx disk.qcow2 &&
	grep -q 'disk.qcow2 (raw' out
result $? "a format that is given is believed"
index build -o x.idx
[ $? -eq 2 ]
result $? "a missing argument is a usage error"
tests_end
