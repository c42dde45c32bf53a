# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having, or not having, the snapshot of a build's volume: observe, plan, apply."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.snapshot_requests import SnapshotRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import (
    Ec2Api,
    OutcomeUnknown,
    tag_specifications,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import (
    DeleteSnapshot,
    Snapshot,
    await_completed,
    check_not_failed,
    describe_snapshot,
    list_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.tagging import check_ownership, plan_tags
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    BUILD_ID_TAG,
    build_id_problems,
    ownership_tags,
    tag_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

# How long a snapshot made by a call whose answer was lost may take to be listed.
LOST_ANSWER_SECONDS = 20.0
# So many answers may be lost before that is an error.
LOST_ANSWERS = 3


@dataclass
class SnapshotPlan:
    """What is there, what has to be done, and the snapshot: predicted, or real once applied."""

    before: t.List[str]
    operations: t.List[Operation]
    snapshot: t.Optional[Snapshot]


def plan_present(api: Ec2Api, request: SnapshotRequest) -> SnapshotPlan:
    """Plan to have the build's snapshot of the volume, or to wait for a snapshot that is given.

    Raises:
        Invalid: the request is malformed.
        Conflict: the snapshot that is there has failed.
    """
    problems = build_id_problems(request.build_id)
    problems += tag_problems(request.tags, ours=ownership_tags(build_id=request.build_id))
    if not request.snapshot_id and not request.build_id:
        problems.append("build_id is required to take a snapshot.")
    if problems:
        raise Invalid(problems, subject="This snapshot cannot be made")
    existing = _existing(api, request)
    if existing is not None:
        check_not_failed(existing)
        tags = plan_tags(api, str(existing.snapshot_id), existing.tags, request.all_tags(), new=True)
        return SnapshotPlan([existing.summary()], list(tags), existing)
    predicted = Snapshot(
        snapshot_id=None,
        state="completed",
        progress=100,
        size_gib=None,
        volume_id=request.volume_id,
        description=request.description,
        tags=request.all_tags(),
    )
    plan = SnapshotPlan([], [], predicted)
    plan.operations.append(CreateSnapshot(api, request, plan))
    return plan


def _existing(api: Ec2Api, request: SnapshotRequest) -> t.Optional[Snapshot]:
    if request.snapshot_id:
        return describe_snapshot(api, request.snapshot_id, new=request.build_id is not None)
    return _made_by_build(api, request)


def _made_by_build(api: Ec2Api, request: SnapshotRequest) -> t.Optional[Snapshot]:
    """The newest snapshot of this volume that this build has made."""
    filters = {"tag:" + BUILD_ID_TAG: str(request.build_id), "volume-id": str(request.volume_id)}
    found = [snapshot for snapshot in list_snapshots(api, filters) if snapshot.state != "error"]
    return max(found, key=lambda snapshot: snapshot.start_time or "", default=None)


class CreateSnapshot:
    """Start the snapshot, tagged."""

    def __init__(self, api: Ec2Api, request: SnapshotRequest, plan: SnapshotPlan) -> None:
        self.api = api
        self.request = request
        self.plan = plan

    def describe(self) -> str:
        """See Operation.describe."""
        return "create a snapshot of volume %s" % self.request.volume_id

    def execute(self) -> None:
        """See Operation.execute.

        CreateSnapshot has no client token. When its answer is lost, the snapshot is looked for by its
        tags before the call is sent again.
        """
        for _lost in range(LOST_ANSWERS):
            try:
                self.plan.snapshot = self._create()
                return
            except OutcomeUnknown:
                self.plan.snapshot = self._look_for_lost()
                if self.plan.snapshot:
                    return
        self.plan.snapshot = self._create()

    def _create(self) -> Snapshot:
        answer = self.api.retry_missing(
            lambda: self.api.call(
                "create_snapshot",
                "create a snapshot of volume %s" % self.request.volume_id,
                VolumeId=self.request.volume_id,
                Description=self.request.description,
                TagSpecifications=tag_specifications(self.request.all_tags(), "snapshot"),
            ),
            new=True,
        )
        return Snapshot.from_api(answer)

    def _look_for_lost(self) -> t.Optional[Snapshot]:
        class NothingYet(Exception):
            pass

        try:
            return poll(
                lambda: _made_by_build(self.api, self.request),
                timeout_seconds=min(LOST_ANSWER_SECONDS, self.api.new_id_seconds),
                delay_seconds=2,
                on_timeout=lambda waited: NothingYet(),
                clock=self.api.clock,
            )
        except NothingYet:
            return None


def apply_present(plan: SnapshotPlan, api: Ec2Api, request: SnapshotRequest) -> Snapshot:
    """Carry out a plan of C(plan_present), wait as asked, and return the snapshot."""
    for operation in plan.operations:
        operation.execute()
    snapshot = t.cast("Snapshot", plan.snapshot)
    try:
        if request.waiting.enabled:
            snapshot = await_completed(api, str(snapshot.snapshot_id), request.waiting)
        elif plan.operations:
            snapshot = describe_snapshot(api, str(snapshot.snapshot_id), new=True)
    except BuildError as exc:
        exc.facts.setdefault("snapshot_id", snapshot.snapshot_id)
        raise
    plan.snapshot = snapshot
    return snapshot


def plan_absent(api: Ec2Api, request: SnapshotRequest) -> SnapshotPlan:
    """Plan to have no such snapshot: by id, or all of a build.

    Raises:
        Refused: the snapshot belongs to another build than the one given.
    """
    problems = build_id_problems(request.build_id)
    if problems:
        raise Invalid(problems)
    snapshots = list_snapshots(api, {"tag:" + BUILD_ID_TAG: request.build_id}) if request.build_id else []
    if request.snapshot_id and request.snapshot_id not in [one.snapshot_id for one in snapshots]:
        snapshots += _one_to_delete(api, request.snapshot_id, request.build_id)
    operations: t.List[Operation] = [DeleteSnapshot(api, str(one.snapshot_id)) for one in snapshots]
    return SnapshotPlan([one.summary() for one in snapshots], operations, snapshots[0] if snapshots else None)


def _one_to_delete(api: Ec2Api, snapshot_id: str, build_id: t.Optional[str]) -> t.List[Snapshot]:
    try:
        snapshot = describe_snapshot(api, snapshot_id)
    except NotFound:
        return []
    check_ownership("Snapshot %s" % snapshot_id, snapshot.tags, build_id, snapshot_id=snapshot_id)
    return [snapshot]


__all__ = (
    "CreateSnapshot",
    "SnapshotPlan",
    "SnapshotRequest",
    "apply_present",
    "plan_absent",
    "plan_present",
)
