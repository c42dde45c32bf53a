# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: forest
short_description: Describe disk images that are made from one another, in YAML or as little-vm-helper does
version_added: 0.1.0
author: bakehouse.images maintainers (@bakehouse)
description:
  - Reads a file that describes disk images, and makes a host of each, ready for the playbook
    C(bakehouse.images.build). The file is one of our own in YAML, or the C(images.json) of little-vm-helper as it is.
  - Hosts have the images' names. All are in the group C(images); C(roots) are those without a parent in the file,
    C(leaves) those that no other is made from, C(depth_0), C(depth_1) and so on count ancestors,
    C(children_of_NAME) are made from NAME, and C(with_parents_NAME) is NAME with all it depends on, for C(--limit). In
    the names of groups, what is not a letter or a digit becomes an underscore.
  - A file that has mistakes still makes hosts, which cannot be built. All mistakes are shown when the file is read, and
    again by whatever is asked to build one of the images.
  - The plugin must be enabled before P(ansible.builtin.yaml#inventory), which takes any JSON file. A file of our own
    is also found through P(ansible.builtin.auto#inventory), without that. Files that are something else are left alone.
options:
  plugin:
    description: Says that the file is for this plugin. Needed in a file of our own.
    type: str
    choices:
      - bakehouse.images.forest
  source:
    description:
      - An C(images.json) of little-vm-helper, in place of O(images). Relative to this file.
    type: path
  images:
    description:
      - The images. Each has C(name) and, where wanted, C(parent), C(path), C(image_size), C(bootable), C(packages),
        C(actions), C(provision), C(variables), and the settings below for itself alone.
      - C(name) is the name of the image, its host and its file, with the file's extension. C(.qcow2) makes a qcow2
        file, anything else a raw one.
      - C(parent) is the image it is made from, of this file, or a file of that name in O(images_directory). C(path)
        is any image file. Without both it is made from nothing.
      - C(image_size) is the size of its disk, such as V(20G). By default V(8G) from nothing, and otherwise that of
        the parent.
      - C(bootable) puts a kernel and a boot loader on an image made from nothing. By default where the architecture is
        x86_64.
      - C(packages) are installed first, then C(actions) are done, as M(bakehouse.images.image_actions) takes them, then
        C(provision), any provisioning steps of the role P(bakehouse.images.bake#role).
      - C(boot) boots it before it counts as built, see O(boot).
      - C(variables) are variables of the host.
    type: list
    elements: dict
  images_directory:
    description: Folder of the images' files, on the build host. Relative to the file that lists the images.
    type: str
    default: images
    env:
      - name: BAKEHOUSE_FOREST_IMAGES_DIRECTORY
    ini:
      - section: bakehouse_forest
        key: images_directory
  suite:
    description: The release that images from nothing are made of, such as V(bookworm).
    type: str
    default: sid
    env:
      - name: BAKEHOUSE_FOREST_SUITE
    ini:
      - section: bakehouse_forest
        key: suite
  mirrors:
    description: Where its packages come from, as M(bakehouse.images.root_filesystem) takes them.
    type: list
    elements: str
    env:
      - name: BAKEHOUSE_FOREST_MIRRORS
    ini:
      - section: bakehouse_forest
        key: mirrors
  components:
    description: Components of its archive.
    type: list
    elements: str
    env:
      - name: BAKEHOUSE_FOREST_COMPONENTS
    ini:
      - section: bakehouse_forest
        key: components
  keyring:
    description: File with the keys that its archive is signed with.
    type: str
    env:
      - name: BAKEHOUSE_FOREST_KEYRING
    ini:
      - section: bakehouse_forest
        key: keyring
  variant:
    description: Which packages images from nothing have beside those asked for.
    type: str
    env:
      - name: BAKEHOUSE_FOREST_VARIANT
    ini:
      - section: bakehouse_forest
        key: variant
  architecture:
    description: Architecture of images from nothing. By default the build host's.
    type: str
    env:
      - name: BAKEHOUSE_FOREST_ARCHITECTURE
    ini:
      - section: bakehouse_forest
        key: architecture
  layout:
    description:
      - Partitions of images from nothing, as M(bakehouse.images.disk_layout) takes them. By default one ext4 file
        system on the whole disk.
    type: dict
  backing_file:
    description: Make qcow2 images hold only their difference from the parent's file, which they then need.
    type: bool
    env:
      - name: BAKEHOUSE_FOREST_BACKING_FILE
    ini:
      - section: bakehouse_forest
        key: backing_file
  cache:
    description:
      - When an image that is there is not built again. V(fingerprint) when nothing that it is made from has changed,
        which is the role's default; V(exists) whenever it is there and its parent was not built in this run, as
        little-vm-helper does.
    type: str
    choices:
      - fingerprint
      - exists
    env:
      - name: BAKEHOUSE_FOREST_CACHE
    ini:
      - section: bakehouse_forest
        key: cache
  force:
    description: Build images that are up to date, too.
    type: bool
    env:
      - name: BAKEHOUSE_FOREST_FORCE
    ini:
      - section: bakehouse_forest
        key: force
  boot:
    description:
      - Boot images in QEMU before they count as built, as C(bake_boot) of the role P(bakehouse.images.bake#role) says.
        V(true) waits for a login prompt; a mapping says what else to wait for.
      - For all images of a file, it leaves out those that have no boot loader, or another architecture than x86.
    type: raw
    env:
      - name: BAKEHOUSE_FOREST_BOOT
    ini:
      - section: bakehouse_forest
        key: boot
  gather_facts:
    description: Gather facts of the images, which needs Python in them. By default where C(provision) is given.
    type: bool
  merge_actions:
    description: Enter an image once for all its actions, and not for each.
    type: bool
    env:
      - name: BAKEHOUSE_FOREST_MERGE_ACTIONS
    ini:
      - section: bakehouse_forest
        key: merge_actions
  build_host:
    description: The host of the inventory to build on. By default the controller.
    type: str
    env:
      - name: BAKEHOUSE_FOREST_BUILD_HOST
    ini:
      - section: bakehouse_forest
        key: build_host
  build_hosts:
    description:
      - Groups and hosts of the inventory to spread images over. All that is made from one image is built where that
        one is.
    type: list
    elements: str
    env:
      - name: BAKEHOUSE_FOREST_BUILD_HOSTS
    ini:
      - section: bakehouse_forest
        key: build_hosts
seealso:
  - module: bakehouse.images.image_actions
"""

EXAMPLES = r"""
---
# images.yml: a base, and an image made from it. Show it, then build it:
#   ansible-inventory -i images.yml --graph
#   ansible-playbook -i images.yml bakehouse.images.build
plugin: bakehouse.images.forest
suite: bookworm
images:
  - name: base.raw
    image_size: 4G
    packages:
      - openssh-server
    actions:
      - comment: no password for root
        type: run-command
        op:
          Cmd: passwd -d root
  - name: web.qcow2
    parent: base.raw
    packages:
      - python3
    provision:
      - role: nginx

---
# forest.yml: the images.json of little-vm-helper beside it, where its plugin cannot be enabled.
plugin: bakehouse.images.forest
source: images.json

---
# ansible.cfg, to give "-i images.json" itself:
#   [inventory]
#   enable_plugins = bakehouse.images.forest, host_list, script, auto, yaml, ini, toml
#   [bakehouse_forest]
#   suite = bookworm
"""

import os
import typing as t
from pathlib import Path

import yaml
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.display import Display
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_checks import forest_problems, forest_warnings
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_files import kind_of, read_lvh, read_own
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_inventory import (
    GROUP,
    GROUP_VARIABLES,
    HostVariables,
    groups_of,
    is_here,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_model import Described, Forest
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_settings import SETTINGS, setting_problem

display = Display()

# The host that carries the mistakes of a file in which no image has a name.
NAMELESS = "image_without_a_name"


class InventoryModule(BaseInventoryPlugin):
    """Turns descriptions of images into hosts."""

    NAME = "bakehouse.images.forest"

    def verify_file(self, path: str) -> bool:
        """Whether the file describes images; its content says so."""
        return bool(super().verify_file(path)) and kind_of(Path(path)) is not None

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Fill the inventory."""
        super().parse(inventory, loader, path, cache=cache)
        try:
            described, is_lvh = self._read(Path(path).absolute())
        except Invalid as exc:
            described, is_lvh = Described(Path(path), Path(path).parent, (), tuple(exc.problems)), False
        settings = {name: self.get_option(name) for name in SETTINGS}
        settings["boot"] = _from_text(settings["boot"])
        problems = [*described.problems, *_setting_problems(settings)]
        wanted = described.images_directory or self.get_option("images_directory")
        images_directory = Path(os.path.abspath(described.base / wanted))
        folder = images_directory if is_here(settings) else None
        problems += forest_problems(described.images, described.base, folder)
        for warning in (*described.warnings, *forest_warnings(described.images)):
            display.warning(f"{described.path.name}: {warning}")
        inventory.add_group(GROUP)
        for name, value in GROUP_VARIABLES.items():
            inventory.set_variable(GROUP, name, value)
        if problems:
            _add_problems(inventory, described, problems)
        else:
            variables = HostVariables(described, settings, images_directory, is_lvh=is_lvh)
            _add_forest(inventory, Forest(described.images), variables)

    def _read(self, path: Path) -> tuple[Described, bool]:
        """What the file says, and whether little-vm-helper's rules hold for it. Sets the options."""
        if kind_of(path) == "lvh":
            self.set_options()
            return read_lvh(path), True
        data = self._read_config_data(str(path))
        return read_own(data, path), "source" in data


def _add_forest(inventory: t.Any, forest: Forest, variables: HostVariables) -> None:
    for name, image in forest.images.items():
        inventory.add_host(name, group=GROUP)
        for variable, value in variables.of(image).items():
            inventory.set_variable(name, variable, value)
    for group, names in groups_of(forest).items():
        inventory.add_group(group)
        for name in names:
            inventory.add_child(group, name)


def _add_problems(inventory: t.Any, described: Described, problems: list[str]) -> None:
    """Make hosts that say why they cannot be built.

    When a plugin raises an error, Ansible goes on to the next plugin, then shows the error of each as a warning, and
    ends green because there is no host.
    """
    display.error(str(Invalid(problems, subject=f"{described.path} cannot be built")), wrap_text=False)
    said = [f"{described.path.name}: {problem}" for problem in problems]
    for name in [image.name for image in described.images] or [NAMELESS]:
        inventory.add_host(name, group=GROUP)
        inventory.set_variable(name, "bake_inventory_problems", said)


def _from_text(value: t.Any) -> t.Any:
    """The value of an option that may be a mapping: the environment and ansible.cfg have it as YAML."""
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _setting_problems(settings: dict[str, t.Any]) -> list[str]:
    given = {name: value for name, value in settings.items() if value is not None}
    problems = {name: setting_problem(name, value) for name, value in given.items()}
    return [f"{name} {problem}." for name, problem in problems.items() if problem]


__all__ = ("InventoryModule",)
