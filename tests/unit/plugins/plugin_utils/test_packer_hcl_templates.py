# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Templates in HCL: variables, locals, sources and builds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Settings
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_template import read_template

from tests.unit.plugins.plugin_utils.packer_templates import BEGAN, BUILD, SOURCE, host, hosts, read

NAME = """
variable "name" {
  type    = string
  default = "from default"
}
source "amazon-chroot" "web" {
  ami_name = var.name
}
"""


def name_of(folder: Path, **settings: object) -> object:
    template = read_template(folder, Settings(**settings), BEGAN)  # type: ignore[arg-type]
    assert template.problems == []
    return template.builds[0].source.values["ami_name"]


def test_values_of_variables_come_in_the_order_of_packer(tmp_path: Path) -> None:
    (tmp_path / "web.pkr.hcl").write_text(NAME + BUILD % "")
    assert name_of(tmp_path) == "from default"
    environment = {"PKR_VAR_name": "from environment", "PKR_VAR_other": "ignored"}
    assert name_of(tmp_path, environment=environment) == "from environment"
    (tmp_path / "a.auto.pkrvars.hcl").write_text('name = "from auto"\n')
    assert name_of(tmp_path, environment=environment) == "from auto"
    (tmp_path / "b.auto.pkrvars.json").write_text(json.dumps({"name": "from json"}))
    assert name_of(tmp_path) == "from json"
    (tmp_path / "own.pkrvars.hcl").write_text('name = "from file"\n')
    files = (str(tmp_path / "own.pkrvars.hcl"),)
    assert name_of(tmp_path, var_files=files) == "from file"
    assert name_of(tmp_path, var_files=files, variables={"name": "from option"}) == "from option"


def test_the_variables_of_a_folder_are_not_those_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.auto.pkrvars.hcl").write_text('name = "from auto"\n')
    assert read(tmp_path, NAME + BUILD % "").builds[0].source.values["ami_name"] == "from default"


def test_the_files_of_a_folder_are_one_template(tmp_path: Path) -> None:
    (tmp_path / "build.pkr.hcl").write_text(BUILD % "")
    (tmp_path / "other.pkr.hcl").write_text(NAME)
    assert name_of(tmp_path) == "from default"
    alone = read_template(tmp_path / "build.pkr.hcl", Settings(), BEGAN)
    assert alone.problems == ["build.pkr.hcl, line 3: there is no source 'source.amazon-chroot.web'. There is: none."]


TYPES = """
variable "v" {
  type    = %s
  default = %s
}
locals { j = jsonencode(var.v) }
source "amazon-chroot" "web" { ami_name = local.j }
"""


@pytest.mark.parametrize(
    ("type_", "default", "expected"),
    [
        ("string", "5", '"5"'),
        ("number", '"5"', "5"),
        ("bool", '"true"', "true"),
        ("any", "[1]", "[1]"),
        ('"string"', "true", '"true"'),
        ("list(string)", "[1, true]", '["1","true"]'),
        ("set(string)", '["b", "a", "b"]', '["a","b"]'),
        ("map(number)", '{ a = "1" }', '{"a":1}'),
        ("tuple([string, number])", '[1, "2"]', '["1",2]'),
        ("object({ a = string, b = optional(number, 3) })", "{ a = 1 }", '{"a":"1","b":3}'),
        ("string", "null", "null"),
    ],
)  # fmt: skip
def test_types_of_variables(tmp_path: Path, type_: str, default: str, expected: str) -> None:
    template = read(tmp_path, TYPES % (type_, default) + BUILD % "")
    assert template.problems == []
    assert template.builds[0].source.values["ami_name"] == expected


def test_values_from_the_environment_have_the_type_that_is_declared(tmp_path: Path) -> None:
    text = TYPES % ("list(object({ n = number }))", "[]") + BUILD % ""
    template = read(tmp_path, text, environment={"PKR_VAR_v": '[{ n = "1" }]'})
    assert template.builds[0].source.values["ami_name"] == '[{"n":1}]'


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        ("", "[1]", '"[1]"'),
        ('default = "a"', "5", '"5"'),
        ("default = 1", "5", "5"),
        ("default = []", '["a"]', '["a"]'),
        ("default = false", "true", "true"),
        ("default = { a = 1 }", "{ a = 2 }", '{"a":2}'),
        ("type = any", "[1]", "[1]"),
        ("type = any", "plain words", '"plain words"'),
    ],
)  # fmt: skip
def test_values_of_variables_without_a_type_are_like_their_defaults(
    tmp_path: Path, declared: str, given: str, expected: str
) -> None:
    text = f'variable "v" {{\n  {declared}\n}}\n' + TYPES.split("}", 1)[1] + BUILD % ""
    template = read(tmp_path, text, environment={"PKR_VAR_v": given})
    assert template.problems == []
    assert template.builds[0].source.values["ami_name"] == expected


