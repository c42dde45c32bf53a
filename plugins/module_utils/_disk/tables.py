# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.
"""Partition tables: what types are called, what a table can hold, and writing one with sfdisk."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import MIB, align_down

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# Where partitions begin and end: a multiple of every flash page, RAID stripe and EBS block in use.
ALIGNMENT_BYTES = MIB

# The backup of a GPT: its header, and 128 entries of 128 bytes. In sectors of 512 bytes, the smallest there are.
GPT_BACKUP_SECTORS = 33

# An MBR counts sectors in 32 bits, and has room for this many partitions.
MBR_MAX_SECTORS = 2**32 - 1
MBR_MAX_PARTITIONS = 4
GPT_MAX_PARTITIONS = 128

# Names of UEFI specification, 5.3.3: 72 bytes of UTF-16.
GPT_NAME_LENGTH = 36

# The root types of the Discoverable Partitions Specification (uapi-group.org/specifications), by the names that the
# kernel gives to machines.
ROOT_TYPES: t.Mapping[str, str] = {
    "x86_64": "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    "i686": "44479540-f297-41b2-9af7-d131d5f0458a",
    "aarch64": "b921b045-1df0-41c3-af44-4c6f280d3fae",
    "armv7l": "69dad710-2ce4-4e3c-b16c-21a1d49abed3",
    "riscv64": "72ec70a6-cf74-40e6-bd49-4bda08e8f224",
    "ppc64le": "c31c45e6-3f39-412e-80fb-4809c4980599",
    "s390x": "5eead9a9-fe09-4a1e-a1d7-520d00531306",
}

# Names of types to GPT GUIDs and MBR codes. Without a code, the type means nothing on an MBR: a BIOS boot loader lies
# behind the MBR itself.
TYPES: t.Mapping[str, t.Tuple[str, t.Optional[str]]] = {
    "linux": ("0fc63daf-8483-4772-8e79-3d69d8477de4", "83"),
    "esp": ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ef"),
    "bios_boot": ("21686148-6449-6e6f-744e-656564454649", None),
    "swap": ("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "82"),
    "xbootldr": ("bc13c2ff-59e6-4262-a352-b275fd6f7172", "ea"),
    "lvm": ("e6d6d379-f507-44c2-a23c-238f2a3df928", "8e"),
}

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# Our word for a table, and the word of sfdisk and blkid.
LABELS: t.Mapping[str, str] = {"gpt": "gpt", "mbr": "dos"}


@dataclass(frozen=True)
class Extent:
    """One partition of a table to be written."""

    number: int
    start_bytes: int
    size_bytes: int
    type: str
    name: t.Optional[str] = None


def usable_end(table: t.Optional[str], size_bytes: int, sector_size: int) -> int:
    """Where the last partition can end, aligned, on a device of that size (C(gpt), C(dos) or None)."""
    if table == "gpt":
        return align_down(size_bytes - GPT_BACKUP_SECTORS * sector_size, ALIGNMENT_BYTES)
    if table == "dos":
        return align_down(min(size_bytes, MBR_MAX_SECTORS * sector_size), ALIGNMENT_BYTES)
    return size_bytes


def type_code(table: str, name: str) -> t.Optional[str]:
    """The GUID (C(gpt)) or two digits (C(mbr)) of a type's name, of itself when it is one; None when it is neither."""
    lower = name.lower()
    if lower in TYPES:
        return TYPES[lower][0 if table == "gpt" else 1]
    if table == "gpt":
        return lower if GUID.fullmatch(lower) else None
    # sfdisk shows codes without a leading zero.
    return "%x" % int(lower, 16) if re.fullmatch(r"[0-9a-f]{2}", lower) else None


def type_name(code: str) -> str:
    """The name of a GUID or code, for people; the code itself when it has none here."""
    for name, codes in TYPES.items():
        if code in codes:
            return name
    for machine, guid in ROOT_TYPES.items():
        if code == guid:
            return "root-%s" % machine
    return code


def sfdisk_script(table: str, extents: t.Sequence[Extent], sector_size: int) -> str:
    """The input that makes C(sfdisk) write this table: every position given, so that it aligns nothing itself."""
    lines = ["label: %s" % LABELS[table], "unit: sectors", ""]
    for extent in extents:
        fields = [
            "start=%d" % (extent.start_bytes // sector_size),
            "size=%d" % (extent.size_bytes // sector_size),
            "type=%s" % extent.type,
        ]
        if extent.name and table == "gpt":
            fields.append('name="%s"' % extent.name)
        lines.append(", ".join(fields))
    return "\n".join(lines) + "\n"


def write_table(runner: Runner, device: str, table: str, extents: t.Sequence[Extent], sector_size: int) -> None:
    """Replace the whole table, and wipe what old signatures lie where the new partitions begin.

    C(sfdisk) is kept from telling the kernel: where a kernel cannot parse tables, that takes all partition nodes away.
    """
    # fmt: off
    runner.run(
        [
            "sfdisk", "--quiet",
            "--no-tell-kernel", "--no-reread",
            "--wipe", "always", "--wipe-partitions", "always",
            device,
        ],
        stdin=sfdisk_script(table, extents, sector_size),
    )
    # fmt: on


__all__ = (
    "ALIGNMENT_BYTES",
    "GPT_MAX_PARTITIONS",
    "GPT_NAME_LENGTH",
    "GUID",
    "LABELS",
    "MBR_MAX_PARTITIONS",
    "ROOT_TYPES",
    "TYPES",
    "Extent",
    "sfdisk_script",
    "type_code",
    "type_name",
    "usable_end",
    "write_table",
)
