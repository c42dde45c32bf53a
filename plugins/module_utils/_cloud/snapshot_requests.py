# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.


"""What is asked for of a build's snapshot, in any cloud."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._tags import ownership_tags, text_tags


@dataclass(frozen=True)
class SnapshotRequest:
    """A snapshot that a build wants of its volume, or one to wait for or delete."""

    build_id: t.Optional[str] = None
    snapshot_id: t.Optional[str] = None
    volume_id: t.Optional[str] = None
    description: t.Optional[str] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> SnapshotRequest:
        """From a module's options."""
        names = ("build_id", "snapshot_id", "volume_id", "description")
        return cls(
            tags=text_tags(params["tags"]),
            waiting=Waiting.from_params(params),
            **{name: params[name] for name in names},
        )

    def all_tags(self) -> t.Dict[str, str]:
        """The tags of the snapshot, the build's own included."""
        return dict(self.tags, **ownership_tags(build_id=self.build_id))


__all__ = ("SnapshotRequest",)
