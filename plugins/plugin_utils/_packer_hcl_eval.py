# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Evaluates expressions of HCL, as Packer does."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping
from difflib import get_close_matches

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_functions import (
    FUNCTIONS,
    LATE_TEXT,
    UNSUPPORTED,
    Failure,
    Library,
    call,
    read_text,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_parse import parse_text
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    ForDirective,
    ForExpression,
    IfDirective,
    Index,
    ListExpression,
    Literal,
    Name,
    Node,
    ObjectExpression,
    Splat,
    TemplateText,
    Unary,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import has_late
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Place
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import (
    as_bool,
    as_number,
    as_text,
    kind_of,
)


class Names(Mapping[str, t.Any]):
    """What stands behind C(var), C(local) and the like: found when it is asked for.

    Args:
        word: how it is called.
        find: gives the value of a name.
        names: which there are.
        hint: what to do when a name is not there.
    """

    def __init__(self, word: str, find: t.Callable[[str], t.Any], names: t.Iterable[str], hint: str = "") -> None:
        self.word = word
        self.find = find
        self.names = list(names)
        self.hint = hint

    def __getitem__(self, name: str) -> t.Any:
        return self.find(name)

    def __iter__(self) -> t.Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclasses.dataclass
class Evaluator:
    """Evaluates the expressions of one file.

    Attributes:
        file: the file's name, for messages.
        scope: what the words that references begin with mean.
        library: the functions' surroundings.
        secrets: values that must not be shown, each with the expression that gives it; grows.
    """

    file: str
    scope: Mapping[str, t.Any]
    library: Library
    secrets: dict[str, str]

    def within(self, **names: t.Any) -> Evaluator:
        """The same with more names."""
        return dataclasses.replace(self, scope={**self.scope, **names})

    def value(self, node: Node) -> t.Any:
        """The value of an expression.

        Raises:
            Invalid: it has none; the message says where.
        """
        found = getattr(self, f"_{type(node).__name__.lower()}")(node)
        return found

    def text(self, node: Node) -> str:
        """The value as text."""
        return str(self._as(as_text, node, self.value(node)))

    def _error(self, node: Node, text: str) -> Invalid:
        return Place(self.file, node.line).error(text)

    def _as(self, convert: t.Callable[[t.Any], t.Any], node: Node, value: t.Any) -> t.Any:
        try:
            return convert(value)
        except ValueError as exc:
            raise self._error(node, f"{exc}.") from exc

    def _bool(self, node: Node) -> bool:
        value = self.value(node)
        self._must_be_known(node, value, "a condition")
        found: bool = self._as(as_bool, node, value)
        return found

    def _must_be_known(self, node: Node, value: t.Any, use: str) -> None:
        if has_late(value):
            raise self._error(node, f"a value that only the build knows cannot be used in {use}.")

    def _literal(self, node: Literal) -> t.Any:
        return node.value

    def _templatetext(self, node: TemplateText) -> t.Any:
        if len(node.parts) == 1 and not isinstance(node.parts[0], (Literal, IfDirective, ForDirective)):
            return self.value(node.parts[0])  # "${a}" is a itself, of whatever type
        return "".join(self._piece(part, node) for part in node.parts)

    def _piece(self, part: Node, whole: Node) -> str:
        value = self.value(part)
        if value is None:
            raise self._error(part if part.line else whole, "a text cannot hold null.")
        return str(self._as(as_text, part if part.line else whole, value))

    def _ifdirective(self, node: IfDirective) -> str:
        chosen = node.then if self._bool(node.condition) else node.otherwise
        return "".join(self._piece(part, chosen) for part in chosen.parts)

    def _fordirective(self, node: ForDirective) -> str:
        pieces = []
        for names in self._items(node.names, node.collection):
            inner = self.within(**names)
            pieces += [inner._piece(part, node) for part in node.body.parts]
        return "".join(pieces)

    def _listexpression(self, node: ListExpression) -> list[t.Any]:
        return [self.value(item) for item in node.items]

    def _objectexpression(self, node: ObjectExpression) -> dict[str, t.Any]:
        return {self.text(key): self.value(value) for key, value in node.items}

    def _items(self, names: tuple[str, ...], collection: Node) -> t.Iterator[dict[str, t.Any]]:
        value = self.value(collection)
        if isinstance(value, Mapping):
            pairs: t.Iterable[tuple[t.Any, t.Any]] = sorted(value.items())
        elif isinstance(value, list):
            pairs = enumerate(value)
        else:
            raise self._error(collection, f"'for' goes over a list or a map, and this is {kind_of(value)}.")
        for key, item in pairs:
            yield {names[0]: key, names[1]: item} if len(names) > 1 else {names[0]: item}

    def _forexpression(self, node: ForExpression) -> t.Any:
        grouped: dict[str, list[t.Any]] = {}
        flat: list[t.Any] = []
        mapping: dict[str, t.Any] = {}
        for names in self._items(node.names, node.collection):
            inner = self.within(**names)
            if node.condition is not None and not inner._bool(node.condition):
                continue
            result = inner.value(node.result)
            if node.key is None:
                flat.append(result)
                continue
            key = inner.text(node.key)
            if node.grouped:
                grouped.setdefault(key, []).append(result)
            elif key in mapping:
                raise self._error(node, f"this 'for' gives the key {key!r} twice. '...' behind the value makes lists.")
            else:
                mapping[key] = result
        return flat if node.key is None else grouped if node.grouped else mapping

    def _conditional(self, node: Conditional) -> t.Any:
        return self.value(node.then if self._bool(node.condition) else node.otherwise)

    def _binary(self, node: Binary) -> t.Any:
        if node.operator in ("&&", "||"):
            left = self._bool(node.left)
            return self._bool(node.right) if left == (node.operator == "&&") else left
        values = (self.value(node.left), self.value(node.right))
        if node.operator in ("==", "!="):
            # Packer's texts and numbers differ, as HCL's do; a value that is not known yet cannot be compared.
            self._must_be_known(node, list(values), "a comparison")
            same = values[0] == values[1] and isinstance(values[0], bool) == isinstance(values[1], bool)
            return same == (node.operator == "==")
        left, right = (self._as(as_number, node, value) for value in values)
        return self._compute(node, left, right)

    def _compute(self, node: Binary, left: t.Any, right: t.Any) -> t.Any:
        if node.operator in ("/", "%") and right == 0:
            raise self._error(node, "this divides by zero.")
        operations: dict[str, t.Callable[[t.Any, t.Any], t.Any]] = {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
            "/": lambda a, b: a // b if a % b == 0 else a / b,
            "%": lambda a, b: a - b * int(a / b),
            "<": lambda a, b: a < b,
            ">": lambda a, b: a > b,
            "<=": lambda a, b: a <= b,
            ">=": lambda a, b: a >= b,
        }
        return operations[node.operator](left, right)

    def _unary(self, node: Unary) -> t.Any:
        if node.operator == "!":
            return not self._bool(node.operand)
        return -self._as(as_number, node, self.value(node.operand))

    def _name(self, node: Name) -> t.Any:
        if node.name in self.scope:
            return self.scope[node.name]
        words = ", ".join(sorted(self.scope))
        raise self._error(node, f"there is nothing called {node.name} here. There is: {words}.")

    def _attribute(self, node: Attribute) -> t.Any:
        return self._member(node, self.value(node.of), node.name)

    def _index(self, node: Index) -> t.Any:
        return self._member(node, self.value(node.of), self.value(node.key))

    def _member(self, node: Node, of: t.Any, key: t.Any) -> t.Any:
        if isinstance(of, Names):
            name = str(key)
            if name in of.names:
                return of[name]
            near = get_close_matches(name, of.names, n=1)
            hint = f" Did you mean {of.word}.{near[0]}?" if near else f" {of.hint}" if of.hint else ""
            raise self._error(node, f"there is no {of.word}.{name}.{hint}")
        if isinstance(of, Mapping):
            name = self._as(as_text, node, key)
            if name in of:
                return of[name]
            known = ", ".join(map(str, of)) or "nothing"
            raise self._error(node, f"this object has no {name}. It has: {known}.")
        if isinstance(of, list):
            number = self._as(as_number, node, key)
            if isinstance(number, int) and 0 <= number < len(of):
                return of[number]
            raise self._error(node, f"this list has {len(of)} elements, and no element {key}.")
        raise self._error(node, f"{kind_of(of)} has no parts, such as {key!r}.")

    def _splat(self, node: Splat) -> list[t.Any]:
        of = self.value(node.of)
        found = []
        for element in of if isinstance(of, list) else [] if of is None else [of]:
            item = element
            for step in node.steps:
                item = self._member(node, item, step if isinstance(step, str) else self.value(step))
            found.append(item)
        return found

    def _call(self, node: Call) -> t.Any:
        if node.name in ("try", "can"):
            return self._try(node)
        if node.name == "templatefile":
            return self._templatefile(node)
        if node.name not in FUNCTIONS:
            raise self._error(node, _unknown(node.name))
        given = [self.value(argument) for argument in node.arguments]
        if node.expand:
            given = [*given[:-1], *given[-1]]
        if node.name not in LATE_TEXT and any(isinstance(value, str) and has_late(value) for value in given):
            raise self._error(node, f"{node.name} cannot be given a value that only the build knows.")
        try:
            found = call(node.name, self.library, given)
        except Failure as exc:
            raise self._error(node, f"{node.name}: {exc}.") from exc
        self._keep_secret(node, given, found)
        return found

    def _templatefile(self, node: Call) -> str:
        """The text of a file, whose templates know the names that they are given and no others."""
        if len(node.arguments) != 2 or self.library.in_template:
            said = "takes a path and a map" if len(node.arguments) != 2 else "cannot be used in such a file itself"
            raise self._error(node, f"templatefile {said}.")
        name, names = self.text(node.arguments[0]), self.value(node.arguments[1])
        if not isinstance(names, Mapping):
            raise self._error(node.arguments[1], f"templatefile takes a map of names, and this is {kind_of(names)}.")
        try:
            text = read_text(self.library, name)
        except Failure as exc:
            raise self._error(node, f"templatefile: {exc}.") from exc
        library = dataclasses.replace(self.library, in_template=True)
        inner = Evaluator(name, dict(names), library, self.secrets)
        found = inner.text(parse_text(text, name, 1, lines=True))
        self._keep_secret(node, found, found)
        return found

    def _try(self, node: Call) -> t.Any:
        problems: list[str] = []
        for argument in node.arguments:
            try:
                found = self.value(argument)
            except Invalid as exc:
                problems += exc.problems
                continue
            return True if node.name == "can" else found
        if node.name == "can":
            return False
        raise self._error(node, f"none of what is tried has a value: {' '.join(problems)}")

    def _keep_secret(self, node: Call, given: t.Any, found: t.Any) -> None:
        """What is made from a secret is one, and can be made again from the same expression."""
        if isinstance(found, str) and found and found not in self.secrets and self._is_secret(given):
            self.secrets[found] = node.text

    def _is_secret(self, value: t.Any) -> bool:
        if isinstance(value, str):
            return any(secret in value for secret in self.secrets)
        parts = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        return any(map(self._is_secret, parts))


def _unknown(name: str) -> str:
    if name in UNSUPPORTED:
        return f"the function {name} is not supported: {UNSUPPORTED[name]}"
    near = get_close_matches(name, FUNCTIONS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"there is no function {name}.{hint}"


__all__ = ("Evaluator", "Names")
