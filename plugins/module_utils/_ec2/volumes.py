# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""EBS volumes as EC2 describes them, and waiting for what happens to them."""

from __future__ import annotations

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
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.watching import VOLUMES, watching
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    Busy,
    Conflict,
    NotFound,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG


@dataclass(frozen=True)
class Attachment:
    """Where a volume is attached."""

    volume_id: str
    instance_id: str
    device_name: str
    state: str
    delete_on_termination: bool = False

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Attachment:
        """From DescribeVolumes or AttachVolume."""
        return cls(
            volume_id=str(found.get("VolumeId", "")),
            instance_id=str(found.get("InstanceId", "")),
            device_name=str(found.get("Device", "")),
            state=str(found.get("State", "")),
            delete_on_termination=bool(found.get("DeleteOnTermination", False)),
        )

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Volume:
    """An EBS volume. C(volume_id) is None for one that is only planned."""

    volume_id: t.Optional[str]
    state: str
    size_gib: t.Optional[int]
    availability_zone: t.Optional[str]
    snapshot_id: t.Optional[str] = None
    volume_type: t.Optional[str] = None
    iops: t.Optional[int] = None
    throughput: t.Optional[int] = None
    encrypted: t.Optional[bool] = None
    kms_key_id: t.Optional[str] = None
    create_time: t.Optional[str] = None
    attachments: t.Tuple[Attachment, ...] = ()
    tags: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Volume:
        """From DescribeVolumes or CreateVolume."""
        return cls(
            volume_id=found.get("VolumeId"),
            state=str(found.get("State", "")),
            size_gib=found.get("Size"),
            availability_zone=found.get("AvailabilityZone"),
            snapshot_id=found.get("SnapshotId") or None,
            volume_type=found.get("VolumeType"),
            iops=found.get("Iops"),
            throughput=found.get("Throughput"),
            encrypted=found.get("Encrypted"),
            kms_key_id=found.get("KmsKeyId"),
            create_time=timestamp(found.get("CreateTime")),
            attachments=tuple(Attachment.from_api(one) for one in found.get("Attachments") or []),
            tags=tags_of(found),
        )

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        result = dict(self.__dict__, tags=dict(self.tags))
        result["attachments"] = [one.to_ansible() for one in self.attachments]
        return result

    def summary(self) -> str:
        """The volume in one line, for diffs."""
        origin = "from %s" % self.snapshot_id if self.snapshot_id else "blank"
        where = "".join(", attached to %s as %s" % (a.instance_id, a.device_name) for a in self.attachments)
        return "volume %s: %s GiB, %s, %s, %s%s" % (
            self.volume_id, self.size_gib, self.volume_type, origin, self.state, where,
        )  # fmt: skip


def describe_volume(api: Ec2Api, volume_id: str, *, new: bool = False) -> Volume:
    """One volume by id.

    Args:
        new: made by this build, so that EC2 may not know it everywhere yet.

    Raises:
        NotFound: there is no such volume.
    """

    def look() -> Volume:
        found = api.find("describe_volumes", "Volumes", "find volume %s" % volume_id, VolumeIds=[volume_id])
        if not found:
            raise NotFound("There is no volume %s in %s." % (volume_id, api.region), volume_id=volume_id)
        return Volume.from_api(found[0])

    return t.cast("Volume", api.retry_missing(look, new=new))


def list_volumes(api: Ec2Api, filters: t.Mapping[str, t.Union[str, t.Sequence[str]]]) -> t.List[Volume]:
    """The volumes that match and are not on their way out."""
    found = api.find("describe_volumes", "Volumes", "list volumes", Filters=filter_list(filters))
    volumes = [Volume.from_api(one) for one in found]
    return [volume for volume in volumes if volume.state not in ("deleting", "deleted")]


def volumes_of_build(api: Ec2Api, build_id: str) -> t.List[Volume]:
    """The volumes that carry this build's tag."""
    return list_volumes(api, {"tag:" + BUILD_ID_TAG: build_id})


