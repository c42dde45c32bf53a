# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whether a build can go on with what a killed one has left.

A snapshot is taken when the image has been provisioned, sealed and detached: nothing can change it any more. It is as
good as one of this build when it was made from the same definition, files and source, which its fingerprint says, by a
build that is proven to have ended.

The volume that it was taken from must be there, too. A build that has ended by itself has removed it, so a snapshot
without one belongs to an image that somebody has deregistered, and that is no reason to make it again.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.bakehouse.images.plugins.module_utils._life import Life, Verdict
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    ARCHITECTURE_TAG,
    BOOT_MODE_TAG,
    EXPIRES_TAG,
    OWNER_TAG,
)

Resource = Mapping[str, t.Any]

#: States of snapshots whose contents are settled.
GOOD = ("pending", "completed")


@dataclasses.dataclass(frozen=True)
class Resumption:
    """A build that can be gone on with.

    Attributes:
        architecture, boot_mode: of the image, as the build that was killed found them.
    """

    build_id: str
    snapshot: Resource
    volume: Resource
    architecture: str
    boot_mode: str
    reason: str

    def to_ansible(self) -> dict[str, t.Any]:
        """As modules return it."""
        return {
            "build_id": self.build_id,
            "snapshot_id": self.snapshot["snapshot_id"],
            "volume": dict(self.volume),
            "architecture": self.architecture,
            "boot_mode": self.boot_mode,
            "reason": self.reason,
        }


def find_resumable(
    fingerprint: str,
    snapshots: Sequence[Resource],
    volumes: Sequence[Resource],
    judge: Callable[[str], Verdict],
) -> Resumption | None:
    """The newest build that can be gone on with.

    Args:
        fingerprint: of the image that is wanted.
        snapshots, volumes: what builds of the image have left.
        judge: says of an owner whether it lives.
    """
    attached = {str(one["volume_id"]): one for one in volumes if one.get("ours")}
    found = []
    for snapshot in snapshots:
        volume = attached.get(str(snapshot.get("volume_id")))
        if volume is None or not _is_settled(snapshot, volume, fingerprint):
            continue
        tags = snapshot["tags"]
        verdict = judge(tags.get(OWNER_TAG, ""))
        if verdict.life is Life.DEAD:
            reason = f"the build {snapshot['build_id']} has left its snapshot, and {verdict.reason}"
            known = (tags[ARCHITECTURE_TAG], tags[BOOT_MODE_TAG])
            found.append(Resumption(str(snapshot["build_id"]), snapshot, volume, *known, reason))
    return max(found, key=lambda one: str(one.snapshot.get("created") or ""), default=None)


def _is_settled(snapshot: Resource, volume: Resource, fingerprint: str) -> bool:
    tags = snapshot.get("tags", {})
    return bool(
        snapshot.get("ours")
        and snapshot.get("fingerprint") == fingerprint
        and snapshot.get("state") in GOOD
        and snapshot.get("build_id") == volume.get("build_id")
        and {ARCHITECTURE_TAG, BOOT_MODE_TAG} <= set(tags)
        and EXPIRES_TAG not in volume.get("tags", {})
    )


__all__ = ("Resumption", "find_resumable")
