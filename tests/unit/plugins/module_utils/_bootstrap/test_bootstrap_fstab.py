# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new machine mounts."""

from __future__ import annotations

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.fstab import fstab_line, fstab_text
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import TargetMount
from ansible_collections.bakehouse.images.plugins.module_utils._disk.fstab import FstabEntry, parse_fstab

UUID = "0b9d3f0e-6f7a-4a55-9d2b-0d5f1f6a7c11"


@pytest.mark.parametrize(
    ("mount_point", "filesystem", "options", "line"),
    [
        ("/", "ext4", "", f"UUID={UUID} / ext4 errors=remount-ro 0 1"),
        ("/", "ext4", "noatime", f"UUID={UUID} / ext4 noatime 0 1"),
        ("/", "xfs", "", f"UUID={UUID} / xfs defaults 0 0"),
        ("/", "btrfs", "subvol=@", f"UUID={UUID} / btrfs subvol=@ 0 0"),
        ("/var/log", "ext4", "", f"UUID={UUID} /var/log ext4 defaults 0 2"),
        ("/boot/efi", "vfat", "", f"UUID={UUID} /boot/efi vfat umask=0077 0 2"),
        ("", "swap", "", f"UUID={UUID} none swap sw 0 0"),
    ],
)
def test_a_file_system_is_named_by_uuid_with_the_options_and_the_check_of_its_type(
    mount_point: str, filesystem: str, options: str, line: str
) -> None:
    assert fstab_line(TargetMount("/dev/loop9p3", mount_point, filesystem, options, UUID)) == line


def test_a_mount_point_with_a_space_reads_back_as_it_was() -> None:
    mount = TargetMount("/dev/loop9p4", "/srv/my data", "xfs", "", UUID)

    text = fstab_text([mount])

    assert parse_fstab(text) == (FstabEntry(f"UUID={UUID}", "/srv/my data", "xfs"),)
