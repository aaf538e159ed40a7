#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A memory that is cut short while it is read is one clear error.
virt_mig=${builddir:?}/virt-mig
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
echo 1..1
# The file may be read before it is cut, so there are some tries.
for wait in 0.5 0.3 0.2 0.1 0.05 0.4 0.6 0.8 1 1.5; do
	head -c 64M /dev/urandom >memory
	"$virt_mig" bench --tiers max --peers none --threads 1 memory \
		>out 2>log &
	pid=$!
	sleep $wait
	truncate -s 4096 memory
	wait $pid
	status=$?
	if [ $status = 4 ] && grep -q 'became shorter' log; then
		echo "ok 1 - a memory cut short while it is read is told"
		exit 0
	fi
	echo "# cut after $wait s: status $status"
done
echo "not ok 1 - a memory cut short while it is read is told"
sed 's/^/# /' log
exit 1
