# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CreateSnapshot, ReadSnapshots, UpdateSnapshot, DeleteSnapshot."""

from __future__ import annotations

from lab.ec2.models import Snapshot, Volume
from lab.oapi.errors import bad_combination, error, not_there
from lab.oapi.filters import Reader, between, page, select, tag_readers
from lab.oapi.permissions import change, view
from lab.oapi.state import Action, Answer, OscSnapshot, Request, World, alias, date, new_id

#: Percent below which a snapshot is still waiting for its turn.
QUEUED = 10


class Snapshots:
    """The calls that make, show, share and delete snapshots."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._cloud = world.cloud

    def actions(self) -> dict[str, Action]:
        return {
            "CreateSnapshot": self.create,
            "DeleteSnapshot": self.delete,
            "ReadSnapshots": self.read,
            "UpdateSnapshot": self.update,
        }

    def create(self, request: Request) -> Answer:
        sources = [name for name in ("VolumeId", "SourceSnapshotId", "FileLocation") if request.params.get(name)]
        if len(sources) != 1:
            raise bad_combination("One of the parameters 'VolumeId', 'SourceSnapshotId', 'FileLocation' is required.")
        if sources == ["FileLocation"]:
            raise error("4002", "The lab has no buckets to import snapshots from.")
        if sources == ["VolumeId"]:
            with self._cloud.lock:
                volume = self._world.volume(request, request.params["VolumeId"])
            snapshot = self.take(request, volume, request.params.get("Description") or "")
        else:
            with self._cloud.lock:
                snapshot = self._copied(request)
                self._enter(request, snapshot)
        state = snapshot.state if sources == ["SourceSnapshotId"] else "pending"
        return {"Snapshot": {**self.view(request, snapshot), "State": state}}

    def take(self, request: Request, volume: Volume, description: str) -> Snapshot:
        """Freeze the bytes that a volume has now. Called without the lock: a copy may take seconds.

        Raises:
            OapiError: the volume has no bytes to freeze.
        """
        with self._cloud.lock:
            if volume.state not in ("available", "in-use"):
                raise error("6007", f"The volume '{volume.id}' is {volume.state}.")
            snapshot = OscSnapshot(
                id=new_id("snap"),
                account=request.account,
                region=request.where.region_name,
                volume_id=volume.id,
                size_gib=volume.size_gib,
                timeline=self._cloud.timeline("snapshot", request.fault),
                description=description,
            )
            self._enter(request, snapshot)
        try:
            self._cloud.devices.flush(volume.id)
            self._cloud.files.freeze_volume(volume.id, snapshot.id)
        except OSError:
            # A full disk is the lab's mishap: what has no bytes is not to stay.
            with self._cloud.lock:
                self._world.drop(request.where, snapshot)
            raise
        snapshot.sealed = True
        return snapshot

    def _copied(self, request: Request) -> Snapshot:
        params = request.params
        if params.get("SourceRegionName") != request.where.region_name:
            raise not_there("5043", "SourceRegionName", params.get("SourceRegionName") or "")
        source = self._world.snapshot(request, params["SourceSnapshotId"])
        return self.copy(request, source, params.get("Description") or "")

    def copy(self, request: Request, source: Snapshot, description: str) -> Snapshot:
        """A snapshot of the caller with the bytes of another; not entered yet.

        Raises:
            OapiError: the source is not completed.
        """
        if source.state != "completed":
            raise error("6003", f"The snapshot '{source.id}' is {shown_state(source)}, not completed.")
        snapshot = OscSnapshot(
            id=new_id("snap"),
            account=request.account,
            region=request.where.region_name,
            volume_id=source.volume_id,
            size_gib=source.size_gib,
            timeline=self._cloud.timeline("snapshot", request.fault),
            description=description,
            sealed=True,
        )
        self._cloud.files.share_snapshot(source.id, snapshot.id)
        return snapshot

    def _enter(self, request: Request, snapshot: Snapshot) -> None:
        request.where.snapshots[snapshot.id] = snapshot
        if request.params.get("ClientToken"):
            request.where.client_tokens[snapshot.id] = request.params["ClientToken"]

    def delete(self, request: Request) -> Answer:
        with self._cloud.lock:
            snapshot = self._world.snapshot(request, request.params["SnapshotId"], own=True)
            for image in request.where.images.values():
                if snapshot.id in image.snapshot_ids:
                    raise error("9029", f"The snapshot '{snapshot.id}' is used by the image '{image.id}'.")
            self._world.delete(request.where, snapshot)
        return {}

    def update(self, request: Request) -> Answer:
        with self._cloud.lock:
            snapshot = self._world.snapshot(request, request.params["SnapshotId"], own=True)
            change(snapshot, request.params["PermissionsToCreateVolume"])
            return {"Snapshot": self.view(request, snapshot)}

    def read(self, request: Request) -> Answer:
        with self._cloud.lock:
            filters = dict(request.params.get("Filters") or {})
            found = between(self._world.snapshots_seen_by(request.where), filters, lambda one: one.started)
            chosen = select(found, {"Filters": filters}, self.readers(request), "ReadSnapshots")
            some, following = page(chosen, request.params)
            return {"Snapshots": [self.view(request, snapshot) for snapshot in some], **following}

    def view(self, request: Request, snapshot: Snapshot) -> Answer:
        """A snapshot as ReadSnapshots shows it. Tags and tokens are its owner's alone."""
        token = request.where.client_tokens.get(snapshot.id)
        return {
            "SnapshotId": snapshot.id,
            "State": shown_state(snapshot),
            "Progress": snapshot.timeline.percent if snapshot.sealed else 0,
            "VolumeId": snapshot.volume_id,
            "VolumeSize": snapshot.size_gib,
            "Description": snapshot.description,
            "AccountId": snapshot.account,
            **alias(snapshot.account),
            "CreationDate": date(snapshot.started),
            "PermissionsToCreateVolume": view(snapshot),
            "Tags": request.where.tag_list(snapshot.id),
            **({"ClientToken": token} if token else {}),
        }

    def readers(self, request: Request) -> dict[str, Reader[Snapshot]]:
        where = request.where
        return {
            **tag_readers(lambda one: where.tags.get(one.id, {})),
            "AccountAliases": lambda one: alias(one.account).values(),
            "AccountIds": lambda one: [one.account],
            "ClientTokens": lambda one: [where.client_tokens.get(one.id)],
            "Descriptions": lambda one: [one.description],
            "PermissionsToCreateVolumeAccountIds": lambda one: one.users,
            "PermissionsToCreateVolumeGlobalPermission": lambda one: [one.public],
            "Progresses": lambda one: [one.timeline.percent if one.sealed else 0],
            "SnapshotIds": lambda one: [one.id],
            "States": lambda one: [shown_state(one)],
            "VolumeIds": lambda one: [one.volume_id],
            "VolumeSizes": lambda one: [one.size_gib],
        }


def shown_state(snapshot: Snapshot) -> str:
    """The state in the words of the API: one that has hardly begun is in-queue."""
    waiting = snapshot.state == "pending" and snapshot.sealed and snapshot.timeline.percent < QUEUED
    return "in-queue" if waiting else snapshot.state
