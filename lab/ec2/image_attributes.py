# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be changed on a registered image: attributes, deprecation, protection, being disabled."""

from __future__ import annotations

import datetime as dt
import typing as t

from lab.ec2 import errors
from lab.ec2.cloud import Action, Answer, Cloud, Request
from lab.ec2.image_views import product_codes
from lab.ec2.models import Image, Timeline, utc_now
from lab.ec2.sharing import requested_changes

COOLDOWN_SECONDS = 24 * 3600
#: Parameter lists of ModifyImageAttribute with OperationType, and what each grants.
GRANT_LISTS = {
    "UserIds": "UserId",
    "UserGroups": "Group",
    "OrganizationArns": "OrganizationArn",
    "OrganizationalUnitArns": "OrganizationalUnitArn",
}
#: Attribute of DescribeImageAttribute to the member of its answer and the value.
VALUES: dict[str, tuple[str, t.Callable[[Image], str | None]]] = {
    "description": ("Description", lambda one: one.description),
    "kernel": ("KernelId", lambda one: one.kernel_id),
    "ramdisk": ("RamdiskId", lambda one: one.ramdisk_id),
    "sriovNetSupport": ("SriovNetSupport", lambda one: one.sriov_net_support),
    "bootMode": ("BootMode", lambda one: one.boot_mode),
    "tpmSupport": ("TpmSupport", lambda one: one.tpm_support),
    "uefiData": ("UefiData", lambda one: one.uefi_data),
    "lastLaunchedTime": ("LastLaunchedTime", lambda one: None),
    "imdsSupport": ("ImdsSupport", lambda one: one.imds_support),
    "deregistrationProtection": ("DeregistrationProtection", lambda one: one.protection),
}


class ImageAttributes:
    """The actions on one existing image of the caller's own."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def actions(self) -> dict[str, Action]:
        return {
            "DescribeImageAttribute": self._locked(self._describe),
            "ModifyImageAttribute": self._locked(self._modify),
            "ResetImageAttribute": self._locked(self._reset),
            "EnableImageDeprecation": self._locked(self._deprecate),
            "DisableImageDeprecation": self._locked(self._undeprecate),
            "EnableImageDeregistrationProtection": self._locked(self._protect),
            "DisableImageDeregistrationProtection": self._locked(self._unprotect),
            "DisableImage": self._locked(self._disable),
            "EnableImage": self._locked(self._enable),
        }

    def _locked(self, change: t.Callable[[Request, Image], Answer]) -> Action:
        def act(request: Request) -> Answer:
            with self._cloud.lock:
                return change(request, self._cloud.image(request.region, request.required("ImageId"), own=True))

        return act

    def _describe(self, request: Request, image: Image) -> Answer:
        attribute = request.required("Attribute")
        answer: Answer = {"ImageId": image.id}
        if attribute == "launchPermission":
            return {**answer, "LaunchPermissions": image.launch_permissions}
        if attribute == "productCodes":
            return {**answer, "ProductCodes": product_codes(image) or []}
        if attribute == "blockDeviceMapping":
            # Documented as such: "this attribute is deprecated ... Client.AuthFailure" (DescribeImageAttribute).
            raise errors.Ec2Error("AuthFailure", "Unauthorized attempt to access restricted resource", 403)
        if attribute not in VALUES:
            raise errors.invalid_value(f"Value ({attribute}) for parameter attribute is invalid.")
        member, read = VALUES[attribute]
        value = read(image)
        return {**answer, member: {"Value": value} if value is not None else {}}

    def _modify(self, request: Request, image: Image) -> Answer:
        params = request.params
        add, remove = requested_changes(params, "LaunchPermission", GRANT_LISTS)
        value = (params.get("Value") or {}) if isinstance(params.get("Value"), dict) else params.get("Value")
        described = (params.get("Description") or {}).get("Value")
        support = (params.get("ImdsSupport") or {}).get("Value")
        if params.get("Attribute") == "description" and described is None:
            described = value
        if params.get("Attribute") == "imdsSupport" and support is None:
            support = value
        if support not in (None, "v2.0"):
            raise errors.invalid_value(f"Invalid value '{support}' for imdsSupport; it can only be set to v2.0.")
        codes = params.get("ProductCodes")
        if not (add or remove or codes) and described is None and support is None:
            raise errors.invalid_combination("No attributes specified.")
        kept = [grant for grant in image.launch_permissions if grant not in remove]
        image.launch_permissions = kept + [grant for grant in add if grant not in kept]
        image.description = image.description if described is None else str(described)
        image.imds_support = support or image.imds_support
        image.product_codes += [code for code in codes or () if code not in image.product_codes]
        return {}

    def _reset(self, request: Request, image: Image) -> Answer:
        if request.required("Attribute") != "launchPermission":
            raise errors.invalid_value("The only attribute that can be reset is launchPermission.")
        image.launch_permissions = []
        return {"Return": True}

    def _deprecate(self, request: Request, image: Image) -> Answer:
        when = request.required("DeprecateAt")
        if isinstance(when, str):
            when = dt.datetime.fromisoformat(when)
        if when.tzinfo is not None:
            when = when.astimezone(dt.UTC).replace(tzinfo=None)
        if when <= utc_now():
            raise errors.invalid_value(f"The deprecation date {when.isoformat()}Z is in the past.")
        # "If you specify a value for seconds, Amazon EC2 rounds the seconds to the nearest minute."
        image.deprecation_time = (when + dt.timedelta(seconds=30)).replace(second=0, microsecond=0)
        return {"Return": True}

    def _undeprecate(self, _: Request, image: Image) -> Answer:
        image.deprecation_time = None
        return {"Return": True}

    def _protect(self, request: Request, image: Image) -> Answer:
        cooldown = bool(request.params.get("WithCooldown"))
        image.deregistration_protection = "enabled-with-cooldown" if cooldown else "enabled-without-cooldown"
        image.cooldown = None
        return {"Return": image.deregistration_protection}

    def _unprotect(self, _: Request, image: Image) -> Answer:
        # "the AMI can't be deregistered for 24 hours after" it was switched off, if it was switched on so.
        if image.protection == "enabled-with-cooldown":
            image.cooldown = image.cooldown or Timeline(seconds=COOLDOWN_SECONDS)
        else:
            image.deregistration_protection, image.cooldown = "disabled", None
        return {"Return": image.protection}

    def _disable(self, _: Request, image: Image) -> Answer:
        if image.state != "available":
            raise errors.image_unavailable(image.id)
        image.disabled = True
        return {"Return": True}

    def _enable(self, _: Request, image: Image) -> Answer:
        image.disabled = False
        return {"Return": True}
