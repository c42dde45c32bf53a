# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The syntax of HCL as a tree: what templates say, before anything is evaluated."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Node:
    """An expression; C(line) is where it begins."""

    line: int


@dataclasses.dataclass(frozen=True)
class Literal(Node):
    """A number, a text without templates, true, false or null."""

    value: t.Any


@dataclasses.dataclass(frozen=True)
class TemplateText(Node):
    """A quoted text or heredoc with interpolations or directives in it."""

    parts: tuple[Node, ...]


@dataclasses.dataclass(frozen=True)
class IfDirective(Node):
    """C(%{ if ... }) in a text."""

    condition: Node
    then: TemplateText
    otherwise: TemplateText


@dataclasses.dataclass(frozen=True)
class ForDirective(Node):
    """C(%{ for ... }) in a text."""

    names: tuple[str, ...]
    collection: Node
    body: TemplateText


@dataclasses.dataclass(frozen=True)
class ListExpression(Node):
    """C([a, b])."""

    items: tuple[Node, ...]


@dataclasses.dataclass(frozen=True)
class ObjectExpression(Node):
    """C({a = b}); a key that is a bare word is a literal."""

    items: tuple[tuple[Node, Node], ...]


@dataclasses.dataclass(frozen=True)
class ForExpression(Node):
    """C([for v in c : r if d]), or with a key, C({for k, v in c : k => v})."""

    names: tuple[str, ...]
    collection: Node
    key: Node | None
    result: Node
    condition: Node | None
    grouped: bool


@dataclasses.dataclass(frozen=True)
class Conditional(Node):
    """C(a ? b : c)."""

    condition: Node
    then: Node
    otherwise: Node


@dataclasses.dataclass(frozen=True)
class Binary(Node):
    """Two operands."""

    operator: str
    left: Node
    right: Node


@dataclasses.dataclass(frozen=True)
class Unary(Node):
    """C(-a) or C(!a)."""

    operator: str
    operand: Node


@dataclasses.dataclass(frozen=True)
class Call(Node):
    """A function call; C(text) is how it was written."""

    name: str
    arguments: tuple[Node, ...]
    expand: bool
    text: str


@dataclasses.dataclass(frozen=True)
class Name(Node):
    """The word that a reference begins with."""

    name: str


@dataclasses.dataclass(frozen=True)
class Attribute(Node):
    """C(a.b)."""

    of: Node
    name: str


@dataclasses.dataclass(frozen=True)
class Index(Node):
    """C(a[b])."""

    of: Node
    key: Node


@dataclasses.dataclass(frozen=True)
class Splat(Node):
    """C(a[*].b); the steps follow for each element."""

    of: Node
    steps: tuple[str | Node, ...]


@dataclasses.dataclass(frozen=True)
class Block:
    """A block with its labels; C(attributes) and C(blocks) are its body."""

    type: str
    labels: tuple[str, ...]
    line: int
    attributes: dict[str, Node] = dataclasses.field(default_factory=dict)
    lines: dict[str, int] = dataclasses.field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    file: str = ""


__all__ = (
    "Attribute",
    "Binary",
    "Block",
    "Call",
    "Conditional",
    "ForDirective",
    "ForExpression",
    "IfDirective",
    "Index",
    "ListExpression",
    "Literal",
    "Name",
    "Node",
    "ObjectExpression",
    "Splat",
    "TemplateText",
    "Unary",
)
