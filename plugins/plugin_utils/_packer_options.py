# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Options of builders, provisioners and post-processors as tables, by which those of a template are read."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping
from difflib import get_close_matches

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import (
    as_bool,
    as_int,
    as_seconds,
    as_text,
    kind_of,
)


@dataclasses.dataclass(frozen=True)
class Row:
    """What is known of one option.

    Attributes:
        kind: what it takes, one of KINDS, or C(block), or C(blocks) for several.
        variable: the role's variable that it becomes; empty where something else is done with it.
        reason: why it cannot be carried over, which makes giving it a mistake.
        note: why nothing is done with it, which makes giving it a warning.
        choices: the values it takes.
        fields: the options of a block.
    """

    kind: str = "text"
    variable: str = ""
    reason: str = ""
    note: str = ""
    choices: tuple[str, ...] = ()
    fields: Mapping[str, Row] | None = None


# Handled by the code that makes a host of a source, because several options become one variable.
TOGETHER = "-"

# What both builders have from the chroot SDK.
MOUNTING = {
    "mount_path": Row(variable=TOGETHER),
    "mount_partition": Row(variable=TOGETHER),
    "mount_options": Row("list", "bake_mount_options"),
    "pre_mount_commands": Row("list", "bake_pre_mount_commands"),
    "post_mount_commands": Row("list", "bake_post_mount_commands"),
    "chroot_mounts": Row("lists", TOGETHER),
    "copy_files": Row("list", TOGETHER),
    "command_wrapper": Row(variable=TOGETHER),
}


@dataclasses.dataclass
class Options:
    """The options of one source, with their types.

    Attributes:
        values: those that are set. What is empty counts as not set, as with Packer, but for C(given).
        given: names of those that are written in the template, also where they are empty.
        problems: a sentence for each mistake.
        warnings: a sentence for each that has no effect.
    """

    values: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    given: frozenset[str] = frozenset()
    problems: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


def read_options(source: Component, table: Mapping[str, Row]) -> Options:
    """Check the names and types of a component's options, and whether each can be carried over."""
    found = Options(given=frozenset(key for key, value in source.values.items() if value is not None))
    for name, value in source.values.items():
        place = source.at(name)
        row = table.get(name)
        if row is None:
            found.problems.append(place.says(f"{source.kind} has no option {name}.{_near(name, table)}"))
            continue
        typed = _Typed(source, found.problems).read(row, value, (name,))
        is_unset = typed is None or typed == "" or typed == 0 or typed in ([], {})
        # False says something where unset means otherwise.
        if is_unset and not (typed is False and row.variable):
            continue
        found.values[name] = typed
        if row.reason:
            found.problems.append(place.says(f"{name} is not supported: {row.reason}."))
        elif row.note:
            found.warnings.append(place.says(f"{name} has no effect: {row.note}."))
    return found


def _near(name: str, known: t.Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


class _Typed:
    """Makes values what their options take, as Packer's decoder does."""

    def __init__(self, source: Component, problems: list[str]) -> None:
        self.source = source
        self.problems = problems

    def read(self, row: Row, value: t.Any, path: tuple[t.Any, ...]) -> t.Any:
        """The value with its type; None when it cannot be that, which is noted."""
        if value is None:
            return None
        try:
            typed = self._of_kind(row, value, path)
        except ValueError as exc:
            self._problem(path, f"{exc}")
            return None
        if row.choices and typed and typed not in row.choices:
            self._problem(path, f"this must be one of {', '.join(row.choices)}, and is {typed!r}")
        return typed

    def _problem(self, path: tuple[t.Any, ...], text: str) -> None:
        name = ".".join(str(part) for part in path if not isinstance(part, int))
        self.problems.append(self.source.at(*path).says(f"{name}: {text}."))

    def _of_kind(self, row: Row, value: t.Any, path: tuple[t.Any, ...]) -> t.Any:
        if row.kind not in ("block", "blocks"):
            return KINDS[row.kind](value)
        items = value if isinstance(value, list) else [value]
        blocks = [self._block(row, _mapping(item), (*path, number)) for number, item in enumerate(items)]
        if row.kind == "blocks":
            return blocks
        if len(blocks) > 1:
            raise ValueError("there can be one only")
        return {key: item for key, item in blocks[0].items() if item not in (None, "", [], {})} if blocks else None

    def _block(self, row: Row, value: Mapping[str, t.Any], path: tuple[t.Any, ...]) -> dict[str, t.Any]:
        fields = row.fields or {}
        for name in value:
            if name not in fields:
                self._problem((*path, name), f"there is no such option.{_near(name, fields)}".rstrip("."))
        return {name: self.read(fields[name], item, (*path, name)) for name, item in value.items() if name in fields}


def _mapping(value: t.Any) -> Mapping[str, t.Any]:
    if isinstance(value, list) and len(value) == 1:  # a block where an attribute is meant
        value = value[0]
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"this must be a map, and is {kind_of(value)}")


def _list(value: t.Any) -> list[t.Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, str):  # Packer takes one for a list of one, and commas between several
        return [part for part in value.split(",") if part]
    raise ValueError(f"this must be a list, and is {kind_of(value)}")


KINDS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "bool": lambda it: as_bool(it) if it != "" else None,
    "int": lambda it: as_int(it) if it != "" else 0,
    "ints": lambda it: [as_int(part) for part in _list(it)],
    "list": lambda it: [as_text(part) for part in _list(it)],
    "lists": lambda it: [[as_text(part) for part in _list(item)] for item in _list(it)],
    "map": lambda it: {key: as_text(part) for key, part in _mapping(it).items() if part is not None},
    "seconds": as_seconds,
    "text": as_text,
}


__all__ = ("MOUNTING", "TOGETHER", "Options", "Row", "read_options")
