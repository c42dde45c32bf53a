# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a Packer template describes, whichever of its two languages it is written in."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid

BUILDER = "amazon-chroot"
BUILDERS = (BUILDER, "outscale-chroot", "osc-chroot")

Path = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class Place:
    """A line of a file, for messages."""

    file: str
    line: int

    def says(self, text: str) -> str:
        """The sentence with the place in front."""
        return f"{self.file}, line {self.line}: {text}"

    def error(self, text: str) -> Invalid:
        """An error that is this sentence."""
        return Invalid([self.says(text)])


@dataclasses.dataclass(frozen=True)
class Component:
    """A source, a provisioner or a post-processor.

    Attributes:
        kind: its type, such as C(shell).
        name: as its author named it; may be empty.
        values: its options. Texts may still hold Go templates.
        places: where each option stands, by its path; parts of an option may have a place of their own.
        place: where the component begins.
    """

    kind: str
    name: str
    values: dict[str, t.Any]
    places: dict[Path, Place]
    place: Place

    def at(self, *path: str | int) -> Place:
        """Where an option, or a part of one, stands."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return self.place


@dataclasses.dataclass(frozen=True)
class ImageBuild:
    """One source of one build: what becomes one image.

    Attributes:
        name: what Packer calls it, such as C(base.amazon-chroot.web). It is the host's name.
        source_name: the name of the source.
        build_name: the name of the build; may be empty.
        source: the builder's options.
        provisioners: in order.
        post_processors: sequences of them.
    """

    name: str
    source_name: str
    build_name: str
    source: Component
    provisioners: tuple[Component, ...] = ()
    post_processors: tuple[tuple[Component, ...], ...] = ()


@dataclasses.dataclass
class Template:
    """What was read from a template.

    Attributes:
        builds: in the template's order.
        secrets: values that must not be shown, each with the expression that gives it.
        problems: a sentence for each mistake.
        warnings: a sentence for each oddity.
        user: the user variables of a JSON template; None for HCL.
        folder: of the template.
    """

    builds: list[ImageBuild] = dataclasses.field(default_factory=list)
    secrets: dict[str, str] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    user: dict[str, str] | None = None
    folder: str = "."


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a user gives beside the template, as to C(packer build).

    Attributes:
        variables: values of variables, as with C(-var).
        var_files: absolute paths of files of them, as with C(-var-file), in order.
        only, excluded: patterns of names of builds.
        environment: of this process.
    """

    variables: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    var_files: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


__all__ = ("BUILDER", "BUILDERS", "Component", "ImageBuild", "Path", "Place", "Settings", "Template")
