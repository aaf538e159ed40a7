#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The short set of tests/crash-matrix.  Root, minutes: only with
# VIRT_MIG_GUEST_TESTS=1.
. "${srcdir:?}/tests/hosts/hosts.sh"
[ "${VIRT_MIG_GUEST_TESTS:-}" = 1 ] || {
	echo "1..0 # SKIP only with VIRT_MIG_GUEST_TESTS=1"
	exit 0
}
missing=$(hosts_missing | tr '\n' ' ')
command -v jq >/dev/null || missing="$missing jq is not installed"
[ -z "$missing" ] || {
	echo "1..0 # SKIP $missing"
	exit 0
}
exec "$srcdir/tests/crash-matrix" short
