# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A forest as an inventory: the variables of each image's host, and the groups."""

from __future__ import annotations

import os
import platform
import shlex
import typing as t
from collections import Counter
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_model import (
    Described,
    Forest,
    Image,
    group_word,
    with_parents_group,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_settings import OF_SCRATCH, SETTINGS
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_sizes import DEFAULT, format_size
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import literal

GROUP = "images"

# Beside the images: what became of each when it was last built.
SUMMARY = "manifest.json"

GROUP_VARIABLES = {"ansible_connection": "bakehouse.images.chroot", "bake_provider": "local"}

# little-vm-helper's layout: no partitions, one file system on the whole disk.
WHOLE_DISK = {"table": "none", "partitions": [{"filesystem": "ext4", "mount_point": "/", "label": "root"}]}

# Where an image says nothing of it, it gets a kernel and a boot loader on these.
BOOTABLE_BY_DEFAULT = ("amd64", "x86_64")

# What little-vm-helper leaves to mmdebstrap, which takes more than the role does by default.
LVH_VARIANT = "important"

# What a list of packages may leave out, and a bootable image needs: an init, and Python for the role boot_loader.
TO_BOOT = ("python3", "python3-apt", "systemd-sysv", "udev")

# What is there decides, as in virt-customize.
INSTALL = """set -e
export DEBIAN_FRONTEND=noninteractive
if command -v apt-get > /dev/null; then
  apt-get -q -y update
  apt-get -q -y -o Dpkg::Options::=--force-confnew install {0}
elif command -v dnf > /dev/null; then dnf -y install {0}
elif command -v microdnf > /dev/null; then microdnf -y install {0}
elif command -v yum > /dev/null; then yum -y install {0}
elif command -v zypper > /dev/null; then zypper --non-interactive install {0}
elif command -v apk > /dev/null; then apk add {0}
elif command -v pacman > /dev/null; then pacman --sync --refresh --noconfirm {0}
else
  echo 'The image has no package manager that is known: apt-get, dnf, microdnf, yum, zypper, apk, pacman.' >&2
  exit 1
fi"""


class HostVariables:
    """Makes the variables of images.

    Args:
        described: the file that the images come from.
        settings: those that hold for all images.
        images_directory: the absolute path of the folder with the images' files.
        is_lvh: the images come from a file of little-vm-helper, in which no text is a template.
    """

    def __init__(
        self, described: Described, settings: t.Mapping[str, t.Any], images_directory: Path, *, is_lvh: bool
    ) -> None:
        self.described = described
        self.settings = settings
        self.images_directory = images_directory
        self.is_lvh = is_lvh
        self.forest = Forest(described.images)
        self.names = {image.name for image in described.images}

    def of(self, image: Image) -> dict[str, t.Any]:
        """The variables of one image's host. The author's own come last."""
        settings = {**self._settings_for(image), **image.settings}
        size = image.size if image.size is not None or not self._is_from_nothing(image) else DEFAULT
        found = {
            "bake_image_name": image.name,
            "bake_output_file": image.name,
            "bake_output_directory": str(self.images_directory),
            "bake_source": self._source(image, settings),
            "bake_provision": self._steps(image),
            "bake_gather_facts": image.provision is not None,
            "bake_replace": True,
        }
        found["bake_summary_file"] = str(self._summary_file(settings))
        if size is not None:
            found["bake_disk_size"] = format_size(size)
        for name, setting in SETTINGS.items():
            if setting.variable and settings.get(name) is not None:
                found[setting.variable] = settings[name]
        return {**found, **image.variables}

    def _summary_file(self, settings: t.Mapping[str, t.Any]) -> Path:
        """A file of the controller, which has no folder of the images when they are files of another machine."""
        if is_here(settings):
            return self.images_directory / SUMMARY
        return self.described.path.with_name(f"{self.described.path.stem}.{SUMMARY}")

    def _settings_for(self, image: Image) -> dict[str, t.Any]:
        """Those for all images, as far as they can hold for this one: only a qcow2 file has a backing file."""
        left_out = set()
        if not image.name.endswith(".qcow2") or self._is_from_nothing(image):
            left_out.add("backing_file")
        if not self._can_boot(image):
            left_out.add("boot")
        return {name: value for name, value in self.settings.items() if name not in left_out}

    def _can_boot(self, image: Image) -> bool:
        """Whether it has a boot loader that QEMU for x86 can start, as far as the description tells."""
        root = self.forest.root(image.name)
        if not self._is_from_nothing(root):
            return True
        settings = {**self.settings, **root.settings}
        return self._is_bootable(root, settings) and self._architecture(settings) in BOOTABLE_BY_DEFAULT

    @staticmethod
    def _architecture(settings: t.Mapping[str, t.Any]) -> str:
        return str(settings.get("architecture") or platform.machine())

    def _is_bootable(self, root: Image, settings: t.Mapping[str, t.Any]) -> bool:
        return self._architecture(settings) in BOOTABLE_BY_DEFAULT if root.bootable is None else root.bootable

    @staticmethod
    def _is_from_nothing(image: Image) -> bool:
        return image.parent is None and image.path is None

    def _source(self, image: Image, settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        if image.parent is not None and image.parent in self.names:
            return {"parent": image.parent}
        if image.parent is not None:
            return {"path": str(self.images_directory / image.parent)}
        if image.path is not None:
            return {"path": os.path.abspath(self.described.base / image.path)}
        scratch = {name: settings[name] for name in OF_SCRATCH if settings.get(name) is not None}
        bootable = self._is_bootable(image, settings)
        scratch = {"layout": WHOLE_DISK, **scratch, "boot_loader": bootable}
        if self.is_lvh:
            scratch.setdefault("variant", LVH_VARIANT)
        if image.packages:
            more = TO_BOOT if bootable and settings.get("method") in (None, "mmdebstrap") else ()
            scratch["packages"] = list(dict.fromkeys((*image.packages, *more)))
        return {"scratch": scratch}

    def _steps(self, image: Image) -> list[t.Any]:
        steps: list[t.Any] = []
        if image.packages and not self._is_from_nothing(image):
            command = INSTALL.format(" ".join(map(shlex.quote, image.packages)))
            action = {"type": "run-command", "op": {"Cmd": command}, "comment": "install packages"}
            steps.append(self._literal({"name": "install packages", "actions": [action]}))
        if image.actions:
            actions = [action.to_dict() for action in image.actions]
            steps.append(self._literal({"actions": actions}) if self.is_lvh else {"actions": actions})
        return steps + list(image.provision or [])

    def _literal(self, value: t.Any) -> t.Any:
        # Files that steps name are looked for beside the file that the step comes from.
        return literal(value, str(self.described.base / self.described.path.name))


def is_here(settings: t.Mapping[str, t.Any]) -> bool:
    """Whether images are built on the controller, as far as the settings say."""
    hosts = [settings["build_host"]] if settings.get("build_host") else settings.get("build_hosts") or ["localhost"]
    return set(hosts) == {"localhost"}


def groups_of(forest: Forest) -> dict[str, list[str]]:
    """The groups beside C(images), each with its hosts."""
    groups: dict[str, list[str]] = {"roots": forest.roots(), "leaves": forest.leaves()}
    words = Counter(map(group_word, forest.images))
    for name in forest.images:
        groups.setdefault(f"depth_{forest.depth(name)}", []).append(name)
        if words[group_word(name)] > 1:
            continue
        groups[with_parents_group(name)] = [*forest.ancestors(name), name]
        children = forest.children(name)
        if children:
            groups[f"children_of_{group_word(name)}"] = children
    return groups


__all__ = ("GROUP", "GROUP_VARIABLES", "HostVariables", "groups_of", "is_here")
