#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The memory that 'virsh save' keeps of a running Linux guest is the one that
# 'virsh dump' wrote just before, as an ELF core and as a kdump file.  Root, and
# half a minute: only with VIRT_MIG_GUEST_TESTS=1.
. "${srcdir:?}/tests/tap.sh"
. "$srcdir/tests/hosts/hosts.sh"
hosts_or_skip
at_end() {
	hosts_down
}
show=${builddir:?}/tests/show-memory

{
	hosts_up "$dir/hosts" && guest_start vm && host a virsh suspend vm &&
		host a virsh dump --memory-only vm "$dir/elf" &&
		host a virsh dump --memory-only --format kdump-zlib vm \
			"$dir/kdump" &&
		host a virsh save vm "$dir/save"
} >"$dir/log" 2>&1
result $? "a guest is dumped twice and saved"
"$show" "$dir/kdump" "$dir/elf" >"$dir/log" 2>&1
result $? "the kdump file holds what the core holds"
# The ROMs are not where the core has them.
"$show" "$dir/save" "$dir/elf" >"$dir/log" 2>&1
grep -q '^6[0-9]* pages, 1[0-9][0-9] missing, 0 differ$' "$dir/log"
result $? "the save file holds what the core holds"
"$builddir/virt-mig" bench "$dir/save" --tiers fast --peers gzip-6 \
	>"$dir/log" 2>&1 && grep -q 'libvirt save, ' "$dir/log"
result $? "virt-mig bench says what moving it would cost"
tests_end
