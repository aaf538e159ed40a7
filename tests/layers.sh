#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The house rule, checked: a folder includes only from itself and from the
# floors below it, and no two files include each other in a circle.
. "${srcdir:?}/tests/tap.sh"
cd "$srcdir" || exit 99
none() { # NAME PROBLEMS
	echo "$2" >"$dir/log"
	[ -z "$2" ]
	result $? "$1"
}
allow() { # FOLDER ALLOWED...
	folder=$1
	shift
	allowed=$(echo "$folder $*" | tr ' ' '|')
	bad=$(grep -nE '#include "' "$folder"/*.[ch] 2>/dev/null |
		grep -vE "#include \"(config.h\"|($allowed)/)")
	none "$folder includes only from: $*" "$bad"
}
allow common
allow codec common
allow stream common
allow wire common
allow memory common stream
allow classify common codec stream wire memory
allow dedup common codec stream wire memory
allow sender common codec stream wire memory classify dedup
allow receiver common codec stream wire memory classify dedup
allow tools common codec stream wire memory classify dedup sender receiver
allow bench common codec stream wire memory classify dedup sender receiver

# Every header and its .c file are one node; an include is an arrow.
circles=$(grep -oE '^#include "[a-z]+/[^"]+"' ./*/*.[ch] 2>/dev/null |
	sed -E 's|^\./||; s|\.[ch]:#include "|.h |; s|"$||' |
	awk '$1 != $2 && !/^tests/' | sort -u | tsort 2>&1 >/dev/null |
	grep -v 'input contains a loop')
none "no circles of includes" "$circles"

long=$(wc -l ./*/*.c | awk '$2 != "total" && $1 > 600')
none "no .c file is longer than 600 lines" "$long"
long=$(wc -l ./*/*.h | awk '$2 != "total" && $1 > 250')
none "no header is longer than 250 lines" "$long"

bare=$(find . \( -name '*.[ch]' -o -name '*.mk' -o -name '*.sh' \) \
	-not -path './build*' -not -path './_build/*' \
	-exec grep -L 'SPDX-License-Identifier' {} +)
none "every source file names its licence" "$bare"
tests_end
