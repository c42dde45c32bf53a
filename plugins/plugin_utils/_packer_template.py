# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Templates of Packer: which files they are, and how one is read."""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path

import yaml
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_access import lookup_term, secret_option
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go import GoTemplates
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl import ENDING, JSON_ENDING, HclReader
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_json import JsonReader, is_json_template
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Settings, Template

PLUGIN = "bakehouse.images.packer"
FILE_KEYS = ("plugin", "template", "variables", "var_files", "only", "except", "build_host")
NAMES_PLUGIN = re.compile(rf"""^["']?plugin["']?\s*:\s*["']?{re.escape(PLUGIN)}["']?\s*(#.*)?$""", re.MULTILINE)

Reader = HclReader | JsonReader


def kind_of(path: Path) -> t.Literal["own", "hcl", "json"] | None:
    """What a file is: one that names a template, or a template; None when it is something else."""
    if path.name.endswith((ENDING, JSON_ENDING)):
        return "hcl"
    if path.suffix == ".json":
        return "json" if is_json_template(path) else None
    if path.suffix not in (".yml", ".yaml"):
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return "own" if NAMES_PLUGIN.search(text) else None


def settings_of(options: t.Mapping[str, t.Any], folder: Path) -> Settings:
    """What the user gives beside the template, from the plugin's options.

    Args:
        options: those that are set.
        folder: where relative paths begin.
    """
    return Settings(
        variables=dict(options.get("variables") or {}),
        var_files=tuple(os.path.abspath(folder / name) for name in options.get("var_files") or ()),
        only=tuple(options.get("only") or ()),
        excluded=tuple(options.get("except") or ()),
        environment=dict(os.environ),
    )


def template_path(inventory: Path, data: t.Mapping[str, t.Any] | None) -> Path:
    """The template that an inventory file is, or names.

    Raises:
        Invalid: it names none.
    """
    if data is None:
        return inventory
    unknown = [key for key in data if key not in FILE_KEYS]
    problems = [f"{inventory.name} does not take {key}. It takes {', '.join(FILE_KEYS)}." for key in unknown]
    named = data.get("template")
    if not isinstance(named, str) or not named:
        problems.append(f"{inventory.name} has no template: the path of a template of Packer, or of a folder of them.")
        raise Invalid(problems)
    path = Path(os.path.abspath(inventory.parent / named))
    if not path.exists():
        problems.append(f"{inventory.name}: the template {path} was not found.")
    if problems:
        raise Invalid(problems)
    return path


def open_template(path: Path, settings: Settings, began: float) -> Reader:
    """The reader of a template.

    Raises:
        Invalid: it is none.
    """
    kind = "hcl" if path.is_dir() else kind_of(path)
    if kind == "hcl":
        return HclReader(path, settings, began)
    if kind == "json":
        return JsonReader(path, settings, began)
    raise Invalid([f"{path} is no template of Packer: neither *{ENDING}, nor *{JSON_ENDING}, nor JSON with builders."])


def read_template(path: Path, settings: Settings, began: float) -> Template:
    """What a template says, with every mistake that was found."""
    try:
        return open_template(path, settings, began).read()
    except Invalid as exc:
        return Template(problems=list(exc.problems), folder=str(path.parent))


def expression_value(inventory: Path, expression: str, options: t.Mapping[str, t.Any], began: float) -> t.Any:
    """The value of an expression in the template of an inventory file.

    Args:
        options: what is set of the plugin's options outside the file.
    """
    data = yaml.safe_load(inventory.read_text(encoding="utf-8")) if kind_of(inventory) == "own" else None
    given = {**options, **(data or {})}
    reader = open_template(template_path(inventory, data), settings_of(given, inventory.parent), began)
    term = lookup_term(expression)
    if term is None:
        return reader.expression(expression)
    template = reader.read()
    value, build = secret_option(template, *term)
    go = GoTemplates(began, template.folder, template.user, None, build.source_name)
    return go.knowing().render_all(value, build.source.at, (term[0],))


__all__ = ("PLUGIN", "expression_value", "kind_of", "read_template", "settings_of", "template_path")
