# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sweep looks where the inventory's images are built."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._sweep_places import Places, places_of, usual_calls

CHROOT = {"ansible_connection": "bakehouse.images.chroot", "inventory_dir": "/inventory"}


def places(groups: dict[str, list[str]] | None = None, **hosts: dict[str, t.Any]) -> Places:
    every = {"all": list(hosts), **(groups or {})}
    return places_of({"groups": every, "hostvars": hosts})


def test_an_image_that_says_nothing_is_built_here_for_ec2() -> None:
    assert places(web=CHROOT, db=CHROOT) == Places(["localhost"], [], ["default"], usual_calls(["default"]))


def test_hosts_that_are_no_images_do_not_count() -> None:
    assert places(builder={"bake_region": "eu-west-1"}) == Places([], [], [], {})


def test_places_of_all_images_are_put_together() -> None:
    found = places(
        {"builders": ["b1", "b2"]},
        web={**CHROOT, "bake_build_hosts": ["builders"], "bake_region": "eu-west-1"},
        db={**CHROOT, "bake_build_host": "b1", "bake_region": "us-east-1"},
        disk={**CHROOT, "bake_provider": "local", "bake_output_directory": "/srv/images"},
        other={**CHROOT, "bake_provider": "local"},
        b1={},
        b2={},
    )
    regions = ["eu-west-1", "us-east-1"]
    assert found == Places(
        ["b1", "b2", "localhost"], ["/srv/images", "/inventory/images"], regions, usual_calls(regions)
    )


def test_regions_that_images_are_copied_to_are_looked_at_too() -> None:
    copied = {**CHROOT, "bake_region": "eu-west-1", "bake_image_regions": ["eu-west-3", "eu-west-1"]}
    assert places(web=copied).regions == ["eu-west-1", "eu-west-3"]


def test_a_region_is_looked_at_in_each_way_that_its_images_call_aws() -> None:
    ci, other = {"bake_aws_access": {"secret_key": "s3cret"}}, {"bake_aws_access": {"profile": "other"}}
    west = {**CHROOT, "bake_region": "eu-west-1"}
    images: dict[str, dict[str, t.Any]] = {
        "a": {**west, **ci},
        "b": {**west, **ci},
        "c": {**west, **other},
        "d": west,
        "e": {**CHROOT, **other},
    }
    found = places(None, **images)
    assert found.calls == {
        "eu-west-1": {"region": "eu-west-1", "image": "a"},
        "eu-west-1 as c": {"region": "eu-west-1", "image": "c"},
        "eu-west-1 as usual": {"region": "eu-west-1", "image": ""},
        "default": {"region": "default", "image": "e"},
    }
    assert found.regions == list(found.calls)
    assert "s3cret" not in str(found)
    variables = {"groups": {"all": list(images)}, "hostvars": images}
    given = places_of(variables, ["default", "us-east-1"])
    assert given.calls == {
        "default": {"region": "default", "image": "e"},
        "us-east-1": {"region": "us-east-1", "image": ""},
    }
    assert places_of(variables, ["eu-west-1"], own_access=["bake_aws_access"]).calls == usual_calls(["eu-west-1"])


def test_build_hosts_that_are_not_there_are_a_mistake() -> None:
    with pytest.raises(Invalid, match="bilders"):
        places(web={**CHROOT, "bake_build_hosts": ["bilders"]})


def test_images_for_outscale_have_regions_of_their_own() -> None:
    access = {"bake_outscale_access": {"profile": "ci"}}
    ours = {**CHROOT, "bake_provider": "outscale"}
    found = places(
        web=ours, db={**ours, "bake_region": "eu-west-2", **access}, other={**CHROOT, "bake_region": "eu-west-2"}
    )
    assert found.calls == {
        "outscale:default": {"region": "outscale:default", "image": ""},
        "outscale:eu-west-2": {"region": "outscale:eu-west-2", "image": "db"},
        "eu-west-2": {"region": "eu-west-2", "image": ""},
    }
    variables = {"groups": {"all": ["db"]}, "hostvars": {"db": {**ours, **access}}}
    own = places_of(variables, own_access=["bake_outscale_access"])
    assert own.calls == {"outscale:default": {"region": "outscale:default", "image": ""}}
