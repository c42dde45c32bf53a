# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The files that describe forests: which ones they are, and how they are read."""

from __future__ import annotations

import json
import os
import re
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_images import LVH_KEYS, read_images
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_model import Described
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_settings import SETTINGS
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import described, known_keys, suggestion

PLUGIN = "bakehouse.images.forest"
FILE_KEYS = ("plugin", "source", "images", "images_directory", *SETTINGS)
LVH_NAME = "images.json"

# The line that makes a YAML file one of ours, wherever it stands at the top level.
NAMES_PLUGIN = re.compile(rf"""^["']?plugin["']?\s*:\s*["']?{re.escape(PLUGIN)}["']?\s*(#.*)?$""", re.MULTILINE)

# little-vm-helper's library can save a configuration in this shape.
SAVED_KEYS = ("dir", "images")


def kind_of(path: Path) -> t.Literal["own", "lvh"] | None:
    """Whose format the file is in, as its content shows; None when it describes no forest."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if path.suffix in (".yml", ".yaml"):
        return "own" if NAMES_PLUGIN.search(text) else None
    if path.suffix != ".json":
        return None
    try:
        data = json.loads(text)
    except ValueError:
        return None
    if isinstance(data, dict) and data.get("plugin") == PLUGIN:
        return "own"
    return "lvh" if is_lvh(data, path.name) else None


def is_lvh(data: t.Any, name: str) -> bool:
    """Whether this is a list of images of little-vm-helper, and not some other list.

    Args:
        data: the content of a JSON file.
        name: of that file, for lists that could be anything.
    """
    images = _saved_images(data) if isinstance(data, dict) else data
    if not isinstance(images, list) or not images or not all(isinstance(item, dict) for item in images):
        return False
    keys = {str(key).casefold() for item in images for key in item}
    known = keys & set(LVH_KEYS)
    if "name" not in known or len(keys - known) > len(known):
        return False
    telling = any(_is_telling(item) for item in images)
    return telling or (keys == known and (name == LVH_NAME or "parent" in keys))


def _is_telling(item: dict[str, t.Any]) -> bool:
    """Whether an object holds something that only an image of little-vm-helper has."""
    given, _unknown = known_keys(item, LVH_KEYS, any_case=True)
    if "image_size" in given or "bootable" in given:
        return True
    actions, packages = given.get("actions"), given.get("packages")
    if isinstance(actions, list) and actions:
        return any(
            isinstance(action, dict) and {"type", "op"} & {str(key).casefold() for key in action} for action in actions
        )
    return isinstance(packages, list) and all(isinstance(package, str) for package in packages)


def _saved_images(data: dict[str, t.Any]) -> t.Any:
    given, unknown = known_keys(data, SAVED_KEYS, any_case=True)
    return given["images"] if set(given) == set(SAVED_KEYS) and not unknown else None


def read_lvh(path: Path) -> Described:
    """Read a file of little-vm-helper.

    Raises:
        Invalid: it is no such file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise Invalid([f"{path} cannot be read: {exc.strerror}."]) from exc
    except ValueError as exc:
        raise Invalid([f"{path} cannot be read as JSON: {exc}."]) from exc
    saved = _saved_images(data) if isinstance(data, dict) else None
    if saved is not None:
        # It is saved beside the images themselves, and relative paths begin above them.
        folder = path.parent
        return read_images(saved, path=path, base=folder.parent, lenient=True, images_directory=str(folder))
    return read_images(data, path=path, base=path.parent, lenient=True)


def read_own(data: t.Mapping[str, t.Any], path: Path) -> Described:
    """Read a file of our own that Ansible's loader has loaded.

    Raises:
        Invalid: a mistake that leaves no image to look at.
    """
    _known, unknown = known_keys(data, FILE_KEYS, any_case=False)
    problems = [f"{path.name} does not take {key}. {suggestion(key, FILE_KEYS, 'It takes')}" for key in unknown]
    source, images = data.get("source"), data.get("images")
    if source is None and images is None:
        raise Invalid([*problems, f"{path.name} has neither images nor source, so it describes no image."])
    if source is not None and images is not None:
        problems.append(f"{path.name} has images and source. Images are in one place: leave one of them out.")
    if images is not None:
        found = read_images(images, path=path, base=path.parent, lenient=False)
    elif isinstance(source, str) and source:
        found = read_lvh(Path(os.path.abspath(path.parent / source)))
    else:
        raise Invalid(
            [*problems, f"source must be the path of a file such as images.json, and is {described(source)}."]
        )
    return Described(
        path=found.path,
        base=found.base,
        images=found.images,
        problems=(*problems, *found.problems),
        warnings=found.warnings,
        images_directory=found.images_directory,
    )


__all__ = ("FILE_KEYS", "PLUGIN", "is_lvh", "kind_of", "read_lvh", "read_own")
