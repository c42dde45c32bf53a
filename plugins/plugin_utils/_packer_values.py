# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Values of templates: what kinds there are, and how one becomes another, by HCL's rules."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import (
    Call,
    Literal,
    Name,
    Node,
    ObjectExpression,
)

NUMBER = re.compile(r"\s*-?\d+(\.\d+)?([eE][+-]?\d+)?\s*")
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def kind_of(value: t.Any) -> str:
    """What a value is, in words for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a map" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else "something else"


def as_text(value: t.Any) -> str:
    """A text; numbers and booleans become one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, str):
        return value
    raise ValueError(f"this must be a text, and is {kind_of(value)}")


def as_number(value: t.Any) -> int | float:
    """A number; a text that is one becomes it."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and NUMBER.fullmatch(value):
        number = float(value)
        return int(number) if number.is_integer() else number
    raise ValueError(f"this must be a number, and is {_shown(value)}")


def as_int(value: t.Any) -> int:
    """A whole number."""
    number = as_number(value)
    if isinstance(number, float) and not number.is_integer():
        raise ValueError(f"this must be a whole number, and is {number}")
    return int(number)


def as_bool(value: t.Any) -> bool:
    """A boolean; "true" and "false" become one."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "false": False, "1": True, "0": False}
    if isinstance(value, str) and value in words:
        return words[value]
    raise ValueError(f"this must be true or false, and is {_shown(value)}")


def as_seconds(value: t.Any) -> float:
    """Seconds from one of Packer's durations, such as C(1h30m)."""
    text = value if isinstance(value, str) else ""
    pieces = DURATION.findall(text)
    if text in ("0", ""):
        return 0.0
    if "".join(number + unit for number, unit in pieces) != text:
        raise ValueError(f"this must be a duration such as 90s or 1h30m, and is {_shown(value)}")
    return sum(float(number) * UNITS[unit] for number, unit in pieces)


def _shown(value: t.Any) -> str:
    return f"the text {value!r}" if isinstance(value, str) else kind_of(value)


def convert(value: t.Any, wanted: Node | None) -> t.Any:
    """The value as the type that a variable declares.

    Args:
        value: anything.
        wanted: the type's expression, such as C(list(string)); None takes any.

    Raises:
        ValueError: it cannot be that.
    """
    if wanted is None or value is None:
        return value
    if isinstance(wanted, Literal):  # as Packer took it at first, type = "string"
        wanted = Name(wanted.line, str(wanted.value))
    if isinstance(wanted, Name):
        return _to_simple(value, wanted.name)
    if not isinstance(wanted, Call) or not wanted.arguments:
        raise ValueError("this is no type")
    of = wanted.arguments[0]
    if wanted.name in ("list", "set"):
        items = [convert(item, of) for item in _items(value)]
        return sorted(set(items), key=str) if wanted.name == "set" and all(map(_is_simple, items)) else items
    if wanted.name == "map":
        return {key: convert(item, of) for key, item in _mapping(value).items()}
    if wanted.name == "tuple":
        types = of.items if hasattr(of, "items") else ()
        return [convert(item, kind) for item, kind in zip(_items(value), types, strict=True)]
    if wanted.name == "object" and isinstance(of, ObjectExpression):
        return _to_object(_mapping(value), of)
    raise ValueError(f"there is no type {wanted.name}")


def _to_simple(value: t.Any, name: str) -> t.Any:
    kinds: dict[str, t.Callable[[t.Any], t.Any]] = {
        "string": as_text,
        "number": as_number,
        "bool": as_bool,
        "any": lambda it: it,
        "list": _items,
        "map": _mapping,
        "set": _items,
    }
    if name not in kinds:
        raise ValueError(f"there is no type {name}")
    return kinds[name](value)


def _to_object(value: Mapping[str, t.Any], wanted: ObjectExpression) -> dict[str, t.Any]:
    found = {}
    for key, kind in wanted.items:
        name = str(key.value) if isinstance(key, Literal) else ""
        optional = isinstance(kind, Call) and kind.name == "optional"
        given = kind.arguments[0] if isinstance(kind, Call) and optional else kind
        if name in value:
            found[name] = convert(value[name], given)
        elif isinstance(kind, Call) and optional:
            default = kind.arguments[1] if len(kind.arguments) > 1 else None
            found[name] = default.value if isinstance(default, Literal) else None
        else:
            raise ValueError(f"this has no {name}")
    return found


def _is_simple(value: t.Any) -> bool:
    return isinstance(value, (str, int, float))


def _items(value: t.Any) -> list[t.Any]:
    if isinstance(value, list):
        return value
    raise ValueError(f"this must be a list, and is {_shown(value)}")


def _mapping(value: t.Any) -> Mapping[str, t.Any]:
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"this must be a map, and is {_shown(value)}")


__all__ = ("NUMBER", "as_bool", "as_int", "as_number", "as_seconds", "as_text", "convert", "kind_of")
