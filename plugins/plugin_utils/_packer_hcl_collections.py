# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The functions of HCL templates on lists, maps and sets. A set is a sorted list here, as it is when it is read."""

from __future__ import annotations

import itertools
import typing as t
from collections.abc import Mapping

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import as_bool, as_number, as_text


class Failure(Exception):
    """What was asked of a function cannot be done; the text says why."""


def _unique(items: t.Iterable[t.Any]) -> list[t.Any]:
    found: list[t.Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _set(items: t.Iterable[t.Any]) -> list[t.Any]:
    return sorted(_unique(items), key=str)


def _chunklist(_scope: t.Any, items: list[t.Any], size: int) -> list[list[t.Any]]:
    return [items[at : at + size] for at in range(0, len(items), size)] if size else [items]


def _first(items: t.Iterable[t.Any], what: str) -> t.Any:
    for item in items:
        return item
    raise Failure(f"all of what is given is {what}")


def _contains(_scope: t.Any, items: list[t.Any], value: t.Any) -> bool:
    return value in items


def _element(_scope: t.Any, items: list[t.Any], number: int) -> t.Any:
    if not items:
        raise Failure("the list is empty")
    return items[number % len(items)]


def _flatten(_scope: t.Any, items: list[t.Any]) -> list[t.Any]:
    return [inner for item in items for inner in (_flatten(_scope, item) if isinstance(item, list) else [item])]


def _index(_scope: t.Any, items: list[t.Any], value: t.Any) -> int:
    if value not in items:
        raise Failure(f"{value!r} is not in the list")
    return items.index(value)


def _keys(_scope: t.Any, mapping: Mapping[str, t.Any]) -> list[str]:
    return sorted(mapping)


def _length(_scope: t.Any, value: t.Any) -> int:
    return len(value)


def _lookup(_scope: t.Any, mapping: Mapping[str, t.Any], key: str, *default: t.Any) -> t.Any:
    if key in mapping:
        return mapping[key]
    if not default:
        raise Failure(f"the map has no {key!r}, and there is no default")
    return default[0]


def _merge(_scope: t.Any, *mappings: Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    return {key: value for mapping in mappings for key, value in (mapping or {}).items()}


def _range(_scope: t.Any, *bounds: t.Any) -> list[int]:
    return list(range(*(int(as_number(bound)) for bound in bounds)))


def _reverse(_scope: t.Any, items: list[t.Any]) -> list[t.Any]:
    return items[::-1]


def _setproduct(_scope: t.Any, *lists: list[t.Any]) -> list[list[t.Any]]:
    return [list(combination) for combination in itertools.product(*lists)]


def _slice(_scope: t.Any, items: list[t.Any], start: int, end: int) -> list[t.Any]:
    if not 0 <= start <= end <= len(items):
        raise Failure(f"a list of {len(items)} has no part from {start} to {end}")
    return items[start:end]


def _sort(_scope: t.Any, items: list[t.Any]) -> list[str]:
    return sorted(map(as_text, items))


def _transpose(_scope: t.Any, mapping: Mapping[str, list[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in sorted(mapping):
        for value in mapping[key]:
            found.setdefault(value, []).append(key)
    return found


def _zipmap(_scope: t.Any, keys: list[str], values: list[t.Any]) -> dict[str, t.Any]:
    if len(keys) != len(values):
        raise Failure(f"there are {len(keys)} keys and {len(values)} values")
    return dict(zip(keys, values, strict=True))


def _values(_scope: t.Any, mapping: Mapping[str, t.Any]) -> list[t.Any]:
    return [mapping[key] for key in sorted(mapping)]


def _matches(test: t.Callable[[str, str], bool]) -> t.Callable[[t.Any, str, str], bool]:
    return lambda _, text, part: test(text, part)


COLLECTIONS: dict[str, t.Callable[..., t.Any]] = {
    "alltrue": lambda _, items: all(map(as_bool, items)),
    "anytrue": lambda _, items: any(map(as_bool, items)),
    "chunklist": _chunklist,
    "coalesce": lambda _, *values: _first((it for it in values if it not in (None, "")), "null or empty"),
    "coalescelist": lambda _, *lists: _first((it for it in lists if it), "empty"),
    "compact": lambda _, items: [item for item in items if item not in (None, "")],
    "concat": lambda _, *lists: [item for items in lists for item in items],
    "contains": _contains,
    "distinct": lambda _, items: _unique(items),
    "element": _element,
    "endswith": _matches(str.endswith),
    "flatten": _flatten,
    "index": _index,
    "keys": _keys,
    "length": _length,
    "lookup": _lookup,
    "merge": _merge,
    "range": _range,
    "reverse": _reverse,
    "setintersection": lambda _, first, *others: _set(it for it in first if all(it in other for other in others)),
    "setproduct": _setproduct,
    "setsubtract": lambda _, first, second: _set(it for it in first if it not in second),
    "setunion": lambda _, *sets: _set(item for items in sets for item in items),
    "slice": _slice,
    "sort": _sort,
    "startswith": _matches(str.startswith),
    "strcontains": _matches(str.__contains__),
    "tobool": lambda _, value: as_bool(value),
    "tolist": lambda _, value: list(value),
    "tomap": lambda _, value: dict(value),
    "tonumber": lambda _, value: as_number(value),
    "toset": lambda _, value: _set(value),
    "tostring": lambda _, value: as_text(value),
    "transpose": _transpose,
    "values": _values,
    "zipmap": _zipmap,
}


__all__ = ("COLLECTIONS", "Failure")
