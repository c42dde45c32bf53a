# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Images as EC2 describes them, and waiting for them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, filter_list, tags_of
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import BlockDevice
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.watching import IMAGES, watching
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Conflict,
    NotFound,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, FINGERPRINT_TAG, IMAGE_TAG

FAILED_STATES = ("failed", "error", "invalid", "deregistered")


@dataclass(frozen=True)
class Image:
    """An image. C(image_id) is None for one that is only planned."""

    image_id: t.Optional[str]
    name: str
    state: str
    creation_date: t.Optional[str] = None
    owner_id: t.Optional[str] = None
    owner_alias: t.Optional[str] = None
    description: t.Optional[str] = None
    architecture: t.Optional[str] = None
    virtualization_type: t.Optional[str] = None
    root_device_name: t.Optional[str] = None
    root_device_type: t.Optional[str] = None
    devices: t.Tuple[BlockDevice, ...] = ()
    boot_mode: t.Optional[str] = None
    ena_support: t.Optional[bool] = None
    sriov_net_support: t.Optional[str] = None
    tpm_support: t.Optional[str] = None
    imds_support: t.Optional[str] = None
    uefi_data: t.Optional[str] = None
    kernel_id: t.Optional[str] = None
    ramdisk_id: t.Optional[str] = None
    platform_details: t.Optional[str] = None
    usage_operation: t.Optional[str] = None
    product_codes: t.Tuple[str, ...] = ()
    deprecation_time: t.Optional[str] = None
    deregistration_protection: t.Optional[str] = None
    state_reason: t.Optional[str] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Image:
        """From DescribeImages."""
        return cls(
            image_id=found.get("ImageId"),
            name=str(found.get("Name") or ""),
            state=str(found.get("State") or ""),
            creation_date=found.get("CreationDate"),
            owner_id=found.get("OwnerId"),
            owner_alias=found.get("ImageOwnerAlias"),
            description=found.get("Description") or None,
            architecture=found.get("Architecture"),
            virtualization_type=found.get("VirtualizationType"),
            root_device_name=found.get("RootDeviceName"),
            root_device_type=found.get("RootDeviceType"),
            devices=tuple(BlockDevice.from_api(one) for one in found.get("BlockDeviceMappings") or []),
            boot_mode=found.get("BootMode"),
            ena_support=found.get("EnaSupport"),
            sriov_net_support=found.get("SriovNetSupport"),
            tpm_support=found.get("TpmSupport"),
            imds_support=found.get("ImdsSupport"),
            kernel_id=found.get("KernelId"),
            ramdisk_id=found.get("RamdiskId"),
            platform_details=found.get("PlatformDetails"),
            usage_operation=found.get("UsageOperation"),
            product_codes=tuple(str(one.get("ProductCodeId")) for one in found.get("ProductCodes") or []),
            deprecation_time=found.get("DeprecationTime"),
            deregistration_protection=found.get("DeregistrationProtection"),
            state_reason=(found.get("StateReason") or {}).get("Message"),
            tags=tags_of(found),
        )

    @property
    def root_device(self) -> t.Optional[BlockDevice]:
        """The mapping of the root device."""
        for device in self.devices:
            if device.device_name == self.root_device_name and device.is_ebs:
                return device
        return None

    @property
    def snapshot_ids(self) -> t.List[str]:
        """The snapshots that the image maps."""
        return [device.snapshot_id for device in self.devices if device.snapshot_id]

    @property
    def is_protected(self) -> bool:
        """Whether EC2 refuses to deregister it."""
        return (self.deregistration_protection or "").startswith("enabled")

    def belongs_to(self, image_name: str) -> bool:
        """Whether a build of ours made it under this name."""
        return self.tags.get(IMAGE_TAG) == image_name

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        result = {key: value for key, value in self.__dict__.items() if key != "devices"}
        root = self.root_device
        result.update(
            tags=dict(self.tags),
            product_codes=list(self.product_codes),
            block_device_mappings=[device.to_ansible() for device in self.devices],
            root_device=root.to_ansible() if root else None,
            build_id=self.tags.get(BUILD_ID_TAG),
            fingerprint=self.tags.get(FINGERPRINT_TAG),
        )
        return result

    def summary(self) -> str:
        """The image in one line, for diffs."""
        return "image %s (%s): %s" % (self.image_id, self.name, self.state)