def await_available(api: Ec2Api, volume_id: str, waiting: Waiting, *, new: bool) -> Volume:
    """Wait until a volume can be attached, or is.

    Raises:
        NotFound: the volume is not there, or has gone again.
        Conflict: it went into a state from which it will not become available.
        WaitTimeout: it is still being created.
    """
    last: t.List[Volume] = []

    def describe() -> Volume:
        try:
            return describe_volume(api, volume_id, new=new and not last)
        except NotFound as exc:
            raise _with_key_hint(exc) from exc

    with watching(api, VOLUMES, volume_id, Volume.from_api, describe) as look:

        def probe() -> t.Optional[Volume]:
            volume = look()
            last[:] = [volume]
            _check_not_failed(volume)
            return volume if volume.state in ("available", "in-use") else None

        return waiting.until(
            probe,
            on_timeout=lambda waited: WaitTimeout(
                "Volume %s is still in state %s after %d seconds." % (volume_id, last[0].state, waited),
                hint="Raise wait_timeout, or look at the volume in the console.",
                volume_id=volume_id,
            ),
            clock=api.clock,
        )


def _check_not_failed(volume: Volume) -> None:
    if volume.state in ("error", "deleting", "deleted"):
        raise Conflict(
            "Volume %s is in state %s, it will not become available." % (volume.volume_id, volume.state),
            hint="A key that may not be used is the usual reason for state error.",
            volume_id=volume.volume_id,
        )


def _with_key_hint(exc: NotFound) -> NotFound:
    # EC2 creates a volume, finds that it may not use the key, and removes the volume again:
    # https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
    return NotFound(
        exc.message,
        hint="If it had been created with a KMS key: EC2 removes a volume whose key it may not use.",
        **exc.facts,
    )


def await_gone(api: Ec2Api, volume_id: str, waiting: Waiting) -> None:
    """Wait until EC2 has deleted a volume."""

    def probe() -> t.Optional[bool]:
        try:
            found = api.find("describe_volumes", "Volumes", "find volume %s" % volume_id, VolumeIds=[volume_id])
        except NotFound:
            return True
        return True if not found or found[0].get("State") == "deleted" else None

    waiting.until(
        probe,
        on_timeout=lambda waited: WaitTimeout(
            "Volume %s is still there %d seconds after its deletion was accepted." % (volume_id, waited),
            volume_id=volume_id,
        ),
        clock=api.clock,
    )


def detach(
    api: Ec2Api, volume_id: str, waiting: Waiting, *, instance_id: t.Optional[str] = None, force: bool = False
) -> None:
    """Detach a volume and wait until it is free.

    Raises:
        Busy: the instance does not let go of it within the time given.
    """
    try:
        api.call(
            "detach_volume",
            "detach volume %s" % volume_id,
            VolumeId=volume_id,
            InstanceId=instance_id,
            Force=force or None,
        )
    except NotFound:
        return
    except Busy as exc:
        # "in the 'available' state": another detach was faster, or this one was sent twice.
        if error_code(exc) != "IncorrectState":
            raise
    if waiting.enabled:
        await_detached(api, volume_id, waiting)


def await_detached(api: Ec2Api, volume_id: str, waiting: Waiting) -> None:
    """Wait until a volume is attached nowhere."""
    last: t.List[Volume] = []

    with watching(api, VOLUMES, volume_id, Volume.from_api, lambda: describe_volume(api, volume_id)) as look:

        def probe() -> t.Optional[bool]:
            try:
                volume = look()
            except NotFound:
                return True
            last[:] = [volume]
            return True if not volume.attachments and volume.state != "in-use" else None

        waiting.until(probe, on_timeout=lambda waited: still_attached(last[0], waited), clock=api.clock)


def still_attached(volume: Volume, waited_seconds: float) -> Busy:
    """The error for a volume that an instance does not let go of."""
    where = ["%s as %s (state %s)" % (a.instance_id, a.device_name, a.state) for a in volume.attachments]
    return Busy(
        "Volume %s is still attached to %s after %d seconds."
        % (volume.volume_id, ", ".join(where) or "an instance", waited_seconds),
        hint="State busy means that the instance still uses the device: unmount what is mounted from it there.",
        volume_id=volume.volume_id,
        attachments=[a.to_ansible() for a in volume.attachments],
    )


__all__ = (
    "Attachment",
    "Volume",
    "await_available",
    "await_detached",
    "await_gone",
    "describe_volume",
    "detach",
    "list_volumes",
    "still_attached",
    "volumes_of_build",
)
