# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which mounts an image gets, from its fstab and from what its disk holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device, Filesystem, Partition
from ansible_collections.bakehouse.images.plugins.module_utils._disk.fstab import parse_fstab
from ansible_collections.bakehouse.images.plugins.module_utils._disk.roots import RootFilesystem
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.image_mounts import (
    check_mount_options,
    choose_image_mounts,
    parse_chroot_mounts,
)
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.mounts import Mount, split_options
from ansible_collections.bakehouse.images.plugins.module_utils._system_calls import MS_NOATIME, MS_RDONLY


def partition(number: int, filesystem: str, uuid: str, label: str | None = None, name: str | None = None) -> Partition:
    return Partition(
        number=number,
        path=f"/dev/nvme1n1p{number}",
        start_bytes=number << 20,
        size_bytes=1 << 20,
        type="0fc63daf-8483-4772-8e79-3d69d8477de4",
        name=name,
        uuid=f"part-{number}",
        filesystem=Filesystem(filesystem, label, uuid),
    )


DISK = Device(
    path="/dev/nvme1n1",
    kernel_name="nvme1n1",
    size_bytes=8 << 30,
    sector_size=512,
    read_only=False,
    partition_table="gpt",
    partitions=(
        partition(1, "ext4", "root-id", "cloudimg rootfs"),
        partition(14, "vfat", "ABCD-EF01", "UEFI", "esp"),
        partition(15, "ext4", "boot-id", "BOOT"),
        partition(16, "xfs", "var-id", name="variable"),
    ),
)


def root(fstab: str, filesystem: str = "ext4", subvolume: str | None = None) -> RootFilesystem:
    return RootFilesystem(
        path="/dev/nvme1n1p1",
        filesystem=filesystem,
        uuid="root-id",
        partition_number=1,
        subvolume=subvolume,
        fstab=parse_fstab(fstab),
        os_release={},
        device=replace(DISK, partitions=(partition(1, filesystem, "root-id", "cloudimg rootfs"), *DISK.partitions[1:])),
    )


ROOT = Mount("/dev/nvme1n1p1", "/", "ext4", "")
BOOT = Mount("/dev/nvme1n1p15", "/boot", "ext4", "")


@pytest.mark.parametrize(
    ("fstab", "expected"),
    [
        ("", [ROOT]),
        ("LABEL=cloudimg\\040rootfs / ext4 ro,discard 0 1", [ROOT]),
        ("UUID=boot-id /boot ext4 ro,noexec 0 2", [ROOT, BOOT]),
        ("LABEL=BOOT /boot auto defaults 0 2", [ROOT, BOOT]),
        ("PARTUUID=part-15 /boot ext4 defaults", [ROOT, BOOT]),
        ("/dev/disk/by-uuid/boot-id /boot ext4 defaults", [ROOT, BOOT]),
        ("/dev/sda15 /boot ext4 defaults", [ROOT, BOOT]),
        (
            "UUID=abcd-ef01 /boot/efi vfat umask=0077,shortname=winnt,ro 0 1\nUUID=boot-id /boot ext4 defaults",
            [ROOT, BOOT, Mount("/dev/nvme1n1p14", "/boot/efi", "vfat", "umask=0077,shortname=winnt")],
        ),
        ("PARTLABEL=variable /var xfs noatime", [ROOT, Mount("/dev/nvme1n1p16", "/var", "xfs", "nouuid")]),
        ("UUID=boot-id /boot ext4 noauto,defaults", [ROOT]),
        ("UUID=boot-id none swap sw\n/swapfile none swap sw", [ROOT]),
        ("tmpfs /tmp tmpfs size=1g\nserver:/x /net nfs4 defaults\nproc /proc proc defaults", [ROOT]),
        ("//server/x /mnt cifs _netdev\n/srv/a /srv/b none bind", [ROOT]),
        ("# UUID=boot-id /boot ext4 defaults\n\nnonsense", [ROOT]),
    ],
)
def test_what_is_mounted(fstab: str, expected: list[Mount]) -> None:
    chosen = choose_image_mounts(root(fstab))
    assert list(chosen.mounts) == expected
    assert chosen.warnings == ()


def test_the_users_options_are_for_the_root() -> None:
    chosen = choose_image_mounts(root("UUID=boot-id /boot ext4 defaults"), ["noatime", "data=journal"])
    assert [mount.options for mount in chosen.mounts] == ["noatime,data=journal", ""]


def test_xfs_is_mounted_beside_a_twin() -> None:
    assert choose_image_mounts(root("", "xfs")).mounts[0].options == "nouuid"
    assert choose_image_mounts(root("", "xfs"), ["nouuid"]).mounts[0].options == "nouuid"


def test_btrfs_subvolumes_and_compression_come_from_the_fstab() -> None:
    fstab = (
        "UUID=root-id / btrfs subvol=@,compress=zstd:1,ro,noatime 0 0\n"
        "UUID=root-id /home btrfs subvol=/@home,nodev 0 0\n"
    )
    chosen = choose_image_mounts(root(fstab, "btrfs", "@"))
    assert [mount.options for mount in chosen.mounts] == ["subvol=@,compress=zstd:1", "subvol=/@home"]
    assert choose_image_mounts(root(fstab, "btrfs", "@"), ["subvol=other"]).mounts[0].options.startswith("subvol=other")


def test_a_disk_that_is_not_there_is_told_of() -> None:
    chosen = choose_image_mounts(root("UUID=elsewhere /srv/data ext4 defaults\nLABEL=x /var/lib/x ext4 nofail"))
    assert list(chosen.mounts) == [ROOT]
    assert chosen.warnings[0].startswith(
        "The image's fstab mounts UUID=elsewhere on /srv/data, and /dev/nvme1n1 has no"
    )
    assert len(chosen.warnings) == 2


@pytest.mark.parametrize("point", ["/usr", "/var", "/boot", "/boot/efi", "/var/lib"])
def test_an_image_is_not_built_without_a_part_of_it(point: str) -> None:
    with pytest.raises(NotFound, match="Correct the image's fstab, or mark the entry nofail"):
        choose_image_mounts(root(f"UUID=elsewhere {point} ext4 defaults"))


def test_packers_mounts() -> None:
    mounts, problems = parse_chroot_mounts([["proc", "proc", "/proc"], ["bind", "/dev", "/dev"]])
    assert mounts == (Mount("proc", "/proc", "proc"), Mount("/dev", "/dev", "bind"))
    assert problems == []
    mounts, problems = parse_chroot_mounts([["proc", "proc"], ["bind", "/dev", "dev"], ["sysfs", "sysfs", "/sys"]])
    assert [mount.target for mount in mounts] == ["/sys"]
    assert [problem.partition(":")[0] for problem in problems] == ["chroot_mounts, entry 1", "chroot_mounts, entry 2"]


def test_one_option_at_a_time() -> None:
    assert check_mount_options(["noatime", "subvol=@"]) == []
    assert len(check_mount_options(["noatime,ro", " ro", ""])) == 3


@pytest.mark.parametrize(
    ("options", "flags", "data"),
    [
        ("", 0, ""),
        ("defaults,nofail,x-systemd.growfs,_netdev,comment=x", 0, ""),
        ("ro,noatime,rw", MS_NOATIME, ""),
        ("ro,mode=0755,size=10%", MS_RDONLY, "mode=0755,size=10%"),
    ],
)
def test_options_of_mount_as_the_kernel_takes_them(options: str, flags: int, data: str) -> None:
    assert split_options(options) == (flags, data)
