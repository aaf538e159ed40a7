#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# virt-mig-index(5), held to the code: an index that virt-mig wrote is read by
# the tables of the page, with od and sha256sum, and must say what is known of
# its image.
page=${srcdir:?}/docs/virt-mig-index.5
virt_mig=${builddir:?}/virt-mig
. "${srcdir:?}/tests/tap.sh"
cd "$dir" || exit 99

check() { # NAME GOT WANTED
	echo "got '$2', wanted '$3'" >log
	[ "$2" = "$3" ]
	result $? "$1"
}

# Rows of the table under .Ss HEADING: "FIRST SECOND THIRD".
rows() {
	sed -n "/^\\.Ss $1\$/,/^\\.El/s/^\\.It \\([a-z0-9]*\\) Ta \\([0-9]*\\) Ta \\(.*\\)/\\1 \\2 \\3/p" "$page"
}
# The offset and length of the row of a table whose content begins so.
row() { # HEADING CONTENT
	rows "$1" | sed -n "s/^\\([0-9]* [0-9]*\\) $2.*/\\1/p" | head -1
}
number() { # OFFSET LENGTH: in the index
	od -An -v -t "u$2" -j "$1" -N "$2" image.idx | tr -d ' '
}
text() { # OFFSET LENGTH
	dd if=image.idx bs=1 skip="$1" count="$2" 2>/dev/null | tr -d '\0'
}
hex() { # OFFSET LENGTH
	od -An -v -t x1 -j "$1" -N "$2" image.idx | tr -d ' \n'
}
bytes() { # OFFSET LENGTH [FILE]
	tail -c +$(($1 + 1)) "${3:-image.idx}" | head -c "$2"
}
# shellcheck disable=SC2046 # offset and length are two words
header() { # CONTENT
	number $(row Header "$1")
}
field() { # NAME: of 'index show --format json'
	sed -n "s/^ *\"$1\": \"*\\([^\",]*\\)\"*,*\$/\\1/p" shown
}

# 1500 blocks: 0..9 differ, 1024 is like 3, block 5 is zeros, the rest a hole;
# and half a block at the end.
truncate -s $((1500 * 4096 + 2048)) image
for i in 0 1 2 3 4 6 7 8 9; do
	{
		echo "block $i"
		cat "$page"
	} | dd of=image bs=4096 seek=$i count=1 iflag=fullblock conv=notrunc \
		2>/dev/null
done
dd if=/dev/zero of=image bs=4096 seek=5 count=1 conv=notrunc 2>/dev/null
dd if=image of=image bs=4096 skip=3 seek=1024 count=1 conv=notrunc 2>/dev/null
# Block 9 begins like a kernel.
printf 'U\252\0\0HdrS' |
	dd of=image bs=1 seek=$((9 * 4096 + 510)) conv=notrunc 2>/dev/null
"$virt_mig" index build -o image.idx image >/dev/null || exit 99
"$virt_mig" index show --format json image.idx >shown || exit 99

# Header: the rows follow each other and fill the page.
check "the rows of the header have no gap" "$(rows Header | awk '
	$1 != at { print "gap at " at } { at = $1 + $2 } END { print at }')" 4096
# shellcheck disable=SC2046 # offset and length are two words
{
	check "magic" "$(text $(row Header 'the letters'))" virtmigx
	check "root" "$(hex $(row Header root))" "$(field root)"
	check "format" "$(text $(row Header 'format of the image'))" raw
	check "path" "$(text $(row Header 'path of the image'))" \
		"$(field image)"
	check "zeros" "$(text $(row Header 'zeros'))" ""
}
check "version" "$(header 'version of the format')" \
	"$(sed -n 's/.*version of the format: //p' "$page")"
check "files" "$(header 'number of files')" 1
check "parts" "$(header 'number of parts')" 1
check "bytes" "$(header 'bytes of the disk')" "$(stat -c %s image)"
check "blocks" "$(header 'number of blocks, at most')" 1500
check "blocks with data" "$(header 'number of blocks that hold data')" \
	"$(field data_blocks)"
