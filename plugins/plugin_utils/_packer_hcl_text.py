# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Texts of HCL: escapes, heredocs, and the interpolations and directives in them."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import (
    ForDirective,
    IfDirective,
    Literal,
    Node,
    TemplateText,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Place

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
OPENING = re.compile(r"\$\$\{|%%\{|\$\{|%\{")
FOR = re.compile(r"for\s+([\w-]+)\s*(?:,\s*([\w-]+)\s*)?in\s+(.*)", re.DOTALL)

Parse = t.Callable[[str, int], Node]


@dataclasses.dataclass
class Text:
    """A piece of text in a template."""

    value: str


@dataclasses.dataclass(frozen=True)
class Directive:
    """One C(%{ ... }): C(if), C(else), C(endif), C(for) or C(endfor)."""

    kind: str
    line: int
    names: tuple[str, ...] = ()
    expression: Node | None = None


Part = Text | Node | Directive


def unescape(raw: str, place: Place) -> str:
    """What stands for itself between quotes."""

    def meant(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "uU":
            return chr(int(code[1:], 16))
        if code not in ESCAPES:
            raise place.error(f"\\{code} is no escape of HCL. A backslash itself is written \\\\.")
        return ESCAPES[code]

    return ESCAPE.sub(meant, raw)


def heredoc_parts(token: str, line: int, *, flush: bool, parse: Parse) -> list[Part]:
    """The parts of a heredoc.

    Args:
        token: all of it, with its markers.
        line: where it begins.
        flush: take out the indentation that all lines share.
        parse: reads an expression that stands in a line.
    """
    head, _newline, rest = token.partition("\n")
    body = rest.rstrip("\r\n").rpartition("\n")
    text = (body[0] + body[1]).replace("\r\n", "\n") if head else ""
    parts = list(text_parts(text, line + 1, parse))
    if flush:
        _unindent(parts)
    return parts


def text_parts(text: str, line: int, parse: Parse) -> t.Iterator[Part]:
    """The parts of a text that has no quotes or markers around it, nor escapes in it; C(line) is where it begins."""
    at, strip_next = 0, False
    literal = ""
    while at < len(text):
        found = OPENING.search(text, at)
        literal += text[at : found.start()] if found else text[at:]
        if found and len(found[0]) == 3:
            literal += found[0][1:]
            at = found.end()
            continue
        if strip_next:
            literal, strip_next = literal.lstrip(), False
        if not found:
            break
        end = _closing(text, found.end())
        inner = text[found.end() : end]
        if inner.startswith("~"):
            literal = literal.rstrip()
        strip_next = inner.endswith("~")
        if literal:
            yield Text(literal)
        literal = ""
        here = line + text.count("\n", 0, found.start())
        inner = inner.strip("~").strip()
        yield parse(inner, here) if found[0] == "${" else _directive(inner, here, parse)
        at = end + 1
    if literal:
        yield Text(literal)


def _closing(text: str, start: int) -> int:
    """Where the brace that was opened before C(start) is closed; texts in between may hold braces."""
    depth, at, quoted = 1, start, False
    while at < len(text):
        char = text[at]
        if quoted:
            if char == "\\":
                at += 1
            elif char == '"':
                quoted = False
            elif text.startswith("${", at):
                at = _closing(text, at + 2)
        elif char == '"':
            quoted = True
        elif char in "{}":
            depth += 1 if char == "{" else -1
            if depth == 0:
                return at
        at += 1
    return len(text)


def _directive(inner: str, line: int, parse: Parse) -> Directive:
    word, _space, rest = inner.partition(" ")
    if word == "if":
        return Directive("if", line, (), parse(rest, line))
    found = FOR.fullmatch(inner)
    if found:
        names = tuple(name for name in (found[1], found[2]) if name)
        return Directive("for", line, names, parse(found[3], line))
    return Directive(inner, line)


def _unindent(parts: list[Part]) -> None:
    """Take out the indentation of the line that has the least of it; empty lines do not count."""
    lines = re.compile(r"(?:\A|(?<=\n))[ \t]*(?!\n)")
    inner = re.compile(r"(?<=\n)[ \t]*(?!\n)")
    texts = [(lines if number == 0 else inner, part) for number, part in enumerate(parts) if isinstance(part, Text)]
    last = parts[-1] if parts else None
    widths = []
    if parts and not isinstance(parts[0], Text):
        widths.append(0)
    for pattern, part in texts:
        for match in pattern.finditer(part.value):
            at_end = match.end() == len(part.value)
            if not (at_end and part is last) and (at_end or part.value[match.end()] not in " \t\n"):
                widths.append(len(match[0]))
    width = min(widths, default=0)
    for pattern, part in texts:
        part.value = pattern.sub(lambda match: match[0][width:], part.value)


def assemble(parts: t.Sequence[Part], line: int, file: str) -> Node:
    """The node of a text with these parts: a literal when there is nothing to evaluate."""
    if all(isinstance(part, Text) for part in parts):
        return Literal(line, "".join(part.value for part in parts if isinstance(part, Text)))
    reader = _Assembler(list(parts), file)
    nodes, ended = reader.until(())
    if ended:
        raise Place(file, ended.line).error(f"%{{ {ended.kind} }} ends nothing that was begun.")
    return TemplateText(line, tuple(nodes))


class _Assembler:
    """Puts what stands between directives into them."""

    def __init__(self, parts: list[Part], file: str) -> None:
        self.parts = parts
        self.file = file

    def until(self, ends: tuple[str, ...]) -> tuple[list[Node], Directive | None]:
        """The nodes up to one of the directives C(ends), and that directive."""
        nodes: list[Node] = []
        while self.parts:
            part = self.parts.pop(0)
            if isinstance(part, Text):
                nodes.append(Literal(0, part.value))
            elif isinstance(part, Node):
                nodes.append(part)
            elif part.kind == "if":
                nodes.append(self._if(part))
            elif part.kind == "for":
                nodes.append(self._for(part))
            else:
                return nodes, part
        return nodes, None

    def _if(self, begun: Directive) -> Node:
        then, ended = self.until(("else", "endif"))
        otherwise: list[Node] = []
        if ended and ended.kind == "else":
            otherwise, ended = self.until(("endif",))
        self._must_be(begun, ended, "endif")
        condition = t.cast(Node, begun.expression)
        line = begun.line
        return IfDirective(line, condition, TemplateText(line, tuple(then)), TemplateText(line, tuple(otherwise)))

    def _for(self, begun: Directive) -> Node:
        body, ended = self.until(("endfor",))
        self._must_be(begun, ended, "endfor")
        line = begun.line
        return ForDirective(line, begun.names, t.cast(Node, begun.expression), TemplateText(line, tuple(body)))

    def _must_be(self, begun: Directive, ended: Directive | None, kind: str) -> None:
        if ended is None or ended.kind != kind:
            raise Place(self.file, begun.line).error(f"%{{ {begun.kind} }} is not ended by %{{ {kind} }}.")


__all__ = ("Directive", "Text", "assemble", "heredoc_parts", "text_parts", "unescape")
