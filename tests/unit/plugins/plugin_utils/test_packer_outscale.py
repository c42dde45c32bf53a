# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of outscale-chroot: what each becomes, and what is refused."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_host import Host, HostMaker
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Settings
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_outscale_options import OPTIONS
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_template import read_template

from tests.unit.plugins.plugin_utils.packer_templates import BEGAN, hosts

CHECKOUT = Path(__file__).resolve().parents[4]
SOURCE = """
source "outscale-chroot" "web" {
  omi_name   = "web"
  source_omi = "ami-01234567"
  %s
}
build { sources = ["source.outscale-chroot.web"] }
"""
SCRATCH = """
source "osc-chroot" "web" {
  omi_name           = "web"
  from_scratch       = true
  root_volume_size   = 4
  root_device_name   = "/dev/sda1"
  pre_mount_commands = ["mkfs.ext4 {{.Device}}1"]
  omi_block_device_mappings {
    device_name           = "/dev/sda1"
    delete_on_vm_deletion = true
    volume_type           = "standard"
    volume_size           = 9
  }
  %s
}
build { sources = ["source.osc-chroot.web"] }
"""


def image(folder: Path, options: str = "") -> Host:
    return hosts(folder, SOURCE % options)["outscale-chroot.web"]


def bare(folder: Path, options: str = "") -> Host:
    return hosts(folder, SCRATCH % options)["osc-chroot.web"]


@pytest.mark.parametrize(
    ("option", "variable", "expected"),
    [
        ("", "bake_provider", "outscale"),
        ("", "bake_image_name", "web"),
        ("", "bake_source", "ami-01234567"),
        ("", "bake_generalize", False),
        (
            'omi_description = "from {{.SourceOMIName}}"',
            "bake_image_description",
            "from {{ __bake_source_image.name }}",
        ),
        ('omi_account_ids = ["123456789012"]', "bake_image_launch_permissions", {"account_ids": ["123456789012"]}),
        ("global_permission = true", "bake_image_launch_permissions", {"global_permission": True}),
        ('snapshot_account_ids = ["123456789012"]', "bake_snapshot_permissions", {"account_ids": ["123456789012"]}),
        ('product_codes = ["0001"]', "bake_image_product_codes", ["0001"]),
        ('omi_boot_modes = ["uefi", "legacy"]', "bake_image_boot_modes", ["uefi", "legacy"]),
        ('tags = { A = "{{.SourceOMI}}" }', "bake_image_tags", {"A": "{{ __bake_source_image.image_id }}"}),
        ('snapshot_tags = { B = "1" }', "bake_snapshot_tags", {"B": "1"}),
        ('root_volume_tags = { C = "{{.BuildRegion}}" }', "bake_volume_tags", {"C": "{{ __bake_host.region }}"}),
        ('root_volume_size = "12"', "bake_volume_size", 12),
        ('root_volume_type = "standard"', "bake_volume_type", "standard"),
        ('device_path = "/dev/vdc"', "bake_device_name", "/dev/vdc"),
        ("mount_partition = 0", "bake_root_partition", 0),
        ('mount_options = ["noatime"]', "bake_mount_options", ["noatime"]),
        ('post_mount_commands = ["b {{.MountPath}}"]', "bake_post_mount_commands", ["b {{ bake_mount_path }}"]),
        ('chroot_mounts = [["proc", "proc", "/proc"]]', "bake_chroot_mounts", [["proc", "proc", "/proc"]]),
        ("copy_files = []", "bake_copy_files", []),
        ('command_wrapper = "sudo {{.Command}}"', "bake_command_wrapper", "sudo {command}"),
        ("force_deregister = true", "bake_replace", True),
        ('region = "us-east-2"', "bake_region", "us-east-2"),
        ('profile = "ci"', "bake_outscale_access", {"profile": "ci"}),
        ('custom_endpoint_oapi = "https://x/api/v1"', "bake_outscale_access", {"endpoint_url": "https://x/api/v1"}),
        ("insecure_skip_tls_verify = true", "bake_outscale_access", {"validate_certs": False}),
        (
            'x509_cert_path = "/c"\nx509_key_path = "/k"',
            "bake_outscale_access",
            {"client_certificate": "/c", "client_key": "/k"},
        ),
    ],
)
def test_what_an_option_becomes(tmp_path: Path, option: str, variable: str, expected: t.Any) -> None:
    found = image(tmp_path, option)
    assert found.problems == []
    assert found.variables.get(variable) == expected


