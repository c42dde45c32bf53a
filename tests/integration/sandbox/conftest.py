# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that sandboxes are opened on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.disks import Disk, loop_disk, mounted, run, unpack
from tests.integration.sandbox.sandboxes import Host

GPT = """label: gpt
size=1MiB, type=21686148-6449-6E6F-744E-656564454649
size=120MiB
-
"""


SIZE_MIB = 640


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path / "run" / "sandboxes")
    (tmp_path / "run").mkdir()
    yield host
    host.close_all()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def tree(scratch: Path, debian_tarball: Path) -> Path:
    """A Debian root file system in a directory."""
    place = scratch / "tree"
    place.mkdir()
    unpack(debian_tarball, place)
    return place


@pytest.fixture(scope="module")
def ext4_disk(scratch: Path, debian_tarball: Path) -> Iterator[Disk]:
    """GPT with a BIOS boot partition, /boot and the root; fstab names more than there is."""
    with loop_disk(scratch / "ext4.img", SIZE_MIB, GPT) as disk:
        run("mkfs.ext4", "-q", disk.partition(2))
        run("mkfs.ext4", "-q", "-L", "my root", disk.partition(3))
        fstab = (
            f"LABEL=my\\040root / ext4 errors=remount-ro,ro 0 1\n"
            f"UUID={disk.uuid(2)} /boot ext4 ro,noexec 0 2\n"
            "UUID=00000000-1111-2222-3333-444444444444 /srv/data ext4 defaults 0 2\n"
            "server:/export /net nfs defaults 0 0\n"
            "tmpfs /var/cache/memory tmpfs size=10m 0 0\n"
            "/dev/sdz3 none swap sw 0 0\n"
        )
        with mounted(scratch / "mnt", (disk.partition(3), "/", ""), (disk.partition(2), "/boot", "")) as place:
            unpack(debian_tarball, place, fstab)
        yield disk


@pytest.fixture(scope="module")
def xfs_disk(scratch: Path, debian_tarball: Path) -> Iterator[Disk]:
    """XFS on the whole device."""
    with loop_disk(scratch / "xfs.img", SIZE_MIB) as disk:
        run("mkfs.xfs", "-q", disk.path)
        with mounted(scratch / "mnt", (disk.path, "/", "")) as place:
            unpack(debian_tarball, place)
        yield disk


@pytest.fixture(scope="module")
def btrfs_disk(scratch: Path, debian_tarball: Path) -> Iterator[Disk]:
    """btrfs with the root and /home in subvolumes."""
    with loop_disk(scratch / "btrfs.img", SIZE_MIB) as disk:
        run("mkfs.btrfs", "-q", disk.path)
        with mounted(scratch / "mnt", (disk.path, "/", "")) as place:
            for name in ("@", "@home"):
                run("btrfs", "subvolume", "create", place / name)
            uuid = disk.uuid()
            fstab = f"UUID={uuid} / btrfs subvol=@,compress=zstd 0 0\nUUID={uuid} /home btrfs subvol=@home 0 0\n"
            unpack(debian_tarball, place / "@", fstab)
        yield disk
