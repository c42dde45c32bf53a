# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of amazon-chroot: what each becomes, and what is refused."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_amazon_options import OPTIONS
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import TOGETHER
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_template import expression_value

from tests.unit.plugins.plugin_utils.packer_templates import BUILD, SOURCE, host, hosts

CHECKOUT = Path(__file__).resolve().parents[4]

ROLE_ARN = "arn:aws:iam::123456789012:role/x"

SCRATCH = """
source "amazon-chroot" "web" {
  ami_name                = "web"
  from_scratch            = true
  ami_virtualization_type = "hvm"
  root_volume_size        = 4
  root_device_name        = "/dev/xvda"
  pre_mount_commands      = ["mkfs.ext4 {{.Device}}"]
  ami_block_device_mappings {
    device_name           = "/dev/xvda"
    delete_on_termination = true
    volume_type           = "gp3"
    iops                  = 3000
  }
  %s
}
"""


@pytest.mark.parametrize(
    ("option", "variable", "expected"),
    [
        ('ami_description = "x {{.SourceAMI}}"', "bake_image_description", "x {{ __bake_source_image.image_id }}"),
        ('ami_virtualization_type = "hvm"', "bake_image_virtualization_type", "hvm"),
        ('boot_mode = "uefi"', "bake_image_boot_mode", "uefi"),
        ('boot_mode = "uefi"\nuefi_data = "AA=="', "bake_image_uefi_data", "AA=="),
        ('tpm_support = "v2.0"', "bake_image_tpm_support", "v2.0"),
        ('imds_support = "v2.0"', "bake_image_imds_support", "v2.0"),
        ("", "bake_image_imds_support", "inherit"),
        ("ena_support = true", "bake_image_ena_support", True),
        ("ena_support = false", "bake_image_ena_support", False),
        ("", "bake_image_ena_support", None),
        ("sriov_support = true", "bake_image_sriov_support", True),
        ("sriov_support = false", "bake_image_sriov_support", None),
        ('root_volume_size = "12"', "bake_volume_size", 12),
        ("root_volume_size = 0", "bake_volume_size", None),
        ('root_volume_type = "gp3"', "bake_volume_type", "gp3"),
        ("root_volume_encrypt_boot = true", "bake_volume_encrypted", True),
        ("root_volume_encrypt_boot = false", "bake_volume_encrypted", None),
        (
            'root_volume_encrypt_boot = true\nroot_volume_kms_key_id = "alias/x"',
            "bake_volume_kms_key_id",
            "alias/x",
        ),
        ('root_volume_tags = { A = "{{.BuildRegion}}" }', "bake_volume_tags", {"A": "{{ __bake_host.region }}"}),
        ('tags = { A = "1", B = 2 }\ntag {\nkey = "A"\nvalue = "3"\n}', "bake_image_tags", {"A": "3", "B": "2"}),
        ('device_path = "/dev/xvdg"', "bake_device_name", "/dev/xvdg"),
        ('mount_partition = "0"', "bake_root_partition", 0),
        ("mount_partition = 2", "bake_root_partition", 2),
        ('mount_options = ["nouuid"]', "bake_mount_options", ["nouuid"]),
        ('mount_command = "sudo mount"', "bake_mount_command", "sudo mount"),
        ('mount_command = "mount"', "bake_mount_command", None),
        ('unmount_command = "sudo umount"', "bake_unmount_command", "sudo umount"),
        ('pre_mount_commands = ["a {{.Device}}"]', "bake_pre_mount_commands", ["a {{ bake_device }}"]),
        (
            'post_mount_commands = ["b {{.Device}} {{.MountPath}}"]',
            "bake_post_mount_commands",
            ["b {{ bake_device }} {{ bake_mount_path }}"],
        ),
        ('chroot_mounts = [["proc", "proc", "/proc"]]', "bake_chroot_mounts", [["proc", "proc", "/proc"]]),
        ("chroot_mounts = []", "bake_chroot_mounts", None),
        ('copy_files = ["/etc/hosts"]', "bake_copy_files", ["/etc/hosts"]),
        ("copy_files = []", "bake_copy_files", []),
        ("", "bake_copy_files", None),
        ('command_wrapper = "sudo -n {{.Command}}"', "bake_command_wrapper", "sudo -n {command}"),
        ('command_wrapper = "{{.Command}}"', "bake_command_wrapper", None),
        ("force_deregister = true", "bake_replace", True),
        ('region = "eu-west-1"', "bake_region", "eu-west-1"),
        ('access_key = ""', "bake_region", None),
        ("aws_polling {\nmax_attempts = 10\ndelay_seconds = 3\n}", "bake_snapshot_timeout", 30),
        ("aws_polling {\nmax_attempts = 10\n}", "bake_wait_timeout", 150),
        ("aws_polling {\ndelay_seconds = 3\n}", "bake_aws_access", {"poll_delay": 3}),
        ('profile = "ci"', "bake_aws_access", {"profile": "ci"}),
        ('shared_credentials_file = "~/x"', "bake_aws_access", {"shared_credentials_file": "~/x"}),
        ('custom_endpoint_ec2 = "http://x"', "bake_aws_access", {"endpoint_url": "http://x"}),
        ("insecure_skip_tls_verify = true", "bake_aws_access", {"validate_certs": False}),
        ("insecure_skip_tls_verify = false", "bake_aws_access", None),
        ("max_retries = 3", "bake_aws_access", {"max_retries": 3}),
        ("max_retries = 0", "bake_aws_access", None),
        ("decode_authorization_messages = true", "bake_aws_access", {"decode_authorization_messages": True}),
        (
            f'assume_role {{\nrole_arn = "{ROLE_ARN}"\nduration_seconds = 900\ntags = {{ a = 1 }}\n}}',
            "bake_aws_access",
            {"assume_role": {"role_arn": ROLE_ARN, "duration_seconds": 900, "tags": {"a": "1"}}},
        ),
        ('assume_role {\nsession_name = "off"\n}', "bake_aws_access", None),
        ("", "bake_aws_access", None),
        ("", "bake_generalize", False),
        ("", "bake_gather_facts", False),
    ],
)  # fmt: skip
def test_an_option_becomes_a_variable(tmp_path: Path, option: str, variable: str, expected: t.Any) -> None:
    found = host(tmp_path, option)
    assert found.problems == []
    assert found.variables.get(variable) == expected
    assert (variable in found.variables) == (expected is not None)


