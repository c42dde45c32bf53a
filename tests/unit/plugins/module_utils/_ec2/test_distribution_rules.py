# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an image shall be: mistakes that are seen without asking EC2."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_requests import DistributionRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_rules import copy_name, region_of_zone

GOOD: dict[str, t.Any] = {
    "name": "web",
    "image_id": "ami-0123456789abcdef0",
    "source_region": "eu-west-1",
    "regions": ("eu-west-1", "us-gov-east-1", "eusc-de-east-1"),
    "region_kms_key_ids": {"us-gov-east-1": "alias/images"},
    "fast_restore_zones": ["eu-west-1a"],
    "copy_duration_minutes": 30,
}


def test_good_values_have_no_problems() -> None:
    assert DistributionRequest(**GOOD).problems() == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"regions": ("eu-west-1", "us-gov-east-1", "Ireland")}, "regions: 'Ireland' is not the name of a region"),
        ({"regions": (), "region_kms_key_ids": {}, "fast_restore_zones": None}, "regions is empty"),
        ({"region_kms_key_ids": {"us-east-1": "alias/x"}}, "us-east-1, which is not in regions"),
        ({"region_kms_key_ids": {"eu-west-1": "my key"}}, "region_kms_key_ids, eu-west-1: 'my key' is not a key id"),
        ({"kms_key_id": "my key"}, "kms_key_id 'my key' is not a key id"),
        ({"encrypted": False}, "A key is given, and encrypted is false."),
        ({"fast_restore_zones": ["us-east-1a"]}, "us-east-1a is in us-east-1, where the image will not be"),
        ({"fast_restore_zones": ["eu-west-1"]}, "'eu-west-1' is not the name of an availability zone"),
        ({"copy_duration_minutes": 20}, "copy_duration_minutes must be a multiple of 15, up to 2880, and is 20."),
        ({"copy_duration_minutes": 2895}, "up to 2880, and is 2895."),
    ],
)
def test_mistakes_are_explained(values: dict[str, t.Any], problem: str) -> None:
    (found,) = DistributionRequest(**{**GOOD, **values}).problems()
    assert problem in found


def test_a_zone_says_its_region() -> None:
    assert region_of_zone("eu-west-1a") == "eu-west-1"
    assert region_of_zone("us-west-2-lax-1a") == "us-west-2"
    assert region_of_zone("eusc-de-east-1a") == "eusc-de-east-1"
    assert region_of_zone("eu-west-1") is None


def test_the_name_of_a_copy_is_one_that_ec2_takes() -> None:
    name = copy_name("x" * 128, "3f9c0a71d2b84e65", "copy")
    assert name.endswith(" copy 3f9c0a71d2b84e65")
    assert len(name) <= 128
