# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the comparison with Packer: one lab, with sources that both build from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import run
from tests.integration.conftest import debian_tarball
from tests.integration.project import WAITING, Cloud
from tests.integration.source_image import register_source
from tests.lab_fixture import RunningLab, running_lab
from tests.leftovers import _nothing_left
from tests.packer.comparison import Comparison


@pytest.fixture(scope="session")
def xen_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A lab whose build host shows volumes as Xen disks: Packer finds no others."""
    with running_lab(tmp_path_factory.mktemp("lab") / "lab", "--instance-type", "t2.micro") as lab:
        yield lab


@pytest.fixture(scope="session")
def source(xen_lab: RunningLab, debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of an AMI with a Debian in its first partition."""
    cloud = Cloud(xen_lab.client("ec2"), xen_lab.dir)
    image = register_source(cloud, debian_tarball, tmp_path_factory.mktemp("source"))
    cloud.ec2.create_tags(Resources=[image], Tags=[{"Key": "Release", "Value": "bookworm"}])
    return image


@pytest.fixture(scope="session")
def whole_disk(xen_lab: RunningLab, debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of an AMI without partitions: its disk is one file system."""
    cloud = Cloud(xen_lab.client("ec2"), xen_lab.dir)
    root = tmp_path_factory.mktemp("root")
    with cloud.attached(size_gib=1) as volume:
        disk = str(volume.device.resolve())
        run("mkfs.ext4", "-q", "-F", "-L", "root", disk)
        run("mount", disk, str(root))
        try:
            run("tar", "-C", str(root), "-xf", str(debian_tarball))
        finally:
            run("umount", str(root))
        snapshot_id = cloud.ec2.create_snapshot(VolumeId=volume.volume_id)["SnapshotId"]
        cloud.ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot_id], WaiterConfig=WAITING)
    mapping = {"DeviceName": "/dev/sda", "Ebs": {"SnapshotId": snapshot_id, "DeleteOnTermination": True}}
    registered = {"Name": "whole-disk", "Architecture": "x86_64", "VirtualizationType": "hvm"}
    image: str = cloud.ec2.register_image(**registered, RootDeviceName="/dev/sda", BlockDeviceMappings=[mapping])[
        "ImageId"
    ]
    return image


@pytest.fixture
def comparison(xen_lab: RunningLab, source: str, debian_tarball: Path, tmp_path: Path) -> Iterator[Comparison]:
    """Both builders, in an empty folder."""
    xen_lab.api.reset()
    # An old Packer takes no endpoint from the environment, so templates name it.
    # Nor does it find a device where no disk is called as Xen's are. Other labs may use the first ones.
    device = next(path for path in (f"/dev/xvd{letter}" for letter in "ponmlkji") if not Path(path).exists())
    endpoint = xen_lab.env["AWS_ENDPOINT_URL"]
    given = {
        "DEVICE": device,
        "PKR_VAR_device": device,
        "ENDPOINT": endpoint,
        "PKR_VAR_endpoint": endpoint,
        "SOURCE": source,
        "PKR_VAR_ami": source,
        "TARBALL": str(debian_tarball),
    }
    comparison = Comparison(xen_lab, tmp_path, {**given, "PKR_VAR_region": xen_lab.region})
    yield comparison
    comparison.forget()
    left = comparison.leftovers()
    assert left == [], f"the builds left {left}"


__all__ = ("_nothing_left", "comparison", "debian_tarball", "source", "whole_disk", "xen_lab")
