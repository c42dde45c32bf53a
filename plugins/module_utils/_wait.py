# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Bounded waiting, with the clock handed in so that tests need not wait."""

from __future__ import annotations

import random
import time
import typing as t

T = t.TypeVar("T")


class Clock(t.Protocol):
    """A monotonic clock in seconds, and a way to let time pass."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        raise NotImplementedError

    def sleep(self, seconds: float) -> None:
        """Let this many seconds pass."""
        raise NotImplementedError


class SystemClock:
    """The real clock."""

    def now(self) -> float:
        """See Clock.now."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See Clock.sleep."""
        time.sleep(seconds)


def poll(
    probe: t.Callable[[], t.Optional[T]],
    *,
    timeout_seconds: float,
    delay_seconds: float = 1.0,
    max_delay_seconds: t.Optional[float] = None,
    on_timeout: t.Callable[[float], Exception],
    clock: t.Optional[Clock] = None,
) -> T:
    """Call C(probe) until it returns something other than None, and return that.

    The delay between calls doubles from C(delay_seconds) up to C(max_delay_seconds) (by default it
    stays the same) and is shortened at random by up to a tenth, so that many waiters do not call in
    step. The last call is made when the time is up, never earlier. What the probe raises is raised.

    Args:
        timeout_seconds: how long to wait at most; 0 calls the probe once.
        on_timeout: makes the exception to raise, from the seconds that were waited.
    """
    ticking = clock or SystemClock()
    start = ticking.now()
    delay = delay_seconds
    while True:
        found = probe()
        if found is not None:
            return found
        waited = ticking.now() - start
        if waited >= timeout_seconds:
            raise on_timeout(waited)
        jittered = delay * random.uniform(0.9, 1.0)  # noqa: S311 - spreads load, guards nothing
        ticking.sleep(min(jittered, timeout_seconds - waited))
        delay = min(delay * 2, max_delay_seconds or delay_seconds)


__all__ = ("Clock", "SystemClock", "poll")
