# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# Two hosts with a libvirt of their own on this machine, for tests: '.' this
# file as root.  A host is a set of namespaces: its own /run, /etc/libvirt,
# /var/{lib,cache,log}/libvirt, network, name and processes; a virtual cable
# joins the two.  When its first process ends, all of it is gone.
#
#   hosts_or_skip           ends a test (of tests/tap.sh) that cannot run
#   hosts_up DIR            builds the guest and starts hosts a and b; DIR is
#                           a folder of the test's own, that anybody may enter
#   host a|b COMMAND...     runs it there
#   guest_start VM [KEY=N...]   on host a; waits for its heartbeat
#   guest_checked VM [HOST] it beats on b, never missed a beat, and found all
#                           of its memory to be what it wrote
#   migd_start a|b CERTS    virt-migd there, migd_stop ends it; out of MIGD=,
#                           if that folder is given
#   hosts_allow_postcopy    until hosts_down
#   hosts_down              ends everything
#
# RUN= is a command that virt-migd is started by.  With SYSTEMD=1 the first
# process of a host is systemd, which runs the units that units_install put
# there; DIR is then not in /tmp or /var/tmp, which units do not see.
# DISK=, DISK_FORMAT= give the guest a disk, MEMORY_MIB= its memory, SHARED=1
# one that QEMU shares, KERNEL= and INITRD= another system.
hosts_a_ip=10.77.0.1 hosts_b_ip=10.77.0.2
hosts_kernel=${HOSTS_KERNEL:-${builddir:?}/hosts-kernel}

# Says what is missing to run such tests; nothing if all is there.
hosts_missing() {
	PATH=$PATH:/sbin:/usr/sbin
	[ "$(id -u)" = 0 ] || echo "not root;"
	for need in libvirtd virsh qemu-system-x86_64 qemu-img cpio gcc jq \
		unshare nsenter ip tc; do
		command -v $need >/dev/null ||
			echo "$need is not installed;"
	done
}

# A test that says so skips where it cannot run.  Such tests take minutes:
# they are asked for.
hosts_or_skip() {
	asked_for
	missing=$(hosts_missing | tr '\n' ' ')
	[ -z "$missing" ] || skip_all "$missing"
}

host() { # HOST COMMAND...
	hosts_pid=$(cat "$hosts/$1/pid") || return
	shift
	nsenter -t "$hosts_pid" -m -u -n -i -p -- "$@"
}

