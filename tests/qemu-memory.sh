#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Memory images as a real QEMU writes them: the core of dump-guest-memory holds
# the pages of the machine's memory file, and a memory file is laid out around
# the hole that the machine has.  The guest is the BIOS looking for a disk.
. "${srcdir:?}/tests/tap.sh"
need qemu-system-x86_64
show=${builddir:?}/tests/show-memory
cd "$dir" || exit 99
explain() {
	sed 's/^/# /' ./*.out
}
# Runs a machine until its BIOS has made the ACPI tables; leaves its memory in
# memory.raw and what the monitor said in monitor.out.
machine() { # MODEL SIZE [MONITOR-COMMAND]
	rm -f memory.raw core
	{
		sleep 1
		wait_for_bios
		printf '%s\n' stop 'info mtree' "$3" quit
	} | qemu-system-x86_64 -accel tcg -nodefaults -display none -monitor stdio \
		-machine "$1,memory-backend=ram" -object \
		"memory-backend-file,id=ram,size=$2,mem-path=memory.raw,share=on" \
		>monitor.out 2>&1
}
wait_for_bios() {
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		dd if=memory.raw bs=64k skip=14 count=2 2>/dev/null |
			grep -qa 'RSD PTR ' && return
		sleep 1
	done
}
# Where the machine itself says that low memory ends.
machine_low() {
	sed -n 's/.*-\([0-9a-f]*\) (.*alias ram-below-4g.*/\1/p' monitor.out |
		head -1
}

machine pc 16M 'dump-guest-memory core'
"$show" memory.raw core >compare.out 2>&1
result $? "a core holds what the memory file holds"
"$show" core >show.out 2>&1 && [ "$(head -1 show.out)" = elf ] &&
	grep -q 'pages 0x0:0x[0-9a-f]*:0x1000000$' show.out
result $? "a core has all memory in one piece"

machine pc 16M 'dump-guest-memory -z core'
"$show" memory.raw core >compare.out 2>&1 &&
	[ "$("$show" core | head -1)" = kdump ]
result $? "a flattened kdump holds what the memory file holds"

machine q35 16M 'migrate "exec:cat >stream"'
"$show" memory.raw stream >compare.out 2>&1
result $? "a migration stream holds what the memory file holds"
"$show" stream >show.out 2>&1 && [ "$(head -1 show.out)" = "qemu stream" ] &&
	[ "$(sed -n 2p show.out)" = "pages 0x0:0x0:0x1000000" ]
result $? "a migration stream begins with the memory of the machine"

for m in "pc 3G" "pc 4G" "q35 2G" "q35 3G"; do
	# shellcheck disable=SC2086 # two words
	machine $m
	low=$(printf '0x%x' $((0x$(machine_low) + 1)))
	"$show" memory.raw >show.out 2>&1 &&
		grep -q "^pages 0x0:0x0:$low\$" show.out
	result $? "the memory of a $m machine ends below the hole at $low"
done
tests_end
