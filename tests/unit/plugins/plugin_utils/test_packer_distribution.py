# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Packer does with an image that is registered becomes variables of the role."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._ec2_distribution_rules import check_distribution

from tests.unit.plugins.plugin_utils.packer_templates import host

ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"
UNIT = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-cd34ef56"
LAUNCH, VOLUMES = "bake_image_launch_permissions", "bake_snapshot_permissions"


@pytest.mark.parametrize(
    ("option", "variable", "expected"),
    [
        ('ami_users = ["111122223333"]', LAUNCH, {"user_ids": ["111122223333"]}),
        ('ami_groups = ["all"]', LAUNCH, {"group_names": ["all"]}),
        (f'ami_org_arns = ["{ORGANIZATION}"]', LAUNCH, {"organization_arns": [ORGANIZATION]}),
        (f'ami_ou_arns = ["{UNIT}"]', LAUNCH, {"organizational_unit_arns": [UNIT]}),
        ('snapshot_users = ["111122223333"]', VOLUMES, {"user_ids": ["111122223333"]}),
        ('snapshot_groups = ["all"]', VOLUMES, {"group_names": ["all"]}),
        ("ami_users = []", LAUNCH, None),
        ('ami_product_codes = ["abc"]', "bake_image_product_codes", ["abc"]),
        ('ami_regions = ["us-east-1", "eu-north-1"]', "bake_image_regions", ["us-east-1", "eu-north-1"]),
        ("encrypt_boot = true", "bake_image_encrypted", True),
        ("encrypt_boot = false", "bake_image_encrypted", False),
        ("", "bake_image_encrypted", None),
        ('encrypt_boot = true\nkms_key_id = "alias/x"', "bake_image_kms_key_id", "alias/x"),
        (
            'encrypt_boot = true\nami_regions = ["us-east-1"]\nregion_kms_key_ids = { us-east-1 = "alias/x" }',
            "bake_image_region_kms_key_ids",
            {"us-east-1": "alias/x"},
        ),
        (
            'encrypt_boot = true\nami_regions = ["us-east-1"]\nregion_kms_key_ids = { us-east-1 = "" }',
            "bake_image_region_kms_key_ids",
            None,
        ),
        ('ami_regions = ["us-east-1"]\nskip_save_build_region = true', "bake_image_in_build_region", False),
        ("skip_save_build_region = false", "bake_image_in_build_region", None),
        ("snapshot_copy_duration_minutes = 30", "bake_image_copy_minutes", 30),
        ('deprecate_at = "2031-03-01T10:20:00Z"', "bake_image_deprecate_at", "2031-03-01T10:20:00Z"),
        (
            "deregistration_protection {\nenabled = true\n}",
            "bake_image_deregistration_protection",
            {"enabled": True},
        ),
        (
            "deregistration_protection {\nwith_cooldown = true\n}",
            "bake_image_deregistration_protection",
            {"with_cooldown": True},
        ),
        (
            'snapshot_tags = { A = "{{.SourceAMI}}", B = 2 }\nsnapshot_tag {\nkey = "B"\nvalue = "3"\n}',
            "bake_snapshot_tags",
            {"A": "{{ __bake_source_image.image_id }}", "B": "3"},
        ),
    ],
)
def test_options_become_variables(tmp_path: Path, option: str, variable: str, expected: t.Any) -> None:
    found = host(tmp_path, option)
    assert found.problems == []
    assert found.variables.get(variable) == expected
    assert check_distribution(found.variables) == []


def test_the_check_of_regions_is_not_left_out(tmp_path: Path) -> None:
    (warning,) = host(tmp_path, "skip_region_validation = true").warnings
    assert "skip_region_validation has no effect: each region is asked for the image's name" in warning
