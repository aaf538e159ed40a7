#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Search the text that is installed in this guest.

Reads Python's own library and the system's documentation, keeps which word
stands in which files (in memory) and every line (in SQLite, on the disk),
and answers GET /WORD with the lines that hold it.
"""

import glob
import gzip
import http.server
import re
import sqlite3
import sys

LIMIT = int(sys.argv[1]) << 20  # bytes of text to read
DATABASE = "/var/lib/library/lines.db"
PLACES = [
    "/usr/lib/python3*/**/*.py",
    "/usr/share/doc/**/*",
    "/usr/share/vim/vim*/**/*.vim",
]


def texts():
    """File name and content, until LIMIT bytes of text were read."""
    read = 0
    for place in PLACES:
        for name in sorted(glob.glob(place, recursive=True)):
            opener = gzip.open if name.endswith(".gz") else open
            try:
                with opener(name, "rt", encoding="utf-8") as f:
                    text = f.read()
            except (OSError, UnicodeDecodeError):
                continue
            yield name, text
            read += len(text)
            if read > LIMIT:
                return


def build():
    """Words to the files they stand in."""
    db = sqlite3.connect(DATABASE)
    db.execute("CREATE TABLE IF NOT EXISTS line (file, number, text)")
    db.execute("DELETE FROM line")
    words = {}
    for name, text in texts():
        for word in re.findall(r"\w{3,}", text):
            words.setdefault(word, set()).add(name)
        db.executemany(
            "INSERT INTO line VALUES (?, ?, ?)",
            ((name, n, s) for n, s in enumerate(text.split("\n")) if s),
        )
    db.execute("CREATE INDEX IF NOT EXISTS file ON line (file)")
    db.commit()
    return words, db


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /WORD: at most 1000 lines with that word."""

    def do_GET(self):  # the name is http.server's
        word = self.path.strip("/")
        lines = []
        for name in sorted(self.server.words.get(word, ()))[:50]:
            lines += self.server.db.execute(
                "SELECT file, number, text FROM line"
                " WHERE file = ? AND instr(text, ?) LIMIT 20",
                (name, word),
            ).fetchall()
        body = "".join(f"{f}:{n}: {t}\n" for f, n, t in lines).encode()
        self.send_response(200 if lines else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):  # the names are http.server's
        pass


server = http.server.HTTPServer(("127.0.0.1", 8000), Handler)
server.words, server.db = build()
server.serve_forever()
