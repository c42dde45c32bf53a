# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Reading what a guest prints on its serial console."""

from __future__ import annotations

import codecs
import re
import typing as t

# Cursor movements and colours (ECMA-48), character sets, and other controls but tab and newline.
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78cM]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")

# A line is never longer than this, so that what is searched again for each piece stays small.
OVERLAP_CHARACTERS = 4096

# How much of the console an error and a result show.
TAIL_LINES = 30


class Console:
    """What came so far, as text without terminal controls."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._raw = ""
        self._searched = 0
        self.text = ""

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._raw += self._decoder.decode(data)
        # An escape sequence may be cut in two: its beginning waits for the rest.
        cut = self._raw.rfind("\x1b", max(0, len(self._raw) - 16))
        ready, self._raw = (self._raw, "") if cut < 0 else (self._raw[:cut], self._raw[cut:])
        if cut >= 0 and CONTROLS.match(self._raw):
            ready, self._raw = ready + self._raw, ""
        # What is left of escapes begins no sequence that is known here.
        self.text += CONTROLS.sub("", ready).replace("\x1b", "")

    def find(self, patterns: t.Sequence[t.Pattern[str]]) -> t.Dict[int, str]:
        """Which patterns have newly appeared, by their numbers, and the line that each is in."""
        start = max(0, self._searched - OVERLAP_CHARACTERS)
        # From the beginning of a line, so that ^ means what it says.
        start = self.text.rfind("\n", 0, start) + 1
        self._searched = len(self.text)
        found = ((number, pattern.search(self.text, start)) for number, pattern in enumerate(patterns))
        return {number: line_around(self.text, match.start()) for number, match in found if match}

    def first(self, pattern: t.Pattern[str]) -> t.Optional[t.Tuple[str, bool]]:
        """The first line that the pattern is in, as far as it has come, and whether that is all of it."""
        match = pattern.search(self.text)
        if match is None:
            return None
        return line_around(self.text, match.start()), self.text.find("\n", match.start()) >= 0

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines that are not empty."""
        return "\n".join([line.rstrip() for line in self.text.splitlines() if line.strip()][-lines:])


def line_around(text: str, position: int) -> str:
    """The line that a position is in, without white space around it."""
    end = text.find("\n", position)
    return text[text.rfind("\n", 0, position) + 1 : end if end >= 0 else len(text)].strip()


__all__ = ("Console",)
