# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HCL in JSON's notation."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_host import Host, HostMaker
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import to_variable
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Settings, Template
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_template import read_template
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain

from tests.unit.plugins.plugin_utils.packer_templates import BEGAN, hosts

NATIVE = """
variable "stage" {
  type    = string
  default = "test"
  validation {
    condition     = length(var.stage) > 2
    error_message = "Too short."
  }
}
variable "more" {
  type    = list(object({ name = string }))
  default = [{ name = "b" }]
}
variable "token" {
  type      = string
  default   = "s3cret"
  sensitive = true
}
locals { name = "web-${var.stage}" }
local "key" {
  expression = "${var.token}-key"
  sensitive  = true
}
source "amazon-chroot" "web" {
  ami_name   = local.name
  source_ami_filter {
    filters     = { name = "debian-*" }
    owners      = ["self"]
    most_recent = true
  }
  ena_support = true
  tags        = { Stage = var.stage, "${var.stage}" = "%{ if var.stage == "test" }yes%{ endif }" }
  tag {
    key   = "A"
    value = "1"
  }
  dynamic "root_volume_tag" {
    for_each = var.more
    iterator = each
    content {
      key   = each.value.name
      value = "$${no}"
    }
  }
}
build {
  name    = "fleet"
  sources = ["source.amazon-chroot.web"]
  source "amazon-chroot.web" {
    name             = "other"
    root_volume_size = 9
  }
  provisioner "shell" {
    inline   = ["echo ${source.name} ${build.SourceAMI}", "echo ${local.key}"]
    only     = ["amazon-chroot.web"]
    override = { web = { inline = ["echo only web"] } }
  }
  provisioner "shell" {
    inline = ["echo last"]
  }
  post-processors {
    post-processor "manifest" { output = "one.json" }
    post-processor "shell-local" { inline = ["true"] }
  }
}
"""
IN_JSON: dict[str, t.Any] = {
    "//": "The same.",
    "variable": {
        "stage": {
            "type": "string",
            "default": "test",
            "validation": {"condition": "${length(var.stage) > 2}", "error_message": "Too short."},
        },
        "more": [{"type": "list(object({ name = string }))", "default": [{"name": "b"}]}],
        "token": {"type": "string", "default": "s3cret", "sensitive": True},
    },
    "locals": [{"name": "web-${var.stage}"}],
    "local": {"key": {"expression": "${var.token}-key", "sensitive": True}},
    "source": {
        "amazon-chroot": {
            "web": {
                "//": "A comment.",
                "ami_name": "${local.name}",
                "source_ami_filter": {"filters": {"name": "debian-*"}, "owners": ["self"], "most_recent": True},
                "ena_support": True,
                "tags": {
                    "Stage": "${var.stage}",
                    "${var.stage}": '%{ if var.stage == "test" }yes%{ endif }',
                },
                "tag": {"key": "A", "value": "1"},
                "dynamic": {
                    "root_volume_tag": {
                        "for_each": "${var.more}",
                        "iterator": "each",
                        "content": {"key": "${each.value.name}", "value": "$${no}"},
                    }
                },
            }
        }
    },
    "build": {
        "name": "fleet",
        "sources": ["source.amazon-chroot.web"],
        "source": {"amazon-chroot.web": {"name": "other", "root_volume_size": 9}},
        "provisioner": [
            {
                "shell": {
                    "inline": ["echo ${source.name} ${build.SourceAMI}", "echo ${local.key}"],
                    "only": ["amazon-chroot.web"],
                    "override": {"web": {"inline": ["echo only web"]}},
                }
            },
            {"shell": {"inline": ["echo last"]}},
        ],
        "post-processors": {
            "post-processor": [{"manifest": {"output": "one.json"}}, {"shell-local": {"inline": ["true"]}}]
        },
    },
}


def read_json(folder: Path, content: str | dict[str, t.Any], **settings: t.Any) -> Template:
    path = folder / "web.pkr.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return read_template(path, Settings(**settings), BEGAN)


def json_hosts(folder: Path, content: dict[str, t.Any]) -> dict[str, Host]:
    template = read_json(folder, content)
    assert template.problems == []
    maker = HostMaker(template, folder / "web.pkr.hcl", Settings(), BEGAN)
    found = {build.name: maker.make(build) for build in template.builds}
    for host in found.values():
        host.variables = plain(to_variable(host.variables, str(folder / "web.pkr.hcl")))
    return found


def test_both_notations_mean_the_same(tmp_path: Path) -> None:
    native, in_json = hosts(tmp_path, NATIVE), json_hosts(tmp_path, IN_JSON)
    assert list(native) == ["fleet.amazon-chroot.web", "fleet.amazon-chroot.other"]
    for name, host in native.items():
        assert host.problems == []
        assert host.variables == in_json[name].variables
    web = native["fleet.amazon-chroot.web"].variables
    assert web["bake_image_name"] == "web-test"
    assert web["bake_image_tags"] == {"Stage": "test", "test": "yes", "A": "1"}
    assert web["bake_volume_tags"] == {"b": "${no}"}


def test_a_folder_may_hold_both(tmp_path: Path) -> None:
    (tmp_path / "variables.pkr.json").write_text('{"variable": {"name": {"default": "web"}}}')
    (tmp_path / "fleet.auto.pkrvars.json").write_text('{"//": "a comment", "name": "${web}"}')
    (tmp_path / "web.pkr.hcl").write_text(
        'source "amazon-chroot" "web" {\n  ami_name = var.name\n  source_ami = "ami-1"\n}\n'
        'build { sources = ["source.amazon-chroot.web"] }\n'
    )
    template = read_template(tmp_path, Settings(), BEGAN)
    assert template.problems == []
    # Values in such files are no templates.
    assert template.builds[0].source.values["ami_name"] == "${web}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"build": \n1}', "line 1: build is a block: an object of JSON, with its body."),
        ('{"source": {"amazon-chroot":\n"x"}}', "line 1: source is a block: an object of JSON, with its label"),
        ('{\n"bild": {}}', "line 2: there are no bild blocks in a template."),
        ('[{"build": {}}]', "line 1: a template is one object of JSON."),
        ('{"build": {},}', "line 1: this is no JSON"),
        ('{"locals": {"a": 1,\n"b": "${1 +}"}}', "line 2: this is no HCL"),
        ('{"locals": {\n\n"b": "${lcal.x}"}}', "line 3: there is nothing called lcal here."),
        ('{"variable": {"a":\n{"type": "list(strng)", "default": [1]}}}', "there is no type strng"),
    ],
)
def test_mistakes_name_their_line(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in problem for problem in read_json(tmp_path, text).problems)
