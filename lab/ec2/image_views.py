# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DescribeImages."""

from __future__ import annotations

from lab.ec2 import errors
from lab.ec2.cloud import Action, Answer, Cloud, Request
from lab.ec2.filters import Reader, flag, page, select, texts
from lab.ec2.models import Image


class ImageViews:
    """Images as readers see them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def actions(self) -> dict[str, Action]:
        return {"DescribeImages": self.describe}

    def describe(self, request: Request) -> Answer:
        with self._cloud.lock:
            chosen = select(self._named(request), request.params.get("Filters"), FILTERS, self._cloud.tags_of)
            some, token = page(chosen, request.params, least=1, most=1000)
            return {"Images": [self.view(image) for image in some], "NextToken": token}

    def _named(self, request: Request) -> list[Image]:
        params = request.params
        if params.get("ImageIds"):
            found = [
                self._cloud.image(request.region, image_id)
                for image_id in params["ImageIds"]
                # "Recently deregistered images appear in the returned results for a short interval and then
                # return empty results" (DescribeImages).
                if image_id not in request.region.deleted_amis
            ]
        else:
            found = self._cloud.images_seen_from(request.region)
            found = [image for image in found if self._listed(request, image)]
        owners = {request.account if owner == "self" else owner for owner in params.get("Owners") or ()}
        if owners:
            found = [image for image in found if image.account in owners]
        users = params.get("ExecutableUsers") or ()
        return [image for image in found if _executable_by(image, users, request.account)]

    def _listed(self, request: Request, image: Image) -> bool:
        if image.disabled and not request.params.get("IncludeDisabled"):
            return False
        own = image.account == request.account
        return own or not image.deprecated or bool(request.params.get("IncludeDeprecated"))

    def view(self, image: Image) -> Answer:
        """An image as DescribeImages shows it."""
        return {
            "ImageId": image.id,
            "Name": image.name,
            "ImageLocation": f"{image.account}/{image.name}",
            "Description": image.description or None,
            "State": image.state,
            "StateReason": _reason(image),
            "OwnerId": image.account,
            "CreationDate": image.created,
            "Public": image.public,
            "Architecture": image.architecture,
            "ImageType": "machine",
            "KernelId": image.kernel_id,
            "RamdiskId": image.ramdisk_id,
            "PlatformDetails": "Linux/UNIX",
            "UsageOperation": "RunInstances",
            "ProductCodes": product_codes(image),
            "BlockDeviceMappings": image.mappings,
            "EnaSupport": image.ena_support or None,
            "SriovNetSupport": image.sriov_net_support,
            "Hypervisor": "xen",
            "RootDeviceName": image.root_device_name,
            "RootDeviceType": "ebs",
            "VirtualizationType": image.virtualization_type,
            "BootMode": image.boot_mode,
            "TpmSupport": image.tpm_support,
            "ImdsSupport": image.imds_support,
            "DeprecationTime": _iso(image),
            "DeregistrationProtection": image.protection,
            "SourceInstanceId": image.source_instance_id,
            "SourceImageId": image.source_image_id,
            "SourceImageRegion": image.source_image_region,
            "Tags": self._cloud.tag_list(image) or None,
        }


def product_codes(image: Image) -> list[dict[str, str]] | None:
    return [{"ProductCodeId": code, "ProductCodeType": "marketplace"} for code in image.product_codes] or None


def _iso(image: Image) -> str | None:
    return f"{image.deprecation_time.isoformat(timespec='milliseconds')}Z" if image.deprecation_time else None


def _reason(image: Image) -> dict[str, str] | None:
    if image.state != "failed":
        return None
    return {"Code": "Client.InternalError", "Message": "Client.InternalError: the lab made this image fail."}


def _executable_by(image: Image, users: list[str] | tuple[str, ...], account: str) -> bool:
    if not users:
        return True
    for user in users:
        if user == "all" and image.public:
            return True
        if {"UserId": account if user == "self" else user} in image.launch_permissions:
            return True
        if user not in ("all", "self") and not user.isdigit():
            raise errors.invalid_value(f"Invalid executable user '{user}'.")
    return False


def _ebs(key: str) -> Reader[Image]:
    def read(image: Image) -> list[str]:
        values = [mapping.get("Ebs", {}).get(key) for mapping in image.mappings]
        return [flag(value) if isinstance(value, bool) else str(value) for value in values if value is not None]

    return read


FILTERS: dict[str, Reader[Image]] = {
    "architecture": lambda one: [one.architecture],
    "block-device-mapping.delete-on-termination": _ebs("DeleteOnTermination"),
    "block-device-mapping.device-name": lambda one: [mapping["DeviceName"] for mapping in one.mappings],
    "block-device-mapping.encrypted": _ebs("Encrypted"),
    "block-device-mapping.snapshot-id": _ebs("SnapshotId"),
    "block-device-mapping.volume-size": _ebs("VolumeSize"),
    "block-device-mapping.volume-type": _ebs("VolumeType"),
    "boot-mode": lambda one: texts(one.boot_mode),
    "creation-date": lambda one: [f"{one.created.isoformat(timespec='milliseconds')}Z"],
    "description": lambda one: [one.description],
    "ena-support": lambda one: [flag(one.ena_support)],
    "free-tier-eligible": lambda one: ["false"],
    "hypervisor": lambda one: ["xen"],
    "image-allowed": lambda one: ["true"],
    "image-id": lambda one: [one.id],
    "image-type": lambda one: ["machine"],
    "imds-support": lambda one: texts(one.imds_support),
    "is-public": lambda one: [flag(one.public)],
    "kernel-id": lambda one: texts(one.kernel_id),
    "manifest-location": lambda one: [f"{one.account}/{one.name}"],
    "name": lambda one: [one.name],
    "owner-alias": lambda one: [],
    "owner-id": lambda one: [one.account],
    "platform": lambda one: [],
    "product-code": lambda one: one.product_codes,
    "product-code.type": lambda one: ["marketplace"] if one.product_codes else [],
    "ramdisk-id": lambda one: texts(one.ramdisk_id),
    "root-device-name": lambda one: [one.root_device_name],
    "root-device-type": lambda one: ["ebs"],
    "source-image-id": lambda one: texts(one.source_image_id),
    "source-image-region": lambda one: texts(one.source_image_region),
    "source-instance-id": lambda one: texts(one.source_instance_id),
    "sriov-net-support": lambda one: texts(one.sriov_net_support),
    "state": lambda one: [one.state],
    "state-reason-code": lambda one: ["Client.InternalError"] if one.state == "failed" else [],
    "state-reason-message": lambda one: [],
    "tpm-support": lambda one: texts(one.tpm_support),
    "virtualization-type": lambda one: [one.virtualization_type],
}