def test_polling_settings_of_the_environment(tmp_path: Path) -> None:
    given = {"AWS_MAX_ATTEMPTS": "4", "AWS_POLL_DELAY_SECONDS": "5", "AWS_TIMEOUT_SECONDS": "9"}
    assert host(tmp_path, environment=given).variables["bake_wait_timeout"] == 20
    assert host(tmp_path, environment={"AWS_TIMEOUT_SECONDS": "9"}).variables["bake_wait_timeout"] == 9
    option = "aws_polling {\nmax_attempts = 10\n}"
    assert host(tmp_path, option, environment=given).variables["bake_wait_timeout"] == 50


@pytest.mark.parametrize("name", ["access_key", "secret_key", "token", "mfa_code"])
def test_secrets_of_the_builder_stay_in_the_template(tmp_path: Path, name: str) -> None:
    text = SOURCE % 'access_key = "AKIA-{{build_name}}"\nsecret_key = "s3cret"\ntoken = var.t\nmfa_code = "654321"'
    found = hosts(tmp_path, 'variable "t" {\n  default = "t0ken"\n}\n' + text + BUILD % "")["amazon-chroot.web"]
    assert found.problems == []
    assert not any(secret in str(found.variables) for secret in ("AKIA", "s3cret", "t0ken", "654321"))
    access = found.variables["bake_aws_access"]
    template = tmp_path / "web.pkr.hcl"
    variable = {"token": "session_token"}.get(name, name)
    term = f"{name}@amazon-chroot.web"
    lookup = f"lookup('bakehouse.images.packer_value', '{term}', inventory='{template}')"
    assert access[variable] == f"{{{{ {lookup} }}}}"
    expected = {"access_key": "AKIA-web", "secret_key": "s3cret", "token": "t0ken", "mfa_code": "654321"}
    assert expression_value(template, term, {}, 0) == expected[name]


def test_the_source_is_an_id_or_what_a_filter_finds(tmp_path: Path) -> None:
    assert host(tmp_path).variables["bake_source"] == "ami-0123456789abcdef0"
    text = """
source "amazon-chroot" "web" {
  ami_name = "web"
  %s
  source_ami_filter {
    filters     = { name = "debian-*,ubuntu-*" }
    owners      = ["self"]
    most_recent = true
  }
}
"""
    filtered = {"filters": {"name": "debian-*,ubuntu-*"}, "owners": ["self"], "most_recent": True}
    found = hosts(tmp_path, text % "" + BUILD % "")["amazon-chroot.web"]
    assert found.variables["bake_source"] == filtered
    both = hosts(tmp_path, text % 'source_ami = "ami-1"' + BUILD % "")["amazon-chroot.web"]
    assert both.variables["bake_source"] == {"image_id": "ami-1", **filtered}


