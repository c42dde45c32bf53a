# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registering under a name that is taken: by ourselves, or by an image that is going."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import BlockDevice
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import Registration
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.registration import register

TAKEN = "InvalidAMIName.Duplicate"


def registration(ec2: t.Any) -> Registration:
    snapshot_id = ec2.client.create_snapshot(VolumeId=ec2.volume())["SnapshotId"]
    return Registration(
        name=f"web-{snapshot_id}",
        architecture="x86_64",
        virtualization_type="hvm",
        root_device_name="/dev/xvda",
        devices=(BlockDevice("/dev/xvda", snapshot_id=snapshot_id),),
        tags={"bakehouse:build-id": "3f9c0a71d2b84e65"},
    )


def answer_as_taken(ec2: t.Any, wanted: Registration, image_id: str) -> None:
    """The next registration is refused, and this image is listed."""
    tags = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]
    ec2.refuse("RegisterImage", TAKEN)
    listed = {"ImageId": image_id, "Name": wanted.name, "State": "available", "Tags": tags}
    ec2.answer("DescribeImages", {"Images": [listed]})


def test_an_image_that_this_build_has_registered_already_is_the_one(ec2: t.Any) -> None:
    wanted = registration(ec2)
    first = register(ec2.api, wanted)
    answer_as_taken(ec2, wanted, first)
    assert register(ec2.api, wanted) == first


def test_one_that_was_just_deregistered_and_is_still_listed_is_not(ec2: t.Any) -> None:
    wanted = registration(ec2)
    old = register(ec2.api, wanted)
    answer_as_taken(ec2, wanted, old)
    assert register(ec2.api, wanted, release_seconds=10, gone=old) != old
    assert ec2.count("RegisterImage") == 3
