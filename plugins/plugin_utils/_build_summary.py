# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What became of each image of a run, in one line each and as data."""

from __future__ import annotations

import typing as t

# What the role leaves in C(__bake_status), in the words of the summary.
WORDS = {
    "built": "built",
    "unchanged": "cached",
    "planned": "would be built",
    "failed": "failed",
    "skipped": "not built",
    "building": "ended without an image",
}


def summarize(name: str, facts: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What became of one image.

    Args:
        name: its host.
        facts: the host's variables that the role has set.
    """
    status = facts.get("__bake_status") or "building"
    error = (facts.get("__bake_error") or {}).get("msg") or ""
    reason = (facts.get("__bake_cache") or {}).get("reason") or ""
    image = facts.get("__bake_image") or {}
    return {
        "image": facts.get("bake_image_name") or name,
        "image_id": image.get("image_id") or "",
        "status": status,
        "reason": error or reason,
        "seconds": _seconds(facts),
        "fingerprint": (facts.get("__bake_identity") or {}).get("fingerprint") or "",
        "build_host": facts.get("__bake_build_host") or "",
        "throttled_calls": _record(facts).get("throttled_calls") or 0,
    }


def _record(facts: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    return (facts.get("__bake_progress") or {}).get("record") or {}


def _seconds(facts: t.Mapping[str, t.Any]) -> float | None:
    record = _record(facts)
    return round(record["ended"] - record["began"], 1) if "began" in record and "ended" in record else None


def line(name: str, result: t.Mapping[str, t.Any]) -> str:
    """One line for people."""
    words = WORDS.get(result["status"], result["status"])
    if result["status"] == "built" and result["seconds"] is not None:
        words += f" in {result['seconds']} s"
    throttled = _throttled(result["throttled_calls"])
    first = str(result["reason"]).strip().partition("\n")[0]
    if result["status"] == "skipped" and first:
        # The reason is a whole sentence, which begins with the word.
        return f"{name}: {first[0].lower()}{first[1:]}"
    more = "; ".join(filter(None, (first, throttled)))
    return f"{name}: {words}" + (f" ({more})" if more else "")


def _throttled(number: int) -> str:
    if not number:
        return ""
    return f"throttled {number} time{'' if number == 1 else 's'}"


__all__ = ("line", "summarize")
