# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for what happens in another process."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable

T = t.TypeVar("T")


def eventually(check: Callable[[], T], seconds: float = 30) -> T:
    """Wait until a check is true, and return its value; fail when the seconds are over."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.02)
    return value
