# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files are templates, and what is said of those that are none."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils import _packer_hcl_parse
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Settings
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_template import (
    expression_value,
    kind_of,
    read_template,
    template_path,
)

from tests.unit.plugins.plugin_utils.packer_templates import BEGAN, BUILD, SOURCE, read


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.pkr.hcl", "", "hcl"),
        ("a.pkr.json", "{}", "hcl"),
        ("a.json", '{"builders": [{"type": "x"}]}', "json"),
        ("a.json", '{"all": {"hosts": {}}}', None),
        ("a.json", "no JSON", None),
        ("a.yml", "---\nplugin: bakehouse.images.packer\n", "own"),
        ("a.yaml", "plugin: 'bakehouse.images.packer' # ours\n", "own"),
        ("a.yml", "plugin: bakehouse.images.packers\n", None),
        ("a.yml", "all:\n  hosts:\n", None),
        ("a.hcl", "", None),
    ],
)  # fmt: skip
def test_kinds_of_files(tmp_path: Path, name: str, content: str, kind: str | None) -> None:
    (tmp_path / name).write_text(content)
    assert kind_of(tmp_path / name) == kind


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "has no template: the path of a template of Packer, or of a folder of them"),
        ({"template": "nothing.pkr.hcl"}, "nothing.pkr.hcl was not found"),
        ({"template": ".", "var-files": []}, "does not take var-files. It takes plugin, template,"),
    ],
)
def test_a_file_that_names_no_template(tmp_path: Path, data: dict[str, t.Any], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        template_path(tmp_path / "own.yml", data)
    assert said in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "motd").write_text("x")
    [problem] = read_template(tmp_path / "motd", Settings(), BEGAN).problems
    assert "is no template of Packer" in problem
    [problem, _no_build] = read_template(tmp_path, Settings(), BEGAN).problems
    assert problem.endswith("holds no file that ends in .pkr.hcl or .pkr.json.")


def test_a_missing_parser_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_packer_hcl_parse, "HAS_HCL2", False)
    assert "python-hcl2 8, which is not installed" in read(tmp_path, SOURCE % "" + BUILD % "").problems[0]


def test_expressions_are_evaluated_in_the_template_that_a_file_names(tmp_path: Path) -> None:
    (tmp_path / "web.pkr.hcl").write_text('variable "a" {}\nlocals { b = "<${var.a}>" }\n')
    own = tmp_path / "own.yml"
    own.write_text("plugin: bakehouse.images.packer\ntemplate: web.pkr.hcl\nvariables: {a: x}\n")
    assert expression_value(own, "upper(local.b)", {}, BEGAN) == "<X>"
