# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What all provisioners have in common: options, files of this machine, pauses, retries and time limits."""

from __future__ import annotations

import dataclasses
import math
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_build_data import BUILD_DATA, DEVICE_DATA
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go import GoTemplates
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import (
    has_late,
    has_statement,
    late,
    without_secrets,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Component
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import Row, read_options

COMMON = {
    "pause_before": Row("seconds"),
    "max_retries": Row("int"),
    "timeout": Row("seconds"),
}


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What provisioners are turned into steps with.

    Attributes:
        go: renders texts.
        secrets: values that must not be shown, each with the expression of Jinja that gives it.
        folders: where files of this machine are looked for: where Ansible was started, as with Packer, then the
            template's.
        build_name, builder_type: what scripts are told.
    """

    go: GoTemplates
    secrets: t.Mapping[str, str]
    folders: tuple[Path, ...]
    build_name: str
    builder_type: str


@dataclasses.dataclass
class Found:
    """What became of provisioners."""

    steps: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    groups: set[str] = dataclasses.field(default_factory=set)
    problems: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


class Provisioner:
    """One provisioner, its options read.

    Args:
        component: as the template has it.
        number: its place, from 1.
        table: the options that it takes beside those of every provisioner.
        surroundings: what it is turned into steps with.
        later: options that hold templates of their own.
    """

    def __init__(
        self,
        component: Component,
        number: int,
        table: t.Mapping[str, Row],
        surroundings: Surroundings,
        later: t.Container[str] = (),
    ) -> None:
        self.component = component
        self.number = number
        self.surroundings = surroundings
        self.problems: list[str] = []
        values = {}
        go = surroundings.go.knowing(**{name: late(it) for name, it in {**BUILD_DATA, **DEVICE_DATA}.items()})
        for name, value in component.values.items():
            try:
                values[name] = value if name in later else go.render_all(value, component.at, (name,))
                if has_statement(values[name]):
                    raise component.at(name).error(f"{name}: range over what only the build knows is for the source's.")
            except Invalid as exc:
                self.problems += exc.problems
        options = read_options(dataclasses.replace(component, values=values), {**COMMON, **table})
        self.problems += options.problems
        self.warnings = options.warnings
        self.values: dict[str, t.Any] = without_secrets(options.values, surroundings.secrets)

    def says(self, text: str, *path: str | int) -> None:
        """Note a mistake."""
        self.problems.append(self.component.at(*path).says(text))

    def title(self, text: str) -> str:
        """The name of a step: the author's, or what it does."""
        shown = text.strip().splitlines()[0] if text.strip() else ""
        if has_late(shown):
            shown = f"provisioner {self.number}"
        return f"{self.component.kind}: {self.component.name or shown}"[:80]

    def local(self, name: str, *path: str | int) -> Path | None:
        """A file or folder of this machine; None where it is not there, which is noted."""
        if has_late(name):
            self.says(f"{path[0]}: the path of a file cannot hold what only the build knows, or a secret.", *path)
            return None
        for folder in self.surroundings.folders:
            place = folder / Path(name).expanduser()
            if place.exists():
                return place.absolute()
        looked = ", ".join(map(str, dict.fromkeys(self.surroundings.folders)))
        self.says(f"{path[0]}: {name} was not found. Looked in: {looked}.", *path)
        return None

    def limits(self) -> dict[str, t.Any]:
        """The keywords of a task for its time limit."""
        timeout = self.values.get("timeout")
        return {"timeout": math.ceil(timeout)} if timeout else {}

    def retries(self, condition: str, result: str) -> dict[str, t.Any]:
        """The keywords of a task that is tried again until a condition holds."""
        count = self.values.get("max_retries")
        if not count:
            return {"register": result}
        return {"register": result, "until": condition, "retries": count, "delay": 1}

    def pause(self) -> list[dict[str, t.Any]]:
        """The task that waits before the others."""
        return sleep(self.values.get("pause_before"))


def sleep(seconds: float | None) -> list[dict[str, t.Any]]:
    """A task that waits, in the image, so that other images are not held up."""
    if not seconds:
        return []
    number = math.ceil(seconds)
    return [{"name": f"Wait {number} s", **raw(f"sleep {number}"), "changed_when": False}]


def raw(command: str) -> dict[str, t.Any]:
    """The action that runs a command as it is. As a plain text, Ansible would look for its own options in it."""
    return {"ansible.builtin.raw": {"_raw_params": command}}


def is_hidden(value: t.Any) -> dict[str, t.Any]:
    """The keyword of a task in which a secret stands."""
    return {"no_log": True} if LOOKUP in str(value) else {}


# How a secret is looked up where it is needed.
LOOKUP = "lookup('bakehouse.images.packer_value'"


__all__ = ("COMMON", "LOOKUP", "Found", "Provisioner", "Surroundings", "is_hidden", "raw", "sleep")
