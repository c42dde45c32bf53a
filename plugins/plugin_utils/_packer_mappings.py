# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""C(ami_block_device_mappings) as the role's mappings of the image."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component

NAME = "ami_block_device_mappings"
FIELDS = {
    "device_name": "device_name",
    "volume_type": "volume_type",
    "iops": "iops",
    "throughput": "throughput",
    "volume_size": "size_gib",
    "snapshot_id": "snapshot_id",
    "encrypted": "encrypted",
}
# The new snapshot and root_volume_size decide these, with Packer too.
DECIDED = ("volume_size", "snapshot_id", "encrypted", "kms_key_id")


class Mappings:
    """Makes the role's mappings of a source's.

    Args:
        source: where the options come from.
        values: those that are set, with their types.
    """

    def __init__(self, source: Component, values: t.Mapping[str, t.Any]) -> None:
        self.source = source
        self.values = values
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def all(self) -> list[dict[str, t.Any]]:
        """All of them; what is wrong is noted."""
        given = self.values.get(NAME) or []
        root = self.values.get("root_device_name")
        if given and root and root not in [mapping.get("device_name") for mapping in given]:
            self.problems.append(
                self.source.at(NAME).says(f"{NAME}: none is for {root}, so the new snapshot would be used nowhere.")
            )
        kept = [(number, mapping) for number, mapping in enumerate(given) if not self._is_omitted(mapping, number)]
        return [self._one(number, mapping) for number, mapping in kept]

    def _is_omitted(self, mapping: dict[str, t.Any], number: int) -> bool:
        if not mapping.get("omit_from_artifact"):
            return False
        if mapping.get("device_name") == self.values.get("root_device_name"):
            place = self.source.at(NAME, number, "omit_from_artifact")
            self.problems.append(place.says(f"{NAME}: an image cannot be without its root device."))
        return True

    def _one(self, number: int, mapping: dict[str, t.Any]) -> dict[str, t.Any]:
        name = mapping.get("device_name") or ""
        if mapping.get("no_device"):
            return {"device_name": name, "no_device": True}
        virtual = mapping.get("virtual_name") or ""
        if virtual.startswith("ephemeral"):
            return {"device_name": name, "virtual_name": virtual}
        if virtual:
            self._no_effect(number, "virtual_name", f"{virtual} is no instance store volume, ephemeral0 and on")
        is_root = name == self.values.get("root_device_name")
        if mapping.get("kms_key_id") and not is_root:
            self._no_effect(number, "kms_key_id", "EC2's images cannot name a key for a volume")
        found = {
            variable: mapping[field]
            for field, variable in FIELDS.items()
            if mapping.get(field) and not (is_root and field in DECIDED)
        }
        if mapping.get("snapshot_id"):
            found.pop("encrypted", None)
        # False where nothing is said, unlike the role.
        return {**found, "delete_on_termination": bool(mapping.get("delete_on_termination"))}

    def _no_effect(self, number: int, field: str, reason: str) -> None:
        self.warnings.append(self.source.at(NAME, number, field).says(f"{field} has no effect: {reason}."))


__all__ = ("Mappings",)
