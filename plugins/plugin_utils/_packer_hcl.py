# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Reads a template in HCL: one file, or all C(*.pkr.hcl) and C(*.pkr.json) of a folder."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_blocks import BlockReader
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_builds import BuildReader
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_data import data_source
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_eval import Evaluator, Names
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_functions import Library
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_json import parse_hcl_json
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_parse import parse_expression, parse_hcl
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import Block, Literal, Node
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_variables import Variables
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Place, Settings, Template
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import as_bool

ENDING = ".pkr.hcl"
JSON_ENDING = ".pkr.json"
LABELS = {"build": 0, "data": 2, "local": 1, "locals": 0, "packer": 0, "source": 2, "variable": 1, "variables": 0}


def hcl_files(path: Path) -> list[Path]:
    """The files of a template."""
    if not path.is_dir():
        return [path]
    return [file for ending in (ENDING, JSON_ENDING) for file in sorted(path.glob(f"*{ending}"))]


class HclReader:
    """Reads the blocks of a template's files.

    Args:
        path: a file, or a folder.
        settings: what the user gives beside it.
        began: seconds since 1970.
    """

    def __init__(self, path: Path, settings: Settings, began: float) -> None:
        self.path = path
        self.folder = path if path.is_dir() else path.parent
        self.settings = settings
        self.found = Template(folder=str(self.folder))
        self.library = Library(str(self.folder), began)
        with_environment = Library(str(self.folder), began, settings.environment)
        self.variables = Variables(with_environment, self.found.secrets)
        self.locals: dict[str, tuple[str, Node, bool]] = {}
        self.local_values: dict[str, t.Any] = {}
        self.open_locals: list[str] = []
        self.data: dict[tuple[str, str], Block] = {}
        self.sources: dict[tuple[str, str], Block] = {}
        self.builds: list[Block] = []

    def read(self) -> Template:
        """Everything that the template says, with every mistake that was found."""
        files = hcl_files(self.path)
        if not files:
            self.found.problems.append(f"{self.path} holds no file that ends in {ENDING} or {JSON_ENDING}.")
        for file in files:
            self._read_file(file)
        self.variables.resolve(self.folder if self.path.is_dir() else None, self.settings)
        self.found.problems += self.variables.problems
        self.found.warnings += self.variables.warnings
        scope = self._scope()
        for name in self.locals:
            self._try(lambda name=name: self._local(name))  # type: ignore[misc]
        builds = BuildReader(self.found, self.sources, scope, self.library, self.settings)
        for number, block in enumerate(self.builds, start=1):
            builds.read(block, number)
        if not self.builds:
            self.found.problems.append(f"{self.path} has no build block, so it describes no image.")
        self.found.problems = list(dict.fromkeys(self.found.problems))
        return self.found

    def expression(self, text: str) -> t.Any:
        """The value of an expression in the template."""
        self.read()
        node = parse_expression(text, self.path.name, 1)
        return Evaluator(self.path.name, self._scope(), self.library, {}).value(node)

    def _try(self, do: t.Callable[[], t.Any]) -> t.Any:
        try:
            return do()
        except Invalid as exc:
            self.found.problems += exc.problems
            return None

    def _read_file(self, file: Path) -> None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            self.found.problems.append(f"{file} cannot be read: {getattr(exc, 'strerror', None) or exc}.")
            return
        in_json = file.name.endswith(JSON_ENDING)
        body = self._try(lambda: parse_hcl_json(text, file.name, LABELS) if in_json else parse_hcl(text, file.name))
        if body is None:
            return
        for name, line in body.lines.items():
            self.found.problems.append(Place(file.name, line).says(f"{name} does not stand in a block."))
        for block in body.blocks:
            self._take(block)

    def _take(self, block: Block) -> None:
        place = Place(block.file, block.line)
        if block.type not in LABELS:
            known = ", ".join(LABELS)
            self.found.problems.append(
                place.says(f"there are no {block.type} blocks in a template. There are: {known}.")
            )
        elif len(block.labels) != LABELS[block.type]:
            wanted = LABELS[block.type]
            self.found.problems.append(
                place.says(f"{block.type} takes {wanted} label{'s' * (wanted != 1)}, and has {len(block.labels)}.")
            )
        elif block.type in ("variable", "variables"):
            self.variables.declare(block)
        elif block.type in ("local", "locals"):
            self._take_locals(block)
        elif block.type in ("source", "data"):
            held = self.sources if block.type == "source" else self.data
            if block.labels in held:
                self.found.problems.append(place.says(f"{block.type} {'.'.join(block.labels)} is there twice."))
            held[(block.labels[0], block.labels[1])] = block
        elif block.type == "build":
            self.builds.append(block)

    def _take_locals(self, block: Block) -> None:
        if block.type == "local":
            secret = block.attributes.get("sensitive")
            expression = block.attributes.get("expression")
            if expression is None:
                self.found.problems.append(Place(block.file, block.line).says("a local has an expression."))
                return
            found = {block.labels[0]: (expression, isinstance(secret, Literal) and as_bool(secret.value))}
        else:
            found = {name: (node, False) for name, node in block.attributes.items()}
        for name, (node, hidden) in found.items():
            if name in self.locals:
                self.found.problems.append(Place(block.file, node.line).says(f"the local {name} is there twice."))
            self.locals[name] = (block.file, node, hidden)

    def _scope(self) -> dict[str, t.Any]:
        folder = str(self.folder)
        types = {kind for kind, _name in self.data}
        return {
            "var": Names(
                "var", self.variables.values.__getitem__, self.variables.declared, f"Only {self.path.name} was read."
            ),
            "local": Names("local", self._local, self.locals),
            "data": {kind: Names(f"data.{kind}", self._data(kind), self._names(kind)) for kind in types},
            "path": {"root": folder, "cwd": os.getcwd()},
            "packer": {"version": "1.11.2"},
        }

    def _names(self, kind: str) -> list[str]:
        return [name for of, name in self.data if of == kind]

    def _data(self, kind: str) -> t.Callable[[str], t.Any]:
        def find(name: str) -> t.Any:
            block = self.data[(kind, name)]
            evaluator = Evaluator(block.file, self._scope(), self.library, self.found.secrets)
            values = BlockReader(evaluator).values(block)[0]
            return data_source(kind, name, values, Place(block.file, block.line))

        return find

    def _local(self, name: str) -> t.Any:
        if name in self.local_values:
            return self.local_values[name]
        file, node, hidden = self.locals[name]
        if name in self.open_locals:
            circle = " -> ".join([*self.open_locals[self.open_locals.index(name) :], name])
            raise Place(file, node.line).error(f"the locals are made from one another in a circle: {circle}.")
        self.open_locals.append(name)
        try:
            value = Evaluator(file, self._scope(), self.library, self.found.secrets).value(node)
        finally:
            self.open_locals.pop()
        self.local_values[name] = value
        if hidden and isinstance(value, str) and value:
            self.found.secrets.setdefault(value, f"local.{name}")
        return value


__all__ = ("ENDING", "JSON_ENDING", "HclReader", "hcl_files")
