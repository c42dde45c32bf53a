# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CreateVolume, DescribeVolumes, DeleteVolume, ModifyVolume and what belongs to them."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from lab.ec2 import errors, volume_types
from lab.ec2.cloud import Action, Answer, Cloud, Region, Request, requested_tags
from lab.ec2.filters import Reader, flag, page, select, texts
from lab.ec2.models import Attachment, Snapshot, Volume, new_id, utc_now


@dataclass(frozen=True)
class VolumeRequest:
    """What a new volume is to be; the names are those of CreateVolume."""

    zone: str
    size_gib: int | None = None
    snapshot_id: str | None = None
    volume_type: str = "gp2"
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool = False
    kms_key_id: str | None = None
    multi_attach: bool = False

    @classmethod
    def from_params(cls, params: Mapping[str, t.Any], zone: str) -> VolumeRequest:
        return cls(
            zone=zone,
            size_gib=params.get("Size"),
            snapshot_id=params.get("SnapshotId") or None,
            volume_type=params.get("VolumeType") or "gp2",
            iops=params.get("Iops"),
            throughput=params.get("Throughput"),
            encrypted=bool(params.get("Encrypted")),
            kms_key_id=params.get("KmsKeyId"),
            multi_attach=bool(params.get("MultiAttachEnabled")),
        )


