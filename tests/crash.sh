#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The short set of tests/crash-matrix.  Root, minutes: only with
# VIRT_MIG_GUEST_TESTS=1.
. "${srcdir:?}/tests/tap.sh"
. "$srcdir/tests/hosts/hosts.sh"
hosts_or_skip
"$srcdir/tests/crash-matrix" short
