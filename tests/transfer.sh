#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# virt-mig send and receive, two processes: what arrives, and what is said,
# left and returned when it cannot arrive.
. "${srcdir:?}/tests/tap.sh"
need jq openssl
virt_mig=${builddir:?}/virt-mig
export VIRT_MIG_INDEX_DIR="$dir/indexes"
cd "$dir" || exit 99
mkdir got
receiver=
at_end() {
	[ -z "$receiver" ] || kill "$receiver" 2>/dev/null
	! mountpoint -q full 2>/dev/null || umount full
}

explain() {
	for log in s.err r.err; do
		sed "s/^/# $log: /" $log
	done
	echo "# statuses: sender $sent, receiver $received"
}

# Starts a receiver, waits until it listens, says where.
start() { # ARGUMENT...
	rm -rf port got
	mkdir got
	timeout -s KILL 120 "$virt_mig" receive --port-file port \
		--output got/memory --format json "$@" >r.out 2>r.err &
	receiver=$!
	i=0
	while [ ! -s port ] && [ $i -lt 600 ] && kill -0 $receiver 2>/dev/null
	do
		sleep 0.05
		i=$((i + 1))
	done
	where=$(cat port 2>/dev/null)
}
# 'timeout' passes signals on, but for KILL.
pid_of() { # PID-OF-TIMEOUT
	cat "/proc/$1/task/$1/children"
}
wait_receiver() {
	wait $receiver
	received=$?
	receiver=
}
send() { # MEMORY WHERE OPTION...
	memory=$1 to=$2
	shift 2
	timeout -s KILL 120 "$virt_mig" send --format json "$@" "$memory" \
		"$to" >s.out 2>s.err
	sent=$?
}
start_send() { # MEMORY WHERE OPTION...
	memory=$1 to=$2
	shift 2
	timeout -s KILL 120 "$virt_mig" send --format json "$@" "$memory" \
		"$to" >s.out 2>s.err &
	sender=$!
}
wait_sender() {
	wait $sender
	sent=$?
}
# Waits until the sender's frames have begun to arrive.
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
		[ "$(ls got)" = memory ] && [ "$(said s.err)" -eq 0 ]
}
# How many lines, but for where the receiver waits.
said() { # FILE
	grep -cv 'waiting at' "$1"
}
# Each end says one line that matches, and no file is left.
failed() { # SENT RECEIVED SENDER-SAYS RECEIVER-SAYS
	[ $sent -eq "$1" ] && [ $received -eq "$2" ] && grep -Eq "$3" s.err &&
		grep -Eq "$4" r.err && [ "$(said s.err)" -eq 1 ] &&
		[ "$(said r.err)" -eq 1 ] && [ -z "$(ls got)" ]
}
holds() { # FILE FILTER
	jq -e "$2" "$1" >/dev/null 2>>s.err
}

# A disk of 4 MiB and some of real bytes; a memory of zeros, pieces of the
# disk, text, and bytes that nothing can make smaller; the same, later.
cat "$virt_mig" "$(command -v python3 gdb bash | head -n 1)" "$virt_mig" \
	"$virt_mig" "$virt_mig" "$virt_mig" 2>/dev/null |
	head -c $((9 << 20)) >disk
truncate -s $((9 << 20)) disk
{
	head -c $((1 << 20)) /dev/zero
	head -c $((5 << 20)) disk
	seq 1000000 | head -c $((1 << 20))
	head -c $((1 << 20)) /dev/urandom
} >memory
cp memory later
i=0
while [ $i -lt 200 ]; do
	printf 'later' | dd of=later bs=1 seek=$((i * 40961 + 77)) \
		conv=notrunc 2>/dev/null
	i=$((i + 1))
done
head -c $((24 << 20)) /dev/urandom >noise
sh "${srcdir:?}/tests/certs.sh" certs || exit 99

start --listen 127.0.0.1:0
send memory "$where"
wait_receiver
arrived memory
result $? "over TCP on this host it arrives as it is"
holds s.out '.memory_bytes == 8388608 and .wire_bytes < 8388608 and
	.pages.zero >= 256 and .frames > 0 and .refused_frames == 0' &&
	holds r.out '.memory_bytes == 8388608 and .frames > 0'
result $? "both ends say in JSON what became of it"

