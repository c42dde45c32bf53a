# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clock of the lab: what takes time is over when it says so. Tests set it forward instead of waiting."""

from __future__ import annotations

import time


class Clock:
    """Seconds that only ever grow."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        return time.monotonic() + self._ahead

    def forward(self, seconds: float) -> None:
        """Have so many seconds pass at once."""
        self._ahead += seconds


#: The one that everything in this process goes by.
CLOCK = Clock()
