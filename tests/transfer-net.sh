#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# virt-mig send and receive between two hosts: network namespaces, joined by a
# pair of virtual interfaces that can be slowed down, silenced and cut.
. "${srcdir:?}/tests/tap.sh"
need jq openssl ip tc
virt_mig=${builddir:?}/virt-mig
cd "$dir" || exit 99
a=virt-mig-a-$$ b=virt-mig-b-$$
receiver=
at_end() {
	[ -z "$receiver" ] || kill "$receiver" 2>/dev/null
	ip netns del $a 2>/dev/null
	ip netns del $b 2>/dev/null
}

# Deletes the link that is there and lays a new one.
connect() {
	ip -n $a link del veth0 2>/dev/null
	ip -n $a link add veth0 type veth peer name veth0 netns $b &&
		ip -n $a addr add 10.77.0.1/24 dev veth0 &&
		ip -n $b addr add 10.77.0.2/24 dev veth0 &&
		ip -n $a link set veth0 up && ip -n $b link set veth0 up
}
slow() { # RATE
	tc -n $a qdisc replace dev veth0 root tbf rate "$1" burst 32k \
		latency 50ms
}
if ! ip netns add $a 2>/dev/null || ! ip netns add $b || ! connect; then
	skip_all "cannot make network namespaces"
fi

explain() {
	for log in s.out s.err r.err; do
		sed "s/^/# $log: /" $log
	done
	echo "# statuses: sender $sent, receiver $received"
}
start() { # ARGUMENT...
	rm -rf port got
	mkdir got
	timeout -s KILL 120 ip netns exec $b "$virt_mig" receive \
		--port-file port --output got/memory --format json \
		--tls-dir certs/good "$@" >r.out 2>r.err &
	receiver=$!
	i=0
	while [ ! -s port ] && [ $i -lt 600 ] && kill -0 $receiver 2>/dev/null
	do
		sleep 0.05
		i=$((i + 1))
	done
	where=$(cat port 2>/dev/null)
}
start_send() { # MEMORY OPTION...
	memory=$1
	shift
	timeout -s KILL 120 ip netns exec $a "$virt_mig" send --format json \
		--tls-dir certs/good "$@" "$memory" "$where" >s.out 2>s.err &
	sender=$!
}
wait_both() {
	wait $sender
	sent=$?
	wait $receiver
	received=$?
	receiver=
}
pid_of() { # PID-OF-TIMEOUT
	cat "/proc/$1/task/$1/children"
}
under_way() {
	i=0
	while [ -z "$(ls got)" ] && [ $i -lt 600 ]; do
		sleep 0.05
		i=$((i + 1))
	done
	sleep 0.5
}
arrived() { # MEMORY
	[ $sent -eq 0 ] && [ $received -eq 0 ] && cmp -s "$1" got/memory &&
		[ "$(ls got)" = memory ]
}
said() { # FILE
	grep -cv 'waiting at' "$1"
}
# Both find out that the other end is silent, and leave nothing.
silent() {
	[ $sent -eq 5 ] && [ $received -eq 5 ] && [ "$(said s.err)" -eq 1 ] &&
		[ "$(said r.err)" -eq 1 ] && grep -q answer s.err &&
		grep -q answer r.err && [ -z "$(ls got)" ]
}

head -c $((24 << 20)) /dev/urandom >noise
cat "$virt_mig" "$virt_mig" "$virt_mig" "$virt_mig" |
	openssl enc -aes-128-ctr -K 00 -iv 00 -nosalt 2>/dev/null |
	head -c $((2 << 20)) >memory
seq 4000000 | head -c $((22 << 20)) >>memory
sh "${srcdir:?}/tests/certs.sh" certs 10.77.0.2 || exit 99

start --listen 10.77.0.2:0
start_send noise
wait_both
arrived noise
result $? "over TLS between two hosts it arrives as it is"

start --listen 0.0.0.0:0
where=10.77.0.2:${where##*:}
start_send noise --tls-dir certs/foreign
wait_both
arrived noise
result $? "a client's certificate is known by its CA, not by its name"

connect
slow 10mbit
start --listen 10.77.0.2:0
start_send memory --effort fixed:lz4
wait_both
arrived memory
result $? "over a slow link it arrives as it is"
light=$(jq .wire_bytes s.out)
start --listen 10.77.0.2:0
start_send memory
wait_both
arrived memory && jq -e ".wire_bytes < $light and (.effort_frames |
	.middle + .strong + .max > 0)" s.out >/dev/null
result $? "on a slow link virt-mig tries harder by itself"

slow 8mbit
start --listen 10.77.0.2:0
start_send noise --effort fixed:raw
under_way
ip -n $a link del veth0
wait_both
silent
result $? "the link is cut: both give up in seconds"

connect
slow 8mbit
start --listen 10.77.0.2:0
start_send noise --effort fixed:raw
under_way
kill -STOP "$(pid_of $receiver)"
wait $sender
sent=$?
[ $sent -eq 5 ] && grep -q answer s.err
result $? "the receiver hangs: the sender gives up in seconds"
kill -CONT "$(pid_of $receiver)"
wait $receiver
received=$?
receiver=
[ $received -ne 0 ] && [ "$(said r.err)" -eq 1 ] && [ -z "$(ls got)" ]
result $? "a receiver that wakes up too late leaves nothing"

start --listen 10.77.0.2:0
where=10.77.0.99:1
start_send memory
wait $sender
sent=$?
[ $sent -eq 1 ] || [ $sent -eq 5 ] && [ "$(said s.err)" -eq 1 ]
result $? "nobody has that address"

tests_end