start --listen 127.0.0.1:0
send memory "$where" --codec page:0
wait_receiver
arrived memory && holds s.out '.effort_frames |
	.codec > 0 and .codec == ([.[]] | add)'
result $? "a codec that is pinned makes every frame"

start --listen unix:"$dir/socket"
send memory unix:"$dir/socket"
wait_receiver
arrived memory && [ ! -e socket ]
result $? "over a unix socket, which is gone afterwards"

start --listen 127.0.0.1:0 --tls-dir certs/good
send memory "$where" --tls-dir certs/good
wait_receiver
arrived memory
result $? "over TLS"

printf x >one
start --listen 127.0.0.1:0
send one "$where"
wait_receiver
arrived one
result $? "a file without a page"

start --listen 127.0.0.1:0 --progress json --progress-fd 3 3>progress
send noise "$where" --progress json --bandwidth 100M
wait_receiver
cmp -s noise got/memory && [ -s progress ] && [ -s s.err ] &&
	jq -es 'all(.message_type == "status" and .bytes_all == 25165824 and
		.bytes_done <= .bytes_all) and .[-1].bytes_done > 0' \
		s.err >/dev/null && jq -es 'length > 0' progress >/dev/null
result $? "progress as lines of JSON"

# --- what both hold, or one of them

send_both() { # MEMORY RECEIVER-OPTIONS SENDER-OPTIONS
	# shellcheck disable=SC2086
	start --listen 127.0.0.1:0 $2
	# shellcheck disable=SC2086
	send "$1" "$where" $3
	wait_receiver
	arrived "$1"
}
send_both memory '' ''
alone=$(jq .wire_bytes s.out)
send_both memory '--image disk' '--image disk' &&
	holds s.out '.pages.ref > 1200 and .whole_bases >= 1 and
		.asked_pages == 0' &&
	holds s.out ".wire_bytes < $alone - 1000000"
result $? "pages of an image that both hold are references"

cp disk newer
printf 'changed' | dd of=newer bs=1 seek=5000000 conv=notrunc 2>/dev/null
send_both memory '--image newer' '--image disk' &&
	holds s.out '.pages.ref > 900 and .whole_bases == 0 and
		.asked_pages > 0 and .asked_pages < 1200'
result $? "of an image that changed, the regions that did not are shared"

send_both memory '--image disk' '' &&
	holds s.out '.pages.ref > 1200 and .found_pages > 1200' &&
	holds r.out '.found_pages > 1200'
result $? "what only the receiver holds is found by asking"

send_both later '--previous memory' '--previous memory' &&
	holds s.out '.pages.delta > 100 and .whole_bases == 1 and
		.wire_bytes < 40000'
result $? "of a kept memory, only what changed is sent"

send_both later '--previous memory' '' &&
	holds s.out '.found_pages > 1000 and .pages.ref > 1000'
result $? "a kept memory that only the receiver has is asked about"

send_both later '--previous memory --image disk' '--image disk --previous later' &&
	holds s.out '.pages.ref > 1000'
result $? "different kept memories do no harm"

# The index says what the image held when the receiver opened it.
cp disk stale
start --listen 127.0.0.1:0 --image stale
head -c $((2 << 20)) /dev/urandom |
	dd of=stale bs=1M seek=1 conv=notrunc 2>/dev/null
send memory "$where" --image disk
wait_receiver
arrived memory && holds s.out '.refused_frames > 0' &&
	holds r.out '.refused_frames > 0'
result $? "an image that changes after it was indexed costs time only"

# --- what goes wrong

send memory 127.0.0.1:1
received=0
[ $sent -eq 1 ] && grep -q 'Connection refused' s.err && [ "$(said s.err)" -eq 1 ]
result $? "nobody listens: one line, status 1"

start --listen 127.0.0.1:0
start_send noise "$where" --bandwidth 16M
under_way
kill -9 "$(pid_of $sender)"
wait_sender
wait_receiver
[ $received -eq 1 ] && grep -q 'the sender' r.err && [ "$(said r.err)" -eq 1 ] &&
	[ -z "$(ls got)" ]
result $? "the sender is killed: the receiver says so and leaves nothing"

