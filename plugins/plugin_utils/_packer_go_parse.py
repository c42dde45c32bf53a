# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The form of Go templates: pieces of text, and actions between braces, some of which hold others."""

from __future__ import annotations

import dataclasses
import re

# What stands between quotes may look like the end of an action.
ACTION = re.compile(r"""\{\{(- |-(?=\}))?((?:/\*.*?\*/|"(?:[^"\\]|\\.)*"|`[^`]*`|.)*?)( -)?\}\}""", re.DOTALL)
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\$?[\w.]+|\$|-?\d+|:=|[|(),=])')
NAME = re.compile(r"\$\w+")
HOLDING = ("if", "range", "with")
REFUSED = ("block", "break", "continue", "define", "template")


class GoError(Exception):
    """A template cannot be read or rendered; the text says why, C(action) where."""

    def __init__(self, text: str, action: str = "") -> None:
        super().__init__(text)
        self.action = action


@dataclasses.dataclass(frozen=True)
class Plain:
    """A piece of text that stands for itself."""

    text: str


@dataclasses.dataclass(frozen=True)
class Action:
    """A pipeline whose value is put there.

    Attributes:
        tokens: what it is made of.
        source: how it was written.
        names: the variables that take the value instead.
    """

    tokens: tuple[str, ...]
    source: str
    names: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Choice:
    """C(if), C(with) or C(range): a body for a value that is not empty, and one for an empty value."""

    word: str
    value: Action
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


Node = Plain | Action | Choice


def parse(text: str) -> tuple[Node, ...]:
    """The pieces of a template.

    Raises:
        GoError: it is none.
    """
    parser = _Parser(text)
    nodes, ended = parser.until_end()
    if ended:
        raise GoError(f"{ended[0]} belongs to no if, range or with", parser.source)
    return nodes


class _Parser:
    """Reads actions one by one."""

    def __init__(self, text: str) -> None:
        self.pieces: list[Plain | tuple[str, str]] = []
        self.source = ""
        at = 0
        for found in ACTION.finditer(text):
            before = text[at : found.start()]
            self.pieces += [Plain(before.rstrip() if found[1] else before), (found[2].strip(), found[0])]
            at = found.end()
            if found[3]:
                at += len(text[at:]) - len(text[at:].lstrip())
        self.pieces.append(Plain(text[at:]))
        self.pieces.reverse()

    def until_end(self) -> tuple[tuple[Node, ...], list[str]]:
        """The nodes up to C(end) or C(else), and the words of that."""
        nodes: list[Node] = []
        while self.pieces:
            piece = self.pieces.pop()
            if isinstance(piece, Plain):
                nodes.append(piece)
                continue
            words, self.source = piece
            if words.startswith("/*"):
                continue
            tokens = self._tokens(words)
            if tokens[:1] in (["end"], ["else"]):
                return tuple(nodes), tokens
            nodes.append(self._node(tokens))
        return tuple(nodes), []

    def _tokens(self, action: str) -> list[str]:
        tokens, at = [], 0
        while at < len(action):
            found = TOKEN.match(action, at)
            if not found:
                raise GoError("this is no template of Packer", self.source)
            tokens.append(found[1])
            at = found.end()
        return tokens

    def _node(self, tokens: list[str]) -> Node:
        word = tokens[0] if tokens else ""
        if word in REFUSED:
            raise GoError(f"{word} is not supported", self.source)
        if word not in HOLDING:
            return self._action(tokens)
        return self._choice(word, self._action(tokens[1:]))

    def _choice(self, word: str, value: Action) -> Choice:
        body, ended = self.until_end()
        otherwise: tuple[Node, ...] = ()
        if ended[:1] == ["else"] and ended[1:2] and ended[1] in HOLDING:  # "else if" shares the end
            return Choice(word, value, body, (self._choice(ended[1], self._action(ended[2:])),))
        if ended[:1] == ["else"]:
            otherwise, ended = self.until_end()
        if ended != ["end"]:
            raise GoError(f"this {word} has no end", value.source)
        return Choice(word, value, body, otherwise)

    def _action(self, tokens: list[str]) -> Action:
        names: list[str] = []
        if ":=" in tokens or "=" in tokens:
            at = next(number for number, it in enumerate(tokens) if it in (":=", "="))
            names = [it for it in tokens[:at] if it != ","]
            if not names or len(names) > 2 or not all(map(NAME.fullmatch, names)):
                raise GoError("this is no template of Packer", self.source)
            tokens = tokens[at + 1 :]
        return Action(tuple(tokens), self.source, tuple(names))


__all__ = ("Action", "Choice", "GoError", "Node", "Plain", "parse")
