# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Reads a template in JSON, as Packer's templates were before HCL."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go import GoTemplates
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_builds import IGNORED, for_source, is_wanted
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_located import Located
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import (
    BUILDERS,
    Component,
    ImageBuild,
    Place,
    Settings,
    Template,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Path as ValuePath
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_values import as_text

KEYS = (
    "builders",
    "provisioners",
    "post-processors",
    "variables",
    "sensitive-variables",
    "description",
    "min_packer_version",
    "error-cleanup-provisioner",
    "push",
)
ENVIRONMENT = "PKR_VAR_"


def is_json_template(path: Path) -> bool:
    """Whether a file is one of Packer's templates in JSON: its content says so, not its name."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError):
        return False
    builders = data.get("builders") if isinstance(data, dict) else None
    return (
        isinstance(builders, list)
        and bool(builders)
        and all(isinstance(item, dict) and isinstance(item.get("type"), str) for item in builders)
    )


class JsonReader:
    """Reads a template.

    Args:
        path: its file.
        settings: what the user gives beside it.
        began: seconds since 1970.
    """

    def __init__(self, path: Path, settings: Settings, began: float) -> None:
        self.path = path
        self.settings = settings
        self.began = began
        self.found = Template(folder=str(path.parent), user={})

    def read(self) -> Template:
        """Everything that the template says, with every mistake that was found."""
        try:
            self.located = Located(self.path.read_text(encoding="utf-8"), self.path.name)
        except Invalid as exc:
            self.found.problems += exc.problems
            return self.found
        data = self.located.value
        for key in data:
            if key not in KEYS and not key.startswith("_"):
                self.found.problems.append(self._at(key).says(f"a template has no {key}."))
        if "error-cleanup-provisioner" in data:
            place = self._at("error-cleanup-provisioner")
            self.found.warnings.append(place.says(IGNORED["error-cleanup-provisioner"]))
        self._variables(data)
        for number, builder in enumerate(data["builders"]):
            self._image(number, builder, data)
        return self.found

    def expression(self, text: str) -> t.Any:
        """The value of a text with templates in it."""
        self.read()
        return GoTemplates(self.began, self.found.folder, self.found.user).render(text, Place(self.path.name, 1))

    def _at(self, *path: str | int) -> Place:
        return self.located.places[path]

    def _variables(self, data: dict[str, t.Any]) -> None:
        declared = data.get("variables") or {}
        given = self._given(declared)
        user = t.cast("dict[str, str]", self.found.user)
        early = GoTemplates(self.began, self.found.folder, user, self.settings.environment)
        # Defaults may use other variables: go on until none is left, or none can be rendered.
        waiting = {name: given.get(name, default) for name, default in declared.items()}
        problems: list[str] = ["begin"]
        while waiting and problems:
            before = len(waiting)
            problems = []
            for name, value in list(waiting.items()):
                place = self._at("variables", name)
                try:
                    if value is None:
                        raise place.error(
                            f"the variable {name} has no value. Set {ENVIRONMENT}{name} in the environment, or give it "
                            "in the plugin's option variables or in one of its var_files."
                        )
                    user[name] = early.render(as_text(value), place)
                except (Invalid, ValueError) as exc:
                    problems += exc.problems if isinstance(exc, Invalid) else [place.says(f"{exc}.")]
                else:
                    del waiting[name]
            if len(waiting) == before:
                break
        self.found.problems += problems if waiting else []
        for name in waiting:
            user[name] = ""
        for name in data.get("sensitive-variables") or []:
            if user.get(name):
                self.found.secrets.setdefault(user[name], "{{user `" + name + "`}}")

    def _given(self, declared: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the user gives, later ones over earlier ones."""
        environment = self.settings.environment
        found = {name: environment[ENVIRONMENT + name] for name in declared if ENVIRONMENT + name in environment}
        for file in self.settings.var_files:
            try:
                values = Located(Path(file).read_text(encoding="utf-8"), Path(file).name).value
            except (OSError, UnicodeDecodeError) as exc:
                self.found.problems.append(f"The file of variables {file} cannot be read: {exc}.")
                continue
            except Invalid as exc:
                self.found.problems += exc.problems
                continue
            if isinstance(values, dict):
                found.update(values)
        found.update(self.settings.variables)
        for name in sorted(set(found) - set(declared)):
            self.found.problems.append(f"The variable {name} is given a value, and the template does not declare it.")
        return found

    def _image(self, number: int, builder: dict[str, t.Any], data: dict[str, t.Any]) -> None:
        kind = builder["type"]
        name = str(builder.get("name") or kind)
        place = self._at("builders", number)
        if not is_wanted((name,), self.settings):
            return
        if kind not in BUILDERS:
            self.found.problems.append(
                place.says(
                    f"builders of the type {kind} are not supported; {', '.join(BUILDERS)} are. Leave it out with the "
                    "option only or except."
                )
            )
            return
        if name in {build.name for build in self.found.builds}:
            self.found.problems.append(place.says(f"there are two builders with the name {name}. Give them names."))
            return
        source = self.located.component(builder, ("builders", number), name)
        steps = self._components(data, "provisioners", name)
        self.found.builds.append(ImageBuild(name, name, "", source, tuple(steps), tuple(self._sequences(data, name))))

    def _components(self, data: dict[str, t.Any], section: str, name: str) -> t.Iterator[Component]:
        for number, values in enumerate(data.get(section) or []):
            found = self._component(values, (section, number), name)
            if found is not None:
                yield found

    def _component(self, values: t.Any, path: ValuePath, name: str) -> Component | None:
        if isinstance(values, str):  # a post-processor by its name alone
            values = {"type": values}
        if not isinstance(values, dict) or not isinstance(values.get("type"), str):
            self.found.problems.append(self.located.places[path].says("this has no type."))
            return None
        return for_source(self.located.component(values, path, str(values.get("name", ""))), (name,))

    def _sequences(self, data: dict[str, t.Any], name: str) -> t.Iterator[tuple[Component, ...]]:
        section = "post-processors"
        for number, item in enumerate(data.get(section) or []):
            if isinstance(item, list):
                found = [self._component(it, (section, number, n), name) for n, it in enumerate(item)]
            else:
                found = [self._component(item, (section, number), name)]
            yield tuple(component for component in found if component is not None)


__all__ = ("JsonReader", "is_json_template")
