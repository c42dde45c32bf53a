# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which device an fstab's line means, and what its lines say."""

from __future__ import annotations

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device, Filesystem, Partition
from ansible_collections.bakehouse.images.plugins.module_utils._disk.fstab import (
    FstabEntry,
    find_source,
    parse_fstab,
)

FSTAB = """\
# /etc/fstab: static file system information.

UUID=1c9b4b0e-7c39-4f0e-9a55-6bde2d1f8a30 / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1
LABEL=EFI\\040PART\t/boot/efi vfat umask=0077 0 0
/dev/sda3 none swap sw
UUID=2 /home btrfs defaults,subvol=/@home,subvol=@h 0 0
broken
"""


def test_an_fstab_is_read_as_mount_reads_it() -> None:
    root, efi, swap, home = parse_fstab(FSTAB)
    assert root.options == ("rw", "discard", "errors=remount-ro", "x-systemd.growfs")
    assert (root.dump, root.pass_number) == (0, 1)
    assert efi == FstabEntry("LABEL=EFI PART", "/boot/efi", "vfat", ("umask=0077",))
    assert swap == FstabEntry("/dev/sda3", None, "swap", ("sw",))
    assert home.option("subvol") == "@h"
    assert home.option("compress") is None


DISK = Device(
    path="/dev/nvme1n1",
    kernel_name="nvme1n1",
    size_bytes=8 * 1024**3,
    sector_size=512,
    read_only=False,
    partition_table="gpt",
    partitions=(
        Partition(1, "/dev/nvme1n1p1", 1, 1, "x", "root", "aaaa-01", False, Filesystem("ext4", "rootfs", "abc-def")),
        Partition(15, "/dev/nvme1n1p15", 1, 1, "x", "EFI system", None, False, Filesystem("vfat", "UEFI", "AF56-BD8C")),
    ),
)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("UUID=ABC-DEF", "/dev/nvme1n1p1"),
        ('UUID="abc-def"', "/dev/nvme1n1p1"),
        ("LABEL=rootfs", "/dev/nvme1n1p1"),
        ("LABEL=ROOTFS", None),
        ("PARTUUID=AAAA-01", "/dev/nvme1n1p1"),
        ("PARTLABEL=EFI system", "/dev/nvme1n1p15"),
        ("/dev/disk/by-uuid/AF56-BD8C", "/dev/nvme1n1p15"),
        ("/dev/disk/by-partlabel/EFI\\x20system", "/dev/nvme1n1p15"),
        ("/dev/xvda1", "/dev/nvme1n1p1"),
        ("/dev/nvme0n1p15", "/dev/nvme1n1p15"),
        ("/dev/sda2", None),
        ("/dev/mapper/vg-root", None),
        ("UUID=of-another-disk", None),
        ("tmpfs", None),
    ],
)
def test_a_source_is_looked_up_in_the_device_only(source: str, path: str | None) -> None:
    assert find_source(DISK, source) == path


def test_a_device_without_partitions_goes_by_its_own_names() -> None:
    bare = Device("/dev/xvdf", "xvdf", 1, 512, False, filesystem=Filesystem("xfs", None, "abc"))
    assert find_source(bare, "UUID=abc") == "/dev/xvdf"
    assert find_source(bare, "/dev/sda1") is None
