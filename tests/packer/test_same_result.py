# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same template, built by Packer and by this collection, gives the same image. "make compare-packer" runs this."""

from __future__ import annotations

import hashlib
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.packer.comparison import FROM_SOURCE, LENT, NAME, Comparison
from tests.unit.plugins.plugin_utils.packer_templates import hosts, write


def template(provisioners: list[dict[str, t.Any]], **options: t.Any) -> dict[str, t.Any]:
    """A template in JSON: options that are None are left out."""
    shared = {
        "type": "amazon-chroot",
        "region": "{{user `region`}}",
        "custom_endpoint_ec2": "{{user `endpoint`}}",
        "ami_name": NAME,
        "source_ami": "{{user `source`}}",
        "device_path": "{{user `device`}}",
    }
    builder = {name: value for name, value in {**shared, **options}.items() if value is not None}
    return {
        "variables": {
            "device": "{{env `DEVICE`}}",
            "endpoint": "{{env `ENDPOINT`}}",
            "region": "{{env `AWS_DEFAULT_REGION`}}",
            "source": "{{env `SOURCE`}}",
            "tarball": "{{env `TARBALL`}}",
        },
        "builders": [builder],
        "provisioners": provisioners,
    }


SHELL = {"type": "shell", "inline": ["echo built > /etc/built"]}
# A partition shows some time after it was made.
PARTITIONED = [
    "printf 'label: gpt\\n, +, L\\n' | sfdisk --quiet --no-reread --no-tell-kernel {{.Device}}",
    "partx --update {{.Device}}; until [ -b {{.Device}}1 ]; do sleep 0.1; done",
    "mkfs.ext4 -q -L root {{.Device}}1",
]
SCRATCH: dict[str, t.Any] = {
    "source_ami": None,
    "from_scratch": True,
    "ami_virtualization_type": "hvm",
    "root_device_name": "/dev/xvda",
    "root_volume_size": 1,
    "ami_block_device_mappings": [{"device_name": "/dev/xvda", "volume_type": "gp2", "delete_on_termination": True}],
    "pre_mount_commands": PARTITIONED,
    "post_mount_commands": ["tar -C {{.MountPath}} -xf {{user `tarball`}}"],
}


def sha256(text: str) -> str:
    """What a file with this text shows as its content."""
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_basic_template(comparison: Comparison) -> None:
    (comparison.folder / "motd").write_text("welcome\n")
    site = comparison.folder / "site"
    (site / "inner").mkdir(parents=True)
    (site / "index.html").write_text("<p>\n")
    (site / "inner/.hidden").write_text("hidden\n")
    (comparison.folder / "setup.sh").write_text('#!/bin/sh\necho "$GREETING" > /etc/greeting\nexit 7\n')
    script = {"type": "shell", "script": "setup.sh", "valid_exit_codes": [0, 7]}
    comparison.write(
        template(
            [
                {"type": "file", "source": "motd", "destination": "/etc/motd"},
                {"type": "file", "source": "site/", "destination": "/srv"},
                {"type": "file", "source": "site", "destination": "/opt"},
                {"type": "shell", "inline": ["echo one > /etc/one", "useradd --create-home --uid 1234 web"]},
                {**script, "environment_vars": ["GREETING=it's $HOME"]},
                {"type": "file", "direction": "download", "source": "/etc/one", "destination": "one"},
                {"type": "shell-local", "inline": ["echo $PACKER_BUILD_NAME >> built.txt"]},
            ],
            ami_description="From {{ .SourceAMI }}",
        )
    )
    expanded = {"tree.etc/greeting": "it is what the template says; Packer has the build host's shell expand it"}
    packer, ours = comparison.must_agree(FROM_SOURCE, LENT, expanded)
    assert ours.tree["etc/greeting"].content == sha256("it's $HOME\n")
    assert packer.tree["etc/greeting"].content == sha256(f"it's {comparison.folder}\n")
    assert (comparison.folder / "one").read_text() == "one\n"
    assert (comparison.folder / "built.txt").read_text() == "amazon-chroot\namazon-chroot\n"


def test_chroot_mounts(comparison: Comparison) -> None:
    (comparison.folder / "shared").mkdir()
    (comparison.folder / "shared/file").write_text("shared\n")
    usual = [["proc", "proc", "/proc"], ["sysfs", "sysfs", "/sys"], ["bind", "/dev", "/dev"]]
    own = [["tmpfs", "tmpfs", "/mnt"], ["bind", str(comparison.folder / "shared"), "/srv/shared"]]
    commands = ["cp /srv/shared/file /etc/shared", "echo gone > /mnt/file", "stat -f -c %T /mnt /proc > /etc/kinds"]
    comparison.write(template([{"type": "shell", "inline": commands}], chroot_mounts=[*usual, *own]))
    _packer, ours = comparison.must_agree(FROM_SOURCE, LENT)
    assert ours.tree["etc/shared"].content == sha256("shared\n")
    assert "mnt/file" not in ours.tree