start --listen 127.0.0.1:0
start_send noise "$where" --bandwidth 16M
under_way
kill -9 "$(pid_of $receiver)"
wait_receiver
wait_sender
[ $sent -eq 1 ] && grep -Eq 'the receiver|connection lost' s.err &&
	[ "$(said s.err)" -eq 1 ] && [ ! -e got/memory ]
result $? "the receiver is killed: the sender says so, nothing looks whole"

start --listen 127.0.0.1:0
start_send noise "$where" --bandwidth 16M
under_way
kill -INT "$(pid_of $sender)"
wait_sender
wait_receiver
failed 130 130 '^virt-mig send: interrupted$' 'the sender says: interrupted'
result $? "Ctrl-C at the sender ends both"

start --listen 127.0.0.1:0 --tls-dir certs/good
start_send noise "$where" --bandwidth 16M --tls-dir certs/good
under_way
kill -TERM "$(pid_of $receiver)"
wait_receiver
wait_sender
failed 130 130 'the receiver says: interrupted' \
	'^virt-mig receive: interrupted$'
result $? "SIGTERM at the receiver ends both"

start --listen 127.0.0.1:0
kill -INT "$(pid_of $receiver)"
wait_receiver
sent=0
[ $received -eq 130 ] && [ "$(said r.err)" -eq 1 ]
result $? "Ctrl-C ends a receiver that waits"

mkdir full
if mount -t tmpfs -o size=16m tmpfs full 2>/dev/null; then
	start --listen 127.0.0.1:0 --output full/memory
	send noise "$where"
	wait_receiver
	failed 5 5 'the receiver says: .*no room' 'no room for 24 MiB' &&
		[ -z "$(ls full)" ]
	result $? "a full disk is one error at the start"
	umount full
else
	skipped "a full disk" "cannot mount a small file system"
fi

mkdir nowhere
start --listen 127.0.0.1:0 --output nowhere/memory
rmdir nowhere
send memory "$where"
wait_receiver
failed 1 1 'No such file' 'No such file'
result $? "an output that cannot be made"

# Whoever waits for that file does not wait for ever.
mkdir target
for verb in "receive --output got/none" "relay-receive --target unix:target/q"
do
	# shellcheck disable=SC2086 # words
	timeout 20 "$virt_mig" $verb --listen unix:waits \
		--port-file nowhere/port >r.out 2>r.err
	received=$?
	[ $received -eq 1 ] && [ ! -e waits ] &&
		grep -q -- '--port-file: nowhere/port' r.err &&
		[ "$(wc -l <r.err)" = 1 ] && [ -z "$(ls got)" ]
	result $? "${verb%% *}: a port file that cannot be made ends it"
done

# What it did not make is not its own to remove.
echo precious >mine
timeout 20 "$virt_mig" relay-receive --target unix:target/q --listen unix:mine \
	>r.out 2>r.err
received=$?
[ $received -eq 1 ] && grep -q 'mine: Address already in use' r.err &&
	timeout 20 "$virt_mig" relay-receive --target unix:target/q \
		--listen unix:mine --image none >r.out 2>r.err
[ $? -eq 1 ] && grep -q 'none: ' r.err && [ "$(cat mine)" = precious ]
result $? "relay-receive: a file that stands where it would wait stays"

truncate -s 0 empty
send empty 127.0.0.1:1
[ $sent -eq 2 ] && grep -q 'empty: ' s.err && [ "$(said s.err)" -eq 1 ]
result $? "an empty memory is refused before anybody is asked"

# --- who may

refused() { # SENT SENDER-SAYS RECEIVER-SAYS: and the receiver still waits
	[ $sent -eq "$1" ] && grep -Eq "$2" s.err && [ "$(said s.err)" -eq 1 ] &&
		grep -Eq "refused: .*$3" r.err && [ -z "$(ls got)" ] &&
		kill -0 $receiver
}
start --listen 127.0.0.1:0 --tls-dir certs/good
send memory "$where" --tls-dir certs/other
refused 3 "the other end's certificate" 'our certificate was refused'
result $? "another CA is refused by both"
send memory "$where"
refused 3 'speaks TLS' 'does not speak TLS'
result $? "so is one without TLS"
send memory "$where" --tls-dir certs/expired
[ $sent -eq 3 ] && grep -q 'client-cert.pem: certificate has expired' s.err
result $? "an expired certificate is named before it is shown"
send memory "localhost:${where##*:}" --tls-dir certs/good
wait_receiver
arrived memory
result $? "after all these the right one gets in"

