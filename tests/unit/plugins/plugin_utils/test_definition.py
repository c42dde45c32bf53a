# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that is wrong with a definition is said at once, before anything is created."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.bakehouse.images.plugins.plugin_utils._definition import (
    Definition,
    OptionSpecs,
    read_definition,
)

ROLE = Path(__file__).resolve().parents[4] / "roles" / "bake"
GOOD = {"bake_image_name": "web", "bake_source": "ami-0123456789abcdef0"}


def render(value: t.Any) -> t.Any:
    """Stands for Ansible's templating: knows one variable."""
    if isinstance(value, dict):
        return {key: render(item) for key, item in value.items()}
    if isinstance(value, str) and "{{" in value:
        if value == "{{ known }}":
            return "web"
        raise AnsibleUndefinedVariable("'unknown' is undefined")
    return value


def read(**variables: t.Any) -> Definition:
    return read_definition({**GOOD, **variables}, OptionSpecs(str(ROLE)), render)


def test_a_good_definition_has_no_problems() -> None:
    definition = read(bake_volume_size="12", bake_image_tags={"Owner": "{{ unknown }}"}, other="ignored")
    assert definition.problems == []
    assert definition.values["bake_volume_size"] == 12
    assert definition.raw["bake_image_tags"] == {"Owner": "{{ unknown }}"}
    assert definition.unknown_yet == ["bake_image_tags"]


def test_steps_are_never_templated() -> None:
    steps = [{"role": "web", "when": "later is defined", "vars": {"a": "{{ unknown }}"}}]
    assert read(bake_provision=steps).problems == []


def test_all_mistakes_are_reported_together() -> None:
    problems = read(
        bake_image_nme="x",
        bake_volume_size=0,
        bake_on_error="ignore",
        bake_volume_type="gp2",
        bake_volume_iops=4000,
        bake_source={"filters": {}},
    ).problems
    assert len(problems) == 5
    text = "\n".join(problems)
    assert "bake_image_nme is not an option. Did you mean bake_image_name?" in text
    assert "bake_volume_size must be at least 1 GiB" in text
    assert "bake_on_error must be one of: cleanup, keep" in text.replace("Value of ", "")
    assert "bake_volume_iops goes with the volume types gp3, io1, io2, not with gp2" in text
    assert "it would match any image" in text


REPOSITORY = {"name": "a", "baseurl": "https://x.example"}
DNF = {
    "suite": "9",
    "method": "dnf",
    "boot_loader": False,
    "repositories": [{**REPOSITORY, "gpgkey": "https://x.example/key"}],
}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"bake_image_name": ""}, "bake_image_name is missing"),
        ({"bake_image_name": "ab"}, "not a name that EC2 takes"),
        ({"bake_image_name": "w#b"}, "not a name that EC2 takes"),
        ({"bake_image_name": "{{ unknown }}"}, "bake_image_name cannot be evaluated: 'unknown' is undefined"),
        ({"bake_source": None}, "bake_source is missing"),
        ({"bake_source": "snap-1"}, "not the id of an image"),
        ({"bake_source": {"filter": {"name": "x"}}}, "does not take filter"),
        (
            {"bake_source": {"scratch": {"suite": "bookworm"}, "owners": ["self"]}},
            "owners does not go together with scratch",
        ),
        ({"bake_source": {"scratch": {}}, "bake_pre_mount_commands": []}, "nothing would make a root file system"),
        ({"bake_source": {"scratch": {"sweet": "bookworm"}}}, "does not take sweet"),
        ({"bake_source": {"scratch": {**DNF, "method": "yum"}}}, "must be one of mmdebstrap, dnf, and is 'yum'"),
        ({"bake_source": {"scratch": {**DNF, "repositories": []}}}, "The method dnf needs repositories"),
        ({"bake_source": {"scratch": {**DNF, "repositories": [REPOSITORY]}}}, "The repository a has no gpgkey"),
        ({"bake_source": {"scratch": {**DNF, "repositories": "a"}}}, "repositories must be a list of mappings"),
        ({"bake_source": {"scratch": {**DNF, "boot_loader": True}}}, "boot_loader must be false with the method dnf"),
        ({"bake_chroot_mounts": [["proc", "proc"]]}, "must have three elements"),
        ({"bake_copy_files": ["etc/hosts"]}, "must be an absolute path"),
        ({"bake_device_name": "/dev/sda"}, "is not a device name to attach at"),
        ({"bake_volume_throughput": 200, "bake_volume_type": "io2"}, "goes with the volume type gp3"),
        ({"bake_volume_kms_key_id": "alias/x", "bake_volume_encrypted": False}, "Leave one of them out"),
        ({"bake_volume_kms_key_id": "no key"}, "is not a key id"),
        (
            {"bake_image_ena_support": True, "bake_image_virtualization_type": "paravirtual"},
            "needs the virtualization type hvm",
        ),
        ({"bake_image_uefi_data": "eA==", "bake_image_boot_mode": "legacy-bios"}, "does not go together"),
        ({"bake_build_instance": {"instance_id": "i-1"}}, "has no availability_zone"),
        ({"bake_wait_timeout": 0}, "bake_wait_timeout must be at least 1"),
        ({"bake_volume_size": "many"}, "bake_volume_size"),
        ({"bake_provider": "gce"}, "bake_provider"),
    ],
)
def test_a_mistake_is_explained(variables: dict[str, t.Any], said: str) -> None:
    problems = read(**variables).problems
    assert len(problems) == 1, problems
    assert said in problems[0]


LOCAL: dict[str, t.Any] = {
    "bake_provider": "local",
    "bake_image_name": "web",
    "bake_source": {"parent": "base"},
    "bake_output_directory": "images",
}
SCRATCH = {"scratch": {"suite": "bookworm"}}