def test_from_scratch(comparison: Comparison) -> None:
    comparison.write(template([SHELL], **SCRATCH))
    comparison.must_agree()


def test_from_scratch_with_more_volumes(comparison: Comparison) -> None:
    more = [
        {"device_name": "/dev/sdb", "volume_type": "gp2", "volume_size": 2, "delete_on_termination": True},
        {"device_name": "/dev/sdc", "virtual_name": "ephemeral0"},
    ]
    mappings = [*SCRATCH["ami_block_device_mappings"], *more]
    comparison.write(template([SHELL], **{**SCRATCH, "ami_block_device_mappings": mappings}))
    comparison.must_agree()


def test_more_volumes_than_the_source_has(comparison: Comparison) -> None:
    mappings = [
        {"device_name": "/dev/xvda", "volume_type": "gp2", "delete_on_termination": True},
        {"device_name": "/dev/sdb", "volume_type": "io1", "iops": 100, "volume_size": 4},
    ]
    own = {"ami_block_device_mappings": mappings, "root_device_name": "/dev/xvda", "root_volume_size": 2}
    comparison.write(template([SHELL], **own))
    comparison.must_agree(FROM_SOURCE, LENT)


def test_no_copy_files(comparison: Comparison) -> None:
    comparison.write(template([SHELL], copy_files=[]))
    comparison.must_agree(FROM_SOURCE)


def test_mount_partition_0(comparison: Comparison, whole_disk: str) -> None:
    comparison.environment["SOURCE"] = whole_disk
    comparison.write(template([SHELL], mount_partition="0", copy_files=[]))
    comparison.must_agree(partition=None)


def test_tags_with_data_of_the_build(comparison: Comparison) -> None:
    comparison.write(
        template(
            [SHELL],
            ami_description="{{.SourceAMI}} {{ .SourceAMIName }} in {{.BuildRegion}}",
            tags={
                "Name": "{{ .SourceAMIName | clean_resource_name }}",
                "Release": "{{ .SourceAMITags.Release }}",
                "{{.BuildRegion}}": "{{ if .SourceAMI }}has a source{{ else }}has none{{ end }}",
                "Tags": "{{ range $name, $value := .SourceAMITags }}{{ $name }}={{ $value }};{{ end }}",
            },
            root_volume_tags={"From": "{{ .SourceAMI }}"},
        )
    )
    packer, _ours = comparison.must_agree(FROM_SOURCE, LENT)
    assert packer.image["Tags"]["Tags"] == "Release=bookworm;"
    tagged = [call for call in comparison.lab.api.calls("CreateVolume") if "'From'" in str(call) or "From" in str(call)]
    assert len(tagged) == 2


def test_a_command_wrapper(comparison: Comparison) -> None:
    comparison.write(
        template([{"type": "shell", "inline": ["nice > /etc/nice"]}], command_wrapper="nice -n 5 {{.Command}}")
    )
    _packer, ours = comparison.must_agree(FROM_SOURCE, LENT)
    assert ours.tree["etc/nice"].content == sha256(f"{os.nice(0) + 5}\n")


def test_sharing_and_a_copy(comparison: Comparison) -> None:
    comparison.regions = ("us-east-1",)
    users = {"ami_users": ["111122223333", "444455556666"], "snapshot_users": ["111122223333"]}
    comparison.write(template([SHELL], **users, ami_regions=["us-east-1"], tags={"Name": "shared"}))
    elsewhere = {
        "elsewhere.*.image.EnaSupport": "as in the build region",
        "elsewhere.*.image.Tags.bakehouse:*": "as in the build region",
        "elsewhere.*.snapshots.*.Description": "EC2's own, which names ids",
        "elsewhere.*.snapshots.*.Tags.bakehouse:*": "as in the build region",
    }
    packer, _ours = comparison.must_agree(FROM_SOURCE, LENT, elsewhere)
    assert sorted(it["UserId"] for it in packer.shared["image"]) == ["111122223333", "444455556666"]


