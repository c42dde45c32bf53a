# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Snapshots as EC2 describes them, waiting for them, and deleting them."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import (
    Ec2Api,
    error_code,
    filter_list,
    tags_of,
    timestamp,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.watching import SNAPSHOTS, watching
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy, Conflict, NotFound, WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

# A snapshot takes seconds or hours; looking often at first costs little, looking rarely later saves API calls.
MAX_DELAY_SECONDS = 30.0
# An image that was deregistered a moment ago still holds its snapshots for some seconds.
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
    encrypted: t.Optional[bool] = None
    kms_key_id: t.Optional[str] = None
    start_time: t.Optional[str] = None
    state_message: t.Optional[str] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Snapshot:
        """From DescribeSnapshots or CreateSnapshot."""
        return cls(
            snapshot_id=found.get("SnapshotId"),
            state=str(found.get("State", "")),
            progress=int(str(found.get("Progress") or "0").rstrip("%") or 0),
            size_gib=found.get("VolumeSize"),
            volume_id=found.get("VolumeId"),
            description=found.get("Description"),
            encrypted=found.get("Encrypted"),
            kms_key_id=found.get("KmsKeyId"),
            start_time=timestamp(found.get("StartTime")),
            state_message=found.get("StateMessage"),
            tags=tags_of(found),
        )

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return dict(self.__dict__, tags=dict(self.tags))

    def summary(self) -> str:
        """The snapshot in one line, for diffs."""
        return "snapshot %s of %s: %s GiB, %s %d%%" % (
            self.snapshot_id, self.volume_id, self.size_gib, self.state, self.progress,
        )  # fmt: skip


def describe_snapshot(api: Ec2Api, snapshot_id: str, *, new: bool = False) -> Snapshot:
    """One snapshot by id.

    Args:
        new: made by this build, so that EC2 may not know it everywhere yet.

    Raises:
        NotFound: there is no such snapshot.
    """

    def look() -> Snapshot:
        doing = "find snapshot %s" % snapshot_id
        found = api.find("describe_snapshots", "Snapshots", doing, SnapshotIds=[snapshot_id])
        if not found:
            raise NotFound("There is no snapshot %s in %s." % (snapshot_id, api.region), snapshot_id=snapshot_id)
        return Snapshot.from_api(found[0])

    return t.cast("Snapshot", api.retry_missing(look, new=new))


def list_snapshots(api: Ec2Api, filters: t.Mapping[str, t.Union[str, t.Sequence[str]]]) -> t.List[Snapshot]:
    """The account's own snapshots that match."""
    found = api.find(
        "describe_snapshots", "Snapshots", "list snapshots", OwnerIds=["self"], Filters=filter_list(filters)
    )
    return [Snapshot.from_api(one) for one in found]


def check_not_failed(snapshot: Snapshot) -> None:
    """Raise Conflict for a snapshot that will never be complete."""
    if snapshot.state == "error":
        raise Conflict(
            "Snapshot %s has failed: %s" % (snapshot.snapshot_id, snapshot.state_message or "EC2 gave no reason."),
            snapshot_id=snapshot.snapshot_id,
        )


def await_completed(api: Ec2Api, snapshot_id: str, waiting: Waiting, *, new: bool = True) -> Snapshot:
    """Wait until a snapshot is complete, looking less often as time goes by.

    Raises:
        Conflict: it has failed.
        WaitTimeout: it is still pending; names its age and progress.
    """
    last: t.List[Snapshot] = []

    def describe() -> Snapshot:
        return describe_snapshot(api, snapshot_id, new=new)

    with watching(api, SNAPSHOTS, snapshot_id, Snapshot.from_api, describe) as look:

        def probe() -> t.Optional[Snapshot]:
            snapshot = look()
            last[:] = [snapshot]
            check_not_failed(snapshot)
            return snapshot if snapshot.state == "completed" else None

        return waiting.until(
            probe,
            max_delay_seconds=MAX_DELAY_SECONDS,
            on_timeout=lambda waited: _not_completed(last[0], waited),
            clock=api.clock,
        )


def _not_completed(snapshot: Snapshot, waited_seconds: float) -> WaitTimeout:
    return WaitTimeout(
        "Snapshot %s is still %s after %d seconds: %d%% done%s."
        % (snapshot.snapshot_id, snapshot.state, waited_seconds, snapshot.progress, _age(snapshot)),
        hint="It goes on by itself. Run this task again with snapshot_id to wait further, or raise wait_timeout.",
        snapshot_id=snapshot.snapshot_id,
        progress=snapshot.progress,
    )


def _age(snapshot: Snapshot) -> str:
    try:
        started = datetime.datetime.fromisoformat(str(snapshot.start_time).replace("Z", "+00:00"))
        seconds = (datetime.datetime.now(datetime.timezone.utc) - started).total_seconds()
    except (ValueError, TypeError):
        return ""
    return ", started %d minutes ago" % (seconds // 60)


class DeleteSnapshot:
    """Delete a snapshot.

    Args:
        release_seconds: how long to try again while EC2 says that an image uses it.
    """

    def __init__(self, api: Ec2Api, snapshot_id: str, *, release_seconds: float = 0) -> None:
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
                self.api.call("delete_snapshot", "delete snapshot %s" % self.snapshot_id, SnapshotId=self.snapshot_id)
            except NotFound:
                return True
            except Busy as exc:
                if error_code(exc) != "InvalidSnapshot.InUse":
                    raise
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
        users = images_using(self.api, self.snapshot_id)
        return Busy(
            "Snapshot %s cannot be deleted: %s"
            % (self.snapshot_id, "image %s uses it." % ", ".join(users) if users else exc.message),
            hint="Deregister what uses it first.",
            snapshot_id=self.snapshot_id,
            image_ids=users,
            **{key: value for key, value in exc.facts.items() if key == "error_code"},
        )


def images_using(api: Ec2Api, snapshot_id: str) -> t.List[str]:
    """The ids of the account's images that map this snapshot."""
    found = api.find(
        "describe_images",
        "Images",
        "find the images that use snapshot %s" % snapshot_id,
        Owners=["self"],
        Filters=filter_list({"block-device-mapping.snapshot-id": snapshot_id}),
    )
    return sorted(str(one["ImageId"]) for one in found)


__all__ = (
    "RELEASE_SECONDS",
    "DeleteSnapshot",
    "Snapshot",
    "await_completed",
    "check_not_failed",
    "describe_snapshot",
    "images_using",
    "list_snapshots",
)
