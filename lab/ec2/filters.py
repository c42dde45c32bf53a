# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters and paging of the Describe calls."""

from __future__ import annotations

import base64
import binascii
import re
import typing as t
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from lab.ec2.errors import invalid_value

T = t.TypeVar("T")
#: What a resource has for a filter: all values that may match, as texts.
Reader = Callable[[T], Sequence[str]]


@lru_cache(maxsize=1000)
def pattern(value: str) -> re.Pattern[str]:
    """A filter's value: C(*) and C(?) are wildcards, a backslash takes their meaning away; case counts."""
    parts: list[str] = []
    position = 0
    while position < len(value):
        character = value[position]
        if character == "\\" and position + 1 < len(value):
            position += 1
            parts.append(re.escape(value[position]))
        else:
            parts.append({"*": ".*", "?": "."}.get(character) or re.escape(character))
        position += 1
    return re.compile("".join(parts), re.DOTALL)


def select(
    resources: Sequence[T],
    filters: Sequence[Mapping[str, t.Any]] | None,
    readers: Mapping[str, Reader[T]],
    tags: Callable[[T], Mapping[str, str]],
) -> list[T]:
    """Resources that match all filters; a filter matches when one of its values does.

    Raises:
        Ec2Error: a filter that the call does not have (InvalidParameterValue).
    """
    chosen = list(resources)
    for item in filters or ():
        name = item.get("Name")
        reader = _reader(name, readers, tags)
        patterns = [pattern(str(value)) for value in item.get("Values", ())]
        chosen = [one for one in chosen if _any_match(reader(one), patterns)]
    return chosen


def _any_match(values: Sequence[str], patterns: Sequence[re.Pattern[str]]) -> bool:
    return any(expression.fullmatch(value) for value in values for expression in patterns)


def _reader(name: str | None, readers: Mapping[str, Reader[T]], tags: Callable[[T], Mapping[str, str]]) -> Reader[T]:
    if name is None:
        raise invalid_value("The filter 'null' is invalid")
    if name.startswith("tag:"):
        key = name[4:]
        return lambda one: [tags(one)[key]] if key in tags(one) else []
    if name == "tag-key":
        return lambda one: list(tags(one))
    if name not in readers:
        raise invalid_value(f"The filter '{name}' is invalid")
    return readers[name]


def page(resources: Sequence[T], params: Mapping[str, t.Any], *, least: int, most: int) -> tuple[list[T], str | None]:
    """One page of a list, and the token of the next one.

    Raises:
        Ec2Error: MaxResults out of its range, or a token that the lab has not given.
    """
    limit, token = params.get("MaxResults"), params.get("NextToken")
    start = _decode(token) if token else 0
    if limit is None:
        return list(resources[start:]), None
    if not least <= limit:
        raise invalid_value(
            f"Value ( {limit} ) for parameter maxResults is invalid. Expecting a value greater than {least}."
        )
    end = start + min(limit, most)
    return list(resources[start:end]), _encode(end) if end < len(resources) else None


def _encode(position: int) -> str:
    return base64.urlsafe_b64encode(f"position:{position}".encode()).decode()


def _decode(token: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "position":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise invalid_value("The token is invalid: NextToken")


def flag(value: bool) -> str:
    return "true" if value else "false"


def texts(*values: object) -> list[str]:
    """The values that are there, as texts."""
    return [str(value) for value in values if value is not None]
