#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A memory that is cut short while it is read is one clear error.
virt_mig=${builddir:?}/virt-mig
. "${srcdir:?}/tests/tap.sh"
cd "$dir" || exit 99
# The file may be read before it is cut, so there are some tries.
told() {
	for wait in 0.5 0.3 0.2 0.1 0.05 0.4 0.6 0.8 1 1.5; do
		head -c 64M /dev/urandom >memory
		"$virt_mig" bench --tiers max --peers none --threads 1 memory \
			>out 2>said &
		pid=$!
		sleep $wait
		truncate -s 4096 memory
		wait $pid
		status=$?
		cat said
		[ $status != 4 ] || ! grep -q 'became shorter' said || return 0
		echo "cut after $wait s: status $status"
	done
	return 1
}

ok "a memory cut short while it is read is told" told
tests_end
