# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Images (OMIs) as Outscale's API describes them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, NotFound, WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.block_devices import BlockDevice
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.permissions import Permissions
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import tags_of
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, FINGERPRINT_TAG, IMAGE_TAG

FAILED_STATES = ("failed", "error", "deleted")


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
    root_device_name: t.Optional[str] = None
    root_device_type: t.Optional[str] = None
    devices: t.Tuple[BlockDevice, ...] = ()
    boot_modes: t.Tuple[str, ...] = ()
    product_codes: t.Tuple[str, ...] = ()
    tpm_mandatory: t.Optional[bool] = None
    permissions: Permissions = field(default_factory=Permissions)
    state_reason: t.Optional[str] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Image:
        """From ReadImages or CreateImage."""
        return cls(
            image_id=found.get("ImageId"),
            name=str(found.get("ImageName") or ""),
            state=str(found.get("State") or ""),
            creation_date=found.get("CreationDate"),
            owner_id=found.get("AccountId"),
            owner_alias=found.get("AccountAlias"),
            description=found.get("Description") or None,
            architecture=found.get("Architecture"),
            root_device_name=found.get("RootDeviceName"),
            root_device_type=found.get("RootDeviceType"),
            devices=tuple(BlockDevice.from_api(one) for one in found.get("BlockDeviceMappings") or []),
            boot_modes=tuple(sorted(map(str, found.get("BootModes") or []))),
            product_codes=tuple(sorted(map(str, found.get("ProductCodes") or []))),
            tpm_mandatory=found.get("TpmMandatory"),
            permissions=Permissions.from_api(found.get("PermissionsToLaunch")),
            state_reason=(found.get("StateComment") or {}).get("StateMessage"),
            tags=tags_of(found),
        )

    @property
    def root_device(self) -> t.Optional[BlockDevice]:
        """The mapping of the root device."""
        for device in self.devices:
            if device.device_name == self.root_device_name and not device.virtual_name:
                return device
        return None

    @property
    def snapshot_ids(self) -> t.List[str]:
        """The snapshots that the image maps."""
        return [device.snapshot_id for device in self.devices if device.snapshot_id]

    @property
    def build_id(self) -> str:
        """The build that made it; empty for another's image."""
        return self.tags.get(BUILD_ID_TAG, "")

    def belongs_to(self, image_name: str) -> bool:
        """Whether a build of ours made it under this name."""
        return self.tags.get(IMAGE_TAG) == image_name

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        result = {key: value for key, value in self.__dict__.items() if key not in ("devices", "permissions")}
        root = self.root_device
        result.update(
            tags=dict(self.tags),
            boot_modes=list(self.boot_modes),
            product_codes=list(self.product_codes),
            block_device_mappings=[device.to_ansible() for device in self.devices],
            root_device=root.to_ansible() if root else None,
            launch_permissions=self.permissions.to_ansible(),
            build_id=self.build_id or None,
            fingerprint=self.tags.get(FINGERPRINT_TAG),
        )
        return result

    def summary(self) -> str:
        """The image in one line, for diffs."""
        return "image %s (%s): %s" % (self.image_id, self.name, self.state)


def find_images(api: OutscaleApi, doing: str = "list images", **filters: t.Any) -> t.List[Image]:
    """The images that match, of whoever lets this account use them."""
    return [Image.from_api(one) for one in api.find("ReadImages", "Images", doing, **filters)]


def read_image(api: OutscaleApi, image_id: str, *, new: bool = False) -> Image:
    """One image by id.

    Args:
        new: made by this build, so that it may not be known everywhere yet.

    Raises:
        NotFound: there is no such image, or this account may not use it.
    """

    def look() -> Image:
        found = find_images(api, "find image %s" % image_id, ImageIds=[image_id])
        if not found:
            raise NotFound("There is no image %s in %s." % (image_id, api.region), image_id=image_id)
        return found[0]

    return t.cast("Image", api.retry_missing(look, new=new))


def images_named(api: OutscaleApi, name: str, account: str) -> t.List[Image]:
    """The account's own images of this name, the newest first; those of others of that name are not its concern."""
    found = find_images(api, "find images of the name %s" % name, ImageNames=[name], AccountIds=[account])
    own = [one for one in found if one.name == name and one.owner_id in (None, account)]
    return sorted(own, key=lambda one: one.creation_date or "", reverse=True)


def await_image(api: OutscaleApi, image_id: str, waiting: Waiting, *, new: bool) -> Image:
    """Wait until an image is available.

    Raises:
        Conflict: it has failed; with Outscale's reason.
        WaitTimeout: it is still pending.
    """
    last: t.List[Image] = []

    def probe() -> t.Optional[Image]:
        image = read_image(api, image_id, new=new)
        last[:] = [image]
        check_not_failed(image)
        return image if image.state == "available" else None

    return waiting.until(
        probe,
        on_timeout=lambda waited: WaitTimeout(
            "Image %s (%s) is still in state %s after %d seconds." % (image_id, last[0].name, last[0].state, waited),
            hint="Run this task again to wait further, or raise wait_timeout.",
            image_id=image_id,
        ),
        clock=api.clock,
    )


def check_not_failed(image: Image) -> None:
    """Raise Conflict for an image that will never be available."""
    if image.state in FAILED_STATES:
        raise Conflict(
            "Image %s (%s) is in state %s: %s"
            % (image.image_id, image.name, image.state, image.state_reason or "Outscale gives no reason."),
            hint="Delete it before making one of this name again.",
            image_id=image.image_id,
        )


__all__ = (
    "FAILED_STATES",
    "Image",
    "await_image",
    "check_not_failed",
    "find_images",
    "images_named",
    "read_image",
)
