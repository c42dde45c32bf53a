# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Sizes of disks as little-vm-helper's tools take them: 8G, 512M, 1.5T; a number alone is bytes."""

from __future__ import annotations

import re
from fractions import Fraction

KIB = 1024
UNITS = {"": 1, "k": KIB, "m": KIB**2, "g": KIB**3, "t": KIB**4}
SIZE = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*((?P<unit>[kmgt])(ib)?)?", re.IGNORECASE)

SMALLEST = 1024 * KIB
LARGEST = 64 * KIB**4

DEFAULT = 8 * KIB**3


def parse_size(text: str) -> int:
    """Bytes.

    Raises:
        ValueError: with the reason, to be put after the text that was given.
    """
    if text.startswith(("+", "-")):
        raise ValueError("is relative to the parent's size. Give the size itself, such as 20G")
    found = SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError("is not a size. Sizes are numbers with K, M, G or T, such as 8G")
    size = Fraction(found["number"]) * UNITS[(found["unit"] or "").lower()]
    if size % KIB:
        raise ValueError("is not a whole number of KiB")
    if not SMALLEST <= size <= LARGEST:
        raise ValueError("is not between 1M and 64T")
    return int(size)


def format_size(size: int) -> str:
    """A whole number of KiB in the largest unit that it is a whole number of, such as 8GiB."""
    unit = next(unit for unit in ("t", "g", "m", "k") if size % UNITS[unit] == 0 or unit == "k")
    return f"{size // UNITS[unit]}{unit.upper()}iB"


__all__ = ("DEFAULT", "format_size", "parse_size")
