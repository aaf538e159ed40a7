#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# virt-mig bench from end to end, on a small memory and image made here.
. "${srcdir:?}/tests/tap.sh"
need jq xmllint gzip
virt_mig=${builddir:?}/virt-mig
export VIRT_MIG_INDEX_DIR="$dir/indexes"
cd "$dir" || exit 99

bench() {
	"$virt_mig" bench "$@" >out 2>log
}
# Whether the JSON in out is as the filter says.
holds() { # FILTER
	[ -s out ] && jq -e "$1" out >log 2>&1
}

# A disk of 6 MiB of real bytes; a memory of 3 MiB of zeros, the disk's first
# 4 MiB, 1 MiB of text and 1 MiB that nothing can make smaller.
cat "$virt_mig" "$(command -v python3 gdb bash | head -n 1)" "$virt_mig" \
	"$virt_mig" "$virt_mig" "$virt_mig" 2>/dev/null |
	head -c $((6 << 20)) >disk
truncate -s $((6 << 20)) disk
{
	head -c $((3 << 20)) /dev/zero
	head -c $((4 << 20)) disk
	seq 1000000 | head -c $((1 << 20))
	head -c $((1 << 20)) /dev/urandom
} >memory
pages=$((9 << 8))

bench --image disk --format json --html page.html memory
status=$?
[ $status -eq 0 ] && [ ! -s log ]
result $? "a memory is measured, and nothing but the result is said"
holds '[.version, .compiler, .cpu, .kernel, .started | length > 0] | all'
result $? "the JSON says what was measured with"
holds '.threads >= 1 and .cores >= 1 and (.links | length) == 4'
result $? "the JSON says how many threads and which links"
holds '[.results[] | (.wire_bytes > 0) and (.encode_cpu_s > 0) and
	(.decode_cpu_s > 0) and (.wall_s > 0) and .verified] | all'
result $? "every result is verified and has all its figures"
holds '[.results[].name] | . == ["virt-mig-strong", "virt-mig-middle",
	"virt-mig-fast", "gzip-6", "zstd-3", "lz4-1", "qemu-multifd-zlib-1",
	"qemu-multifd-zstd-1", "blockmatch+gzip-6"]'
result $? "tiers and peers are listed alike, tiers first"
holds ".captures[0].sha256 == \"$(sha256sum memory | cut -d' ' -f1)\""
result $? "the memory is named by its digest"
holds '.images[0].root | length == 64'
result $? "the image is named by its root"
holds "[.captures[0].tiers[] | [.plans[].pages] | add == $pages] | all"
result $? "every page has one plan"
holds "[.captures[0].tiers[] | [.classes[].pages] | add == $pages] | all"
result $? "every page has one class"
holds '.captures[0].tiers[0].plans | .ref.pages >= 900 and
	.zero.pages >= 768'
result $? "pages of the image and zero pages are found"
# shellcheck disable=SC2016
holds '.captures[0] as $c | [$c.tiers[] | . as $t |
	([.streams[].wire_bytes] | add) + .frame_bytes + .session_bytes ==
	($c.results[] | select(.name == $t.name) | .wire_bytes)] | all'
result $? "the streams and frames of a tier add up to its bytes"
holds '.captures[0].results | map({(.name): .wire_bytes}) | add |
	.["virt-mig-strong"] < .["gzip-6"] and
	.["blockmatch+gzip-6"] < .["gzip-6"] and . ["lz4-1"] > .["gzip-6"]'
result $? "the tools stand in the order that is to be expected"
holds '.captures[0].results[0].wire_bytes | . > 1048576 and . < 1400000'
result $? "what cannot be made smaller is sent, and little else"

xmllint --noout page.html 2>log
result $? "the page is well-formed"
[ -s page.html ] && ! grep -qE '(src|href)="?[^"d#]|@import|url\(' page.html
result $? "the page asks the net for nothing"
[ -s page.html ] && [ "$(wc -c <page.html)" -lt 1000000 ]
result $? "the page is smaller than 1 MB"
xmllint --xpath 'string(//*[@id="results"])' page.html 2>log | jq -S . >within
jq -S . out >without
[ -s within ] && cmp within without >log
result $? "the page holds the JSON"

bench --image disk memory && head -n 1 out | grep -q '^Moving this VM: 9.00 MiB -> 1\..* MiB, .*x fewer bytes than gzip -6'
result $? "the text opens with the number that matters"

bench --format json --tiers fast --peers gzip-6 --previous memory memory &&
	holds '.results[0].wire_bytes < 10000 and (.results | length) == 2'
result $? "a return visit that changed nothing costs next to nothing"

head -c $((2 << 20)) memory >second
bench --format json --tiers fast --peers gzip-6 --runs 3 memory second &&
	holds '(.captures | length) == 2 and
	([.captures[].results[].samples | length == 3] | all) and
	(([.captures[].results[0].wire_bytes] | add / 2 | round) ==
		.results[0].wire_bytes)'
result $? "several memories give their own results and the average"

bench --region 0:4096:8192 --format json --tiers fast --peers none memory &&
	holds '.captures[0].pages == 2'
result $? "a region names the pages of a raw file"

bench --peers nosuch memory
[ $? -eq 2 ] && grep -q nosuch log
result $? "a peer that there is not is a usage error"
bench --tiers nosuch memory
[ $? -eq 2 ] && grep -q nosuch log
result $? "a tier that there is not is a usage error"
bench --format json --peers none --codec raw --codec zstd:-7 --codec page \
	memory &&
	holds '.results | map(.name) == ["virt-mig-raw", "virt-mig-zstd:-7",
		"virt-mig-page"] and
		.[0].wire_bytes > .[1].wire_bytes and
		.[1].wire_bytes > .[2].wire_bytes and (map(.verified) | all)'
result $? "a codec that is pinned is a tier"
bench --codec page:3 memory
[ $? -eq 2 ] && grep -q 'page is 0 to 2' log
result $? "a level that there is not is a usage error"
bench --link 10X memory
[ $? -eq 2 ] && grep -q 10X log
result $? "a link without a unit is a usage error"
bench
[ $? -eq 2 ]
result $? "no memory is a usage error"
printf x >little
mkfifo pipe
odd() { # MEMORY
	timeout 20 "$virt_mig" bench --html other.html "$1" >out 2>log
	[ $? -eq 2 ] && [ ! -s out ] && grep -q "bench: $1: " log &&
		[ -z "$(ls other.html* 2>/dev/null)" ]
}
odd little && odd pipe && odd . && odd /dev/null
result $? "what holds no memory is a usage error, at once"
bench --html other.html nosuch
[ $? -eq 1 ] && grep -q nosuch log && [ -z "$(ls other.html* 2>/dev/null)" ]
result $? "a memory that is not there leaves no page"

bench --image disk --tiers fast --peers none --format json \
	--residual left memory &&
	left=$(stat -c %s left) && [ "$left" -ge $((1 << 20)) ] &&
	holds ".captures[0].tiers[0].streams.data.raw_bytes == $left"
result $? "what is left for the codec is kept"

cat memory memory memory memory >large
"$virt_mig" bench --peers xz-6,zstd-19-long27 --html cut.html large >out 2>log &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -n "$(ls cut.html.* 2>/dev/null)" ] && break
	sleep 0.2
done
kill -TERM $pid
wait $pid
[ $? -eq 130 ] && [ ! -s out ] && [ -z "$(ls cut.html* 2>/dev/null)" ]
result $? "an interrupted run says so and leaves nothing"
tests_end