def test_from_scratch_has_packers_defaults(tmp_path: Path) -> None:
    found = hosts(tmp_path, SCRATCH % "" + BUILD % "")["amazon-chroot.web"]
    assert found.problems == []
    assert {name: found.variables[name] for name in sorted(found.variables)} == {
        "bake_copy_files": [],
        "bake_gather_facts": False,
        "bake_generalize": False,
        "bake_image_architecture": "x86_64",
        "bake_image_block_device_mappings": [
            {"device_name": "/dev/xvda", "volume_type": "gp3", "iops": 3000, "delete_on_termination": True}
        ],
        "bake_image_ena_support": False,
        "bake_image_imds_support": "inherit",
        "bake_image_name": "web",
        "bake_image_virtualization_type": "hvm",
        "bake_pre_mount_commands": ["mkfs.ext4 {{ bake_device }}"],
        "bake_root_device_name": "/dev/xvda",
        "bake_root_partition": 1,
        "bake_source": {"scratch": {}},
        "bake_volume_size": 4,
        "bake_volume_type": "gp2",
    }


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ('ami_nme = "x"', "amazon-chroot has no option ami_nme. Did you mean ami_name?"),
        ('chroot_mounts = [["proc", "proc"]]', "chroot_mounts: each entry has three parts, type, source and target, a"),
        ("from_scratch = true", "from_scratch needs root_volume_size."),
        ("from_scratch = true", "from_scratch needs pre_mount_commands."),
        ("from_scratch = true", "from_scratch needs ami_virtualization_type."),
        ("from_scratch = true", "from_scratch needs ami_block_device_mappings."),
        ("from_scratch = true\nroot_volume_type = \"io1\"", "root_volume_type cannot be io1 with from_scratch."),
        ('root_device_name = "/dev/sda1"', "root_device_name goes together with ami_block_device_mappings."),
        ('ami_block_device_mappings {\ndevice_name = "/dev/sda1"\n}', "ami_block_device_mappings needs root_device_na"),
        (
            'ami_block_device_mappings {\ndevice_name = "/dev/sda1"\n}\nroot_device_name = "/dev/sda1"',
            "ami_block_device_mappings needs root_volume_size.",
        ),
        (
            'ami_block_device_mappings {\ndevice_name = "/dev/sdb"\nthroughput = 200\nvolume_type = "gp2"\n}',
            "throughput: this goes with volumes of type gp3, not gp2.",
        ),
        (
            'ami_block_device_mappings {\ndevice_name = "/dev/sdb"\niops = 100\nvolume_type = "gp3"\n}',
            "iops: for gp3 this must be from 3000 to 16000.",
        ),
        (
            'ami_block_device_mappings {\ndevice_name = "/dev/sdb"\niops = 1000\nvolume_size=10\nvolume_type="io1"\n}',
            "iops: for io1 this must be from 100 to 64000, and at most 50 for each GiB.",
        ),
        ("ami_block_device_mappings {\nvolume_size = 1\n}", "device_name: each mapping has one."),
        ('ami_block_device_mappings {\nvolume_sise = 1\n}', "ami_block_device_mappings.volume_sise: there is no such"),
        (
            'root_volume_encrypt_boot = false\nroot_volume_kms_key_id = "alias/x"',
            "root_volume_kms_key_id is given, and root_volume_encrypt_boot is false.",
        ),
        ('root_volume_kms_key_id = "x y"', "root_volume_kms_key_id 'x y' is no KMS key"),
        ('ami_architecture = "x86"', "ami_architecture: this must be one of arm64, arm64_mac, i386, x86_64, x86_64_ma"),
        ('boot_mode = "bios"', "boot_mode: this must be one of legacy-bios, uefi, uefi-preferred, and is 'bios'."),
        ('tpm_support = "v1"', "tpm_support: this must be one of v2.0"),
        ('imds_support = "v1"', "imds_support: this must be one of v2.0"),
        ('uefi_data = "AA=="', "uefi_data needs boot_mode, unless ami_architecture is arm64."),
        ('uefi_data = "AA=="\nboot_mode = "legacy-bios"', "uefi_data does not go together with the boot_mode legacy-b"),
        (
            'region_kms_key_ids = { eu-west-1 = "" }\nami_regions = ["us-east-1"]',
            "region_kms_key_ids and ami_regions must name the same regions; eu-west-1, us-east-1 is in one.",
        ),
        ('encrypt_boot = true\nami_users = ["1"]', "ami_users: an image that is encrypted with the account's default"),
        ('encrypt_boot = true\nsnapshot_users = ["1"]', "snapshot_users: an image that is encrypted with the account'"),
        ('kms_key_id = "alias/x"', "kms_key_id needs encrypt_boot to be true."),
        ('encrypt_boot = true\nkms_key_id = "?"', "kms_key_id: '?' is no KMS key"),
        ('deprecate_at = "tomorrow"', "deprecate_at: 'tomorrow' is no time such as 2026-03-01T10:20:00Z."),
        ('access_key = "x"', "access_key and secret_key go together, and one of them is missing."),
        (
            'access_key = "x"\nsecret_key = "y"\nvault_aws_engine {\nname = "z"\n}',
            "vault_aws_engine does not go together with access_key.",
        ),
        ('ena_support = true\nami_virtualization_type = "paravirtual"', "ena_support needs the ami_virtualization_typ"),
        ('root_volume_size = "large"', "root_volume_size: this must be a number, and is the text 'large'."),
        ("tags = [1]", "tags: this must be a map, and is a number."),
        ("assume_role {\n}\nassume_role {\n}", "assume_role: there can be one only."),
        ('mount_partition = "p1"', "mount_partition must be the number of a partition, or 0."),
        ('ami_description = "{{.Devic}}"', "in {{.Devic}}: there is no .Devic"),
        ('pre_mount_commands = ["{{.MountPath}}"]', "there is no .MountPath"),
        ('source_ami_filter {\nfilters = { name = "x" }\n}\nsource_ami = ""', "source_ami_filter has no owners."),
        ('mount_path = "/mnt/{{.Device}}"\npost_mount_commands = ["ls /mnt/xvdf"]', "mount_path is not supported, and"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, option: str, said: str) -> None:
    text = SOURCE % option
    if option.count("source_ami "):
        text = text.replace('  source_ami = "ami-0123456789abcdef0"\n', "")
    problems = hosts(tmp_path, text + BUILD % "")["amazon-chroot.web"].problems
    matching = [problem for problem in problems if said in problem]
    assert matching, problems
    assert all(problem.startswith("web.pkr.hcl, line ") for problem in problems)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "ami_name is missing."),
        ("ab", "ami_name 'ab' is no name that EC2 takes"),
        ("a" * 129, "is no name that EC2 takes"),
        ("a?c", "is no name that EC2 takes"),
        ("x {{build `SourceAMI`}}", "ami_name cannot hold what only the build knows."),
    ],
)
def test_names(tmp_path: Path, name: str, said: str) -> None:
    text = SOURCE.replace('"web"\n  source', f'"{name}"\n  source') % ""
    assert said in hosts(tmp_path, text + BUILD % "")["amazon-chroot.web"].problems[0]