# A kernel and its disk drivers, out of Debian's package.
hosts_get_kernel() (
	[ ! -s "$hosts_kernel/vmlinuz" ] || exit 0
	mkdir -p "$hosts_kernel.$$" && cd "$hosts_kernel.$$" || exit
	package=$(apt-cache depends linux-image-cloud-amd64 |
		sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	apt-get download -q "$package" >download.log 2>&1 &&
		dpkg-deb -x ./*.deb . || { cat download.log >&2; exit 1; }
	mkdir mod && find . -path ./mod -prune -o \( -name 'virtio*.ko' -o \
		-name 'virtio*.ko.xz' \) -exec mv {} mod/ \;
	[ -z "$(find mod -name '*.xz')" ] || xz -d mod/*.xz
	mv boot/vmlinuz-* vmlinuz && rm -rf ./*.deb usr lib boot download.log
	cd .. && mv -T "$hosts_kernel.$$" "$hosts_kernel" 2>/dev/null ||
		rm -rf "$hosts_kernel.$$"
)

# The guest: that kernel, and beat.c as its only program; or another one.
hosts_make_guest() (
	mkdir -p "$hosts/guest" && cp "${srcdir:?}/tests/hosts/qemu-odd" \
		"$hosts/guest" || exit
	[ -z "${KERNEL:-}" ] || exit 0
	hosts_get_kernel || exit
	mkdir -p "$hosts/guest/root/dev" "$hosts/guest/root/proc" || exit
	cd "$hosts/guest" || exit
	cp "$hosts_kernel/vmlinuz" vmlinuz && cp -r "$hosts_kernel/mod" root/ &&
		gcc -O2 -static -o root/init "${srcdir:?}/tests/hosts/beat.c" &&
		mknod root/dev/console c 5 1 || exit
	(cd root && find . | cpio --quiet -o -H newc) >initrd.img
)

hosts_configure() { # FOLDER UUID IP
	mkdir -p "$1/etc/qemu" "$1/lib/images" "$1/cache" "$1/log" "$1/tmp"
	cat >"$1/etc/libvirtd.conf" <<-END
	unix_sock_group = "root"
	auth_unix_ro = "none"
	auth_unix_rw = "none"
	listen_tls = 0
	listen_tcp = 1
	listen_addr = "$3"
	auth_tcp = "none"
	host_uuid = "$2"
	log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
	END
	cat >"$1/etc/qemu.conf" <<-END
	security_driver = "none"
	namespaces = [ ]
	cgroup_controllers = [ ]
	stdio_handler = "file"
	migration_address = "$3"
	migration_host = "$3"
	END
	: >"$1/etc/libvirt.conf"
}

# The first process of a host: makes the place its own, then waits.
hosts_init() { # HOST
	cat <<-END
	mount --make-rprivate /
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/libvirt /run/lock
	mount --bind $hosts/$1/etc /etc/libvirt
	mount --bind $hosts/$1/lib /var/lib/libvirt
	mount --bind $hosts/$1/cache /var/cache/libvirt
	mount --bind $hosts/$1/log /var/log/libvirt
	mount -t tmpfs tmpfs /sys/fs/cgroup
	hostname host-$1
	ip link set lo up
	touch $hosts/$1/ready
	while :; do sleep 1000; done
	END
}

# Or that is systemd, in a cgroup of its own, with no unit but what it is told
# to start.
hosts_init_systemd() { # HOST
	hosts_init "$1" | sed '$d'
	cat <<-END
	umount /sys/fs/cgroup
	mount -t cgroup2 cgroup2 /sys/fs/cgroup
	mkdir -p /run/systemd/system /run/virt-mig
	for unit in /lib/systemd/system/*.wants/* /etc/systemd/system/*.wants/*; do
		ln -sf /dev/null "/run/systemd/system/\${unit##*/}"
	done
	for file in passwd group; do
		mount --bind $hosts/\$file /etc/\$file
	done
	mount --bind $hosts/$1/conf /etc/virt-mig
	mount --bind $hosts/$1/state /var/lib/virt-mig
	exec env container=other /lib/systemd/systemd --system \
		--unit=basic.target --log-target=console
	END
}

hosts_cgroups() {
	awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts
}

hosts_cgroup_end() { # HOST
	find "$(hosts_cgroups)/virt-mig-$1.$$" -depth -type d -exec rmdir {} \;
	[ ! -d "$(hosts_cgroups)/virt-mig-$1.$$" ]
}

# Folders that units of virt-mig want, and users.
hosts_prepare_systemd() { # HOST
	mkdir -p "$hosts/$1/conf" "$hosts/$1/state" "$(hosts_cgroups)/virt-mig-$1.$$"
	[ -d /etc/virt-mig ] || mkdir /etc/virt-mig
	[ -d /var/lib/virt-mig ] || mkdir /var/lib/virt-mig
	for file in passwd group; do
		grep -v '^virt-mig' /etc/$file >"$hosts/$file"
	done
	printf 'virt-mig%s:x:%s::/nonexistent:/usr/sbin/nologin\n' \
		'' 64001:64001: -net 64002:64002: >>"$hosts/passwd"
	printf 'virt-mig%s:x:%s:\n' '' 64001 -net 64002 >>"$hosts/group"
}

