#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every fuzz target over its seeds.
. "${srcdir:?}/tests/tap.sh"
fuzz=$srcdir/tests/fuzz
for source in "$fuzz"/fuzz-*.c; do
	name=$(basename "$source" .c)
	ok "$name" "${builddir:?}/tests/fuzz/$name" \
		"$fuzz/seeds/${name#fuzz-}"/*
	grep -q "^|.*\`${name#fuzz-}\`" "$srcdir/CONTRIBUTING.md"
	result $? "$name is in the table of CONTRIBUTING.md"
done
tests_end
