# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook that boots an image, with an AMI whose disk is one boot sector."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.boot_sectors import talking_sector
from tests.integration.module_runs import CHECKOUT
from tests.lab_fixture import RunningLab

BLOCK = 512 * 1024


@pytest.fixture
def talking_ami(lab: RunningLab) -> Iterator[str]:
    """An AMI that prints a login prompt, with the tag that builds of the collection have."""
    ebs, ec2 = lab.client("ebs"), lab.client("ec2")
    data = talking_sector("talking login: ").ljust(BLOCK, b"\0")
    snapshot_id = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    ebs.put_snapshot_block(
        SnapshotId=snapshot_id,
        BlockIndex=0,
        BlockData=data,
        DataLength=BLOCK,
        Checksum=base64.b64encode(hashlib.sha256(data).digest()).decode(),
        ChecksumAlgorithm="SHA256",
    )
    ebs.complete_snapshot(SnapshotId=snapshot_id, ChangedBlocksCount=1)
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot_id], WaiterConfig={"Delay": 1})
    image_id: str = ec2.register_image(
        Name="talking",
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}],
        TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "bakehouse:build-id", "Value": "0" * 16}]}],
    )["ImageId"]
    yield image_id
    ec2.deregister_image(ImageId=image_id)
    ec2.delete_snapshot(SnapshotId=snapshot_id)


def play(lab: RunningLab, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the playbook; its temporary folder is made in C(folder)."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    env = {**os.environ, **lab.env, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "TMPDIR": str(scratch)}
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", *arguments, "bakehouse.images.boot"]
    done = subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True, timeout=900)
    print(done.stdout, done.stderr)  # shown by pytest when the test fails
    return done


@pytest.mark.parametrize("named", [[], ["-e", "boot_image_name=talking"]], ids=["newest", "by name"])
def test_an_image_is_downloaded_booted_and_forgotten(
    talking_ami: str, lab: RunningLab, tmp_path: Path, named: list[str]
) -> None:
    done = play(lab, tmp_path, *named)

    assert done.returncode == 0
    assert f'{talking_ami} (talking) booted: \\"talking login:\\"' in done.stdout
    assert not list((tmp_path / "scratch").glob("bakehouse-boot-*"))


def test_an_image_that_does_not_exist_is_one_clear_error(lab: RunningLab, tmp_path: Path) -> None:
    done = play(lab, tmp_path, "-e", "boot_image_name=nothing-of-that-name")

    assert done.returncode != 0
    assert "nothing-of-that-name" in done.stdout + done.stderr
