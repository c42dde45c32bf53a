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
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshots import (
    DeleteSnapshot,
    Snapshot,
    await_completed,
    check_not_failed,
    read_snapshot,
    snapshots_of_build,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import (
    check_ownership,
    plan_tags,
    set_tags,
    with_fresh_token,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    build_id_problems,
    ownership_tags,
    tag_problems,
)


@dataclass
class SnapshotPlan:
    """What is there, what has to be done, and the snapshot: predicted, or real once applied."""

    before: t.List[str]
    operations: t.List[Operation]
    snapshot: t.Optional[Snapshot]


def plan_present(api: OutscaleApi, request: SnapshotRequest) -> SnapshotPlan:
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
        build_id=str(request.build_id),
    )
    plan = SnapshotPlan([], [], predicted)
    plan.operations.append(CreateSnapshot(api, request, plan))
    return plan


def _existing(api: OutscaleApi, request: SnapshotRequest) -> t.Optional[Snapshot]:
    if request.snapshot_id:
        return read_snapshot(api, request.snapshot_id, new=request.build_id is not None)
    found = [
        one
        for one in snapshots_of_build(api, str(request.build_id))
        if one.volume_id == request.volume_id and one.state != "error"
    ]
    return max(found, key=lambda snapshot: snapshot.start_time or "", default=None)


class CreateSnapshot:
    """Start the snapshot, with a token that says whose it is, and tag it."""

    def __init__(self, api: OutscaleApi, request: SnapshotRequest, plan: SnapshotPlan) -> None:
        self.api = api
        self.request = request
        self.plan = plan

    def describe(self) -> str:
        """See Operation.describe."""
        return "create a snapshot of volume %s" % self.request.volume_id

    def execute(self) -> None:
        """See Operation.execute. A token whose snapshot has failed, or is gone, is followed by the next one."""
        build_id = str(self.request.build_id)
        snapshot = with_fresh_token(
            build_id, "snapshot", self._create, lambda one: one.state in ("deleting", "deleted", "error")
        )
        self.plan.snapshot = snapshot
        set_tags(self.api, str(snapshot.snapshot_id), self.request.all_tags(), new=True)

    def _create(self, token: str) -> Snapshot:
        wanted = self.request
        answer = self.api.retry_missing(
            lambda: self.api.call(
                "CreateSnapshot",
                "create a snapshot of volume %s" % wanted.volume_id,
                VolumeId=wanted.volume_id,
                Description=wanted.description,
                ClientToken=token,
            ),
            new=True,
        )
        return Snapshot.from_api(answer["Snapshot"])


def apply_present(plan: SnapshotPlan, api: OutscaleApi, request: SnapshotRequest) -> Snapshot:
    """Carry out a plan of C(plan_present), wait as asked, and return the snapshot."""
    try:
        for operation in plan.operations:
            operation.execute()
        snapshot_id = str(t.cast("Snapshot", plan.snapshot).snapshot_id)
        if request.waiting.enabled:
            plan.snapshot = await_completed(api, snapshot_id, request.waiting)
        elif plan.operations:
            plan.snapshot = read_snapshot(api, snapshot_id, new=True)
    except BuildError as exc:
        exc.facts.setdefault("snapshot_id", plan.snapshot.snapshot_id if plan.snapshot else None)
        raise
    return t.cast("Snapshot", plan.snapshot)


def plan_absent(api: OutscaleApi, request: SnapshotRequest) -> SnapshotPlan:
    """Plan to have no such snapshot: by id, or all of a build.

    Raises:
        Refused: the snapshot belongs to another build than the one given.
    """
    problems = build_id_problems(request.build_id)
    if problems:
        raise Invalid(problems)
    snapshots = snapshots_of_build(api, request.build_id) if request.build_id else []
    if request.snapshot_id and request.snapshot_id not in [one.snapshot_id for one in snapshots]:
        snapshots += _one_to_delete(api, request.snapshot_id, request.build_id)
    operations: t.List[Operation] = [DeleteSnapshot(api, str(one.snapshot_id)) for one in snapshots]
    return SnapshotPlan([one.summary() for one in snapshots], operations, snapshots[0] if snapshots else None)


def _one_to_delete(api: OutscaleApi, snapshot_id: str, build_id: t.Optional[str]) -> t.List[Snapshot]:
    try:
        snapshot = read_snapshot(api, snapshot_id)
    except NotFound:
        return []
    check_ownership("Snapshot %s" % snapshot_id, snapshot.build_id, build_id, snapshot_id=snapshot_id)
    return [snapshot]


__all__ = (
    "CreateSnapshot",
    "SnapshotPlan",
    "SnapshotRequest",
    "apply_present",
    "plan_absent",
    "plan_present",
)
