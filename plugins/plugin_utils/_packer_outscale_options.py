# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The options of Packer's C(outscale-chroot) builder (C(osc-chroot) before), as a table: what becomes of each."""

from __future__ import annotations

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_build_data import BUILD_DATA, COMMAND_DATA
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import MOUNTING, TOGETHER, Row

BUILDERS = ("outscale-chroot", "osc-chroot")

# As with Packer, where they are parsed and never used.
UNUSED = "Packer's builder takes it and does nothing with it"
NOT_THERE = "Outscale's API has nothing of the kind"

FILTER = {
    "filters": Row("map"),
    "filter": Row("blocks", fields={"name": Row(), "value": Row(), "values": Row("list")}),
    "owners": Row("list"),
    "most_recent": Row("bool"),
}

MAPPING = {
    "delete_on_vm_deletion": Row("bool"),
    "device_name": Row(),
    "iops": Row("int"),
    "no_device": Row("bool"),
    "snapshot_id": Row(),
    "virtual_name": Row(),
    "volume_size": Row("int"),
    "volume_type": Row(),
}

CHROOT = {
    **MOUNTING,
    "source_omi": Row(variable=TOGETHER),
    "source_omi_filter": Row("block", TOGETHER, fields=FILTER),
    "from_scratch": Row("bool", TOGETHER),
    "omi_block_device_mappings": Row("blocks", TOGETHER, fields=MAPPING),
    "root_device_name": Row(variable=TOGETHER),
    "root_volume_size": Row("int", "bake_volume_size"),
    "root_volume_type": Row(variable="bake_volume_type", choices=("gp2", "io1", "standard")),
    "root_volume_tags": Row("map", TOGETHER),
    "device_path": Row(variable="bake_device_name"),
    "nvme_device_path": Row(note="the device is recognised by its serial number, so its path is not needed"),
}

IMAGE = {
    "omi_name": Row(variable="bake_image_name"),
    "omi_description": Row(variable="bake_image_description"),
    "omi_account_ids": Row("list", TOGETHER),
    "snapshot_account_ids": Row("list", TOGETHER),
    "global_permission": Row("bool", TOGETHER),
    "product_codes": Row("list", "bake_image_product_codes"),
    "omi_product_codes": Row("list", reason=f"{UNUSED}. The option that has an effect is product_codes"),
    "omi_groups": Row("list", reason=f"{UNUSED}. global_permission is for everyone"),
    "omi_regions": Row("list", reason=f"{UNUSED}. An image of Outscale is in one region; build it in each"),
    "omi_boot_modes": Row("list", "bake_image_boot_modes"),
    "omi_virtualization_type": Row(note="images of Outscale are hvm", choices=("hvm",)),
    "skip_region_validation": Row("bool", note="names of regions are not looked up beforehand"),
    "tags": Row("map", TOGETHER),
    "snapshot_tags": Row("map", TOGETHER),
    "force_deregister": Row("bool", "bake_replace"),
    "force_delete_snapshot": Row("bool", note="the snapshots of an image that is replaced are always deleted"),
}

CONNECTION = {
    "access_key": Row(variable=TOGETHER),
    "secret_key": Row(variable=TOGETHER),
    "region": Row(variable="bake_region"),
    "profile": Row(variable=TOGETHER),
    "custom_endpoint_oapi": Row(variable=TOGETHER),
    "insecure_skip_tls_verify": Row("bool", TOGETHER),
    "x509_cert_path": Row(variable=TOGETHER),
    "x509_key_path": Row(variable=TOGETHER),
    "mfa_code": Row(reason=UNUSED),
    "token": Row(reason=UNUSED),
    "skip_metadata_api_check": Row("bool", note="it has no effect with Packer's builder either"),
}

# Of the builder for Amazon, which templates for Outscale are often made of.
AMAZON = {
    "ami_architecture": Row(reason="the build host's is made from scratch, else the source's"),
    "boot_mode": Row(reason="the option is omi_boot_modes, a list of legacy and uefi"),
    **{
        name: Row(kind, reason=NOT_THERE)
        for kind, names in (
            ("bool", ("ena_support", "encrypt_boot", "root_volume_encrypt_boot", "sriov_support")),
            ("bool", ("skip_save_build_region", "decode_authorization_messages")),
            ("int", ("max_retries", "snapshot_copy_duration_minutes")),
            ("list", ("ami_org_arns", "ami_ou_arns")),
            ("map", ("region_kms_key_ids",)),
            ("text", ("deprecate_at", "imds_support", "kms_key_id", "root_volume_kms_key_id")),
            ("text", ("tpm_support", "uefi_data")),
        )
        for name in names
    },
    **{
        name: Row("block", reason=NOT_THERE, fields={})
        for name in ("assume_role", "aws_polling", "deregistration_protection", "vault_aws_engine")
    },
}

OPTIONS: dict[str, Row] = {**CHROOT, **IMAGE, **CONNECTION, **AMAZON}

# What each option that is rendered when the build runs may use.
LATE_OPTIONS: dict[str, dict[str, str]] = {
    **{name: BUILD_DATA for name in ("omi_description", "root_volume_tags", "snapshot_tags", "tags")},
    "command_wrapper": {"Command": "command"},
    "mount_path": {"Device": "bake_device"},
    "post_mount_commands": {**BUILD_DATA, **COMMAND_DATA},
    "pre_mount_commands": {**BUILD_DATA, "Device": "bake_device"},
}


__all__ = ("BUILDERS", "LATE_OPTIONS", "OPTIONS")
