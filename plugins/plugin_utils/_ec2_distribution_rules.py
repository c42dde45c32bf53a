# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Cross-checks of the options that say where an image of provider ec2 shall be, who may use it, and for how long."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_rules import (
    duration_problems,
    key_problems,
    region_problems,
    zone_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.parameter_names import parameter_name_problems
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.sharing import (
    deprecation_problems,
    permission_problems,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template

Values = dict[str, t.Any]

# Where the name of the region that is built in is only known when the build host is.
BUILD_REGION = "the region that is built in"


def check_distribution(values: Values) -> list[str]:
    """One sentence for each mistake."""
    problems = _check_places(values)
    problems += _check_encryption(values)
    for name in ("bake_image_launch_permissions", "bake_snapshot_permissions"):
        if isinstance(values.get(name), dict):
            problems += permission_problems(name, values[name])
    problems += _check_sharing(values)
    problems += deprecation_problems("bake_image_deprecate_at", values.get("bake_image_deprecate_at") or None)
    parameter = values.get("bake_image_parameter")
    if parameter and not has_template(parameter):
        problems += parameter_name_problems("bake_image_parameter", str(parameter))
    keep = values.get("bake_image_keep")
    if keep is not None and not values.get("bake_image_family"):
        problems.append("bake_image_keep needs bake_image_family: it says which images are generations of one another.")
    if isinstance(keep, int) and keep < 1:
        problems.append(f"bake_image_keep must be at least 1, and is {keep}.")
    return problems


def regions_wanted(values: Values) -> list[str] | None:
    """Where the image shall be; None as long as that depends on the build host."""
    others = [str(one) for one in values.get("bake_image_regions") or []]
    if not _is_in_build_region(values):
        return others
    return [str(values["bake_region"]), *others] if values.get("bake_region") else None


def _is_in_build_region(values: Values) -> bool:
    return bool(values.get("bake_image_in_build_region", True))


def _check_places(values: Values) -> list[str]:
    regions = values.get("bake_image_regions") or []
    if not isinstance(regions, list):
        return []  # which has been said
    problems = region_problems("bake_image_regions", regions)
    if not regions and not _is_in_build_region(values):
        problems.append(
            "bake_image_in_build_region is false, and bake_image_regions is empty: the image would be nowhere."
        )
    wanted = regions_wanted(values)
    problems += zone_problems(
        "bake_image_fast_restore_zones", values.get("bake_image_fast_restore_zones") or [], wanted
    )
    return problems + duration_problems("bake_image_copy_minutes", values.get("bake_image_copy_minutes"))


def _check_encryption(values: Values) -> list[str]:
    encrypted, volume = values.get("bake_image_encrypted"), values.get("bake_volume_encrypted")
    key, by_region = values.get("bake_image_kms_key_id"), values.get("bake_image_region_kms_key_ids") or {}
    problems = key_problems("bake_image_kms_key_id", key)
    if not isinstance(by_region, dict):
        return problems
    for region, one in by_region.items():
        problems += key_problems(f"bake_image_region_kms_key_ids, {region}:", one)
    if key and encrypted is not True:
        problems.append(
            "bake_image_kms_key_id needs bake_image_encrypted: true. The key of the volume, and so of an image that"
            " needs no copy to be encrypted, is bake_volume_kms_key_id."
        )
    if any(by_region.values()) and encrypted is not True and volume is not True:
        problems.append("bake_image_region_kms_key_ids needs bake_image_encrypted or bake_volume_encrypted to be true.")
    if encrypted is False and volume is True:
        problems.append(
            "bake_image_encrypted is false, and bake_volume_encrypted is true: what is encrypted has no copies that are"
            " not."
        )
    wanted = regions_wanted(values)
    if wanted is not None:
        problems += [
            f"bake_image_region_kms_key_ids has a key for {region}, where the image will not be;"
            f" it will be in {', '.join(wanted) or 'no region'}."
            for region in by_region
            if region not in wanted
        ]
    return problems


def _check_sharing(values: Values) -> list[str]:
    """What EC2 does not share: images under a default key with anyone, encrypted ones with everyone."""
    encrypted, volume = values.get("bake_image_encrypted") is True, values.get("bake_volume_encrypted") is True
    shared: dict[str, list[str]] = {}
    for name in ("bake_image_launch_permissions", "bake_snapshot_permissions"):
        given = values.get(name)
        if isinstance(given, dict):
            shared[name] = [kind for kind, some in given.items() if some]
    sharing = [f"{name}.{kind}" for name, kinds in shared.items() for kind in kinds]
    if not sharing or not (encrypted or volume):
        return []
    everyone = [one for one in sharing if one.endswith(".group_names")]
    problems = [f"{one}: an encrypted image cannot be shared with everyone." for one in everyone]
    without = _regions_with_default_key(values, copied=encrypted)
    others = [one for one in sharing if one not in everyone]
    if without and others:
        problems.append(
            f"{', '.join(others)}: an image that is encrypted with the account's default key cannot be shared."
            f" There is no key for {', '.join(without)}."
        )
    return problems


def _regions_with_default_key(values: Values, *, copied: bool) -> list[str]:
    by_region = values.get("bake_image_region_kms_key_ids") or {}
    if not isinstance(by_region, dict):
        return []
    home = values.get("bake_region") or BUILD_REGION
    home_key = values.get("bake_image_kms_key_id" if copied else "bake_volume_kms_key_id") or by_region.get(home)
    if home == BUILD_REGION and set(by_region) - set(values.get("bake_image_regions") or []):
        home_key = home_key or "given by its name"
    without = [home] if _is_in_build_region(values) and not home_key else []
    return without + [one for one in values.get("bake_image_regions") or [] if one != home and not by_region.get(one)]


__all__ = ("check_distribution", "regions_wanted")
