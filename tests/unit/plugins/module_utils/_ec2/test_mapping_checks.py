# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mappings are looked at before the build, because EC2 refuses them only after it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.mapping_checks import require_mappings
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid


def problems(ec2: t.Any, *mappings: dict[str, t.Any], root: str | None = None) -> list[str]:
    with pytest.raises(Invalid) as caught:
        require_mappings(ec2.api, mappings, root_device_name=root, source_root="/dev/sda1")
    return caught.value.problems


def test_without_mappings_nothing_is_asked(ec2: t.Any) -> None:
    require_mappings(ec2.api, [], root_device_name=None)
    assert ec2.calls == []


def test_the_root_needs_neither_size_nor_snapshot(ec2: t.Any) -> None:
    mappings = [{"device_name": "/dev/sda1", "volume_type": "gp3"}, {"device_name": "/dev/sdf", "size_gib": "3"}]
    require_mappings(ec2.api, mappings, root_device_name=None, source_root="/dev/sda1")
    assert problems(ec2, *mappings, root="/dev/xvda") == ["/dev/sda1: give snapshot_id or size_gib, or both."]


def test_snapshots_must_be_there_complete_and_fit(ec2: t.Any) -> None:
    volume = ec2.volume(size_gib=2)
    snapshot = ec2.client.create_snapshot(VolumeId=volume)["SnapshotId"]
    require_mappings(ec2.api, [{"device_name": "/dev/sdf", "snapshot_id": snapshot}], root_device_name="/dev/sda1")
    found = problems(
        ec2,
        {"device_name": "/dev/sdf", "snapshot_id": snapshot, "size_gib": 1},
        {"device_name": "/dev/sdg", "snapshot_id": "snap-0123456789abcdef0"},
        {"device_name": "/dev/sdh"},
    )
    assert found[0] == "/dev/sdh: give snapshot_id or size_gib, or both."
    assert found[1] == f"/dev/sdf: size_gib is 1, and snapshot {snapshot} has 2 GiB."
    assert found[2].startswith("/dev/sdg: ")
    assert "snap-0123456789abcdef0" in found[2]

    ec2.answer("DescribeSnapshots", {"Snapshots": [{"SnapshotId": "snap-1", "State": "pending", "VolumeSize": 2}]})
    pending = problems(ec2, {"device_name": "/dev/sdf", "snapshot_id": "snap-1"})
    assert pending == ["/dev/sdf: snapshot snap-1 is pending."]
