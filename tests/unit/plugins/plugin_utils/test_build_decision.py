# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an image is built is decided by what is there, and said with the reason."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_decision import Wish, decide

SAME = {"image_id": "/images/web.raw", "fingerprint": "f1"}
OTHER = {"image_id": "/images/web.raw", "fingerprint": "f2"}
FOREIGN = {"image_id": "/images/web.raw", "fingerprint": None}
EMPTY = {"image_id": "/images/web.raw", "fingerprint": None, "empty": True}
EXISTS = {"cache": "exists"}


def decided(image: dict[str, t.Any] | None, **wish: t.Any) -> tuple[str, str]:
    made = decide(Wish(name="web", fingerprint="f1", **wish), [image] if image else [])
    return made.decision, made.reason


@pytest.mark.parametrize(
    ("image", "wish", "decision", "reason"),
    [
        (None, {}, "build", "there is no image of this name"),
        (EMPTY, {}, "build", "its file is empty"),
        (SAME, {}, "unchanged", "it has the fingerprint of its definition"),
        (SAME, {"parent_built": True}, "unchanged", "it has the fingerprint of its definition"),
        (SAME, {"force": True}, "replace", "bake_force is true"),
        (OTHER, {"replace": True}, "replace", "its definition, its files or its source have changed"),
        (OTHER, {"force": True}, "replace", "bake_force is true"),
        # The rules of little-vm-helper.
        (None, EXISTS, "build", "there is no image of this name"),
        (OTHER, EXISTS, "unchanged", "it is there"),
        (FOREIGN, EXISTS, "unchanged", "it is there"),
        (EMPTY, EXISTS, "build", "its file is empty"),
        (OTHER, {**EXISTS, "force": True}, "replace", "bake_force is true"),
        (SAME, {**EXISTS, "parent_built": True}, "replace", "its parent was built"),
    ],
)
def test_what_is_there_decides(
    image: dict[str, t.Any] | None, wish: dict[str, t.Any], decision: str, reason: str
) -> None:
    assert decided(image, **wish) == (decision, reason)


@pytest.mark.parametrize(
    "wish", [{}, {"replace": True}, {"force": True}, {**EXISTS, "force": True}, {**EXISTS, "parent_built": True}]
)
def test_a_foreign_image_is_never_replaced(wish: dict[str, t.Any]) -> None:
    with pytest.raises(Conflict, match="was not made by this collection"):
        decided(FOREIGN, **wish)


def test_another_image_is_replaced_only_when_asked() -> None:
    with pytest.raises(Conflict, match="set bake_replace: true to replace it"):
        decided(OTHER)
