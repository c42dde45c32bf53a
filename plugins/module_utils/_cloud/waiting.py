# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.


"""Waiting for a cloud, as a module's options ask for it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import Throttled
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound, WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, poll

T = t.TypeVar("T")

# How rarely a state is looked at after a while, unless the user wants to look even less often.
MAX_DELAY_SECONDS = 15.0


@dataclass(frozen=True)
class Waiting:
    """How long to wait for a state, and how often to look; seconds.

    C(most_seconds) is how rarely the user wants to look at most; None leaves that to what is waited for.
    """

    enabled: bool = True
    timeout_seconds: float = 600
    delay_seconds: float = 1
    most_seconds: t.Optional[float] = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Waiting:
        """From a module's options."""
        most = (params.get("access") or {}).get("poll_delay")
        return cls(params["wait"], params["wait_timeout"], params["wait_delay"], most)

    def until(
        self,
        probe: t.Callable[[], t.Optional[T]],
        *,
        on_timeout: t.Callable[[float], Exception],
        clock: t.Optional[Clock],
        max_delay_seconds: float = MAX_DELAY_SECONDS,
    ) -> T:
        """Look, less often as time goes by, until there is something other than None. See poll.

        That a cloud does not answer for being asked too often ends no wait: a wait has more time than a call.
        """

        answered: t.List[bool] = []
        throttled: t.List[Throttled] = []

        def patient() -> t.Optional[T]:
            try:
                found = probe()
            except Throttled as exc:
                throttled[:] = [exc]
                return None
            answered[:] = [True]
            return found

        def late(waited: float) -> Exception:
            # Whoever has seen nothing has nothing to say of it.
            return on_timeout(waited) if answered else _not_answered(throttled[-1], waited)

        most = self.most_seconds or max(max_delay_seconds, self.delay_seconds)
        return poll(
            patient,
            timeout_seconds=self.timeout_seconds,
            delay_seconds=min(self.delay_seconds, most),
            max_delay_seconds=most,
            on_timeout=late,
            clock=clock,
        )


def _not_answered(last: Throttled, waited_seconds: float) -> WaitTimeout:
    return WaitTimeout(
        "%s For %d seconds there was no other answer." % (last.message, waited_seconds),
        hint="Build fewer images at a time in this account, or raise wait_timeout.",
        **last.facts,
    )


def retry_missing(attempt: t.Callable[[], T], *, timeout_seconds: float, clock: t.Optional[Clock]) -> T:
    """Call C(attempt) again while it raises NotFound, for as long as its id may not have arrived everywhere."""
    last: t.List[NotFound] = []

    def probe() -> t.Optional[t.Tuple[T]]:
        try:
            return (attempt(),)
        except NotFound as exc:
            last[:] = [exc]
            return None

    return poll(
        probe,
        timeout_seconds=timeout_seconds,
        delay_seconds=1,
        max_delay_seconds=MAX_DELAY_SECONDS,
        on_timeout=lambda waited: last[0],
        clock=clock,
    )[0]


__all__ = ("Waiting", "retry_missing")
