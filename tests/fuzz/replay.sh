#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every fuzz target over its seeds.
fuzz=${srcdir:?}/tests/fuzz
n=0
for source in "$fuzz"/fuzz-*.c; do
	name=$(basename "$source" .c)
	seeds=$fuzz/seeds/${name#fuzz-}
	n=$((n + 1))
	if [ -z "$(ls "$seeds" 2>/dev/null)" ]; then
		echo "not ok $n - $name has seeds"
	elif out=$("${builddir:?}/tests/fuzz/$name" "$seeds"/* 2>&1); then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "$out" | sed 's/^/# /'
	fi
done
echo "1..$n"