def test_a_source_is_needed(tmp_path: Path) -> None:
    text = 'source "amazon-chroot" "web" {\n  ami_name = "web"\n}\n'
    assert hosts(tmp_path, text + BUILD % "")["amazon-chroot.web"].problems == [
        "web.pkr.hcl, line 1: there is no source_ami and no source_ami_filter, and from_scratch is not true."
    ]


EXAMPLES = {"text": '"v2.0"', "int": "15", "bool": "true", "list": '["x"]', "map": '{ x = "y" }'}


@pytest.mark.parametrize("name", [name for name, row in OPTIONS.items() if row.reason])
def test_what_cannot_be_carried_over_is_an_error_with_line_and_reason(tmp_path: Path, name: str) -> None:
    row = OPTIONS[name]
    if row.kind in ("block", "blocks"):
        field, inner = next(iter((row.fields or {}).items()))
        option = f"{name} {{\n{field} = {EXAMPLES[inner.kind]}\n}}"
    else:
        option = f"{name} = {EXAMPLES[row.kind]}"
    problems = host(tmp_path, option).problems
    assert f"web.pkr.hcl, line 5: {name} is not supported: {row.reason}." in problems


@pytest.mark.parametrize("name", [name for name, row in OPTIONS.items() if row.note])
def test_what_has_no_effect_is_said(tmp_path: Path, name: str) -> None:
    row = OPTIONS[name]
    found = host(tmp_path, f"{name} = {EXAMPLES[row.kind]}")
    assert found.problems == []
    assert found.warnings == [f"web.pkr.hcl, line 5: {name} has no effect: {row.note}."]


