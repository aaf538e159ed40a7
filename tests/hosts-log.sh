#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What tests of live migration believe of what a guest said on two hosts, tried
# on logs made by hand: a move may cut any line anywhere and that is no problem;
# whatever is one is found.
. "${srcdir:?}/tests/tap.sh"
. "$srcdir/tests/hosts/hosts.sh"
hosts=$dir
mkdir -p "$dir/a/log" "$dir/b/log"

# It stays, is moved at beat 57, and comes back at beat 90: each time with so
# many bytes of the line said.
say() { # BYTES BYTES
	seq 120 | awk -v left="$1" -v back="$2" -v a="$dir/a/log/vm.serial" \
		-v b="$dir/b/log/vm.serial" '
		function cut(line, at, here, there) {
			printf "%s", substr(line, 1, at) >here
			printf "%s", substr(line, at + 1) >there
		}
		{ line = sprintf("HB <%06d> t=%d writes=%d rounds=%d bad=0 " \
			"disk=0 <%06d>\n", $1, 1000 + 200 * $1, $1, $1 / 4, $1) }
		NR == 57 { cut(line, left, a, b); next }
		NR == 90 { cut(line, back, b, a); next }
		NR < 57 || NR > 90 { printf "%s", line >a; next }
		{ printf "%s", line >b }'
}
# What was changed of what the guest said on host b.
changed() { # SED-EXPRESSION
	say 5 41 && sed -i "$1" "$dir/b/log/vm.serial"
	guest_log_checked vm >>"$dir/log"
}

: >"$dir/log"
length=$(say 99 0 && sed -n '$p' "$dir/a/log/vm.serial" | wc -c)
left=0
while [ $left -le "$length" ]; do
	back=$((left * 11 % (length + 1)))
	say $left $back
	if ! guest_log_checked vm >"$dir/said"; then
		echo "cut after $left and $back bytes:"
		cat "$dir/said"
	fi >>"$dir/log"
	left=$((left + 1))
done
! grep -q . "$dir/log"
result $? "wherever two lines are cut, nothing is wrong"
say 5 41 && sed -i '1,20d' "$dir/a/log/vm.serial" && guest_log_checked vm >>"$dir/log"
result $? "a guest that was restored begins at a later beat"
! changed '/^HB <000070> /d'
result $? "a beat is missing"
! changed '/^HB <00007[01]> /d'
result $? "two are"
! changed '/^HB <000070> /i BAD page 4'
result $? "a page is wrong"
! changed 's/^\(HB <000070> .*bad=\)0/\11/'
result $? "a page was wrong"
! changed '/^HB <000070> /s/disk=0/disk=1/'
result $? "a block of the disk was wrong"
tests_end
