# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Snapshots as Outscale's API describes them, waiting for them, and deleting them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy, Conflict, NotFound, WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.permissions import Permissions
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import (
    build_of,
    client_tokens,
    tag_filter,
    tags_of,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

# A snapshot takes seconds or hours; looking often at first costs little, looking rarely later saves API calls.
MAX_DELAY_SECONDS = 30.0
# An image that was deleted a moment ago still holds its snapshots for some seconds.
RELEASE_SECONDS = 60.0


@dataclass(frozen=True)
class Snapshot:
    """A snapshot. C(snapshot_id) is None for one that is only planned; C(progress) is in percent."""

    snapshot_id: t.Optional[str]
    state: str
    progress: int
    size_gib: t.Optional[int]
    volume_id: t.Optional[str]
    description: t.Optional[str] = None
    start_time: t.Optional[str] = None
    owner_id: t.Optional[str] = None
    permissions: Permissions = field(default_factory=Permissions)
    tags: t.Mapping[str, str] = field(default_factory=dict)
    build_id: str = ""

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Snapshot:
        """From ReadSnapshots or CreateSnapshot."""
        return cls(
            snapshot_id=found.get("SnapshotId"),
            state=str(found.get("State", "")),
            progress=int(found.get("Progress") or 0),
            size_gib=found.get("VolumeSize"),
            volume_id=found.get("VolumeId"),
            description=found.get("Description"),
            start_time=found.get("CreationDate"),
            owner_id=found.get("AccountId"),
            permissions=Permissions.from_api(found.get("PermissionsToCreateVolume")),
            tags=tags_of(found),
            build_id=build_of(found),
        )

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return dict(self.__dict__, tags=dict(self.tags), permissions=self.permissions.to_ansible())

    def summary(self) -> str:
        """The snapshot in one line, for diffs."""
        return "snapshot %s of %s: %s GiB, %s %d%%" % (
            self.snapshot_id, self.volume_id, self.size_gib, self.state, self.progress,
        )  # fmt: skip


def read_snapshot(api: OutscaleApi, snapshot_id: str, *, new: bool = False) -> Snapshot:
    """One snapshot by id.

    Args:
        new: made by this build, so that it may not be known everywhere yet.

    Raises:
        NotFound: there is no such snapshot.
    """

    def look() -> Snapshot:
        found = api.find("ReadSnapshots", "Snapshots", "find snapshot %s" % snapshot_id, SnapshotIds=[snapshot_id])
        if not found:
            raise NotFound("There is no snapshot %s in %s." % (snapshot_id, api.region), snapshot_id=snapshot_id)
        return Snapshot.from_api(found[0])

    return t.cast("Snapshot", api.retry_missing(look, new=new))


def list_snapshots(api: OutscaleApi, **filters: t.Any) -> t.List[Snapshot]:
    """The snapshots that match and are not on their way out."""
    found = api.find("ReadSnapshots", "Snapshots", "list snapshots", **filters)
    return [snapshot for snapshot in map(Snapshot.from_api, found) if snapshot.state not in ("deleting", "deleted")]


def snapshots_of_build(api: OutscaleApi, build_id: str) -> t.List[Snapshot]:
    """The snapshots of a build: those with its tag, and those that were to get it."""
    tagged = list_snapshots(api, Tags=tag_filter(BUILD_ID_TAG, build_id))
    made = list_snapshots(api, ClientTokens=client_tokens(build_id, "snapshot"))
    return list({str(one.snapshot_id): one for one in made + tagged if one.build_id == build_id}.values())


def check_not_failed(snapshot: Snapshot) -> None:
    """Raise Conflict for a snapshot that will never be complete."""
    if snapshot.state == "error":
        raise Conflict(
            "Snapshot %s has failed, at %d%%. Outscale gives no reason." % (snapshot.snapshot_id, snapshot.progress),
            snapshot_id=snapshot.snapshot_id,
        )


def await_completed(api: OutscaleApi, snapshot_id: str, waiting: Waiting, *, new: bool = True) -> Snapshot:
    """Wait until a snapshot is complete, looking less often as time goes by.

    Raises:
        Conflict: it has failed.
        WaitTimeout: it is still pending; names its progress.
    """
    last: t.List[Snapshot] = []

    def probe() -> t.Optional[Snapshot]:
        snapshot = read_snapshot(api, snapshot_id, new=new)
        last[:] = [snapshot]
        check_not_failed(snapshot)
        return snapshot if snapshot.state == "completed" else None

    return waiting.until(
        probe,
        max_delay_seconds=MAX_DELAY_SECONDS,
        on_timeout=lambda waited: WaitTimeout(
            "Snapshot %s is still %s after %d seconds: %d%% done."
            % (snapshot_id, last[0].state, waited, last[0].progress),
            hint="It goes on by itself. Run this task again with snapshot_id to wait further, or raise wait_timeout.",
            snapshot_id=snapshot_id,
            progress=last[0].progress,
        ),
        clock=api.clock,
    )


class DeleteSnapshot:
    """Delete a snapshot.

    Args:
        release_seconds: how long to try again while Outscale says that an image uses it.
    """

    def __init__(self, api: OutscaleApi, snapshot_id: str, *, release_seconds: float = 0) -> None:
        self.api = api
        self.snapshot_id = snapshot_id
        self.release_seconds = release_seconds

    def describe(self) -> str:
        """See Operation.describe."""
        return "delete snapshot %s" % self.snapshot_id

    def execute(self) -> None:
        """See Operation.execute. A snapshot that has gone meanwhile is deleted enough."""
        last: t.List[Busy] = []

        def attempt() -> t.Optional[bool]:
            try:
                self.api.call("DeleteSnapshot", "delete snapshot %s" % self.snapshot_id, SnapshotId=self.snapshot_id)
            except NotFound:
                return True
            except Busy as exc:
                last[:] = [exc]
                return None
            return True

        poll(
            attempt,
            timeout_seconds=self.release_seconds,
            delay_seconds=2,
            on_timeout=lambda waited: self._in_use(last[0]),
            clock=self.api.clock,
        )

    def _in_use(self, exc: Busy) -> Busy:
        users = images_using(self.api, [self.snapshot_id])
        names = sorted(str(one["ImageId"]) for one in users)
        return Busy(
            "Snapshot %s cannot be deleted: %s"
            % (self.snapshot_id, "image %s uses it." % ", ".join(names) if names else exc.message),
            hint="Delete what uses it first.",
            snapshot_id=self.snapshot_id,
            image_ids=names,
            **{key: value for key, value in exc.facts.items() if key == "error_code"},
        )


def images_using(api: OutscaleApi, snapshot_ids: t.Sequence[str]) -> t.List[t.Dict[str, t.Any]]:
    """The images, as the API describes them, that map one of these snapshots."""
    doing = "find the images that use %s" % ", ".join(snapshot_ids[:3])
    return api.find("ReadImages", "Images", doing, BlockDeviceMappingSnapshotIds=list(snapshot_ids))


__all__ = (
    "RELEASE_SECONDS",
    "DeleteSnapshot",
    "Snapshot",
    "await_completed",
    "check_not_failed",
    "images_using",
    "list_snapshots",
    "read_snapshot",
    "snapshots_of_build",
)
