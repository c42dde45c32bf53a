# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What RegisterImage gets from the options and the source image."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import BlockDevice
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import (
    Definition,
    Registration,
    compose,
    name_problems,
)

SOURCE: dict[str, t.Any] = {
    "image_id": "ami-1",
    "name": "debian",
    "description": "Debian 12",
    "architecture": "arm64",
    "virtualization_type": "hvm",
    "root_device_name": "/dev/sda1",
    "boot_mode": "uefi",
    "ena_support": True,
    "sriov_net_support": "simple",
    "tpm_support": "v2.0",
    "imds_support": None,
    "uefi_data": "QU1aTg==",
    "usage_operation": "RunInstances",
    "kernel_id": None,
    "block_device_mappings": [
        {
            "device_name": "/dev/sda1",
            "snapshot_id": "snap-source",
            "size_gib": 8,
            "volume_type": "gp3",
            "iops": 4000,
            "throughput": 250,
            "encrypted": False,
            "delete_on_termination": True,
        },
        {"device_name": "/dev/sdb", "snapshot_id": "snap-data", "size_gib": 20, "volume_type": "gp2"},
    ],
}


def composed(**values: t.Any) -> Registration:
    """The registration of a definition that has no problems."""
    definition = Definition(**{"name": "web", "snapshot_id": "snap-new", **values})
    result = compose(definition, {"bakehouse:build-id": "3f9c0a71d2b84e65"})
    assert result.problems == []
    return result.registration


def problems(**values: t.Any) -> list[str]:
    return compose(Definition(**{"name": "web", "snapshot_id": "snap-new", **values}), {}).problems


def test_an_image_from_scratch_gets_what_current_instances_need() -> None:
    assert composed() == Registration(
        name="web",
        architecture="x86_64",
        virtualization_type="hvm",
        root_device_name="/dev/xvda",
        devices=(BlockDevice("/dev/xvda", snapshot_id="snap-new", volume_type="gp3", delete_on_termination=True),),
        ena_support=True,
        imds_support="v2.0",
        tags={"bakehouse:build-id": "3f9c0a71d2b84e65"},
    )


def test_what_is_not_set_comes_from_the_source_image() -> None:
    registration = composed(source_image=SOURCE)
    assert registration.architecture == "arm64"
    assert registration.boot_mode == "uefi"
    assert registration.ena_support is True
    assert registration.sriov_net_support == "simple"
    assert registration.tpm_support == "v2.0"
    assert registration.uefi_data == "QU1aTg=="
    assert registration.description == "Debian 12"
    assert registration.imds_support == "v2.0"


def test_what_is_set_wins_over_the_source_image() -> None:
    registration = composed(
        source_image=SOURCE,
        architecture="x86_64",
        boot_mode="uefi-preferred",
        ena_support=False,
        sriov_net_support="none",
        tpm_support="none",
        imds_support="none",
    )
    assert registration.architecture == "x86_64"
    assert registration.boot_mode == "uefi-preferred"
    assert registration.ena_support is False
    assert registration.sriov_net_support is None
    assert registration.tpm_support is None
    assert registration.imds_support is None


def test_the_root_mapping_gets_the_new_snapshot_and_the_others_keep_theirs() -> None:
    root, data = composed(source_image=SOURCE).devices
    assert root == BlockDevice(
        "/dev/sda1",
        snapshot_id="snap-new",
        volume_type="gp3",
        iops=4000,
        throughput=250,
        encrypted=False,
        delete_on_termination=True,
    )
    assert data == BlockDevice("/dev/sdb", snapshot_id="snap-data", size_gib=20, volume_type="gp2")


def test_a_root_volume_of_another_type_drops_the_performance_of_the_old_type() -> None:
    root = composed(source_image=SOURCE, root_volume={"volume_type": "gp2", "size_gib": 30, "iops": None}).devices[0]
    assert (root.volume_type, root.size_gib, root.iops, root.throughput) == ("gp2", 30, None, None)