def test_all_mistakes_of_variables_are_reported_together(tmp_path: Path) -> None:
    text = """
variable "size" {
  type    = number
  default = "large"
}
variable "region" {
  defualt = "x"
}
variable "name" {
  default = "ab"
  validation {
    condition     = length(var.name) > 2
    error_message = "The name is too short."
  }
}
locals {
  a = local.b
  b = local.a
  c = var.sise
}
source "amazon-chroot" "web" {
  ami_name = local.nothing
}
"""
    found = read(tmp_path, text + BUILD % "", variables={"nme": "x"}).problems
    assert found == [
        "web.pkr.hcl, line 7: a variable has no defualt.",
        "The options give the variable nme, which the template does not declare. Did you mean name?",
        "web.pkr.hcl, line 2: variable size: this must be a number, and is the text 'large'.",
        "web.pkr.hcl, line 6: the variable region has no value. Give it a default, set PKR_VAR_region in the "
        "environment, or give it in the plugin's option variables or in one of its var_files.",
        "web.pkr.hcl, line 11: variable name: The name is too short.",
        "web.pkr.hcl, line 17: the locals are made from one another in a circle: a -> b -> a.",
        "web.pkr.hcl, line 18: the locals are made from one another in a circle: b -> a -> b.",
        "web.pkr.hcl, line 19: there is no var.sise. Did you mean var.size?",
        "web.pkr.hcl, line 22: there is no local.nothing.",
    ]


def test_the_default_of_a_variable_may_ask_the_environment(tmp_path: Path) -> None:
    text = 'variable "v" { default = env("HERE") }\nsource "amazon-chroot" "web" { ami_name = var.v }\n'
    assert read(tmp_path, text + BUILD % "", environment={"HERE": "abc"}).builds[0].source.values["ami_name"] == "abc"
    found = read(tmp_path, 'locals { a = env("HERE") }\n' + text + BUILD % "", environment={"HERE": "abc"})
    assert "env: it may be used in the default of a variable only" in found.problems[0]


def test_locals_and_dynamic_blocks(tmp_path: Path) -> None:
    before = """
locals {
  tags = merge(local.base, { Name = "web" })
  base = { Team = "ops" }
}
local "stamp" { expression = formatdate("YYYYMMDD", timestamp()) }
"""
    options = """
  ami_description = "${local.stamp} ${path.root}"
  dynamic "tag" {
    for_each = local.tags
    iterator = it
    content {
      key   = it.key
      value = upper(it.value)
    }
  }
"""
    found = host(tmp_path, options, before=before)
    assert found.problems == []
    assert found.variables["bake_image_tags"] == {"Name": "WEB", "Team": "OPS"}
    assert found.variables["bake_image_description"] == f"20260301 {tmp_path}"


def test_each_source_of_each_build_is_a_host(tmp_path: Path) -> None:
    text = """
source "amazon-chroot" "db" {
  ami_name   = "db"
  source_ami = "ami-0123456789abcdef0"
}
build {
  name    = "fleet"
  sources = ["source.amazon-chroot.web", "amazon-chroot.db"]
  source "source.amazon-chroot.web" {
    name     = "large"
    ami_name = "large ${source.name} ${build.name}"
  }
}
build {
  sources = ["source.amazon-chroot.web"]
}
build {
  sources = ["source.amazon-chroot.web"]
}
"""
    found = hosts(tmp_path, SOURCE % "" + text)
    assert list(found) == [
        "fleet.amazon-chroot.web",
        "fleet.amazon-chroot.db",
        "fleet.amazon-chroot.large",
        "amazon-chroot.web",
        "build_3.amazon-chroot.web",
    ]
    assert found["fleet.amazon-chroot.large"].variables["bake_image_name"] == "large large fleet"
    assert found["fleet.amazon-chroot.large"].groups == {"source_large", "build_fleet"}
    only = hosts(tmp_path, SOURCE % "" + text, only=("fleet.*",), excluded=("*.db",))
    assert list(only) == ["fleet.amazon-chroot.web", "fleet.amazon-chroot.large"]


