# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Reads HCL: the tree of python-hcl2's parser becomes one of our own, whose heredocs are templates too.

Only this file knows python-hcl2.
"""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import (
    Attribute,
    Binary,
    Block,
    Call,
    Conditional,
    ForExpression,
    Index,
    ListExpression,
    Literal,
    Name,
    Node,
    ObjectExpression,
    Splat,
    Unary,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_text import (
    Directive,
    Text,
    assemble,
    heredoc_parts,
    text_parts,
    unescape,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Place

try:
    from hcl2.api import parses_to_tree
    from lark import Token, Tree
    from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

    HAS_HCL2 = True
except ImportError:
    HAS_HCL2 = False

MISSING = (
    "Packer's HCL templates are read with python-hcl2 8, which is not installed for this Ansible's Python. Install it, "
    "for example with 'pip install python-hcl2', or convert the template to JSON."
)
NOTHING = frozenset({"new_line_or_comment"})
LITERALS = {"true": True, "false": False, "null": None}


def parse_hcl(text: str, file: str) -> Block:
    """The content of a file, as a block without a type.

    Raises:
        Invalid: the text is no HCL.
    """
    tree = _tree(text, file, 0)
    return _Reader(text, file, 0).body(tree.children[0], type_="", labels=(), line=1)


def parse_expression(text: str, file: str, line: int) -> Node:
    """An expression that stands by itself; C(line) is where it does."""
    wrapped = f"x = (\n{text}\n)"
    tree = _tree(wrapped, file, line - 2, line + text.count("\n"))
    body = _Reader(wrapped, file, line - 2).body(tree.children[0], type_="", labels=(), line=line)
    return body.attributes["x"]


def parse_text(text: str, file: str, line: int, *, lines: bool = False) -> Node:
    """A text that may hold interpolations and directives, such as a file or a value of JSON.

    Args:
        text: what is in it.
        file: for messages.
        line: where it begins.
        lines: whether its own lines are those of the file.
    """
    if "${" not in text and "%{" not in text:
        return Literal(line, text)
    parts = text_parts(text, line, lambda it, at: parse_expression(it, file, at if lines else line))
    return assemble(list(parts), line, file)


def _tree(text: str, file: str, offset: int, last: int | None = None) -> t.Any:
    if not HAS_HCL2:
        raise Invalid([MISSING])
    try:
        return parses_to_tree(text)
    except UnexpectedInput as exc:
        found: t.Any = exc
        line = found.line if isinstance(found.line, int) and found.line > 0 else text.count("\n") + 1
        at = line + offset if last is None else min(line + offset, last)
        raise Place(file, at).error(f"this is no HCL, at {_found(exc)}.") from exc


def _found(exc: t.Any) -> str:
    if isinstance(exc, UnexpectedEOF) or (isinstance(exc, UnexpectedToken) and exc.token.type == "$END"):
        return "the end of the file"
    if isinstance(exc, UnexpectedCharacters):
        return repr(exc.char)
    return "the end of the line" if exc.token.type == "NL_OR_COMMENT" else repr(str(exc.token).strip())


class _Reader:
    """Turns the parser's tree into ours."""

    def __init__(self, text: str, file: str, offset: int) -> None:
        self.text = text
        self.file = file
        self.offset = offset

    def body(self, tree: t.Any, *, type_: str, labels: tuple[str, ...], line: int) -> Block:
        """The attributes and blocks between braces, or of a file."""
        attributes: dict[str, Node] = {}
        lines: dict[str, int] = {}
        blocks = []
        for child in _significant(tree):
            if child.data == "block":
                blocks.append(self._block(child))
                continue
            name = _word(child.children[0])
            if name in attributes:
                place = Place(self.file, self._line(child))
                raise place.error(f"{name} is set twice, and also in line {lines[name]}.")
            attributes[name] = self.expression(child.children[2])
            lines[name] = self._line(child)
        return Block(type_, labels, line, attributes, lines, tuple(blocks), self.file)

    def _block(self, tree: t.Any) -> Block:
        words, body = [], None
        for child in _significant(tree):
            if isinstance(child, Token):
                continue
            if child.data == "body":
                body = child
            elif child.data == "string":
                words.append(self._plain_string(child))
            else:
                words.append(_word(child))
        return self.body(body, type_=words[0], labels=tuple(words[1:]), line=self._line(tree))

    def _plain_string(self, tree: t.Any) -> str:
        node = self._string(tree)
        if isinstance(node, Literal):
            return str(node.value)
        raise Place(self.file, node.line).error("the label of a block cannot be a template.")

    def _line(self, tree: t.Any) -> int:
        at: t.Any = tree if isinstance(tree, Token) else tree.meta
        return int(at.line) + self.offset

    def expression(self, tree: t.Any) -> Node:
        """Any expression."""
        readers: dict[str, t.Callable[[t.Any], Node]] = {
            "expr_term": self._term,
            "conditional": self._conditional,
            "binary_op": self._binary,
            "unary_op": self._unary,
            "identifier": self._name,
            "keyword": self._name,
            "literal_value": self._literal,
            "int_lit": lambda it: Literal(self._line(it), int(str(it.children[0]).replace(" ", ""))),
            "float_lit": lambda it: Literal(self._line(it), float(str(it.children[0]))),
            "string": self._string,
            "heredoc_template": lambda it: self._heredoc(it, flush=False),
            "heredoc_template_trim": lambda it: self._heredoc(it, flush=True),
            "tuple": self._list,
            "object": self._object,
            "function_call": self._call,
            "index_expr_term": self._index,
            "get_attr_expr_term": self._attribute,
            "attr_splat_expr_term": self._splat,
            "full_splat_expr_term": self._splat,
            "for_tuple_expr": self._for,
            "for_object_expr": self._for,
        }
        reader = readers.get(tree.data)
        if reader is None:
            raise Place(self.file, self._line(tree)).error("this expression cannot be read here.")
        return reader(tree)

    def _term(self, tree: t.Any) -> Node:
        return self.expression(_trees(tree)[0])

    def _conditional(self, tree: t.Any) -> Node:
        condition, then, otherwise = map(self.expression, _trees(tree))
        return Conditional(self._line(tree), condition, then, otherwise)

    def _binary(self, tree: t.Any) -> Node:
        left, rest = _trees(tree)
        operator, right = _trees(rest)
        # The parser keeps the line breaks before an operator as part of it.
        sign = str(operator.children[0]).split()[-1]
        return Binary(self._line(tree), sign, self.expression(left), self.expression(right))

    def _unary(self, tree: t.Any) -> Node:
        return Unary(self._line(tree), str(tree.children[0]), self.expression(tree.children[1]))

    def _name(self, tree: t.Any) -> Node:
        return Name(self._line(tree), _word(tree))

    def _literal(self, tree: t.Any) -> Node:
        return Literal(self._line(tree), LITERALS[_word(tree)])

    def _string(self, tree: t.Any) -> Node:
        parts: list[Text | Node | Directive] = []
        for part in _trees(tree):
            child = part.children[0]
            line = self._line(part)
            if isinstance(child, Token):
                raw = str(child)
                escaped = child.type in ("ESCAPED_INTERPOLATION", "ESCAPED_DIRECTIVE")
                parts.append(Text(raw[1:] if escaped else unescape(raw, Place(self.file, line))))
            elif child.data == "interpolation":
                parts.append(self.expression(_trees(child)[0]))
            else:
                parts.append(self._directive(child))
        return assemble(parts, self._line(tree), self.file)

    def _directive(self, tree: t.Any) -> Directive:
        words = [_word(child) for child in _trees(tree) if child.data == "identifier"]
        expressions = [child for child in _trees(tree) if child.data != "identifier"]
        kind = tree.data.removeprefix("template_").removesuffix("_start")
        expression = self.expression(expressions[0]) if expressions else None
        return Directive(kind, self._line(tree), tuple(words), expression)

    def _heredoc(self, tree: t.Any, *, flush: bool) -> Node:
        line = self._line(tree)
        parts = heredoc_parts(
            str(tree.children[0]), line, flush=flush, parse=lambda text, at: parse_expression(text, self.file, at)
        )
        return assemble(parts, line, self.file)

    def _list(self, tree: t.Any) -> Node:
        return ListExpression(self._line(tree), tuple(map(self.expression, _trees(tree))))

    def _object(self, tree: t.Any) -> Node:
        items = []
        for element in _trees(tree):
            key, value = _trees(element)
            items.append((self._key(key.children[0]), self.expression(value)))
        return ObjectExpression(self._line(tree), tuple(items))

    def _key(self, tree: t.Any) -> Node:
        bare = tree.children[0] if tree.data == "expr_term" else tree
        if not isinstance(bare, Token) and bare.data in ("identifier", "keyword", "literal_value"):
            return Literal(self._line(tree), _word(bare))
        return self.expression(tree)

    def _call(self, tree: t.Any) -> Node:
        children = _trees(tree)
        name = "::".join(_word(child) for child in children if child.data == "identifier")
        arguments = next((child for child in children if child.data == "arguments"), None)
        inner = _significant(arguments) if arguments is not None else []
        expand = any(isinstance(child, Token) and child.type == "ELLIPSIS" for child in inner)
        given = tuple(self.expression(child) for child in inner if isinstance(child, Tree))
        text = self.text[tree.meta.start_pos : tree.meta.end_pos]
        return Call(self._line(tree), name, given, expand, text)

    def _index(self, tree: t.Any) -> Node:
        of, index = _trees(tree)
        return Index(self._line(tree), self.expression(of), self._index_key(index))

    def _index_key(self, tree: t.Any) -> Node:
        if tree.data == "short_index":
            return Literal(self._line(tree), int(str(tree.children[-1])))
        return self.expression(_trees(tree)[0])

    def _attribute(self, tree: t.Any) -> Node:
        of, name = _trees(tree)
        return Attribute(self._line(tree), self.expression(of), _word(_trees(name)[0]))

    def _splat(self, tree: t.Any) -> Node:
        of, splat = _trees(tree)
        steps: list[str | Node] = []
        for step in _trees(splat):
            steps.append(_word(_trees(step)[0]) if step.data == "get_attr" else self._index_key(step))
        return Splat(self._line(tree), self.expression(of), tuple(steps))

    def _for(self, tree: t.Any) -> Node:
        children = _significant(tree)
        intro = next(child for child in children if isinstance(child, Tree) and child.data == "for_intro")
        names = tuple(_word(child) for child in _trees(intro) if child.data == "identifier")
        collection = self.expression(_trees(intro)[-1])
        conditions = [child for child in _trees(tree) if child.data == "for_cond"]
        results = [child for child in _trees(tree) if child.data not in ("for_intro", "for_cond")]
        return ForExpression(
            self._line(tree),
            names,
            collection,
            self.expression(results[0]) if len(results) > 1 else None,
            self.expression(results[-1]),
            self.expression(_trees(conditions[0])[0]) if conditions else None,
            any(isinstance(child, Token) and child.type == "ELLIPSIS" for child in children),
        )


def _significant(tree: t.Any) -> list[t.Any]:
    return [child for child in tree.children if isinstance(child, Token) or child.data not in NOTHING]


def _trees(tree: t.Any) -> list[t.Any]:
    return [child for child in tree.children if isinstance(child, Tree) and child.data not in NOTHING]


def _word(tree: t.Any) -> str:
    return str(tree.children[0]).strip()


__all__ = ("parse_expression", "parse_hcl", "parse_text")
