# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limit of an API to how many calls it answers in a second: a token bucket, as EC2 has
(https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html)."""

from __future__ import annotations

import fnmatch

#: Which calls take a token, by service. Those of EC2's are many more than those that change something.
READING = {"ec2": "Describe*", "oapi": "Read*"}


class TokenBucket:
    """Holds so many tokens at most, full at first, and gets some back each second. Threads must take turns."""

    def __init__(self) -> None:
        self._tokens: float | None = None
        self._counted = 0.0

    def fill(self) -> None:
        self._tokens = None

    def take(self, now: float, *, per_second: float, burst: float) -> bool:
        """Whether there was a token to take.

        Args:
            now: seconds of a clock that never goes back.
            per_second: tokens that come back.
            burst: tokens that there are at most.
        """
        if self._tokens is None:
            self._tokens = burst
        else:
            self._tokens = min(burst, self._tokens + (now - self._counted) * per_second)
        self._counted = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def is_limited(service: str, action: str) -> bool:
    """Whether a call takes a token."""
    return service in READING and fnmatch.fnmatchcase(action, READING[service])


__all__ = ("READING", "TokenBucket", "is_limited")
