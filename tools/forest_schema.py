# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints the JSON schema of files for bakehouse.images.forest, made from the tables that the plugin itself reads by.

python -m tools.forest_schema > docs/forest.schema.json
"""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

COLLECTIONS = Path(__file__).resolve().parents[1] / ".collections"

Schema = dict[str, t.Any]

TEXT: Schema = {"type": "string"}
FILLED: Schema = {"type": "string", "minLength": 1}

# The rules of single values, where a pattern can say them. A template is not known before it is rendered.
TEMPLATE = r"\{\{|\{%|\{#"
ABSOLUTE = rf"^/|{TEMPLATE}"
MODE = rf"^0[0-7]{{1,4}}$|{TEMPLATE}"
SIZE = r"^[0-9]+(\.[0-9]+)?\s*([kKmMgGtT]([iI][bB])?)?$"

DESCRIPTIONS = {
    "plugin": "Says that the file is for this plugin.",
    "source": "An images.json of little-vm-helper, in place of images.",
    "images": "The images.",
    "images_directory": "Folder of the images' files, relative to the file that lists the images.",
    "name": "Name of the image, its host and its file. The ending .qcow2 makes a qcow2 file, anything else a raw one.",
    "parent": "The image it is made from: one of this file, or a file of the images directory.",
    "path": "The disk image file it is made from.",
    "image_size": "Size of the disk, such as 20G. By default 8G from nothing, and otherwise the parent's.",
    "bootable": "Whether an image from nothing gets a kernel and a boot loader.",
    "packages": "Packages to install.",
    "actions": "Small operations that need no Python in the image, after the packages.",
    "provision": "Provisioning steps of the role bakehouse.images.bake, after the actions.",
    "boot": "Whether the image is booted before it counts as built, and what it has to show then.",
    "variables": "Variables of the image's host.",
}


def build() -> Schema:
    """The schema."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.bakehouse.images.plugins.plugin_utils import _forest_files, _forest_images

    top: dict[str, Schema] = {
        "plugin": {"const": _forest_files.PLUGIN},
        "source": FILLED,
        "images": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/image"}},
        "images_directory": FILLED,
    }
    image: dict[str, Schema] = {
        "name": {
            "type": "string",
            "pattern": f"^{_forest_images.NAME.pattern}$",
            "maxLength": _forest_images.LONGEST_NAME,
        },
        "parent": {"type": "string", "pattern": f"^{_forest_images.NAME.pattern}$"},
        "path": FILLED,
        "image_size": {"type": "string", "pattern": SIZE},
        "bootable": {"type": "boolean"},
        "packages": {
            "type": "array",
            "items": {"type": "string", "pattern": f"^{_forest_images.PACKAGE.pattern}$"},
        },
        "actions": {"type": "array", "items": {"oneOf": _actions()}},
        "provision": {"type": "array", "items": {"type": "object"}},
        "variables": {"type": "object"},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Disk images for the Ansible inventory plugin bakehouse.images.forest",
        **_mapping(_forest_files.FILE_KEYS, top, ["plugin"]),
        "oneOf": [{"required": ["images"]}, {"required": ["source"]}],
        "definitions": {
            "image": {
                **_mapping(_forest_images.OUR_KEYS, image, ["name"]),
                "not": {"required": ["parent", "path"]},
            }
        },
    }


def _mapping(keys: t.Iterable[str], known: t.Mapping[str, Schema], required: list[str]) -> Schema:
    """A mapping with exactly these keys; what is not in C(known) is a setting."""
    properties = {key: {**_described(key), **(known.get(key) or _setting(key))} for key in keys}
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def _described(key: str) -> Schema:
    return {"description": DESCRIPTIONS[key]} if key in DESCRIPTIONS else {}


def _setting(name: str) -> Schema:
    from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_settings import SETTINGS

    if name == "boot":
        return {"oneOf": [{"type": "boolean"}, _boot()]}
    setting = SETTINGS[name]
    kinds: dict[type, Schema] = {
        str: TEXT,
        bool: {"type": "boolean"},
        dict: {"type": "object"},
        list: {"type": "array", "items": TEXT},
    }
    return {**kinds[setting.kind], **({"enum": list(setting.choices)} if setting.choices else {})}


def _boot() -> Schema:
    from ansible_collections.bakehouse.images.plugins.plugin_utils._boot_check import KEYS

    kinds: dict[type, Schema] = {str: FILLED, int: {"type": "integer"}, list: {"type": "array", "items": FILLED}}
    properties = {
        name: {
            **kinds[key.kind],
            **({"enum": list(key.choices)} if key.choices else {}),
            **({"minimum": key.least} if key.least else {}),
        }
        for name, key in KEYS.items()
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _actions() -> list[Schema]:
    from ansible_collections.bakehouse.images.plugins.plugin_utils import _image_actions

    actions = []
    for kind, operation in _image_actions.OPERATIONS.items():
        values = {
            key: {"type": "string", "pattern": ABSOLUTE}
            if key in operation.remote
            else TEXT
            if (kind, key) in _image_actions.MAY_BE_EMPTY
            else FILLED
            for key in operation.keys
        }
        if kind == "chmod":
            values["Permissions"] = {"type": "string", "pattern": MODE}
        op = {
            "type": "object",
            "additionalProperties": False,
            "required": list(operation.keys),
            "properties": values,
        }
        actions.append(
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "op"],
                "properties": {"type": {"const": kind}, "op": op, "comment": TEXT},
            }
        )
    return actions


if __name__ == "__main__":
    print(json.dumps(build(), indent=2))
