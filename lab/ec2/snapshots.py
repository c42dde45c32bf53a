# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CreateSnapshot, CopySnapshot, DescribeSnapshots, DeleteSnapshot and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping

from lab.ec2 import errors
from lab.ec2.cloud import Action, Answer, Cloud, Region, Request, requested_tags
from lab.ec2.filters import Reader, flag, page, select, texts
from lab.ec2.models import Snapshot, Volume, new_id
from lab.settings import Fault


class Snapshots:
    """The snapshot actions over the lab's state."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def actions(self) -> dict[str, Action]:
        return {
            "CreateSnapshot": self.create,
            "CreateSnapshots": self.create_several,
            "CopySnapshot": self.copy,
            "DeleteSnapshot": self.delete,
            "DescribeSnapshots": self.describe,
        }

    def create(self, request: Request) -> Answer:
        with self._cloud.lock:
            tags = requested_tags(request.params, "snapshot")["snapshot"]
            volume = self._cloud.volume(request.region, request.required("VolumeId"))
        snapshot = self.take(request.region, volume, request.params.get("Description") or "", tags, request.fault)
        return {**self.view(snapshot), "State": "pending", "Progress": ""}

    def take(
        self, region: Region, volume: Volume, description: str, tags: Mapping[str, str], fault: Fault | None
    ) -> Snapshot:
        """Freeze the bytes a volume has now. Called without the lock: a copy may take seconds.

        Raises:
            Ec2Error: the volume has no bytes to freeze (IncorrectState).
        """
        with self._cloud.lock:
            if volume.state not in ("available", "in-use"):
                raise errors.wrong_state(f"Volume '{volume.id}' is in the '{volume.state}' state.")
            snapshot = Snapshot(
                id=new_id("snap"),
                account=region.account_id,
                region=region.region_name,
                volume_id=volume.id,
                size_gib=volume.size_gib,
                timeline=self._cloud.timeline("snapshot", fault),
                description=description,
                encrypted=volume.encrypted,
                kms_key_id=volume.kms_key_id,
                parent_id=volume.snapshot_id or None,
            )
            self.enter(region, snapshot, tags)
        self._cloud.devices.flush(volume.id)
        self._cloud.files.freeze_volume(volume.id, snapshot.id)
        snapshot.sealed = True
        return snapshot

    def enter(self, region: Region, snapshot: Snapshot, tags: Mapping[str, str]) -> None:
        region.snapshots[snapshot.id] = snapshot
        if tags:
            region.create_tags([snapshot.id], dict(tags))

    def create_several(self, request: Request) -> Answer:
        params = request.params
        with self._cloud.lock:
            tags = requested_tags(params, "snapshot")["snapshot"]
            which = request.required("InstanceSpecification")
            instance = request.region.get_instance(which.get("InstanceId") or "")
            left_out = set(which.get("ExcludeDataVolumeIds") or ())
            volumes = [
                self._cloud.volume(request.region, block.volume_id)
                for device, block in instance.block_device_mapping.items()
                if block.volume_id not in left_out
                and not (which.get("ExcludeBootVolume") and device == instance.root_device_name)
            ]
        taken = []
        for volume in volumes:
            own = dict(self._cloud.tags_of(volume)) if params.get("CopyTagsFromSource") == "volume" else {}
            taken.append(
                self.take(request.region, volume, params.get("Description") or "", {**own, **tags}, request.fault)
            )
        return {"Snapshots": [{**self.view(snapshot), "State": "pending", "Progress": ""} for snapshot in taken]}

    def copy(self, request: Request) -> Answer:
        params = request.params
        with self._cloud.lock:
            tags = requested_tags(params, "snapshot")["snapshot"]
            source_region = self._cloud.region(request.account, request.required("SourceRegion"))
            source = self._cloud.snapshot(source_region, request.required("SourceSnapshotId"))
            copy = self.copied(
                request.region,
                source,
                params.get("Description") or f"[Copied {source.id} from {source_region.region_name}]",
                encrypted=bool(params.get("Encrypted")),
                kms_key_id=params.get("KmsKeyId"),
                fault=request.fault,
            )
            self.enter(request.region, copy, tags)
            return {"SnapshotId": copy.id, "Tags": self._cloud.tag_list(copy)}

    def copied(
        self,
        region: Region,
        source: Snapshot,
        description: str,
        *,
        encrypted: bool,
        kms_key_id: str | None,
        fault: Fault | None,
    ) -> Snapshot:
        """A snapshot with the bytes of another, not entered yet.

        Raises:
            Ec2Error: the source is not completed, or a key without encryption was asked for.
        """
        if source.state != "completed":
            raise errors.wrong_state(f"Snapshot is in invalid state - {source.state}")
        if kms_key_id and not encrypted:
            raise errors.Ec2Error(
                "InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set."
            )
        secret = encrypted or source.encrypted or region.ebs_encryption_by_default
        # A copy within the region keeps the source's key; elsewhere that key does not exist.
        kept = source.kms_key_id if source.region == region.region_name and not encrypted else None
        copy = Snapshot(
            id=new_id("snap"),
            account=region.account_id,
            region=region.region_name,
            volume_id="vol-ffffffff",  # what EC2 shows for every copy
            size_gib=source.size_gib,
            timeline=self._cloud.timeline("snapshot", fault),
            description=description,
            encrypted=secret,
            kms_key_id=(kept or region.kms_key_arn(kms_key_id)) if secret else None,
            sealed=True,
            parent_id=source.parent_id,
        )
        self._cloud.files.share_snapshot(source.id, copy.id)
        return copy

    def delete(self, request: Request) -> Answer:
        with self._cloud.lock:
            snapshot = self._cloud.snapshot(request.region, request.required("SnapshotId"), own=True)
            self.remove(request.region, snapshot)
        return {}

    def remove(self, region: Region, snapshot: Snapshot) -> None:
        """Forget a snapshot and its bytes.

        Raises:
            Ec2Error: an image uses it (InvalidSnapshot.InUse), or it is locked.
        """
        for image in region.amis.values():
            if snapshot.id in image.snapshot_ids:
                raise errors.Ec2Error(
                    "InvalidSnapshot.InUse", f"The snapshot {snapshot.id} is currently in use by {image.id}"
                )
        if snapshot.lock:
            raise errors.Ec2Error("SnapshotLocked", f"The snapshot {snapshot.id} is locked and cannot be deleted.")
        del region.snapshots[snapshot.id]
        region.tags.pop(snapshot.id, None)
        self._cloud.files.drop_snapshot(snapshot.id)

    def describe(self, request: Request) -> Answer:
        with self._cloud.lock:
            chosen = select(self._named(request), request.params.get("Filters"), FILTERS, self._cloud.tags_of)
            some, token = page(chosen, request.params, least=5, most=1000)
            return {"Snapshots": [self.view(snapshot) for snapshot in some], "NextToken": token}

    def _named(self, request: Request) -> list[Snapshot]:
        params, region = request.params, request.region
        if params.get("SnapshotIds"):
            found = [self._cloud.snapshot(region, snapshot_id) for snapshot_id in params["SnapshotIds"]]
        else:
            found = self._cloud.snapshots_seen_from(region)
        owners = {request.account if owner == "self" else owner for owner in params.get("OwnerIds") or ()}
        if owners:
            found = [snapshot for snapshot in found if snapshot.account in owners]
        users = {request.account if user == "self" else user for user in params.get("RestorableByUserIds") or ()}
        if users:
            found = [one for one in found if one.public or one.account in users or one.users & users]
        return found

    def view(self, snapshot: Snapshot) -> Answer:
        """A snapshot as DescribeSnapshots shows it."""
        done = snapshot.state == "completed"
        return {
            "SnapshotId": snapshot.id,
            "VolumeId": snapshot.volume_id,
            "State": snapshot.state,
            "StateMessage": "An internal error has occurred" if snapshot.state == "error" else None,
            "StartTime": snapshot.started,
            "CompletionTime": snapshot.started if done else None,
            "Progress": snapshot.progress,
            "OwnerId": snapshot.account,
            "Description": snapshot.description,
            "VolumeSize": snapshot.size_gib,
            "Encrypted": snapshot.encrypted,
            "KmsKeyId": snapshot.kms_key_id,
            "StorageTier": snapshot.storage_tier,
            "TransferType": snapshot.transfer_type if done else None,
            "Tags": self._cloud.tag_list(snapshot) or None,
        }


FILTERS: dict[str, Reader[Snapshot]] = {
    "description": lambda one: [one.description],
    "encrypted": lambda one: [flag(one.encrypted)],
    "owner-alias": lambda one: [],
    "owner-id": lambda one: [one.account],
    "progress": lambda one: [one.progress],
    "snapshot-id": lambda one: [one.id],
    "start-time": lambda one: [f"{one.started.isoformat(timespec='milliseconds')}Z"],
    "status": lambda one: [one.state],
    "storage-tier": lambda one: [one.storage_tier],
    "transfer-type": lambda one: texts(one.transfer_type),
    "volume-id": lambda one: [one.volume_id],
    "volume-size": lambda one: [str(one.size_gib)],
}
