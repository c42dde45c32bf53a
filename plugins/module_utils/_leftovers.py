# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What builds have made and not removed (yet): the same few facts of each, wherever it is."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    BUILD_ID_TAG,
    EXPIRES_TAG,
    IMAGE_TAG,
    OWNER_TAG,
)


@dataclasses.dataclass(frozen=True)
class Leftover:
    """One thing that a build has made and that is no finished image.

    Args:
        type: C(volume), C(snapshot), C(image), C(sandbox), C(loop_device) or C(file).
        build_id: empty for a sandbox that is of no build.
        owner: the owner in its tag; empty where it has none.
        expires: until when it was kept, in seconds since 1970.
        age_seconds: None where that is not known.
        size_gib: None for what has no size of its own.
        price: what is paid for: the volume's type, or C(snapshot); empty where nothing is.
        state: how it is, for people.
        ended: whether it shows by itself that nobody uses it any more.
    """

    type: str
    id: str
    build_id: str
    owner: str = ""
    image: str = ""
    expires: t.Optional[int] = None
    age_seconds: t.Optional[float] = None
    size_gib: t.Optional[float] = None
    price: str = ""
    state: str = ""
    ended: bool = False

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return dataclasses.asdict(self)


def from_tags(kind: str, resource_id: str, tags: t.Mapping[str, str], **more: t.Any) -> Leftover:
    """A leftover from its tags."""
    expires = tags.get(EXPIRES_TAG, "")
    return Leftover(
        type=kind,
        id=resource_id,
        build_id=tags.get(BUILD_ID_TAG, ""),
        owner=tags.get(OWNER_TAG, ""),
        image=tags.get(IMAGE_TAG, ""),
        expires=int(expires) if expires.isdigit() else None,
        **more,
    )


__all__ = ("Leftover", "from_tags")
