# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions for Outscale: what is a mistake, said before anything is created."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._definition import (
    Definition,
    OptionSpecs,
    read_definition,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._definition_rules_outscale import check
from ansible_collections.bakehouse.images.plugins.plugin_utils._fingerprint import NOT_CONTENT

from tests.unit.plugins.plugin_utils.test_definition import ROLE, render

GOOD = {"bake_provider": "outscale", "bake_image_name": "web", "bake_source": "ami-01234567"}
ROOT = {"device_name": "/dev/sda1"}


def read(**variables: t.Any) -> Definition:
    return read_definition({**GOOD, **variables}, OptionSpecs(str(ROLE)), render)


def test_a_good_definition_has_no_problems() -> None:
    definition = read(
        bake_volume_type="io1",
        bake_volume_size=10,
        bake_volume_iops=3000,
        bake_device_name="/dev/vdb",
        bake_image_launch_permissions={"account_ids": ["123456789012"], "global_permission": False},
        bake_snapshot_permissions={"account_ids": ["123456789012"]},
        bake_image_boot_modes=["legacy", "uefi"],
        bake_image_product_codes=["0001"],
        bake_image_block_device_mappings=[ROOT, {"device_name": "/dev/xvdb", "size_gib": 4, "volume_type": "gp2"}],
        bake_build_vm={"vm_id": "i-12345678", "subregion": "eu-west-2a"},
        bake_outscale_access={"profile": "ci"},
    )
    assert definition.problems == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"bake_image_name": "a:b"}, "bake_image_name 'a:b' has characters other than"),
        ({"bake_image_name": "ab"}, "has 3 to 128"),
        ({"bake_source": "ami-1"}, "is not the id of an image. Ids look like ami-01234567"),
        ({"bake_source": {"filters": {}}}, "without them every image would match"),
        ({"bake_source": {"filters": {"image-name": "x"}}}, "filters without owners"),
        ({"bake_source": {"filters": {"colour": "x"}, "owners": ["self"]}}, "filter colour is none of"),
        ({"bake_source": {"include_deprecated": True}}, "bake_source does not take include_deprecated"),
        ({"bake_volume_type": "gp3"}, "gp2, io1, standard"),
        ({"bake_volume_type": "io1"}, "iops is required for volume_type io1"),
        ({"bake_volume_type": "io1", "bake_volume_iops": 13001}, "an io1 volume has 100 to 13000"),
        (
            {"bake_volume_type": "io1", "bake_volume_iops": 3100, "bake_volume_size": 10},
            "at most 3000 (300 for each GiB)",
        ),
        ({"bake_volume_type": "gp2", "bake_volume_iops": 200}, "iops can be set for volume_type io1 only"),
        ({"bake_volume_size": 15000}, "1 to 14901 GiB"),
        ({"bake_device_name": "/dev/nvme1n1"}, "is not a device name to attach at"),
        ({"bake_root_device_name": "/dev/xvda"}, "Outscale takes /dev/sda1 only"),
        ({"bake_image_block_device_mappings": [{"device_name": "/dev/xvdb", "size_gib": 1}]}, "would be used nowhere"),
        ({"bake_image_block_device_mappings": [ROOT, ROOT]}, "mapped twice"),
        ({"bake_image_block_device_mappings": [ROOT, {"device_name": "/dev/xvdb"}]}, "give snapshot_id or size_gib"),
        ({"bake_image_boot_modes": ["bios"]}, "legacy, uefi"),
        ({"bake_image_architecture": "arm64"}, "i386, x86_64"),
        ({"bake_image_launch_permissions": {"account_ids": ["12"]}}, "which has 12 digits"),
        ({"bake_build_vm": {"instance_id": "i-1"}}, "bake_build_vm does not take instance_id"),
        ({"bake_build_vm": {"vm_id": "i-1"}}, "bake_build_vm has no subregion"),
        ({"bake_outscale_access": {"access_key": "x"}}, "access_key and secret_key go together"),
        ({"bake_outscale_access": {"token": "x"}}, "bake_outscale_access does not take token"),
        ({"bake_volume_encrypted": True}, "is an option of provider ec2"),
    ],
)
def test_a_mistake_is_explained(variables: dict[str, t.Any], said: str) -> None:
    assert said in "\n".join(read(**variables).problems)


def test_all_mistakes_are_reported_together() -> None:
    problems = read(bake_image_name="a", bake_volume_type="io1", bake_device_name="x", bake_source="y").problems
    assert len(problems) == 4


def test_secrets_are_in_no_message() -> None:
    access = {"access_key": "AK", "secret_key": "SECRET", "tokn": "SECRET"}
    assert "SECRET" not in "\n".join(check({"bake_outscale_access": access}, {}))


def test_where_and_how_to_build_is_in_no_fingerprint() -> None:
    assert {"bake_outscale_access", "bake_build_vm"} <= NOT_CONTENT
