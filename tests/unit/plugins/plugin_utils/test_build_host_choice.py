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
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_choice import (
    choose,
    members,
    place_of,
    place_problems,
    spread,
)

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


def local(parent: str | None = None, **more: t.Any) -> dict[str, t.Any]:
    """The variables of a local image."""
    return {"bake_provider": "local", "bake_source": {"parent": parent} if parent else {"scratch": {}}, **more}


# Two trees of three levels whose images would not all meet on one host if each were placed by itself.
FOREST: dict[str, t.Any] = {
    "images": {
        "vars": {"ansible_connection": "bakehouse.images.chroot", "bake_build_hosts": "builders"},
        "hosts": {
            "base": local(),
            "other": local(),
            **{f"web-{number}": local("base") for number in range(4)},
            "shop": local("{{ 'web-' ~ 3 }}"),
            "other-web": local("other"),
            "fixed": local(bake_build_host="three"),
            "below-fixed": local("fixed", bake_build_hosts=["builders", "three"]),
            "astray": local("base", bake_build_hosts="three"),
            "lost": local("unknown"),
            "circle-1": local("circle-2"),
            "circle-2": local("circle-1"),
            "cloud": {"bake_source": {"parent": "base"}},
        },
    },
    "depth_1": {"hosts": dict.fromkeys([*(f"web-{number}" for number in range(4)), "other-web", "below-fixed"], {})},
    "depth_2": {"hosts": {"shop": {}}},
    "builders": {"hosts": {"one": {}, "two": {}}},
    "others": {"hosts": {"three": {}}},
}


@pytest.fixture
def forest(tmp_path: Path) -> dict[str, t.Any]:
    return variables_of(tmp_path, FOREST)


def test_a_local_image_goes_where_the_file_of_its_parent_is(forest: dict[str, t.Any]) -> None:
    of_base = {choose(image, ["builders"], forest) for image in ("base", "web-0", "web-1", "web-2", "web-3", "shop")}
    of_other = {choose(image, ["builders"], forest) for image in ("other", "other-web")}
    assert len(of_base) == len(of_other) == 1
    assert choose("below-fixed", ["builders", "three"], forest) == "three"


def test_what_a_play_says_of_its_own_image_counts(forest: dict[str, t.Any]) -> None:
    task = {**forest, "inventory_hostname": "cloud", "bake_provider": "local", "bake_source": {"parent": "fixed"}}
    assert choose("cloud", ["builders", "three"], task | {"bake_build_hosts": ["builders", "three"]}) == "three"


def test_an_image_that_cannot_be_where_its_parent_is_is_refused(forest: dict[str, t.Any]) -> None:
    there = place_of("base", forest)
    with pytest.raises(Invalid, match=f"bake_build_hosts is three, but base, .* is built on {there}"):
        choose("astray", ["three"], forest)
    [problem] = place_problems("web-0", "three", forest)
    assert f"bake_build_host is three, but base, which this image is made from, is built on {there}" in problem
    assert place_problems("web-0", there, forest) == []
    assert place_problems("base", "three", forest) == []


@pytest.mark.parametrize("image", ["lost", "circle-1", "cloud"])
def test_without_a_parent_that_holds_it_an_image_is_placed_by_itself(image: str, forest: dict[str, t.Any]) -> None:
    assert choose(image, ["builders"], forest) in ("one", "two")