check "blocks that differ" "$(header 'number of blocks that differ')" 9
kernels=$(header 'number of kernels')
check "kernels" "$kernels" 1
npieces=$(header 'number of pieces')
check "pieces" "$npieces" 2
homes=$(header 'number of home buckets')
check "a home for every 5.8 blocks" "$homes" $((9 * 10 / 58 + 1))

# Sections.
size_of() {
	rows Sections | sed -n "s/^$1 \\([0-9]*\\) .*/\\1/p"
}
at=4096
place() { # SECTION HOW-MANY: sets start, end; moves on
	start=$at
	end=$((start + $2 * $(size_of "$1")))
	at=$(((end + 4095) / 4096 * 4096))
}
regions=$(((1500 + 1023) / 1024))
place files 1
files=$start
place parts 1
parts=$start parts_end=$end
place regions $regions
digests=$start digests_end=$end
place slots $regions
slots=$start
place pieces "$npieces"
pieces=$start
place buckets $((homes + 8))
buckets=$start buckets_end=$at
place kernels "$kernels"
kernel=$start
check "extents" "$(header 'number of extents')" 0
check "the sections make up the file" "$at" "$(stat -c %s image.idx)"

# Files and parts.
in_file() { # CONTENT
	# shellcheck disable=SC2046 # offset and length are two words
	set -- $(row Files "$1")
	number $((files + $1)) "$2"
}
check "inode" "$(in_file inode)" "$(stat -c %i image)"
check "bytes of the file" "$(in_file bytes)" "$(stat -c %s image)"
check "time of modification" "$(($(in_file 'time of mod') / 1000000000))" \
	"$(stat -c %Y image)"
check "time of change" "$(($(in_file 'time of change') / 1000000000))" \
	"$(stat -c %Z image)"
check "block device" "$(in_file '1 for a block device')" 0
check "blocks of the part" "$(number $((parts + 16)) 8)" 1500

check "the block where the kernel begins" "$(number "$kernel" 8)" 9

# Fingerprints and hints.
check "slots" "$(number $slots 4) $(number $((slots + 4)) 4)" "1 2"
sum() {
	sha256sum | cut -d ' ' -f 1
}
check "the fingerprint of block 7" "$(hex $((pieces + 7 * 16)) 16)" \
	"$(bytes $((7 * 4096)) 4096 image | sum | cut -c 1-32)"
check "the fingerprint of zeros" "$(hex $((pieces + 5 * 16)) 16)" \
	"$(printf '%032d' 0)"
check "a region's digest" "$(hex $digests 32)" \
	"$(bytes "$pieces" 16384 | sum)"
check "the last region's digest" "$(hex $((digests + 32)) 32)" \
	"$(bytes $((pieces + 24576)) $((476 * 16)) | sum)"
# shellcheck disable=SC2046 # offset and length are two words
check "the root" "$(field root)" "$({
	printf 'virt-mig index 1'
	set -- $(row Header 'number of blocks, at most')
	bytes "$1" 8
	printf '\1\0\0\0\0\0\0\0'
	bytes $parts $((parts_end - parts))
	bytes $digests $((digests_end - digests))
} | sum)"
if xxhsum -H3 </dev/null 2>/dev/null | grep -q XXH3; then
	xxh3() {
		xxhsum -H3 | sed 's/.*\([0-9a-f]\{16\}\).*/\1/'
	}
	swapped() { # bytes of a number, as hex, the other way round
		hex "$1" 8 | sed 's/../& /g' | tr ' ' '\n' | tac | tr -d '\n'
	}
	check "the hint of block 7" \
		"$(swapped $((pieces + 16384 + 7 * 8)))" \
		"$(bytes $((7 * 4096)) 4096 image | xxh3)"
	check "the checksum of the header" "$(swapped 4088)" \
		"$(bytes 0 4088 | xxh3)"
	check "the checksum of the buckets" "$(swapped $((128 + 40)))" \
		"$(bytes "$buckets" $((buckets_end - buckets)) | xxh3)"
else
	n=$((n + 1))
	echo "ok $n - XXH3 # SKIP no xxhsum that knows it"
fi

