# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""C(ami_block_device_mappings), as far as the role can have them: the mapping of the root volume."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import LATER

NAME = "ami_block_device_mappings"
# The role's variables for fields of the root mapping, in place of the volume's own.
FIELDS = {
    "volume_type": "bake_volume_type",
    "iops": "bake_volume_iops",
    "throughput": "bake_volume_throughput",
}
# The new snapshot and root_volume_size decide these, with Packer too.
DECIDED = ("device_name", "snapshot_id", "volume_size", "encrypted", "kms_key_id", "delete_on_termination")


def root_mapping(source: Component, values: t.Mapping[str, t.Any], problems: list[str]) -> dict[str, t.Any]:
    """The variables that the mapping of the root volume becomes; others cannot be had, which is noted."""
    found: dict[str, t.Any] = {}
    if values.get(NAME) and not values.get("from_scratch"):
        problems.append(
            source.at(NAME).says(f"{NAME} is not supported with a source image, whose mappings are kept: {LATER}.")
        )
        return found
    for number, mapping in enumerate(values.get(NAME) or []):
        name = mapping.get("device_name")
        if name != values.get("root_device_name"):
            problems.append(source.at(NAME, number).says(f"{NAME}: {name} is not the root device, and {LATER}."))
            continue
        if not mapping.get("delete_on_termination"):
            problems.append(
                source.at(NAME, number).says(
                    f"{NAME}: the role's root volumes are deleted with their instances. Set delete_on_termination true."
                )
            )
        for field, value in mapping.items():
            if value in (None, "", 0, False) or field in DECIDED:
                continue
            if field in FIELDS:
                found[FIELDS[field]] = value
            else:
                problems.append(source.at(NAME, number, field).says(f"{NAME}: {field} is not supported: {LATER}."))
    return found


__all__ = ("root_mapping",)
