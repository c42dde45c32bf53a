# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Cross-checks of the options of provider ec2.

The rules are EC2's own: the API reference of RegisterImage (Name), CreateVolume (Iops, Throughput,
KmsKeyId) and DescribeImages, read in 2026.
"""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.access import ACCESS_SPEC, Access
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import BlockDevice, mapping_problems
from ansible_collections.bakehouse.images.plugins.plugin_utils._ec2_distribution_rules import check_distribution

IMAGE_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
IMAGE_ID = re.compile(r"ami-[0-9a-f]{8}([0-9a-f]{9})?")
DEVICE_NAME = re.compile(r"/dev/(sd[b-z][a-z]?|xvd[b-z][a-z]?)")
KMS_KEY = re.compile(
    r"(arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:)?"
    r"(key/)?((mrk-)?[a-f0-9-]{8,}|alias/[A-Za-z0-9:/_-]+)"
)
SOURCE_KEYS = ("image_id", "filters", "owners", "most_recent", "include_deprecated")
SOURCE_EXAMPLES = "an image id, {filters, owners}"
INSTANCE_KEYS = ("architecture", "availability_zone", "instance_id", "region")
WITH_IOPS = ("gp3", "io1", "io2")


def check(values: dict[str, t.Any], raw: dict[str, t.Any]) -> list[str]:
    """One sentence for each mistake."""
    problems = _check_names(values)
    problems += _check_volume(values)
    problems += _check_image(values)
    problems += _check_mappings(values)
    problems += _check_access(values.get("bake_aws_access"))
    problems += check_distribution(values)
    problems += _check_instance(values)
    return problems


def _check_names(values: dict[str, t.Any]) -> list[str]:
    problems = []
    name = values.get("bake_image_name")
    if name and not IMAGE_NAME.fullmatch(str(name)):
        problems.append(
            f"bake_image_name {name!r} is not a name that EC2 takes: 3 to 128 letters, digits and"
            " ( ) [ ] space . / - ' @ _ only."
        )
    source = values.get("bake_source")
    if (
        isinstance(source, dict)
        and set(source) <= set(SOURCE_KEYS)
        and not {"filters", "image_id"} & set(key for key, value in source.items() if value)
    ):
        problems.append("bake_source has no filters, no image_id and no scratch: it would match any image.")
    image_id = source.get("image_id") if isinstance(source, dict) else source
    if isinstance(image_id, str) and image_id and not IMAGE_ID.fullmatch(image_id):
        problems.append(f"bake_source {image_id!r} is not the id of an image. Ids look like ami-0123456789abcdef0.")
    device = values.get("bake_device_name")
    if device and not DEVICE_NAME.fullmatch(str(device)):
        problems.append(f"bake_device_name {device!r} is not a device name to attach at, such as /dev/sdf.")
    return problems


def _check_volume(values: dict[str, t.Any]) -> list[str]:
    problems = []
    kind = values.get("bake_volume_type")
    iops, throughput = values.get("bake_volume_iops"), values.get("bake_volume_throughput")
    if iops is not None and kind and kind not in WITH_IOPS:
        problems.append(f"bake_volume_iops goes with the volume types {', '.join(WITH_IOPS)}, not with {kind}.")
    if throughput is not None and kind and kind != "gp3":
        problems.append(f"bake_volume_throughput goes with the volume type gp3, not with {kind}.")
    key = values.get("bake_volume_kms_key_id")
    if key and values.get("bake_volume_encrypted") is False:
        problems.append("bake_volume_kms_key_id is given, and bake_volume_encrypted is false. Leave one of them out.")
    if key and not KMS_KEY.fullmatch(str(key)):
        problems.append(f"bake_volume_kms_key_id {key!r} is not a key id, an alias (alias/name) or the ARN of either.")
    return problems


def _check_image(values: dict[str, t.Any]) -> list[str]:
    problems = []
    if values.get("bake_image_virtualization_type") == "paravirtual":
        problems += [
            f"{name} needs the virtualization type hvm, and bake_image_virtualization_type is paravirtual."
            for name in ("bake_image_ena_support", "bake_image_sriov_support")
            if values.get(name)
        ]
    if values.get("bake_image_uefi_data") and values.get("bake_image_boot_mode") == "legacy-bios":
        problems.append("bake_image_uefi_data does not go together with the boot mode legacy-bios.")
    if values.get("bake_image_tpm_support") and values.get("bake_image_boot_mode") == "legacy-bios":
        problems.append("bake_image_tpm_support needs the boot mode uefi or uefi-preferred, not legacy-bios.")
    return problems


def _check_mappings(values: dict[str, t.Any]) -> list[str]:
    """What EC2 would only refuse when the build is done."""
    mappings = values.get("bake_image_block_device_mappings")
    if not isinstance(mappings, list) or not all(isinstance(one, dict) for one in mappings):
        return []  # which has been said
    root = values.get("bake_root_device_name")
    try:
        devices = [BlockDevice.from_params(one) for one in mappings]
    except (TypeError, ValueError):
        return []
    named = any(device.device_name == root for device in devices)
    problems = mapping_problems(devices, root if named else None)
    if not root:
        # One of them may be the source's root, which needs neither; that is looked at when the source is known.
        problems = [problem for problem in problems if not problem.endswith("give snapshot_id or size_gib, or both.")]
    size = values.get("bake_volume_size")
    for device in devices:
        if root and device.device_name == root and device.snapshot_id:
            problems.append(f"{root}: its snapshot is the one that the build makes. Leave snapshot_id out.")
        if root and device.device_name == root and device.size_gib not in (None, size):
            problems.append(f"{root}: its size is that of the build's volume. Give bake_volume_size, not size_gib.")
    return [f"bake_image_block_device_mappings: {problem}" for problem in problems]


def _check_access(given: t.Any) -> list[str]:
    if not given or not isinstance(given, dict):
        return []
    result = ArgumentSpecValidator({"access": ACCESS_SPEC}).validate({"access": given})
    problems = [message.rstrip(".") + "." for message in result.error_messages]
    problems = problems or Access.from_params(result.validated_parameters["access"]).problems()
    return [f"bake_aws_access: {problem}" for problem in problems]


def _check_instance(values: dict[str, t.Any]) -> list[str]:
    instance = values.get("bake_build_instance")
    if not isinstance(instance, dict):
        return []
    problems = [
        f"bake_build_instance does not take {key}. It takes {', '.join(INSTANCE_KEYS)}."
        for key in instance
        if key not in INSTANCE_KEYS
    ]
    problems += [
        f"bake_build_instance has no {key}." for key in ("instance_id", "availability_zone") if not instance.get(key)
    ]
    return problems


__all__ = ("check",)