def test_keys_are_looked_up_and_never_shown(tmp_path: Path) -> None:
    found = image(tmp_path, 'access_key = "AK123"\nsecret_key = "SECRET"')
    assert "SECRET" not in str(found.variables)
    assert "AK123" not in str(found.variables)
    assert "secret_key@outscale-chroot.web" in found.variables["bake_outscale_access"]["secret_key"]


def test_id_and_filters_hold_together_and_filter_blocks_count(tmp_path: Path) -> None:
    text = """
      source_omi_filter {
        filters = { image-name = "a" }
        filter {
          name  = "architecture"
          value = "x86_64"
        }
        owners = ["Outscale"]
        most_recent = true
      }
    """
    assert image(tmp_path, text).variables["bake_source"] == {
        "image_id": "ami-01234567",
        "filters": {"image-name": "a", "architecture": ["x86_64"]},
        "owners": ["Outscale"],
        "most_recent": True,
    }


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ('omi_groups = ["all"]', "omi_groups is not supported"),
        ('omi_product_codes = ["1"]', "omi_product_codes is not supported"),
        ('omi_regions = ["us-east-2"]', "omi_regions is not supported"),
        ('mfa_code = "123456"', "mfa_code is not supported"),
        ('token = "x"', "token is not supported"),
        ("encrypt_boot = true", "Outscale's API has nothing of the kind"),
        ('boot_mode = "uefi"', "the option is omi_boot_modes"),
        ('ami_name = "x"', "outscale-chroot has no option ami_name. Did you mean omi_name?"),
        ('omi_boot_modes = ["bios"]', "is none of legacy, uefi"),
        ('omi_account_ids = ["1"]', "which has 12 digits"),
        ('access_key = "x"', "access_key and secret_key go together"),
        ('x509_key_path = "x"', "x509_cert_path and x509_key_path go together"),
        ('chroot_mounts = [["proc", "proc"]]', "each entry has three parts"),
        ('root_volume_type = "gp3"', "gp3"),
        ('source_omi_filter {\nfilters = { colour = "red" }\n}', "there is no filter 'colour'"),
    ],
)
def test_what_is_refused(tmp_path: Path, option: str, problem: str) -> None:
    assert problem in " ".join(image(tmp_path, option).problems)


def test_a_filter_without_owners_is_refused(tmp_path: Path) -> None:
    text = SOURCE.replace('source_omi = "ami-01234567"', "") % 'source_omi_filter {\nfilters = { image-name = "a" }\n}'
    assert "has no owners" in " ".join(hosts(tmp_path, text)["outscale-chroot.web"].problems)


@pytest.mark.parametrize(
    ("option", "warning"),
    [
        ("skip_metadata_api_check = true", "skip_metadata_api_check has no effect"),
        ("skip_region_validation = true", "skip_region_validation has no effect"),
        ("force_delete_snapshot = true", "always deleted"),
        ('omi_virtualization_type = "hvm"', "images of Outscale are hvm"),
        ('nvme_device_path = "/dev/nvme1n1"', "nvme_device_path has no effect"),
        ('root_device_name = "/dev/sda1"', "root_device_name has no effect without from_scratch"),
        ('omi_block_device_mappings {\ndevice_name = "/dev/xvdb"\n}', "without from_scratch"),
    ],
)
def test_what_has_no_effect_is_said(tmp_path: Path, option: str, warning: str) -> None:
    found = image(tmp_path, option)
    assert found.problems == []
    assert warning in " ".join(found.warnings)


def test_the_usual_mount_path_is_no_news(tmp_path: Path) -> None:
    assert image(tmp_path, 'mount_path = "/mnt/packer-outscale-chroot-volumes/{{.Device}}"').warnings == []


