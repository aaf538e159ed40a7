#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units as systemd judges them: that they are sound, and how much of the
# host they leave in reach ('systemd-analyze security', 0 to 10; in tenths
# here).  Sessions are no units, virt-migd starts them: for one, what it
# confines itself by (tools/sandbox.c) is written as a unit and judged, and
# each point that it is given for that must be one that test-sandbox shows.
. "${srcdir:?}/tests/tap.sh"
need systemd-analyze jq make
judge() { # UNIT THRESHOLD
	systemd-analyze security --offline=true --no-pager --threshold="$2" \
		"$dir/$1" >"$dir/log" 2>&1
	set -- $?
	grep 'Overall' "$dir/log" | sed 's/^[^O]*/# /; s/ [^ ]*$//'
	sed -i -n 's/^[^ ]* //; /  0\.[0-9] *$/p; /Overall/p' "$dir/log"
	return "$1"
}

# As they are installed, but for where the programs are.
cp "$srcdir"/data/*.socket "$srcdir"/data/*.timer "$dir"
for unit in "$srcdir"/data/*.service.in; do
	sed "s|@[a-z]*dir@|${builddir:?}|" "$unit" >"$dir/$(basename "$unit" .in)"
done
systemd-analyze verify --man=no "$dir"/virt* >"$dir/log" 2>&1 &&
	! grep -q "$dir" "$dir/log"
result $? "systemd finds nothing wrong with the units"
judge virt-mig-listener.service 15
result $? "the listener, which is on the network, has at most 1.5"
judge virt-migd.service 23
result $? "virt-migd, which is privileged, has at most 2.3"
! grep -qE '^(PrivateNetwork|IPAddressDeny|.*AF_\(INET)' "$dir/log"
result $? "and no network"
judge virt-mig-index.service 13
result $? "what builds indexes has at most 1.3"

calls=$(sed -n '/^static const int allowed/,/^}/p; /^allow_some/,/^}/p' \
	"$srcdir/tools/sandbox.c" | grep -o 'SCMP_SYS([a-z0-9_]*)' |
	sed 's/.*(\(.*\))/\1/' | grep -v '^clone3$' | tr '\n' ' ')
cat >"$dir/session.service" <<END
[Service]
ExecStart=$builddir/virt-mig-session
SystemCallFilter=$calls
SystemCallArchitectures=native
User=virt-mig
RootDirectory=/run/virt-mig/empty
CapabilityBoundingSet=
AmbientCapabilities=
NoNewPrivileges=yes
RestrictAddressFamilies=none
PrivateNetwork=yes
IPAddressDeny=any
RestrictNamespaces=yes
PrivateUsers=yes
PrivateMounts=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
UMask=0077
RestrictSUIDSGID=yes
ProtectProc=invisible
ProcSubset=pid
ProtectControlGroups=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
END
judge session.service 5
result $? "a session, were it a unit, has at most 0.5"
systemd-analyze security --offline=true --json=short "$dir/session.service" |
	jq -r '.[] | select(.exposure == null) | .name' >"$dir/points"
"$builddir/tests/test-sandbox" --covers >"$dir/covered"
awk 'NR == FNR { covered[$0]; next }
	{ for (c in covered) if (index($0, c) == 1) next; print }' \
	"$dir/covered" "$dir/points" >"$dir/log"
[ "$(wc -l <"$dir/points")" -gt 70 ] && [ ! -s "$dir/log" ]
result $? "and each point of that is one that is tested"

# Settings stay when what is installed is replaced, and when it goes.
part() { # TARGET
	make -C "$builddir" -s "$1" DESTDIR="$dir/root" prefix=/usr \
		sysconfdir=/etc
}
conf=$dir/root/etc/virt-mig/virt-mig.conf
{
	part install-data-local && cmp "$srcdir/data/virt-mig.conf" "$conf" &&
		part uninstall-local && [ ! -e "$conf" ] &&
		part install-data-local && echo '[memory]' >>"$conf" &&
		part install-data-local && grep '^.memory' "$conf" &&
		part uninstall-local && grep '^.memory' "$conf"
} >"$dir/log" 2>&1
result $? "installed again, or no more, the settings of this host stay"
tests_end
