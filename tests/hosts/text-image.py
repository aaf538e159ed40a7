#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""text-image.py FILE MB [other]
A disk image of the text pages that the guest of the tests has in memory (beat.c
text=MB); with 'other', of as many pages that look alike and are not them."""
import sys

WORD = (1 << 64) - 1


def mix(x):
    x ^= x >> 33
    x = x * 0xff51afd7ed558ccd & WORD
    x ^= x >> 33
    x = x * 0xc4ceb9fe1a85ec53 & WORD
    return x ^ x >> 33


def page(n, what):
    line = (f'page {n}: a {what} of text as a program has many, '
            f'{mix(n) & 0xfff:x} times over\n').encode()
    return (line * (4096 // len(line))).ljust(4096, b'\0')


with open(sys.argv[1], 'wb') as f:
    for n in range(int(sys.argv[2]) * 256):
        f.write(page(n, 'lime' if len(sys.argv) > 3 else 'line'))
