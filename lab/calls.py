# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of API calls, for tests that count what was asked of the API."""

from __future__ import annotations

import re
import threading
import time
import typing as t
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass

#: Parameters whose values never reach the log.
SECRET = re.compile(r"(?i)(secret|password|token$|userdata|plaintext|ciphertext|^value$|signature)")
#: A client token is no secret, and tests want to see it.
PLAIN = re.compile(r"(?i)^(clienttoken|nexttoken|blocktoken|pagetoken)$")
#: How many calls are remembered.
KEPT = 20000


@dataclass(frozen=True)
class Call:
    """One API call. C(time) is in seconds since the epoch; C(status) the HTTP status, 0 for a closed connection."""

    time: float
    seconds: float
    service: str
    action: str
    region: str
    parameters: dict[str, str]
    status: int
    error: str


class CallLog:
    """Remembers the latest calls. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=KEPT)

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()

    def to_json(self) -> list[dict[str, t.Any]]:
        with self._lock:
            return [asdict(call) for call in self._calls]


def without_secrets(parameters: Mapping[str, str]) -> dict[str, str]:
    """Parameters fit for the log: secrets replaced, long texts cut."""
    return {key: _shown(key, value) for key, value in parameters.items()}


def _shown(key: str, value: str) -> str:
    name = key.rsplit(".", 1)[-1]
    if SECRET.search(name) and not PLAIN.match(name) and not re.match(r"(Filter|Tag|TagSpecification)\.", key):
        return "(hidden)"
    return value if len(value) <= 1000 else f"{value[:1000]}..."


def now() -> float:
    return time.time()