def test_a_good_local_definition_has_no_problems() -> None:
    assert (
        read(**LOCAL, bake_disk_size="12GiB", bake_output_format="qcow2", bake_output_backing_file=True).problems == []
    )
    assert read(**{**LOCAL, "bake_source": "disk.raw"}).problems == []
    assert read(**{**LOCAL, "bake_source": {"path": "disk.raw", "format": "raw"}}).problems == []


def test_the_defaults_of_another_provider_are_no_mistake() -> None:
    assert read(**LOCAL, bake_image_imds_support="v2.0").problems == []
    problems = read(**LOCAL, bake_image_imds_support="inherit").problems
    assert problems == [
        "bake_image_imds_support is an option of provider ec2, and this image's bake_provider is local."
    ]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"bake_boot": {"expect": "ok"}}, "bake_boot expect must be a list of regular expressions"),
        ({"bake_boot": "true"}, "bake_boot must be true, false or a mapping"),
        ({"bake_source": {"parent": "base", "path": "x"}}, "either parent or path"),
        ({"bake_source": {"parent": "base", "format": "raw"}}, "format goes with path"),
        ({"bake_source": {"path": "x", "format": "vmdk"}}, "must be one of raw, qcow2"),
        ({"bake_source": {"filters": {"name": "x"}}}, "does not take filters. It takes parent, path, format, scratch"),
        ({"bake_disk_size": "8G"}, "Write a number with KiB, MiB, GiB or TiB"),
        ({"bake_disk_size": "8GiB", "bake_volume_size": 8}, "Leave one of them out"),
        ({"bake_image_name": "a/b"}, "is no file name"),
        ({"bake_output_file": ".web"}, "begins with a dot"),
        ({"bake_output_file": "w" * 250}, "is longer than 200 bytes"),
        ({"bake_output_backing_file": True}, "needs the format qcow2"),
        (
            {"bake_output_backing_file": True, "bake_output_format": "qcow2", "bake_source": SCRATCH},
            "needs a parent or a path",
        ),
        ({"bake_output_compress": True}, "needs the format qcow2"),
        (
            {"bake_output_compress": True, "bake_output_backing_file": True, "bake_output_format": "qcow2"},
            "cannot be compressed",
        ),
        ({"bake_cache": "never"}, "bake_cache"),
    ],
)
def test_a_mistake_in_a_local_definition_is_explained(variables: dict[str, t.Any], said: str) -> None:
    problems = read(**{**LOCAL, **variables}).problems
    assert len(problems) == 1, problems
    assert said in problems[0]


def test_documented_defaults_are_the_roles_defaults() -> None:
    import yaml

    specs = OptionSpecs(str(ROLE))
    documented = {
        name: option["default"]
        for entry_point in specs.by_entry_point.values()
        for name, option in entry_point.items()
        if "default" in option
    }
    assert documented == yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"device_name": "/dev/sdf", "volume_type": "gp3", "iops": 1, "size_gib": 1}, "/dev/sdf: iops 1: a gp3"),
        ({"device_name": "/dev/sdf", "virtual_name": "data"}, "/dev/sdf: virtual_name 'data' is not ephemeral0"),
        ({"device_name": "/dev/sda1", "snapshot_id": "snap-1"}, "/dev/sda1: its snapshot is the one that the build"),
        ({"device_name": "/dev/sda1", "size_gib": 3}, "/dev/sda1: its size is that of the build's volume."),
        ({"device_name": "/dev/sdf"}, "/dev/sdf: give snapshot_id or size_gib, or both."),
        ({"device_name": "/dev/sda1", "no_device": True}, "/dev/sda1: the root device must be an EBS volume."),
    ],
)
def test_mappings_that_ec2_would_refuse_after_the_build(mapping: dict[str, t.Any], said: str) -> None:
    problems = read(bake_root_device_name="/dev/sda1", bake_image_block_device_mappings=[mapping]).problems
    assert [problem for problem in problems if said in problem], problems


@pytest.mark.parametrize("mapping", [{"device_name": "/dev/sdf", "size": 3}, {"size_gib": 3}, {"iops": "many"}, 5])
def test_mappings_of_another_form_are_mistakes_too(mapping: t.Any) -> None:
    assert read(bake_image_block_device_mappings=[mapping]).problems != []


def test_a_mapping_may_be_the_roots_that_only_the_source_knows() -> None:
    mappings = [{"device_name": "/dev/xvda", "volume_type": "gp3"}, {"device_name": "/dev/sdf", "size_gib": "3"}]
    assert read(bake_image_block_device_mappings=mappings).problems == []


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"secret_key": "hidden"}, "bake_aws_access: secret_key is given without access_key."),
        ({"secret_kei": "hidden"}, "bake_aws_access: "),
        ({"max_retries": "hidden"}, "bake_aws_access: "),
        ({"assume_role": {"role_arn": "x"}}, "bake_aws_access: assume_role: role_arn 'x' is not the ARN of a role."),
        ({"poll_delay": 0}, "bake_aws_access: poll_delay is 0.0, and must be more than 0."),
    ],
)
def test_how_aws_is_called_is_checked_before_it_is(access: dict[str, t.Any], said: str) -> None:
    problems = read(bake_aws_access=access).problems
    assert [problem for problem in problems if problem.startswith(said)], problems
    assert read(bake_aws_access={"profile": "ci", "mfa_code": 123456}).problems == []


def test_no_secret_is_in_what_is_said_of_a_secret() -> None:
    assert "hidden" not in str(read(bake_aws_access={"secret_key": "hidden", "session_token": ["hidden"]}).problems)
