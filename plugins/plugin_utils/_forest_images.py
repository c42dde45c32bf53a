# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""From the list of images in a file to images, with every mistake reported.

One reader serves both formats. little-vm-helper's is read as that program reads it, in which the case of keys does
not matter and unknown keys are ignored; ours is strict, and has more keys.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_model import Described, Image
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_settings import SETTINGS, setting_problem
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_sizes import parse_size
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import (
    described,
    known_keys,
    local_problem,
    read_actions,
    suggestion,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template

LVH_KEYS = ("name", "parent", "image_size", "bootable", "packages", "actions")
OUR_KEYS = (*LVH_KEYS, "path", "provision", "variables", *SETTINGS)

# A name is a file's name and a host's name: no pattern character of --limit, and nothing that leads elsewhere.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
LONGEST_NAME = 200
TAKEN_NAMES = ("all", "ungrouped", "localhost", "images", "roots", "leaves")
PACKAGE = re.compile(r"[A-Za-z0-9@/_][A-Za-z0-9.+:~=@/_*-]*")


def read_images(raw: t.Any, *, path: Path, base: Path, lenient: bool, images_directory: str | None = None) -> Described:
    """Read the list.

    Args:
        raw: the list.
        path: the file it stands in.
        base: the folder that relative paths begin in.
        lenient: it is little-vm-helper's.
        images_directory: where the images' files are, where the file says so.
    """
    problems: list[str] = []
    warnings: list[str] = []
    images: list[Image] = []
    if not isinstance(raw, list):
        problems.append(f"images must be a list, and is {described(raw)}.")
    elif not raw:
        problems.append("There is no image in the list.")
    else:
        for number, item in enumerate(raw, start=1):
            image = _ImageReader(number, base, lenient, problems, warnings).read(item)
            if image:
                images.append(image)
    return Described(path, base, tuple(images), tuple(problems), tuple(warnings), images_directory)


class _ImageReader:
    """Reads one image and notes what is wrong with it. What has a name is an image, however wrong the rest is."""

    def __init__(self, number: int, base: Path, lenient: bool, problems: list[str], warnings: list[str]) -> None:
        self.where = f"image {number}"
        self.base = base
        self.lenient = lenient
        self.problems = problems
        self.warnings = warnings
        self.given: dict[str, t.Any] = {}

    def read(self, item: t.Any) -> Image | None:
        if not isinstance(item, dict):
            self._wrong(f"must be a mapping, and is {described(item)}")
            return None
        self.given, unknown = known_keys(item, LVH_KEYS if self.lenient else OUR_KEYS, any_case=self.lenient)
        name = self._name()
        if name:
            self.where = f"image {name}"
        self._report_unknown(unknown)
        image = Image(
            name=name,
            parent=self._parent(name),
            path=self._text("path") or None,
            size=self._size(),
            bootable=self._bootable(),
            packages=self._packages(),
            actions=self._actions(),
            settings=self._settings(),
            provision=self._provision(),
            variables=self._variables(),
        )
        if image.parent and image.path:
            self._wrong("has a parent and a path. What an image is made from is one of them")
        return image if name and NAME.fullmatch(name) else None

    def _wrong(self, sentence: str) -> None:
        self.problems.append(f"{self.where}: {sentence}{'' if sentence.endswith(('.', '?')) else '.'}")

    def _report_unknown(self, unknown: list[str]) -> None:
        for key in unknown:
            if self.lenient:
                near = suggestion(key, LVH_KEYS)
                hint = f" {near}" if near.startswith("Did") else ""
                self.warnings.append(f"{self.where}: the key {key} is not known and ignored.{hint}")
            else:
                self._wrong(f"does not take {key}. {suggestion(key, OUR_KEYS, 'It takes')}")

    def _text(self, key: str) -> str:
        value = self.given.get(key)
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        self._wrong(f"{key} must be a text, and is {described(value)}. Put it in quotes")
        return ""

    def _name(self) -> str:
        before = len(self.problems)
        name = self._text("name")
        if not name and len(self.problems) == before:
            self._wrong("has no name")
        elif name and not NAME.fullmatch(name):
            self._wrong(
                f"the name {name!r} cannot be the name of a file and of a host: letters, digits and _ . + - only,"
                " and first a letter, a digit or _"
            )
        elif len(name) > LONGEST_NAME:
            self._wrong(f"the name has {len(name)} characters, and can have {LONGEST_NAME}")
        elif name == "manifest.json":
            self._wrong("the name manifest.json is that of the file with the results of builds. Choose another")
        elif name in TAKEN_NAMES or re.fullmatch(r"depth_[0-9]+|(children_of|with_parents)_.*", name):
            self._wrong(f"the name {name} is the name of a group. Choose another")
        return name

    def _parent(self, name: str) -> str | None:
        parent = self._text("parent")
        if parent and not NAME.fullmatch(parent):
            self._wrong(
                f"the parent {parent!r} is no name of an image: it must be a file's name in the images directory"
            )
            return None
        if parent and parent == name:
            self._wrong("it is its own parent")
            return None
        return parent or None

    def _size(self) -> int | None:
        text = self._text("image_size")
        if not text:
            return None
        try:
            return parse_size(text)
        except ValueError as exc:
            self._wrong(f"image_size {text!r} {exc}")
            return None

    def _bootable(self) -> bool | None:
        bootable = self.given.get("bootable")
        if bootable is None or isinstance(bootable, bool):
            return bootable
        self._wrong(f"bootable must be true or false, and is {described(bootable)}")
        return None

    def _packages(self) -> tuple[str, ...]:
        packages = self.given.get("packages")
        if packages is None:
            return ()
        if not isinstance(packages, list):
            self._wrong(f"packages must be a list, and is {described(packages)}")
            return ()
        for package in packages:
            if not isinstance(package, str) or not PACKAGE.fullmatch(package):
                self._wrong(f"packages: {package!r} is not the name of a package")
        return tuple(package for package in packages if isinstance(package, str))

    def _actions(self) -> tuple[t.Any, ...]:
        found = read_actions(self.given.get("actions"), self.where, lenient=self.lenient)
        self.problems += found.problems
        self.warnings += found.warnings
        for action in found.actions:
            if action.local is None or (has_template(action.local) and not self.lenient):
                continue
            # Joined to an absolute path, the base has no effect.
            path = self.base / action.local
            what = f"action {action.number} ({action.title})"
            if not path.exists():
                self._wrong(f"{what}: {path} is not there")
            elif local_problem(action, path):
                self._wrong(f"{what}: {local_problem(action, path)}")
        return tuple(found.actions)

    def _settings(self) -> dict[str, t.Any]:
        found = {}
        for name in SETTINGS:
            if self.given.get(name) is None:
                continue
            problem = setting_problem(name, self.given[name])
            if problem:
                self._wrong(f"{name} {problem}")
            else:
                found[name] = self.given[name]
        return found

    def _provision(self) -> t.Any:
        steps = self.given.get("provision")
        if steps is not None and not isinstance(steps, list):
            self._wrong(f"provision must be a list of steps, and is {described(steps)}")
            return None
        return steps

    def _variables(self) -> t.Mapping[str, t.Any]:
        variables = self.given.get("variables")
        if variables is None:
            return {}
        if not isinstance(variables, dict) or not all(isinstance(name, str) for name in variables):
            self._wrong(f"variables must be a mapping of names to values, and is {described(variables)}")
            return {}
        return variables


__all__ = ("LVH_KEYS", "NAME", "OUR_KEYS", "read_images")
