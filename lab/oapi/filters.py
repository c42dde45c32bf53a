# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filters and pages of the Read calls.

All filters of a call have to match; of each, one value. C(*) and C(?) in texts are wildcards, as the documentation of
Outscale's Terraform provider uses them (image_names = ["Ubuntu*"]). An id that does not exist is no error: the list is
empty.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import typing as t
from collections.abc import Callable, Mapping, Sequence

from lab.ec2.filters import pattern
from lab.oapi.errors import invalid

T = t.TypeVar("T")
#: What a resource has for a filter: all values that may match.
Reader = Callable[[T], t.Iterable[object]]


def select(
    resources: Sequence[T], params: Mapping[str, t.Any], readers: Mapping[str, Reader[T]], unsupported: str
) -> list[T]:
    """Resources that match the filters of a call.

    Args:
        readers: by the names of the filters.
        unsupported: the resources in the text of the error for a filter that Outscale has and the lab has not.

    Raises:
        OapiError: such a filter.
    """
    chosen = list(resources)
    for name, wanted in (params.get("Filters") or {}).items():
        if name not in readers:
            raise invalid(f"The lab does not know the filter {name} of {unsupported}.")
        values = wanted if isinstance(wanted, list) else [wanted]
        chosen = [one for one in chosen if _matches(list(readers[name](one)), values)]
    return chosen


def _matches(found: Sequence[object], wanted: Sequence[object]) -> bool:
    return any(_same(have, want) for have in found for want in wanted)


def _same(have: object, want: object) -> bool:
    if isinstance(have, str) and isinstance(want, str):
        return bool(pattern(want).fullmatch(have))
    return type(have) is type(want) and have == want


def tag_readers(tags: Callable[[T], Mapping[str, str]]) -> dict[str, Reader[T]]:
    """The three filters that all taggable resources have."""
    return {
        "TagKeys": lambda one: tags(one).keys(),
        "TagValues": lambda one: tags(one).values(),
        "Tags": lambda one: [f"{key}={value}" for key, value in tags(one).items()],
    }


def between(resources: Sequence[T], filters: dict[str, t.Any], created: Callable[[T], dt.datetime]) -> list[T]:
    """Resources of a time, by the filters FromCreationDate and ToCreationDate, which are taken out."""
    first, last = filters.pop("FromCreationDate", None), filters.pop("ToCreationDate", None)
    chosen = list(resources)
    if first:
        chosen = [one for one in chosen if created(one) >= _moment(first)]
    if last:
        chosen = [one for one in chosen if created(one) <= _moment(last)]
    return chosen


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"'{text}' is no date.") from None
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def page(resources: Sequence[T], params: Mapping[str, t.Any]) -> tuple[list[T], dict[str, str]]:
    """One page of a list, and what the answer says of the next one.

    Raises:
        OapiError: ResultsPerPage out of its range, or a token that the lab has not given.
    """
    limit = params.get("ResultsPerPage", 1000)
    if not 1 <= limit <= 1000:
        raise invalid("ResultsPerPage is between 1 and 1000.")
    start = _position(params["NextPageToken"]) if params.get("NextPageToken") else 0
    end = start + limit
    following = {"NextPageToken": base64.b64encode(f"position:{end}".encode()).decode()}
    return list(resources[start:end]), following if end < len(resources) else {}


def _position(token: str) -> int:
    try:
        word, _, number = base64.b64decode(token).decode().partition(":")
        if word == "position":
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise invalid("The NextPageToken is invalid.")
