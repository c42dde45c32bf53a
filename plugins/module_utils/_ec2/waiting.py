# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.


"""Waiting for EC2, as a module's options ask for it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, poll

T = t.TypeVar("T")

# How rarely a state is looked at after a while, unless the user wants to look even less often.
MAX_DELAY_SECONDS = 15.0


@dataclass(frozen=True)
class Waiting:
    """How long to wait for a state, and how often to look; seconds."""

    enabled: bool = True
    timeout_seconds: float = 600
    delay_seconds: float = 1

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Waiting:
        """From a module's options."""
        return cls(params["wait"], params["wait_timeout"], params["wait_delay"])

    def until(
        self,
        probe: t.Callable[[], t.Optional[T]],
        *,
        on_timeout: t.Callable[[float], Exception],
        clock: t.Optional[Clock],
        max_delay_seconds: float = MAX_DELAY_SECONDS,
    ) -> T:
        """Look, less often as time goes by, until there is something other than None. See poll."""
        return poll(
            probe,
            timeout_seconds=self.timeout_seconds,
            delay_seconds=self.delay_seconds,
            max_delay_seconds=max(max_delay_seconds, self.delay_seconds),
            on_timeout=on_timeout,
            clock=clock,
        )


__all__ = ("Waiting",)
