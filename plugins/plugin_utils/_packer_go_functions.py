# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The functions of Go templates that need nothing but their arguments, some of which are known only later."""

from __future__ import annotations

import dataclasses
import operator
import re
import typing as t
import urllib.parse

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go_parse import GoError
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import (
    as_expression,
    has_late,
    has_statement,
    late,
    only_late,
    quoted,
)


@dataclasses.dataclass(frozen=True)
class Condition:
    """Something true or false that is known only later: an expression of Jinja."""

    expression: str


Value = str | bool | int | Condition
Function = t.Callable[..., Value]

UNCLEAN = r"[^A-Za-z0-9()\[\] ./\-'@_]"
UNCLEAN_OMI = r"[^A-Za-z0-9_ ()/.\-]"
COMPARISONS: dict[str, tuple[str, t.Callable[[t.Any, t.Any], bool]]] = {
    "eq": ("==", operator.eq),
    "ne": ("!=", operator.ne),
    "lt": ("<", operator.lt),
    "le": ("<=", operator.le),
    "gt": (">", operator.gt),
    "ge": (">=", operator.ge),
}
VERB = re.compile(r"%[svdq%]")


def is_late(value: Value) -> bool:
    """Whether a value is known only later."""
    return isinstance(value, Condition) or has_late(value)


def shown(value: Value) -> str:
    """The value as Go prints it."""
    if isinstance(value, Condition):
        return late(f"({value.expression}) | string | lower")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def expression(value: Value) -> str:
    """A value, parts of which may be known only later, as one expression of Jinja."""
    if isinstance(value, Condition):
        return value.expression
    if not isinstance(value, str):
        return shown(value)
    if has_statement(value):
        raise GoError("what is made by range can only be put into a text")
    return as_expression(value)


def part(value: Value, name: str) -> str:
    """A part of a map."""
    found = only_late(value)
    if found is None:
        raise GoError(f"{shown(value)!r} has no parts, such as {name}")
    return late(f"{found}[{quoted(name)}] | default('')")


def filtered(value: Value, now: t.Callable[[str], str], then: str) -> str:
    """A function of one text, or the filter of Jinja that does the same later."""
    return late(f"({expression(value)}) | {then}") if is_late(value) else now(shown(value))


def _clean(text: str, unclean: str = UNCLEAN) -> str:
    return filtered(text, lambda it: re.sub(unclean, "-", it), f"regex_replace({quoted(unclean)}, '-')")


def _replace(old: str, new: str, count: Value, text: str) -> str:
    if has_late(text) and str(count) != "-1":
        raise GoError("replace with a count cannot be given what only the build knows")
    return filtered(
        text, lambda it: it.replace(old, new, int(t.cast(int, count))), f"replace({quoted(old)}, {quoted(new)})"
    )


def _split(text: str, separator: str, number: Value) -> str:
    wanted = int(t.cast(int, number))
    if has_late(text):
        return late(f"({expression(text)}).split({quoted(separator)})[{wanted}]")
    parts = text.split(separator)
    if not 0 <= wanted < len(parts):
        raise GoError(f"{text!r} has no part {wanted}")
    return parts[wanted]


def _printf(pattern: str, *given: Value) -> str:
    verbs = VERB.findall(pattern)
    if "%" in VERB.sub("", pattern) or len([verb for verb in verbs if verb != "%%"]) != len(given):
        raise GoError("printf takes %s, %v, %d, %q and %%, and a value for each of them")
    values = iter(given)

    def piece(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        text = shown(next(values))
        return f'"{text}"' if match[0] == "%q" else text

    return VERB.sub(piece, pattern)


def _compared(name: str) -> Function:
    sign, function = COMPARISONS[name]

    def compare(left: Value, *others: Value) -> Value:
        if not others or (len(others) > 1 and name != "eq"):
            raise GoError(f"{name} does not take {1 + len(others)} arguments")
        if any(map(is_late, (left, *others))):
            pairs = [f"({expression(left)}) {sign} ({expression(other)})" for other in others]
            return Condition(" or ".join(pairs))
        if any(type(other) is not type(left) for other in others):
            raise GoError(f"{name} compares values of one kind, and {shown(left)!r} and the rest differ")
        return any(function(left, other) for other in others)

    return compare


def _and(*given: Value) -> Value:
    if any(map(is_late, given)):
        return Condition(" and ".join(f"({expression(it)})" for it in given))
    return next((it for it in given if not it), given[-1])


def _or(*given: Value) -> Value:
    if any(map(is_late, given)):
        return Condition(" or ".join(f"({expression(it)})" for it in given))
    return next((it for it in given if it), given[-1])


def _not(value: Value) -> Value:
    return Condition(f"not ({expression(value)})") if is_late(value) else not value


def _length(value: Value) -> Value:
    if is_late(value):
        return late(f"({expression(value)}) | length")
    if not isinstance(value, str):
        raise GoError(f"{shown(value)} has no length")
    return len(value.encode())


def _print(*given: Value) -> str:
    """Blanks stand between operands of which neither is a text."""
    pieces = [shown(it) for it in given[:1]]
    for before, value in zip(given, given[1:], strict=False):
        pieces += [*([] if isinstance(before, str) or isinstance(value, str) else [" "]), shown(value)]
    return "".join(pieces)


# Each with the least and the most arguments that it takes.
FUNCTIONS: dict[str, tuple[int, int, Function]] = {
    "and": (1, 9, _and),
    "clean_ami_name": (1, 1, _clean),
    "clean_omi_name": (1, 1, lambda text: _clean(text, UNCLEAN_OMI)),
    "clean_resource_name": (1, 1, _clean),
    "index": (2, 2, lambda of, name: part(of, shown(name))),
    "len": (1, 1, _length),
    "lower": (1, 1, lambda text: filtered(text, str.lower, "lower")),
    "not": (1, 1, _not),
    "or": (1, 9, _or),
    "print": (0, 9, _print),
    "printf": (1, 9, _printf),
    "println": (0, 9, lambda *given: " ".join(map(shown, given)) + "\n"),
    "replace": (4, 4, _replace),
    "replace_all": (3, 3, lambda old, new, text: _replace(old, new, -1, text)),
    "split": (3, 3, _split),
    "upper": (1, 1, lambda text: filtered(text, str.upper, "upper")),
    "urlquery": (1, 1, lambda text: filtered(text, urllib.parse.quote_plus, "urlencode")),
    **{name: (2, 9, _compared(name)) for name in COMPARISONS},
}


__all__ = ("FUNCTIONS", "Condition", "Function", "Value", "expression", "is_late", "part", "shown")
