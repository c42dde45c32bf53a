# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Blocks of an HCL template as values: attributes, blocks in blocks, and C(dynamic) blocks."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_eval import Evaluator
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import (
    Block,
    Name,
    Node,
    ObjectExpression,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Path, Place


class BlockReader:
    """Evaluates a block; what is wrong with one attribute does not hide what is wrong with the next."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.problems: list[str] = []

    def values(self, block: Block, skip: t.Container[str] = ()) -> tuple[dict[str, t.Any], dict[Path, Place]]:
        """The values of a block, blocks in it as lists of mappings, and where each stands.

        Raises:
            Invalid: something in it has no value.
        """
        values: dict[str, t.Any] = {}
        places: dict[Path, Place] = {}
        self._into(values, places, (), block, self.evaluator, skip)
        if self.problems:
            raise Invalid(self.problems)
        return values, places

    def _into(
        self,
        values: dict[str, t.Any],
        places: dict[Path, Place],
        at: Path,
        block: Block,
        evaluator: Evaluator,
        skip: t.Container[str] = (),
    ) -> None:
        for name, node in block.attributes.items():
            places[(*at, name)] = Place(block.file, block.lines[name])
            self._places_of_parts(places, (*at, name), node, block.file)
            try:
                values[name] = evaluator.value(node)
            except Invalid as exc:
                self.problems += exc.problems
        for inner in block.blocks:
            if inner.type in skip:
                continue
            if inner.type == "dynamic":
                self._dynamic(values, places, at, inner, evaluator)
            else:
                self._inner(values, places, at, inner, evaluator, inner.type)

    def _places_of_parts(self, places: dict[Path, Place], at: Path, node: Node, file: str) -> None:
        if isinstance(node, ObjectExpression):
            for key, value in node.items:
                name = getattr(key, "value", None)
                if isinstance(name, str):
                    places[(*at, name)] = Place(file, key.line)
                    self._places_of_parts(places, (*at, name), value, file)
        for number, item in enumerate(getattr(node, "items", ())):
            if isinstance(item, Node):
                places[(*at, number)] = Place(file, item.line)

    def _inner(
        self,
        values: dict[str, t.Any],
        places: dict[Path, Place],
        at: Path,
        block: Block,
        evaluator: Evaluator,
        name: str,
    ) -> None:
        held = values.setdefault(name, [])
        if not isinstance(held, list):
            self.problems.append(Place(block.file, block.line).says(f"{name} is an attribute and a block."))
            return
        path = (*at, name, len(held))
        places.setdefault((*at, name), Place(block.file, block.line))
        places[path] = Place(block.file, block.line)
        found: dict[str, t.Any] = {}
        held.append(found)
        self._into(found, places, path, block, evaluator)

    def _dynamic(
        self, values: dict[str, t.Any], places: dict[Path, Place], at: Path, block: Block, evaluator: Evaluator
    ) -> None:
        place = Place(block.file, block.line)
        contents = [inner for inner in block.blocks if inner.type == "content"]
        if len(block.labels) != 1 or len(contents) != 1 or "for_each" not in block.attributes:
            self.problems.append(place.says("a dynamic block has one label, a for_each, and one block content."))
            return
        name = block.labels[0]
        iterator = block.attributes.get("iterator")
        word = iterator.name if isinstance(iterator, Name) else name
        try:
            pairs = list(_pairs(evaluator.value(block.attributes["for_each"]), place))
        except Invalid as exc:
            self.problems += exc.problems
            return
        for key, value in pairs:
            inner = evaluator.within(**{word: {"key": key, "value": value}})
            self._inner(values, places, at, contents[0], inner, name)


def _pairs(value: t.Any, place: Place) -> t.Iterator[tuple[t.Any, t.Any]]:
    if isinstance(value, Mapping):
        yield from sorted(value.items())
    elif isinstance(value, list):
        yield from enumerate(value)
    else:
        raise place.error("for_each takes a list or a map.")


__all__ = ("BlockReader",)
