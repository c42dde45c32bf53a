# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images are spread over build hosts evenly, and stay where they are."""

from __future__ import annotations

import collections
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_choice import choose, members, spread

from tests.unit.plugins.plugin_utils.inventories import variables_of

IMAGES = [f"image-{number}" for number in range(30)]
HOSTS = ["builder-a", "builder-b", "builder-c"]


def test_each_build_host_gets_its_share() -> None:
    assert set(collections.Counter(spread(IMAGES, HOSTS).values()).values()) == {10}
    assert collections.Counter(spread(IMAGES[:7], HOSTS).values()).most_common(1)[0][1] == 3
    for first in IMAGES:
        for second in set(IMAGES) - {first}:
            assert len(set(spread([first, second], HOSTS[:2]).values())) == 2, "two images use both of two hosts"


def test_the_order_of_names_does_not_count() -> None:
    assert spread(IMAGES, HOSTS) == spread(reversed(IMAGES), reversed(HOSTS))


def test_the_choice_is_the_same_in_the_next_release() -> None:
    assert spread(["web", "database", "cache"], ["one", "two"]) == {"database": "one", "web": "one", "cache": "two"}


@pytest.mark.parametrize("change", ["a build host comes", "a build host goes", "an image comes", "an image goes"])
def test_few_images_move_when_something_changes(change: str) -> None:
    before = spread(IMAGES, HOSTS)
    images, hosts = {
        "a build host comes": (IMAGES, [*HOSTS, "builder-d"]),
        "a build host goes": (IMAGES, HOSTS[:-1]),
        "an image comes": ([*IMAGES, "another"], HOSTS),
        "an image goes": (IMAGES[:-1], HOSTS),
    }[change]
    after = spread(images, hosts)
    moved = [image for image in IMAGES if image in after and after[image] != before[image] and before[image] in hosts]
    assert len(moved) <= len(IMAGES) // 2, moved


INVENTORY = {
    "images": {
        "vars": {"ansible_connection": "bakehouse.images.chroot", "bake_build_hosts": "builders"},
        "hosts": {
            **{name: {} for name in ("a", "b", "c", "d")},
            "elsewhere": {"bake_build_host": "one"},
            "alone": {"bake_build_hosts": ["one"]},
        },
    },
    "children": {"hosts": {"c": {}, "d": {}}},
    "depth_1": {"children": {"children": {}}},
    "builders": {"hosts": {"one": {}, "two": {}}},
    "empty": {},
}


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, t.Any]:
    return variables_of(tmp_path, INVENTORY)


def test_images_of_one_depth_are_spread_among_themselves(variables: dict[str, t.Any]) -> None:
    chosen = {image: choose(image, ["builders"], variables) for image in ("a", "b", "c", "d")}
    assert {chosen["a"], chosen["b"]} == {chosen["c"], chosen["d"]} == {"one", "two"}


def test_hosts_and_groups_are_named_together(variables: dict[str, t.Any]) -> None:
    assert members(["two", "builders", "localhost"], variables) == ["two", "one", "localhost"]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["bilders"], "bilders, which is no group and no host of this inventory. Did you mean builders?"),
        (["empty"], "the group empty, which has no hosts"),
        ([], "bake_build_hosts is empty"),
    ],
)
def test_names_without_a_host_are_refused(names: list[str], problem: str, variables: dict[str, t.Any]) -> None:
    with pytest.raises(Invalid, match=problem):
        members(names, variables)
