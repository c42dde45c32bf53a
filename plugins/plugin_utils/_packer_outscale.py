# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The variables of the role that the options of C(outscale-chroot) become."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ansible_collections.bakehouse.images.plugins.module_utils._outscale.block_devices import ROOT_DEVICE_NAME
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import late
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import TOGETHER
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_outscale_options import OPTIONS

Values = dict[str, t.Any]

ACCESS = {
    "access_key": "access_key",
    "secret_key": "secret_key",
    "profile": "profile",
    "custom_endpoint_oapi": "endpoint_url",
    "x509_cert_path": "client_certificate",
    "x509_key_path": "client_key",
}
# They would be shown by ansible-inventory, also where the template does not say that they are sensitive.
SECRET = ("access_key", "secret_key")
OWNER_FILTERS = ("account-id", "account-alias")
MAPPING = {"snapshot_id": "snapshot_id", "volume_size": "size_gib", "volume_type": "volume_type"}
# The new snapshot, and the options of the root volume, decide these.
DECIDED = ("snapshot_id", "size_gib", "volume_type", "iops")


class OutscaleVariables:
    """Makes them, and notes mistakes and oddities."""

    def __init__(self, source: Component, values: Values) -> None:
        self.source = source
        self.values = values
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def all(self, build_name: str, lookup: Callable[[str], str]) -> Values:
        """All but those of mounting and tags, which are as for other builders.

        Args:
            build_name: of the image.
            lookup: makes an expression of Jinja that gives the value of a term.
        """
        values = self.values
        found: Values = {"bake_provider": "outscale", "bake_image_name": values.get("omi_name", "")}
        found["bake_source"] = self._source()
        for name, row in OPTIONS.items():
            if name in values and row.variable not in ("", TOGETHER):
                found[row.variable] = values[name]
        # Packer changes nothing of what identifies a machine.
        found["bake_generalize"] = False
        found.update(self._sharing())
        if values.get("from_scratch"):
            found["bake_volume_type"] = values.get("root_volume_type", "gp2")
            found["bake_image_block_device_mappings"] = self._mappings()
        access: Values = {
            variable: late(lookup(f"{name}@{build_name}")) if name in SECRET else values[name]
            for name, variable in ACCESS.items()
            if values.get(name)
        }
        if values.get("insecure_skip_tls_verify"):
            access["validate_certs"] = False
        return {**found, **({"bake_outscale_access": access} if access else {})}

    def _source(self) -> t.Any:
        values = self.values
        if values.get("from_scratch"):
            return {"scratch": {}}
        image_id, chosen = values.get("source_omi"), values.get("source_omi_filter")
        if not chosen:
            return image_id or ""
        # Packer knows blocks of filters, and does not use them.
        filters: Values = dict(chosen.get("filters") or {})
        for block in chosen.get("filter") or []:
            filters[str(block.get("name"))] = block.get("values") or [block.get("value") or ""]
        if not image_id and not chosen.get("owners") and not set(filters) & set(OWNER_FILTERS):
            place = self.source.at("source_omi_filter")
            self.problems.append(
                place.says("source_omi_filter has no owners. Without them anyone's image could be found.")
            )
        found = {key: chosen[key] for key in ("owners", "most_recent") if chosen.get(key)}
        return {**({"image_id": image_id} if image_id else {}), "filters": filters, **found}

    def _sharing(self) -> Values:
        values = self.values
        launch: Values = {}
        if values.get("omi_account_ids"):
            launch["account_ids"] = values["omi_account_ids"]
        if values.get("global_permission"):
            launch["global_permission"] = True
        found: Values = {"bake_image_launch_permissions": launch} if launch else {}
        if values.get("snapshot_account_ids"):
            found["bake_snapshot_permissions"] = {"account_ids": values["snapshot_account_ids"]}
        return found

    def _mappings(self) -> list[Values]:
        given = self.values.get("omi_block_device_mappings") or []
        root = self.values.get("root_device_name") or ""
        if root and root not in [mapping.get("device_name") for mapping in given]:
            place = self.source.at("omi_block_device_mappings")
            self.problems.append(
                place.says(f"omi_block_device_mappings: none is for {root}, so the new snapshot would be used nowhere.")
            )
        if root and root != ROOT_DEVICE_NAME:
            place = self.source.at("root_device_name")
            self.warnings.append(
                place.says(f"root_device_name {root} becomes {ROOT_DEVICE_NAME}, the only name that Outscale takes.")
            )
        kept = [(number, mapping) for number, mapping in enumerate(given) if not self._is_left_out(number, mapping)]
        return [self._mapping(mapping, is_root=mapping.get("device_name") == root) for _number, mapping in kept]

    def _is_left_out(self, number: int, mapping: Values) -> bool:
        if not mapping.get("no_device"):
            return False
        place = self.source.at("omi_block_device_mappings", number, "no_device")
        self.warnings.append(place.says("no_device: the mapping is left out, which is what it asks for."))
        return True

    @staticmethod
    def _mapping(mapping: Values, *, is_root: bool) -> Values:
        name = mapping.get("device_name") or ""
        if mapping.get("virtual_name"):
            return {"device_name": name, "virtual_name": mapping["virtual_name"]}
        found = {variable: mapping[field] for field, variable in MAPPING.items() if mapping.get(field)}
        if mapping.get("volume_type") == "io1" and mapping.get("iops"):
            found["iops"] = mapping["iops"]
        if is_root:
            found = {key: value for key, value in found.items() if key not in DECIDED}
            name = ROOT_DEVICE_NAME
        elif "/" not in name:
            name = f"/dev/{name}"
        return {"device_name": name, **found, "delete_on_vm_deletion": bool(mapping.get("delete_on_vm_deletion"))}


__all__ = ("OutscaleVariables",)
