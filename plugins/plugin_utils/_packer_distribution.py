# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What Packer does with a registered image: copies, keys, sharing, deprecation, protection, tags of snapshots."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# Option of Packer to the role's variable that takes it as it is.
SAME = {
    "ami_product_codes": "bake_image_product_codes",
    "ami_regions": "bake_image_regions",
    "deprecate_at": "bake_image_deprecate_at",
    "deregistration_protection": "bake_image_deregistration_protection",
    "encrypt_boot": "bake_image_encrypted",
    "kms_key_id": "bake_image_kms_key_id",
    "snapshot_copy_duration_minutes": "bake_image_copy_minutes",
}
PERMISSIONS = {
    "bake_image_launch_permissions": {
        "ami_users": "user_ids",
        "ami_groups": "group_names",
        "ami_org_arns": "organization_arns",
        "ami_ou_arns": "organizational_unit_arns",
    },
    "bake_snapshot_permissions": {"snapshot_users": "user_ids", "snapshot_groups": "group_names"},
}


def distribution_variables(values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The role's variables for these options of a source, which are set and have their types."""
    found = {variable: values[name] for name, variable in SAME.items() if name in values}
    keys = {region: key for region, key in (values.get("region_kms_key_ids") or {}).items() if key}
    if keys:
        found["bake_image_region_kms_key_ids"] = keys
    if values.get("skip_save_build_region"):
        found["bake_image_in_build_region"] = False
    for variable, kinds in PERMISSIONS.items():
        permissions = {kind: values[name] for name, kind in kinds.items() if values.get(name)}
        if permissions:
            found[variable] = permissions
    return found


__all__ = ("distribution_variables",)
