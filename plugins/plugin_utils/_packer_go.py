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
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import (
    LATE,
    has_late,
    late,
    only_late,
    quoted,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import BUILDER, Place
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_times import format_layout, format_strftime

# What stands between quotes may look like the end of an action.
ACTION = re.compile(r"""\{\{(- |-(?=\}))?((?:/\*.*?\*/|"(?:[^"\\]|\\.)*"|`[^`]*`|.)*?)( -)?\}\}""", re.DOTALL)
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\$?[\w.]+|-?\d+|[|()])')
BLOCKS = ("if", "else", "end", "range", "with", "define", "block", "template")
UNCLEAN = r"[^A-Za-z0-9()\[\] ./\-'@_]"
PACKER_VERSION = "1.11.2"
ELSEWHERE = "give the value as a variable"
UNSUPPORTED = {
    "aws_secretsmanager": ELSEWHERE,
    "consul_key": ELSEWHERE,
    "vault": ELSEWHERE,
    "sed": "use replace_all",
}


class _Failure(Exception):
    """An action cannot be rendered; the text says why."""


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
        pieces, at = [], 0
        for found in ACTION.finditer(text):
            before = text[at : found.start()]
            pieces.append(before.rstrip() if found[1] else before)
            try:
                pieces.append(self._action(found[2].strip()))
            except _Failure as exc:
                raise place.error(f"in {found[0]}: {exc}.") from exc
            at = found.end()
            if found[3]:
                at += len(text[at:]) - len(text[at:].lstrip())
        return "".join([*pieces, text[at:]])

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
        if not isinstance(value, str) or "{{" not in value:
            return value
        try:
            return self.render(value, place_of(*path))
        except Invalid as exc:
            problems += exc.problems
            return value

    def _action(self, action: str) -> str:
        if action.startswith("/*"):
            return ""
        tokens = _tokens(action)
        if tokens and tokens[0] in BLOCKS:
            raise _Failure(f"{tokens[0]} is not supported")
        return self._pipeline(tokens)

    def _pipeline(self, tokens: list[str]) -> str:
        value: str | None = None
        while tokens:
            value = self._command(tokens, value)
            if tokens and tokens[0] == ")":
                break
            if tokens:
                tokens.pop(0)  # the bar
        if value is None:
            raise _Failure("it is empty")
        return value

    def _command(self, tokens: list[str], piped: str | None) -> str:
        words: list[str] = []
        name: str | None = None
        while tokens and tokens[0] not in ("|", ")"):
            word = tokens.pop(0)
            if word == "(":
                words.append(self._pipeline(tokens))
                if not tokens:
                    raise _Failure("a parenthesis is not closed")
                tokens.pop(0)
            elif name is None and not words and re.fullmatch(r"[A-Za-z_]\w*", word):
                name = word
            else:
                words.append(self._word(word))
        if name is None:
            if len(words) != 1 or piped is not None:
                raise _Failure("this is no template of Packer")
            return words[0]
        return self._call(name, [*words, *([piped] if piped is not None else [])])

    def _word(self, token: str) -> str:
        if token.startswith('"'):
            try:
                return str(json.loads(token))
            except ValueError as exc:
                raise _Failure(f"{token} is no text") from exc
        if token.startswith("`"):
            return token[1:-1]
        if token.startswith("."):
            return self._field(token[1:])
        if re.fullmatch(r"-?\d+", token):
            return token
        return self._call(token, [])

    def _field(self, path: str) -> str:
        name, _dot, rest = path.partition(".")
        if name in self.data:
            value = self.data[name]
            for part in filter(None, rest.split(".")):
                value = _part(value, part)
            return value
        known = ", ".join(f".{it}" for it in self.data) or "nothing"
        near = get_close_matches(name, self.data, n=1)
        hint = f"did you mean .{near[0]}?" if near else f"known here is {known}"
        raise _Failure(
            f"there is no .{name or ' by itself'}; {hint}. Braces meant for something else are written "
            '{{ "{{" }} and {{ "}}" }}'
        )

    def _call(self, name: str, given: list[str]) -> str:
        functions: dict[str, tuple[int, int, t.Callable[..., str]]] = {
            "build": (1, 1, self._build),
            "build_name": (0, 0, lambda: self.build_name),
            "build_type": (0, 0, lambda: BUILDER),
            "clean_ami_name": (1, 1, _clean),
            "clean_resource_name": (1, 1, _clean),
            "env": (1, 1, self._env),
            "index": (2, 2, _part),
            "isotime": (0, 1, lambda layout="": format_layout(layout, self.began)),
            "lower": (1, 1, lambda text: _filtered(text, str.lower, "lower")),
            "packer_version": (0, 0, lambda: PACKER_VERSION),
            "printf": (1, 9, _printf),
            "pwd": (0, 0, os.getcwd),
            "replace": (4, 4, _replace),
            "replace_all": (3, 3, lambda old, new, text: _replace(old, new, "-1", text)),
            "split": (3, 3, _split),
            "strftime": (1, 1, lambda layout: format_strftime(layout, self.began)),
            "template_dir": (0, 0, lambda: self.folder),
            "timestamp": (0, 0, lambda: str(int(self.began))),
            "upper": (1, 1, lambda text: _filtered(text, str.upper, "upper")),
            "user": (1, 1, self._user),
            "uuid": (0, 0, lambda: str(uuid.uuid4())),
        }
        if name in UNSUPPORTED:
            raise _Failure(f"the function {name} is not supported: {UNSUPPORTED[name]}")
        if name not in functions:
            near = get_close_matches(name, functions, n=1)
            raise _Failure(f"there is no function {name}" + (f"; did you mean {near[0]}?" if near else ""))
        least, most, function = functions[name]
        if not least <= len(given) <= most:
            raise _Failure(f"{name} does not take {len(given)} arguments")
        return function(*given)

    def _build(self, name: str) -> str:
        known = {**BUILD_DATA, **DEVICE_DATA}
        if name in self.data:
            return self.data[name]
        if name not in known:
            raise _Failure(f"a build in a chroot knows no {name}; it knows {', '.join(known)}")
        return late(known[name])

    def _env(self, name: str) -> str:
        if self.environment is None:
            raise _Failure("env may be used in the section variables only, as with Packer")
        return self.environment.get(name, "")

    def _user(self, name: str) -> str:
        if self.user is None:
            raise _Failure("user variables are those of JSON templates. Write ${var." + name + "}")
        if name not in self.user:
            near = get_close_matches(name, self.user, n=1)
            raise _Failure(f"there is no variable {name}" + (f"; did you mean {near[0]}?" if near else ""))
        return self.user[name]


