# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Cross-checks of the options of provider outscale.

The rules are Outscale's own: its API's description of CreateImage, CreateVolume and LinkVolume, read in 2026.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._outscale.block_devices import (
    DEVICE_NAME,
    ROOT_DEVICE_NAME,
    BlockDevice,
    mapping_problems,
    volume_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_definitions import name_problems
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.permissions import account_problems
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.sources import SourceRequest, filter_values

IMAGE_ID = re.compile(r"ami-[0-9a-f]{8}")
SOURCE_KEYS = ("image_id", "filters", "owners", "most_recent")
SOURCE_EXAMPLES = "an image id, {filters, owners}"
VM_KEYS = ("region", "subregion", "vm_id")
ACCESS_KEYS = (
    "access_key",
    "client_certificate",
    "client_key",
    "config_file",
    "endpoint_url",
    "max_attempts",
    "profile",
    "secret_key",
    "validate_certs",
)
PAIRS = (("access_key", "secret_key"), ("client_certificate", "client_key"))

Values = dict[str, t.Any]


def check(values: Values, raw: Values) -> list[str]:
    """One sentence for each mistake."""
    problems = _check_image(values)
    problems += _check_source(values.get("bake_source"))
    problems += _check_volume(values)
    problems += _check_scratch(values)
    problems += _check_host(values)
    return problems + _check_access(values.get("bake_outscale_access"))


def _check_image(values: Values) -> list[str]:
    name = values.get("bake_image_name")
    problems = [f"bake_image_{problem}" for problem in name_problems(str(name))] if name else []
    for option in ("bake_image_launch_permissions", "bake_snapshot_permissions"):
        given = values.get(option)
        if isinstance(given, dict):
            problems += account_problems(f"{option}.account_ids", given.get("account_ids"))
    return problems


def _check_source(source: t.Any) -> list[str]:
    if isinstance(source, str):
        source = {"image_id": source}
    if not isinstance(source, dict) or "scratch" in source or not set(source) <= set(SOURCE_KEYS):
        return []
    image_id = source.get("image_id")
    if image_id and not IMAGE_ID.fullmatch(str(image_id)):
        return [f"bake_source {image_id!r} is not the id of an image. Ids look like ami-01234567."]
    try:
        filters = {str(name): filter_values(value) for name, value in (source.get("filters") or {}).items()}
    except AttributeError:
        return [f"bake_source.filters must be a mapping, and is {source['filters']!r}."]
    owners = source.get("owners") or ()
    request = SourceRequest(image_id, filters, (owners,) if isinstance(owners, str) else tuple(owners))
    return [f"bake_source: {problem}" for problem in request.problems()]


def _check_volume(values: Values) -> list[str]:
    problems = []
    device = values.get("bake_device_name")
    if device and not DEVICE_NAME.match(re.sub(r"\A/dev/vd", "/dev/xvd", str(device))):
        problems.append(f"bake_device_name {device!r} is not a device name to attach at, such as /dev/xvdb.")
    kind, iops, size = (values.get(f"bake_volume_{name}") for name in ("type", "iops", "size"))
    # What the source's volume is, only the build will know; but a type that is asked for needs its own figures.
    if kind or (iops is not None and not _has_source(values)):
        problems += [f"bake_volume_{one}" for one in volume_problems(volume_type=kind, size_gib=size, iops=iops)]
    elif isinstance(size, int):
        problems += [f"bake_volume_{one}" for one in volume_problems(volume_type=None, size_gib=size)]
    return problems + _check_mappings(values)


def _check_mappings(values: Values) -> list[str]:
    mappings = values.get("bake_image_block_device_mappings")
    root = values.get("bake_root_device_name") or ROOT_DEVICE_NAME
    problems = []
    if root != ROOT_DEVICE_NAME:
        problems.append(f"bake_root_device_name is {root}, and Outscale takes {ROOT_DEVICE_NAME} only.")
    if mappings and all(isinstance(one, dict) for one in mappings):
        devices = [BlockDevice.from_params(one) for one in mappings]
        problems += [f"bake_image_block_device_mappings: {one}" for one in mapping_problems(devices, root)]
    return problems


def _has_source(values: Values) -> bool:
    source = values.get("bake_source")
    return not (isinstance(source, dict) and "scratch" in source)


def _check_scratch(values: Values) -> list[str]:
    if _has_source(values) or values.get("bake_image_architecture") != "i386":
        return []
    return ["bake_image_architecture i386 does not go together with scratch: the build host's is made."]


def _check_host(values: Values) -> list[str]:
    vm = values.get("bake_build_vm")
    if not isinstance(vm, dict):
        return []
    problems = [
        f"bake_build_vm does not take {key}. It takes {', '.join(VM_KEYS)}." for key in vm if key not in VM_KEYS
    ]
    return problems + [f"bake_build_vm has no {key}." for key in ("vm_id", "subregion") if not vm.get(key)]


def _check_access(access: t.Any) -> list[str]:
    if not isinstance(access, dict):
        return []
    problems = [
        f"bake_outscale_access does not take {key}. It takes {', '.join(ACCESS_KEYS)}."
        for key in access
        if key not in ACCESS_KEYS
    ]
    return problems + [
        f"bake_outscale_access: {first} and {second} go together: give both, or neither."
        for first, second in PAIRS
        if bool(access.get(first)) != bool(access.get(second))
    ]


__all__ = ("SOURCE_EXAMPLES", "SOURCE_KEYS", "check")
