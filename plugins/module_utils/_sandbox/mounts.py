# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Mounts of a sandbox: what is mounted below the image's root, and how.

All of them are made in the holder's mount namespace, before its user namespace is: so they are locked, and
nothing inside can take one away and see what lies below.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import stat
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside as paths
from ansible_collections.bakehouse.images.plugins.module_utils import _system_calls as ns
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError

# Options of mount(8) that are flags of mount(2): what they set and what they clear.
FLAG_OPTIONS = {
    "ro": (ns.MS_RDONLY, 0),
    "rw": (0, ns.MS_RDONLY),
    "nosuid": (ns.MS_NOSUID, 0),
    "suid": (0, ns.MS_NOSUID),
    "nodev": (ns.MS_NODEV, 0),
    "dev": (0, ns.MS_NODEV),
    "noexec": (ns.MS_NOEXEC, 0),
    "exec": (0, ns.MS_NOEXEC),
    "sync": (ns.MS_SYNCHRONOUS, 0),
    "async": (0, ns.MS_SYNCHRONOUS),
    "dirsync": (ns.MS_DIRSYNC, 0),
    "mand": (ns.MS_MANDLOCK, 0),
    "nomand": (0, ns.MS_MANDLOCK),
    "noatime": (ns.MS_NOATIME, 0),
    "atime": (0, ns.MS_NOATIME),
    "nodiratime": (ns.MS_NODIRATIME, 0),
    "diratime": (0, ns.MS_NODIRATIME),
    "relatime": (ns.MS_RELATIME, 0),
    "norelatime": (0, ns.MS_RELATIME),
    "strictatime": (ns.MS_STRICTATIME, 0),
    "nostrictatime": (0, ns.MS_STRICTATIME),
    "lazytime": (ns.MS_LAZYTIME, 0),
    "nolazytime": (0, ns.MS_LAZYTIME),
}

# Options that mount(8) and systemd read for themselves; the kernel has never heard of them.
USERSPACE_OPTIONS = frozenset(
    ("defaults", "auto", "noauto", "user", "nouser", "users", "nousers", "group", "nogroup", "owner", "noowner")
    + ("nofail", "fail", "_netdev", "loop")
)
USERSPACE_PREFIXES = ("x-", "X-", "comment=", "uhelper=", "helper=", "offset=", "sizelimit=")

# Files of procfs that act on the whole machine and that ask for no capability beyond being root.
PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs", "scsi", "acpi", "mtrr")
# What holds the machine's memory, and what tells of its kernel: modprobe and roles take that for the image's.
PROC_HIDDEN = ("kcore", "modules")

DEVICE_NODES = (
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
)
DEVICE_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)


@dataclasses.dataclass(frozen=True)
class Mount:
    """One mount to make. C(target) is a path of the image; C(filesystem) is C(bind) for a bind mount."""

    source: str
    target: str
    filesystem: str
    options: str = ""

    def describe(self) -> str:
        """See Operation.describe."""
        options = " (%s)" % self.options if self.options else ""
        return "mount %s on %s as %s%s" % (self.source, self.target, self.filesystem, options)


@dataclasses.dataclass(frozen=True)
class BlockNode:
    """A block device of the build that the image gets a node for.

    Args:
        name: the kernel's name: C(nvme1n1p1).
        links: further names below C(/dev), such as C(disk/by-uuid/...).
    """

    name: str
    major: int
    minor: int
    links: t.Tuple[str, ...] = ()


# Packer's chroot_mounts are given in place of these. The image's own /tmp lies hidden and stays as it is: what
# tools leave in theirs never gets into the image.
DEFAULT_MOUNTS = (
    Mount("proc", "/proc", "proc", "nosuid,nodev,noexec"),
    Mount("sysfs", "/sys", "sysfs", "ro,nosuid,nodev,noexec"),
    Mount("dev", "/dev", "private-dev"),
    Mount("run", "/run", "tmpfs", "nosuid,nodev,mode=0755"),
    Mount("tmp", "/tmp", "tmpfs", "nosuid,nodev,mode=1777"),  # noqa: S108 - the image's
)


# Of these, what roles mount anew, with other options than ours.
MEMORY_MOUNTS = (
    Mount("tmp", "/tmp", "tmpfs", "nosuid,nodev,mode=1777"),  # noqa: S108 - the image's
    Mount("shm", "/dev/shm", "tmpfs", "nosuid,nodev,mode=1777"),  # noqa: S108 - the image's
)


