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


HERE = {"image_id": "ami-1", "fingerprint": "f1", "region": "eu-west-1"}
THERE = {"image_id": "ami-2", "fingerprint": "f2", "region": "us-east-1"}


def decided_in_regions(*images: dict[str, t.Any], **wish: t.Any) -> tuple[str, t.Any]:
    made = decide(Wish(name="web", fingerprint="f1", **wish), images)
    return made.decision, made.image


def test_an_image_that_is_in_one_region_is_not_built_for_another() -> None:
    assert decided_in_regions(HERE) == ("unchanged", HERE)


def test_another_image_in_another_region_is_refused_or_replaced_by_a_copy() -> None:
    with pytest.raises(Conflict, match="is taken by ami-2 in us-east-1, which was built from another definition"):
        decided_in_regions(HERE, THERE)
    assert decided_in_regions(HERE, THERE, replace=True) == ("unchanged", HERE)
    assert decided_in_regions(THERE, replace=True) == ("replace", THERE)


def test_a_foreign_image_in_any_region_is_refused() -> None:
    with pytest.raises(Conflict, match="is taken by ami-2 in us-east-1, which was not made by this collection"):
        decided_in_regions(HERE, {**THERE, "fingerprint": None}, replace=True)


def test_an_image_that_is_protected_is_not_replaced() -> None:
    with pytest.raises(Conflict, match="ami-2 in us-east-1, is protected against deregistration"):
        decided_in_regions({**THERE, "protected": True}, replace=True)
    assert decided_in_regions({**HERE, "protected": True}) == ("unchanged", {**HERE, "protected": True})
