# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""How many calls of an image's build were throttled, in all of its tasks: also in those that failed, and in those
whose result nobody keeps. The modules' results have the numbers; they add up in a note of the run."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.throttling import RESULT
from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import (
    forget_note,
    locked,
    read_note,
    write_note,
)

_SUBJECT = "throttled-calls"


def throttled_calls(result: t.Mapping[str, t.Any]) -> int:
    """The number in a module's result; 0 where it has none."""
    number = result.get(RESULT)
    return number if isinstance(number, int) else 0


def with_throttled(result: t.Mapping[str, t.Any], number: int) -> dict[str, t.Any]:
    """The result of a module that was run in pieces, with the number of all of them."""
    return {**result, RESULT: number} if number else dict(result)


def add_throttled(image: str, number: int) -> None:
    """Note that so many more calls were throttled for an image.

    Args:
        image: its host.
    """
    if not number:
        return
    # What cannot be noted is not told. It is no reason for a build to fail.
    with contextlib.suppress(OSError), locked(_SUBJECT, image):
        write_note(str(noted_throttled(image) + number), _SUBJECT, image)


def noted_throttled(image: str) -> int:
    """How many there were since the image's build began."""
    return int(read_note(_SUBJECT, image) or 0)


def forget_throttled(image: str) -> None:
    """Begin at 0."""
    forget_note(_SUBJECT, image)


__all__ = ("add_throttled", "forget_throttled", "noted_throttled", "throttled_calls", "with_throttled")
