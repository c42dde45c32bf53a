# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of an image, in one line."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_summary import line, summarize

RECORD = {"record": {"began": 10.0, "ended": 22.34}}
THROTTLED = {"record": {**RECORD["record"], "throttled_calls": 12}}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            {"__bake_status": "built", "__bake_progress": RECORD, "__bake_cache": {"reason": "its parent was built"}},
            "k8s: built in 12.3 s (its parent was built)",
        ),
        (
            {"__bake_status": "unchanged", "__bake_cache": {"reason": "nothing changed"}},
            "k8s: cached (nothing changed)",
        ),
        ({"__bake_status": "planned"}, "k8s: would be built"),
        ({"__bake_status": "failed", "__bake_error": {"msg": "No space.\nmore"}}, "k8s: failed (No space.)"),
        (
            {"__bake_status": "skipped", "__bake_error": {"msg": "Not built, because base has failed: no space"}},
            "k8s: not built, because base has failed: no space",
        ),
        (
            {"__bake_status": "built", "__bake_progress": THROTTLED},
            "k8s: built in 12.3 s (throttled 12 times)",
        ),
        (
            {"__bake_status": "failed", "__bake_progress": THROTTLED, "__bake_error": {"msg": "No space."}},
            "k8s: failed (No space.; throttled 12 times)",
        ),
        ({}, "k8s: ended without an image"),
    ],
)
def test_each_end_of_a_build_has_its_line(facts: dict[str, t.Any], said: str) -> None:
    assert line("k8s", summarize("k8s", facts)) == said


def test_the_result_holds_what_a_program_wants() -> None:
    facts = {
        "bake_image_name": "k8s.qcow2",
        "__bake_status": "built",
        "__bake_progress": RECORD,
        "__bake_image": {"image_id": "/srv/images/k8s.qcow2"},
        "__bake_identity": {"fingerprint": "f00"},
        "__bake_build_host": "builder",
    }
    assert summarize("k8s", facts) == {
        "image": "k8s.qcow2",
        "image_id": "/srv/images/k8s.qcow2",
        "status": "built",
        "reason": "",
        "seconds": 12.3,
        "fingerprint": "f00",
        "build_host": "builder",
        "throttled_calls": 0,
    }
    assert summarize("k8s", {**facts, "__bake_progress": THROTTLED})["throttled_calls"] == 12