def split_options(options: str) -> t.Tuple[int, str]:
    """The options of mount(8) as mount(2) takes them: flags, and what is left for the file system."""
    flags = 0
    data = []
    for option in filter(None, options.split(",")):
        if option in FLAG_OPTIONS:
            on, off = FLAG_OPTIONS[option]
            flags = (flags | on) & ~off
        elif option not in USERSPACE_OPTIONS and not option.startswith(USERSPACE_PREFIXES):
            data.append(option)
    return flags, ",".join(data)


def make_mount(root: str, mount: Mount, nodes: t.Sequence[BlockNode] = ()) -> None:
    """Make one mount below C(root), with its mount point where that is missing.

    Raises:
        BuildError: the kernel refused; the message names the mount and the reason.
    """
    makers = {"bind": _bind, "rbind": _bind, "proc": _mount_proc, "sysfs": _mount_sysfs, "devpts": _mount_devpts}
    try:
        if mount.filesystem == "private-dev":
            _mount_private_dev(root, mount.target, nodes)
        else:
            makers.get(mount.filesystem, _mount_new)(root, mount)
    except OSError as exc:
        raise BuildError(
            "Cannot %s: %s." % (mount.describe(), exc.strerror),
            hint=_hint(exc, mount),
            source=mount.source,
            target=mount.target,
            errno=exc.errno,
        ) from exc


def make_image_mount(root: str, mount: Mount) -> Mount:
    """Make one of the image's own mounts, and return what was mounted.

    Device nodes in it cannot be opened (nodev), unless the options say otherwise: an image can bring nodes of any disk.

    Where the build host's kernel has no FAT, a boot partition is covered by an empty, read-only file system: most
    builds do not write to it, and those that do fail, instead of writing beside it.

    Raises:
        BuildError: as make_mount.
    """
    try:
        make_mount(root, _without_devices(mount))
        if mount.filesystem == "rbind":
            _take_devices_from_mounts_below(root, mount.target)
    except BuildError as exc:
        if mount.filesystem != "vfat" or exc.facts.get("errno") != errno.ENODEV:
            raise
        mount = Mount("unavailable", mount.target, "tmpfs", "ro,mode=0755")
        make_mount(root, mount)
    return mount


def _without_devices(mount: Mount) -> Mount:
    return dataclasses.replace(mount, options=",".join(filter(None, ("nodev", mount.options))))


def _take_devices_from_mounts_below(root: str, target: str) -> None:
    """A recursive bind mount brings other mounts along, and flags are of each mount alone."""
    place = paths.open_in_root(root, target)
    try:
        top = os.readlink("/proc/self/fd/%d" % place)
    finally:
        os.close(place)
    for point, flags in mounts_below(top):
        try:
            ns.mount(None, point, None, ns.MS_REMOUNT | ns.MS_BIND | ns.MS_NODEV | flags)
        except OSError as exc:
            # Covered by another mount: it cannot be reached from inside either, as all mounts are locked.
            if exc.errno not in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
                raise


def mounts_below(top: str, mountinfo: str = "/proc/self/mountinfo") -> t.List[t.Tuple[str, int]]:
    """The mounts below a directory, each with the flags it has: proc(5), C(/proc/PID/mountinfo)."""
    found = []
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            fields = line.split(" ")
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
            if point.startswith(top + "/"):
                found.append((point, split_options(fields[5])[0]))
    return found


def _hint(exc: OSError, mount: Mount) -> t.Optional[str]:
    hints = {
        errno.ENODEV: "The build host's kernel has no file system %s." % mount.filesystem,
        errno.EINVAL: "The file system there is not %s, or is damaged, or does not know one of the options; "
        "the kernel's log says which." % mount.filesystem,
        errno.EUCLEAN: "The file system is damaged: check it.",
        errno.EBUSY: "The device is mounted elsewhere.",
        errno.ENOENT: "There is no %s on the build host." % mount.source,
    }
    return hints.get(exc.errno or 0)


def mount_at(
    root: str, target: str, source: str, filesystem: t.Optional[str], flags: int, data: t.Optional[str] = None
) -> None:
    """mount(2) on a directory or file of the image, which is resolved inside the image."""
    place = paths.open_in_root(root, target)
    try:
        ns.mount(source, "/proc/self/fd/%d" % place, filesystem, flags, data)
    finally:
        os.close(place)


