# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Go templates in texts, such as C({{user `name`}}) and C({{.SourceAMI}}), which both of Packer's languages have."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import typing as t
import uuid
from collections.abc import Mapping
from difflib import get_close_matches

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_build_data import BUILD_DATA, DEVICE_DATA
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go_functions import (
    FUNCTIONS,
    Function,
    Value,
    expression,
    is_late,
    part,
    shown,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go_parse import (
    Action,
    Choice,
    GoError,
    Node,
    Plain,
    parse,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import (
    has_statement,
    late,
    only_late,
    statement,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import BUILDER, Place
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_times import format_layout, format_strftime

PACKER_VERSION = "1.11.2"
LITERALS: dict[str, bool] = {"true": True, "false": False}
ELSEWHERE = "give the value as a variable"
UNSUPPORTED = {
    "aws_secretsmanager": ELSEWHERE,
    "consul_key": ELSEWHERE,
    "vault": ELSEWHERE,
    "sed": "use replace_all",
}


@dataclasses.dataclass(frozen=True)
class GoTemplates:
    """Renders texts.

    Attributes:
        began: seconds since 1970, one time for the whole template.
        folder: the template's.
        user: the user variables of a JSON template; None where there are none.
        environment: of this process; None where it may not be used.
        build_name: for C(build_name).
        data: what C(.Name) means, each a text, or one known only later.
    """

    began: float
    folder: str
    user: Mapping[str, str] | None = None
    environment: Mapping[str, str] | None = None
    build_name: str = ""
    data: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def knowing(self, **data: str) -> GoTemplates:
        """The same with more names for C(.Name)."""
        return dataclasses.replace(self, data={**self.data, **data})

    def render(self, text: str, place: Place) -> str:
        """The text with its actions carried out.

        Raises:
            Invalid: one of them cannot be.
        """
        if "{{" not in text:
            return text
        try:
            return _Run(self).all(parse(text), None)
        except GoError as exc:
            raise place.error(f"in {exc.action or text}: {exc}.") from exc

    def render_all(self, value: t.Any, place_of: t.Callable[..., Place], path: tuple[t.Any, ...] = ()) -> t.Any:
        """A value with all texts in it rendered, keys too; all mistakes are reported together."""
        problems: list[str] = []
        found = self._render_into(problems, value, place_of, path)
        if problems:
            raise Invalid(problems)
        return found

    def _render_into(
        self, problems: list[str], value: t.Any, place_of: t.Callable[..., Place], path: tuple[t.Any, ...]
    ) -> t.Any:
        if isinstance(value, Mapping):
            return {
                self._render_into(problems, key, place_of, path): self._render_into(
                    problems, item, place_of, (*path, key)
                )
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._render_into(problems, item, place_of, (*path, n)) for n, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        try:
            return self.render(value, place_of(*path))
        except Invalid as exc:
            problems += exc.problems
            return value

    def field(self, path: str) -> Value:
        """What C(.Name) is, or a part of it."""
        name, _dot, rest = path.partition(".")
        if name in self.data:
            return _member(self.data[name], rest)
        known = ", ".join(f".{it}" for it in self.data) or "nothing"
        near = get_close_matches(name, self.data, n=1)
        hint = f"did you mean .{near[0]}?" if near else f"known here is {known}"
        raise GoError(
            f"there is no .{name or ' by itself'}; {hint}. Braces meant for something else are written "
            '{{ "{{" }} and {{ "}}" }}'
        )

    def call(self, name: str, given: list[Value]) -> Value:
        """The value of a function."""
        functions: dict[str, tuple[int, int, Function]] = {
            **FUNCTIONS,
            "build": (1, 1, self._build),
            "build_name": (0, 0, lambda: self.build_name),
            "build_type": (0, 0, lambda: BUILDER),
            "env": (1, 1, self._env),
            "isotime": (0, 1, lambda layout="": format_layout(layout, self.began)),
            "packer_version": (0, 0, lambda: PACKER_VERSION),
            "pwd": (0, 0, os.getcwd),
            "strftime": (1, 1, lambda layout: format_strftime(layout, self.began)),
            "template_dir": (0, 0, lambda: self.folder),
            "timestamp": (0, 0, lambda: str(int(self.began))),
            "user": (1, 1, self._user),
            "uuid": (0, 0, lambda: str(uuid.uuid4())),
        }
        if name in UNSUPPORTED:
            raise GoError(f"the function {name} is not supported: {UNSUPPORTED[name]}")
        if name not in functions:
            near = get_close_matches(name, functions, n=1)
            raise GoError(f"there is no function {name}" + (f"; did you mean {near[0]}?" if near else ""))
        least, most, function = functions[name]
        if not least <= len(given) <= most:
            raise GoError(f"{name} does not take {len(given)} arguments")
        return function(*given)

    def _build(self, name: str) -> str:
        known = {**BUILD_DATA, **DEVICE_DATA}
        if name in self.data:
            return self.data[name]
        if name not in known:
            raise GoError(f"a build in a chroot knows no {name}; it knows {', '.join(known)}")
        return late(known[name])

    def _env(self, name: str) -> str:
        if self.environment is None:
            raise GoError("env may be used in the section variables only, as with Packer")
        return self.environment.get(name, "")

    def _user(self, name: str) -> str:
        if self.user is None:
            raise GoError("user variables are those of JSON templates. Write ${var." + name + "}")
        if name not in self.user:
            near = get_close_matches(name, self.user, n=1)
            raise GoError(f"there is no variable {name}" + (f"; did you mean {near[0]}?" if near else ""))
        return self.user[name]


class _Run:
    """One rendering of one text."""

    def __init__(self, go: GoTemplates) -> None:
        self.go = go
        self.names: dict[str, Value] = {}
        self.depth = 0

    def all(self, nodes: tuple[Node, ...], dot: Value | None) -> str:
        """The text of nodes.

        Args:
            nodes: some, in order.
            dot: what C(.) means; None where it is all the data there is.
        """
        return "".join(self._one(node, dot) for node in nodes)

    def _one(self, node: Node, dot: Value | None) -> str:
        if isinstance(node, Plain):
            return node.text
        if isinstance(node, Choice):
            return self._range(node, dot) if node.word == "range" else self._choice(node, dot)
        value = self._value(node, dot)
        if node.names:
            self.names[node.names[0]] = value
            return ""
        return shown(value)

    def _value(self, action: Action, dot: Value | None) -> Value:
        try:
            return self._pipeline(list(action.tokens), dot)
        except GoError as exc:
            raise GoError(str(exc), exc.action or action.source) from exc

    def _choice(self, node: Choice, dot: Value | None) -> str:
        value = self._value(node.value, dot)
        before = dict(self.names)
        self.names.update(dict.fromkeys(node.value.names, value))
        inner = value if node.word == "with" else dot
        if not is_late(value):
            found = self.all(node.body, inner) if value else self.all(node.otherwise, dot)
            self.names = before
            return found
        then, otherwise = self.all(node.body, inner), self.all(node.otherwise, dot)
        self.names = before
        condition = expression(value)
        if has_statement(then) or has_statement(otherwise):
            parts = [statement(f"if {condition}"), then, statement("else"), otherwise, statement("endif")]
            return "".join(parts)
        return late(f"({expression(then)}) if ({condition}) else ({expression(otherwise)})")

    def _range(self, node: Choice, dot: Value | None) -> str:
        value = self._value(node.value, dot)
        over = only_late(value)
        if over is None:
            raise GoError(f"range goes over a map, and this is {shown(value)!r}", node.value.source)
        before = dict(self.names)
        self.depth += 1
        key, item = f"packer_key_{self.depth}", f"packer_item_{self.depth}"
        names = node.value.names
        if len(names) == 2:
            self.names[names[0]] = late(key)
        self.names.update(dict.fromkeys(names[-1:], late(item)))
        body = self.all(node.body, late(item))
        self.depth -= 1
        self.names = before
        # Go goes through maps by their keys, capitals first.
        parts = [statement(f"for {key}, {item} in ({over}) | dictsort(true)"), body]
        if node.otherwise:
            parts += [statement("else"), self.all(node.otherwise, dot)]
        return "".join([*parts, statement("endfor")])

    def _pipeline(self, tokens: list[str], dot: Value | None) -> Value:
        value: Value | None = None
        while tokens:
            value = self._command(tokens, value, dot)
            if tokens and tokens[0] == ")":
                break
            if tokens:
                tokens.pop(0)  # the bar
        if value is None:
            raise GoError("it is empty")
        return value

    def _command(self, tokens: list[str], piped: Value | None, dot: Value | None) -> Value:
        words: list[Value] = []
        name: str | None = None
        while tokens and tokens[0] not in ("|", ")"):
            word = tokens.pop(0)
            if word == "(":
                words.append(self._pipeline(tokens, dot))
                if not tokens:
                    raise GoError("a parenthesis is not closed")
                tokens.pop(0)
            elif name is None and not words and re.fullmatch(r"[A-Za-z_]\w*", word):
                name = word
            else:
                words.append(self._word(word, dot))
        if name is None or (name in LITERALS and not words):
            words = words if name is None else [LITERALS[name]]
            if len(words) != 1 or piped is not None:
                raise GoError("this is no template of Packer")
            return words[0]
        return self.go.call(name, [*words, *([piped] if piped is not None else [])])

    def _word(self, token: str, dot: Value | None) -> Value:
        if token[0] in '"`':
            return _text(token)
        if token.startswith("$"):
            return self._variable(token)
        if token.startswith("."):
            return self.go.field(token[1:]) if dot is None else _member(dot, token[1:])
        if re.fullmatch(r"-?\d+", token):
            return int(token)
        return LITERALS[token] if token in LITERALS else self.go.call(token, [])

    def _variable(self, token: str) -> Value:
        name, _dot, rest = token.partition(".")
        if name == "$":
            return self.go.field(rest)
        if name not in self.names:
            raise GoError(f"there is no variable {name} here")
        return _member(self.names[name], rest)


def _text(token: str) -> str:
    if token.startswith("`"):
        return token[1:-1]
    try:
        return str(json.loads(token))
    except ValueError as exc:
        raise GoError(f"{token} is no text") from exc


def _member(value: Value, path: str) -> Value:
    for name in filter(None, path.split(".")):
        value = part(value, name)
    return value


__all__ = ("GoTemplates",)
