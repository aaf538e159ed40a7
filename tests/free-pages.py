#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Moves a guest that takes and gives back memory all the time from one QEMU to
the next, again and again, through the relays, and compares all of its memory
after each time: free-pages.sh.
"""
import json
import os
import re
import socket
import subprocess
import sys
import time

build, work, backend, rounds, *words = sys.argv[1:]
# No multiple of 256 KiB: see qemu-odd.
RAM = (256 << 20) + 8192
QEMU = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2",
        "-m", "size=%dk" % (RAM >> 10), "-object",
        "memory-backend-%s,id=ram,size=%dk" % (backend, RAM >> 10),
        "-nodefaults", "-display", "none",
        "-no-reboot", "-kernel", work + "/vmlinuz", "-initrd", work + "/initrd",
        "-append", "console=ttyS0 quiet panic=1 no_timer_check "
        "mitigations=off rdinit=/init",
        "-chardev", "file,id=c,append=on,path=%s/serial" % work,
        "-serial", "chardev:c"]


class Qemu:
    """One QEMU and the socket that controls it."""

    def __init__(self, n, machine, *more):
        path = "%s/qmp%d" % (work, n)
        self.process = subprocess.Popen(
            QEMU + ["-machine", machine + ",memory-backend=ram", "-qmp",
                    "unix:%s,server=on,wait=off" % path, *more],
            stdin=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.1)
        self.lines = self.socket.makefile("r")
        self.lines.readline()
        self.do("qmp_capabilities")
        self.do("migrate-set-capabilities", capabilities=[
            {"capability": "return-path", "state": True}])

    def do(self, what, **arguments):
        self.socket.sendall(json.dumps(
            {"execute": what, "arguments": arguments}).encode())
        for line in self.lines:
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError("%s: %s" % (what, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]
        raise RuntimeError("%s: QEMU is gone" % what)

    def close(self):
        self.process.kill()
        self.process.wait()


def said():
    """How much the guest has done, and how much of it was wrong."""
    with open(work + "/serial", encoding="ascii", errors="replace") as f:
        text = f.read()
    if re.search("panic|Oops|BUG", text):
        raise RuntimeError("the guest's kernel is unhappy: " + text[-500:])
    found = re.findall(r"churn: done=(\d+) bad=(\d+)", text)
    return (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)


def wait_for(what, seconds=60):
    for _ in range(seconds * 20):
        if what():
            return
        time.sleep(0.05)
    raise RuntimeError("waited too long")


def move(n, source, machine):
    """Moves the guest; the QEMU where it is then, and what was said of it."""
    name = {k: "unix:%s/%s%d" % (work, k, n) for k in ("in", "out", "wire")}
    target = Qemu(n, machine, "-S", "-incoming", "defer")
    # Every other time with differences: what they are from must have arrived.
    for q in (source, target):
        q.do("migrate-set-capabilities", capabilities=[
            {"capability": "xbzrle", "state": n % 2 == 0}])
    target.do("migrate-incoming", uri=name["in"])
    receive = subprocess.Popen(
        [build + "/virt-mig", "relay-receive", "--listen", name["wire"],
         "--target", name["in"], "--progress", "none"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    wait_for(lambda: os.path.exists(name["wire"][5:]))
    send = subprocess.Popen(
        [build + "/virt-mig", "relay-send", "--listen", name["out"],
         name["wire"], "--effort", "fixed:lz4", "--bandwidth", "200M",
         "--progress", "none", "--format", "json"] + words,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    wait_for(lambda: os.path.exists(name["out"][5:]))
    source.do("migrate-set-parameters", **{"max-bandwidth": 1 << 40,
                                           "downtime-limit": 1000})
    source.do("migrate", uri=name["out"])
    end = time.time() + 6
    while True:
        m = source.do("query-migrate")
        if m["status"] in ("completed", "failed", "cancelled"):
            break
        if time.time() > end:  # it writes faster than it moves
            source.do("stop")
        time.sleep(0.1)
    out = json.loads(send.communicate(timeout=60)[0] or "{}")
    receive.wait(timeout=60)
    if m["status"] != "completed":
        raise RuntimeError(str(m))
    wait_for(lambda: target.do("query-migrate").get("status") == "completed")
    compare = subprocess.run(
        [build + "/tests/compare-guests", str(source.process.pid),
         str(target.process.pid), str(RAM)], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False)
    source.close()
    target.do("cont")
    return target, out, compare, m["ram"]["dirty-sync-count"]


def main():
    """Prints a line for each time."""
    dropped, failed = 0, 0
    source = Qemu(0, "pc")
    wait_for(lambda: said()[0] > 100)
    for n in range(1, int(rounds) + 1):
        before = said()[0]
        source, out, compare, passes = move(n, source, "pc")
        wait_for(lambda: said()[0] > before)
        time.sleep(1)
        bad = said()[1] > 0 or compare.returncode != 0
        failed += bad
        dropped += out["pages"]["free"]
        print("%d: %s; dropped %d, passes %d, wire %.1f MB, %s; bad %d; %s" % (
            n, "not ok" if bad else "ok", out["pages"]["free"], passes,
            out["wire_bytes"] / 1e6, out["guest"], said()[1],
            compare.stdout.decode().strip()), flush=True)
        if bad:
            break
    source.close()
    print("dropped %d" % dropped)
    sys.exit(failed > 0)


main()
