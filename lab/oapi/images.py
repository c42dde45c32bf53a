# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CreateImage in three of its four forms, ReadImages, UpdateImage, DeleteImage."""

from __future__ import annotations

import re
import typing as t

from lab.ec2.models import Snapshot
from lab.oapi.errors import bad_combination, error, missing, not_there
from lab.oapi.filters import Reader, page, select, tag_readers
from lab.oapi.permissions import change, view
from lab.oapi.snapshots import Snapshots
from lab.oapi.state import ROOT_DEVICE, Action, Answer, OscImage, Request, World, alias, date, new_id
from lab.oapi.volumes import checked_iops

#: The description of CreateImage: 3 to 128 of these.
NAME = re.compile(r"[A-Za-z0-9_ ()/.-]{3,128}")
ARCHITECTURES = ("i386", "x86_64")
#: BlockDeviceMappingImage of the description.
DEVICE_NAME = re.compile(r"/dev/(sda1|(sd|xvd)[b-z][a-z]?)")
#: Parameters that say which form of CreateImage is meant.
FORMS = ("VmId", "SourceImageId", "BlockDeviceMappings", "FileLocation")


class Images:
    """The calls that make, show, share and delete images."""

    def __init__(self, world: World, snapshots: Snapshots) -> None:
        self._world = world
        self._cloud = world.cloud
        self._snapshots = snapshots

    def actions(self) -> dict[str, Action]:
        return {
            "CreateImage": self.create,
            "DeleteImage": self.delete,
            "ReadImages": self.read,
            "UpdateImage": self.update,
        }

    def create(self, request: Request) -> Answer:
        forms = [name for name in FORMS if request.params.get(name)]
        if len(forms) != 1:
            raise bad_combination(f"One of the parameters {', '.join(FORMS)} is required, and only one.")
        if forms == ["FileLocation"]:
            raise error("4002", "The lab has no buckets to register images from.")
        name = request.params.get("ImageName")
        if not name:
            raise missing("ImageName")
        if not NAME.fullmatch(name):
            raise error("4026", f"The ImageName '{name}' is not of 3 to 128 letters, digits and _ ()/.-")
        with self._cloud.lock:
            _refuse_taken(request)
        made = {"VmId": self._of_vm, "SourceImageId": self._copied, "BlockDeviceMappings": self._registered}[forms[0]]
        image = made(request)
        return {"Image": {**self.view(request, image), "State": "pending"}}

    def _registered(self, request: Request) -> OscImage:
        params = request.params
        architecture = params.get("Architecture") or "x86_64"
        if architecture not in ARCHITECTURES:
            raise error("4047", f"The Architecture '{architecture}' is none of {', '.join(ARCHITECTURES)}.")
        with self._cloud.lock:
            root = params.get("RootDeviceName")
            if not root:
                raise missing("RootDeviceName")
            mappings = [self._mapping(request, mapping) for mapping in params["BlockDeviceMappings"]]
            names = [mapping["DeviceName"] for mapping in mappings]
            if len(set(names)) != len(names):
                raise error("4011", "Two block device mappings have the same DeviceName.")
            found = next((mapping for mapping in mappings if mapping["DeviceName"] == root), {})
            if root != ROOT_DEVICE or not found.get("Bsu", {}).get("SnapshotId"):
                raise error("4057", f"The root device has to be {ROOT_DEVICE}, with a snapshot; it is '{root}'.")
            return self._entered(request, params["ImageName"], mappings, root, architecture=architecture)

    def _mapping(self, request: Request, given: dict[str, t.Any]) -> dict[str, t.Any]:
        """A mapping as ReadImages shows it, with everything that was left out."""
        name = given.get("DeviceName") or ""
        if not DEVICE_NAME.fullmatch(name):
            raise error("4019", f"The DeviceName '{name}' of a block device mapping is invalid.")
        if "Bsu" not in given:
            return {"DeviceName": name, "VirtualDeviceName": given.get("VirtualDeviceName") or "ephemeral0"}
        bsu = dict(given["Bsu"])
        snapshot = self._world.snapshot(request, bsu["SnapshotId"]) if bsu.get("SnapshotId") else None
        size = bsu.get("VolumeSize") or (snapshot.size_gib if snapshot else 0)
        if not size:
            raise missing("VolumeSize")
        if snapshot and size < snapshot.size_gib:
            raise error(
                "4078", f"The VolumeSize {size} of '{name}' is smaller than its snapshot, which is {snapshot.size_gib}."
            )
        kind = bsu.get("VolumeType") or "standard"
        iops = checked_iops(kind, size, bsu.get("Iops"))
        return {
            "DeviceName": name,
            "Bsu": {
                "DeleteOnVmDeletion": bsu.get("DeleteOnVmDeletion", True),
                "VolumeSize": size,
                "VolumeType": kind,
                **({"SnapshotId": snapshot.id} if snapshot else {}),
                **({"Iops": iops} if kind == "io1" else {}),
            },
        }

    def _copied(self, request: Request) -> OscImage:
        params = request.params
        with self._cloud.lock:
            if params.get("SourceRegionName") != request.where.region_name:
                raise not_there("5043", "SourceRegionName", params.get("SourceRegionName") or "")
            source = self._world.image(request, params["SourceImageId"])
            unfinished = [one for one in source.snapshot_ids if self._anybodys_snapshot(one).state != "completed"]
            if source.state != "available" or unfinished:
                state = f"waiting for {unfinished[0]}" if unfinished else source.state
                raise error("6001", f"The image '{source.id}' is {state}, not available.")
            _refuse_taken(request)
            mappings = [self._with_own_snapshot(request, mapping) for mapping in source.mappings]
            image = self._entered(request, params["ImageName"], mappings, source.root_device_name, source.architecture)
            # As Outscale copies: product codes stay, permissions do not.
            image.product_codes = list(source.product_codes)
            image.boot_modes = list(params.get("BootModes") or source.boot_modes)
            image.description = params.get("Description") or source.description
            return image

    def _with_own_snapshot(self, request: Request, mapping: dict[str, t.Any]) -> dict[str, t.Any]:
        snapshot_id = mapping.get("Bsu", {}).get("SnapshotId")
        if not snapshot_id:
            return mapping
        source = self._anybodys_snapshot(snapshot_id)
        copy = self._snapshots.copy(request, source, f"Copied from {snapshot_id}")
        request.where.snapshots[copy.id] = copy
        return {**mapping, "Bsu": {**mapping["Bsu"], "SnapshotId": copy.id}}

    def _anybodys_snapshot(self, snapshot_id: str) -> Snapshot:
        """Who may launch an image may copy it, whether its snapshots are shared or not."""
        for where in self._world.accounts():
            if snapshot_id in where.snapshots:
                return where.snapshots[snapshot_id]
        raise not_there("5054", "SnapshotId", snapshot_id)

    def _of_vm(self, request: Request) -> OscImage:
        with self._cloud.lock:
            vm = request.where.get_instance(request.params["VmId"])
            linked = {device: block.volume_id for device, block in vm.block_device_mapping.items()}
        if vm.root_device_name not in linked:
            raise error("4057", f"The VM '{vm.id}' has no root device in this lab: no image can be made of it.")
        mappings = []
        for device, volume_id in linked.items():
            volume = self._world.volume(request, volume_id)
            snapshot = self._snapshots.take(request, volume, f"Created by CreateImage for {vm.id}")
            bsu = {"SnapshotId": snapshot.id, "VolumeSize": volume.size_gib, "VolumeType": volume.volume_type}
            mappings.append({"DeviceName": device, "Bsu": {**bsu, "DeleteOnVmDeletion": True}})
        with self._cloud.lock:
            return self._entered(request, request.params["ImageName"], mappings, vm.root_device_name)

    def _entered(
        self, request: Request, name: str, mappings: list[dict[str, t.Any]], root: str, architecture: str = "x86_64"
    ) -> OscImage:
        params = request.params
        image = OscImage(
            id=new_id("ami"),
            account=request.account,
            name=name,
            timeline=self._cloud.timeline("image", request.fault),
            mappings=mappings,
            root_device_name=root,
            architecture=architecture,
            description=params.get("Description") or "",
            tpm_mandatory=bool(params.get("TpmMandatory")),
        )
        _refuse_taken(request)
        if params.get("BootModes"):
            image.boot_modes = list(params["BootModes"])
        if params.get("ProductCodes"):
            image.product_codes = list(params["ProductCodes"])
        request.where.images[image.id] = image
        return image

    def delete(self, request: Request) -> Answer:
        with self._cloud.lock:
            image = self._world.image(request, request.params["ImageId"], own=True)
            del request.where.images[image.id]
            request.where.tags.pop(image.id, None)
        return {}

    def update(self, request: Request) -> Answer:
        params = request.params
        with self._cloud.lock:
            image = self._world.image(request, params["ImageId"], own=True)
            if not {"PermissionsToLaunch", "Description", "ProductCodes"} & set(params):
                raise missing("PermissionsToLaunch")
            if "PermissionsToLaunch" in params:
                change(image, params["PermissionsToLaunch"])
            image.description = params.get("Description", image.description)
            image.product_codes = list(params.get("ProductCodes", image.product_codes))
            return {"Image": self.view(request, image)}

    def read(self, request: Request) -> Answer:
        with self._cloud.lock:
            found = self._world.images_seen_by(request.where)
            some, following = page(select(found, request.params, self.readers(request), "ReadImages"), request.params)
            return {"Images": [self.view(request, image) for image in some], **following}

    def view(self, request: Request, image: OscImage) -> Answer:
        """An image as ReadImages shows it. Tags are its owner's alone."""
        failed = {"StateCode": "server-error", "StateMessage": "An internal error has occurred"}
        return {
            "ImageId": image.id,
            "ImageName": image.name,
            "State": image.state,
            "StateComment": failed if image.state == "failed" else {},
            "AccountId": image.account,
            **alias(image.account),
            "Architecture": image.architecture,
            "BlockDeviceMappings": image.mappings,
            "BootModes": image.boot_modes,
            "CreationDate": date(image.created),
            "Description": image.description,
            "FileLocation": f"{image.account}/{image.name}",
            "ImageType": "machine",
            "PermissionsToLaunch": view(image),
            "ProductCodes": image.product_codes,
            "RootDeviceName": image.root_device_name,
            "RootDeviceType": "bsu",
            "SecureBoot": False,
            "Tags": request.where.tag_list(image.id),
            "TpmMandatory": image.tpm_mandatory,
        }

    def readers(self, request: Request) -> dict[str, Reader[OscImage]]:
        where = request.where

        def bsu(name: str) -> Reader[OscImage]:
            return lambda image: [mapping["Bsu"].get(name) for mapping in image.mappings if "Bsu" in mapping]

        return {
            **tag_readers(lambda image: where.tags.get(image.id, {})),
            "AccountAliases": lambda image: alias(image.account).values(),
            "AccountIds": lambda image: [image.account],
            "Architectures": lambda image: [image.architecture],
            "BlockDeviceMappingDeleteOnVmDeletion": bsu("DeleteOnVmDeletion"),
            "BlockDeviceMappingDeviceNames": lambda image: [mapping["DeviceName"] for mapping in image.mappings],
            "BlockDeviceMappingSnapshotIds": bsu("SnapshotId"),
            "BlockDeviceMappingVolumeSizes": bsu("VolumeSize"),
            "BlockDeviceMappingVolumeTypes": bsu("VolumeType"),
            "BootModes": lambda image: image.boot_modes,
            "Descriptions": lambda image: [image.description],
            "FileLocations": lambda image: [f"{image.account}/{image.name}"],
            "Hypervisors": lambda image: ["xen"],
            "ImageIds": lambda image: [image.id],
            "ImageNames": lambda image: [image.name],
            "PermissionsToLaunchAccountIds": lambda image: image.users,
            "PermissionsToLaunchGlobalPermission": lambda image: [image.public],
            "ProductCodes": lambda image: image.product_codes,
            "RootDeviceNames": lambda image: [image.root_device_name],
            "RootDeviceTypes": lambda image: ["bsu", "ebs"],
            "SecureBoot": lambda image: [False],
            "States": lambda image: [image.state],
            "TpmMandatory": lambda image: [image.tpm_mandatory],
            "VirtualizationTypes": lambda image: ["hvm"],
        }


def _refuse_taken(request: Request) -> None:
    name = request.params["ImageName"]
    if any(image.name == name for image in request.where.images.values()):
        raise error("9015", f"The ImageName '{name}' is that of another image of this account.")
