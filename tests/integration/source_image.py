# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AMI that tests and benchmarks build from: a real Debian, made without the collection."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

from tests.disks import mounted, run
from tests.integration.project import CHECKOUT, WAITING, Cloud
from tests.waiting import eventually

CACHE = CHECKOUT / ".cache" / "rootfs"
SOURCE = "debian-source"

# What the image brings that a build must not change: it is compared byte by byte afterwards.
RESOLV_CONF = "# the image's own\nnameserver 192.0.2.1\n"


def debian_root(name: str = "bookworm-python3", more: tuple[str, ...] = ()) -> Path:
    """A tarball of a minimal Debian with the Python that modules need, made once and kept until "make clean".

    Args:
        name: what the file is called, without its extension.
        more: further packages.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    tarball = CACHE / f"{name}.tar"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tarball.exists():
            unfinished = CACHE / "unfinished.tar"
            packages = "--include=" + ",".join(("python3", "ca-certificates", *more))
            patient = ("--quiet", '--aptopt=Acquire::Retries "8"', "--variant=minbase")
            subprocess.run(["mmdebstrap", *patient, packages, "bookworm", unfinished], check=True)
            unfinished.rename(tarball)
    return tarball


EXT4 = ("mkfs.ext4", "-q", "-L", "root")


def register_source(
    cloud: Cloud, tarball: Path, place: Path, *, name: str = SOURCE, mkfs: tuple[str, ...] = EXT4
) -> str:
    """Make an AMI (1 GiB, GPT, with one file system, labelled root), and return its id."""
    with cloud.attached(size_gib=1) as volume:
        disk = str(volume.device.resolve())
        run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", disk, stdin="label: gpt\n, +, L\n")
        run("partx", "--update", disk)
        partition = volume.partition(1)
        eventually(partition.exists)
        run(*mkfs, str(partition.resolve()))
        with mounted(str(partition.resolve()), place) as point:
            _fill(point, tarball)
        snapshot_id = cloud.ec2.create_snapshot(VolumeId=volume.volume_id)["SnapshotId"]
        cloud.ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot_id], WaiterConfig=WAITING)
    image: str = cloud.ec2.register_image(
        Name=name,
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/xvda",
        EnaSupport=True,
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id, "VolumeType": "gp3"}}],
    )["ImageId"]
    return image


def _fill(root: Path, tarball: Path) -> None:
    run("tar", "-C", str(root), "-xf", str(tarball))
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text(RESOLV_CONF)
    (root / "etc/fstab").write_text("LABEL=root / auto defaults 0 1\n")
    (root / "etc/hostname").write_text("image-host\n")


__all__ = ("EXT4", "RESOLV_CONF", "SOURCE", "debian_root", "register_source")