# The units as they are installed, but for where the programs are.
units_install() { # HOST
	host "$1" mkdir -p /run/systemd/system/service.d
	printf '[Service]\nStandardError=append:%s\n' "$hosts/$1/migd.log" |
		host "$1" tee /run/systemd/system/service.d/log.conf >/dev/null
	for unit in "$srcdir"/data/virt-mig*.socket \
		"$srcdir"/data/virt-mig*.service.in; do
		sed "s|@[a-z]*dir@|$hosts/bin|" "$unit" | host "$1" tee \
			"/run/systemd/system/$(basename "$unit" .in)" >/dev/null
	done
	host "$1" systemctl daemon-reload
}

hosts_wait() { # TENTHS-OF-SECONDS COMMAND...
	hosts_left=$1
	shift
	until "$@" >/dev/null 2>&1; do
		hosts_left=$((hosts_left - 1))
		[ $hosts_left -gt 0 ] || return
		sleep 0.1
	done
}

hosts_start() { # HOST UUID IP
	hosts_configure "$hosts/$1" "$2" "$3"
	if [ -n "${SYSTEMD:-}" ]; then
		hosts_prepare_systemd "$1"
		hosts_init_systemd "$1" >"$hosts/$1/init.sh"
		own="--cgroup"
		cgroup=$(hosts_cgroups)/virt-mig-$1.$$/cgroup.procs
	else
		hosts_init "$1" >"$hosts/$1/init.sh"
		own='' cgroup=/dev/null
	fi
	# shellcheck disable=SC2086 # nothing, or one option
	setsid sh -c 'echo $$ >"$0"; exec "$@"' $cgroup unshare --mount --uts \
		--net --ipc --pid $own --fork --kill-child --mount-proc \
		sh -e "$hosts/$1/init.sh" </dev/null \
		>"$hosts/$1/init.log" 2>&1 &
	echo $! >"$hosts/$1/unshare"
	hosts_wait 100 test -e "$hosts/$1/ready" || {
		cat "$hosts/$1/init.log" >&2
		return 1
	}
	tr -d ' ' <"/proc/$!/task/$!/children" >"$hosts/$1/pid"
}

# A copy: profiles of AppArmor go by path, and refuse another emulator.
hosts_start_libvirt() { # HOST
	cp /usr/sbin/libvirtd "$hosts/$1/libvirtd" &&
		host "$1" setsid "$hosts/$1/libvirtd" --listen -d \
			-p /run/libvirtd.pid &&
		hosts_wait 100 host "$1" virsh -q uri && return
	cat "$hosts/$1/log/libvirtd.log" >&2
	return 1
}

# Lays the cable; one that is there is cut first.
hosts_connect() {
	host a ip link del v0 2>/dev/null
	nsenter -t "$(cat "$hosts/a/pid")" -n ip link add v0 type veth \
		peer name v0 netns "$(cat "$hosts/b/pid")"
	host a ip addr add $hosts_a_ip/24 dev v0
	host b ip addr add $hosts_b_ip/24 dev v0
	host a ip link set v0 up && host b ip link set v0 up
}

hosts_up() { # DIR
	PATH=$PATH:/sbin:/usr/sbin
	mkdir -p "$1" && chmod 755 "$1" "$1/.." && hosts=$(cd "$1" && pwd) || return
	hosts_make_guest &&
		hosts_start a 11111111-0000-4000-8000-00000000000a $hosts_a_ip &&
		hosts_start b 22222222-0000-4000-8000-00000000000b $hosts_b_ip &&
		hosts_connect && hosts_start_libvirt a && hosts_start_libvirt b
}

# A QEMU that is not root may take pages as it needs them, until the last test
# that wants that is over.
hosts_postcopy=/run/virt-mig-tests-postcopy # what the host said before
hosts_userfaultfd=/proc/sys/vm/unprivileged_userfaultfd
hosts_allow_postcopy() {
	exec 9>>$hosts_postcopy
	flock -x 9
	[ -s $hosts_postcopy ] || cat $hosts_userfaultfd >&9
	echo 1 2>/dev/null >$hosts_userfaultfd || return
	flock -s 9
	hosts_allowed=1
}