def _tokens(action: str) -> list[str]:
    tokens, at = [], 0
    while at < len(action):
        found = TOKEN.match(action, at)
        if not found:
            raise _Failure("this is no template of Packer")
        tokens.append(found[1])
        at = found.end()
    return tokens


def _expression(text: str) -> str:
    """A text with parts that are known only later, as one expression of Jinja."""
    pieces = [f"({it})" if number % 2 else quoted(it) for number, it in enumerate(LATE.split(text))]
    return " ~ ".join(it for it in pieces if it != "''")


def _filtered(text: str, now: t.Callable[[str], str], then: str) -> str:
    return late(f"({_expression(text)}) | {then}") if has_late(text) else now(text)


def _clean(text: str) -> str:
    return _filtered(text, lambda it: re.sub(UNCLEAN, "-", it), f"regex_replace({quoted(UNCLEAN)}, '-')")


def _replace(old: str, new: str, count: str, text: str) -> str:
    if has_late(text) and count != "-1":
        raise _Failure("replace with a count cannot be given what only the build knows")
    return _filtered(text, lambda it: it.replace(old, new, int(count)), f"replace({quoted(old)}, {quoted(new)})")


def _split(text: str, separator: str, number: str) -> str:
    if has_late(text):
        return late(f"({_expression(text)}).split({quoted(separator)})[{int(number)}]")
    parts = text.split(separator)
    if not 0 <= int(number) < len(parts):
        raise _Failure(f"{text!r} has no part {number}")
    return parts[int(number)]


def _printf(pattern: str, *given: str) -> str:
    if pattern.count("%s") + pattern.count("%v") != len(given) or "%" in re.sub("%[sv]", "", pattern):
        raise _Failure("printf takes %s and %v, and a value for each")
    pieces = re.split("%[sv]", pattern)
    return pieces[0] + "".join(value + piece for value, piece in zip(given, pieces[1:], strict=True))


def _part(value: str, name: str) -> str:
    expression = only_late(value)
    if expression is None:
        raise _Failure(f"{value!r} has no parts, such as {name}")
    return late(f"{expression}[{quoted(name)}] | default('')")


__all__ = ("GoTemplates",)
