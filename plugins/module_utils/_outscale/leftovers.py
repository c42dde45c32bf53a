# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What builds have made at Outscale that is no finished image."""

from __future__ import annotations

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.moments import age_seconds
from ansible_collections.bakehouse.images.plugins.module_utils._leftovers import Leftover, from_tags
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.copies import copy_name
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import FAILED_STATES, Image, find_images
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshots import (
    Snapshot,
    images_using,
    list_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.volumes import Volume, list_volumes
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, IMAGE_TAG

# So many values of a filter at a time.
VALUES_AT_ONCE = 200


def find_leftovers(api: OutscaleApi, build_ids: t.Sequence[str] = ()) -> t.List[Leftover]:
    """All volumes of builds; snapshots of builds that no finished image uses; images of builds that are none.

    All of the account is looked at: what a build had made a moment before it was ended may be without its tags.

    Args:
        build_ids: only those of these builds; empty for all.
    """
    account = api.own_account()
    volumes = [one for one in list_volumes(api) if _is_of(one.build_id, build_ids)]
    snapshots = [one for one in list_snapshots(api, AccountIds=[account]) if _is_of(one.build_id, build_ids)]
    # After the snapshots: one that an image is made from meanwhile is then seen to be used.
    images = find_images(api, AccountIds=[account])
    used = {one for image in images if not is_leftover(image, build_ids) for one in image.snapshot_ids}
    found = [_volume(one) for one in volumes]
    found += [_snapshot(one) for one in snapshots if one.snapshot_id not in used]
    return found + [_image(one) for one in images if is_leftover(one, build_ids)]


def _is_of(build_id: str, build_ids: t.Sequence[str]) -> bool:
    return bool(build_id) and (not build_ids or build_id in build_ids)


def build_of_image(image: Image) -> str:
    """The build that made an image: by its tag, or, for a copy whose tags are still to come, by its name."""
    if image.build_id:
        return image.build_id
    last = image.name.rpartition(" ")[2]
    return last if image.name == copy_name(last) else ""


def is_finished(image: Image) -> bool:
    """Whether this is an image that a build was for, and no copy, trial or failure."""
    return image.state not in FAILED_STATES and image.tags.get(IMAGE_TAG) == image.name


def is_leftover(image: Image, build_ids: t.Sequence[str] = ()) -> bool:
    """Whether an image is of a build, and not what that was for."""
    return _is_of(build_of_image(image), build_ids) and not is_finished(image)


def used_snapshots(api: OutscaleApi, snapshot_ids: t.Sequence[str], leaving: t.Collection[str] = ()) -> t.Set[str]:
    """Which of these snapshots are used by images, whoever has made them, but for images that are about to go."""
    used: t.Set[str] = set()
    for start in range(0, len(snapshot_ids), VALUES_AT_ONCE):
        some = list(snapshot_ids[start : start + VALUES_AT_ONCE])
        for image in map(Image.from_api, images_using(api, some)):
            if image.image_id not in leaving and image.state not in FAILED_STATES:
                used.update(image.snapshot_ids)
    return used


def _volume(volume: Volume) -> Leftover:
    where = ", ".join("%s as %s" % (one.vm_id, one.device_name) for one in volume.attachments)
    return from_tags(
        "volume",
        str(volume.volume_id),
        _with_build(volume.tags, volume.build_id),
        age_seconds=age_seconds(volume.create_time),
        size_gib=volume.size_gib,
        price="outscale %s" % volume.volume_type,
        state="%s (%s)" % (volume.state, where) if where else volume.state,
    )


def _snapshot(snapshot: Snapshot) -> Leftover:
    return from_tags(
        "snapshot",
        str(snapshot.snapshot_id),
        _with_build(snapshot.tags, snapshot.build_id),
        age_seconds=age_seconds(snapshot.start_time),
        size_gib=snapshot.size_gib,
        price="outscale snapshot",
        state=snapshot.state,
    )


def _image(image: Image) -> Leftover:
    tags = _with_build(image.tags, build_of_image(image))
    age = age_seconds(image.creation_date)
    return from_tags("image", str(image.image_id), tags, age_seconds=age, state=image.state)


def _with_build(tags: t.Mapping[str, str], build_id: str) -> t.Dict[str, str]:
    return dict(tags, **{BUILD_ID_TAG: build_id})


__all__ = ("build_of_image", "find_leftovers", "is_finished", "is_leftover", "used_snapshots")
