# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Finding the root file system of a device: by looking, not by its number."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import (
    AMBIVALENT,
    Device,
    Filesystem,
    require_idle,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.fstab import FstabEntry, parse_fstab
from ansible_collections.bakehouse.images.plugins.module_utils._disk.logical_volumes import PHYSICAL_VOLUME, OpenVolumes
from ansible_collections.bakehouse.images.plugins.module_utils._disk.nodes import with_partition_nodes
from ansible_collections.bakehouse.images.plugins.module_utils._disk.private_mounts import (
    LOOK_OPTIONS,
    in_private_mounts,
    mount_to_look,
)
from ansible_collections.bakehouse.images.plugins.module_utils._disk.tables import ROOT_TYPES
from ansible_collections.bakehouse.images.plugins.module_utils._disk.trees import Tree, inspect_tree
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, NotFound, Refused

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# Inside a partition rather than beside it: why nothing can be mounted from there.
CONTAINERS: t.Mapping[str, str] = {
    AMBIVALENT: "carries signatures of several file systems at once; 'wipefs' shows them",
    PHYSICAL_VOLUME: "an LVM physical volume, and logical volumes are not grown: leave the size of the disk as it is",
    "linux_raid_member": "a member of a RAID, which is not assembled",
    "crypto_LUKS": "encrypted (LUKS), and there is no key",
}

# Inode of a btrfs subvolume's own directory (BTRFS_FIRST_FREE_OBJECTID), and the id of the top level.
SUBVOLUME_INODE = 256
TOP_LEVEL = "subvolid=5"

# What installers call the root's subvolume, when several could be it (others are snapshots of it).
SUBVOLUME_NAMES = ("@", "root", "@rootfs")


@dataclass(frozen=True)
class RootFilesystem:
    """The root file system of a device.

    C(partition_number) is None when the file system fills the device. C(subvolume) is the btrfs subvolume to mount
    (path from the top level), or None for what a mount without options shows.
    """

    path: str
    filesystem: str
    uuid: t.Optional[str]
    partition_number: t.Optional[int]
    subvolume: t.Optional[str]
    fstab: t.Tuple[FstabEntry, ...]
    os_release: t.Mapping[str, str]
    device: Device


@dataclass(frozen=True)
class Candidate:
    """A file system that may be the root."""

    path: str
    filesystem: Filesystem
    number: t.Optional[int] = None
    type: t.Optional[str] = None
    volume: t.Optional[str] = None

    @property
    def title(self) -> str:
        """The candidate in an error: 'partition 2 (ext4)'."""
        where = "the whole device" if self.number is None else "partition %d" % self.number
        if self.volume:
            where = "logical volume %s" % self.volume
        return "%s (%s)" % (where, self.filesystem.type)


@dataclass(frozen=True)
class Seen:
    """What a look at a candidate has shown: a tree (of a subvolume), or why there is none."""

    candidate: Candidate
    tree: t.Optional[Tree] = None
    subvolume: t.Optional[str] = None
    trouble: t.Optional[str] = None

    @property
    def is_root(self) -> bool:
        """Whether the tree can be run."""
        return self.tree is not None and self.tree.is_root

    @property
    def line(self) -> str:
        """The finding, for an error."""
        title = self.candidate.title
        if self.subvolume:
            title += ", subvolume %s" % self.subvolume
        return "%s: %s" % (title, self.tree.verdict if self.tree else self.trouble)


Look = t.Callable[["Runner", t.Sequence[Candidate]], t.List[Seen]]


