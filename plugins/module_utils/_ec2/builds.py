# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whole builds: what one has left, and removing all of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.removals import (
    KNOWN_SECONDS,
    Known,
    Removal,
    RemovalRequest,
    add_known,
    remove,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_removal import DeregisterImage
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import (
    Image,
    describe_image,
    find_images,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.leftovers import (
    is_left_over,
    snapshots_of_copies,
    used_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import (
    RELEASE_SECONDS,
    DeleteSnapshot,
    Snapshot,
    list_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volume_plans import DeleteVolume
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volumes import (
    Volume,
    list_volumes,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    BUILD_ID_TAG,
    FINGERPRINT_TAG,
    HOST_TAG,
    IMAGE_TAG,
    build_id_problems,
)

Resource = t.Union[Image, Snapshot, Volume]


@dataclass(frozen=True)
class Leftovers:
    """What carries a build's tag, or an image's."""

    images: t.Tuple[Image, ...] = ()
    snapshots: t.Tuple[Snapshot, ...] = ()
    volumes: t.Tuple[Volume, ...] = ()

    def to_ansible(self, image_name: t.Optional[str]) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return {
            "images": [
                dict(_summary(one, image_name), image_id=one.image_id, name=one.name, protected=one.is_protected)
                for one in self.images
            ],
            "snapshots": [
                dict(
                    _summary(one, image_name),
                    snapshot_id=one.snapshot_id,
                    volume_id=one.volume_id,
                    progress=one.progress,
                )
                for one in self.snapshots
            ],
            "volumes": [
                dict(
                    _summary(one, image_name),
                    volume_id=one.volume_id,
                    size_gib=one.size_gib,
                    volume_type=one.volume_type,
                    availability_zone=one.availability_zone,
                    attachments=[attachment.to_ansible() for attachment in one.attachments],
                )
                for one in self.volumes
            ],
        }


def _summary(resource: Resource, image_name: t.Optional[str]) -> t.Dict[str, t.Any]:
    tags = resource.tags
    created = {Image: "creation_date", Snapshot: "start_time", Volume: "create_time"}[type(resource)]
    return {
        "state": resource.state,
        "build_id": tags.get(BUILD_ID_TAG),
        "fingerprint": tags.get(FINGERPRINT_TAG),
        "host": tags.get(HOST_TAG),
        "image_name": tags.get(IMAGE_TAG),
        "ours": BUILD_ID_TAG in tags and (image_name is None or tags.get(IMAGE_TAG) == image_name),
        "created": getattr(resource, created),
        "tags": dict(tags),
    }


def find_build(api: Ec2Api, *, image_name: t.Optional[str] = None, build_id: t.Optional[str] = None) -> Leftovers:
    """What is there of an image or a build, in this region.

    With C(image_name), images are those that have the name, whoever made them; snapshots and
    volumes those that builds of it have tagged. With C(build_id), all that carries its tag.
    """
    problems = build_id_problems(build_id)
    if not image_name and not build_id:
        problems.append("Give image_name or build_id.")
    if problems:
        raise Invalid(problems)
    tagged = {"tag:" + BUILD_ID_TAG: build_id} if build_id else {"tag:" + IMAGE_TAG: str(image_name)}
    if build_id and image_name:
        tagged["tag:" + IMAGE_TAG] = image_name
    by_name = {"name": image_name} if image_name and not build_id else tagged
    return Leftovers(
        images=tuple(find_images(api, by_name)),
        snapshots=tuple(list_snapshots(api, tagged)),
        volumes=tuple(list_volumes(api, tagged)),
    )


def plan_removal(api: Ec2Api, request: RemovalRequest) -> t.List[Removal]:
    """Plan to remove all that carries the build's tag: images, then snapshots, then volumes."""
    problems = build_id_problems(request.build_id)
    if problems:
        raise Invalid(problems)
    found = find_build(api, build_id=request.build_id)
    images = {str(one.image_id): one for one in found.images}
    snapshots = {str(one.snapshot_id): one for one in found.snapshots}
    volumes = {str(one.volume_id): one for one in found.volumes}
    _add_known(api, request, images, snapshots, volumes)
    for kept in _kept_snapshots(api, images.pop(str(request.keep_image_id), None), request.keep_image_id):
        snapshots.pop(kept, None)
    if request.keep_images:
        copying = snapshots_of_copies(snapshots.values(), [one for one in images.values() if not is_left_over(one)])
        images = {key: image for key, image in images.items() if is_left_over(image)}
        used = used_snapshots(api, list(snapshots), without=list(images)) | copying
        snapshots = {key: snapshot for key, snapshot in snapshots.items() if key not in used}
    removals = [Removal("image", key, DeregisterImage(api, image)) for key, image in images.items()]
    removals += [
        Removal("snapshot", key, DeleteSnapshot(api, key, release_seconds=RELEASE_SECONDS if images else 0))
        for key in snapshots
    ]
    return removals + [
        Removal("volume", key, DeleteVolume(api, volume, request.waiting)) for key, volume in volumes.items()
    ]


def _add_known(
    api: Ec2Api,
    request: RemovalRequest,
    images: t.Dict[str, Image],
    snapshots: t.Dict[str, Snapshot],
    volumes: t.Dict[str, Volume],
) -> None:
    """Add what the caller knows and EC2's lists do not show yet; never what carries another build's tag."""
    wanted = (
        Known(images, request.image_id, lambda known: find_images(api, {"image-id": known})),
        Known(snapshots, request.snapshot_id, lambda known: list_snapshots(api, {"snapshot-id": known})),
        Known(volumes, request.volume_id, lambda known: list_volumes(api, {"volume-id": known})),
    )
    add_known(wanted, timeout_seconds=min(KNOWN_SECONDS, api.new_id_seconds), clock=api.clock)
    every: t.Tuple[t.Dict[str, t.Any], ...] = (images, snapshots, volumes)
    for found in every:
        for resource_id, resource in list(found.items()):
            if resource.tags.get(BUILD_ID_TAG) != request.build_id:
                del found[resource_id]


def _kept_snapshots(api: Ec2Api, kept: t.Optional[Image], keep_image_id: t.Optional[str]) -> t.List[str]:
    if keep_image_id and kept is None:
        kept = describe_image(api, keep_image_id, new=True)
    return kept.snapshot_ids if kept else []


__all__ = ("Leftovers", "Removal", "RemovalRequest", "find_build", "plan_removal", "remove")
