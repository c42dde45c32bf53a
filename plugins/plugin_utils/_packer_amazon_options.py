# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The options of Packer's C(amazon-chroot) builder, as a table: what each takes, and what becomes of it.

An option that the role cannot do yet has no variable and a reason. To carry it over once the role can, its row gets the
variable in place of the reason.
"""

from __future__ import annotations

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import MOUNTING, TOGETHER, Row

VAULT = (
    "this collection does not speak with Vault. Put what `vault read aws/creds/NAME` gives into the environment, as "
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or look it up in the variable bake_aws_access, "
    "for instance with community.hashi_vault"
)

KEY_AND_VALUE = {"key": Row(variable=TOGETHER), "value": Row(variable=TOGETHER)}

MAPPING = {
    "delete_on_termination": Row("bool"),
    "device_name": Row(),
    "encrypted": Row("bool"),
    "iops": Row("int"),
    "kms_key_id": Row(),
    "no_device": Row("bool"),
    "omit_from_artifact": Row("bool"),
    "snapshot_id": Row(),
    "throughput": Row("int"),
    "virtual_name": Row(),
    "volume_size": Row("int"),
    "volume_type": Row(),
}

CHROOT = {
    **MOUNTING,
    "source_ami": Row(variable=TOGETHER),
    "source_ami_filter": Row(
        "block",
        TOGETHER,
        fields={
            "filters": Row("map"),
            "owners": Row("list"),
            "most_recent": Row("bool"),
            "include_deprecated": Row("bool"),
        },
    ),
    "from_scratch": Row("bool", TOGETHER),
    "ami_block_device_mappings": Row("blocks", TOGETHER, fields=MAPPING),
    "root_device_name": Row(variable="bake_root_device_name"),
    "root_volume_size": Row("int", "bake_volume_size"),
    "root_volume_type": Row(variable="bake_volume_type"),
    "root_volume_tags": Row("map", TOGETHER),
    "root_volume_tag": Row("blocks", TOGETHER, fields=KEY_AND_VALUE),
    "root_volume_encrypt_boot": Row("bool", TOGETHER),
    "root_volume_kms_key_id": Row(variable="bake_volume_kms_key_id"),
    "device_path": Row(variable="bake_device_name"),
    "nvme_device_path": Row(note="the device is recognised by the volume's id, so its path is not needed"),
    "ami_architecture": Row(variable=TOGETHER, choices=("arm64", "arm64_mac", "i386", "x86_64", "x86_64_mac")),
    "boot_mode": Row(variable="bake_image_boot_mode", choices=("legacy-bios", "uefi", "uefi-preferred")),
    "uefi_data": Row(variable="bake_image_uefi_data"),
    "tpm_support": Row(variable="bake_image_tpm_support", choices=("v2.0",)),
    # Of the first version of the builder.
    "mount_command": Row(variable=TOGETHER),
    "unmount_command": Row(variable=TOGETHER),
}

IMAGE = {
    "ami_name": Row(variable="bake_image_name"),
    "ami_description": Row(variable="bake_image_description"),
    "ami_virtualization_type": Row(variable="bake_image_virtualization_type", choices=("hvm", "paravirtual")),
    "ami_users": Row("list", TOGETHER),
    "ami_groups": Row("list", TOGETHER),
    "ami_org_arns": Row("list", TOGETHER),
    "ami_ou_arns": Row("list", TOGETHER),
    "ami_product_codes": Row("list", TOGETHER),
    "ami_regions": Row("list", TOGETHER),
    "skip_region_validation": Row("bool", note="each region is asked for the image's name before anything is created"),
    "tags": Row("map", TOGETHER),
    "tag": Row("blocks", TOGETHER, fields=KEY_AND_VALUE),
    "ena_support": Row("bool", TOGETHER),
    "sriov_support": Row("bool", TOGETHER),
    "force_deregister": Row("bool", "bake_replace"),
    "force_delete_snapshot": Row("bool", note="the snapshots of an image that is replaced are always deleted"),
    "encrypt_boot": Row("bool", TOGETHER),
    "kms_key_id": Row(variable=TOGETHER),
    "region_kms_key_ids": Row("map", TOGETHER),
    "skip_save_build_region": Row("bool", TOGETHER),
    "snapshot_copy_duration_minutes": Row("int", TOGETHER),
    "imds_support": Row(variable=TOGETHER, choices=("v2.0",)),
    "deprecate_at": Row(variable=TOGETHER),
    "deregistration_protection": Row("block", TOGETHER, fields={"enabled": Row("bool"), "with_cooldown": Row("bool")}),
    "snapshot_tags": Row("map", TOGETHER),
    "snapshot_tag": Row("blocks", TOGETHER, fields=KEY_AND_VALUE),
    "snapshot_users": Row("list", TOGETHER),
    "snapshot_groups": Row("list", TOGETHER),
}

ROLE_FIELDS = {
    "role_arn": Row(),
    "duration_seconds": Row("int"),
    "external_id": Row(),
    "policy": Row(),
    "policy_arns": Row("list"),
    "session_name": Row(),
    "tags": Row("map"),
    "transitive_tag_keys": Row("list"),
}

CONNECTION = {
    "access_key": Row(variable=TOGETHER),
    "secret_key": Row(variable=TOGETHER),
    "token": Row(variable=TOGETHER),
    "profile": Row(variable=TOGETHER),
    "shared_credentials_file": Row(variable=TOGETHER),
    "region": Row(variable="bake_region"),
    "mfa_code": Row(variable=TOGETHER),
    "assume_role": Row("block", TOGETHER, fields=ROLE_FIELDS),
    "vault_aws_engine": Row(
        "block", reason=VAULT, fields={name: Row() for name in ("name", "role_arn", "ttl", "engine_name")}
    ),
    "custom_endpoint_ec2": Row(variable=TOGETHER),
    "insecure_skip_tls_verify": Row("bool", TOGETHER),
    "max_retries": Row("int", TOGETHER),
    "decode_authorization_messages": Row("bool", TOGETHER),
    "skip_credential_validation": Row("bool", note="it has no effect with Packer's builder either"),
    "skip_metadata_api_check": Row("bool", note="it has no effect with Packer's builder either"),
    "aws_polling": Row("block", TOGETHER, fields={"max_attempts": Row("int"), "delay_seconds": Row("int")}),
}

OPTIONS: dict[str, Row] = {**CHROOT, **IMAGE, **CONNECTION}


__all__ = ("OPTIONS",)
