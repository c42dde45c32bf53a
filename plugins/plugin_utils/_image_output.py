# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Where the image file of a definition lies, what it is called, and in which format it is."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from collections.abc import Mapping

DEFAULT_DIRECTORY = "images"

# A name that ends like this is a whole file name. The name alone tells whether it is qcow2, as with little-vm-helper.
ENDINGS = (".raw", ".img", ".iso", ".qcow2")

# File systems take 255 bytes; unfinished files have the build's id and an ending besides.
LONGEST_NAME = 200

NAMES = ("bake_image_name", "bake_output_directory", "bake_output_file", "bake_output_format")


@dataclasses.dataclass(frozen=True)
class ImageOutput:
    """The image file of a definition, as a path on the build host."""

    directory: str
    file: str
    format: str

    @property
    def path(self) -> str:
        """The whole path."""
        return os.path.join(self.directory, self.file)

    def to_ansible(self) -> dict[str, str]:
        """As a fact."""
        return {**dataclasses.asdict(self), "path": self.path}


def file_name(image_name: str, output_file: str | None, output_format: str | None) -> tuple[str, str]:
    """Name and format of the file: what is not given follows from the other."""
    name = output_file or image_name
    kind = output_format or ("qcow2" if name.endswith(".qcow2") else "raw")
    if not output_file and not image_name.endswith(ENDINGS):
        name = f"{image_name}.{kind}"
    return name, kind


def file_name_problem(name: str) -> str | None:
    """What is wrong with a file name, as the end of a sentence."""
    if "/" in name or "\0" in name:
        return "is no file name. Folders go into bake_output_directory"
    if name.startswith("."):
        return "begins with a dot, as the names of unfinished files do"
    if len(name.encode()) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    return None


def image_output(options: Mapping[str, t.Any], base: str) -> ImageOutput:
    """The file of an image.

    Args:
        options: the values of NAMES, as far as they are set.
        base: the folder that relative ones are in: the inventory's.
    """
    name, kind = file_name(
        str(options["bake_image_name"]), options.get("bake_output_file"), options.get("bake_output_format")
    )
    directory = os.path.join(base, str(options.get("bake_output_directory") or DEFAULT_DIRECTORY))
    return ImageOutput(os.path.normpath(directory), name, kind)


def base_folder(variables: Mapping[str, t.Any]) -> str:
    """The folder of the inventory that an image is in, else the playbook's."""
    return str(variables.get("inventory_dir") or variables.get("playbook_dir") or os.getcwd())


__all__ = ("NAMES", "ImageOutput", "base_folder", "file_name", "file_name_problem", "image_output")
