# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""Growing file systems: how large they are, and making them fill what they lie in."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._disk.private_mounts import (
    in_private_mounts,
    mount_command,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, CommandFailed, Refused

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

EXT = ("ext2", "ext3", "ext4")
GROWABLE = EXT + ("xfs", "btrfs")

# e2fsck(8), EXIT CODE: errors were corrected, also where that would ask for a reboot (the file system is not mounted).
E2FSCK_FINE = (0, 1, 2, 3)


class Extents(t.NamedTuple):
    """What a file system's superblock says: its size, and the unit in which it grows."""

    size_bytes: int
    block_bytes: int


def filesystem_extents(runner: Runner, filesystem: str, path: str) -> Extents:
    """Read the size from the superblock: the file system need not be mounted, and is not written.

    Raises:
        Refused: no way to tell is known for this kind, or it spans several devices.
    """
    if filesystem in EXT:
        return _parse(runner, ["dumpe2fs", "-h", path], r"Block count:\s+(\d+)", r"Block size:\s+(\d+)")
    if filesystem == "xfs":
        argv = ["xfs_db", "-r", "-c", "sb 0", "-c", "print dblocks blocksize", path]
        return _parse(runner, argv, r"dblocks = (\d+)", r"blocksize = (\d+)")
    if filesystem == "btrfs":
        text = runner.run(["btrfs", "inspect-internal", "dump-super", path]).out
        if _number(r"num_devices\s+(\d+)", text, path) != 1:
            raise Refused("The btrfs on %s spans several devices, so it cannot be grown here." % path)
        block = _number(r"sectorsize\s+(\d+)", text, path)
        return Extents(_number(r"dev_item\.total_bytes\s+(\d+)", text, path), block)
    raise Refused(
        "%s holds %s, which cannot be grown here." % (path, filesystem),
        hint="Known are %s." % ", ".join(GROWABLE),
    )


def _parse(runner: Runner, argv: t.List[str], count: str, size: str) -> Extents:
    text = runner.run(argv).out
    block = _number(size, text, argv[-1])
    return Extents(_number(count, text, argv[-1]) * block, block)


def _number(pattern: str, text: str, path: str) -> int:
    """The number in the first line that is as the pattern says."""
    match = re.search(r"^\s*" + pattern, text, re.MULTILINE)
    if not match:
        raise BuildError("Cannot tell how large the file system on %s is: no line is like '%s'." % (path, pattern))
    return int(match.group(1))


def grow_filesystem(runner: Runner, filesystem: str, path: str) -> None:
    """Make an unmounted file system fill what it lies in.

    ext2 to 4 grow unmounted, after a full check. XFS and btrfs can only grow mounted: that happens in a mount namespace
    of a child process, where nothing else sees it.

    Raises:
        Refused: the file system has errors that only a human should repair.
        BuildError: the tool failed.
    """
    if filesystem in EXT:
        _check_ext(runner, path)
        runner.run(["resize2fs", path])
        return
    options, command = {
        "xfs": (["nouuid"], ["xfs_growfs", "-d"]),
        "btrfs": ([], ["btrfs", "filesystem", "resize", _btrfs_size(runner, path) if filesystem == "btrfs" else ""]),
    }[filesystem]

    def work(place: str) -> None:
        runner.run(mount_command(filesystem, path, place, ["rw"] + options))
        runner.run(command + [place])
        runner.run(["umount", place])

    in_private_mounts(work)


def _btrfs_size(runner: Runner, path: str) -> str:
    """C(max), said for the device: its number is 1 only where none was ever replaced."""
    text = runner.run(["btrfs", "inspect-internal", "dump-super", path]).out
    return "%d:max" % _number(r"dev_item\.devid\s+(\d+)", text, path)


def _check_ext(runner: Runner, path: str) -> None:
    """The check without which C(resize2fs) refuses; it also replays the journal of a snapshot of a running system."""
    done = runner.run(["e2fsck", "-f", "-p", path], check=False)
    if done.rc in E2FSCK_FINE:
        return
    said = (done.out + done.err).strip()
    failure = CommandFailed("e2fsck: %s" % said, argv=done.argv, rc=done.rc, stderr=said)
    raise Refused(
        "The file system on %s has errors that e2fsck does not correct by itself, so it is not grown: %s"
        % (path, said),
        hint="Repair the source of the image.",
    ) from failure


__all__ = ("GROWABLE", "Extents", "filesystem_extents", "grow_filesystem")
