# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The C(build) blocks of an HCL template: each source in each of them becomes an image."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping
from fnmatch import fnmatchcase

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_build_data import (
    BUILD_DATA,
    DEVICE_DATA,
    WITHOUT_VALUE,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_blocks import BlockReader
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_eval import Evaluator, Names
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_functions import Library
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_syntax import Block
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import late
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import (
    BUILDERS,
    Component,
    ImageBuild,
    Place,
    Settings,
    Template,
)

KEYS = ("name", "description", "sources")
IGNORED = {
    "hcp_packer_registry": "HCP Packer is not told of these images.",
    "error-cleanup-provisioner": "error-cleanup-provisioner has no effect: Packer's chroot builder does not run it "
    "either. What a failed build has made is removed.",
}


@dataclasses.dataclass(frozen=True)
class _Used:
    """A source as a build uses it: its name there, and what the build sets besides."""

    kind: str
    name: str
    block: Block
    more: Block | None


class BuildReader:
    """Reads builds, one by one, into a template."""

    def __init__(
        self,
        found: Template,
        sources: Mapping[tuple[str, str], Block],
        scope: Mapping[str, t.Any],
        library: Library,
        settings: Settings,
    ) -> None:
        self.found = found
        self.sources = sources
        self.scope = scope
        self.library = library
        self.settings = settings
        self.names: set[str] = set()

    def read(self, block: Block, number: int) -> None:
        """Take in the images of a build."""
        evaluator = Evaluator(block.file, self.scope, self.library, self.found.secrets)
        for key, line in block.lines.items():
            if key not in KEYS:
                self._problem(block, line, f"a build has no {key}. It has: {', '.join(KEYS)}.")
        try:
            name = evaluator.text(block.attributes["name"]) if "name" in block.attributes else ""
            used = self._used(block, evaluator)
        except Invalid as exc:
            self.found.problems += exc.problems
            return
        for inner in block.blocks:
            if inner.type in IGNORED:
                self.found.warnings.append(f"{inner.file}, line {inner.line}: {IGNORED[inner.type]}")
            elif inner.type not in ("source", "provisioner", "post-processor", "post-processors"):
                self._problem(inner, inner.line, f"a build has no {inner.type} blocks.")
        for source in used:
            self._image(block, source, name, number)

    def _problem(self, block: Block, line: int, text: str) -> None:
        self.found.problems.append(Place(block.file, line).says(text))

    def _used(self, block: Block, evaluator: Evaluator) -> list[_Used]:
        found = []
        listed = evaluator.value(block.attributes["sources"]) if "sources" in block.attributes else []
        for reference in listed:
            found.append(self._lookup(str(reference), Place(block.file, block.lines["sources"]), None))
        for inner in block.blocks:
            if inner.type == "source":
                reference = ".".join(inner.labels)
                found.append(self._lookup(reference, Place(inner.file, inner.line), inner))
        if not found:
            raise Place(block.file, block.line).error("this build has no sources.")
        return found

    def _lookup(self, reference: str, place: Place, more: Block | None) -> _Used:
        words = reference.removeprefix("source.").split(".")
        block = self.sources.get((words[0], words[1])) if len(words) == 2 else None
        if block is None:
            known = ", ".join(f"source.{kind}.{name}" for kind, name in self.sources) or "none"
            raise place.error(f"there is no source {reference!r}. There is: {known}.")
        name = words[1]
        if more is not None and "name" in more.attributes:
            name = Evaluator(more.file, self.scope, self.library, self.found.secrets).text(more.attributes["name"])
        return _Used(words[0], name, block, more)

    def _image(self, block: Block, used: _Used, build_name: str, number: int) -> None:
        short = f"{used.kind}.{used.name}"
        name = f"{build_name}.{short}" if build_name else short
        if not is_wanted((name, short), self.settings):
            return
        if name in self.names:
            name = f"build_{number}.{name}"
        if used.kind not in BUILDERS:
            place = Place(used.block.file, used.block.line)
            self.found.problems.append(
                place.says(
                    f"sources of the type {used.kind} are not supported; {', '.join(BUILDERS)} are. Leave it out with "
                    "the option only or except."
                )
            )
            return
        self.names.add(name)
        evaluator = Evaluator(block.file, self._scope_of(used, build_name), self.library, self.found.secrets)
        self.found.builds.append(
            ImageBuild(
                name=name,
                source_name=used.name,
                build_name=build_name,
                source=self._source(used, evaluator),
                provisioners=tuple(self._components(block, "provisioner", evaluator, used)),
                post_processors=tuple(self._sequences(block, evaluator, used)),
            )
        )

    def _scope_of(self, used: _Used, build_name: str) -> dict[str, t.Any]:
        data = {**BUILD_DATA, **DEVICE_DATA}

        def known(name: str) -> t.Any:
            return build_name if name == "name" else late(data[name])

        hint = f"It has: {', '.join(('name', *data))}."
        lacking = f"{hint} Packer's chroot builder gives none of {', '.join(sorted(WITHOUT_VALUE))} a value."
        return {
            **self.scope,
            "source": {"name": used.name, "type": used.kind},
            "build": Names("build", known, ("name", *data), lacking),
        }

    def _values(self, evaluator: Evaluator, block: Block, skip: t.Container[str] = ()) -> tuple[t.Any, t.Any]:
        reader = BlockReader(dataclasses.replace(evaluator, file=block.file))
        try:
            return reader.values(block, skip)
        except Invalid as exc:
            self.found.problems += exc.problems
            return {}, {}

    def _source(self, used: _Used, evaluator: Evaluator) -> Component:
        values, places = self._values(evaluator, used.block)
        if used.more is not None:
            more, more_places = self._values(evaluator, used.more)
            values, places = {**values, **more}, {**places, **more_places}
            values.pop("name", None)
        return Component(used.kind, used.name, values, places, Place(used.block.file, used.block.line))

    def _components(self, block: Block, type_: str, evaluator: Evaluator, used: _Used) -> t.Iterator[Component]:
        for inner in block.blocks:
            if inner.type == type_:
                found = self._component(inner, evaluator, used)
                if found is not None:
                    yield found

    def _component(self, block: Block, evaluator: Evaluator, used: _Used) -> Component | None:
        place = Place(block.file, block.line)
        if len(block.labels) != 1:
            self.found.problems.append(place.says(f"a {block.type} has one label, its type."))
            return None
        values, places = self._values(evaluator, block)
        component = Component(block.labels[0], str(values.pop("name", "")), values, places, place)
        return for_source(component, (used.name, f"{used.kind}.{used.name}"))

    def _sequences(self, block: Block, evaluator: Evaluator, used: _Used) -> t.Iterator[tuple[Component, ...]]:
        for inner in block.blocks:
            if inner.type == "post-processor":
                found = self._component(inner, evaluator, used)
                if found is not None:
                    yield (found,)
            elif inner.type == "post-processors":
                yield tuple(self._components(inner, "post-processor", evaluator, used))


def is_wanted(names: tuple[str, ...], settings: Settings) -> bool:
    """Whether a build with these names is among those that the user wants."""

    def matches(patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    return not matches(settings.excluded) and (not settings.only or matches(settings.only))


def for_source(component: Component, names: tuple[str, ...]) -> Component | None:
    """A component as it is for a source of these names; None when it is not for it."""
    values = dict(component.values)
    only, excluded = values.pop("only", None), values.pop("except", None)
    known = {*names, *(f"source.{name}" for name in names)}
    if (only and not known & set(only)) or (excluded and known & set(excluded)):
        return None
    override = values.pop("override", None)
    chosen = [override[name] for name in names if isinstance(override, Mapping) and name in override]
    for more in chosen:
        values.update(more)
    return dataclasses.replace(component, values=values)


__all__ = ("IGNORED", "BuildReader", "for_source", "is_wanted")
