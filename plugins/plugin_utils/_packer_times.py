# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Times in templates, in the three notations that Packer's functions take."""

from __future__ import annotations

import datetime as dt
import re
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import as_seconds

# Go writes a layout as it writes one certain moment: Mon Jan 2 15:04:05 MST 2006.
LAYOUT = {
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "2006": "%Y",
    "06": "%y",
    "01": "%m",
    "02": "%d",
    "15": "%H",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "PM": "%p",
    "MST": "%Z",
    "Z0700": "Z",
    "Z07:00": "Z",
    "-0700": "%z",
}
LAYOUT_PIECE = re.compile("|".join(map(re.escape, sorted(LAYOUT, key=len, reverse=True))) + r"|\.0+|(?<!\d)[12](?!\d)")

# The letters of formatdate, by their number.
DATE = {
    "YYYY": "%Y",
    "YY": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "DD": "%d",
    "EEEE": "%A",
    "EEE": "%a",
    "HH": "%I",
    "hh": "%H",
    "mm": "%M",
    "ss": "%S",
    "AA": "%p",
    "ZZZZ": "+0000",
    "ZZZZZ": "+00:00",
    "ZZZ": "UTC",
    "Z": "Z",
}
DATE_PIECE = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*")
UNPADDED = {"M": "month", "D": "day", "h": "hour", "m": "minute", "s": "second"}


def moment_of(seconds: float) -> dt.datetime:
    """The moment, in UTC, to the second."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)


def timestamp_text(seconds: float) -> str:
    """The moment in RFC 3339."""
    return moment_of(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> dt.datetime:
    """The moment that a text in RFC 3339 names.

    Raises:
        ValueError: it names none.
    """
    if not re.match(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d", str(text)):
        raise ValueError(f"{text!r} is no time such as 2026-03-01T10:20:00Z")
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00").replace("z", "+00:00"))


def format_date(layout: str, moment: dt.datetime) -> str:
    """The moment in the notation of HCL's formatdate, such as C(YYYYMMDD)."""

    def piece(match: re.Match[str]) -> str:
        letters = match[0]
        if letters.startswith("'"):
            return letters[1:-1].replace("''", "'")
        if letters in DATE:
            return moment.strftime(DATE[letters])
        if letters == "H":
            return str(moment.hour % 12 or 12)
        if letters in UNPADDED:
            return str(getattr(moment, UNPADDED[letters]))
        raise ValueError(f"{letters!r} is no part of a date; words stand between single quotes")

    return DATE_PIECE.sub(piece, layout)


def format_layout(layout: str, seconds: float) -> str:
    """The moment in Go's notation, such as C(2006-01-02)."""
    moment = moment_of(seconds)
    if not layout:
        return timestamp_text(seconds)

    def piece(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith("."):
            return "." + "0" * (len(found) - 1)
        if found in "12":
            return str(moment.month if found == "1" else moment.day)
        return moment.strftime(LAYOUT[found])

    return LAYOUT_PIECE.sub(piece, layout)


def format_strftime(layout: str, seconds: float) -> str:
    """The moment in the notation of strftime."""
    return moment_of(seconds).strftime(layout)


def time_add(_library: t.Any, text: str, duration: str) -> str:
    """A moment and a duration later, or with a minus before it, earlier."""
    sign = -1 if duration.startswith("-") else 1
    moment = parse_time(text) + dt.timedelta(seconds=sign * as_seconds(duration.lstrip("-+")))
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ("format_date", "format_layout", "format_strftime", "moment_of", "parse_time", "time_add", "timestamp_text")
