# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packer templates for tests: written, read, and made hosts of, without Ansible."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_eval import Evaluator
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_functions import Library
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_parse import parse_expression
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_host import Host, HostMaker
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import to_variable
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Settings, Template
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_template import read_template
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain

# 2026-03-01 10:20:30 UTC
BEGAN = 1772360430.0

SOURCE = """
source "amazon-chroot" "web" {
  ami_name   = "web"
  source_ami = "ami-0123456789abcdef0"
%s
}
"""
BUILD = """
build {
  sources = ["source.amazon-chroot.web"]
%s
}
"""


def value(text: str, **names: t.Any) -> t.Any:
    """The value of an expression of HCL."""
    evaluator = Evaluator("x.pkr.hcl", names, Library("/nonexistent", BEGAN), {})
    return evaluator.value(parse_expression(text, "x.pkr.hcl", 1))


def read(folder: Path, content: str | dict[str, t.Any], **settings: t.Any) -> Template:
    """What is read from a template with this content: HCL, or JSON from plain values."""
    return read_template(write(folder, content), Settings(**settings), BEGAN)


def write(folder: Path, content: str | dict[str, t.Any]) -> Path:
    """Write a template: HCL, or JSON from plain values."""
    is_hcl = isinstance(content, str)
    path = folder / ("web.pkr.hcl" if is_hcl else "web.json")
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2), encoding="utf-8")
    return path


def hosts(folder: Path, content: str | dict[str, t.Any], **settings: t.Any) -> dict[str, Host]:
    """The hosts that a template becomes, with the template's own mistakes."""
    template = read(folder, content, **settings)
    maker = HostMaker(template, folder / "web.pkr.hcl", Settings(**settings), BEGAN)
    found = {build.name: maker.make(build) for build in template.builds}
    for host in found.values():
        host.problems[:0] = template.problems
        host.variables = plain(to_variable(host.variables, str(folder / "web.pkr.hcl")))
    return found


def host(folder: Path, options: str = "", steps: str = "", before: str = "", **settings: t.Any) -> Host:
    """The host of a template with one source that has these options, and one build with these blocks."""
    return hosts(folder, before + SOURCE % options + BUILD % steps, **settings)["amazon-chroot.web"]


__all__ = ("BEGAN", "BUILD", "SOURCE", "host", "hosts", "read", "value", "write")
