#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The memory of a real guest, as QEMU wrote it: what 'sudo ./quickstart' left
# in the build folder; for root with VIRT_MIG_GUEST_TESTS=1 made here, which
# takes minutes.  Both as it lay in RAM and as an ELF core.
scripts=${srcdir:?}/scripts
guest=${builddir:?}/guest
tool=$builddir/virt-mig
. "${srcdir:?}/tests/tap.sh"
need jq
if [ "${VIRT_MIG_GUEST_TESTS:-}" = 1 ] && [ "$(id -u)" = 0 ]; then
	"$scripts/make-guest" "$guest" 1>&2 || exit 99
	"$scripts/capture-guest" "$guest" 1>&2 || exit 99
fi
for f in memory.raw memory.elf disk.img; do
	[ -r "$guest/$f" ] || skip_all "no $guest/$f; sudo ./quickstart makes it"
done
export VIRT_MIG_INDEX_DIR="$dir/indexes"

bench() { # MEMORY OUTPUT
	"$tool" bench "$guest/$1" --image "$guest/disk.img" \
		--tiers strong --peers gzip-6 --format json >"$2" &&
		jq -e '[.captures[].results[].verified] | length == 2 and all' \
			"$2"
}
# Bytes on the wire in the first result of that name.
wire() { # JSON NAME
	jq -e --arg name "$2" \
		'[.results[] | select(.name == $name)][0].wire_bytes' "$1"
}
smaller() { # JSON TIMES: strong takes that many times fewer bytes than gzip
	strong=$(wire "$1" virt-mig-strong) && gzip=$(wire "$1" gzip-6) &&
		echo "strong $strong, gzip -6 $gzip" &&
		[ $((strong * $2)) -lt "$gzip" ]
}
# What is in both: the pages, and a core's few headers.
alike() {
	raw=$(wire "$dir/raw" virt-mig-strong) &&
		elf=$(wire "$dir/elf" virt-mig-strong) &&
		echo "raw $raw, core $elf" &&
		[ $((raw * 100)) -lt $((elf * 102)) ] &&
		[ $((elf * 100)) -lt $((raw * 102)) ]
}

# To another process and back into a file, which must be the same.
move() { # MEMORY OPTION...
	from=$guest/$1
	shift
	rm -f "$dir/socket" "$dir/arrived"
	"$tool" receive --listen "unix:$dir/socket" --output "$dir/arrived" \
		"$@" &
	receiver=$!
	for _ in $(seq 300); do
		[ -S "$dir/socket" ] && break
		sleep 0.1
	done
	"$tool" send --effort fixed:fast "$@" "$from" "unix:$dir/socket" &&
		wait "$receiver" && cmp "$from" "$dir/arrived" && return
	kill "$receiver" 2>/dev/null
	return 1
}

ok "raw memory is encoded, decoded and compared" \
	bench memory.raw "$dir/raw"
ok "an ELF core is encoded, decoded and compared" \
	bench memory.elf "$dir/elf"
ok "raw memory takes less than half of what gzip -6 makes of it" \
	smaller "$dir/raw" 2
ok "an ELF core takes less than half of what gzip -6 makes of it" \
	smaller "$dir/elf" 2
ok "the two take the same within 2 %" alike
ok "an ELF core arrives where its disk image is" \
	move memory.elf --image "$guest/disk.img"
ok "an ELF core arrives where the same memory was kept" \
	move memory.elf --previous "$guest/memory.raw"
tests_end
