#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The completion for bash knows every verb and option that --help names, and no
# other; the manual describes them.
. "${srcdir:?}/tests/tap.sh"
virt_mig=${builddir:?}/virt-mig
# shellcheck source=/dev/null
. "$srcdir/completion/virt-mig"
compopt() { :; } # there is no completion going on here

complete_words() { # WORD...: the last one is being typed
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_virt_mig
	printf '%s\n' "${COMPREPLY[@]}" | sort
}

verbs=$("$virt_mig" --help | sed -n 's/^  \([a-z-]*\) .*/\1/p' | sort)
[ "$(complete_words virt-mig '' | grep -v '^-')" = "$verbs" ]
result $? "every verb is completed"
for verb in $verbs; do
	options=$("$virt_mig" "$verb" --help | grep -oE '(^|[^-])--[a-z0-9-]+' |
		grep -oE -- '--[a-z0-9-]+' | { cat; echo --help; } | sort -u)
	diff <(complete_words virt-mig "$verb" --) <(echo "$options") |
		sed 's/^/# /'
	[ "$(complete_words virt-mig "$verb" --)" = "$options" ]
	result $? "every option of $verb is completed"
	missing=$(for option in $options; do
		grep -qE "Fl -${option#--}( |\$)" "$srcdir/docs/virt-mig.1" ||
			echo "$option"
	done)
	[ -z "$missing" ]
	result $? "every option of $verb is in the manual"
done
for list in tiers peers; do
	word=$(complete_words virt-mig bench --$list raw,gzip-6,a)
	[ "$word" = raw,gzip-6,all ]
	result $? "the last word of a list of $list is completed"
done
refused() { # WHY OPTION...
	why=$1
	shift
	"$virt_mig" migrate "$@" vm host 2>"$dir/log"
	[ $? -eq 2 ] && grep -qF -- "$why" "$dir/log"
}
refused '--parallel-connections needs --parallel' --parallel-connections 2 &&
	refused '--persistent-xml needs --persistent' --persistent-xml "$0" &&
	refused '--timeout-postcopy needs --postcopy' --timeout 5 \
		--timeout-postcopy &&
	refused '--timeout-postcopy needs --timeout' --postcopy \
		--timeout-postcopy &&
	refused '--timeout-suspend needs --timeout' --timeout-suspend &&
	refused 'either --timeout-suspend or' --timeout 5 --timeout-suspend \
		--postcopy --timeout-postcopy
result $? "migrate refuses what would do nothing"
refused "--bandwidth: '0' is not a number" --bandwidth 0 &&
	refused "--timeout: 'x' is not a number" --bandwidth 9 --timeout x &&
	refused '--xml: /dev/null: ' --xml /dev/null &&
	refused 'text or json' --format xml &&
	refused 'auto, none, bar or json' --progress much &&
	refused 'see ' --nosuch && refused 'which VM' more
result $? "migrate says which argument is wrong"
says() { # STATUS WHAT VERB OPTION...
	status=$1 what=$2
	shift 2
	timeout 10 "$virt_mig" "$@" >/dev/full 2>"$dir/log"
	[ $? -eq "$status" ] && grep -q -- "$what" "$dir/log"
}
says 2 "receive: $dir: not a regular" receive --output "$dir" &&
	says 1 'receive: /none/x.*: No such' receive --output /none/x
result $? "receive does not wait for what it cannot write"
says 2 "takes no file: 'x'" index update x && truncate -s 1M "$dir/image" &&
	says 1 'index: standard output: No space' \
		index build "$dir/image" -o "$dir/image.index" &&
	says 1 'index: standard output: No space' index show "$dir/image.index"
result $? "what cannot be printed is not done well"
checked() { # STATUS SAYS SETTINGS
	printf '%b\n' '[session]\nuser = nobody\n[listen]\nuser = daemon' "$3" \
		>"$dir/conf"
	"$builddir/virt-migd" --check --config "$dir/conf" 2>"$dir/log"
	[ $? -eq "$1" ] && grep -q "$2" "$dir/log"
}
checked 2 'conf:6: there is no adress' '[listen]\nadress = x' &&
	checked 2 'conf:6: the value is missing' '[listen]\naddress =' &&
	checked 2 "no group 'nosuch'" '[qemu]\ngroup = nosuch'
result $? "virt-migd --check says what is wrong, and where"
sh "$srcdir/tests/certs.sh" "$dir/certs"
checked 0 'warning: .*expired' "[tls]\ndir = $dir/certs/expired" &&
	checked 0 "warning: .*$dir/none" "[tls]\ndir = $dir/none" &&
	checked 0 'warning: /none: No such file' \
		"[tls]\ndir = $dir/certs/good\n[images]\npublic = /none" &&
	[ "$(wc -l <"$dir/log")" = 1 ]
result $? "and warns of what is missing"
[ "$(complete_words virt-mig send --format = te)" = text ] &&
	[ "$(complete_words virt-mig send --effort fixed : str)" = strong ] &&
	[ "$(complete_words virt-mig send --effort fixed)" != fixed ] &&
	[ "$(complete_words virt-mig bench --codec pa)" = page ]
result $? "words with = and : inside are completed"
tests_end