# Whether the receiver says so before long, and goes on.
told() { # PATTERN
	for _ in $(seq 100); do
		grep -q "$1" r.err && break
		sleep 0.1
	done
	grep -q "$1" r.err && kill -0 "$receiver"
}
stranger() { # OPTION...: what it sends is on standard input
	timeout -s KILL 20 openssl s_client -quiet -connect "$where" \
		"$@" >/dev/null 2>s.err
	sent=0
}
hello() { # VERSION: as an escape of printf
	# shellcheck disable=SC2059
	printf '\001\021\000\000\000virt-mig'"$1"'\000'"$1"'\000'
	printf '\000\000\000\000\001'
	sleep 1
}
start --listen 127.0.0.1:0 --tls-dir certs/good
stranger -CAfile certs/good/ca-cert.pem </dev/null
told 'refused: .*no certificate'
result $? "no certificate is refused"
stranger -CAfile certs/good/ca-cert.pem -cert certs/expired/client-cert.pem \
	-key certs/expired/client-key.pem </dev/null
told 'refused: .*expired'
result $? "an expired certificate is refused"
stranger -cert certs/good/server-cert.pem -key certs/good/server-key.pem \
	</dev/null
told "refused: .*certificate.*purpose"
result $? "a server's certificate is no client's"
hello '\011' | stranger -cert certs/good/client-cert.pem \
	-key certs/good/client-key.pem
grep -q 'refused: .*versions 9 to 9 of the protocol, this end 4 to 4' r.err &&
	kill -0 $receiver
result $? "a sender of another version is refused"
kill -INT "$(pid_of $receiver)"
wait_receiver

free_port() {
	start --listen 127.0.0.1:0
	kill -INT "$(pid_of $receiver)"
	wait_receiver
	port=${where##*:}
}
serve() { # FOLDER FILE: answers a sender, with what is in the file
	timeout -s KILL 30 openssl s_server -quiet -accept "127.0.0.1:$port" \
		-naccept 1 -cert "certs/$1/server-cert.pem" \
		-key "certs/$1/server-key.pem" <"$2" >/dev/null 2>&1 &
	server=$!
	sleep 1
}
free_port
received=0
: >r.err
serve foreign /dev/null
send memory "127.0.0.1:$port" --tls-dir certs/good
wait $server
[ $sent -eq 3 ] && grep -q 'IP address mismatch' s.err
result $? "a receiver of another name is refused"
serve expired /dev/null
send memory "127.0.0.1:$port" --tls-dir certs/good
wait $server
[ $sent -eq 3 ] && grep -q "other end's certificate: certificate has expired" s.err
result $? "an expired receiver is refused"
mkfifo fifo
(
	sleep 2
	hello '\010'
	sleep 2
) >fifo &
serve good fifo
send memory "127.0.0.1:$port" --tls-dir certs/good
wait $server
[ $sent -eq 6 ] && grep -q 'versions 8 to 8' s.err && [ "$(said s.err)" -eq 1 ]
result $? "a receiver of another version: status 6"

mkdir none
start --listen 0.0.0.0:0 --tls-dir none
wait_receiver
sent=0
[ $received -eq 3 ] && grep -q 'none/ca-cert.pem' r.err
result $? "off this host it does not even listen without certificates"
send memory 192.0.2.1 --tls-dir none
[ $sent -eq 3 ] && grep -q 'none/ca-cert.pem' s.err
result $? "nor connect"

usage() { # ARGUMENT...
	"$virt_mig" "$@" >s.out 2>s.err
	sent=$?
	[ $sent -eq 2 ] && [ -s s.err ]
}
usage send memory && usage send memory host:99999 &&
	usage send --effort fixed:none memory host &&
	usage send --codec zstd:20 memory host &&
	usage send --bandwidth 12X memory host && usage send --nonsense &&
	usage receive && usage receive --output x y &&
	usage receive --output x --threads 0 &&
	usage receive --output x --progress odd
result $? "wrong arguments: status 2"
"$virt_mig" send --help >s.out && grep -q 'max  ' s.out &&
	"$virt_mig" receive --help >s.out && grep -q 'tls-dir' s.out
result $? "--help"

tests_end