class Volumes:
    """The volume actions over the lab's state."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def actions(self) -> dict[str, Action]:
        return {
            "CreateVolume": self.create,
            "DeleteVolume": self.delete,
            "DescribeVolumes": self.describe,
            "ModifyVolume": self.modify,
            "DescribeVolumesModifications": self.describe_modifications,
            "DescribeVolumeStatus": self.describe_status,
            "DescribeVolumeAttribute": self.describe_attribute,
            "ModifyVolumeAttribute": self.modify_attribute,
        }

    def create(self, request: Request) -> Answer:
        with self._cloud.lock:
            tags = requested_tags(request.params, "volume")["volume"]
            zone = _zone(request)
            wanted = VolumeRequest.from_params(request.params, zone)
            volume = self.plan(request.region, wanted)
            volume.timeline = self._cloud.timeline("volume", request.fault)
            self.enter(request.region, volume, tags)
        self.fill(volume)
        return {**self.view(volume), "State": "creating"}

    def plan(self, region: Region, wanted: VolumeRequest) -> Volume:
        """A volume that is not entered yet.

        Raises:
            Ec2Error: EC2 would not make it.
        """
        snapshot = self._source(region, wanted)
        size = wanted.size_gib or (snapshot.size_gib if snapshot else 0)
        if not size:
            raise errors.missing("size/snapshot")
        if snapshot and size < snapshot.size_gib:
            raise errors.invalid_value(
                f"Volume of size {size}GB is smaller than snapshot '{snapshot.id}', "
                f"expect size >= {snapshot.size_gib}GB"
            )
        performance = volume_types.check(wanted.volume_type, size, wanted.iops, wanted.throughput)
        if wanted.multi_attach and not volume_types.VOLUME_TYPES[wanted.volume_type].multi_attach:
            raise errors.invalid_combination("MultiAttachEnabled is only supported for io1 and io2 volumes.")
        encrypted, key = _encryption(region, wanted, snapshot)
        return Volume(
            id=new_id("vol"),
            account=region.account_id,
            region=region.region_name,
            zone=wanted.zone,
            size_gib=size,
            volume_type=wanted.volume_type,
            timeline=self._cloud.timeline("volume", None),
            snapshot_id=wanted.snapshot_id or "",
            iops=performance.iops,
            throughput=performance.throughput,
            encrypted=encrypted,
            kms_key_id=key,
            multi_attach=wanted.multi_attach,
        )

    def _source(self, region: Region, wanted: VolumeRequest) -> Snapshot | None:
        if not wanted.snapshot_id:
            return None
        snapshot = self._cloud.snapshot(region, wanted.snapshot_id)
        if snapshot.state != "completed":
            raise errors.wrong_state(f"Snapshot is in invalid state - {snapshot.state}")
        return snapshot

    def enter(self, region: Region, volume: Volume, tags: Mapping[str, str]) -> None:
        region.volumes[volume.id] = volume
        if tags:
            region.create_tags([volume.id], dict(tags))

    def fill(self, volume: Volume) -> None:
        """Make the volume's bytes. Called without the lock: a copy may take seconds."""
        self._cloud.files.make_volume(volume.id, volume.size_gib, volume.snapshot_id or None)
        volume.filled = True

    def delete(self, request: Request) -> Answer:
        with self._cloud.lock:
            volume = self._cloud.volume(request.region, request.required("VolumeId"))
            self.remove(request.region, volume)
        return {}

    def remove(self, region: Region, volume: Volume) -> None:
        """Forget a volume and its bytes.

        Raises:
            Ec2Error: it is attached (VolumeInUse).
        """
        if volume.attachment:
            raise errors.Ec2Error(
                "VolumeInUse", f"Volume {volume.id} is currently attached to {volume.attachment.instance_id}"
            )
        del region.volumes[volume.id]
        region.tags.pop(volume.id, None)
        self._cloud.files.drop_volume(volume.id)

    def describe(self, request: Request) -> Answer:
        with self._cloud.lock:
            chosen = select(self._named(request), request.params.get("Filters"), FILTERS, self._cloud.tags_of)
            some, token = page(chosen, request.params, least=5, most=1000)
            return {"Volumes": [self.view(volume) for volume in some], "NextToken": token}

    def _named(self, request: Request) -> list[Volume]:
        ids = request.params.get("VolumeIds")
        if ids:
            return [self._cloud.volume(request.region, volume_id) for volume_id in ids]
        return [volume for volume in request.region.volumes.values() if volume.timeline.visible]

    def view(self, volume: Volume) -> Answer:
        """A volume as DescribeVolumes shows it."""
        return {
            "VolumeId": volume.id,
            "Size": volume.size_gib,
            "SnapshotId": volume.snapshot_id,
            "AvailabilityZone": volume.zone,
            "State": volume.state,
            "CreateTime": volume.created,
            "Attachments": [attachment_view(volume, volume.attachment)] if volume.attachment else [],
            "Encrypted": volume.encrypted,
            "KmsKeyId": volume.kms_key_id,
            "VolumeType": volume.volume_type,
            "Iops": volume.iops,
            "Throughput": volume.throughput,
            "MultiAttachEnabled": volume.multi_attach,
            "Tags": self._cloud.tag_list(volume) or None,
        }

    def modify(self, request: Request) -> Answer:
        with self._cloud.lock:
            volume = self._cloud.volume(request.region, request.required("VolumeId"))
            params = request.params
            size = params.get("Size") or volume.size_gib
            if size < volume.size_gib:
                raise errors.invalid_value(f"New size cannot be smaller than existing size {volume.size_gib} GiB")
            kind = params.get("VolumeType") or volume.volume_type
            kept = kind == volume.volume_type and volume_types.VOLUME_TYPES[kind].iops is not None
            iops = params.get("Iops") or (volume.iops if kept else None)
            throughput = params.get("Throughput") or (volume.throughput if kept else None)
            performance = volume_types.check(kind, size, iops, throughput)
            volume.modification = _modification(volume, size, kind, performance)
            grown = size > volume.size_gib
            volume.size_gib, volume.volume_type = size, kind
            volume.iops, volume.throughput = performance.iops, performance.throughput
        if grown:
            self._cloud.files.grow_volume(volume.id, size)
            self._cloud.devices.resize(volume.id)
        return {"VolumeModification": {**volume.modification, "ModificationState": "modifying", "Progress": 0}}

    def describe_modifications(self, request: Request) -> Answer:
        with self._cloud.lock:
            named = self._named(request)
            if request.params.get("VolumeIds") and not all(volume.modification for volume in named):
                gone = next(volume.id for volume in named if not volume.modification)
                raise errors.Ec2Error(
                    "InvalidVolumeModification.NotFound", f"Modification for volume '{gone}' does not exist."
                )
            found = [volume.modification for volume in named if volume.modification]
            chosen = select(found, request.params.get("Filters"), MODIFICATION_FILTERS, lambda _: {})
            some, token = page(chosen, request.params, least=5, most=500)
            return {"VolumesModifications": some, "NextToken": token}

    def describe_status(self, request: Request) -> Answer:
        with self._cloud.lock:
            chosen = select(self._named(request), request.params.get("Filters"), FILTERS, self._cloud.tags_of)
            some, token = page(chosen, request.params, least=5, most=1000)
            return {"VolumeStatuses": [_status(volume) for volume in some], "NextToken": token}

    def describe_attribute(self, request: Request) -> Answer:
        with self._cloud.lock:
            volume = self._cloud.volume(request.region, request.required("VolumeId"))
            answer: Answer = {"VolumeId": volume.id}
            if request.required("Attribute") == "autoEnableIO":
                answer["AutoEnableIO"] = {"Value": volume.auto_enable_io}
            else:
                answer["ProductCodes"] = []
            return answer

    def modify_attribute(self, request: Request) -> Answer:
        with self._cloud.lock:
            volume = self._cloud.volume(request.region, request.required("VolumeId"))
            volume.auto_enable_io = bool(request.required("AutoEnableIO").get("Value"))
        return {}


