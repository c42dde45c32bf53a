# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Moments as APIs write them."""

from __future__ import annotations

import datetime
import typing as t


def age_seconds(moment: t.Optional[str], now: t.Optional[datetime.datetime] = None) -> t.Optional[float]:
    """How long ago the API says that something was made. Clouds refuse calls of a machine whose clock is far off."""
    try:
        # Python 3.8 knows neither the letter for UTC nor an offset without a colon.
        text = str(moment).replace("Z", "+00:00")
        made = datetime.datetime.fromisoformat(text[:-2] + ":" + text[-2:] if text[-5:-4] in "+-" else text)
    except ValueError:
        return None
    if made.tzinfo is None:
        made = made.replace(tzinfo=datetime.timezone.utc)
    passed = (now or datetime.datetime.now(datetime.timezone.utc)) - made
    return max(0.0, passed.total_seconds())


__all__ = ("age_seconds",)
