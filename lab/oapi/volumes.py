# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CreateVolume, ReadVolumes, UpdateVolume, DeleteVolume.

Sizes, types and rates: https://docs.outscale.com/en/userguide/About-Volumes.html and the description of CreateVolume.
"""

from __future__ import annotations

import typing as t

from lab.ec2.models import Snapshot, Volume
from lab.oapi.errors import bad_combination, error, missing, not_there
from lab.oapi.filters import Reader, page, select, tag_readers
from lab.oapi.state import Action, Answer, OscVolume, Request, World, date, new_id

LARGEST_GIB = 14901
IOPS = (100, 13000)
IOPS_PER_GIB = 300
TYPES = ("standard", "gp2", "io1")
#: What a gp2 volume has without being asked: 3 for each GiB, within these.
GP2_IOPS = (100, 10000)


class Volumes:
    """The calls that make, show, change and delete volumes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cloud = world.cloud

    def actions(self) -> dict[str, Action]:
        return {
            "CreateVolume": self.create,
            "DeleteVolume": self.delete,
            "ReadVolumes": self.read,
            "UpdateVolume": self.update,
        }

    def create(self, request: Request) -> Answer:
        params = request.params
        with self._cloud.lock:
            volume = self._planned(request)
            request.where.volumes[volume.id] = volume
            if params.get("ClientToken"):
                request.where.client_tokens[volume.id] = params["ClientToken"]
        try:
            self._cloud.files.make_volume(volume.id, volume.size_gib, volume.snapshot_id or None)
        except OSError:
            # A full disk is the lab's mishap: what has no bytes is not to stay.
            with self._cloud.lock:
                self._world.drop(request.where, volume)
            raise
        volume.filled = True
        return {"Volume": {**self.view(request, volume), "State": "creating"}}

    def _planned(self, request: Request) -> Volume:
        params = request.params
        if params["SubregionName"] not in request.where.zone_ids():
            raise not_there("5009", "SubregionName", params["SubregionName"])
        snapshot = self._source(request)
        size = params.get("Size") or (snapshot.size_gib if snapshot else 0)
        if not size:
            raise missing("Size")
        if snapshot and size < snapshot.size_gib:
            raise error(
                "4078", f"The volume's size {size} is smaller than the snapshot's, which is {snapshot.size_gib}."
            )
        kind = params.get("VolumeType") or "standard"
        return OscVolume(
            id=new_id("vol"),
            account=request.account,
            region=request.where.region_name,
            zone=params["SubregionName"],
            size_gib=size,
            volume_type=kind,
            timeline=self._cloud.timeline("volume", request.fault),
            snapshot_id=snapshot.id if snapshot else "",
            iops=checked_iops(kind, size, params.get("Iops")),
        )

    def _source(self, request: Request) -> Snapshot | None:
        snapshot_id = request.params.get("SnapshotId")
        if not snapshot_id:
            return None
        snapshot = self._world.snapshot(request, snapshot_id)
        if snapshot.state != "completed":
            raise error("6003", f"The snapshot '{snapshot.id}' is {snapshot.state}, not completed.")
        return snapshot

    def delete(self, request: Request) -> Answer:
        with self._cloud.lock:
            volume = self._world.volume(request, request.params["VolumeId"])
            if volume.attachment or volume.state in ("creating", "deleting"):
                raise error("6007", f"The volume '{volume.id}' is {volume.state}; only available ones are deleted.")
            self._world.delete(request.where, volume)
        return {}

    def read(self, request: Request) -> Answer:
        with self._cloud.lock:
            visible = [volume for volume in request.where.volumes.values() if volume.timeline.visible]
            some, following = page(
                select(visible, request.params, self.readers(request), "ReadVolumes"), request.params
            )
            return {"Volumes": [self.view(request, volume) for volume in some], **following}

    def update(self, request: Request) -> Answer:
        params = request.params
        with self._cloud.lock:
            volume = self._world.volume(request, params["VolumeId"])
            if volume.state not in ("available", "in-use"):
                raise error("6007", f"The volume '{volume.id}' is {volume.state}.")
            size = params.get("Size") or volume.size_gib
            if size < volume.size_gib:
                raise error(
                    "4078", f"The size of the volume '{volume.id}' is {volume.size_gib}; it cannot become {size}."
                )
            kind = params.get("VolumeType") or volume.volume_type
            kept = volume.iops if kind == volume.volume_type == "io1" else None
            volume.iops = checked_iops(kind, size, params.get("Iops") or kept)
            grown, volume.size_gib, volume.volume_type = size > volume.size_gib, size, kind
        if grown:
            self._cloud.files.grow_volume(volume.id, size)
            self._cloud.devices.resize(volume.id)
        return {"Volume": self.view(request, volume)}

    def view(self, request: Request, volume: Volume) -> Answer:
        """A volume as ReadVolumes shows it."""
        token = request.where.client_tokens.get(volume.id)
        return {
            "VolumeId": volume.id,
            "State": volume.state,
            "Size": volume.size_gib,
            "VolumeType": volume.volume_type,
            "SubregionName": volume.zone,
            "CreationDate": date(volume.created),
            "LinkedVolumes": linked(volume),
            "Tags": request.where.tag_list(volume.id),
            **({"SnapshotId": volume.snapshot_id} if volume.snapshot_id else {}),
            **({"Iops": volume.iops} if volume.iops else {}),
            **({"ClientToken": token} if token else {}),
        }

    def readers(self, request: Request) -> dict[str, Reader[Volume]]:
        where = request.where

        def links(name: str) -> Reader[Volume]:
            return lambda volume: [link[name] for link in linked(volume)]

        return {
            **tag_readers(lambda volume: where.tags.get(volume.id, {})),
            "ClientTokens": lambda volume: [where.client_tokens.get(volume.id)],
            "CreationDates": lambda volume: [date(volume.created)],
            "LinkVolumeDeleteOnVmDeletion": links("DeleteOnVmDeletion"),
            "LinkVolumeDeviceNames": links("DeviceName"),
            "LinkVolumeLinkDates": lambda one: [date(one.attachment.attach_time)] if one.attachment else [],
            "LinkVolumeLinkStates": links("State"),
            "LinkVolumeVmIds": links("VmId"),
            "SnapshotIds": lambda volume: [volume.snapshot_id],
            "SubregionNames": lambda volume: [volume.zone],
            "VolumeIds": lambda volume: [volume.id],
            "VolumeSizes": lambda volume: [volume.size_gib],
            "VolumeStates": lambda volume: [volume.state],
            "VolumeTypes": lambda volume: [volume.volume_type],
        }


