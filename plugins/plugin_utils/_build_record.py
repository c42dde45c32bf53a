# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The record of a build, and the manifest that is written from it as steps end."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

SCHEMA_VERSION = 1

#: What a build that is under way knows, and the fact that has it.
KNOWN = {
    "build_host": "__bake_build_host",
    "build_id": "__bake_build_id",
    "cache": "__bake_cache",
    "image": "__bake_image",
    "resumed": "__bake_resumed",
    "snapshot": "__bake_snapshot",
    "volume": "__bake_volume",
}

Record = Mapping[str, t.Any]


def next_record(
    earlier: Record, step: str, now: float, *, manifest: str, details: Record, throttled: int = 0
) -> dict[str, t.Any]:
    """The record after a step.

    Args:
        earlier: the record before it; empty begins a new one.
        manifest: the manifest's path, which the record keeps; empty leaves it as it was.
        throttled: how many calls of the build were throttled so far.
    """
    steps = [dict(one) for one in earlier.get("steps", [])]
    if earlier:
        steps.append({"step": step, "seconds": round(now - earlier.get("ended", now), 2)})
    return {
        "began": earlier.get("began", now),
        "ended": now,
        "steps": steps,
        "throttled_calls": throttled,
        "manifest": manifest or earlier.get("manifest", ""),
        "details": {**earlier.get("details", {}), **details},
    }


def manifest_of(record: Record, step: str, facts: Record) -> dict[str, t.Any]:
    """The manifest after a step. What the step says itself counts for more than the facts of the moment.

    Args:
        facts: the image's variables.
    """
    if "status" in record["details"]:
        known: dict[str, t.Any] = {}
    else:
        known = {"status": "building", **{key: facts[name] for key, name in KNOWN.items() if facts.get(name)}}
    return {
        "schema_version": SCHEMA_VERSION,
        **known,
        **record["details"],
        "last_step": step,
        "steps": record["steps"],
        "throttled_calls": record["throttled_calls"],
    }


__all__ = ("manifest_of", "next_record")
