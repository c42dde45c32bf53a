# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for what happens in another process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import typing as t
from collections.abc import Callable, Iterator

T = t.TypeVar("T")


def eventually(check: Callable[[], T], seconds: float = 60) -> T:
    """Wait until a check is true, and return its value; fail when the seconds are over."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.02)
    return value


class TimeIsUp(Exception):
    """A time limit is over."""


@contextlib.contextmanager
def time_limit(is_over: Callable[[], object]) -> Iterator[None]:
    """A limit as Ansible sets for tasks, by SIGALRM: it is over as soon as the check is true, and raises TimeIsUp."""

    def ring(_number: int, _frame: object) -> None:
        raise TimeIsUp

    def wait() -> None:
        try:
            eventually(is_over)
        finally:
            os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, ring)
    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        yield
    finally:
        waiting.join()
        signal.signal(signal.SIGALRM, before)
