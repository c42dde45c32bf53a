# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The source of a local image: another image of the inventory, or any image file.

A parent that was built in this run has said where its file is. Of one that was not, as with C(--limit), the inventory
says it, and its file says whether it was made from the definition that the inventory has now.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.plugin_utils._definition_digest import digest_of_host
from ansible_collections.bakehouse.images.plugins.plugin_utils._forest_model import with_parents_group
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_output import (
    NAMES,
    ImageOutput,
    base_folder,
    image_output,
)

DEFINITION_TAG = "bakehouse:definition"
SOURCE_TAG = "bakehouse:source"

# What the role says of a build that has made, or in check mode would make, an image.
BUILT = ("built", "planned")

Look = Callable[..., dict[str, t.Any]]


@dataclasses.dataclass(frozen=True)
class Source:
    """What an image is made from: the host of its parent, or the path of a file."""

    parent: str | None = None
    path: str | None = None
    format: str | None = None


def local_source(given: t.Any, base: str) -> Source | None:
    """The source in a C(bake_source); None for an image from scratch."""
    if isinstance(given, str):
        return Source(path=os.path.join(base, given))
    if "scratch" in given:
        return None
    path = given.get("path")
    return Source(given.get("parent"), os.path.join(base, path) if path else None, given.get("format"))


class ParentFinder:
    """Finds the sources of one image.

    Args:
        variables: those of the image's task.
        look: looks at a file on the build host, as M(bakehouse.images.image_file_info) does.
    """

    def __init__(self, variables: Mapping[str, t.Any], look: Look) -> None:
        self.variables = variables
        self.hostvars = variables["hostvars"]
        self.image = str(variables["inventory_hostname"])
        self.look = look

    def is_built(self, source: Source) -> bool:
        """Whether the source is an image that was built in this run, or would be in check mode."""
        return source.parent is not None and self._status(source.parent) in BUILT

    def source_image(self, source: Source) -> dict[str, t.Any]:
        """The source's file, with C(identity).

        Raises:
            NotFound: there is no such file, and no such host.
            Conflict: the parent is not up to date.
        """
        if source.path:
            return self._file(source.path, source.format)
        parent = str(source.parent)
        if parent == self.image or parent not in self.hostvars:
            trouble = "is the image itself" if parent == self.image else "is not a host of this inventory"
            raise Invalid([f"bake_source.parent {parent} {trouble}."])
        if self._status(parent) == "building":
            raise Conflict(
                f"The parent {parent} of this image is being built in the same play.",
                hint="Build it in an earlier play, as bakehouse.images.build does, or by groups depth_0, depth_1, ...",
            )
        output = self._output(parent)
        if self._status(parent) == "planned":
            identity = self.hostvars[parent]["__bake_identity"]["fingerprint"]
            return {"image_id": output.path, **output.to_ansible(), "identity": identity, "size_bytes": 0}
        try:
            found = self._file(output.path, output.format)
            if self._status(parent) is None:
                self._require_up_to_date(parent, found)
        except (Conflict, NotFound) as exc:
            raise type(exc)(
                f"The parent {parent} of this image cannot be used. {exc}",
                hint=f"Build it too: {self._command(parent)}",
                parent=parent,
            ) from exc
        return found

    def _command(self, parent: str) -> str:
        """What builds the image with its parents, for people to copy. The inventory plugins make a group for that."""
        group = with_parents_group(self.image)
        limit = group if group in self.variables.get("groups", {}) else f"{parent},{self.image}"
        inventory = self.variables.get("inventory_file")
        words = ["ansible-playbook", *(["-i", str(inventory)] if inventory else []), "bakehouse.images.build"]
        return shlex.join([*words, "--limit", limit])

    def _status(self, host: str) -> str | None:
        """What became of an image in this run; None when it was not part of it."""
        status = self.hostvars[host].get("__bake_status")
        return str(status) if status else None

    def _file(self, path: str, image_format: str | None) -> dict[str, t.Any]:
        done = self.look(path, source=path, **({"source_format": image_format} if image_format else {}))
        source: dict[str, t.Any] = done["source"]
        return source

    def _output(self, host: str) -> ImageOutput:
        there = self.hostvars[host]
        known = there.get("__bake_output")
        if known:
            return ImageOutput(known["directory"], known["file"], known["format"])
        if "bake_image_name" not in there:
            raise NotFound(
                f"The parent {host} was not built in this run, and the inventory has no bake_image_name of it, so that"
                " it is not known where its file is.",
                hint="Build both in one run, or define the parent in the inventory.",
            )
        return image_output({name: there.get(name) for name in NAMES}, base_folder(there))

    def _require_up_to_date(self, host: str, found: Mapping[str, t.Any]) -> None:
        """A parent that is not part of this run must be what its definition says, and its own parents too."""
        there = self.hostvars[host]
        if there.get("bake_cache", "fingerprint") == "exists":
            return
        if found["tags"].get(DEFINITION_TAG) != digest_of_host(self.hostvars.raw_get(host)):
            raise Conflict(f"{found['path']} was built from another definition than the inventory has now.")
        if found["modified"]:
            raise Conflict(f"{found['path']} was written to after it was built.")
        source = local_source(there["bake_source"], base_folder(there))
        if source is None:
            return
        try:
            behind = ParentFinder({**self.variables, "inventory_hostname": host}, self.look).source_image(source)
        except BuildError as exc:
            raise Conflict(f"{found['path']} is not up to date: {exc.message}") from exc
        if behind["identity"] != found["tags"].get(SOURCE_TAG):
            raise Conflict(f"{found['path']} was built from another {behind['path']} than is there now.")


__all__ = ("DEFINITION_TAG", "SOURCE_TAG", "ParentFinder", "Source", "local_source")
