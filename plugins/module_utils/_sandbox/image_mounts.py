# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Which of an image's own file systems a sandbox mounts, and how: chosen from its fstab."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._disk.fstab import (
    FstabEntry,
    find_source,
    volume_names,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.mounts import BlockNode, Mount, split_options

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device
    from ansible_collections.bakehouse.images.plugins.module_utils._disk.roots import RootFilesystem

# Without these the image is not whole: packages would be installed into the directory below.
NEEDED = ("/boot", "/usr", "/var", "/etc", "/opt", "/lib")

# What an image keeps on its own disk. The rest of an fstab is swap, network, kernel and memory.
DISK_FILESYSTEMS = (
    "auto",
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "vfat",
    "msdos",
    "exfat",
    "f2fs",
    "iso9660",
    "squashfs",
)

# Options that say how the file system is to be read. The others of an fstab are for the running machine (ro, noexec,
# quotas): while the image is being built they are in the way.
NEEDED_OPTIONS: t.Mapping[str, t.Tuple[str, ...]] = {
    "btrfs": ("subvol", "subvolid", "compress", "compress-force", "nodatacow", "nodatasum"),
    "vfat": ("umask", "fmask", "dmask", "uid", "gid", "codepage", "iocharset", "shortname", "utf8"),
}


class ImageMounts(t.NamedTuple):
    """The mounts of an image, root first, and a sentence for each entry that was left out though it has a disk."""

    mounts: t.Tuple[Mount, ...]
    warnings: t.Tuple[str, ...]


def choose_image_mounts(root: RootFilesystem, mount_options: t.Sequence[str] = ()) -> ImageMounts:
    """The mounts that the image needs to be whole: its root, and what its fstab names on the same device.

    Args:
        mount_options: for the root, as given by the user.

    Raises:
        NotFound: a part that the image cannot do without is not on the device.
    """
    chosen = [_root_mount(root, mount_options)]
    warnings = []
    for entry in sorted(filter(_is_wanted, root.fstab), key=_depth):
        point = os.path.normpath(entry.mount_point or "/")
        path = find_source(root.device, entry.source)
        if path is None:
            sentence = "The image's fstab mounts %s on %s, and %s has no such file system." % (
                entry.source,
                point,
                root.device.path,
            )
            if "nofail" not in entry.options and _is_needed(point):
                raise NotFound(sentence, hint="Correct the image's fstab, or mark the entry nofail.")
            warnings.append(sentence)
            continue
        filesystem = _filesystem_on(root.device, path) or entry.type
        chosen.append(Mount(path, point, filesystem, _entry_options(filesystem, entry)))
    return ImageMounts(tuple(chosen), tuple(warnings))


def _root_mount(root: RootFilesystem, mount_options: t.Sequence[str]) -> Mount:
    options = list(mount_options)
    if root.subvolume and not any(option.startswith("subvol") for option in options):
        options.append("subvol=" + root.subvolume)
    own = [entry for entry in root.fstab if entry.mount_point == "/"]
    if own and root.filesystem == "btrfs":
        given = {option.partition("=")[0] for option in options}
        options += [
            option
            for option in _needed_options("btrfs", own[0])
            if option.partition("=")[0] not in given and not option.startswith("subvol")
        ]
    return Mount(root.path, "/", root.filesystem, _with_nouuid(root.filesystem, options))


def _entry_options(filesystem: str, entry: FstabEntry) -> str:
    return _with_nouuid(filesystem, _needed_options(filesystem, entry))


def _needed_options(filesystem: str, entry: FstabEntry) -> t.List[str]:
    wanted = NEEDED_OPTIONS.get(filesystem, ())
    return [option for option in entry.options if option.partition("=")[0] in wanted]


def _with_nouuid(filesystem: str, options: t.Sequence[str]) -> str:
    # The build host's own root, or another build, may be a twin of this file system. The image keeps its UUID.
    extra = ["nouuid"] if filesystem == "xfs" and "nouuid" not in options else []
    return ",".join([*options, *extra])


def _is_wanted(entry: FstabEntry) -> bool:
    return (
        entry.mount_point is not None
        and entry.mount_point != "/"
        and entry.type in DISK_FILESYSTEMS
        and "noauto" not in entry.options
        and "bind" not in entry.options
        and "_netdev" not in entry.options
    )


def _is_needed(point: str) -> bool:
    return any(point == needed or point.startswith(needed + "/") for needed in NEEDED)


def _depth(entry: FstabEntry) -> int:
    return len([part for part in (entry.mount_point or "").split("/") if part])


def _filesystem_on(device: Device, path: str) -> t.Optional[str]:
    if device.path == path and device.filesystem:
        return device.filesystem.type
    for partition in device.partitions:
        if partition.path == path and partition.filesystem:
            return partition.filesystem.type
    return None


def block_nodes(device: Device) -> t.Tuple[BlockNode, ...]:
    """The nodes that the image gets: its disk and the partitions of it, with udev's names for their contents.

    grub-mkconfig writes C(root=UUID=...) only where it finds C(/dev/disk/by-uuid/...).
    """
    links: t.Dict[str, t.List[str]] = {device.path: []}
    if device.filesystem:
        links[device.path] += _content_links(device.filesystem.uuid, device.filesystem.label)
    for partition in device.partitions:
        names = _content_links(partition.uuid, partition.name, "by-partuuid", "by-partlabel")
        if partition.filesystem:
            names += _content_links(partition.filesystem.uuid, partition.filesystem.label)
        if partition.volume:
            names += volume_names(partition.volume)
        links[partition.path] = names
    nodes = []
    taken: t.Set[str] = set()
    for path, names in links.items():
        if not os.path.exists(path):
            continue
        number = os.stat(path).st_rdev
        free = tuple(name for name in names if name not in taken)
        taken.update(free)
        nodes.append(BlockNode(os.path.basename(os.path.realpath(path)), os.major(number), os.minor(number), free))
    return tuple(nodes)


def _content_links(
    uuid: t.Optional[str], label: t.Optional[str], by_uuid: str = "by-uuid", by_label: str = "by-label"
) -> t.List[str]:
    links = []
    if uuid:
        links.append("disk/%s/%s" % (by_uuid, uuid))
    if label and "/" not in label:
        links.append("disk/%s/%s" % (by_label, label.replace(" ", "\\x20")))
    return links


def parse_chroot_mounts(triples: t.Sequence[t.Sequence[str]]) -> t.Tuple[t.Tuple[Mount, ...], t.List[str]]:
    """Packer's C(chroot_mounts), [type, source, target] each, as mounts, and a sentence for each mistake."""
    mounts = []
    problems = []
    for number, triple in enumerate(triples, start=1):
        if len(triple) != 3 or not all(isinstance(part, str) for part in triple):
            problems.append("chroot_mounts, entry %d: it has to be [type, source, target], not %r." % (number, triple))
        elif not triple[2].startswith("/"):
            problems.append("chroot_mounts, entry %d: the target %r is no absolute path." % (number, triple[2]))
        else:
            mounts.append(Mount(triple[1], triple[2], triple[0]))
    return tuple(mounts), problems


def check_mount_options(options: t.Sequence[str]) -> t.List[str]:
    """A sentence for each mount option that cannot be one."""
    problems = []
    for option in options:
        flags, data = split_options(option)
        if "," in option or option != option.strip() or (not flags and not data and not option):
            problems.append("mount_options: %r is not one mount option." % option)
    return problems


__all__ = ("ImageMounts", "block_nodes", "check_mount_options", "choose_image_mounts", "parse_chroot_mounts")