def linked(volume: Volume) -> list[dict[str, t.Any]]:
    """The links of a volume: one or none."""
    attachment = volume.attachment
    if attachment is None:
        return []
    link = {
        "DeleteOnVmDeletion": bool(attachment.block.delete_on_termination),
        "DeviceName": attachment.device,
        # The API has no word for a device that is still in use.
        "State": "detaching" if attachment.state == "busy" else attachment.state,
        "VmId": attachment.instance_id,
        "VolumeId": volume.id,
    }
    return [link]


def checked_iops(kind: str, size: int, iops: int | None) -> int | None:
    """The rate of a volume that is to be made; none for a standard one.

    Raises:
        OapiError: a type, size or rate that there is not.
    """
    if kind not in TYPES:
        raise error("4073", f"The VolumeType '{kind}' is none of {', '.join(TYPES)}.")
    if not 1 <= size <= LARGEST_GIB:
        raise error("4078", f"The size {size} is not between 1 and {LARGEST_GIB} GiB.")
    if kind != "io1":
        if iops is not None:
            raise bad_combination("The parameter 'Iops' is only for volumes of the type io1.")
        return None if kind == "standard" else max(GP2_IOPS[0], min(GP2_IOPS[1], 3 * size))
    if iops is None:
        raise missing("Iops")
    if not IOPS[0] <= iops <= IOPS[1] or iops > size * IOPS_PER_GIB:
        raise error(
            "4029", f"{iops} IOPS are not between {IOPS[0]} and {IOPS[1]}, or more than {IOPS_PER_GIB} for each GiB."
        )
    return iops
