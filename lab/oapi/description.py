# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outscale's description of its API, as the SDK ships it, and what fits it."""

from __future__ import annotations

import importlib.resources
import typing as t
from dataclasses import dataclass
from functools import cache

import yaml
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT4

URN = "urn:outscale"
RESOURCES = importlib.resources.files("osc_sdk_python") / "resources"


@dataclass(frozen=True)
class Misfit:
    """One way in which a value does not fit its schema.

    Args:
        kind: the keyword of the schema that is broken, such as C(required) or C(type).
        name: the parameter, with dots for what lies inside another: C(Filters.VolumeIds).
        text: what the validator says of it.
    """

    kind: str
    name: str
    text: str


class Description:
    """The calls that there are, and the forms of their requests and answers."""

    def __init__(self, document: dict[str, t.Any]) -> None:
        self._document = document
        self._registry: Registry[t.Any] = Registry().with_resource(URN, DRAFT4.create_resource(document))
        self._validators: dict[str, Validator] = {}
        self.version = str(document["info"]["version"])

    @property
    def actions(self) -> list[str]:
        return [path.lstrip("/") for path in self._document["paths"]]

    def misfits(self, schema: str, value: t.Any) -> list[Misfit]:
        """How a value differs from a schema, such as C(CreateVolumeRequest); empty when it fits."""
        return [_misfit(error) for error in _leaves(self._validator(schema).iter_errors(value))]

    def request_examples(self, action: str) -> list[dict[str, t.Any]]:
        """The requests that the description shows for a call."""
        return _examples(self._document["paths"][f"/{action}"]["post"]["requestBody"])

    def answer_examples(self, action: str) -> list[dict[str, t.Any]]:
        """The answers that the description shows for a call that succeeds."""
        return _examples(self._document["paths"][f"/{action}"]["post"]["responses"]["200"])

    def fields(self, schema: str) -> set[str]:
        """The names of a schema's properties."""
        return set(self._document["components"]["schemas"][schema].get("properties", ()))

    def _validator(self, schema: str) -> Validator:
        if schema not in self._validators:
            reference = {"$ref": f"{URN}#/components/schemas/{schema}"}
            self._validators[schema] = t.cast(
                Validator, OAS30Validator(reference, registry=self._registry, format_checker=oas30_format_checker)
            )
        return self._validators[schema]


def _examples(place: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    content = place["content"]["application/json"]
    return [example["value"] for example in content.get("examples", {}).values()]


def _leaves(errors: t.Iterable[ValidationError]) -> t.Iterator[ValidationError]:
    for error in errors:
        if error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _misfit(error: ValidationError) -> Misfit:
    path = [str(part) for part in error.absolute_path]
    kind = str(error.validator)
    if kind == "required":
        missing = next(name for name in t.cast(list[str], error.validator_value) if name not in error.instance)
        path.append(missing)
    elif kind == "additionalProperties":
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        path.append(", ".join(name for name in error.instance if name not in known))
    return Misfit(kind, ".".join(path), error.message)


@cache
def description() -> Description:
    """The description in the installed SDK. Takes half a second, once in a process."""
    return Description(_load("outscale.yaml"))


@cache
def error_codes() -> dict[str, tuple[str, str]]:
    """The errors of the API in the SDK's table: name and type by code."""
    return {str(code): (str(entry["Name"]), str(entry["Type"])) for code, entry in _load("gateway_errors.yaml").items()}


def _load(name: str) -> dict[str, t.Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with (RESOURCES / name).open("rb") as stream:
        # The loader is a safe one.
        return t.cast("dict[str, t.Any]", yaml.load(stream, Loader=_as_text(loader)))  # noqa: S506


def _as_text(loader: t.Any) -> t.Any:
    """A loader that leaves dates as the text they are in JSON."""

    class TextLoader(loader):  # type: ignore[misc]
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in loader.yaml_implicit_resolvers.items()
        }

    return TextLoader
