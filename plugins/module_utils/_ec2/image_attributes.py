# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What can be changed on an image that is registered: description, sharing, deprecation, protection, its snapshots."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.sharing import (
    NEVER,
    compare_permissions,
    deprecation_problems,
    parse_time,
    permission_problems,
    read_permissions,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import describe_snapshot
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.tagging import plan_tags
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, tag_problems


@dataclass(frozen=True)
class Attributes:
    """What an image shall have. None, and kinds of permission that are None, are left as they are."""

    description: t.Optional[str] = None
    imds_support: t.Optional[str] = None
    product_codes: t.Optional[t.Sequence[str]] = None
    launch_permissions: t.Optional[t.Mapping[str, t.Optional[t.Sequence[str]]]] = None
    deprecate_at: t.Optional[str] = None
    deregistration_protection: t.Optional[t.Mapping[str, t.Optional[bool]]] = None
    snapshot_tags: t.Mapping[str, str] = field(default_factory=dict)
    snapshot_permissions: t.Optional[t.Mapping[str, t.Optional[t.Sequence[str]]]] = None

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without asking EC2."""
        problems = tag_problems(self.snapshot_tags, option="snapshot_tags")
        for option in ("launch_permissions", "snapshot_permissions"):
            problems += permission_problems(option, getattr(self, option) or {})
        return problems + deprecation_problems("deprecate_at", self.deprecate_at)


class ImageTarget:
    """The image that operations work on; its id is known once it is registered."""

    def __init__(self, image_id: t.Optional[str]) -> None:
        self.image_id = image_id


class ChangeImage:
    """One call that changes an attribute of the image."""

    def __init__(  # noqa: PLR0913
        self, api: Ec2Api, target: ImageTarget, what: str, before: t.Any, after: t.Any, method: str, **params: t.Any
    ) -> None:
        self.api = api
        self.target = target
        self.what = what
        self.before = before
        self.after = after
        self.method = method
        self.params = params

    def describe(self) -> str:
        """See Operation.describe."""
        return "set %s of %s to %s" % (self.what, self.target.image_id or "the image", self.after)

    def execute(self) -> None:
        """See Operation.execute."""
        doing = "set %s of image %s" % (self.what, self.target.image_id)
        self.api.retry_missing(
            lambda: self.api.call(self.method, doing, ImageId=self.target.image_id, **self.params), new=True
        )


def plan_attributes(
    api: Ec2Api, image: Image, wanted: Attributes, target: ImageTarget
) -> t.List[t.Union[ChangeImage, Operation]]:
    """The calls that give an image what it shall have.

    Args:
        image: as it is, or as it will be registered; C(image_id) None means that nothing is there to ask for.
    """
    changes: t.List[t.Union[ChangeImage, Operation]] = []
    changes += _plan_simple(api, image, wanted, target)
    changes += _plan_launch_permissions(api, image, wanted, target)
    changes += _plan_deprecation(api, image, wanted, target)
    changes += _plan_protection(api, image, wanted, target)
    changes += _plan_snapshots(api, image, wanted)
    return changes


def _plan_simple(api: Ec2Api, image: Image, wanted: Attributes, target: ImageTarget) -> t.List[ChangeImage]:
    changes = []
    modify = "modify_image_attribute"
    if wanted.description is not None and wanted.description != (image.description or ""):
        changes.append(
            ChangeImage(
                api,
                target,
                "description",
                image.description,
                wanted.description,
                modify,
                Description={"Value": wanted.description},
            )  # fmt: skip
        )
    if wanted.imds_support == "none" and image.image_id and image.imds_support:
        raise Conflict(
            "Image %s requires IMDSv2, and EC2 cannot take that back." % image.image_id,
            hint="Register a new image with imds_support none.",
            image_id=image.image_id,
        )
    if wanted.imds_support == "v2.0" and image.imds_support != "v2.0":
        changes.append(
            ChangeImage(api, target, "imds_support", image.imds_support, "v2.0", modify, ImdsSupport={"Value": "v2.0"})
        )
    missing = [code for code in wanted.product_codes or [] if code not in image.product_codes]
    if missing:
        after = list(image.product_codes) + missing
        changes.append(
            ChangeImage(
                api,
                target,
                "product_codes",
                list(image.product_codes),
                after,
                modify,
                Attribute="productCodes",
                OperationType="add",
                ProductCodes=missing,
            )  # fmt: skip
        )
    return changes


def _plan_launch_permissions(api: Ec2Api, image: Image, wanted: Attributes, target: ImageTarget) -> t.List[ChangeImage]:
    if wanted.launch_permissions is None:
        return []
    current = read_launch_permissions(api, image.image_id) if image.image_id else read_permissions([])
    add, remove, after = compare_permissions(current, wanted.launch_permissions)
    if not add and not remove:
        return []
    permission = {key: value for key, value in (("Add", add), ("Remove", remove)) if value}
    return [
        ChangeImage(
            api, target, "launch_permissions", current, after, "modify_image_attribute", LaunchPermission=permission
        )
    ]


def read_launch_permissions(api: Ec2Api, image_id: str) -> t.Dict[str, t.List[str]]:
    """Who may launch an image."""
    answer = api.call(
        "describe_image_attribute",
        "read the launch permissions of image %s" % image_id,
        ImageId=image_id,
        Attribute="launchPermission",
    )
    return read_permissions(answer.get("LaunchPermissions") or [])


def _plan_deprecation(api: Ec2Api, image: Image, wanted: Attributes, target: ImageTarget) -> t.List[ChangeImage]:
    if wanted.deprecate_at is None:
        return []
    current = parse_time(image.deprecation_time) if image.deprecation_time else None
    if wanted.deprecate_at == NEVER:
        if current is None:
            return []
        return [ChangeImage(api, target, "deprecate_at", image.deprecation_time, NEVER, "disable_image_deprecation")]
    moment = parse_time(wanted.deprecate_at)
    if moment is None or moment == current:
        return []
    after = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        ChangeImage(
            api, target, "deprecate_at", image.deprecation_time, after, "enable_image_deprecation", DeprecateAt=moment
        )
    ]


def _plan_protection(api: Ec2Api, image: Image, wanted: Attributes, target: ImageTarget) -> t.List[ChangeImage]:
    if wanted.deregistration_protection is None:
        return []
    cooldown = bool(wanted.deregistration_protection.get("with_cooldown"))
    enabled = bool(wanted.deregistration_protection.get("enabled")) or cooldown
    current = image.deregistration_protection or "disabled"
    has_cooldown = image.is_protected and current.endswith("with-cooldown")
    if (enabled, cooldown) == (image.is_protected, has_cooldown):
        return []
    what = "deregistration_protection"
    if not enabled:
        return [ChangeImage(api, target, what, current, "disabled", "disable_image_deregistration_protection")]
    after = "enabled-with-cooldown" if cooldown else "enabled"
    return [
        ChangeImage(api, target, what, current, after, "enable_image_deregistration_protection", WithCooldown=cooldown)
    ]


def _plan_snapshots(api: Ec2Api, image: Image, wanted: Attributes) -> t.List[Operation]:
    """Tags and permissions of the snapshots that a build made; a source image's are not ours to change."""
    operations: t.List[Operation] = []
    if not wanted.snapshot_tags and wanted.snapshot_permissions is None:
        return operations
    for snapshot_id in image.snapshot_ids:
        snapshot = describe_snapshot(api, snapshot_id, new=True)
        if BUILD_ID_TAG not in snapshot.tags:
            continue
        operations += plan_tags(api, snapshot_id, snapshot.tags, wanted.snapshot_tags, new=True)
        operations += _plan_snapshot_permissions(api, snapshot_id, wanted.snapshot_permissions)
    return operations