@pytest.mark.parametrize("builder", ["packer", "ours"])
def test_a_second_build_takes_the_place_of_the_first(comparison: Comparison, builder: str) -> None:
    build = getattr(comparison, builder)
    seen = []
    for text in ("one", "two"):
        comparison.write(
            template(
                [{"type": "shell", "inline": [f"echo {text} > /etc/built"]}],
                force_deregister=True,
                force_delete_snapshot=True,
            )
        )
        build()
        image = comparison.cloud.image(NAME)
        assert image
        seen.append(image["ImageId"])
        assert comparison.leftovers() == []
    assert seen[0] != seen[1]
    snapshots = comparison.cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    images = comparison.cloud.ec2.describe_images(Owners=["self"])["Images"]
    assert len(snapshots) == len(images)


HCL = """
variable "endpoint" {
  type    = string
  default = ""
}
variable "device" { type = string }
variable "region" { type = string }
variable "ami" { type = string }

locals {
  words = ["one", "two"]
}

source "amazon-chroot" "web" {
  region              = var.region
  custom_endpoint_ec2 = var.endpoint
  device_path         = var.device
  ami_name            = "compared"
  tags                = { Words = join("-", local.words) }
  source_ami_filter {
    filters     = { name = "debian-source" }
    owners      = ["self"]
    most_recent = true
  }
  tag {
    key   = "Name"
    value = "web"
  }
}

build {
  sources = ["source.amazon-chroot.web"]
  provisioner "shell" {
    environment_vars = ["NAME=${upper("web")}"]
    inline           = [for word in local.words : "echo ${word} $NAME >> /etc/built"]
  }
}
"""
# The same in JSON's notation.
HCL_IN_JSON = {
    "variable": {
        "endpoint": {"type": "string", "default": ""},
        "device": {"type": "string"},
        "region": {"type": "string"},
        "ami": {"type": "string"},
    },
    "locals": {"words": ["one", "two"]},
    "source": {
        "amazon-chroot": {
            "web": {
                "//": "The same as in HCL's own notation.",
                "region": "${var.region}",
                "custom_endpoint_ec2": "${var.endpoint}",
                "device_path": "${var.device}",
                "ami_name": "compared",
                "tags": {"Words": '${join("-", local.words)}'},
                "source_ami_filter": {"filters": {"name": "debian-source"}, "owners": ["self"], "most_recent": True},
                "tag": [{"key": "Name", "value": "web"}],
            }
        }
    },
    "build": {
        "sources": ["source.amazon-chroot.web"],
        "provisioner": [
            {
                "shell": {
                    "environment_vars": ['NAME=${upper("web")}'],
                    "inline": '${[for word in local.words : "echo ${word} $NAME >> /etc/built"]}',
                }
            }
        ],
    },
}


@pytest.mark.parametrize("notation", [HCL, HCL_IN_JSON], ids=["native", "json"])
def test_hcl(comparison: Comparison, notation: str | dict[str, t.Any]) -> None:
    comparison.write(notation)
    packer, ours = comparison.must_agree(FROM_SOURCE, LENT)
    assert packer.image["Tags"] == {"Name": "web", "Words": "one-two"}
    assert ours.tree["etc/built"].content == sha256("one WEB\ntwo WEB\n")


WRONG: dict[str, dict[str, t.Any]] = {
    "an unknown option": {"ami_nmae": "web"},
    "no source": {"source_ami": None},
    "a name that is none": {"ami_name": "a?"},
    "a mount of two parts": {"chroot_mounts": [["proc", "/proc"]]},
    "from scratch without the rest": {"source_ami": None, "from_scratch": True},
    "mappings without a root": {"ami_block_device_mappings": [{"device_name": "/dev/sdb"}]},
    "a root without mappings": {"root_device_name": "/dev/xvda"},
    "no architecture": {"ami_architecture": "vax"},
    "a key without encryption": {"kms_key_id": "alias/own"},
    "one half of the keys": {"access_key": "AKIAIOSFODNN7EXAMPLE"},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_packer_refuses_is_refused(tmp_path: Path, wrong: str) -> None:
    content = template([SHELL], **{"source_ami": "ami-0123456789abcdef0", "region": "us-east-1", **WRONG[wrong]})
    environment = {"CHECKPOINT_DISABLE": "1", "PACKER_CONFIG_DIR": str(tmp_path), "HOME": str(tmp_path)}
    path = write(tmp_path, content)
    done = subprocess.run(
        ["packer", "validate", str(path)],
        check=False,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0, done.stdout
    found = hosts(tmp_path, content)
    assert [problem for host in found.values() for problem in host.problems] != []


def test_what_packer_takes_is_taken(tmp_path: Path) -> None:
    """Without this the test above would pass if everything was refused."""
    content = template([SHELL], **{"source_ami": "ami-0123456789abcdef0", "region": "us-east-1"})
    assert hosts(tmp_path, content)["amazon-chroot"].problems == []
