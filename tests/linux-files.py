#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# show-guest RAM files | linux-files.py RAM DISK: every clean page of a file of
# the ext4 that DISK is must be what that file holds there.
import subprocess
import sys

ram = open(sys.argv[1], "rb")
disk = sys.argv[2]
contents = {}
pages = equal = 0

for line in sys.stdin:
    fs, device, _, inode, size, index, at = line.split()
    if fs != "ext4":
        continue
    if inode not in contents:
        dump = subprocess.run(
            ["debugfs", "-R", f"cat <{inode}>", disk], capture_output=True
        )
        contents[inode] = dump.stdout
    content = contents[inode]
    ram.seek(int(at))
    page = ram.read(4096)
    index = int(index)
    want = content[4096 * index : 4096 * index + 4096].ljust(4096, b"\0")
    pages += 1
    if page == want:
        equal += 1
    else:
        print(f"page {index} of inode {inode} ({size} bytes) differs")
print(f"{pages} clean pages of {len(contents)} files, {equal} equal")
sys.exit(pages < 3000 or equal != pages)