def _plan_snapshot_permissions(
    api: Ec2Api, snapshot_id: str, wanted: t.Optional[t.Mapping[str, t.Optional[t.Sequence[str]]]]
) -> t.List[ShareSnapshot]:
    if wanted is None:
        return []
    answer = api.call(
        "describe_snapshot_attribute",
        "read the permissions of snapshot %s" % snapshot_id,
        SnapshotId=snapshot_id,
        Attribute="createVolumePermission",
    )
    current = read_permissions(answer.get("CreateVolumePermissions") or [])
    change = compare_permissions(current, wanted)
    return [
        ShareSnapshot(api, snapshot_id, verb, permissions)
        for verb, permissions in (("add", change.add), ("remove", change.remove))
        if permissions
    ]


class ShareSnapshot:
    """Let others make volumes from a snapshot, or not any more."""

    def __init__(self, api: Ec2Api, snapshot_id: str, verb: str, permissions: t.List[t.Dict[str, str]]) -> None:
        self.api = api
        self.snapshot_id = snapshot_id
        self.verb = verb
        self.permissions = permissions

    def describe(self) -> str:
        """See Operation.describe."""
        who = ", ".join(value for one in self.permissions for value in one.values())
        return "%s the permission to make volumes from %s: %s" % (self.verb, self.snapshot_id, who)

    def execute(self) -> None:
        """See Operation.execute."""
        users = [one["UserId"] for one in self.permissions if "UserId" in one]
        groups = [one["Group"] for one in self.permissions if "Group" in one]
        self.api.call(
            "modify_snapshot_attribute",
            "change the permissions of snapshot %s" % self.snapshot_id,
            SnapshotId=self.snapshot_id,
            Attribute="createVolumePermission",
            OperationType=self.verb,
            UserIds=users or None,
            GroupNames=groups or None,
        )


__all__ = (
    "Attributes",
    "ChangeImage",
    "ImageTarget",
    "compare_permissions",
    "parse_time",
    "plan_attributes",
    "read_launch_permissions",
    "read_permissions",
)
