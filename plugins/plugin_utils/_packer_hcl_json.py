# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Reads HCL in JSON's notation, as in C(*.pkr.json), into the same tree as HCL's own notation.

In JSON an attribute looks like a block without labels, so which names are blocks has to be known beforehand.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_parse import parse_expression, parse_text
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import (
    Block,
    ListExpression,
    Literal,
    Node,
    ObjectExpression,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_located import Located
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Path

COMMENT = "//"
ANYWHERE = {"dynamic": 1}
# The blocks in each kind of block, with the number of their labels.
INNER: dict[str, Mapping[str, int]] = {
    "build": {
        "error-cleanup-provisioner": 1,
        "hcp_packer_registry": 0,
        "post-processor": 1,
        "post-processors": 0,
        "provisioner": 1,
        "source": 1,
    },
    "dynamic": {"content": 0},
    "local": {},
    "locals": {},
    "packer": {"required_plugins": 0},
    "post-processors": {"post-processor": 1},
    "variable": {"validation": 0},
    "variables": {},
}
# Attributes that are written between quotes and mean what is in them.
BARE = {("variable", "type"), ("dynamic", "iterator")}


def parse_hcl_json(text: str, file: str, blocks: Mapping[str, int]) -> Block:
    """The content of a file, as a block without a type.

    Args:
        text: what is in it.
        file: its name, for messages.
        blocks: those that may stand in a file, with the number of their labels.

    Raises:
        Invalid: the text is no JSON, or not what it stands for.
    """
    return _Reader(text, file).file(blocks)


def parse_json_values(text: str, file: str) -> dict[str, t.Any]:
    """The content of a file of variables: values as they are, which is what Packer takes them for.

    Raises:
        Invalid: the text is no JSON object.
    """
    located = Located(text, file)
    if not isinstance(located.value, dict):
        raise located.places[()].error("a file of variables is one object of JSON.")
    return {name: value for name, value in located.value.items() if name != COMMENT}


class _Reader:
    """Turns JSON into blocks and expressions; what is wrong with one does not hide what is wrong with the next."""

    def __init__(self, text: str, name: str) -> None:
        self.located = Located(text, name)
        self.name = name
        self.problems: list[str] = []

    def file(self, blocks: Mapping[str, int]) -> Block:
        """The whole."""
        value = self.located.value
        if not isinstance(value, dict):
            raise self.located.places[()].error("a template is one object of JSON.")
        found: list[Block] = []
        for key, item in value.items():
            if key == COMMENT:
                continue
            # Names that no template has are told of by whoever takes the blocks.
            if key in blocks:
                found += self._labelled(key, item, (key,), blocks[key], ())
            else:
                found.append(Block(key, (), self._line((key,)), {}, {}, (), self.name))
        if self.problems:
            raise Invalid(self.problems)
        return Block("", (), 1, {}, {}, tuple(found), self.name)

    def _line(self, path: Path) -> int:
        return self.located.places[path].line

    def _labelled(self, type_: str, value: t.Any, path: Path, count: int, labels: tuple[str, ...]) -> t.Iterator[Block]:
        """The blocks that a value stands for; C(count) labels are still to come, a name for each level."""
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from self._labelled(type_, item, (*path, number), count, labels)
        elif not isinstance(value, dict):
            what = "its label and then its body" if count else "its body"
            self.problems.append(self.located.places[path].says(f"{type_} is a block: an object of JSON, with {what}."))
        elif count:
            for label, item in value.items():
                if label != COMMENT:
                    yield from self._labelled(type_, item, (*path, label), count - 1, (*labels, label))
        else:
            yield self._block(type_, labels, value, path)

    def _block(self, type_: str, labels: tuple[str, ...], body: dict[str, t.Any], path: Path) -> Block:
        known = INNER.get(type_, ANYWHERE)
        attributes: dict[str, Node] = {}
        lines: dict[str, int] = {}
        blocks: list[Block] = []
        for name, value in body.items():
            at = (*path, name)
            if name == COMMENT:
                continue
            if name in known:
                blocks += self._labelled(name, value, at, known[name], ())
                continue
            lines[name] = self._line(at)
            try:
                if (type_, name) in BARE and isinstance(value, str):
                    attributes[name] = parse_expression(value, self.name, lines[name])
                else:
                    attributes[name] = self._expression(value, at)
            except Invalid as exc:
                self.problems += exc.problems
        return Block(type_, labels, self._line(path), attributes, lines, tuple(blocks), self.name)

    def _expression(self, value: t.Any, path: Path) -> Node:
        line = self._line(path)
        if isinstance(value, str):
            return parse_text(value, self.name, line)
        if isinstance(value, list):
            return ListExpression(line, tuple(self._expression(it, (*path, n)) for n, it in enumerate(value)))
        if isinstance(value, dict):
            return ObjectExpression(
                line,
                tuple(
                    (parse_text(key, self.name, self._line((*path, key))), self._expression(item, (*path, key)))
                    for key, item in value.items()
                ),
            )
        return Literal(line, value)


__all__ = ("parse_hcl_json", "parse_json_values")
