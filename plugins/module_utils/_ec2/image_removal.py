# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Deregistering images, and deleting the snapshots that only they use."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import (
    Image,
    describe_image,
    find_images,
    image_named,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import (
    RELEASE_SECONDS,
    DeleteSnapshot,
    list_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.tagging import check_ownership
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Invalid,
    NotFound,
    Refused,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, IMAGE_TAG, build_id_problems


@dataclass
class RemovalPlan:
    """What is there, what has to be done, and which snapshots stay, with the reason."""

    image: t.Optional[Image]
    operations: t.List[Operation]
    kept_snapshots: t.List[t.Dict[str, str]] = field(default_factory=list)


def plan_absent(
    api: Ec2Api,
    *,
    image_id: t.Optional[str] = None,
    name: t.Optional[str] = None,
    build_id: t.Optional[str] = None,
    delete_snapshots: bool = True,
) -> RemovalPlan:
    """Plan to have no such image: by id, or by the name under which a build of ours registered it.

    Raises:
        Refused: the image is protected, or not ours.
    """
    problems = build_id_problems(build_id)
    if problems:
        raise Invalid(problems)
    image = _image_to_remove(api, image_id, name)
    if image is None:
        return RemovalPlan(None, [])
    _check_removable(image, image_id, build_id)
    operations: t.List[Operation] = [DeregisterImage(api, image)]
    if not delete_snapshots:
        return RemovalPlan(image, operations)
    removal = plan_snapshot_removal(api, image)
    return RemovalPlan(image, operations + removal.operations, removal.kept_snapshots)


def _image_to_remove(api: Ec2Api, image_id: t.Optional[str], name: t.Optional[str]) -> t.Optional[Image]:
    if not image_id:
        return image_named(api, str(name))
    try:
        image = describe_image(api, image_id)
    except NotFound:
        return None
    return None if image.state == "deregistered" else image


def _check_removable(image: Image, image_id: t.Optional[str], build_id: t.Optional[str]) -> None:
    check_ownership("Image %s (%s)" % (image.image_id, image.name), image.tags, build_id, image_id=image.image_id)
    if not image_id and IMAGE_TAG not in image.tags:
        raise Refused(
            "Image %s has the name %s, but no build of this collection made it." % (image.image_id, image.name),
            hint="Give image_id if it shall be deregistered all the same.",
            image_id=image.image_id,
        )
    if image.is_protected:
        raise protected(image)


def protected(image: Image) -> Refused:
    """The error for an image that EC2 will not deregister."""
    return Refused(
        "Image %s (%s) is protected against deregistration (%s)."
        % (image.image_id, image.name, image.deregistration_protection),
        hint="Switch it off with deregistration_protection: {enabled: false}; with a cool-down, EC2 waits 24 hours.",
        image_id=image.image_id,
    )


def plan_snapshot_removal(api: Ec2Api, image: Image, *, keep: t.Collection[str] = ()) -> RemovalPlan:
    """Plan to delete an image's snapshots, once it is deregistered.

    Only snapshots that a build made (they carry its tag) and that no other image uses: an image's
    mappings may name snapshots of its source image, or of another account.

    Args:
        keep: snapshots that are used otherwise.
    """
    wanted = [snapshot_id for snapshot_id in image.snapshot_ids if snapshot_id not in keep]
    if not wanted:
        return RemovalPlan(image, [])
    ours = {
        snapshot.snapshot_id
        for snapshot in list_snapshots(api, {"snapshot-id": wanted})
        if BUILD_ID_TAG in snapshot.tags
    }
    users = find_images(api, {"block-device-mapping.snapshot-id": wanted}, doing="find the images that use a snapshot")
    others = {
        snapshot_id: str(other.image_id)
        for other in users
        if other.image_id != image.image_id
        for snapshot_id in other.snapshot_ids
    }
    plan = RemovalPlan(image, [])
    for snapshot_id in wanted:
        if snapshot_id not in ours:
            plan.kept_snapshots.append({"snapshot_id": snapshot_id, "reason": "no build of this collection made it"})
        elif snapshot_id in others:
            plan.kept_snapshots.append({"snapshot_id": snapshot_id, "reason": "image %s uses it" % others[snapshot_id]})
        else:
            plan.operations.append(DeleteSnapshot(api, snapshot_id, release_seconds=RELEASE_SECONDS))
    return plan


class DeregisterImage:
    """Deregister an image."""

    def __init__(self, api: Ec2Api, image: Image) -> None:
        self.api = api
        self.image = image

    def describe(self) -> str:
        """See Operation.describe."""
        return "deregister image %s (%s)" % (self.image.image_id, self.image.name)

    def execute(self) -> None:
        """See Operation.execute."""
        deregister(self.api, str(self.image.image_id))


def deregister(api: Ec2Api, image_id: str) -> None:
    """Deregister an image. One that has gone already is deregistered enough."""
    try:
        api.call("deregister_image", "deregister image %s" % image_id, ImageId=image_id)
    except NotFound:
        return
    except BuildError as exc:
        # EC2 has said so in several ways; the description tells for sure.
        try:
            image = describe_image(api, image_id)
        except BuildError:
            raise exc from None
        if image.is_protected:
            raise protected(image) from exc
        raise


__all__ = ("DeregisterImage", "RemovalPlan", "deregister", "plan_absent", "plan_snapshot_removal", "protected")
