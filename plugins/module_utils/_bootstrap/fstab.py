# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The /etc/fstab of a new machine."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import TargetMount
from ansible_collections.bakehouse.images.plugins.module_utils._disk.fstab import escape

# By type: what is written when no options are asked for. An ext root goes read-only on errors, as Debian's and
# Ubuntu's installers write it; an ESP may hold random seeds, which nobody but root should read.
DEFAULT_OPTIONS = {"vfat": "umask=0077", "swap": "sw"}
DEFAULT_ROOT_OPTIONS = {"ext2": "errors=remount-ro", "ext3": "errors=remount-ro", "ext4": "errors=remount-ro"}

# Checked at boot by fsck(8). XFS and btrfs check themselves: fsck.xfs does nothing and btrfs(5) asks for 0.
CHECKED_AT_BOOT = ("ext2", "ext3", "ext4", "vfat")

HEADER = "# <file system> <mount point> <type> <options> <dump> <pass>"


def fstab_text(mounts: t.Sequence[TargetMount]) -> str:
    """The file, with every file system named by its UUID: device names differ between instance types."""
    return "\n".join([HEADER] + [fstab_line(mount) for mount in mounts]) + "\n"


def fstab_line(mount: TargetMount) -> str:
    """One line of the file."""
    is_root = mount.mount_point == "/"
    fallback = DEFAULT_ROOT_OPTIONS.get(mount.filesystem, "defaults") if is_root else "defaults"
    options = mount.options or DEFAULT_OPTIONS.get(mount.filesystem, fallback)
    order = fsck_pass(mount)
    return "UUID=%s %s %s %s 0 %d" % (
        mount.uuid,
        "none" if mount.is_swap else escape(mount.mount_point),
        mount.filesystem,
        options,
        order,
    )


def fsck_pass(mount: TargetMount) -> int:
    """The sixth field: 1 for the root, 2 for others, 0 for what is not checked at boot (fstab(5))."""
    if mount.filesystem not in CHECKED_AT_BOOT:
        return 0
    return 1 if mount.mount_point == "/" else 2


__all__ = ("fsck_pass", "fstab_line", "fstab_text")
