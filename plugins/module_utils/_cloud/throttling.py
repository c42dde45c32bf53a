# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""How many answers said that there were too many calls, counted where they arrive and shown in a module's result."""

from __future__ import annotations

import threading
import typing as t

# The result's name for the number.
RESULT = "throttled_calls"


class ThrottledCalls:
    """A count that threads may share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self._count += 1

    @property
    def count(self) -> int:
        """How many there were so far."""
        return self._count


class ThrottlingModule:
    """A base for modules that call a cloud's API: every result has the number, also that of a failure.

    Goes before the class that ends the module. Whoever connects counts in C(throttled).
    """

    def __init__(self, *args: t.Any, **settings: t.Any) -> None:
        # First of all: what is wrong with the options ends the module in the call below.
        self.throttled = ThrottledCalls()
        super().__init__(*args, **settings)

    def exit_json(self, **result: t.Any) -> t.NoReturn:
        """End the module with its result."""
        super().exit_json(**self._with_count(result))  # type: ignore[misc]
        raise AssertionError("exit_json returned")

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:
        """End the module with an error."""
        super().fail_json(msg=msg, **self._with_count(result))  # type: ignore[misc]
        raise AssertionError("fail_json returned")

    def _with_count(self, result: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        return dict(result, **{RESULT: self.throttled.count})


__all__ = ("RESULT", "ThrottledCalls", "ThrottlingModule")
