# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole builds from other kinds of sources, and on other kinds of build hosts."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import run
from tests.integration.project import Cloud, Project, host_state
from tests.integration.source_image import RESOLV_CONF, SOURCE, register_source
from tests.lab_fixture import RunningLab, running_lab
from tests.waiting import eventually

# What the image looks like from within: size of its root in MiB, and what the root is on.
LOOK = "df -BM --output=size,fstype / | tail -n 1 > /etc/seen; findmnt -no SOURCE / >> /etc/seen"

XFS = "xfs-source"


@pytest.fixture
def xfs_source(cloud: Cloud, debian_tarball: Path, tmp_path: Path) -> Iterator[str]:
    """The id of an AMI whose root is XFS."""
    (tmp_path / "fill").mkdir()
    mkfs = ("mkfs.xfs", "-q", "-L", "root")
    yield register_source(cloud, debian_tarball, tmp_path / "fill", name=XFS, mkfs=mkfs)
    cloud.forget(XFS)


@contextlib.contextmanager
def seen(cloud: Cloud, image: dict[str, t.Any], mount_point: Path, options: str) -> Iterator[tuple[Path, str]]:
    """The root of an image and its UUID, from a volume of its own."""
    snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    with cloud.attached(snapshot_id=snapshot_id) as volume:
        path = volume.partition(1)
        eventually(path.exists)
        mount_point.mkdir(exist_ok=True)
        run("mount", "-o", options, str(path.resolve()), str(mount_point))
        try:
            yield mount_point, run("blkid", "-p", "-o", "value", "-s", "UUID", str(path.resolve())).strip()
        finally:
            run("umount", str(mount_point))


def made(cloud: Cloud, name: str) -> dict[str, t.Any]:
    image = cloud.image(name)
    assert image, f"there is no image {name}"
    return image


def tags_of(resource: dict[str, t.Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource["Tags"]}


def test_twins_of_a_mounted_xfs_grow_side_by_side_under_a_policy_that_asks_for_tags(
    project: Project, cloud: Cloud, lab: RunningLab, xfs_source: str, tmp_path: Path
) -> None:
    """Two builds from one source, while this machine has a third copy mounted, as one that was started from it has."""
    tags = {"Owner": "tests", "CostCenter": "4711"}
    names = ("xfs-a", "xfs-b")
    project.images(
        **{
            name: {
                "bake_image_name": name,
                "bake_source": xfs_source,
                "bake_volume_size": 2,
                "bake_image_tags": tags,
                "bake_volume_tags": tags,
                "bake_provision": [{"shell": LOOK}],
            }
            for name in names
        }
    )
    lab.api.set(required_tags=list(tags))
    with seen_source(cloud, lab, xfs_source, tmp_path / "host") as uuid:
        before = host_state()
        ran = project.build("--forks", "5")
        assert ran.rc == 0, ran
        assert host_state() == before
    assert lab.api.calls("CreateTags") == []
    lab.api.reset()

    for name in names:
        image = made(cloud, name)
        (snapshot,) = cloud.ec2.describe_snapshots(SnapshotIds=[image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]])[
            "Snapshots"
        ]
        assert snapshot["VolumeSize"] == 2
        assert tags.items() <= tags_of(image).items()
        assert tags.items() <= tags_of(snapshot).items()
        with seen(cloud, image, tmp_path / "mnt", "ro,norecovery") as (root, own):
            size, filesystem, source = (root / "etc/seen").read_text().split()
            assert own == uuid, "the image keeps the UUID of its root"
            assert filesystem == "xfs"
            assert int(size.rstrip("M")) > 1900, "the file system fills the larger volume"
            assert source.startswith("/dev/")
            assert (root / "etc/resolv.conf").read_text() == RESOLV_CONF
        cloud.forget(name)


@contextlib.contextmanager
def seen_source(cloud: Cloud, lab: RunningLab, image_id: str, mount_point: Path) -> Iterator[str]:
    """The source mounted on this machine; the volume for it is made by someone whom the policy does not bind."""
    image = cloud.ec2.describe_images(ImageIds=[image_id])["Images"][0]
    required = lab.api.settings()["required_tags"]
    lab.api.set(required_tags=[])
    with seen(cloud, image, mount_point, "rw") as (_root, uuid):
        lab.api.set(required_tags=required)
        yield uuid


def test_the_same_definition_builds_on_xen_beside_a_foreign_volume(debian_tarball: Path, tmp_path: Path) -> None:
    """Devices have other names there, and the first of them is taken; nothing in the definition says so."""
    with running_lab(tmp_path / "xen", "--instance-type", "t2.micro") as lab:
        cloud = Cloud(lab.client("ec2"), lab.dir)
        (tmp_path / "fill").mkdir()
        source = register_source(cloud, debian_tarball, tmp_path / "fill")
        snapshot_id = made(cloud, SOURCE)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        project = Project(tmp_path / "project", lab.env)
        project.folder.mkdir()
        image = {"bake_image_name": "web", "bake_source": source, "bake_volume_size": 2}
        project.images(web={**image, "bake_provision": [{"shell": LOOK}]})

        with cloud.attached(snapshot_id=snapshot_id, name="/dev/sdf") as foreign:
            before = digest(foreign.device)
            ran = project.build()
            assert ran.rc == 0, ran
            assert digest(foreign.device) == before

        assert cloud.leftovers() == []
        with cloud.mounted(made(cloud, "web"), tmp_path / "mnt") as root:
            size, filesystem, device = (root / "etc/seen").read_text().split()
        assert filesystem == "ext4"
        assert int(size.rstrip("M")) > 1800
        assert device.startswith("/dev/")


def digest(device: Path) -> str:
    """A hash of all that is on a device."""
    run("blockdev", "--flushbufs", str(device.resolve()))
    return run("sha256sum", str(device.resolve())).split()[0]
