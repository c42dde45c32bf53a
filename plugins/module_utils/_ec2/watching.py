# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Looking at one resource again and again, together with others who do so: see _cloud.shared_looks."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.shared_looks import Resource
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, filter_list

T = t.TypeVar("T")

# As a part of the time since the look before.
NEW_ENOUGH = 0.8


class Kind(t.NamedTuple):
    """How resources of one kind are asked for."""

    method: str
    key: str
    id_key: str
    id_filter: str


VOLUMES = Kind("describe_volumes", "Volumes", "VolumeId", "volume-id")
SNAPSHOTS = Kind("describe_snapshots", "Snapshots", "SnapshotId", "snapshot-id")
IMAGES = Kind("describe_images", "Images", "ImageId", "image-id")


@contextlib.contextmanager
def watching(
    api: Ec2Api, kind: Kind, resource_id: str, parse: t.Callable[[Resource], T], describe: t.Callable[[], T]
) -> t.Iterator[t.Callable[[], T]]:
    """A function that looks at the resource; to be called until the wait is over.

    The first look is one's own: most waits are over with it. For each further one an answer will do that is newer than
    the look before, by a fifth of the time since then.

    Args:
        describe: looks alone, and raises what there is to be raised.
    """
    shared = api.shared_looks(kind.method)
    before: t.List[float] = []

    def ask(ids: t.Sequence[str]) -> t.Dict[str, Resource]:
        filters = filter_list({kind.id_filter: ids})
        found = api.find(kind.method, kind.key, "look at what is waited for", Filters=filters)
        return {str(one[kind.id_key]): one for one in found}

    def look() -> T:
        now = api.clock.now()
        found = None
        if shared and before:
            found = shared.look(resource_id, ask, at_most_seconds=(now - before[0]) * NEW_ENOUGH)
        elif shared:
            shared.join(resource_id)
        before[:] = [now]
        return describe() if found is None else parse(found)

    try:
        yield look
    finally:
        if shared:
            shared.leave(resource_id)


__all__ = ("IMAGES", "SNAPSHOTS", "VOLUMES", "watching")
