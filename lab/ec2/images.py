# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RegisterImage, CreateImage, CopyImage and DeregisterImage."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from lab.ec2 import errors, volume_types
from lab.ec2.cloud import Action, Answer, Cloud, Region, Request, requested_tags
from lab.ec2.models import Image, Snapshot, Tags, new_id
from lab.ec2.snapshots import Snapshots

#: Names as RegisterImage's reference allows them.
NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
ARCHITECTURES = ("i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac")
#: What an EBS mapping gets where the request leaves it out.
EBS_DEFAULTS = {"DeleteOnTermination": True, "VolumeType": "gp2"}
#: What a copy takes over unchanged.
COPIED = (
    "root_device_name",
    "architecture",
    "virtualization_type",
    "boot_mode",
    "ena_support",
    "sriov_net_support",
    "tpm_support",
    "imds_support",
    "uefi_data",
    "kernel_id",
    "ramdisk_id",
)


class Images:
    """The actions that make images and take them away."""

    def __init__(self, cloud: Cloud, snapshots: Snapshots) -> None:
        self._cloud = cloud
        self._snapshots = snapshots

    def actions(self) -> dict[str, Action]:
        return {
            "RegisterImage": self.register,
            "CreateImage": self.create,
            "CopyImage": self.copy,
            "DeregisterImage": self.deregister,
        }

    def register(self, request: Request) -> Answer:
        params = request.params
        with self._cloud.lock:
            tags = requested_tags(params, "image", "snapshot")
            name = self._free_name(request.region, request.required("Name"))
            architecture = params.get("Architecture") or "i386"
            if architecture not in ARCHITECTURES:
                raise errors.invalid_value(f"Invalid value '{architecture}' for architecture.")
            root = params.get("RootDeviceName") or "/dev/sda1"
            mappings = self._mappings(request.region, params.get("BlockDeviceMappings") or (), root)
            image = Image(
                id=new_id("ami"),
                account=request.account,
                region=request.region.region_name,
                name=name,
                timeline=self._cloud.timeline("image", request.fault),
                mappings=mappings,
                root_device_name=root,
                description=params.get("Description") or "",
                architecture=architecture,
                virtualization_type=params.get("VirtualizationType") or "paravirtual",
                boot_mode=params.get("BootMode"),
                ena_support=bool(params.get("EnaSupport")),
                sriov_net_support=params.get("SriovNetSupport"),
                tpm_support=params.get("TpmSupport"),
                imds_support=params.get("ImdsSupport"),
                uefi_data=params.get("UefiData"),
                kernel_id=params.get("KernelId"),
                ramdisk_id=params.get("RamdiskId"),
                billing_products=list(params.get("BillingProducts") or ()),
            )
            _check_features(image)
            self._enter(request.region, image, tags["image"])
        return {"ImageId": image.id}

    def _free_name(self, region: Region, name: str) -> str:
        if not NAME.fullmatch(name):
            raise errors.Ec2Error(
                "InvalidAMIName.Malformed",
                "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, "
                "'(', ')', '.', '-', '/' and '_'",
            )
        for image in region.amis.values():
            if image.name == name and image.state != "failed":
                raise errors.Ec2Error(
                    "InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}"
                )
        return name

    def _enter(self, region: Region, image: Image, tags: Tags) -> None:
        region.amis[image.id] = image
        if tags:
            region.create_tags([image.id], tags)

    def _mappings(self, region: Region, given: t.Iterable[Mapping[str, t.Any]], root: str) -> list[dict[str, t.Any]]:
        mappings = [self._mapping(region, mapping) for mapping in given]
        names = [mapping.get("DeviceName") for mapping in mappings]
        for name in names:
            if names.count(name) > 1:
                raise _bad_mapping(f"The device '{name}' is used in more than one block-device mapping")
        if not any(one["DeviceName"] == root and one.get("Ebs", {}).get("SnapshotId") for one in mappings):
            raise _bad_mapping("No root snapshot specified in device mapping.")
        return mappings

    def _mapping(self, region: Region, given: Mapping[str, t.Any]) -> dict[str, t.Any]:
        mapping = {key: given[key] for key in ("DeviceName", "VirtualName", "NoDevice") if given.get(key) is not None}
        if not mapping.get("DeviceName"):
            raise errors.missing("deviceName")
        if "Ebs" not in given:
            return mapping
        ebs = {key: value for key, value in given["Ebs"].items() if value is not None}
        ebs = {**EBS_DEFAULTS, "Encrypted": False, **ebs}
        snapshot = self._completed(region, ebs["SnapshotId"]) if ebs.get("SnapshotId") else None
        if snapshot:
            ebs["Encrypted"] = snapshot.encrypted
            ebs.setdefault("VolumeSize", snapshot.size_gib)
            if ebs["VolumeSize"] < snapshot.size_gib:
                raise _bad_mapping(
                    f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot '{snapshot.id}', "
                    f"expect size >= {snapshot.size_gib}GB"
                )
        if not ebs.get("VolumeSize"):
            raise _bad_mapping(f"The device '{mapping['DeviceName']}' has neither a size nor a snapshot")
        volume_types.check(ebs["VolumeType"], ebs["VolumeSize"], ebs.get("Iops"), ebs.get("Throughput"))
        return {**mapping, "Ebs": ebs}

    def _completed(self, region: Region, snapshot_id: str) -> Snapshot:
        snapshot = self._cloud.snapshot(region, snapshot_id)
        if snapshot.state != "completed":
            raise errors.wrong_state(f"Snapshot '{snapshot_id}' is in invalid state - {snapshot.state}")
        return snapshot

    def create(self, request: Request) -> Answer:
        params, region = request.params, request.region
        with self._cloud.lock:
            tags = requested_tags(params, "image", "snapshot")
            name = self._free_name(region, request.required("Name"))
            instance = region.get_instance(request.required("InstanceId"))
            blocks = list(instance.block_device_mapping.items())
        mappings = []
        for device, block in blocks:
            volume = self._cloud.volume(region, block.volume_id)
            text = f"Created by CreateImage({instance.id})"
            snapshot = self._snapshots.take(region, volume, text, tags["snapshot"], None)
            ebs = {
                "SnapshotId": snapshot.id,
                "VolumeSize": volume.size_gib,
                "VolumeType": volume.volume_type,
                "DeleteOnTermination": bool(block.delete_on_termination),
                "Encrypted": volume.encrypted,
            }
            mappings.append({"DeviceName": device, "Ebs": ebs})
        image = Image(
            id=new_id("ami"),
            account=request.account,
            region=region.region_name,
            name=name,
            timeline=self._cloud.timeline("image", request.fault),
            mappings=mappings,
            root_device_name=instance.root_device_name,
            description=params.get("Description") or "",
            architecture=instance.architecture,
            virtualization_type="hvm",
            ena_support=True,
            source_instance_id=instance.id,
        )
        with self._cloud.lock:
            self._enter(region, image, tags["image"])
        return {"ImageId": image.id}

    def copy(self, request: Request) -> Answer:
        params, region = request.params, request.region
        with self._cloud.lock:
            tags = requested_tags(params, "image", "snapshot")
            source_region = self._cloud.region(request.account, request.required("SourceRegion"))
            source = self._cloud.image(source_region, request.required("SourceImageId"))
            if source.state != "available":
                raise errors.image_unavailable(source.id)
            name = self._free_name(region, request.required("Name"))
            _check_copy_time(params.get("SnapshotCopyCompletionDurationMinutes"))
            if params.get("CopyImageTags") and source.account == request.account:
                # System tags and those of other accounts are not copied (CopyImage, CopyImageTags).
                tags["image"] = {**self._cloud.tags_of(source), **tags["image"]}
            timeline = self._cloud.timeline("image", request.fault)
            timeline.seconds = max(timeline.seconds, self._cloud.settings.current.snapshot_seconds)
            image = Image(
                id=new_id("ami"),
                account=request.account,
                region=region.region_name,
                name=name,
                timeline=timeline,
                mappings=[],
                description=params.get("Description") or "",
                source_image_id=source.id,
                source_image_region=source.region,
                **{field: getattr(source, field) for field in COPIED},
            )
            image.mappings = [
                self._copied_mapping(request, source_region, image, mapping, tags["snapshot"])
                for mapping in source.mappings
            ]
            self._enter(region, image, tags["image"])
        return {"ImageId": image.id}

    def _copied_mapping(
        self, request: Request, source_region: Region, image: Image, mapping: dict[str, t.Any], tags: Tags
    ) -> dict[str, t.Any]:
        snapshot_id = mapping.get("Ebs", {}).get("SnapshotId")
        if not snapshot_id:
            return dict(mapping)
        # Whoever may use an image may copy it, though its snapshots are not shared in the lab.
        source = self._snapshot_anywhere(source_region, snapshot_id)
        text = f"Copied for DestinationAmi {image.id} from SourceAmi {image.source_image_id} for {source.id}"
        copy = self._snapshots.copied(
            request.region,
            source,
            text,
            encrypted=bool(request.params.get("Encrypted")),
            kms_key_id=request.params.get("KmsKeyId"),
            fault=request.fault,
        )
        self._snapshots.enter(request.region, copy, tags)
        return {**mapping, "Ebs": {**mapping["Ebs"], "SnapshotId": copy.id, "Encrypted": copy.encrypted}}

    def _snapshot_anywhere(self, region: Region, snapshot_id: str) -> Snapshot:
        for other in self._cloud.regions():
            if other.region_name == region.region_name and snapshot_id in other.snapshots:
                return other.snapshots[snapshot_id]
        raise errors.snapshot_not_found(snapshot_id)

    def deregister(self, request: Request) -> Answer:
        region = request.region
        with self._cloud.lock:
            image = self._cloud.image(region, request.required("ImageId"), own=True)
            if image.protection.startswith("enabled"):
                raise errors.Ec2Error(
                    "OperationNotPermitted", f"Deregistration protection is enabled for the AMI {image.id}."
                )
            del region.amis[image.id]
            region.deleted_amis.append(image.id)
            region.tags.pop(image.id, None)
            answer: Answer = {"Return": True}
            if request.params.get("DeleteAssociatedSnapshots"):
                answer["DeleteSnapshotResults"] = [self._drop(region, one) for one in dict.fromkeys(image.snapshot_ids)]
            return answer

    def _drop(self, region: Region, snapshot_id: str) -> dict[str, str]:
        snapshot = region.snapshots.get(snapshot_id)
        if snapshot is None:
            return {"SnapshotId": snapshot_id, "ReturnCode": "missing-permissions"}
        try:
            self._snapshots.remove(region, snapshot)
        except errors.Ec2Error as exc:
            code = "skipped" if exc.code == "InvalidSnapshot.InUse" else "client-error"
            return {"SnapshotId": snapshot_id, "ReturnCode": code}
        return {"SnapshotId": snapshot_id, "ReturnCode": "success"}


def _check_copy_time(minutes: int | None) -> None:
    # "in 15 minute increments", up to 48 hours (CopyImage; "Time-based copies" of the EBS user guide).
    if minutes is not None and (minutes % 15 or not 15 <= minutes <= 2880):
        raise errors.invalid_value(f"Invalid value '{minutes}' for snapshotCopyCompletionDurationMinutes.")


def _check_features(image: Image) -> None:
    if image.virtualization_type == "paravirtual" and (image.ena_support or image.sriov_net_support):
        raise errors.invalid_combination("Enhanced networking is supported by HVM images only.")
    if image.tpm_support and image.boot_mode != "uefi":
        raise errors.invalid_combination("TpmSupport requires the boot mode uefi.")
    if image.virtualization_type not in ("hvm", "paravirtual"):
        raise errors.invalid_value(f"Invalid value '{image.virtualization_type}' for virtualizationType.")


def _bad_mapping(message: str) -> errors.Ec2Error:
    return errors.Ec2Error("InvalidBlockDeviceMapping", message)
