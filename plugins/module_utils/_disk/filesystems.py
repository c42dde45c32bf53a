# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""Making file systems: one table of what each kind needs, so that an image's boot loader and kernel can read it."""

from __future__ import annotations

import re
import shutil
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import KIB, MIB
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._run import tool_environment

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# mkfs.vfat chooses FAT16 below 512 MiB; firmware is only bound to read FAT32 from a fixed disk's ESP (UEFI
# specification, 13.3.1.1). Below about 33 MiB, FAT32 has too few clusters to be valid.
FAT32_MIN_BYTES = 34 * MIB


@dataclass(frozen=True)
class Kind:
    """What is true of one kind of file system. C(min_bytes): below that, its mkfs refuses."""

    tool: str
    label_length: int
    min_bytes: int
    label_pattern: str = r"[^\x00-\x1f\x7f/]*"
    label_rule: str = "has no control characters and no slashes"


KINDS: t.Mapping[str, Kind] = {
    "ext4": Kind("mke2fs", 16, 1 * MIB),
    # mkfs.xfs has refused smaller ones since xfsprogs 5.19.
    "xfs": Kind("mkfs.xfs", 12, 300 * MIB, r"[^\x00-\x20\x7f/]*", "has no blanks, control characters or slashes"),
    "btrfs": Kind("mkfs.btrfs", 255, 114294784),
    "vfat": Kind("mkfs.vfat", 11, 64 * KIB, r"[A-Z0-9_ $%'@~`!(){}^#&-]*", "is in capitals and digits"),
    "swap": Kind("mkswap", 15, 40 * KIB),
}

# Mounted file systems: swap is not.
MOUNTABLE = ("ext4", "xfs", "btrfs", "vfat")


def label_problem(filesystem: str, label: str) -> t.Optional[str]:
    """What is wrong with a label, as the end of a sentence; None when nothing is."""
    kind = KINDS[filesystem]
    if len(label.encode("utf-8")) > kind.label_length:
        return "has at most %d bytes" % kind.label_length
    if not re.fullmatch(kind.label_pattern, label):
        return kind.label_rule
    return None


def require_tools(filesystems: t.Iterable[str]) -> None:
    """Raise NotFound, naming all of them, when tools to make these file systems are not installed."""
    path = tool_environment()["PATH"]
    wanted = sorted({KINDS[one].tool for one in filesystems})
    missing = [tool for tool in wanted if shutil.which(tool, path=path) is None]
    if missing:
        raise NotFound(
            "Not installed on this machine: %s." % ", ".join(missing),
            hint="They come with e2fsprogs, xfsprogs, btrfs-progs, dosfstools and util-linux.",
        )


def tool_version(runner: Runner, tool: str) -> t.Tuple[int, ...]:
    """The version that a tool prints for C(-V), as numbers; empty when it prints none."""
    done = runner.run([tool, "-V"], check=False)
    match = re.search(r"\b(\d+)\.(\d+)", done.out + done.err)
    return (int(match.group(1)), int(match.group(2))) if match else ()


def make_command(runner: Runner, filesystem: str, path: str, label: t.Optional[str], size_bytes: int) -> t.List[str]:
    """The command that makes a file system, by the version of its tool on this machine."""
    marks = {"ext4": _ext4, "xfs": _xfs, "btrfs": _btrfs, "vfat": _vfat, "swap": _swap}[filesystem]
    return marks(runner, label, size_bytes) + [path]


def _ext4(runner: Runner, label: t.Optional[str], size_bytes: int) -> t.List[str]:
    # GRUB 2.06 and older (Debian 12, RHEL 9) reads neither feature, and newer mke2fs turn them on.
    features = "^metadata_csum_seed,^orphan_file"
    if tool_version(runner, "mke2fs") < (1, 47):
        features = "^metadata_csum_seed"
    # -F: do not ask whether a whole device is meant. What is in use has been refused before.
    return ["mke2fs", "-q", "-F", "-t", "ext4", "-O", features] + (["-L", label] if label else [])


def _xfs(runner: Runner, label: t.Optional[str], size_bytes: int) -> t.List[str]:
    # Large extent counters need Linux 5.19 and GRUB 2.12 in the image; xfsprogs 6.5 turned them on.
    features = ["-i", "nrext64=0"] if tool_version(runner, "mkfs.xfs") >= (5, 19) else []
    return ["mkfs.xfs", "-q", "-f"] + features + (["-L", label] if label else [])


def _btrfs(runner: Runner, label: t.Optional[str], size_bytes: int) -> t.List[str]:
    return ["mkfs.btrfs", "-q", "-f"] + (["-L", label] if label else [])


def _vfat(runner: Runner, label: t.Optional[str], size_bytes: int) -> t.List[str]:
    width = ["-F", "32"] if size_bytes >= FAT32_MIN_BYTES else []
    # -I: a whole device is meant.
    return ["mkfs.vfat", "-I"] + width + (["-n", label] if label else [])


def _swap(runner: Runner, label: t.Optional[str], size_bytes: int) -> t.List[str]:
    return ["mkswap", "--force"] + (["--label", label] if label else [])


__all__ = ("KINDS", "MOUNTABLE", "Kind", "label_problem", "make_command", "require_tools", "tool_version")
