# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build goes on only with what a dead build of the same image has left that nothing can change any more."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._life import Life, Verdict
from ansible_collections.bakehouse.images.plugins.plugin_utils._resume import find_resumable

BUILD = "f" * 16
TAGS = {"bakehouse:owner": "dead", "bakehouse:architecture": "x86_64", "bakehouse:boot-mode": "uefi"}
VOLUME: dict[str, t.Any] = {"volume_id": "vol-1", "build_id": BUILD, "ours": True, "tags": {"bakehouse:owner": "dead"}}
SNAPSHOT: dict[str, t.Any] = {
    "snapshot_id": "snap-1",
    "volume_id": "vol-1",
    "build_id": BUILD,
    "fingerprint": "f1",
    "state": "completed",
    "created": "2026-03-01T10:20:00.000Z",
    "ours": True,
    "tags": TAGS,
}


def judge(owner: str) -> Verdict:
    """Owners here say themselves how they are."""
    return Verdict(Life(owner or "unknown"), f"it is {owner}")


def resumed(snapshots: list[dict[str, t.Any]], volumes: list[dict[str, t.Any]]) -> str | None:
    """The snapshot that is gone on with."""
    found = find_resumable("f1", snapshots, volumes, judge)
    return str(found.snapshot["snapshot_id"]) if found else None


@pytest.mark.parametrize("state", ["pending", "completed"])
def test_a_snapshot_of_a_dead_build_is_gone_on_with(state: str) -> None:
    found = find_resumable("f1", [{**SNAPSHOT, "state": state}], [VOLUME], judge)
    assert found
    assert found.to_ansible() == {
        "build_id": BUILD,
        "snapshot_id": "snap-1",
        "volume": VOLUME,
        "architecture": "x86_64",
        "boot_mode": "uefi",
        "reason": f"the build {BUILD} has left its snapshot, and it is dead",
    }


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"fingerprint": "f2"}, "another definition, other files or another source"),
        ({"fingerprint": None}, "nobody knows what it was made from"),
        ({"state": "error"}, "it has failed"),
        ({"ours": False}, "of another image"),
        ({"volume_id": "vol-2"}, "its volume is gone: the build had ended, and its image was deregistered"),
        ({"build_id": "e" * 16}, "the volume is of another build"),
        ({"tags": {**TAGS, "bakehouse:owner": "alive"}}, "the other build is still at it"),
        ({"tags": {**TAGS, "bakehouse:owner": "unknown"}}, "it may be"),
        ({"tags": {key: TAGS[key] for key in TAGS if not key.endswith("owner")}}, "no owner is noted"),
        ({"tags": {"bakehouse:owner": "dead"}}, "it lacks what has to be known to register it"),
    ],
)
def test_what_is_not_proven_to_be_right_is_left_alone(changed: dict[str, t.Any], why: str) -> None:
    assert resumed([{**SNAPSHOT, **changed}], [VOLUME]) is None, why


def test_a_build_that_was_kept_for_a_look_is_left_alone() -> None:
    kept = {**VOLUME, "tags": {**VOLUME["tags"], "bakehouse:expires": "1792430000"}}
    assert resumed([SNAPSHOT], [kept]) is None


def test_of_several_the_newest_is_taken() -> None:
    other = {**SNAPSHOT, "snapshot_id": "snap-2", "volume_id": "vol-2", "build_id": "e" * 16}
    volumes = [VOLUME, {**VOLUME, "volume_id": "vol-2", "build_id": "e" * 16}]
    newer = {**other, "created": "2026-03-01T11:00:00.000Z"}
    older = {**other, "created": "2026-03-01T09:00:00.000Z"}
    assert resumed([SNAPSHOT, newer], volumes) == "snap-2"
    assert resumed([older, SNAPSHOT], volumes) == "snap-1"


def test_without_leftovers_there_is_nothing() -> None:
    assert resumed([], []) is None
