# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The files of an image that was pulled: what they say of themselves, and whether they are all there."""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import read_tags
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import ImageFile, look
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import FINGERPRINT_DIGITS
from ansible_collections.bakehouse.images.plugins.module_utils._oci.layers import COMPRESSED_ENDING, uncompressed_name
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, FINGERPRINT_TAG

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# The image that a file comes from, what it was called there, and how many files there were.
DIGEST_TAG = "bakehouse:oci-digest"
ENTRY_TAG = "bakehouse:oci-entry"
COUNT_TAG = "bakehouse:oci-files"
NAME_TAG = "bakehouse:oci-name"


@dataclass(frozen=True)
class Placed:
    """A file of an image, and where it belongs.

    Attributes:
        entry: its name below C(/data) in the image.
        path: where it belongs.
        staged: where it is before.
        compressed: whether it is kept beside the file that was made from it.
    """

    entry: str
    path: str
    staged: str
    compressed: bool = False

    def tags(self, name: str, digest: str, count: int) -> t.Dict[str, str]:
        """What the file says of itself."""
        facts = "%s %s%s" % (digest, self.entry, " compressed" if self.compressed else "")
        return {
            NAME_TAG: name,
            DIGEST_TAG: digest,
            ENTRY_TAG: self.entry,
            COUNT_TAG: str(count),
            FINGERPRINT_TAG: hashlib.sha256(facts.encode("utf-8")).hexdigest()[:FINGERPRINT_DIGITS],
        }


def whole_image(runner: Runner, directory: str, digest: str, *, compressed: bool) -> t.Optional[t.List[ImageFile]]:
    """The files of the image with this digest, if all are there as they were pulled.

    Args:
        directory: what C(images) is in.
        compressed: whether the compressed files must be there as well.
    """
    found = []
    count = ""
    for path in _files_below(os.path.join(directory, "images")):
        tags = read_tags(path)
        entry = tags.get(ENTRY_TAG, "")
        if tags.get(DIGEST_TAG) != digest or path != os.path.join(directory, uncompressed_name(entry)):
            continue
        wanted = [path, path + COMPRESSED_ENDING] if compressed and entry.endswith(COMPRESSED_ENDING) else [path]
        images = [look(runner, one) for one in wanted]
        if not all(one and not one.modified and one.tags.get(DIGEST_TAG) == digest for one in images):
            continue
        found += [one for one in images[:1] if one]
        count = tags.get(COUNT_TAG, "")
    return found if found and str(len(found)) == count else None


def _files_below(folder: str) -> t.Iterator[str]:
    for above, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(above, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def link_problem(directory: str, relative: str) -> t.Optional[str]:
    """A sentence about what stands in the way between the directory and a file in it; None if nothing does.

    The directory may lie wherever its owner wants. Below it links would lead what is written out of it.
    """
    path = directory
    for part in os.path.dirname(relative).split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
            return "%s is no folder but a link or a file, so nothing is written below it." % path
    path = os.path.join(directory, relative)
    return "%s is a link, and is not written over." % path if os.path.islink(path) else None


def is_in_place(runner: Runner, placed: Placed, tags: t.Mapping[str, str], *, overwrite: bool) -> bool:
    """Whether the file is there already, as it was pulled.

    Raises:
        Conflict: another file is there, and may not be replaced.
        Invalid: what is there is no regular file.
    """
    existing = look(runner, placed.path)
    if existing is None or existing.file_bytes == 0:
        return False
    if FINGERPRINT_TAG not in existing.tags and BUILD_ID_TAG not in existing.tags:
        raise Conflict("%s is there, and was not made by this collection. It is left alone." % placed.path)
    same = existing.fingerprint == tags[FINGERPRINT_TAG]
    if same and not existing.modified:
        return True
    if not overwrite:
        how = "was written to after it was pulled" if same else "is another file than the image has"
        raise Conflict("%s %s. Set overwrite to replace it." % (placed.path, how))
    return False


def files_to_place(
    runner: Runner,
    directory: str,
    files: t.Sequence[Placed],
    tags: t.Mapping[str, t.Mapping[str, str]],
    overwrite: bool,
) -> t.List[Placed]:
    """The files that are not there yet.

    Raises:
        Conflict: some cannot be put where they belong; the error names all.
    """
    wanted, problems = [], []
    for placed in files:
        problem = link_problem(directory, os.path.relpath(placed.path, directory))
        try:
            if problem:
                problems.append(problem)
            elif not is_in_place(runner, placed, tags[placed.path], overwrite=overwrite):
                wanted.append(placed)
        except (Conflict, Invalid) as exc:
            problems.append(str(exc))
        except BuildError as exc:
            problems.append("%s cannot be looked at: %s" % (placed.path, exc))
    if problems:
        raise Conflict("\n".join(["The files of the image cannot be put into %s:" % directory, *problems]))
    return wanted


__all__ = (
    "DIGEST_TAG",
    "Placed",
    "files_to_place",
    "link_problem",
    "whole_image",
)
