# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifest holds what is known after each step, and is never seen half written."""

from __future__ import annotations

import json
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_record import manifest_of, next_record
from ansible_collections.bakehouse.images.plugins.plugin_utils._whole_file import write_json

NAMED = {"image_name": "web", "provider": "ec2"}


def after(*steps: str) -> dict[str, t.Any]:
    """The record after these steps, each of which took half a second."""
    record = next_record({}, "begin", 10.0, manifest="", details={})
    for number, step in enumerate(steps, 1):
        path, details = ("/web.json", NAMED) if number == 1 else ("", {})
        record = next_record(record, step, 10.0 + number / 2, manifest=path, details=details)
    return record


def test_a_build_under_way_says_what_it_knows() -> None:
    record = after("validate", "volume")
    facts = {"__bake_build_id": "f" * 16, "__bake_volume": {"volume_id": "vol-1"}, "__bake_image": {}, "other": 1}
    assert manifest_of(record, "volume", facts) == {
        "schema_version": 1,
        "status": "building",
        **NAMED,
        "build_id": "f" * 16,
        "volume": {"volume_id": "vol-1"},
        "last_step": "volume",
        "steps": [{"step": "validate", "seconds": 0.5}, {"step": "volume", "seconds": 0.5}],
        "throttled_calls": 0,
    }


def test_the_record_keeps_where_the_manifest_is() -> None:
    assert after("validate", "host", "source")["manifest"] == "/web.json"


def test_a_build_that_has_ended_says_only_what_it_ended_with() -> None:
    ended = {"status": "failed", "error": {"msg": "no"}, "image": {}}
    record = next_record(after("validate"), "finish", 11.0, manifest="", details=ended)
    manifest = manifest_of(record, "finish", {"__bake_volume": {"volume_id": "gone"}})
    assert (manifest["status"], manifest["image"], manifest["image_name"]) == ("failed", {}, "web")
    assert "volume" not in manifest


def test_throttled_calls_are_those_of_the_whole_build() -> None:
    record = next_record(after("validate"), "volume", 11.0, manifest="", details={}, throttled=3)
    assert manifest_of(record, "volume", {})["throttled_calls"] == 3
    ended = next_record(record, "finish", 12.0, manifest="", details={"status": "built"}, throttled=5)
    assert manifest_of(ended, "finish", {})["throttled_calls"] == 5


def test_readers_see_whole_manifests_only(tmp_path: Path) -> None:
    path = tmp_path / "web.json"
    write_json(path, {"number": 0, "text": ""})
    done = threading.Event()

    def write() -> None:
        for number in range(100):
            write_json(path, {"number": number, "text": "x" * 10000 * (number % 7)})
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        seen = json.loads(path.read_text(encoding="utf-8"))
        assert seen["text"] == "x" * 10000 * (seen["number"] % 7)
    writer.join()
    assert [one.name for one in tmp_path.iterdir()] == ["web.json"]


def test_what_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "web.json"
    write_json(path, {"number": 1})
    with pytest.raises(TypeError):
        write_json(path, {"number": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"number": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["web.json"]
