# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Cross-checks of the options of C(amazon-chroot): Packer's own, in our words, and those it meant to make."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import has_late
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_option_rules import OptionRules
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_times import parse_time

AMI_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
KEY_ID = r"(mrk-)?[a-f0-9-]+"
ALIAS = r"alias/[A-Za-z0-9:/_-]+"
KMS_KEY = re.compile(rf"({KEY_ID}|{ALIAS}|arn:aws[a-z-]*:kms:[a-z0-9-]*:\d{{12}}:(key/{KEY_ID}|{ALIAS}))")
FROM_SCRATCH_NEEDS = (
    "root_volume_size",
    "pre_mount_commands",
    "ami_virtualization_type",
    "root_device_name",
    "ami_block_device_mappings",
)
WITH_IOPS = {"io1": (50, 100, 64000), "io2": (500, 100, 64000)}
SHARED_WITH = ("ami_users", "ami_groups", "ami_org_arns", "ami_ou_arns", "snapshot_users", "snapshot_groups")


class AmazonRules(OptionRules):
    """Those of C(amazon-chroot)."""

    def check(self) -> None:
        """Find every mistake."""
        self._source()
        self._mappings()
        self._volume()
        self._name()
        self._firmware()
        self._keys()
        self._rest()

    def _source(self) -> None:
        values = self.values
        has_source = [name for name in ("source_ami", "source_ami_filter") if values.get(name)]
        if not values.get("from_scratch"):
            if not has_source:
                self._says("there is no source_ami and no source_ami_filter, and from_scratch is not true.")
            return
        for name in FROM_SCRATCH_NEEDS:
            if not values.get(name):
                self._says(f"from_scratch needs {name}.", "from_scratch")
        for name in has_source:
            self._has_no_effect(name, "with from_scratch")

    def _mappings(self) -> None:
        values = self.values
        mappings = values.get("ami_block_device_mappings") or []
        for number, mapping in enumerate(mappings):
            self._mapping(number, mapping)
        if values.get("from_scratch"):
            return
        name = values.get("root_device_name")
        if mappings and not name:
            self._says("ami_block_device_mappings needs root_device_name.", "ami_block_device_mappings")
        if name and not mappings:
            self._says("root_device_name goes together with ami_block_device_mappings.", "root_device_name")
        if mappings:
            place = self.source.at("ami_block_device_mappings")
            self.warnings.append(place.says("ami_block_device_mappings replaces all mappings of the source image."))
        if mappings and name and not values.get("root_volume_size"):
            self._says("ami_block_device_mappings needs root_volume_size.", "ami_block_device_mappings")

    def _mapping(self, number: int, mapping: dict[str, t.Any]) -> None:
        def says(text: str, name: str) -> None:
            self._says(f"{name}: {text}", "ami_block_device_mappings", number, name)

        if not mapping.get("device_name"):
            says("each mapping has one.", "device_name")
        if mapping.get("kms_key_id") and mapping.get("encrypted") is False:
            says("a key is given, and encrypted is false.", "kms_key_id")
        self._speed(mapping, says)

    @staticmethod
    def _speed(mapping: dict[str, t.Any], says: t.Callable[[str, str], None]) -> None:
        kind, size = mapping.get("volume_type"), mapping.get("volume_size")
        iops, throughput = mapping.get("iops"), mapping.get("throughput")
        if throughput is not None:
            if kind != "gp3":
                says(f"this goes with volumes of type gp3, not {kind or 'of the default type'}.", "throughput")
            elif not 125 <= throughput <= 1000:
                says("this must be from 125 to 1000.", "throughput")
        if iops is None:
            return
        if kind == "gp3" and not 3000 <= iops <= 16000:
            says("for gp3 this must be from 3000 to 16000.", "iops")
        if kind in WITH_IOPS and size:
            ratio, least, most = WITH_IOPS[kind]
            if not least <= iops <= most or iops // size > ratio:
                says(f"for {kind} this must be from {least} to {most}, and at most {ratio} for each GiB.", "iops")

    def _volume(self) -> None:
        values = self.values
        if values.get("from_scratch") and values.get("root_volume_type") == "io1":
            self._says("root_volume_type cannot be io1 with from_scratch.", "root_volume_type")
        key = values.get("root_volume_kms_key_id")
        if key and values.get("root_volume_encrypt_boot") is False:
            self._says(
                "root_volume_kms_key_id is given, and root_volume_encrypt_boot is false.", "root_volume_kms_key_id"
            )
        elif key and not _is_key(key):
            self._says(f"root_volume_kms_key_id {key!r} is no KMS key: {KEYS_ARE}.", "root_volume_kms_key_id")

    def _name(self) -> None:
        name = self.values.get("ami_name")
        if not name:
            self._says("ami_name is missing.")
        elif has_late(name):
            self._says("ami_name cannot hold what only the build knows.", "ami_name")
        elif not AMI_NAME.fullmatch(name):
            self._says(
                f"ami_name {name!r} is no name that EC2 takes: 3 to 128 letters, digits and ( ) [ ] space . / - ' @ _ "
                "only. The function clean_resource_name makes it one.",
                "ami_name",
            )

    def _firmware(self) -> None:
        values = self.values
        mode = values.get("boot_mode")
        if values.get("uefi_data"):
            if mode == "legacy-bios":
                self._says("uefi_data does not go together with the boot_mode legacy-bios.", "uefi_data")
            elif not mode and values.get("ami_architecture") != "arm64":
                self._says("uefi_data needs boot_mode, unless ami_architecture is arm64.", "uefi_data")
        if values.get("ami_virtualization_type") == "paravirtual":
            for name in ("ena_support", "sriov_support"):
                if values.get(name):
                    self._says(f"{name} needs the ami_virtualization_type hvm.", name)

    def _keys(self) -> None:
        values = self.values
        encrypted, key = values.get("encrypt_boot"), values.get("kms_key_id")
        by_region = values.get("region_kms_key_ids") or {}
        named = {"kms_key_id": key, **{f"region_kms_key_ids, {name}": it for name, it in by_region.items()}}
        for what, given in named.items():
            if given and not _is_key(given):
                self._says(f"{what}: {given!r} is no KMS key: {KEYS_ARE}.", what.split(",", 1)[0])
        if (key or any(by_region.values())) and encrypted is not True:
            option = "kms_key_id" if key else "region_kms_key_ids"
            self._says(f"{option} needs encrypt_boot to be true.", option)
        regions = set(values.get("ami_regions") or [])
        if by_region and set(by_region) != regions:
            missing = sorted(set(by_region) ^ regions)
            self._says(
                f"region_kms_key_ids and ami_regions must name the same regions; {', '.join(missing)} is in one.",
                "region_kms_key_ids",
            )
        has_default_key = encrypted and ((not key and not by_region) or any(not it for it in by_region.values()))
        for name in SHARED_WITH if has_default_key else ():
            if values.get(name):
                self._says(
                    f"{name}: an image that is encrypted with the account's default key cannot be shared. Give a key.",
                    name,
                )

    def _rest(self) -> None:
        values = self.values
        self._mounts()
        self._pair("access_key", "secret_key")
        if values.get("vault_aws_engine") and values.get("access_key"):
            self._says("vault_aws_engine does not go together with access_key.", "vault_aws_engine")
        moment = values.get("deprecate_at")
        if moment:
            try:
                parse_time(moment)
            except ValueError as exc:
                self._says(f"deprecate_at: {exc}.", "deprecate_at")


KEYS_ARE = "keys are an id, alias/NAME, or the ARN of either"


def _is_key(text: str) -> bool:
    return has_late(text) or KMS_KEY.fullmatch(text) is not None


__all__ = ("AmazonRules",)
