# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that has not even sorted its images is no build, unless it was not to run anything."""

from __future__ import annotations

import pytest
from ansible import context
from ansible.errors import AnsibleError
from ansible.module_utils.common.collections import ImmutableDict
from ansible.plugins.loader import lookup_loader


def looked_up(monkeypatch: pytest.MonkeyPatch, groups: dict[str, list[str]], **options: bool) -> list[str]:
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(options))
    plugin = lookup_loader.get("bakehouse.images.built_images")
    found: list[str] = plugin.run(["bake_images"], {"groups": groups})
    return found


def test_the_group_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked_up(monkeypatch, {"bake_images": ["web"]}) == ["bake_images"]


def test_without_it_nothing_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleError, match="No image was built, because --start-at-task"):
        looked_up(monkeypatch, {"all": ["web"]})


@pytest.mark.parametrize("option", ["syntax", "listtasks", "listhosts", "listtags"])
def test_what_only_looks_at_the_playbook_is_no_run(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    assert looked_up(monkeypatch, {}, **{option: True}) == ["all:!all"]
