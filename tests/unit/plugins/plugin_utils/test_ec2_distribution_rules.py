# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an image shall be and who may use it: mistakes are said before anything is created."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._ec2_distribution_rules import check_distribution

FRIENDS = {"user_ids": ["111122223333"]}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"bake_image_regions": ["us-east-1"], "bake_image_launch_permissions": FRIENDS},
        {"bake_image_regions": ["us-east-1"], "bake_image_in_build_region": False},
        {"bake_image_encrypted": True, "bake_image_kms_key_id": "alias/x", "bake_image_launch_permissions": FRIENDS},
        # The key may be that of the region built in, whose name is not known yet.
        {
            "bake_image_encrypted": True,
            "bake_image_regions": ["us-east-1"],
            "bake_image_region_kms_key_ids": {"us-east-1": "alias/x", "eu-west-1": "alias/y"},
            "bake_snapshot_permissions": FRIENDS,
        },
        {
            "bake_volume_encrypted": True,
            "bake_volume_kms_key_id": "alias/x",
            "bake_image_launch_permissions": FRIENDS,
        },
        {"bake_image_family": "web", "bake_image_keep": 3, "bake_image_parameter": "/images/web"},
        {"bake_image_parameter": "/images/{{ bake_image_family }}"},
        {"bake_image_deprecate_at": "never"},
        {"bake_image_fast_restore_zones": ["eu-west-1a"], "bake_image_copy_minutes": 45},
    ],
)
def test_good_values_have_no_problems(values: dict[str, t.Any]) -> None:
    assert check_distribution(values) == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"bake_image_regions": ["Ireland"]}, "bake_image_regions: 'Ireland' is not the name of a region"),
        ({"bake_image_in_build_region": False}, "the image would be nowhere"),
        (
            {"bake_region": "eu-west-1", "bake_image_fast_restore_zones": ["us-east-1a"]},
            "us-east-1a is in us-east-1, where the image will not be; it will be in eu-west-1.",
        ),
        ({"bake_image_copy_minutes": 20}, "bake_image_copy_minutes must be a multiple of 15"),
        ({"bake_image_kms_key_id": "alias/x"}, "bake_image_kms_key_id needs bake_image_encrypted: true."),
        ({"bake_image_encrypted": True, "bake_image_kms_key_id": "x y"}, "bake_image_kms_key_id 'x y' is not a key id"),
        (
            {"bake_image_regions": ["us-east-1"], "bake_image_region_kms_key_ids": {"us-east-1": "alias/x"}},
            "bake_image_region_kms_key_ids needs bake_image_encrypted or bake_volume_encrypted",
        ),
        (
            {
                "bake_region": "eu-west-1",
                "bake_image_encrypted": True,
                "bake_image_region_kms_key_ids": {"us-east-1": "alias/x"},
            },
            "a key for us-east-1, where the image will not be; it will be in eu-west-1.",
        ),
        ({"bake_image_encrypted": False, "bake_volume_encrypted": True}, "has no copies that are not."),
        (
            {"bake_image_encrypted": True, "bake_image_launch_permissions": FRIENDS},
            "bake_image_launch_permissions.user_ids: an image that is encrypted with the account's default key cannot"
            " be shared. There is no key for the region that is built in.",
        ),
        (
            {
                "bake_volume_encrypted": True,
                "bake_volume_kms_key_id": "alias/x",
                "bake_image_regions": ["us-east-1"],
                "bake_snapshot_permissions": FRIENDS,
            },
            "There is no key for us-east-1.",
        ),
        (
            {
                "bake_image_encrypted": True,
                "bake_image_kms_key_id": "alias/x",
                "bake_image_launch_permissions": {"group_names": ["all"]},
            },
            "bake_image_launch_permissions.group_names: an encrypted image cannot be shared with everyone.",
        ),
        ({"bake_image_launch_permissions": {"user_ids": ["12"]}}, "'12' is not an account id of 12 digits"),
        ({"bake_image_deprecate_at": "tomorrow"}, "bake_image_deprecate_at 'tomorrow' is neither"),
        ({"bake_image_parameter": "/aws/web"}, "begins with aws or ssm, which are reserved."),
        ({"bake_image_parameter": "web image"}, "is not the name of a parameter"),
        ({"bake_image_keep": 3}, "bake_image_keep needs bake_image_family"),
        ({"bake_image_keep": 0, "bake_image_family": "web"}, "bake_image_keep must be at least 1, and is 0."),
    ],
)
def test_mistakes_are_explained(values: dict[str, t.Any], problem: str) -> None:
    (found,) = check_distribution(values)
    assert problem in found
