# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Which firmware a disk is made for, as its partition table shows it.

Sources: the UEFI specification, section 13.3 (a system partition is known by its type), and GRUB's
manual, "BIOS installation" (on GPT its core image lies in a BIOS boot partition).
"""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._disk.tables import TYPES


def firmware_of(partition_table: t.Optional[str], partition_types: t.Iterable[str]) -> t.List[str]:
    """The firmware that can start a boot loader from this disk: C(bios), C(uefi), both, or none that shows.

    Args:
        partition_table: C(gpt), C(dos), or None.
        partition_types: the type of each partition, a GUID on GPT and two hexadecimal digits on MBR.
    """
    types = {kind.lower() for kind in partition_types}
    if partition_table == "gpt":
        found = [("bios", TYPES["bios_boot"][0] in types), ("uefi", TYPES["esp"][0] in types)]
    elif partition_table == "dos":
        system = TYPES["esp"][1]
        # On MBR a BIOS boot loader lies before the first partition and needs none of its own.
        found = [("bios", bool(types - {system})), ("uefi", system in types)]
    else:
        found = []
    return [name for name, is_there in found if is_there]


__all__ = ("firmware_of",)
