# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Deleting images, and the snapshots that only they use."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, NotFound, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import Image, images_named, read_image
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshots import (
    RELEASE_SECONDS,
    DeleteSnapshot,
    images_using,
    list_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import check_ownership
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import IMAGE_TAG, build_id_problems


@dataclass
class RemovalPlan:
    """What is there, what has to be done, and which snapshots stay, with the reason."""

    image: t.Optional[Image]
    operations: t.List[Operation]
    kept_snapshots: t.List[t.Dict[str, str]] = field(default_factory=list)


def plan_absent(
    api: OutscaleApi,
    *,
    image_id: t.Optional[str] = None,
    name: t.Optional[str] = None,
    build_id: t.Optional[str] = None,
    delete_snapshots: bool = True,
) -> RemovalPlan:
    """Plan to have no such image: by id, or by the name under which a build of ours made it in this account.

    Raises:
        Refused: the image is not ours.
    """
    problems = build_id_problems(build_id)
    if problems:
        raise Invalid(problems)
    image = _image_to_remove(api, image_id, name)
    if image is None:
        return RemovalPlan(None, [])
    what = "Image %s (%s)" % (image.image_id, image.name)
    check_ownership(what, image.build_id, build_id, image_id=image.image_id)
    if not image_id and IMAGE_TAG not in image.tags:
        raise Refused(
            "Image %s has the name %s, but no build of this collection made it." % (image.image_id, image.name),
            hint="Give image_id if it shall be deleted all the same.",
            image_id=image.image_id,
        )
    operations: t.List[Operation] = [DeleteImage(api, image)]
    if not delete_snapshots:
        return RemovalPlan(image, operations)
    removal = plan_snapshot_removal(api, [image])
    return RemovalPlan(image, operations + removal.operations, removal.kept_snapshots)


def _image_to_remove(api: OutscaleApi, image_id: t.Optional[str], name: t.Optional[str]) -> t.Optional[Image]:
    if not image_id:
        found = images_named(api, str(name), api.own_account())
        return found[0] if found else None
    try:
        return read_image(api, image_id)
    except NotFound:
        return None


def plan_snapshot_removal(api: OutscaleApi, images: t.Sequence[Image], *, keep: t.Collection[str] = ()) -> RemovalPlan:
    """Plan to delete the snapshots of images, once those are deleted.

    Only snapshots that a build made (they carry its mark) and that no other image uses: an image's mappings may name
    snapshots of its source image, or of another account.

    Args:
        keep: snapshots that are used otherwise.
    """
    wanted = [one for image in images for one in image.snapshot_ids if one not in keep]
    plan = RemovalPlan(images[0] if images else None, [])
    if not wanted:
        return plan
    ours = {one.snapshot_id for one in list_snapshots(api, SnapshotIds=wanted) if one.build_id}
    leaving = {image.image_id for image in images}
    others: t.Dict[str, str] = {}
    for user in map(Image.from_api, images_using(api, wanted)):
        if user.image_id not in leaving:
            others.update({snapshot_id: str(user.image_id) for snapshot_id in user.snapshot_ids})
    for snapshot_id in dict.fromkeys(wanted):
        if snapshot_id not in ours:
            plan.kept_snapshots.append({"snapshot_id": snapshot_id, "reason": "no build of this collection made it"})
        elif snapshot_id in others:
            plan.kept_snapshots.append({"snapshot_id": snapshot_id, "reason": "image %s uses it" % others[snapshot_id]})
        else:
            plan.operations.append(DeleteSnapshot(api, snapshot_id, release_seconds=RELEASE_SECONDS))
    return plan


class DeleteImage:
    """Delete an image."""

    def __init__(self, api: OutscaleApi, image: Image) -> None:
        self.api = api
        self.image = image

    def describe(self) -> str:
        """See Operation.describe."""
        return "delete image %s (%s)" % (self.image.image_id, self.image.name)

    def execute(self) -> None:
        """See Operation.execute."""
        delete_image(self.api, str(self.image.image_id))


def delete_image(api: OutscaleApi, image_id: str) -> None:
    """Delete an image. One that has gone already is deleted enough."""
    try:
        api.call("DeleteImage", "delete image %s" % image_id, ImageId=image_id)
    except NotFound:
        return


__all__ = ("DeleteImage", "RemovalPlan", "delete_image", "plan_absent", "plan_snapshot_removal")
