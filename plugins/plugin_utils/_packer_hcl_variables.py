# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The variables of an HCL template: what they are declared as, and what they are given, in Packer's order.

Defaults, then C(PKR_VAR_name) of the environment, then C(*.auto.pkrvars.hcl) and C(*.auto.pkrvars.json) of the folder,
then files and values that the user names.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from difflib import get_close_matches
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_eval import Evaluator, Names
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_functions import Library
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_json import parse_json_values
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_parse import parse_expression, parse_hcl
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import Block, Literal, Name, Node
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Place, Settings
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import (
    NUMBER,
    as_bool,
    as_number,
    as_text,
    convert,
)

ENVIRONMENT = "PKR_VAR_"
AUTO = ("*.auto.pkrvars.hcl", "*.auto.pkrvars.json")
KEYS = ("type", "default", "description", "sensitive")


@dataclasses.dataclass
class Declared:
    """A variable.

    Attributes:
        name: how it is called.
        place: where it is declared.
        type: its type's expression; None for any.
        default: its default's expression; None when it must be given.
        sensitive: whether its value must not be shown.
        rules: its validation blocks.
    """

    name: str
    place: Place
    type: Node | None = None
    default: Node | None = None
    sensitive: bool = False
    rules: tuple[Block, ...] = ()


class Variables:
    """Collects declarations, then values; all mistakes are kept in C(problems)."""

    def __init__(self, library: Library, secrets: dict[str, str]) -> None:
        self.library = library
        self.secrets = secrets
        self.declared: dict[str, Declared] = {}
        self.values: dict[str, t.Any] = {}
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def declare(self, block: Block) -> None:
        """Take in a C(variable) block, or the older C(variables)."""
        place = Place(block.file, block.line)
        if block.type == "variables":
            for name, default in block.attributes.items():
                self._add(Declared(name, Place(block.file, block.lines[name]), None, default))
            return
        if len(block.labels) != 1:
            self.problems.append(place.says("a variable has exactly one name."))
            return
        unknown = [key for key in block.attributes if key not in KEYS]
        self.problems += [Place(block.file, block.lines[key]).says(f"a variable has no {key}.") for key in unknown]
        sensitive = block.attributes.get("sensitive")
        rules = tuple(inner for inner in block.blocks if inner.type == "validation")
        self._add(
            Declared(
                block.labels[0],
                place,
                block.attributes.get("type"),
                block.attributes.get("default"),
                isinstance(sensitive, Literal) and as_bool(sensitive.value),
                rules,
            )
        )

    def _add(self, found: Declared) -> None:
        if found.name in self.declared:
            self.problems.append(
                found.place.says(f"the variable {found.name} is declared twice, and also in {self._where(found.name)}.")
            )
        self.declared[found.name] = found

    def _where(self, name: str) -> str:
        place = self.declared[name].place
        return f"{place.file}, line {place.line}"

    def resolve(self, folder: Path | None, settings: Settings) -> None:
        """Give each variable its value.

        Args:
            folder: where C(*.auto.pkrvars.*) files are looked for; None when the template is one file, as with Packer.
            settings: what the user gives.
        """
        given: dict[str, t.Any] = {}
        for name in self.declared:
            if ENVIRONMENT + name in settings.environment:
                text = settings.environment[ENVIRONMENT + name]
                given[name] = self._from_text(name, text, f"{ENVIRONMENT}{name} of the environment")
        automatic = [path for pattern in AUTO for path in sorted(folder.glob(pattern))] if folder else []
        for path in automatic:
            given.update(self._from_file(path, strict=False))
        for named in settings.var_files:
            given.update(self._from_file(Path(named), strict=True))
        for name, value in settings.variables.items():
            if name not in self.declared:
                self._undeclared(name, "The options give the variable", strict=True)
                continue
            given[name] = self._from_text(name, value, "its option") if isinstance(value, str) else value
        for declared in self.declared.values():
            self._settle(declared, given)

    def _undeclared(self, name: str, said: str, *, strict: bool) -> None:
        near = get_close_matches(name, self.declared, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        text = f"{said} {name}, which the template does not declare.{hint}"
        (self.problems if strict else self.warnings).append(text)

    def _from_text(self, name: str, text: str, source: str) -> t.Any:
        """A value given as text: as it is for a text or a number, else as an expression."""
        declared = self.declared[name]
        word = _type_word(declared.type)
        if word in ("string", "number", "bool"):
            return text
        if declared.type is None:
            like = self._default_or_none(declared)
            if not isinstance(like, (bool, list, dict)):
                return as_number(text) if isinstance(like, (int, float)) and NUMBER.fullmatch(text) else text
        try:
            node = parse_expression(text, source, 1)
            return Evaluator(source, {}, self.library, self.secrets).value(node)
        except Invalid as exc:
            if word == "any":
                return text
            self.problems.append(declared.place.says(f"variable {name}: {' '.join(exc.problems)}"))
            return None

    def _default_or_none(self, declared: Declared) -> t.Any:
        """What a variable without a type is like."""
        try:
            return self._default(declared)
        except Invalid:
            return None

    def _from_file(self, path: Path, *, strict: bool) -> dict[str, t.Any]:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            self.problems.append(f"The file of variables {path} cannot be read: {getattr(exc, 'strerror', exc)}.")
            return {}
        try:
            found = parse_json_values(text, path.name) if path.suffix == ".json" else self._hcl(path, text)
        except Invalid as exc:
            self.problems += exc.problems
            return {}
        for name in found:
            if name not in self.declared:
                self._undeclared(name, f"{path.name} gives the variable", strict=strict)
        return {name: value for name, value in found.items() if name in self.declared}

    def _hcl(self, path: Path, text: str) -> dict[str, t.Any]:
        body = parse_hcl(text, path.name)
        for block in body.blocks:
            raise Place(path.name, block.line).error("a file of variables has only lines such as name = value.")
        evaluator = Evaluator(path.name, {}, self.library, self.secrets)
        return {name: evaluator.value(node) for name, node in body.attributes.items()}

    def _settle(self, declared: Declared, given: dict[str, t.Any]) -> None:
        name = declared.name
        self.values[name] = None
        try:
            value = given[name] if name in given else self._default(declared)
            self.values[name] = convert(value, declared.type)
        except Invalid as exc:
            self.problems += exc.problems
            return
        except ValueError as exc:
            self.problems.append(declared.place.says(f"variable {name}: {exc}."))
            return
        if declared.sensitive:
            self._hide(f"var.{name}", self.values[name])
        for rule in declared.rules:
            self._check(declared, rule)

    def _default(self, declared: Declared) -> t.Any:
        if declared.default is None:
            name = declared.name
            raise declared.place.error(
                f"the variable {name} has no value. Give it a default, set {ENVIRONMENT}{name} in the environment, or "
                "give it in the plugin's option variables or in one of its var_files."
            )
        # Only here may the environment be read, as with Packer.
        return Evaluator(declared.place.file, {}, self.library, self.secrets).value(declared.default)

    def _hide(self, expression: str, value: t.Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                self._hide(f"{expression}[{json.dumps(key)}]", item)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                self._hide(f"{expression}[{number}]", item)
        elif value not in (None, "", True, False):
            self.secrets.setdefault(as_text(value), expression)

    def _check(self, declared: Declared, rule: Block) -> None:
        place = Place(rule.file, rule.line)
        condition, message = rule.attributes.get("condition"), rule.attributes.get("error_message")
        if condition is None or message is None:
            self.problems.append(place.says("a validation has a condition and an error_message."))
            return
        scope = {"var": Names("var", self.values.__getitem__, [declared.name])}
        evaluator = Evaluator(rule.file, scope, self.library, dict(self.secrets))
        try:
            if not as_bool(evaluator.value(condition)):
                self.problems.append(place.says(f"variable {declared.name}: {evaluator.text(message)}"))
        except (Invalid, ValueError) as exc:
            self.problems += exc.problems if isinstance(exc, Invalid) else [place.says(f"{exc}.")]


def _type_word(wanted: Node | None) -> str | None:
    """The type, when it is one word; as Packer took it at first, between quotes."""
    if isinstance(wanted, Name):
        return wanted.name
    return str(wanted.value) if isinstance(wanted, Literal) else None


__all__ = ("Variables",)
