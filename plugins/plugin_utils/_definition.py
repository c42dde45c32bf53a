# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""An image's definition: all its options, read and checked together before anything is created."""

from __future__ import annotations

import dataclasses
import importlib
import typing as t
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.bakehouse.images.plugins.plugin_utils._definition_rules import check_common
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template, plain

PREFIX = "bake_"
COMMON_ENTRY_POINT = "build"

# Evaluated when their step runs, because they may use what the build has found out by then.
LATE = frozenset(
    {
        "bake_image_description",
        "bake_image_tags",
        "bake_post_mount_commands",
        "bake_post_provision_commands",
        "bake_pre_mount_commands",
        "bake_provision",
        "bake_snapshot_tags",
        "bake_volume_tags",
    }
)

# Names that the role sets for the user's own commands and steps.
PROVIDED = frozenset({"bake_device", "bake_mount_path"})

# What the inventory plugin found wrong with the file that describes the image; then there is nothing else to read.
INVENTORY_PROBLEMS = "bake_inventory_problems"

Templater = t.Callable[[t.Any], t.Any]


@dataclasses.dataclass(frozen=True)
class Definition:
    """The options of one image.

    Attributes:
        raw: every option that is set, as its author wrote it, made plain.
        values: every option that can be known before the build, with its type.
        unknown_yet: options that use what only the build will find out.
        problems: one sentence for each mistake.
    """

    raw: dict[str, t.Any]
    values: dict[str, t.Any]
    unknown_yet: list[str]
    problems: list[str]


class OptionSpecs:
    """The options that the role documents: the common ones and each provider's."""

    def __init__(self, role_path: str) -> None:
        text = (Path(role_path) / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
        entry_points = yaml.safe_load(text)["argument_specs"]
        self.by_entry_point: dict[str, dict[str, t.Any]] = {
            name: entry.get("options") or {} for name, entry in entry_points.items()
        }

    @property
    def providers(self) -> list[str]:
        """The names of the providers."""
        return sorted(set(self.by_entry_point) - {"main", COMMON_ENTRY_POINT})

    def of(self, provider: str) -> dict[str, t.Any]:
        """The options that an image of this provider takes."""
        return {**self.by_entry_point[COMMON_ENTRY_POINT], **self.by_entry_point.get(provider, {})}

    def owner(self, name: str) -> str | None:
        """The provider whose option this is."""
        return next((provider for provider in self.providers if name in self.by_entry_point[provider]), None)


def read_definition(task_vars: Mapping[str, t.Any], specs: OptionSpecs, template: Templater) -> Definition:
    """Read the C(bake_*) variables of a host.

    Args:
        task_vars: the host's variables, untemplated.
        template: renders one value, and raises AnsibleError where it cannot.
    """
    given = {name: value for name, value in task_vars.items() if str(name).startswith(PREFIX)}
    if INVENTORY_PROBLEMS in given:
        return Definition(raw={}, values={}, unknown_yet=[], problems=[str(it) for it in given[INVENTORY_PROBLEMS]])
    provider, problems = _provider(given, specs, template)
    options = specs.of(provider)
    problems += _unknown_names(given, options, specs, provider)
    known = {name: value for name, value in given.items() if name in options}
    rendered, unknown_yet, mistakes = _render(known, template)
    values, type_errors = _check_types(options, rendered)
    problems += mistakes + type_errors
    raw = {name: plain(value) for name, value in known.items()}
    rules = _provider_rules(provider)
    problems += check_common(values, raw, source_keys=rules.SOURCE_KEYS, source_examples=rules.SOURCE_EXAMPLES)
    problems += rules.check(values, raw)
    return Definition(raw=raw, values=values, unknown_yet=unknown_yet, problems=problems)


def _provider(given: Mapping[str, t.Any], specs: OptionSpecs, template: Templater) -> tuple[str, list[str]]:
    default = specs.by_entry_point[COMMON_ENTRY_POINT]["bake_provider"]["default"]
    try:
        provider = template(given.get("bake_provider", default))
    except AnsibleError:
        return default, []  # reported with the other values that cannot be rendered
    return (provider if provider in specs.providers else default), []


def _unknown_names(
    given: Mapping[str, t.Any], options: Mapping[str, t.Any], specs: OptionSpecs, provider: str
) -> list[str]:
    problems = []
    for name in given:
        if name in options or name in PROVIDED:
            continue
        owner = specs.owner(name)
        if owner and given[name] == specs.by_entry_point[owner][name].get("default"):
            continue  # the role sets the defaults of every provider
        if owner:
            problems.append(f"{name} is an option of provider {owner}, and this image's bake_provider is {provider}.")
            continue
        near = get_close_matches(name, options, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Names that begin with bake_ are this role's own."
        problems.append(f"{name} is not an option. {hint}")
    return problems


def _render(known: Mapping[str, t.Any], template: Templater) -> tuple[dict[str, t.Any], list[str], list[str]]:
    values, unknown_yet, problems = {}, [], []
    for name, value in known.items():
        try:
            # Values that hold no template are taken as they are: steps may hold text that only looks wrong.
            values[name] = template(value) if has_template(value) and name != "bake_provision" else plain(value)
        except AnsibleError as exc:
            if name in LATE:
                unknown_yet.append(name)
            else:
                problems.append(f"{name} cannot be evaluated: {_first_line(exc)}")
    return values, unknown_yet, problems


def _check_types(options: Mapping[str, t.Any], values: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    # "required" is left to the end: an option that could not be rendered is not missing.
    spec = {
        name: {key: value for key, value in option.items() if key in ("type", "elements", "choices", "options")}
        for name, option in options.items()
        if name in values
    }
    result = ArgumentSpecValidator(spec).validate(values, validate_role_argument_spec=True)
    typed = {name: result.validated_parameters.get(name, values[name]) for name in values}
    return typed, [message[0].upper() + message[1:].rstrip(".") + "." for message in result.error_messages]


class ProviderRules(t.Protocol):
    """What the file of a provider's cross-checks has."""

    # The keys of a bake_source that is a mapping, but for "scratch", which every provider takes.
    SOURCE_KEYS: tuple[str, ...]

    # What to write for bake_source, for those who have not.
    SOURCE_EXAMPLES: str

    def check(self, values: dict[str, t.Any], raw: dict[str, t.Any]) -> list[str]:
        """One sentence for each mistake."""
        raise NotImplementedError


def _provider_rules(provider: str) -> ProviderRules:
    """The cross-checks of a provider: each has a file of its own beside this one."""
    module: t.Any = importlib.import_module(f"{__package__}._definition_rules_{provider}")
    rules: ProviderRules = module
    return rules


def _first_line(exc: Exception) -> str:
    return str(exc).strip().splitlines()[0]


__all__ = ("LATE", "Definition", "OptionSpecs", "read_definition")
