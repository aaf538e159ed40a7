#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Use the guest's programs as people would, then say on the console that
they are all up.  Any that does not answer is named there instead.
"""

import glob
import json
import os
import random
import socket
import time
import urllib.request

WAIT = 600  # seconds
WORDS = "socket buffer random thread decode version memory table".split()


def console(text):
    with open("/dev/ttyS0", "w") as tty:
        tty.write(f"\nvirt-mig guest: {text}\n")


def patiently(what):
    """Call what() until it works."""
    end = time.monotonic() + WAIT
    while True:
        try:
            return what()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def web(path):
    with urllib.request.urlopen(f"http://127.0.0.1:8080{path}") as answer:
        return answer.read()


def redis(sock, *words):
    parts = [w if isinstance(w, bytes) else w.encode() for w in words]
    sock.sendall(
        b"*%d\r\n" % len(parts)
        + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
    )
    return sock.recv(1 << 16)


def item():
    return {
        "id": random.getrandbits(40),
        "name": f"{random.choice(WORDS)} {random.choice(WORDS)}",
        "price": random.randrange(100, 99999) / 100,
        "count": random.randrange(1, 9),
    }


def use_search():
    """Ask through nginx; keep the answers and users' baskets in redis."""
    patiently(lambda: web("/search/socket"))
    cache = patiently(lambda: socket.create_connection(("127.0.0.1", 6379)))
    for word in WORDS:
        redis(cache, "SET", f"answer:{word}", web(f"/search/{word}"))
    for _ in range(1000):
        user = f"user:{random.getrandbits(64):016x}"
        redis(cache, "SET", user, json.dumps([item() for _ in range(20)]))
    if redis(cache, "DBSIZE") < b":1000":
        raise OSError("redis forgot what it was told")


def use_files():
    """Fetch what nginx serves from the disk, as a mirror would."""
    for name in sorted(glob.glob("/usr/share/doc/*/copyright"))[:60]:
        web(name.removeprefix("/usr/share"))


def use_editor():
    """vim has its files open."""

    def running():
        for comm in glob.glob("/proc/[0-9]*/comm"):
            with open(comm) as f:
                if f.read().strip() == "vim":
                    return
        raise OSError("vim is not running")

    patiently(running)


for step in use_search, use_files, use_editor:
    try:
        step()
    except OSError as e:
        console(f"{step.__name__} failed: {e}")
        raise SystemExit(1)
os.sync()
time.sleep(3)
console("all programs are up")