def attachment_view(volume: Volume, attachment: Attachment) -> Answer:
    """An attachment as DescribeVolumes, AttachVolume and DetachVolume show it."""
    return {
        "VolumeId": volume.id,
        "InstanceId": attachment.instance_id,
        "Device": attachment.device,
        "State": attachment.state,
        "AttachTime": attachment.attach_time,
        "DeleteOnTermination": bool(attachment.block.delete_on_termination),
    }


def _zone(request: Request) -> str:
    zones = request.region.zone_ids()
    zone = request.params.get("AvailabilityZone")
    zone_id = request.params.get("AvailabilityZoneId")
    if not zone and not zone_id:
        raise errors.missing("availabilityZone")
    zone = zone or next((name for name, known in zones.items() if known == zone_id), zone_id)
    if zone not in zones:
        raise errors.Ec2Error("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
    return str(zone)


def _encryption(region: Region, wanted: VolumeRequest, snapshot: Snapshot | None) -> tuple[bool, str | None]:
    """Encrypted when asked for, when the snapshot is, or when the account encrypts by default."""
    if wanted.kms_key_id and not wanted.encrypted:
        raise errors.Ec2Error(
            "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
        )
    inherited = snapshot.kms_key_id if snapshot and snapshot.encrypted else None
    if not (wanted.encrypted or inherited or region.ebs_encryption_by_default):
        return False, None
    if inherited and not wanted.kms_key_id:
        return True, inherited
    return True, region.kms_key_arn(wanted.kms_key_id)


def _modification(volume: Volume, size: int, kind: str, new: volume_types.Performance) -> Answer:
    return {
        "VolumeId": volume.id,
        "ModificationState": "completed",
        "TargetSize": size,
        "TargetIops": new.iops,
        "TargetVolumeType": kind,
        "TargetThroughput": new.throughput,
        "OriginalSize": volume.size_gib,
        "OriginalIops": volume.iops,
        "OriginalVolumeType": volume.volume_type,
        "OriginalThroughput": volume.throughput,
        "Progress": 100,
        "StartTime": utc_now(),
        "EndTime": utc_now(),
    }


def _status(volume: Volume) -> Answer:
    details = [{"Name": "io-enabled", "Status": "passed"}, {"Name": "io-performance", "Status": "not-applicable"}]
    state = "impaired" if volume.state == "error" else "insufficient-data" if volume.state == "creating" else "ok"
    return {
        "VolumeId": volume.id,
        "AvailabilityZone": volume.zone,
        "VolumeStatus": {"Status": state, "Details": details},
        "Actions": [],
        "Events": [],
    }


def _attached(read: t.Callable[[Attachment], object]) -> Reader[Volume]:
    return lambda volume: texts(read(volume.attachment)) if volume.attachment else []


FILTERS: dict[str, Reader[Volume]] = {
    "attachment.attach-time": _attached(lambda one: one.attach_time.isoformat()),
    "attachment.delete-on-termination": _attached(lambda one: flag(one.block.delete_on_termination)),
    "attachment.device": _attached(lambda one: one.device),
    "attachment.instance-id": _attached(lambda one: one.instance_id),
    "attachment.status": _attached(lambda one: one.state),
    "availability-zone": lambda volume: [volume.zone],
    "create-time": lambda volume: [f"{volume.created.isoformat(timespec='milliseconds')}Z"],
    "encrypted": lambda volume: [flag(volume.encrypted)],
    "fast-restored": lambda volume: ["false"],
    "multi-attach-enabled": lambda volume: [flag(volume.multi_attach)],
    "operator.managed": lambda volume: ["false"],
    "size": lambda volume: [str(volume.size_gib)],
    "snapshot-id": lambda volume: texts(volume.snapshot_id or None),
    "status": lambda volume: [volume.state],
    "volume-id": lambda volume: [volume.id],
    "volume-type": lambda volume: [volume.volume_type],
}
MODIFICATION_FILTERS: dict[str, Reader[Answer]] = {
    "modification-state": lambda one: [one["ModificationState"]],
    "original-size": lambda one: [str(one["OriginalSize"])],
    "original-volume-type": lambda one: [one["OriginalVolumeType"]],
    "target-size": lambda one: [str(one["TargetSize"])],
    "target-volume-type": lambda one: [one["TargetVolumeType"]],
    "volume-id": lambda one: [one["VolumeId"]],
}
