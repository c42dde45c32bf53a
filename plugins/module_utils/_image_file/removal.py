# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Removing what a build has made: its loop devices, then its files, but for the finished image."""

from __future__ import annotations

import functools
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import forget_tags, read_tags
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import look
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.loops import Loop, list_loops, release
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import (
    FileOperation,
    FilePlan,
    describe,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, build_id_problems

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner


@dataclass
class Removal:
    """One thing to remove: a C(loop_device) or a C(file)."""

    type: str
    id: str
    action: t.Callable[[], None]
    error: t.Optional[str] = None

    def describe(self) -> str:
        """See Operation.describe."""
        return "remove %s %s" % (self.type.replace("_", " "), self.id)

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        result = {"type": self.type, "id": self.id}
        return dict(result, error=self.error) if self.error else result


def plan_removal(
    runner: Runner, directory: str, build_id: str, *, keep: t.Optional[str], timeout_seconds: float
) -> t.List[Removal]:
    """What there is of a build in a directory, in the order in which it goes.

    Args:
        keep: the finished image, which stays.
    """
    problems = build_id_problems(build_id)
    if problems:
        raise Invalid(problems)
    files = [path for path in files_of_build(directory, build_id) if not keep or not _same(path, keep)]
    removals = []
    for loop in list_loops():
        if loop.file in {os.path.realpath(path) for path in files} or _named(loop, directory, build_id):
            free = functools.partial(release, runner, loop, timeout_seconds=timeout_seconds)
            removals.append(Removal("loop_device", loop.device, free))
    removals += [Removal("file", path, functools.partial(remove_file, path)) for path in files]
    return removals


def files_of_build(directory: str, build_id: str) -> t.List[str]:
    """The files of a directory that carry the build's id, in their tags or in their name, sorted."""
    if not os.path.isdir(directory):
        return []
    found = []
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        if is_unfinished(name, build_id) or read_tags(path).get(BUILD_ID_TAG) == build_id:
            found.append(path)
    return found


def is_unfinished(name: str, build_id: str) -> bool:
    """Whether a file's name is that of an unfinished file of the build."""
    return name.startswith(".") and ".%s." % build_id in name


def _named(loop: Loop, directory: str, build_id: str) -> bool:
    """Whether a loop device's file was one of the build: an unlinked one is in no directory any more."""
    folder, name = os.path.split(loop.file)
    return folder == os.path.realpath(directory) and is_unfinished(name, build_id)


def _same(path: str, other: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def remove_file(path: str) -> None:
    """Remove a file and what was written beside it."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise BuildError("Cannot remove %s: %s." % (path, exc.strerror), path=path) from exc
    forget_tags(path)


def plan_absent(runner: Runner, path: str) -> FilePlan:
    """Plan to have no file there.

    Raises:
        Refused: the file is not ours.
    """
    existing = look(runner, path)
    if existing is None:
        return FilePlan([], [], None)
    if not existing.tags and existing.file_bytes:
        raise Refused(
            "%s was not made by this collection, and is not removed." % path, hint="Remove it yourself.", path=path
        )
    operation = FileOperation("remove %s" % path, functools.partial(remove_file, path))
    return FilePlan([describe(existing)], [operation], None)


def remove(removals: t.Sequence[Removal]) -> None:
    """Remove all, whatever becomes of each.

    Raises:
        BuildError: some are left. C(left) in its facts says which, and why.
    """
    for removal in removals:
        try:
            removal.action()
        except BuildError as exc:
            removal.error = str(exc)
    left = [removal for removal in removals if removal.error]
    if left:
        raise BuildError(
            "Not everything was removed: %s" % " ".join(str(removal.error) for removal in left),
            left=[removal.to_ansible() for removal in left],
            removed=[removal.to_ansible() for removal in removals if not removal.error],
        )


__all__ = ("Removal", "files_of_build", "plan_absent", "plan_removal", "remove", "remove_file")
