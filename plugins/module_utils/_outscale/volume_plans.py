# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having, or not having, the volume of a build: observe, plan, apply."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.moments import age_seconds
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Conflict,
    Invalid,
    NotFound,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import NEW_ID_SECONDS, OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.block_devices import volume_problems
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshots import read_snapshot
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import (
    check_ownership,
    plan_tags,
    set_tags,
    with_fresh_token,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.volumes import (
    Volume,
    await_available,
    await_gone,
    detach,
    read_volume,
    volumes_of_build,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    build_id_problems,
    ownership_tags,
    tag_problems,
    text_tags,
)

# How long to wait, before it is deleted, for a volume that is still being made. The call then says what is wrong.
CREATING_SECONDS = 60


@dataclass(frozen=True)
class VolumeRequest:
    """A volume that a build wants. Sizes in GiB; None is Outscale's default."""

    build_id: t.Optional[str] = None
    volume_id: t.Optional[str] = None
    snapshot_id: t.Optional[str] = None
    size_gib: t.Optional[int] = None
    volume_type: t.Optional[str] = None
    iops: t.Optional[int] = None
    subregion: t.Optional[str] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> VolumeRequest:
        """From a module's options."""
        given = {name: params[name] for name in cls.__dataclass_fields__ if name in params and name != "tags"}
        return cls(tags=text_tags(params["tags"]), waiting=Waiting.from_params(params), **given)

    def all_tags(self) -> t.Dict[str, str]:
        """The tags of the volume, the build's own included."""
        return dict(self.tags, **ownership_tags(build_id=self.build_id))

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without asking Outscale."""
        problems = build_id_problems(self.build_id)
        problems += tag_problems(self.tags, ours=ownership_tags(build_id=self.build_id))
        problems += volume_problems(volume_type=self.volume_type, size_gib=self.size_gib, iops=self.iops)
        if not self.snapshot_id and not self.size_gib and not self.volume_id:
            problems.append("Give snapshot_id or size_gib, or both: a volume has a size or takes its snapshot's.")
        return problems


@dataclass
class VolumePlan:
    """What is there, what has to be done, and the volume: predicted, or real once applied."""

    before: t.List[str]
    operations: t.List[Operation]
    volume: t.Optional[Volume]


def plan_present(api: OutscaleApi, request: VolumeRequest) -> VolumePlan:
    """Plan to have the build's volume.

    Raises:
        Invalid: the request cannot be met by any volume.
        Conflict: the build has a volume already that is not the one asked for.
    """
    problems = request.problems()
    if problems:
        raise Invalid(problems, subject="This volume cannot be made")
    existing = _existing(api, request)
    if existing is None:
        _check_snapshot(api, request)
        return _plan_create(api, request)
    _check_same(existing, request)
    tags = plan_tags(api, str(existing.volume_id), existing.tags, request.all_tags(), new=True)
    return VolumePlan([existing.summary()], list(tags), existing)


def _existing(api: OutscaleApi, request: VolumeRequest) -> t.Optional[Volume]:
    if request.volume_id:
        return read_volume(api, request.volume_id, new=request.build_id is not None)
    volumes = volumes_of_build(api, str(request.build_id))
    if len(volumes) > 1:
        ids = [str(volume.volume_id) for volume in volumes]
        raise Conflict(
            "The build %s has %d volumes (%s) where one is asked for." % (request.build_id, len(ids), ", ".join(ids)),
            hint="Give volume_id.",
            volume_ids=ids,
        )
    return volumes[0] if volumes else None


def _check_same(existing: Volume, request: VolumeRequest) -> None:
    differences = []
    for name in ("snapshot_id", "size_gib", "volume_type", "iops", "subregion"):
        wanted, found = getattr(request, name), getattr(existing, name)
        if wanted is not None and wanted != found:
            differences.append("%s is %s, asked for is %s" % (name, found, wanted))
    if differences:
        raise Conflict(
            "Volume %s exists for this build, but %s." % (existing.volume_id, "; ".join(differences)),
            hint="Delete it first, or use another build id.",
            volume_id=existing.volume_id,
        )


def _check_snapshot(api: OutscaleApi, request: VolumeRequest) -> None:
    """Say of a volume that is too small more than that its size is wrong."""
    if not request.snapshot_id:
        return
    snapshot = read_snapshot(api, request.snapshot_id)
    least = snapshot.size_gib or 0
    if request.size_gib is not None and request.size_gib < least:
        raise Invalid(
            [
                "size_gib %d is smaller than snapshot %s, which has %d GiB."
                % (request.size_gib, request.snapshot_id, least)
            ],
            hint="A volume can be larger than its snapshot, never smaller.",
        )
    if snapshot.state == "error":
        raise Conflict("Snapshot %s is in state error." % request.snapshot_id, snapshot_id=request.snapshot_id)


def _plan_create(api: OutscaleApi, request: VolumeRequest) -> VolumePlan:
    predicted = Volume(
        volume_id=None,
        state="available",
        size_gib=request.size_gib,
        subregion=request.subregion,
        snapshot_id=request.snapshot_id,
        volume_type=request.volume_type,
        iops=request.iops,
        tags=request.all_tags(),
        build_id=str(request.build_id),
    )
    plan = VolumePlan([], [], predicted)
    plan.operations.append(CreateVolume(api, request, plan))
    return plan


class CreateVolume:
    """Create the volume, with a token that says whose it is, and tag it."""

    def __init__(self, api: OutscaleApi, request: VolumeRequest, plan: VolumePlan) -> None:
        self.api = api
        self.request = request
        self.plan = plan

    def describe(self) -> str:
        """See Operation.describe."""
        wanted = self.request
        size = "%d GiB" % wanted.size_gib if wanted.size_gib else "its snapshot's size"
        origin = "from %s" % wanted.snapshot_id if wanted.snapshot_id else "blank"
        return "create a volume: %s, %s, %s, in %s" % (
            size, wanted.volume_type or "standard", origin, wanted.subregion,
        )  # fmt: skip

    def execute(self) -> None:
        """See Operation.execute. A token whose volume is gone already is followed by the next one."""
        build_id = str(self.request.build_id)
        volume = with_fresh_token(build_id, "volume", self._create, self._is_over)
        self.plan.volume = volume
        set_tags(self.api, str(volume.volume_id), self.request.all_tags(), new=True)

    def _is_over(self, answer: Volume) -> bool:
        if not is_gone(answer):
            return False
        # It also looks old to a clock that is ahead of Outscale's: only what is not to be found is followed by another.
        return answer.state in ("deleting", "deleted") or not self._is_there(str(answer.volume_id))

    def _is_there(self, volume_id: str) -> bool:
        try:
            return read_volume(self.api, volume_id).state not in ("deleting", "deleted")
        except NotFound:
            return False

    def _create(self, token: str) -> Volume:
        wanted = self.request
        answer = self.api.call(
            "CreateVolume",
            "create a volume in %s" % wanted.subregion,
            SubregionName=wanted.subregion,
            SnapshotId=wanted.snapshot_id,
            Size=wanted.size_gib,
            VolumeType=wanted.volume_type,
            Iops=wanted.iops,
            ClientToken=token,
        )
        return Volume.from_api(answer["Volume"])


def is_gone(answer: Volume) -> bool:
    """Whether a create call was answered with a volume that an earlier call made and that was deleted since.

    A token is remembered for longer than a volume need live. The build's volumes were listed before, so one that is
    old enough to be listed and was not is no more.
    """
    if answer.state in ("deleting", "deleted"):
        return True
    return (age_seconds(answer.create_time) or 0) > NEW_ID_SECONDS


def apply_present(plan: VolumePlan, api: OutscaleApi, request: VolumeRequest) -> Volume:
    """Carry out a plan of C(plan_present), wait as asked, and return the volume."""
    try:
        for operation in plan.operations:
            operation.execute()
        volume_id = str(t.cast("Volume", plan.volume).volume_id)
        if request.waiting.enabled:
            plan.volume = await_available(api, volume_id, request.waiting, new=True)
        elif plan.operations:
            plan.volume = read_volume(api, volume_id, new=True)
    except BuildError as exc:
        exc.facts.setdefault("volume_id", plan.volume.volume_id if plan.volume else None)
        raise
    return t.cast("Volume", plan.volume)


def plan_absent(api: OutscaleApi, request: VolumeRequest) -> VolumePlan:
    """Plan to have no such volume: by id, or all of a build.

    Raises:
        Refused: the volume belongs to another build than the one given.
    """
    problems = build_id_problems(request.build_id)
    if problems:
        raise Invalid(problems)
    volumes = volumes_of_build(api, request.build_id) if request.build_id else []
    if request.volume_id and request.volume_id not in [volume.volume_id for volume in volumes]:
        volumes += _one_to_delete(api, request.volume_id, request.build_id)
    operations: t.List[Operation] = [DeleteVolume(api, volume, request.waiting) for volume in volumes]
    return VolumePlan([volume.summary() for volume in volumes], operations, volumes[0] if volumes else None)


def _one_to_delete(api: OutscaleApi, volume_id: str, build_id: t.Optional[str]) -> t.List[Volume]:
    try:
        volume = read_volume(api, volume_id)
    except NotFound:
        return []
    if volume.state in ("deleting", "deleted"):
        return []
    check_ownership("Volume %s" % volume_id, volume.build_id, build_id, volume_id=volume_id)
    return [volume]


class DeleteVolume:
    """Detach the volume where it is attached, and delete it."""

    def __init__(self, api: OutscaleApi, volume: Volume, waiting: Waiting) -> None:
        self.api = api
        self.volume = volume
        self.waiting = waiting

    def describe(self) -> str:
        """See Operation.describe."""
        if self.volume.attachments:
            return "detach and delete volume %s" % self.volume.volume_id
        return "delete volume %s" % self.volume.volume_id

    def execute(self) -> None:
        """See Operation.execute. A volume that has gone meanwhile is deleted enough."""
        volume_id = str(self.volume.volume_id)
        patience = Waiting(True, self.waiting.timeout_seconds, self.waiting.delay_seconds)
        if self.volume.attachments:
            detach(self.api, volume_id, patience)
        try:
            # One that is still being made cannot be deleted, and one that failed to be never gets ready.
            if self.volume.state == "creating":
                soon = Waiting(True, min(CREATING_SECONDS, patience.timeout_seconds), patience.delay_seconds)
                await_available(self.api, volume_id, soon, new=False)
        except (NotFound, Conflict, WaitTimeout):
            pass
        try:
            self.api.call("DeleteVolume", "delete volume %s" % volume_id, VolumeId=volume_id)
        except NotFound:
            return
        if self.waiting.enabled:
            await_gone(self.api, volume_id, self.waiting)


__all__ = (
    "CreateVolume",
    "DeleteVolume",
    "VolumePlan",
    "VolumeRequest",
    "apply_present",
    "is_gone",
    "plan_absent",
    "plan_present",
)