def test_own_mappings_replace_those_of_the_source_image_with_a_warning() -> None:
    definition = Definition(
        name="web",
        snapshot_id="snap-new",
        source_image=SOURCE,
        block_device_mappings=[
            {"device_name": "/dev/sda1", "volume_type": "gp3", "kms_key_id": "alias/x", "encrypted": True}
        ],
    )
    result = compose(definition, {})
    assert [device.device_name for device in result.registration.devices] == ["/dev/sda1"]
    assert result.problems == []
    assert result.warnings == [
        "The source image's mappings for /dev/sdb are not taken over.",
        "RegisterImage takes no kms_key_id in mappings: the snapshot's key, or the default key, is used.",
    ]


def test_mappings_of_further_volumes_leave_the_root_as_it_is() -> None:
    data = [{"device_name": "/dev/sdf", "size_gib": 5}]
    assert composed(source_image=SOURCE, block_device_mappings=data).devices == (
        composed(source_image=SOURCE).devices[0],
        BlockDevice("/dev/sdf", size_gib=5),
    )
    assert composed(block_device_mappings=data).devices == (composed().devices[0], BlockDevice("/dev/sdf", size_gib=5))


def test_a_licence_in_the_source_image_is_warned_about() -> None:
    source = {**SOURCE, "usage_operation": "RunInstances:0010", "platform_details": "Red Hat Enterprise Linux"}
    warnings = compose(Definition(name="web", snapshot_id="snap-new", source_image=source), {}).warnings
    assert warnings == [
        "The source image is billed as Red Hat Enterprise Linux (RunInstances:0010); "
        "an image registered from a snapshot is billed as plain Linux."
    ]


def test_a_paravirtual_image_keeps_its_kernel_and_has_no_enhanced_networking() -> None:
    source = {**SOURCE, "virtualization_type": "paravirtual", "kernel_id": "aki-1", "ramdisk_id": "ari-1"}
    registration = composed(source_image=source)
    assert (registration.kernel_id, registration.ramdisk_id) == ("aki-1", "ari-1")
    assert registration.ena_support is None
    assert registration.sriov_net_support is None


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"snapshot_id": None}, "snapshot_id is required to register an image."),
        ({"name": "a"}, "name 'a' has 1 characters; an image's name has 3 to 128."),
        (
            {"virtualization_type": "paravirtual", "ena_support": True},
            "ena_support needs virtualization_type hvm.",
        ),
        (
            {"virtualization_type": "paravirtual", "sriov_net_support": "simple"},
            "sriov_net_support needs virtualization_type hvm.",
        ),
        (
            {"tpm_support": "v2.0"},
            "tpm_support needs an image that boots by UEFI, but boot_mode is not set and the architecture x86_64.",
        ),
        (
            {"uefi_data": "QU1aTg==", "architecture": "arm64", "boot_mode": "legacy-bios"},
            "uefi_data needs an image that boots by UEFI, but boot_mode is legacy-bios and the architecture arm64.",
        ),
        ({"uefi_data": "%", "boot_mode": "uefi"}, "uefi_data is not base64 text."),
        (
            {"root_volume": {"volume_type": "gp2", "throughput": 125}},
            "/dev/xvda: throughput can be set for volume_type gp3 only, not for gp2.",
        ),
        (
            {"source_image": SOURCE, "root_device_name": "/dev/xvda"},
            "root_device_name is /dev/xvda, but there is a mapping only for /dev/sda1, /dev/sdb; "
            "the new snapshot would be used nowhere.",
        ),
    ],
)
def test_mistakes_are_found_before_anything_is_registered(values: dict[str, t.Any], problem: str) -> None:
    assert problems(**values) == [problem]


def test_uefi_data_goes_by_the_architecture_of_the_source_image() -> None:
    assert problems(source_image={**SOURCE, "boot_mode": None}) == []
    assert len(problems(source_image={**SOURCE, "boot_mode": None, "architecture": "x86_64"})) == 2


@pytest.mark.parametrize("name", ["web", "web (2026) [a]/b.c-d'e@f_g", "x" * 128])
def test_names_that_ec2_takes(name: str) -> None:
    assert name_problems(name) == []


@pytest.mark.parametrize("name", ["", "ab", "x" * 129, "web:1", "wéb", "web\n"])
def test_names_that_ec2_refuses(name: str) -> None:
    assert len(name_problems(name)) == 1
