# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: packer
short_description: Build from Packer's templates for amazon-chroot, as they are
version_added: 0.1.0
author: bakehouse.images maintainers (@bakehouse)
description:
  - Reads a template of HashiCorp's Packer, in HCL (C(*.pkr.hcl)) or JSON, and makes a host of each C(amazon-chroot)
    source of each build, ready for the playbook C(bakehouse.images.build). Sources for Outscale, C(outscale-chroot) and
    C(osc-chroot), become hosts of the provider C(outscale).
  - Hosts have the names that Packer gives builds. All are in the group C(images); C(source_NAME) are those of one
    source, C(build_NAME) those of one build.
  - Variables take their values as with Packer, from defaults, C(PKR_VAR_name) in the environment,
    C(*.auto.pkrvars.hcl) of a folder, then O(var_files) and O(variables). C(PKR_VAR_name) is for JSON templates too.
  - A template that has mistakes, or asks for something that cannot be done, still makes hosts, which cannot be built.
    All of it is shown when the template is read, and again by whatever is asked to build one of the images.
  - Values of sensitive variables are not in the inventory. They are looked up when they are needed, with
    P(bakehouse.images.packer_value#lookup).
  - The plugin must be enabled before P(ansible.builtin.yaml#inventory), which takes any JSON file. A file with
    O(plugin) and O(template) is also found through P(ansible.builtin.auto#inventory), without that. JSON files
    that are no templates are left alone.
requirements:
  - python-hcl2 8, for templates in HCL
extends_documentation_fragment:
  - bakehouse.images._packer
options:
  plugin:
    description: Says that the file is for this plugin. Needed in a file that names a template.
    type: str
    choices:
      - bakehouse.images.packer
  template:
    description:
      - A template, or a folder, whose C(*.pkr.hcl) files are one template. Relative to this file.
    type: path
  variables:
    description: Values of variables, as with C(packer build -var).
    type: dict
  build_host:
    description: The host of the inventory to build on. By default the controller.
    type: str
    env:
      - name: BAKEHOUSE_PACKER_BUILD_HOST
    ini:
      - section: bakehouse_packer
        key: build_host
seealso:
  - plugin: bakehouse.images.packer_value
    plugin_type: lookup
"""

EXAMPLES = r"""
---
# ansible.cfg, to give "-i template.pkr.hcl" itself:
#   [inventory]
#   enable_plugins = bakehouse.images.packer, host_list, script, auto, yaml, ini, toml
#
# Show it, then build it:
#   ansible-inventory -i template.pkr.hcl --graph
#   ansible-playbook -i template.pkr.hcl bakehouse.images.build

---
# packer.yml: a folder of *.pkr.hcl, with what would be arguments of packer build.
plugin: bakehouse.images.packer
template: .
var_files:
  - production.pkrvars.hcl
variables:
  release: "12"
only:
  - "*.amazon-chroot.web"
"""

import re
import time
import typing as t
from pathlib import Path

from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.display import Display
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_host import Host, HostMaker
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import to_variable
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Template
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_template import (
    kind_of,
    read_template,
    settings_of,
    template_path,
)

display = Display()

GROUP = "images"
GROUP_VARIABLES = {"ansible_connection": "bakehouse.images.chroot", "bake_provider": "ec2"}

# The host that carries the mistakes of a template in which no build could be read.
NAMELESS = "image_without_a_name"
PLACE = re.compile(r"(.*?), line (\d+): ")
OPTIONS = ("variables", "var_files", "only", "except", "build_host")


class InventoryModule(BaseInventoryPlugin):
    """Turns templates of Packer into hosts."""

    NAME = "bakehouse.images.packer"

    def verify_file(self, path: str) -> bool:
        """Whether the file is a template, or names one; its content says so."""
        return bool(super().verify_file(path)) and kind_of(Path(path)) is not None

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache=cache)
        given = Path(path).absolute()
        began = time.time()
        data = None
        if kind_of(given) == "own":
            data = self._read_config_data(str(given))
        else:
            self.set_options()
        options = {name: self.get_option(name) for name in OPTIONS}
        settings = settings_of(options, given.parent)
        try:
            template = read_template(template_path(given, data), settings, began)
        except Invalid as exc:
            template = Template(problems=list(exc.problems))
        maker = HostMaker(template, given, settings, began)
        hosts = [maker.make(build) for build in template.builds]
        problems = _in_order([*template.problems, *(it for host in hosts for it in host.problems)])
        for warning in dict.fromkeys([*template.warnings, *(it for host in hosts for it in host.warnings)]):
            display.warning(warning)
        _fill(inventory, hosts, given, options["build_host"], problems)


def _in_order(problems: list[str]) -> list[str]:
    """Each once, by file and line; those without a place first."""

    def place(problem: str) -> tuple[str, int]:
        found = PLACE.match(problem)
        return (found[1], int(found[2])) if found else ("", 0)

    return sorted(dict.fromkeys(problems), key=place)


def _fill(inventory: t.Any, hosts: list[Host], path: Path, build_host: str | None, problems: list[str]) -> None:
    inventory.add_group(GROUP)
    for name, value in GROUP_VARIABLES.items():
        inventory.set_variable(GROUP, name, value)
    if problems:
        _add_problems(inventory, [host.name for host in hosts] or [NAMELESS], path, problems)
        return
    for host in hosts:
        inventory.add_host(host.name, group=GROUP)
        if build_host:
            host.variables["bake_build_host"] = build_host
        for variable, value in host.variables.items():
            inventory.set_variable(host.name, variable, to_variable(value, str(path)))
        for group in sorted(host.groups):
            inventory.add_group(group)
            inventory.add_child(group, host.name)


def _add_problems(inventory: t.Any, names: list[str], path: Path, problems: list[str]) -> None:
    """Make hosts that say why they cannot be built.

    When a plugin raises an error, Ansible goes on to the next plugin, then shows the error of each as a warning, and
    ends green because there is no host.
    """
    display.error(str(Invalid(problems, subject=f"{path} cannot be built")), wrap_text=False)
    for name in names:
        inventory.add_host(name, group=GROUP)
        inventory.set_variable(name, "bake_inventory_problems", problems)


__all__ = ("InventoryModule",)
