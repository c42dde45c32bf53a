# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""JSON with the line of everything in it."""

from __future__ import annotations

import json
import re
import typing as t
from json.decoder import scanstring  # type: ignore[attr-defined]

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component, Path, Place

REST = {"null": None, "true": True, "false": False}
BLANKS = re.compile(r"[ \t\r\n]*")
SCALAR = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?|null|true|false")


class Located:
    """JSON with places: C(value) is what it says, C(places) where each part begins.

    Args:
        text: the JSON.
        file: its name, for messages.
    """

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.places: dict[Path, Place] = {}
        self.value, end = self._read(self._skip(0), ())
        if self._skip(end) != len(text):
            raise self._place(end).error("this is no JSON: there is more after its end.")

    def _place(self, at: int) -> Place:
        return Place(self.file, self.text.count("\n", 0, at) + 1)

    def _skip(self, at: int) -> int:
        found = BLANKS.match(self.text, at)
        return found.end() if found else at

    def _read(self, at: int, path: Path) -> tuple[t.Any, int]:
        self.places.setdefault(path, self._place(at))
        first = self.text[at : at + 1]
        if first == '"':
            return self._string(at)
        if first == "{":
            return self._object(at + 1, path)
        if first == "[":
            return self._array(at + 1, path)
        found = SCALAR.match(self.text, at)
        if not found:
            raise self._place(at).error(f"this is no JSON, at {first or 'the end of the file'}.")
        return (REST[found[0]] if found[0] in REST else json.loads(found[0])), found.end()

    def _string(self, at: int) -> tuple[str, int]:
        try:
            found: tuple[str, int] = scanstring(self.text, at + 1, True)
        except ValueError as exc:
            raise self._place(at).error("this is no JSON: a text has no end, or a wrong escape in it.") from exc
        return found

    def _object(self, at: int, path: Path) -> tuple[dict[str, t.Any], int]:
        found: dict[str, t.Any] = {}
        at = self._skip(at)
        if self.text[at : at + 1] == "}":
            return found, at + 1
        while True:
            if self.text[at : at + 1] != '"':
                raise self._place(at).error("this is no JSON: a name between double quotes is missing here.")
            name, end = self._string(at)
            if name in found:
                raise self._place(at).error(f"{name!r} is there twice.")
            self.places[(*path, name)] = self._place(at)
            end = self._expect(":", self._skip(end))
            found[name], end = self._read(self._skip(end), (*path, name))
            at = self._skip(end)
            if self.text[at : at + 1] == "}":
                return found, at + 1
            at = self._skip(self._expect(",", at))

    def _array(self, at: int, path: Path) -> tuple[list[t.Any], int]:
        found: list[t.Any] = []
        at = self._skip(at)
        if self.text[at : at + 1] == "]":
            return found, at + 1
        while True:
            value, end = self._read(at, (*path, len(found)))
            found.append(value)
            at = self._skip(end)
            if self.text[at : at + 1] == "]":
                return found, at + 1
            at = self._skip(self._expect(",", at))

    def _expect(self, sign: str, at: int) -> int:
        if self.text[at : at + 1] != sign:
            raise self._place(at).error(f"this is no JSON: {sign!r} is missing here.")
        return at + 1

    def component(self, values: dict[str, t.Any], path: Path, name: str) -> Component:
        """A builder, provisioner or post-processor that stands at C(path)."""
        size = len(path)
        places = {at[size:]: place for at, place in self.places.items() if at[:size] == path and len(at) > size}
        rest = {key: value for key, value in values.items() if key not in ("type", "name")}
        return Component(str(values.get("type", "")), name, rest, places, self.places[path])


__all__ = ("Located",)
