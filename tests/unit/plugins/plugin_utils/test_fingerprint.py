# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fingerprint changes with what an image holds, and with nothing else."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._fingerprint import (
    chosen_tags,
    definition_digest,
    fingerprint,
)

BASE: dict[str, t.Any] = {
    "definition": {"bake_image_name": "web", "bake_provision": [{"role": "web"}]},
    "files": {"role/web/tasks/main.yml": "aa"},
    "variables": {"http_port": 80},
    "version": "0.1.0",
}


def test_the_same_definition_has_the_same_fingerprint() -> None:
    assert fingerprint(definition_digest(**BASE), "ami-1") == fingerprint(definition_digest(**BASE), "ami-1")
    assert len(fingerprint(definition_digest(**BASE), "ami-1")) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"definition": {**BASE["definition"], "bake_volume_size": 12}},
        {"files": {"role/web/tasks/main.yml": "ab"}},
        {"files": {**BASE["files"], "role/web/files/x": "cc"}},
        {"variables": {"http_port": 8080}},
        {"version": "0.1.1"},
    ],
)
def test_content_counts(change: dict[str, t.Any]) -> None:
    assert definition_digest(**{**BASE, **change}) != definition_digest(**BASE)


def test_the_source_counts() -> None:
    digest = definition_digest(**BASE)
    assert fingerprint(digest, "ami-1") != fingerprint(digest, "ami-2")


@pytest.mark.parametrize(
    "name", ["bake_replace", "bake_on_error", "bake_image_tags", "bake_build_host", "bake_manifest"]
)
def test_how_and_where_to_build_does_not_count(name: str) -> None:
    changed = {**BASE["definition"], name: "something"}
    assert definition_digest(**{**BASE, "definition": changed}) == definition_digest(**BASE)


@pytest.mark.parametrize(
    ("variables", "counted"),
    [
        ({"ansible_run_tags": ("all",), "ansible_skip_tags": ()}, {}),
        ({"ansible_run_tags": ["web", "db"], "ansible_skip_tags": []}, {"--tags": ["db", "web"]}),
        ({"ansible_run_tags": ["all"], "ansible_skip_tags": ["slow"]}, {"--skip-tags": ["slow"]}),
        ({"ansible_skip_tags": ["molecule-notest", "notest", "molecule-idempotence-notest"]}, {}),
    ],
)
def test_tags_that_leave_out_steps_count(variables: dict[str, t.Any], counted: dict[str, t.Any]) -> None:
    assert chosen_tags(variables) == counted
