# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a build has made, and removing it: images, then snapshots, then volumes."""

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
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.copies import copy_name
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_removal import DeleteImage
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import (
    Image,
    find_images,
    images_named,
    read_image,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.leftovers import (
    build_of_image,
    is_finished,
    used_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.registration import trial_name
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshots import (
    RELEASE_SECONDS,
    DeleteSnapshot,
    Snapshot,
    images_using,
    list_snapshots,
    snapshots_of_build,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import tag_filter
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.volume_plans import DeleteVolume
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.volumes import (
    Volume,
    list_volumes,
    volumes_of_build,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    BUILD_ID_TAG,
    FINGERPRINT_TAG,
    HOST_TAG,
    IMAGE_TAG,
    build_id_problems,
)

Resource = t.Union[Image, Snapshot, Volume]


@dataclass(frozen=True)
class Found:
    """What is of a build, or of an image's builds."""

    images: t.Tuple[Image, ...] = ()
    snapshots: t.Tuple[Snapshot, ...] = ()
    volumes: t.Tuple[Volume, ...] = ()

    def to_ansible(self, image_name: t.Optional[str]) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return {
            "images": [dict(_summary(one, image_name), image_id=one.image_id, name=one.name) for one in self.images],
            "snapshots": [
                dict(_summary(one, image_name), snapshot_id=one.snapshot_id, progress=one.progress)
                for one in self.snapshots
            ],
            "volumes": [
                dict(
                    _summary(one, image_name),
                    volume_id=one.volume_id,
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
        "build_id": resource.build_id or None,
        "fingerprint": tags.get(FINGERPRINT_TAG),
        "host": tags.get(HOST_TAG),
        "image_name": tags.get(IMAGE_TAG),
        "ours": bool(resource.build_id) and (image_name is None or tags.get(IMAGE_TAG) == image_name),
        "created": getattr(resource, created),
        "tags": dict(tags),
    }


def find_build(api: OutscaleApi, *, image_name: t.Optional[str] = None, build_id: t.Optional[str] = None) -> Found:
    """What is there of an image or a build, in this account and region.

    With C(image_name), images are the account's own of that name, whoever made them; snapshots and volumes those that
    builds of it have tagged. With C(build_id), all that is of that build.
    """
    problems = build_id_problems(build_id)
    if not image_name and not build_id:
        problems.append("Give image_name or build_id.")
    if problems:
        raise Invalid(problems)
    account = api.own_account()
    if build_id:
        found = _of_build(api, build_id, account)
        return found if image_name is None else _of_image(found, image_name)
    tagged = tag_filter(IMAGE_TAG, str(image_name))
    return Found(
        images=tuple(images_named(api, str(image_name), account)),
        snapshots=tuple(list_snapshots(api, AccountIds=[account], Tags=tagged)),
        volumes=tuple(list_volumes(api, Tags=tagged)),
    )


def _of_image(found: Found, image_name: str) -> Found:
    def select(resources: t.Iterable[t.Any]) -> t.Tuple[t.Any, ...]:
        return tuple(one for one in resources if one.tags.get(IMAGE_TAG) == image_name)

    return Found(select(found.images), select(found.snapshots), select(found.volumes))


def _of_build(api: OutscaleApi, build_id: str, account: str) -> Found:
    snapshots = snapshots_of_build(api, build_id)
    images = find_images(api, AccountIds=[account], Tags=tag_filter(BUILD_ID_TAG, build_id))
    images += images_named(api, copy_name(build_id), account)
    images += _untagged_images(api, snapshots)
    unique = {str(one.image_id): one for one in images}
    return Found(tuple(unique.values()), tuple(snapshots), tuple(volumes_of_build(api, build_id)))


def _untagged_images(api: OutscaleApi, snapshots: t.Sequence[Snapshot]) -> t.List[Image]:
    """Images made from the build's snapshot whose tags were still to come: they have the name that it was for."""
    tagged = [(one.tags[IMAGE_TAG], one.build_id) for one in snapshots if one.tags.get(IMAGE_TAG)]
    names = {name for name, _build in tagged} | {trial_name(name, build_id) for name, build_id in tagged}
    ids = [str(one.snapshot_id) for one in snapshots]
    users = [Image.from_api(one) for one in images_using(api, ids)] if ids and names else []
    return [one for one in users if not one.build_id and one.name in names]


def plan_removal(api: OutscaleApi, request: RemovalRequest) -> t.List[Removal]:
    """Plan to remove all that is of the build: images, then snapshots, then volumes."""
    problems = build_id_problems(request.build_id)
    if problems:
        raise Invalid(problems)
    account = api.own_account()
    found = _of_build(api, request.build_id, account)
    images = {str(one.image_id): one for one in found.images}
    snapshots = {str(one.snapshot_id): one for one in found.snapshots}
    volumes = {str(one.volume_id): one for one in found.volumes}
    _add_known(api, request, images, snapshots, volumes)
    if request.keep_images:
        images = {key: image for key, image in images.items() if not is_finished(image)}
    kept = images.pop(str(request.keep_image_id), None)
    if request.keep_image_id and kept is None:
        kept = read_image(api, request.keep_image_id, new=True)
    _add_snapshots_of(api, images, snapshots, account)
    stay = set(kept.snapshot_ids) if kept else set()
    stay |= used_snapshots(api, [one for one in snapshots if one not in stay], leaving=images)
    snapshots = {key: snapshot for key, snapshot in snapshots.items() if key not in stay}
    return _removals(api, request, images, snapshots, volumes)


def _removals(
    api: OutscaleApi,
    request: RemovalRequest,
    images: t.Mapping[str, Image],
    snapshots: t.Mapping[str, Snapshot],
    volumes: t.Mapping[str, Volume],
) -> t.List[Removal]:
    patience = RELEASE_SECONDS if images else 0
    return (
        [Removal("image", key, DeleteImage(api, image)) for key, image in images.items()]
        + [Removal("snapshot", key, DeleteSnapshot(api, key, release_seconds=patience)) for key in snapshots]
        + [Removal("volume", key, DeleteVolume(api, volume, request.waiting)) for key, volume in volumes.items()]
    )


def _add_snapshots_of(
    api: OutscaleApi, images: t.Mapping[str, Image], snapshots: t.Dict[str, Snapshot], account: str
) -> None:
    """Add what copies have brought along and is not tagged yet: snapshots of this account without any mark."""
    copies = [image for image in images.values() if image.name == copy_name(build_of_image(image))]
    missing = [one for image in copies for one in image.snapshot_ids if one not in snapshots]
    for snapshot in list_snapshots(api, SnapshotIds=missing) if missing else []:
        if snapshot.owner_id in (None, account) and not snapshot.build_id:
            snapshots[str(snapshot.snapshot_id)] = snapshot


def _add_known(
    api: OutscaleApi,
    request: RemovalRequest,
    images: t.Dict[str, Image],
    snapshots: t.Dict[str, Snapshot],
    volumes: t.Dict[str, Volume],
) -> None:
    """Add what the caller knows and lists do not show yet; never what is another build's."""
    wanted = (
        Known(images, request.image_id, lambda known: find_images(api, ImageIds=[known])),
        Known(snapshots, request.snapshot_id, lambda known: list_snapshots(api, SnapshotIds=[known])),
        Known(volumes, request.volume_id, lambda known: list_volumes(api, VolumeIds=[known])),
    )
    add_known(wanted, timeout_seconds=min(KNOWN_SECONDS, api.new_id_seconds), clock=api.clock)
    for image_id, image in list(images.items()):
        if build_of_image(image) not in (request.build_id, ""):
            del images[image_id]
    _drop_others(snapshots, request.build_id)
    _drop_others(volumes, request.build_id)


def _drop_others(found: t.Dict[str, t.Any], build_id: str) -> None:
    for resource_id, resource in list(found.items()):
        if resource.build_id != build_id:
            del found[resource_id]


__all__ = ("Found", "Removal", "RemovalRequest", "find_build", "plan_removal", "remove")