hosts_down() {
	[ -z "${hosts_allowed:-}" ] || ! flock -n -x 9 ||
		{ cat $hosts_postcopy >$hosts_userfaultfd && : >$hosts_postcopy; }
	for h in a b; do
		[ -s "$hosts/$h/unshare" ] || continue
		unshare_pid=$(cat "$hosts/$h/unshare")
		kill -9 "$unshare_pid" 2>/dev/null
		wait "$unshare_pid" 2>/dev/null
		rm -f "$hosts/$h/unshare" "$hosts/$h/pid"
		[ -z "${SYSTEMD:-}" ] || hosts_wait 50 hosts_cgroup_end $h
	done
	[ -z "${SYSTEMD:-}" ] ||
		rmdir /etc/virt-mig /var/lib/virt-mig 2>/dev/null || :
}

guest_xml() { # VM CMDLINE
	disk=
	[ -z "${DISK:-}" ] || disk="<disk type='file' device='disk'>
		<driver name='qemu' type='${DISK_FORMAT:-raw}' cache='none'/>
		<source file='$DISK'/><target dev='vda' bus='virtio'/></disk>"
	shared=
	[ -z "${SHARED:-}" ] || shared="<memoryBacking><source type='memfd'/>
		<access mode='shared'/></memoryBacking>"
	cat <<-END
	<domain type='qemu'>
	  <name>$1</name>
	  <memory unit='MiB'>${MEMORY_MIB:-256}</memory>
	  $shared
	  <vcpu>1</vcpu>
	  <os>
	    <type arch='x86_64' machine='pc'>hvm</type>
	    <kernel>${KERNEL:-$hosts/guest/vmlinuz}</kernel>
	    <initrd>${INITRD:-$hosts/guest/initrd.img}</initrd>
	    <cmdline>console=ttyS0 quiet panic=1 ${DISK:+disk=1} $2</cmdline>
	  </os>
	  <features><acpi/></features>
	  <cpu mode='maximum'/>
	  <on_poweroff>destroy</on_poweroff>
	  <on_reboot>destroy</on_reboot>
	  <on_crash>destroy</on_crash>
	  <devices>
	    <emulator>$hosts/guest/qemu-odd</emulator>
	    $disk
	    <serial type='file'>
	      <source path='/var/log/libvirt/$1.serial' append='on'/>
	      <target port='0'/>
	    </serial>
	    <memballoon model='none'/>
	  </devices>
	</domain>
	END
}

# libvirt 9.0 asks a QEMU what it can do and, rarely, waits for its answer for
# ever; it gives up when that QEMU ends.
guest_create() {
	(
		sleep 60
		host a pkill -f -- '-machine none'
	) >/dev/null 2>&1 &
	watch=$!
	host a virsh -q create "$hosts/$vm.xml" >/dev/null ||
		host a virsh -q create "$hosts/$vm.xml" >/dev/null
	set -- $?
	kill $watch
	return "$1"
}

guest_start() { # VM KEY=N...
	vm=$1
	shift
	rm -f "$hosts/a/log/$vm.serial" "$hosts/b/log/$vm.serial"
	guest_xml "$vm" "$*" >"$hosts/$vm.xml"
	guest_create || return
	hosts_wait 600 grep -aq '^HB <000005> ' "$hosts/a/log/$vm.serial" && return
	tail -n 3 "$hosts/a/log/$vm.serial" >&2
	return 1
}

guest_beats() { # VM HOST: the number of its last heartbeat there
	sed -n 's/^HB <\([0-9]*\)> .*/\1/p' "$hosts/$2/log/$1.serial" | tail -n 1
}

guest_alive() { # VM HOST: it beats there
	beats=$(guest_beats "$1" "$2")
	for _ in $(seq 50); do
		sleep 0.1
		[ "$(guest_beats "$1" "$2")" = "$beats" ] || return 0
	done
	return 1
}

guest_on() { # VM HOST: that it runs there, and only there, and beats
	other=$(echo "$2" | tr ab ba)
	[ "$(host "$2" virsh -q domstate "$1" 2>/dev/null)" = running ] &&
		[ "$(host "$other" virsh -q domstate "$1" 2>/dev/null)" \
			!= running ] && guest_alive "$1" "$2"
}

