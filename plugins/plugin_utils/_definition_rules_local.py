# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Cross-checks of the options of provider local."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import parse_size
from ansible_collections.bakehouse.images.plugins.plugin_utils._boot_check import boot_check_problems
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_output import file_name, file_name_problem
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template

SOURCE_KEYS = ("parent", "path", "format")
SOURCE_EXAMPLES = "{parent: another image host}, {path: an image file}"
FORMATS = ("raw", "qcow2")


def check(values: dict[str, t.Any], raw: dict[str, t.Any]) -> list[str]:
    """One sentence for each mistake."""
    boot = [f"bake_boot {problem}" for problem in boot_check_problems(values.get("bake_boot"))]
    problems = _check_source(values) + _check_size(values) + _check_output(values)
    return problems + [problem if problem.endswith((".", "?")) else f"{problem}." for problem in boot]


def _check_source(values: dict[str, t.Any]) -> list[str]:
    source = values.get("bake_source")
    if not isinstance(source, dict) or "scratch" in source or set(source) - set(SOURCE_KEYS):
        return []
    problems = []
    if bool(source.get("parent")) == bool(source.get("path")):
        problems.append("bake_source takes either parent or path.")
    if source.get("format") and not source.get("path"):
        problems.append("bake_source.format goes with path: the format of a parent is known.")
    if source.get("format") not in (None, *FORMATS):
        problems.append(f"bake_source.format must be one of {', '.join(FORMATS)}, and is {source['format']!r}.")
    return problems


def _check_size(values: dict[str, t.Any]) -> list[str]:
    size = values.get("bake_disk_size")
    if size is None:
        return []
    problems = []
    if not parse_size(str(size)) and not has_template(size):
        problems.append(f"bake_disk_size is {size!r}. Write a number with KiB, MiB, GiB or TiB, such as 8GiB.")
    if values.get("bake_volume_size") is not None:
        problems.append("bake_disk_size and bake_volume_size say the same thing. Leave one of them out.")
    return problems


def _check_output(values: dict[str, t.Any]) -> list[str]:
    problems = []
    name, output_format = file_name(
        str(values.get("bake_image_name") or "x"), values.get("bake_output_file"), values.get("bake_output_format")
    )
    trouble = file_name_problem(name)
    if trouble:
        option = "bake_output_file" if values.get("bake_output_file") else "bake_image_name"
        problems.append(f"{option} makes the file name {name!r}, which {trouble}.")
    if values.get("bake_output_compress") and output_format != "qcow2":
        problems.append(f"bake_output_compress needs the format qcow2, and {name} is {output_format}.")
    if values.get("bake_output_compress") and values.get("bake_output_backing_file"):
        problems.append("A file with a backing file cannot be compressed: leave out bake_output_compress.")
    if values.get("bake_output_backing_file"):
        if output_format != "qcow2":
            problems.append(
                f"bake_output_backing_file needs the format qcow2, and {name} is {output_format}."
                " Set bake_output_format."
            )
        if isinstance(values.get("bake_source"), dict) and "scratch" in values["bake_source"]:
            problems.append(
                "bake_output_backing_file needs a parent or a path as bake_source: nothing can be behind it."
            )
    return problems


__all__ = ("SOURCE_EXAMPLES", "SOURCE_KEYS", "check")
