# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which image a build starts from."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import BlockDevice
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.sources import (
    SourceRequest,
    check_usable,
    choose,
    filter_values,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, NotFound


def image(image_id: str = "ami-1", **values: t.Any) -> Image:
    root = BlockDevice("/dev/xvda", snapshot_id="snap-1")
    usual = {
        "name": "debian",
        "state": "available",
        "root_device_name": "/dev/xvda",
        "root_device_type": "ebs",
        "devices": (root,),
    }
    return Image(image_id, **{**usual, **values})


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("debian-12-*", ["debian-12-*"]),
        ("x86_64, arm64", ["x86_64", "arm64"]),
        ('"Debian, stable",other', ["Debian, stable", "other"]),
        (["a,b", "c"], ["a,b", "c"]),
        (True, ["true"]),
        ([False], ["false"]),
        (137112412989, ["137112412989"]),
        ("", []),
    ],
)
def test_a_filter_takes_text_with_commas_or_a_list(value: t.Any, values: list[str]) -> None:
    assert filter_values(value) == values


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (SourceRequest(), "Give image_id, or filters, or both"),
        (SourceRequest(image_id="debian"), "image_id 'debian' does not start with ami-."),
        (SourceRequest(filters={"name": ["x"]}), "filters without owners match the images of anyone"),
        (SourceRequest(filters={"name": []}, owners=["self"]), "filter name has no value."),
    ],
)
def test_a_source_that_is_not_described_well_is_refused(request_: SourceRequest, problem: str) -> None:
    (found,) = request_.problems()
    assert problem in found


@pytest.mark.parametrize(
    "request_",
    [
        SourceRequest(image_id="ami-1"),
        SourceRequest(filters={"name": ["x"]}, owners=["self"]),
        SourceRequest(filters={"name": ["x"], "owner-id": ["123456789012"]}),
        SourceRequest(image_id="ami-1", filters={"name": ["x"]}),
    ],
)
def test_a_source_with_an_id_or_an_owner_is_well_described(request_: SourceRequest) -> None:
    assert request_.problems() == []


def test_no_match_says_what_was_asked() -> None:
    request = SourceRequest(filters={"name": ["a*", "b"], "architecture": ["arm64"]}, owners=["self"])
    with pytest.raises(NotFound, match=r"No image in eu-west-1 matches: architecture=arm64; name=a\*,b; owners self"):
        choose([], request, "eu-west-1")


def test_several_matches_are_listed_newest_first() -> None:
    old, new = image("ami-1", creation_date="2025-01-01"), image("ami-2", creation_date="2026-01-01")
    request = SourceRequest(filters={"name": ["debian"]}, owners=["self"])
    with pytest.raises(Conflict) as caught:
        choose([old, new], request, "eu-west-1")
    assert "- ami-2 2026-01-01 debian\n- ami-1 2025-01-01 debian" in str(caught.value)
    assert caught.value.facts["image_ids"] == ["ami-2", "ami-1"]


def test_a_long_list_of_matches_ends_with_a_count() -> None:
    images = [image(f"ami-{number}") for number in range(25)]
    with pytest.raises(Conflict, match="- and 5 more"):
        choose(images, SourceRequest(filters={"name": ["debian"]}, owners=["self"]), "eu-west-1")


def test_most_recent_goes_by_the_creation_date() -> None:
    images = [image("ami-1", creation_date="2026-01-01"), image("ami-2", creation_date="2025-12-31")]
    request = SourceRequest(filters={"name": ["debian"]}, owners=["self"], most_recent=True)
    assert choose(images, request, "eu-west-1").image_id == "ami-1"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"state": "pending"}, "is in state pending."),
        ({"state": "failed", "state_reason": "bad"}, "is in state failed: bad."),
        ({"root_device_type": "instance-store"}, "only images backed by EBS can be built on"),
        ({"root_device_name": "/dev/sda1"}, "says that /dev/sda1 is its root device, but maps /dev/xvda."),
        ({"devices": (BlockDevice("/dev/xvda", size_gib=8),)}, "has no snapshot for its root device /dev/xvda."),
    ],
)
def test_an_image_that_cannot_be_built_on_is_refused(values: dict[str, t.Any], problem: str) -> None:
    with pytest.raises(Conflict) as caught:
        check_usable(image(**values))
    assert problem in str(caught.value)


def test_a_usual_image_can_be_built_on() -> None:
    check_usable(image())