def find_root(
    runner: Runner,
    device: str,
    partition: t.Optional[int] = None,
    *,
    sys_root: str = "/sys",
    look: t.Optional[Look] = None,
    volumes: t.Optional[OpenVolumes] = None,
) -> RootFilesystem:
    """Find the file system that holds an operating system: os-release and a shell, whatever its place.

    Each file system of the device is mounted read-only, without replaying journals, in a mount namespace that nothing
    else sees. Type GUIDs of root partitions decide only between several file systems that all are a root.

    Args:
        device: path of the device, which must not be in use.
        partition: the number of the partition to take; 0 means the device itself. None: look at all of them.
        look: stands in for mounting, in tests.
        volumes: opens logical volumes, and keeps them open; without it, they are not looked at.

    Raises:
        NotFound: nothing there is a root; the error says what was found instead.
        Conflict: several are.
        Refused: a btrfs of the same id is mounted from another device.
        Busy: the device is in use.
    """
    found = with_partition_nodes(runner, device, sys_root=sys_root)
    require_idle(found.path, "look for a root file system on it")
    if volumes is not None:
        found = volumes.expand(runner, found)
    wanted, containers = candidates(found, partition)
    if volumes is not None:
        containers = [line for line in containers if CONTAINERS[PHYSICAL_VOLUME] not in line] + volumes.troubles
    for one in wanted:
        refuse_twin(one, sys_root=sys_root)
    seen = (look or look_privately)(runner, wanted) if wanted else []
    chosen = choose(found, seen, containers, partition)
    tree = chosen.tree or Tree()
    return RootFilesystem(
        path=chosen.candidate.path,
        filesystem=chosen.candidate.filesystem.type,
        uuid=chosen.candidate.filesystem.uuid,
        partition_number=chosen.candidate.number or None,
        subvolume=chosen.subvolume,
        fstab=parse_fstab(tree.fstab),
        os_release=tree.os_release or {},
        device=found,
    )


def candidates(device: Device, partition: t.Optional[int]) -> t.Tuple[t.List[Candidate], t.List[str]]:
    """The file systems to look at, and a line for each thing that cannot be looked at."""
    every = [
        Candidate(one.path, one.filesystem, one.number, one.type, one.volume)
        for one in device.partitions
        if one.filesystem and partition in (None, one.number)
    ]
    if partition:
        device.partition(partition)
    elif device.filesystem and not (device.partitions and partition is None):
        every.append(Candidate(device.path, device.filesystem))
    lines = [
        "%s: %s" % (one.title, CONTAINERS[one.filesystem.type]) for one in every if one.filesystem.type in CONTAINERS
    ]
    return [one for one in every if one.filesystem.type in LOOK_OPTIONS], lines


def refuse_twin(candidate: Candidate, *, sys_root: str = "/sys") -> None:
    """Refuse a btrfs whose id is mounted from another device, unless the kernel keeps such twins apart.

    A kernel takes a device with a known id for one more device of the same file system, and may show the mounted one's
    content. Since Linux 6.7 (C(temp_fsid)) it mounts single-device twins under an id made up for the time.
    """
    if candidate.filesystem.type != "btrfs" or not candidate.filesystem.uuid:
        return
    mounted = os.path.join(sys_root, "fs", "btrfs", candidate.filesystem.uuid, "devices")
    others = sorted(os.listdir(mounted)) if os.path.isdir(mounted) else []
    if not others or os.path.basename(candidate.path) in others:
        return
    if os.path.exists(os.path.join(sys_root, "fs", "btrfs", "features", "temp_fsid")):
        return
    raise Refused(
        "%s holds the btrfs file system %s, and this machine has a file system with the same id mounted from %s: the "
        "kernel could not tell them apart." % (candidate.path, candidate.filesystem.uuid, ", ".join(others)),
        hint="Use a build host that was not made from the same image, or whose kernel is Linux 6.7 or newer.",
    )


def look_privately(runner: Runner, wanted: t.Sequence[Candidate]) -> t.List[Seen]:
    """Mount each candidate, one after the other, where nobody sees it, and look."""

    def work(place: str) -> t.List[t.Any]:
        return [_look(runner, one, place) for one in wanted]

    seen = []
    for candidate, answers in zip(wanted, in_private_mounts(work)):
        for answer in answers:
            tree = answer["tree"] and Tree(**dict(answer["tree"], names=tuple(answer["tree"]["names"])))
            seen.append(Seen(candidate, tree, answer["subvolume"], answer["trouble"]))
    return seen