def _mount_new(root: str, mount: Mount) -> None:
    flags, data = split_options(mount.options)
    paths.make_directory(root, mount.target)
    mount_at(root, mount.target, mount.source, mount.filesystem, flags, data or None)


def _bind(root: str, mount: Mount) -> None:
    flags, _data = split_options(mount.options)
    paths.make_directory(root, mount.target)
    recursive = ns.MS_REC if mount.filesystem == "rbind" else 0
    mount_at(root, mount.target, mount.source, None, ns.MS_BIND | recursive)
    if flags:
        mount_at(root, mount.target, "none", None, ns.MS_REMOUNT | ns.MS_BIND | flags)


def _mount_proc(root: str, mount: Mount) -> None:
    _mount_new(root, mount)
    for name in PROC_READ_ONLY:
        path = "%s/%s" % (mount.target, name)
        if paths.status(root, path) is None:
            continue
        _bind_over_itself(root, path)
        flags = ns.MS_RDONLY | ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC
        mount_at(root, path, "none", None, ns.MS_REMOUNT | ns.MS_BIND | flags)
    for name in PROC_HIDDEN:
        path = "%s/%s" % (mount.target, name)
        if paths.status(root, path) is not None:
            mount_at(root, path, "/dev/null", None, ns.MS_BIND)
            # The node is the build host's, and user 0 inside is its owner: read-only, so that its mode stays.
            flags = ns.MS_RDONLY | ns.MS_NOSUID | ns.MS_NOEXEC
            mount_at(root, path, "none", None, ns.MS_REMOUNT | ns.MS_BIND | flags)


def _bind_over_itself(root: str, path: str) -> None:
    place = paths.open_in_root(root, path)
    try:
        itself = "/proc/self/fd/%d" % place
        ns.mount(itself, itself, None, ns.MS_BIND)
    finally:
        os.close(place)


def _mount_sysfs(root: str, mount: Mount) -> None:
    # sysfs has one superblock for the whole network namespace: only the mount may become read-only, not it.
    flags, data = split_options(mount.options)
    paths.make_directory(root, mount.target)
    mount_at(root, mount.target, mount.source, "sysfs", flags & ~ns.MS_RDONLY, data or None)
    mount_at(root, mount.target, "none", None, ns.MS_REMOUNT | ns.MS_BIND | flags | ns.MS_RDONLY)


def _mount_devpts(root: str, mount: Mount) -> None:
    # newinstance is what every kernel since 4.7 does; older ones would hand out the build host's terminals.
    flags, data = split_options(mount.options)
    paths.make_directory(root, mount.target)
    mount_at(
        root,
        mount.target,
        mount.source,
        "devpts",
        flags | ns.MS_NOSUID | ns.MS_NOEXEC,
        data or "newinstance,ptmxmode=0666,mode=0620,gid=5",
    )


def _mount_private_dev(root: str, target: str, nodes: t.Sequence[BlockNode]) -> None:
    _mount_new(root, Mount("dev", target, "tmpfs", "nosuid,mode=0755"))
    handle = paths.open_in_root(root, target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name, major, minor in DEVICE_NODES:
            os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(major, minor), dir_fd=handle)
            os.chmod(name, 0o666, dir_fd=handle)  # noqa: S103 - what udev gives them
        for name, points_to in DEVICE_LINKS:
            os.symlink(points_to, name, dir_fd=handle)
        for node in nodes:
            os.mknod(node.name, stat.S_IFBLK | 0o660, os.makedev(node.major, node.minor), dir_fd=handle)
    finally:
        os.close(handle)
    for node in nodes:
        for link in node.links:
            _link_node(root, target, node, link)
    _mount_devpts(root, Mount("devpts", target + "/pts", "devpts"))
    _mount_new(root, Mount("shm", target + "/shm", "tmpfs", "nosuid,nodev,mode=1777"))


def _link_node(root: str, target: str, node: BlockNode, link: str) -> None:
    folder, name = os.path.split(link)
    paths.make_directory(root, "%s/%s" % (target, folder))
    handle = paths.open_in_root(root, "%s/%s" % (target, folder), os.O_PATH | os.O_DIRECTORY)
    try:
        os.symlink("/".join([".."] * len(folder.split("/")) + [node.name]), name, dir_fd=handle)
    finally:
        os.close(handle)


__all__ = (
    "DEFAULT_MOUNTS",
    "MEMORY_MOUNTS",
    "BlockNode",
    "Mount",
    "make_image_mount",
    "make_mount",
    "mount_at",
    "mounts_below",
    "split_options",
)