# Checks all that the guest said on both hosts: from its first beat on host a,
# where it may have been restored, none is missing, and nothing was ever wrong.
# A line in which it left one host ends at the other, so a beat says its number
# twice, and one of them is whole.  All numbers are of one length: what two cut
# lines make of theirs is none, or no later one.
guest_log_checked() { # VM
	cat "$hosts"/[ab]/log/"$1".serial | tr -d '\r' |
		grep -aoE -e '<[0-9]{6}>' -e 'rounds=[0-9]+ ' -e 'BAD page.*' \
			-e 'bad=[1-9][0-9]* disk' -e 'disk=[1-9][0-9]* <' | awk '
		function problem(what) {
			if (problems++ < 20)
				print what
		}
		{ n = $0; gsub(/[^0-9]/, "", n); n += 0 }
		/^</ {
			if (!beats)
				first = n
			beats += !(n in said)
			said[n]
			if (n > last)
				last = n
			next
		}
		/^rounds/ { rounds = n > rounds ? n : rounds; next }
		{ problem($0 " after beat " last) }
		END {
			for (n = first; n <= last; n++)
				if (!(n in said))
					problem("beat " n " is missing")
			printf "%d heartbeats, %d checks of all memory, " \
				"%d problems\n", beats, rounds, problems
			exit problems > 0 || beats < 5
		}'
}

# It is on that host, and nowhere else, beats, and has since checked all of its
# memory again.
guest_checked() { # VM [HOST]
	guest_on "$1" "${2:-b}" || return
	rounds=$(guest_rounds "$1" "${2:-b}")
	for _ in $(seq 300); do
		[ "$(guest_rounds "$1" "${2:-b}")" -gt $((rounds + 1)) ] && break
		sleep 0.1
	done
	[ "$(guest_rounds "$1" "${2:-b}")" -gt $((rounds + 1)) ] &&
		guest_log_checked "$1"
}

guest_rounds() { # VM HOST
	sed -n 's/^HB .* rounds=\([0-9]*\) .*/\1/p' "$hosts/$2/log/$1.serial" |
		tail -n 1
}

guest_end() { # VM
	for h in a b; do
		host $h virsh -q destroy "$1" >/dev/null 2>&1
	done
}

# ---- virt-migd, with the certificates in $hosts/certs (certs.sh)

# KEY=VALUE lines for its settings come from standard input.
migd_start() { # HOST CERTIFICATES
	mkdir -p "$hosts/$1/memory"
	{
		echo "[session]"
		echo "user = nobody"
		echo "[listen]"
		echo "user = daemon"
		echo "[tls]"
		echo "dir = $hosts/certs/$2"
		echo "[memory]"
		echo "dir = $hosts/$1/memory"
		cat
	} >"$hosts/$1/virt-mig.conf"
	setsid nsenter -t "$(cat "$hosts/$1/pid")" -m -u -n -i -p -- \
		env VIRT_MIG_INDEX_DIR="$hosts/$1/index" sh -c \
		'echo $$ >/run/migd.pid; exec "$@"' sh ${RUN:-} "${MIGD:-$builddir}/virt-migd" \
		--config "$hosts/$1/virt-mig.conf" \
		>>"$hosts/$1/migd.log" 2>&1 </dev/null &
	hosts_wait 100 host "$1" "$builddir/virt-mig" status
}

migd_stop() { # HOST [SIGNAL]
	host "$1" sh -c "kill ${2:-} \$(cat /run/migd.pid)" 2>/dev/null
	sleep 0.3
	host "$1" rm -f /run/virt-mig/control
}

# Process ids, inside the host, of what has that name there.
host_pids() { # HOST NAME
	host "$1" sh -c 'for p in /proc/[0-9]*; do
		read -r name <"$p/comm" 2>/dev/null &&
			[ "$name" = "$0" ] && echo "${p#/proc/}"
	done' "$2"
}