# Buckets: block 7 is where its hint says, block 1024, which is like 3, and
# the zeros of block 5 are nowhere.
hint=$((pieces + 16384 + 7 * 8))
home=$((($(number $((hint + 4)) 4) * homes) >> 32))
tag=$(($(number $hint 4) & 65535))
bucket=$((buckets + home * 64))
found=no
i=0
while [ $i -lt 10 ]; do
	[ "$(number $((bucket + 2 * i)) 2)" -eq $tag ] &&
		[ "$(number $((bucket + 20 + 4 * i)) 4)" -eq 7 ] && found=yes
	i=$((i + 1))
done
check "block 7 is in its home bucket" "$found" yes
entered=$(
	b=0
	while [ $b -lt $((homes + 8)) ]; do
		used=$(number $((buckets + b * 64 + 60)) 1)
		i=0
		while [ $i -lt "$used" ]; do
			number $((buckets + b * 64 + 20 + 4 * i)) 4
			i=$((i + 1))
		done
		b=$((b + 1))
	done | sort -n | tr '\n' ' '
)
check "the blocks in buckets" "$entered" "0 1 2 3 4 6 7 8 9 "

# Extents, as debugfs says them: "(0):1057, (1-2):1059-1060".
mkdir small
for i in 1 2 3 4 5 6 7 8; do
	echo $i >small/$i
done
{
	printf '\177ELF'
	head -c 20000 /dev/zero | tr '\0' x
} >program
truncate -s 8M fs
printf 'rm 1\nrm 3\nrm 6\nwrite program program\n' >commands
mkfs.ext4 -q -F -b 4096 -O ^has_journal -d small fs >log 2>&1 &&
	debugfs -w -f commands fs >>log 2>&1 &&
	"$virt_mig" index build -o image.idx fs >>log 2>&1
debugfs -R 'stat program' fs 2>>log | sed -n '/^EXTENTS/,$p' | tail -n +2 |
	tr ',' '\n' | sed 's/[ ()]//g; s/-[0-9]*//g' | tr ':' ' ' |
	awk 'NF { if (NR == 1) file = $2; print file, $1, $2 }' >wanted
nextents=$(header 'number of extents')
at=$(($(stat -c %s image.idx) - 4096))
i=0
while [ $i -lt "$nextents" ]; do
	echo "$(number $at 4) $(number $((at + 4)) 4) $(number $((at + 8)) 4)"
	at=$((at + 16))
	i=$((i + 1))
done >got
check "more than one extent" "$([ "$nextents" -gt 1 ] && echo yes)" yes
check "the extents of a file" "$(cat got)" "$(cat wanted)"

# What is said in words.
said() { # NAME WORDS CONSTANT: of dedup/*.h
	value=$(sed -n "s/^#define $3  *\\([0-9a-z<() ]*[0-9a-z)]\\).*/\\1/p" \
		"$srcdir"/dedup/*.h | sed 's/ull//')
	grep -q "$2" "$page"
	# shellcheck disable=SC2004 # it may be an expression
	check "$1" "$? $(($value))" "0 $4"
}
said "most files" 'number of files, 1 to 64' DISK_FILES_MAX 64
said "most parts" 'there are at most 128' PARTITION_PARTS_MAX 128
said "most kernels" 'number of kernels, 0 to 64' INDEX_KERNELS_MAX 64
said "most extents" 'number of extents, at most 1048576' EXTENTS_MAX 1048576
said "most blocks" 'at most 4294967296' INDEX_BLOCKS_MAX 4294967296
said "blocks of a region" 'The SHA-256 of the fingerprints of 1024' \
	INDEX_REGION_BLOCKS 1024
said "most candidates" 'No lookup gives more than 4' INDEX_CANDIDATES 4
said "how far a block is carried" 'at most 8 times' INDEX_SPILL_MAX 8

if command -v mandoc >/dev/null; then
	# Pages that are not installed yet are no fault of this one.
	check "mandoc has nothing to say" \
		"$(mandoc -Tlint "$page" | grep -v 'manual not found\|mandoc.db')" ""
fi
tests_end
