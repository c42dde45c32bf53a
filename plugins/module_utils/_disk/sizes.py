# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""Sizes as people write them and as they are shown. One notation: powers of two, spelled out."""

from __future__ import annotations

import re
import typing as t

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

UNITS: t.Mapping[str, int] = {"KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB}


def parse_size(text: str) -> t.Optional[int]:
    """Bytes of C(512MiB), C(1.5GiB) and the like; None when it is not written that way."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(KiB|MiB|GiB|TiB)", text)
    return int(float(match.group(1)) * UNITS[match.group(2)]) if match else None


def parse_percent(text: str) -> t.Optional[float]:
    """The number of C(50%), greater than 0 and at most 100; None when it is not that."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text)
    return float(match.group(1)) if match and 0 < float(match.group(1)) <= 100 else None


def show_size(count: int) -> str:
    """Bytes in the largest unit of which there is at least one: C(1.5 GiB), C(512 MiB), C(100 bytes)."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if count >= UNITS[unit]:
            number = "%.1f" % (count / UNITS[unit])
            return "%s %s" % (number[:-2] if number.endswith(".0") else number, unit)
    return "%d bytes" % count


def align_down(count: int, step: int) -> int:
    """The largest multiple of C(step) that is not more."""
    return count - count % step


def align_up(count: int, step: int) -> int:
    """The smallest multiple of C(step) that is not less."""
    return align_down(count + step - 1, step)


__all__ = ("GIB", "KIB", "MIB", "TIB", "align_down", "align_up", "parse_percent", "parse_size", "show_size")
