# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build has left while EC2 goes on copying its image: not the copy's snapshots."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.builds import RemovalRequest, plan_removal
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.leftovers import find_leftovers

BUILD = "3f9c0a71d2b84e65"
TAGS = [{"Key": "bakehouse:build-id", "Value": BUILD}]


def answer_with_copies(ec2: t.Any) -> None:
    """A pending copy, another that has failed, a snapshot of each, and one of neither; no image lists its snapshots."""
    states = {"ami-0000000a": "pending", "ami-0000000b": "failed"}
    images = [
        {"ImageId": image_id, "Name": image_id, "State": state, "Tags": TAGS} for image_id, state in states.items()
    ]
    texts = {f"snap-{image_id}": f"Copied for DestinationAmi {image_id} from SourceAmi ami-1" for image_id in states}
    texts["snap-other"] = "Root volume of the image web"
    ec2.answer("DescribeImages", {"Images": images})
    ec2.answer("DescribeImages", {"Images": []})
    snapshots = [
        {"SnapshotId": name, "State": "pending", "Description": text, "Tags": TAGS} for name, text in texts.items()
    ]
    ec2.answer("DescribeSnapshots", {"Snapshots": snapshots})


def test_snapshots_of_a_copy_under_way_are_no_leftovers(ec2: t.Any) -> None:
    answer_with_copies(ec2)
    found = {one.id for one in find_leftovers(ec2.api, [BUILD])}
    assert found == {"ami-0000000b", "snap-ami-0000000b", "snap-other"}


def test_a_build_that_keeps_its_images_keeps_snapshots_of_copies_under_way(ec2: t.Any) -> None:
    answer_with_copies(ec2)
    removals = plan_removal(ec2.api, RemovalRequest(BUILD, keep_images=True))
    assert {one.resource_id for one in removals} == {"ami-0000000b", "snap-ami-0000000b", "snap-other"}


def test_a_build_that_keeps_nothing_removes_copies_under_way_too(ec2: t.Any) -> None:
    answer_with_copies(ec2)
    removals = plan_removal(ec2.api, RemovalRequest(BUILD))
    assert "snap-ami-0000000a" in {one.resource_id for one in removals}
