# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot sectors that talk: the smallest thing that boots."""

from __future__ import annotations

# xor ax, ax; mov ds, ax; mov si, 0x7c15; mov dx, 0x3f8; l: lodsb; test al, al; jz h; out dx, al; jmp l; h: hlt; jmp h
PRINTER = bytes.fromhex("31c08ed8be157cbaf803ac84c07403eeebf8f4ebfd")


def talking_sector(text: str) -> bytes:
    """A boot sector that prints a text on the first serial port and halts."""
    return (PRINTER + text.encode("ascii") + b"\0").ljust(510, b"\0") + b"\x55\xaa"
