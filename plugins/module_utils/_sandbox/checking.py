# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""After the unmount: is the device free, and are its file systems sound."""

from __future__ import annotations

import dataclasses
import errno
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# Read-only checks. e2fsck would ask, hence -n; each ends with 0 for a sound file system.
CHECKERS: t.Mapping[str, t.Tuple[str, ...]] = {
    "ext2": ("e2fsck", "-fn"),
    "ext3": ("e2fsck", "-fn"),
    "ext4": ("e2fsck", "-fn"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
    "vfat": ("fsck.vfat", "-n"),
}

# Of what a checker says, enough to see what is wrong.
OUTPUT_LINES = 20


@dataclasses.dataclass(frozen=True)
class Checked:
    """The result of one check.

    Args:
        ok: None when the build host has no checker for this file system.
        output: the end of what the checker said, when it found something.
    """

    device: str
    filesystem: str
    ok: t.Optional[bool]
    output: str = ""


def check_filesystem(runner: Runner, device: str, filesystem: str) -> Checked:
    """Check the file system on C(device), which is not mounted. Changes nothing."""
    command = CHECKERS.get(filesystem)
    if command is None:
        return Checked(device, filesystem, None, "No check is known for %s." % filesystem)
    try:
        done = runner.run([*command, device], check=False)
    except NotFound as exc:
        return Checked(device, filesystem, None, str(exc))
    if done.rc == 0:
        return Checked(device, filesystem, True)
    lines = (done.out + "\n" + done.err).strip().splitlines()
    return Checked(device, filesystem, False, "\n".join(lines[-OUTPUT_LINES:]))


def is_free(device: str) -> bool:
    """Whether nothing has the block device mounted or claimed, in any namespace: open(2), O_EXCL."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as exc:
        if exc.errno == errno.EBUSY:
            return False
        if exc.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM):
            return True  # it is gone altogether
        raise
    return True


def wait_until_free(device: str, timeout_seconds: float) -> None:
    """Wait until the kernel has let go of the device.

    Raises:
        Busy: it has not, in that time.
    """
    poll(
        lambda: is_free(device) or None,
        timeout_seconds=timeout_seconds,
        delay_seconds=0.01,
        max_delay_seconds=0.5,
        on_timeout=lambda waited: Busy(
            "%s is still in use %d s after its sandbox was closed." % (device, waited),
            hint="Another mount namespace holds it: 'grep -l %s /proc/*/mountinfo' finds it." % device,
        ),
    )


__all__ = ("Checked", "check_filesystem", "is_free", "wait_until_free")
