# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# What shell tests begin with: '.' this file.
#
#   $dir                a folder of the test's own; it is deleted in the end,
#                       after at_end(), where a test has one
#   skip_all WHY        ends a test that cannot run
#   need TOOL...        ends one that cannot run without these
#   asked_for           ends one that takes minutes, or root, unless
#                       VIRT_MIG_GUEST_TESTS=1 asks for it
#   result STATUS NAME  says that a test passed, or did not and why: what
#                       explain() says, the end of $dir/log if a test has none
#   ok NAME COMMAND...  whether this command passes; what it says is in the log
#   skipped NAME WHY    says that a test was left out
#   tests_end           says how many there were
PATH=$PATH:/sbin:/usr/sbin
n=0
dir=$(mktemp -d) || exit 99
trap 'at_end; cd / && rm -rf "$dir"' EXIT
trap 'exit 99' INT TERM

at_end() { :; }
explain() {
	[ ! -e "$dir/log" ] || tail -n 30 "$dir/log" | sed 's/^/# /'
}
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
need() {
	for needed; do
		command -v "$needed" >/dev/null ||
			skip_all "$needed is not installed"
	done
}
asked_for() {
	[ "${VIRT_MIG_GUEST_TESTS:-}" = 1 ] ||
		skip_all "only with VIRT_MIG_GUEST_TESTS=1"
}
result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		explain
	fi
	return "$1"
}
ok() {
	ok_name=$1
	shift
	"$@" >"$dir/log" 2>&1
	result $? "$ok_name"
}
skipped() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}
tests_end() {
	echo "1..$n"
}
