# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Having, or not having, the volume of a build: observe, plan, apply."""

from __future__ import annotations

import datetime
import email.utils
import hashlib
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import (
    NEW_ID_SECONDS,
    Ec2Api,
    tag_specifications,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import volume_problems
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.tagging import check_ownership, plan_tags
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volumes import (
    Volume,
    await_available,
    await_gone,
    describe_volume,
    detach,
    volumes_of_build,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Conflict,
    Invalid,
    NotFound,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    build_id_problems,
    ownership_tags,
    tag_problems,
    text_tags,
)


@dataclass(frozen=True)
class VolumeRequest:
    """A volume that a build wants. Sizes in GiB, throughput in MiB/s; None is EC2's default."""

    build_id: t.Optional[str] = None
    volume_id: t.Optional[str] = None
    snapshot_id: t.Optional[str] = None
    size_gib: t.Optional[int] = None
    volume_type: t.Optional[str] = None
    iops: t.Optional[int] = None
    throughput: t.Optional[int] = None
    encrypted: t.Optional[bool] = None
    kms_key_id: t.Optional[str] = None
    availability_zone: t.Optional[str] = None
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
        """All mistakes that can be seen without asking EC2."""
        problems = build_id_problems(self.build_id)
        problems += tag_problems(self.tags, ours=ownership_tags(build_id=self.build_id))
        problems += volume_problems(
            volume_type=self.volume_type,
            size_gib=self.size_gib,
            iops=self.iops,
            throughput=self.throughput,
            encrypted=self.encrypted,
            kms_key_id=self.kms_key_id,
        )
        if not self.snapshot_id and not self.size_gib and not self.volume_id:
            problems.append("Give snapshot_id or size_gib, or both: a volume has a size or takes its snapshot's.")
        return problems


@dataclass
class VolumePlan:
    """What is there, what has to be done, and the volume: predicted, or real once applied."""

    before: t.List[str]
    operations: t.List[Operation]
    volume: t.Optional[Volume]


def plan_present(api: Ec2Api, request: VolumeRequest) -> VolumePlan:
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
    operations: t.List[Operation] = list(
        plan_tags(api, str(existing.volume_id), existing.tags, request.all_tags(), new=True)
    )
    return VolumePlan([existing.summary()], operations, existing)


def _existing(api: Ec2Api, request: VolumeRequest) -> t.Optional[Volume]:
    if request.volume_id:
        return describe_volume(api, request.volume_id, new=request.build_id is not None)
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
    for name in ("snapshot_id", "size_gib", "volume_type", "iops", "throughput", "encrypted", "availability_zone"):
        wanted, found = getattr(request, name), getattr(existing, name)
        # Encryption that was not asked for is an account's default, or the snapshot's.
        if wanted is not None and wanted != found and not (name == "encrypted" and found):
            differences.append("%s is %s, asked for is %s" % (name, found, wanted))
    if differences:
        raise Conflict(
            "Volume %s exists for this build, but %s." % (existing.volume_id, "; ".join(differences)),
            hint="Delete it first, or use another build id.",
            volume_id=existing.volume_id,
        )


def _check_snapshot(api: Ec2Api, request: VolumeRequest) -> None:
    """EC2 says of a volume that is too small only that a parameter is invalid."""
    if not request.snapshot_id:
        return

    def look() -> t.Dict[str, t.Any]:
        found = api.find(
            "describe_snapshots",
            "Snapshots",
            "find snapshot %s" % request.snapshot_id,
            SnapshotIds=[request.snapshot_id],
        )
        if not found:
            raise NotFound("There is no snapshot %s in %s." % (request.snapshot_id, api.region))
        return found[0]

    snapshot = api.retry_missing(look, new=False)
    least = snapshot.get("VolumeSize") or 0
    if request.size_gib is not None and request.size_gib < least:
        raise Invalid(
            [
                "size_gib %d is smaller than snapshot %s, which has %d GiB."
                % (request.size_gib, request.snapshot_id, least)
            ],
            hint="A volume can be larger than its snapshot, never smaller.",
        )
    if snapshot.get("State") == "error":
        raise Conflict("Snapshot %s is in state error: %s" % (request.snapshot_id, snapshot.get("StateMessage")))


def _plan_create(api: Ec2Api, request: VolumeRequest) -> VolumePlan:
    predicted = Volume(
        volume_id=None,
        state="available",
        size_gib=request.size_gib,
        availability_zone=request.availability_zone,
        snapshot_id=request.snapshot_id,
        volume_type=request.volume_type,
        iops=request.iops,
        throughput=request.throughput,
        encrypted=request.encrypted,
        kms_key_id=request.kms_key_id,
        tags=request.all_tags(),
    )
    plan = VolumePlan([], [], predicted)
    plan.operations.append(CreateVolume(api, request, plan))
    return plan


class CreateVolume:
    """Create the volume, tagged."""

    def __init__(self, api: Ec2Api, request: VolumeRequest, plan: VolumePlan) -> None:
        self.api = api
        self.request = request
        self.plan = plan

    def describe(self) -> str:
        """See Operation.describe."""
        wanted = self.request
        size = "%d GiB" % wanted.size_gib if wanted.size_gib else "its snapshot's size"
        origin = "from %s" % wanted.snapshot_id if wanted.snapshot_id else "blank"
        return "create a volume: %s, %s, %s, in %s" % (
            size, wanted.volume_type or "EC2's default type", origin, wanted.availability_zone,
        )  # fmt: skip

    def execute(self) -> None:
        """See Operation.execute. A token whose volume is gone already is followed by the next one."""
        for serial in range(10):
            answer = self._create(serial)
            if not is_gone(answer):
                self.plan.volume = Volume.from_api(answer)
                return
        raise Conflict("EC2 returns deleted volumes for the build %s." % self.request.build_id)

    def _create(self, serial: int) -> t.Dict[str, t.Any]:
        wanted = self.request
        return self.api.call(
            "create_volume",
            "create a volume in %s" % wanted.availability_zone,
            AvailabilityZone=wanted.availability_zone,
            SnapshotId=wanted.snapshot_id,
            Size=wanted.size_gib,
            VolumeType=wanted.volume_type,
            Iops=wanted.iops,
            Throughput=wanted.throughput,
            Encrypted=wanted.encrypted,
            KmsKeyId=wanted.kms_key_id,
            TagSpecifications=tag_specifications(wanted.all_tags(), "volume"),
            ClientToken=client_token(str(wanted.build_id), "volume", str(serial)),
        )


def is_gone(answer: t.Mapping[str, t.Any]) -> bool:
    """Whether a create call was answered with a volume that was made by an earlier call and deleted since.

    EC2 remembers the answer to a token for longer than the volume need live. The build's volumes were
    listed before, so one that is old enough to be listed and was not is no more.
    """
    if answer.get("State") in ("deleting", "deleted"):
        return True
    created = answer.get("CreateTime")
    header = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    now = email.utils.parsedate_to_datetime(header) if header else None
    if not isinstance(created, datetime.datetime) or now is None:
        return False
    return (now - created).total_seconds() > NEW_ID_SECONDS


def client_token(build_id: str, *what: str) -> str:
    """The token that makes EC2 do a create call of a build once, however often it is sent."""
    return hashlib.sha256("\0".join((build_id,) + what).encode()).hexdigest()[:64]


def apply_present(plan: VolumePlan, api: Ec2Api, request: VolumeRequest) -> Volume:
    """Carry out a plan of C(plan_present), wait as asked, and return the volume."""
    for operation in plan.operations:
        operation.execute()
    volume = t.cast("Volume", plan.volume)
    try:
        if request.waiting.enabled:
            volume = await_available(api, str(volume.volume_id), request.waiting, new=True)
        elif plan.operations:
            volume = describe_volume(api, str(volume.volume_id), new=True)
    except BuildError as exc:
        exc.facts.setdefault("volume_id", volume.volume_id)
        raise
    plan.volume = volume
    return volume


def plan_absent(api: Ec2Api, request: VolumeRequest) -> VolumePlan:
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


def _one_to_delete(api: Ec2Api, volume_id: str, build_id: t.Optional[str]) -> t.List[Volume]:
    try:
        volume = describe_volume(api, volume_id, new=False)
    except NotFound:
        return []
    if volume.state in ("deleting", "deleted"):
        return []
    check_ownership("Volume %s" % volume_id, volume.tags, build_id, volume_id=volume_id)
    return [volume]


class DeleteVolume:
    """Detach the volume where it is attached, and delete it."""

    def __init__(self, api: Ec2Api, volume: Volume, waiting: Waiting) -> None:
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
        for attachment in self.volume.attachments:
            patience = Waiting(True, self.waiting.timeout_seconds, self.waiting.delay_seconds)
            detach(self.api, volume_id, patience, instance_id=attachment.instance_id)
        try:
            self.api.call("delete_volume", "delete volume %s" % volume_id, VolumeId=volume_id)
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
    "client_token",
    "is_gone",
    "plan_absent",
    "plan_present",
)