def test_from_scratch_the_root_device_gets_the_new_snapshot(tmp_path: Path) -> None:
    found = bare(tmp_path, 'omi_block_device_mappings {\ndevice_name = "xvdb"\nvolume_size = 3\niops = 9\n}')
    assert found.problems == []
    assert found.variables["bake_source"] == {"scratch": {}}
    assert found.variables["bake_volume_type"] == "gp2"
    assert found.variables["bake_root_partition"] == 1
    assert found.variables["bake_image_block_device_mappings"] == [
        {"device_name": "/dev/sda1", "delete_on_vm_deletion": True},
        {"device_name": "/dev/xvdb", "size_gib": 3, "delete_on_vm_deletion": False},
    ], "IOPS go with io1 only, and the root's size is root_volume_size"


def test_another_root_device_name_becomes_the_one_that_outscale_takes(tmp_path: Path) -> None:
    text = (SCRATCH % "").replace("/dev/sda1", "xvda")
    found = hosts(tmp_path, text)["osc-chroot.web"]
    assert found.problems == []
    assert "becomes /dev/sda1" in " ".join(found.warnings)
    assert found.variables["bake_image_block_device_mappings"][0]["device_name"] == "/dev/sda1"


def test_from_scratch_says_all_that_it_lacks(tmp_path: Path) -> None:
    text = 'source "osc-chroot" "w" {\nfrom_scratch = true\n}\nbuild { sources = ["source.osc-chroot.w"] }'
    problems = " ".join(hosts(tmp_path, text)["osc-chroot.w"].problems)
    for name in ("root_volume_size", "pre_mount_commands", "root_device_name", "omi_block_device_mappings"):
        assert f"from_scratch needs {name}" in problems
    assert "omi_name is missing" in problems


def test_io1_from_scratch_and_a_source_beside_it(tmp_path: Path) -> None:
    found = bare(tmp_path, 'root_volume_type = "io1"\nsource_omi = "ami-01234567"')
    assert "cannot be io1 with from_scratch" in " ".join(found.problems)
    assert "source_omi has no effect with from_scratch" in " ".join(found.warnings)


def test_json_templates(tmp_path: Path) -> None:
    builder = {"type": "osc-chroot", "omi_name": "web", "source_omi": "ami-01234567", "mount_partition": "2"}
    found = hosts(tmp_path, {"builders": [builder]})["osc-chroot"]
    assert found.problems == []
    assert found.variables["bake_provider"] == "outscale"
    assert found.variables["bake_root_partition"] == 2


def test_clean_omi_name_makes_a_name(tmp_path: Path) -> None:
    text = (SOURCE % "").replace('"web"\n  source_omi', '"{{clean_omi_name `a:b@c`}}"\n  source_omi')
    assert hosts(tmp_path, text)["outscale-chroot.web"].variables["bake_image_name"] == "a-b-c"


@pytest.mark.parametrize("name", ["from-image", "from-scratch"])
def test_the_examples_are_read_without_a_word(name: str) -> None:
    path = CHECKOUT / "examples" / "outscale" / f"{name}.pkr.hcl"
    template = read_template(path, Settings(), BEGAN)
    assert template.problems == []
    for build in template.builds:
        host = HostMaker(template, path, Settings(), BEGAN).make(build)
        assert host.problems == []
        assert [one for one in host.warnings if "hvm" not in one] == []


THEIRS = (
    "source_omi source_omi_filter from_scratch omi_block_device_mappings root_device_name "
    "root_volume_size root_volume_type root_volume_tags device_path nvme_device_path "
    "mount_path mount_partition mount_options pre_mount_commands post_mount_commands "
    "chroot_mounts copy_files command_wrapper omi_name omi_description "
    "omi_account_ids snapshot_account_ids global_permission product_codes omi_product_codes "
    "omi_groups omi_regions omi_boot_modes skip_region_validation tags "
    "snapshot_tags force_deregister force_delete_snapshot access_key secret_key "
    "region profile custom_endpoint_oapi insecure_skip_tls_verify x509_cert_path "
    "x509_key_path mfa_code token skip_metadata_api_check"
)


def test_every_option_of_the_builder_is_in_the_table() -> None:
    assert [name for name in re.split(r"\s+", THEIRS) if name not in OPTIONS] == []
