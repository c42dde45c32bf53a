# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Client tokens: the same request twice is done once."""

from __future__ import annotations

import json
import threading
import typing as t
from collections.abc import Callable
from dataclasses import dataclass, field

Result = t.TypeVar("Result")


@dataclass
class _Entry:
    parameters: str
    done: threading.Event = field(default_factory=threading.Event)
    result: t.Any = None
    failed: bool = False


class TokenMismatch(Exception):
    """The token came with other parameters before."""


class ClientTokens:
    """Remembers what was answered to a client token, for as long as the lab runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, ...], _Entry] = {}

    def once(self, key: tuple[str, ...], parameters: t.Any, work: Callable[[], Result]) -> Result:
        """Do the work, or answer what it answered the first time. Those who come meanwhile wait for it.

        Args:
            key: account, region, action and token.
            parameters: the request's; another value under the same key is a mistake.

        Raises:
            TokenMismatch: the parameters differ from the first time.
        """
        text = json.dumps(parameters, sort_keys=True, default=str)
        with self._lock:
            entry = self._entries.get(key)
            first = entry is None or entry.failed
            if entry is None or entry.failed:
                entry = self._entries[key] = _Entry(text)
        if not first:
            if entry.parameters != text:
                raise TokenMismatch
            entry.done.wait()
            return self.once(key, parameters, work) if entry.failed else t.cast(Result, entry.result)
        try:
            entry.result = work()
        except BaseException:
            entry.failed = True  # nothing was done: the token may be used again
            raise
        finally:
            entry.done.set()
        return t.cast(Result, entry.result)