def test_only_except_and_override_of_provisioners(tmp_path: Path) -> None:
    steps = """
  source "source.amazon-chroot.web" {
    name = "other"
  }
  provisioner "shell" {
    name   = "one"
    inline = ["common"]
    override = {
      other = { inline = ["special"] }
    }
  }
  provisioner "shell" {
    only   = ["amazon-chroot.other"]
    inline = ["only other"]
  }
  provisioner "shell" {
    except = ["source.amazon-chroot.other"]
    inline = ["not other"]
  }
"""
    found = hosts(tmp_path, SOURCE % "" + BUILD % steps)
    scripts = {
        name: [it.values["inline"] for it in build.provisioners]
        for name, build in ((it.name, it) for it in read(tmp_path, SOURCE % "" + BUILD % steps).builds)
    }
    assert scripts == {
        "amazon-chroot.web": [["common"], ["not other"]],
        "amazon-chroot.other": [["special"], ["only other"]],
    }
    assert len(found["amazon-chroot.web"].variables["bake_provision"]) == 2


def test_sources_of_other_builders_are_refused_unless_they_are_left_out(tmp_path: Path) -> None:
    text = 'source "amazon-ebs" "x" {}\nbuild { sources = ["source.amazon-ebs.x"] }\n'
    assert read(tmp_path, text).problems == [
        "web.pkr.hcl, line 1: sources of the type amazon-ebs are not supported; amazon-chroot, outscale-chroot, "
        "osc-chroot are. Leave it out with the option only or except."
    ]
    both = SOURCE % "" + text + BUILD % ""
    assert [it.name for it in read(tmp_path, both, excluded=("amazon-ebs.*",)).builds] == ["amazon-chroot.web"]


def test_blocks_that_a_template_cannot_have(tmp_path: Path) -> None:
    text = """
provider "aws" {}
source "amazon-chroot" {}
stray = 1
build {
  sourcs = []
  sources = ["source.amazon-chroot.web"]
  error-cleanup-provisioner "shell" {}
  provisioner {}
  deprovisioner "x" {}
  hcp_packer_registry {}
}
"""
    template = read(tmp_path, SOURCE % "" + text)
    lines = {problem.split(": ", 1)[0] for problem in template.problems}
    assert lines == {f"web.pkr.hcl, line {number}" for number in (8, 9, 10, 12, 15, 16)}
    first, second = template.warnings
    assert first.startswith("web.pkr.hcl, line 14: error-cleanup-provisioner has no effect: Packer's chroot builder ")
    assert second == "web.pkr.hcl, line 17: HCP Packer is not told of these images."


def test_a_data_source_finds_the_source_image(tmp_path: Path) -> None:
    text = """
data "amazon-ami" "base" {
  filters     = { name = "debian-12-*" }
  owners      = ["136693071363"]
  most_recent = true
}
source "amazon-chroot" "web" {
  ami_name   = "web"
  source_ami = data.amazon-ami.base.id
}
"""
    found = hosts(tmp_path, text + BUILD % "")["amazon-chroot.web"]
    assert found.problems == []
    assert found.variables["bake_source"] == {
        "filters": {"name": "debian-12-*"},
        "owners": ["136693071363"],
        "most_recent": True,
    }
    other = read(
        tmp_path, 'data "http" "x" { url = "x" }\nlocals { a = data.http.x.body }\n' + SOURCE % "" + BUILD % ""
    )
    assert other.problems == [
        "web.pkr.hcl, line 1: data sources of the kind http are not supported; amazon-ami is. "
        "Give the value as a variable."
    ]


def test_secrets_are_looked_up_and_not_shown(tmp_path: Path) -> None:
    before = """
variable "token" {
  default   = "s3cr3t"
  sensitive = true
}
variable "users" {
  default   = { ann = "p4ss" }
  sensitive = true
}
local "both" {
  expression = "x-${var.token}"
  sensitive  = true
}
"""
    steps = """
  provisioner "shell" {
    inline = ["echo ${var.token} ${base64encode(var.token)} ${var.users.ann} ${local.both}"]
  }
"""
    found = host(tmp_path, before=before, steps=steps)
    text = str(found.variables)
    for secret in ("s3cr3t", "czNjcjN0", "p4ss"):
        assert secret not in text
    for expression in ("'var.token'", "'base64encode(var.token)'", "'var.users[\"ann\"]'", "'local.both'"):
        assert expression in text.replace("\\'", "'").replace('\\"', '"')
    assert "'no_log': True" in text


def test_a_file_that_is_no_hcl(tmp_path: Path) -> None:
    assert read(tmp_path, "build {\n  sources = [\n}\n").problems[0].startswith("web.pkr.hcl, line 3: this is no HCL")
    assert read(tmp_path, "").problems[0].endswith("has no build block, so it describes no image.")
