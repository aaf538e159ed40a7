#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""capture-stream.py BOOT-SECTOR FOLDER [OPTION]...
Runs the boot sector in QEMU (or in $QEMU), migrates it, and keeps in FOLDER
what the source sent over its connections: 0, 1, ... in the order in which it
opened them.  At least three passes, unless the guest was stopped before.
Prints what QEMU says that it sent: "normal N duplicate N passes N"."""
import argparse
import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument('sector')
parser.add_argument('folder')
parser.add_argument('--caps', default='', help='capabilities, with commas')
parser.add_argument('--params', default='{}', help='parameters, as JSON')
parser.add_argument('--machine', default='pc')
parser.add_argument('--args', default='', help='more arguments for QEMU')
parser.add_argument('--qmp', default='[]', help='commands first, as JSON')
parser.add_argument('--destination', action='store_true',
                    help='migrate to another QEMU, not into files')
parser.add_argument('--postcopy', action='store_true',
                    help='turn to postcopy after the second pass')
parser.add_argument('--stopped', action='store_true')
parser.add_argument('--through', help='the virt-mig whose relays stand between '
                    'the two; what the destination heard is in out.0, ...')
parser.add_argument('--kill', choices=('relay-send', 'relay-receive'),
                    help='this one is killed in the second pass: the guest '
                    'must run on')
args = parser.parse_args()
CAPS = [{'capability': c, 'state': True}
        for c in args.caps.split(',') if c]
PARAMS = json.loads(args.params)


class Machine:
    """A QEMU and its monitor."""

    def __init__(self, name, *more):
        self.debug = name + '.debug'
        self.process = subprocess.Popen(
            shlex.split(os.environ.get('QEMU', 'qemu-system-x86_64')) +
            ['-machine', args.machine, '-accel', 'tcg', '-nodefaults',
             '-no-user-config', '-display', 'none', '-qmp', 'stdio',
             '-debugcon', 'file:' + self.debug, '-drive',
             'if=ide,format=raw,snapshot=on,file=' + args.sector] +
            (args.args if '-m ' in args.args
             else '-m size=65544k ' + args.args).split() + list(more),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        self.run('qmp_capabilities')

    def run(self, command, **arguments):
        self.process.stdin.write(json.dumps({'execute': command, 'arguments': {
            k.replace('_', '-'): v for k, v in arguments.items()}}) + '\n')
        self.process.stdin.flush()
        while True:
            answer = json.loads(self.process.stdout.readline())
            if 'error' in answer:
                sys.exit('%s: %s' % (command, answer['error']['desc']))
            if 'return' in answer:
                return answer['return']


def wait_until(what, condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    sys.exit('waited for too long: ' + what)


def pump(source, destination, keep):
    """Until the end of 'source', to 'destination' and into the file 'keep',
    which may be None.  If either breaks, both are over."""
    try:
        while True:
            data = source.recv(1 << 18)
            if not data:
                break
            if keep:
                keep.write(data)
                keep.flush()
            if destination:
                destination.sendall(data)
        if destination:
            destination.shutdown(socket.SHUT_WR)
    except OSError:
        for end in filter(None, (source, destination)):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def connect(name, path, prefix):
    """Waits at 'name'; takes one connection after the other; with a path, on
    to there."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen(16)
    threading.Thread(target=accept, args=(listener, path, prefix),
                     daemon=True).start()


def accept(listener, path, prefix):
    count = 0
    while True:
        source, _ = listener.accept()
        destination = None
        if path:
            destination = socket.socket(socket.AF_UNIX)
            destination.connect(path)
            threading.Thread(target=pump, args=(destination, source, None),
                             daemon=True).start()
        keep = open(prefix + str(count), 'wb')
        threading.Thread(target=pump, args=(source, destination, keep),
                         daemon=True).start()
        count += 1


def relay(verb, *words):
    """One end of virt-mig, which says in a file how it went."""
    path = os.path.abspath(words[1].split(':')[1])
    process = subprocess.Popen(
        [args.through, verb, *words, '--format', 'json', '--shadow-dir', '.'],
        stdin=subprocess.DEVNULL, stdout=open(verb + '.json', 'w'),
        stderr=open(verb + '.log', 'w'))
    wait_until(verb, lambda: os.path.exists(path))
    return process


args.sector = os.path.abspath(args.sector)
os.makedirs(args.folder)
os.chdir(args.folder)
machines = []
relays = {}
try:
    source = Machine('source')
    machines.append(source)
    for command in json.loads(args.qmp):
        source.run(command.pop('execute'), **command)
    if args.destination:
        destination = Machine('destination', '-S', '-incoming', 'defer')
        machines.append(destination)
        destination.run('migrate-set-capabilities', capabilities=CAPS)
        if PARAMS:
            destination.run('migrate-set-parameters', **PARAMS)
        destination.run('migrate-incoming', uri='unix:incoming')
    if args.through:
        connect('far', 'incoming', 'out.')
        relays['relay-receive'] = relay(
            'relay-receive', '--listen', 'unix:link', '--target', 'unix:far')
        relays['relay-send'] = relay(
            'relay-send', '--listen', 'unix:near', 'unix:link',
            '--effort', 'fixed:fast')
    connect('outgoing', 'near' if args.through else
            'incoming' if args.destination else None, '')

    wait_until('the guest', lambda: open(source.debug).read() == 'D')
    if args.stopped:
        source.run('stop')
    source.run('migrate-set-capabilities', capabilities=CAPS)
    source.run('migrate-set-parameters', max_bandwidth=40 << 20,
               downtime_limit=300 if args.stopped else 1, **PARAMS)
    source.run('migrate', uri='unix:outgoing')

    def passes():
        return source.run('query-migrate').get('ram', {}).get(
            'dirty-sync-count', 0)

    if args.postcopy:
        wait_until('the second pass', lambda: passes() >= 2)
        source.run('migrate-start-postcopy')
        if args.destination:
            wait_until('its beginning there', lambda: destination.run(
                'query-status')['status'] == 'paused')
            destination.run('cont')
    elif args.kill:
        wait_until('the second pass', lambda: passes() >= 2)
        relays[args.kill].kill()
    elif not args.stopped:
        wait_until('the third pass', lambda: passes() >= 3)
        source.run('migrate-set-parameters', downtime_limit=2000)
    wait_until('the end', lambda: source.run('query-migrate')['status'] in
               ('completed', 'failed'))
    state = source.run('query-migrate')
    if args.kill:
        wait_until('the guest', lambda: source.run('query-status')['running'])
        sys.exit(state['status'] != 'failed')
    if state['status'] != 'completed':
        sys.exit('the migration failed')
    if args.destination:
        wait_until('the destination', lambda: destination.run(
            'query-status')['status'] not in ('inmigrate', 'finish-migrate'))
    for name, process in relays.items():
        if process.wait(30) != 0:
            sys.exit(open(name + '.log').read())
    print('normal %d duplicate %d passes %d' % (
        state['ram']['normal'], state['ram']['duplicate'],
        state['ram']['dirty-sync-count']))
finally:
    for process in relays.values():
        process.kill()
        process.wait()
    for machine in machines:
        machine.process.kill()
        machine.process.wait()