def _look(runner: Runner, candidate: Candidate, place: str) -> t.List[t.Dict[str, t.Any]]:
    """What one candidate shows. Of a btrfs, its subvolumes are looked at when its default one is no root."""
    trouble = mount_to_look(runner, candidate.filesystem.type, candidate.path, place)
    if trouble:
        return [{"tree": None, "subvolume": None, "trouble": "cannot be mounted: %s" % trouble}]
    tree = inspect_tree(place)
    _unmount(runner, place)
    plain = {"tree": vars(tree), "subvolume": None, "trouble": None}
    if candidate.filesystem.type != "btrfs" or tree.is_root:
        return [plain]
    if mount_to_look(runner, "btrfs", candidate.path, place, (TOP_LEVEL,)):
        return [plain]
    inside = {name: inspect_tree(os.path.join(place, name)) for name in subvolumes(place)}
    _unmount(runner, place)
    roots = choose_subvolume({name: one for name, one in inside.items() if one.is_root})
    return [{"tree": vars(inside[name]), "subvolume": name, "trouble": None} for name in roots] or [plain]


def _unmount(runner: Runner, place: str) -> None:
    runner.run(["umount", place])


def subvolumes(top: str, depth: int = 3) -> t.List[str]:
    """Paths, from the top level, of the subvolumes that directories down to C(depth) hold, sorted.

    Deep enough for C(@/.snapshots/1/snapshot).
    """
    found = []
    for folder, names, _files in os.walk(top):
        below = os.path.relpath(folder, top)
        if below != "." and os.lstat(folder).st_ino == SUBVOLUME_INODE:
            found.append(below)
        if below != "." and below.count(os.sep) >= depth:
            del names[:]
        names[:] = [name for name in names if not os.path.islink(os.path.join(folder, name))]
    return sorted(found)


def choose_subvolume(roots: t.Mapping[str, Tree]) -> t.List[str]:
    """Which of the subvolumes that are a root is meant: by its own fstab, then by the names in use; else all."""
    if len(roots) > 1:
        named = [name for name, tree in roots.items() if root_subvolume(tree) == name]
        if len(named) == 1:
            return named
        for name in SUBVOLUME_NAMES:
            if name in roots:
                return [name]
    return sorted(roots)


def root_subvolume(tree: Tree) -> t.Optional[str]:
    """The subvolume that a tree's own fstab mounts at /."""
    for entry in parse_fstab(tree.fstab):
        if entry.mount_point == "/" and entry.option("subvol"):
            return (entry.option("subvol") or "").strip("/")
    return None


def choose(device: Device, seen: t.Sequence[Seen], containers: t.Sequence[str], partition: t.Optional[int]) -> Seen:
    """The one that is a root, or an error that says what there is."""
    roots = [one for one in seen if one.is_root]
    if len(roots) > 1:
        hinted = [one for one in roots if one.candidate.type in ROOT_TYPES.values()]
        roots = hinted if len(hinted) == 1 else roots
    if len(roots) == 1:
        return roots[0]
    where = "%s, partition %d" % (device.path, partition) if partition else device.path
    if not roots:
        lines = [one.line for one in seen] + list(containers)
        raise NotFound(
            "No root file system on %s. %s" % (where, "; ".join(lines) + "." if lines else nothing_there(device)),
            hint="A root file system has /etc/os-release (or /usr/lib/os-release) and /bin/sh.",
            device=device.path,
        )
    raise Conflict(
        "%s holds several root file systems: %s." % (where, "; ".join(one.line for one in roots)),
        hint="Name one with 'partition'."
        if len({one.candidate.path for one in roots}) > 1
        else "Make one of them the default subvolume (btrfs subvolume set-default).",
        device=device.path,
    )


def nothing_there(device: Device) -> str:
    """What a device without any file system holds."""
    if device.partitions:
        return "None of its %d partitions holds a file system." % len(device.partitions)
    table = device.partition_table
    return "It has an empty partition table." if table else "It has neither a partition table nor a file system."


__all__ = ("Candidate", "RootFilesystem", "Seen", "find_root")