def test_a_mount_path_that_nothing_counts_on_has_no_effect(tmp_path: Path) -> None:
    found = host(tmp_path, 'mount_path = "/mnt/{{.Device}}"')
    assert (found.problems, len(found.warnings)) == ([], 1)
    for usual in ("/mnt/packer-amazon-chroot-volumes/{{.Device}}", "packer-amazon-chroot-volumes/{{ .Device }}"):
        quiet = host(tmp_path, f'mount_path = "{usual}"')
        assert (quiet.problems, quiet.warnings) == ([], [])


MAPPINGS = """
root_device_name = "/dev/xvda"
root_volume_size = 9
ami_block_device_mappings {
  device_name = "/dev/xvda"
  snapshot_id = "snap-old"
  volume_size = 4
  encrypted   = true
  volume_type = "gp3"
  throughput  = 200
}
ami_block_device_mappings {
  device_name           = "/dev/sdb"
  volume_size           = 20
  encrypted             = true
  kms_key_id            = "alias/data"
  delete_on_termination = true
}
ami_block_device_mappings {
  device_name = "/dev/sdc"
  snapshot_id = "snap-data"
  encrypted   = true
}
ami_block_device_mappings {
  device_name  = "/dev/sdd"
  virtual_name = "ephemeral0"
  volume_size  = 1
}
ami_block_device_mappings {
  device_name  = "/dev/sde"
  virtual_name = "data"
  volume_size  = 1
}
ami_block_device_mappings {
  device_name = "/dev/sdf"
  no_device   = true
}
ami_block_device_mappings {
  device_name        = "/dev/sdg"
  omit_from_artifact = true
}
"""


def test_mappings_take_the_place_of_the_sources(tmp_path: Path) -> None:
    found = host(tmp_path, MAPPINGS)
    assert found.problems == []
    assert found.variables["bake_image_block_device_mappings"] == [
        {"device_name": "/dev/xvda", "volume_type": "gp3", "throughput": 200, "delete_on_termination": False},
        {"device_name": "/dev/sdb", "size_gib": 20, "encrypted": True, "delete_on_termination": True},
        {"device_name": "/dev/sdc", "snapshot_id": "snap-data", "delete_on_termination": False},
        {"device_name": "/dev/sdd", "virtual_name": "ephemeral0"},
        {"device_name": "/dev/sde", "size_gib": 1, "delete_on_termination": False},
        {"device_name": "/dev/sdf", "no_device": True},
    ]
    assert found.warnings == [
        "web.pkr.hcl, line 8: ami_block_device_mappings replaces all mappings of the source image.",
        "web.pkr.hcl, line 20: kms_key_id has no effect: EC2's images cannot name a key for a volume.",
        "web.pkr.hcl, line 35: virtual_name has no effect: data is no instance store volume, ephemeral0 and on.",
    ]


def test_the_new_snapshot_must_be_used_somewhere(tmp_path: Path) -> None:
    found = host(tmp_path, MAPPINGS.replace('root_device_name = "/dev/xvda"', 'root_device_name = "/dev/sda1"'))
    assert found.problems == [
        "web.pkr.hcl, line 8: ami_block_device_mappings: none is for /dev/sda1, so the new snapshot would be used "
        "nowhere."
    ]
    omitted = MAPPINGS.replace('snapshot_id = "snap-old"', "omit_from_artifact = true")
    assert host(tmp_path, omitted).problems == [
        "web.pkr.hcl, line 10: ami_block_device_mappings: an image cannot be without its root device."
    ]


def test_every_variable_is_one_of_the_role() -> None:
    specs = yaml.safe_load((CHECKOUT / "roles/bake/meta/argument_specs.yml").read_text())["argument_specs"]
    known = {**specs["build"]["options"], **specs["ec2"]["options"]}
    assert [row.variable for row in OPTIONS.values() if row.variable not in ("", TOGETHER, *known)] == []


def test_every_option_is_in_the_documentation() -> None:
    text = (CHECKOUT / "docs/packer.md").read_text(encoding="utf-8")
    fields = {field for row in OPTIONS.values() for field in row.fields or {}}
    assert [name for name in {*OPTIONS, *fields} if f"`{name}`" not in text] == []


def test_a_source_beside_from_scratch_has_no_effect(tmp_path: Path) -> None:
    text = SCRATCH % '  source_ami = "ami-0123456789abcdef0"' + BUILD % ""
    found = hosts(tmp_path, text)["amazon-chroot.web"]
    assert found.problems == []
    assert found.variables["bake_source"] == {"scratch": {}}
    assert any("source_ami has no effect with from_scratch." in warning for warning in found.warnings)