def find_images(
    api: Ec2Api,
    filters: t.Mapping[str, t.Union[str, t.Sequence[str]]],
    *,
    owners: t.Optional[t.Sequence[str]] = ("self",),
    doing: str = "list images",
) -> t.List[Image]:
    """The images that match; deprecated ones of the account itself are always among them."""
    found = api.find(
        "describe_images",
        "Images",
        doing,
        Owners=list(owners) if owners else None,
        Filters=filter_list(filters),
    )
    return [Image.from_api(one) for one in found]


def describe_image(api: Ec2Api, image_id: str, *, new: bool = False) -> Image:
    """One image by id.

    Args:
        new: made by this build, so that EC2 may not know it everywhere yet.

    Raises:
        NotFound: there is no such image, or this account may not see it.
    """

    def look() -> Image:
        found = api.find("describe_images", "Images", "find image %s" % image_id, ImageIds=[image_id])
        if not found:
            raise NotFound("There is no image %s in %s." % (image_id, api.region), image_id=image_id)
        return Image.from_api(found[0])

    return t.cast("Image", api.retry_missing(look, new=new))


def image_named(api: Ec2Api, name: str, *, without: t.Optional[str] = None) -> t.Optional[Image]:
    """The account's own image of this name; EC2 allows one in a region.

    Args:
        without: the id of one that does not count.
    """
    images = find_images(api, {"name": name}, doing="find images of the name %s" % name)
    return next((image for image in images if image.image_id != without), None)


def await_image(api: Ec2Api, image_id: str, waiting: Waiting, *, new: bool) -> Image:
    """Wait until an image is available.

    Raises:
        Conflict: it has failed; with EC2's reason.
        WaitTimeout: it is still pending.
    """
    last: t.List[Image] = []

    def describe() -> Image:
        return describe_image(api, image_id, new=new)

    with watching(api, IMAGES, image_id, Image.from_api, describe) as look:

        def probe() -> t.Optional[Image]:
            image = look()
            last[:] = [image]
            check_not_failed(image)
            return image if image.state in ("available", "disabled") else None

        return waiting.until(probe, on_timeout=lambda waited: _still_pending(last[0], waited), clock=api.clock)


def _still_pending(image: Image, waited_seconds: float) -> WaitTimeout:
    return WaitTimeout(
        "Image %s (%s) is still in state %s after %d seconds."
        % (image.image_id, image.name, image.state, waited_seconds),
        hint="Run this task again to wait further, or raise wait_timeout.",
        image_id=image.image_id,
    )


def check_not_failed(image: Image) -> None:
    """Raise Conflict for an image that will never be available."""
    if image.state in FAILED_STATES:
        raise Conflict(
            "Image %s (%s) is in state %s: %s"
            % (image.image_id, image.name, image.state, image.state_reason or "EC2 gave no reason."),
            hint="Deregister it before registering the name again.",
            image_id=image.image_id,
        )


def read_uefi_data(api: Ec2Api, image_id: str) -> t.Optional[str]:
    """An image's UEFI variables in base64; None where there are none, or they may not be read.

    Only an image's owner may read them, so nothing is made of a refusal.
    """
    try:
        answer = api.call(
            "describe_image_attribute",
            "read the UEFI variables of image %s" % image_id,
            ImageId=image_id,
            Attribute="uefiData",
        )
    except BuildError:
        return None
    return (answer.get("UefiData") or {}).get("Value") or None


__all__ = (
    "FAILED_STATES",
    "Image",
    "await_image",
    "check_not_failed",
    "describe_image",
    "find_images",
    "image_named",
    "read_uefi_data",
)
