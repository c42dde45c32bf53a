# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Disks that are being built, or were: files with a hidden name that holds the build's id, and their loop devices."""

from __future__ import annotations

import os
import re
import time
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import SIDECAR_ENDING, read_tags
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.loops import Loop, list_loops
from ansible_collections.bakehouse.images.plugins.module_utils._leftovers import Leftover, from_tags
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG

GIB = 1024**3

# The disk of a build, a file that is being written, and the small file beside either where there are no attributes.
_UNFINISHED = re.compile(
    r"[.].*[.](?P<build_id>[0-9a-f]{16})[.](disk|part)(%s([.]part)?)?\Z" % re.escape(SIDECAR_ENDING)
)


def build_of_name(name: str) -> str:
    """The build that a file of this name is an unfinished one of; empty for other files."""
    found = _UNFINISHED.match(name)
    return found["build_id"] if found else ""


def find_loops() -> t.List[t.Tuple[Loop, Leftover]]:
    """The loop devices of unfinished files, wherever those are, or were."""
    found = []
    for loop in list_loops():
        build_id = build_of_name(os.path.basename(loop.file))
        if build_id:
            tags = {} if loop.deleted else _tags(loop.file, build_id)
            state = "of %s%s" % (loop.file, ", which was removed" if loop.deleted else "")
            found.append(
                (loop, from_tags("loop_device", loop.device, dict(tags, **{BUILD_ID_TAG: build_id}), state=state))
            )
    return found


def find_files(directories: t.Iterable[str]) -> t.List[Leftover]:
    """The unfinished files in these folders, not below them. A folder that is not there holds none."""
    found: t.List[Leftover] = []
    for directory in sorted({os.path.realpath(one) for one in directories}):
        try:
            names = sorted(os.listdir(directory))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            build_id = build_of_name(name)
            path = os.path.join(directory, name)
            if build_id and os.path.isfile(path) and not os.path.islink(path):
                found += _describe(path, build_id)
    return found


def _describe(path: str, build_id: str) -> t.List[Leftover]:
    tags = _tags(path, build_id)
    if tags.get(BUILD_ID_TAG, build_id) != build_id:
        return []  # the name says one build, the tags another: whose is it?
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return []
    return [
        from_tags(
            "file",
            path,
            dict(tags, **{BUILD_ID_TAG: build_id}),
            age_seconds=max(0.0, time.time() - status.st_mtime),
            size_gib=round(status.st_blocks * 512 / GIB, 3),
            state="unfinished",
        )
    ]


def _tags(path: str, build_id: str) -> t.Dict[str, str]:
    try:
        return read_tags(path)
    except BuildError:
        return {}


__all__ = ("build_of_name", "find_files", "find_loops")
