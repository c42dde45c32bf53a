# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Cross-checks of an image's options that hold for every provider."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.repositories import (
    repository,
    repository_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import method_problems
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._command_wrapper import wrapper_words
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template

SCRATCH_KEYS = (
    "architecture",
    "boot_loader",
    "components",
    "groups",
    "keyring",
    "layout",
    "method",
    "mirrors",
    "packages",
    "repositories",
    "suite",
    "variant",
    "weak_dependencies",
)
METHODS = ("mmdebstrap", "dnf")


def check_common(
    values: dict[str, t.Any], raw: dict[str, t.Any], *, source_keys: tuple[str, ...], source_examples: str
) -> list[str]:
    """One sentence for each mistake.

    Args:
        values: the options that could be rendered, typed.
        raw: every option that is set, as written.
        source_keys: what a source of the provider can have beside C(scratch).
        source_examples: what a source of the provider looks like.
    """
    problems = []
    if not raw.get("bake_image_name"):
        problems.append("bake_image_name is missing. Give the image a name.")
    problems += _check_source(values, raw, source_keys, source_examples)
    problems += _check_lists(values)
    problems += _check_wrapper(values.get("bake_command_wrapper"))
    for name in ("bake_device_timeout", "bake_wait_timeout", "bake_snapshot_timeout", "bake_keep_hours"):
        value = values.get(name)
        if isinstance(value, int) and value < 1:
            problems.append(f"{name} must be at least 1, and is {value}.")
    size = values.get("bake_volume_size")
    if isinstance(size, int) and size < 1:
        problems.append(f"bake_volume_size must be at least 1 GiB, and is {size}.")
    return problems


def _check_wrapper(wrapper: t.Any) -> list[str]:
    try:
        wrapper_words(wrapper)
    except Invalid as exc:
        return [f"bake_command_wrapper: {problem}" for problem in exc.problems]
    return []


def _check_source(values: dict[str, t.Any], raw: dict[str, t.Any], keys: tuple[str, ...], examples: str) -> list[str]:
    source = values.get("bake_source")
    if source is None:
        if raw.get("bake_source"):
            return []  # it is there and could not be rendered, which has been said
        return [f"bake_source is missing. Give {examples} or {{scratch: {{suite: bookworm}}}}."]
    if isinstance(source, str):
        return [] if source else ["bake_source is empty."]
    if not isinstance(source, dict):
        return [f"bake_source must be a text or a mapping, and is {source!r}."]
    if "scratch" in source:
        return _check_scratch(source, values)
    return _unknown_keys("bake_source", source, (*keys, "scratch"))


def _check_scratch(source: dict[str, t.Any], values: dict[str, t.Any]) -> list[str]:
    problems = [f"bake_source: {key} does not go together with scratch." for key in source if key != "scratch"]
    scratch = source["scratch"] if source["scratch"] is not None else {}
    if not isinstance(scratch, dict):
        return [*problems, f"bake_source.scratch must be a mapping, and is {scratch!r}."]
    problems += _unknown_keys("bake_source.scratch", scratch, SCRATCH_KEYS)
    if not scratch.get("suite") and not values.get("bake_pre_mount_commands", True):
        problems.append(
            "bake_source.scratch has no suite and bake_pre_mount_commands is empty, so nothing would make a root file"
            " system. Give a suite, such as bookworm, or the commands."
        )
    return problems + _check_method(scratch)


def _check_method(scratch: dict[str, t.Any]) -> list[str]:
    """What is wrong with the tool that makes the root file system, and with what only one tool takes."""
    method = scratch.get("method", METHODS[0])
    if method not in METHODS:
        return [f"bake_source.scratch.method must be one of {', '.join(METHODS)}, and is {method!r}."]
    problems = method_problems(scratch)
    if method == "dnf" and scratch.get("boot_loader", True):
        problems.append(
            "boot_loader must be false with the method dnf: the role boot_loader knows Debian and its relatives."
            " Where the image needs a boot loader, install it in a step."
        )
    given = scratch.get("repositories") or []
    if not isinstance(given, list) or not all(isinstance(item, dict) and item.get("name") for item in given):
        problems.append("repositories must be a list of mappings, each with a name.")
    else:
        problems += repository_problems([repository(item) for item in given])
    return [f"bake_source.scratch: {problem}" for problem in problems]


def _unknown_keys(name: str, mapping: dict[str, t.Any], known: t.Iterable[str]) -> list[str]:
    return [f"{name} does not take {key}. It takes {', '.join(known)}." for key in mapping if key not in known]


def _check_lists(values: dict[str, t.Any]) -> list[str]:
    problems = [
        f"bake_chroot_mounts entry {number} must have three elements (type, source, target), and is {entry!r}."
        for number, entry in enumerate(values.get("bake_chroot_mounts") or [], start=1)
        if not isinstance(entry, list) or len(entry) != 3
    ]
    problems += [
        f"bake_copy_files: {path} must be an absolute path."
        for path in values.get("bake_copy_files") or []
        if not str(path).startswith("/") and not has_template(path)
    ]
    return problems


__all__ = ("check_common",)
