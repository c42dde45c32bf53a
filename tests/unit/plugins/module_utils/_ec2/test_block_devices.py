# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What EC2 takes as a volume or a mapping, and what it does not."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import (
    BlockDevice,
    mapping_problems,
    volume_problems,
)

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    "volume",
    [
        {"volume_type": None},
        {"volume_type": None, "size_gib": 1},
        {"volume_type": "gp2", "size_gib": 16384},
        {"volume_type": "gp3", "size_gib": 1, "iops": 3000, "throughput": 750},
        {"volume_type": "gp3", "size_gib": 200, "iops": 80000, "throughput": 2000},
        {"volume_type": "io1", "size_gib": 4, "iops": 200},
        {"volume_type": "io2", "size_gib": 4, "iops": 4000},
        {"volume_type": "io1", "iops": 64000},
        {"volume_type": "st1", "size_gib": 125},
        {"volume_type": "gp3", "encrypted": True, "kms_key_id": "1234abcd-12ab-34cd-56ef-1234567890ab"},
        {"volume_type": "gp3", "encrypted": True, "kms_key_id": "mrk-1234abcd12ab34cd56ef1234567890ab"},
        {"volume_type": "gp3", "encrypted": True, "kms_key_id": "alias/build/images_1"},
        {"volume_type": "gp3", "encrypted": True, "kms_key_id": KEY},
        {"volume_type": "gp3", "encrypted": True, "kms_key_id": "arn:aws-cn:kms::123456789012:alias/x"},
    ],
)
def test_a_volume_that_ec2_takes_has_no_problems(volume: dict[str, t.Any]) -> None:
    assert volume_problems(**volume) == []


@pytest.mark.parametrize(
    ("volume", "problem"),
    [
        ({"volume_type": "gp4"}, "volume_type 'gp4' is none of gp2, gp3, io1, io2, sc1, st1, standard."),
        ({"volume_type": "gp2", "size_gib": 0}, "size_gib 0: a gp2 volume has 1 to 16384 GiB."),
        ({"volume_type": "sc1", "size_gib": 124}, "size_gib 124: a sc1 volume has 125 to 16384 GiB."),
        ({"volume_type": "standard", "size_gib": 1025}, "size_gib 1025: a standard volume has 1 to 1024 GiB."),
        ({"volume_type": "io1", "size_gib": 8}, "iops is required for volume_type io1."),
        ({"volume_type": "gp2", "iops": 3000}, "iops cannot be set for volume_type gp2, only for gp3, io1 and io2."),
        ({"volume_type": None, "iops": 3000}, "iops cannot be set for volume_type gp2, only for gp3, io1 and io2."),
        ({"volume_type": "gp3", "iops": 2999}, "iops 2999: a gp3 volume has 3000 to 80000."),
        ({"volume_type": "io1", "iops": 99}, "iops 99: a io1 volume has 100 to 64000."),
        ({"volume_type": "io2", "iops": 256001}, "iops 256001: a io2 volume has 100 to 256000."),
        (
            {"volume_type": "io1", "size_gib": 8, "iops": 401},
            "iops 401: a io1 volume of 8 GiB has at most 400 (50 for each GiB).",
        ),
        (
            {"volume_type": "gp3", "size_gib": 8, "iops": 4001},
            "iops 4001: a gp3 volume of 8 GiB has at most 4000 (500 for each GiB).",
        ),
        ({"volume_type": "gp2", "throughput": 125}, "throughput can be set for volume_type gp3 only, not for gp2."),
        ({"volume_type": "gp3", "throughput": 124}, "throughput 124: a gp3 volume has 125 to 2000 MiB/s."),
        ({"volume_type": "gp3", "throughput": 751}, "throughput 751: with 3000 IOPS it is at most 750 MiB/s."),
        ({"volume_type": "gp3", "kms_key_id": "alias/x"}, "kms_key_id needs encrypted to be true."),
        (
            {"volume_type": "gp3", "encrypted": True, "kms_key_id": "my key"},
            "kms_key_id 'my key' is neither a key id, nor alias/NAME, nor the ARN of either.",
        ),
    ],
)
def test_a_volume_that_ec2_refuses_is_explained(volume: dict[str, t.Any], problem: str) -> None:
    assert volume_problems(**volume) == [problem]


def test_all_mistakes_are_reported_at_once() -> None:
    problems = volume_problems(
        volume_type="gp2", size_gib=0, iops=1, throughput=1, kms_key_id="alias/x", subject="/dev/sdb"
    )
    assert len(problems) == 4
    assert all(problem.startswith("/dev/sdb: ") for problem in problems)


def test_a_root_device_without_a_mapping_is_an_error() -> None:
    problems = mapping_problems([BlockDevice("/dev/sda1", snapshot_id="snap-1")], "/dev/xvda")
    assert problems == [
        "root_device_name is /dev/xvda, but there is a mapping only for /dev/sda1; "
        "the new snapshot would be used nowhere."
    ]


@pytest.mark.parametrize(
    ("devices", "problem"),
    [
        ([BlockDevice("/dev/sda1"), BlockDevice("/dev/sda1")], "/dev/sda1: mapped twice."),
        ([BlockDevice("/dev/sda1"), BlockDevice("/dev/sdb")], "/dev/sdb: give snapshot_id or size_gib, or both."),
        (
            [BlockDevice("/dev/sda1"), BlockDevice("", size_gib=1)],
            "block_device_mappings, entry 2: device_name is required.",
        ),
        ([BlockDevice("/dev/sda1", no_device=True)], "/dev/sda1: the root device must be an EBS volume."),
        (
            [BlockDevice("/dev/sda1"), BlockDevice("/dev/sdb", virtual_name="disk1")],
            "/dev/sdb: virtual_name 'disk1' is not ephemeral0, ephemeral1, ...",
        ),
    ],
)
def test_mappings_that_ec2_refuses_are_explained(devices: list[BlockDevice], problem: str) -> None:
    assert mapping_problems(devices, "/dev/sda1") == [problem]


@pytest.mark.parametrize(
    ("device", "sent"),
    [
        (
            BlockDevice(
                "/dev/sda1", snapshot_id="snap-1", encrypted=True, volume_type="gp3", iops=4000, throughput=200
            ),
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {
                    "SnapshotId": "snap-1",
                    "VolumeType": "gp3",
                    "Iops": 4000,
                    "Throughput": 200,
                    "DeleteOnTermination": False,
                },
            },
        ),
        (
            BlockDevice(
                "/dev/sdb", size_gib=5, encrypted=True, volume_type="gp2", iops=100, delete_on_termination=True
            ),
            {
                "DeviceName": "/dev/sdb",
                "Ebs": {"VolumeSize": 5, "VolumeType": "gp2", "Encrypted": True, "DeleteOnTermination": True},
            },
        ),
        (BlockDevice("/dev/sdc", virtual_name="ephemeral0"), {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral0"}),
        (BlockDevice("/dev/sdd", no_device=True), {"DeviceName": "/dev/sdd", "NoDevice": ""}),
    ],
)
def test_a_mapping_is_sent_in_the_form_that_register_image_takes(device: BlockDevice, sent: dict[str, t.Any]) -> None:
    assert device.to_api() == sent


def test_another_volume_type_does_not_keep_the_performance_of_the_old_one() -> None:
    device = BlockDevice("/dev/sda1", volume_type="io1", iops=400)
    assert device.retyped("gp3") == BlockDevice("/dev/sda1", volume_type="gp3")
    assert device.retyped("io1") is device
    assert device.retyped(None) is device
