# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What builds have made in EC2 that is no finished image, nor part of one."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.moments import age_seconds
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import FAILED_STATES, Image, find_images
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import Snapshot, list_snapshots
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volumes import Volume, list_volumes
from ansible_collections.bakehouse.images.plugins.module_utils._leftovers import Leftover, from_tags
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, INTERMEDIARY_TAG

# EC2 takes at most so many values of a filter.
VALUES_AT_ONCE = 200

_COPY = re.compile(r"\bDestinationAmi (ami-[0-9a-f]+)\b")


def find_leftovers(api: Ec2Api, build_ids: t.Sequence[str] = ()) -> t.List[Leftover]:
    """All volumes with a build's tag; snapshots with one that no image uses; images with one that have failed, or were
    there only to make others of them.

    Args:
        build_ids: only those of these builds; empty for all.
    """
    tagged: t.Mapping[str, t.Union[str, t.Sequence[str]]] = (
        {"tag:" + BUILD_ID_TAG: list(build_ids)} if build_ids else {"tag-key": BUILD_ID_TAG}
    )
    volumes = list_volumes(api, tagged)
    snapshots = list_snapshots(api, tagged)
    # After the snapshots: one that is registered meanwhile is then seen to be used.
    images = find_images(api, tagged)
    left = [one for one in images if is_left_over(one)]
    staying = [one for one in images if not is_left_over(one)]
    used = used_snapshots(
        api, [str(one.snapshot_id) for one in snapshots], staying, without=[str(one.image_id) for one in left]
    )
    used |= snapshots_of_copies(snapshots, staying)
    found = [_volume(one) for one in volumes]
    found += [_snapshot(one) for one in snapshots if one.snapshot_id not in used]
    return found + [_image(one) for one in left]


def is_left_over(image: Image) -> bool:
    """Whether an image is of no use: it has failed, or was only there to make others of it."""
    return image.state in FAILED_STATES or INTERMEDIARY_TAG in image.tags


def used_snapshots(
    api: Ec2Api, snapshot_ids: t.Sequence[str], images: t.Iterable[Image] = (), *, without: t.Collection[str] = ()
) -> t.Set[str]:
    """Which of these snapshots the account's images use, whoever has made them.

    Args:
        without: images that do not count, because they are going to be removed.
    """
    used = {one for image in images if image.state not in FAILED_STATES for one in image.snapshot_ids}
    asked = [one for one in snapshot_ids if one not in used]
    for start in range(0, len(asked), VALUES_AT_ONCE):
        some = asked[start : start + VALUES_AT_ONCE]
        users = find_images(api, {"block-device-mapping.snapshot-id": some}, doing="find the images that use snapshots")
        counting = [one for one in users if one.state not in FAILED_STATES and one.image_id not in without]
        used |= {one for image in counting for one in image.snapshot_ids}
    return used


def snapshots_of_copies(snapshots: t.Iterable[Snapshot], images: t.Iterable[Image]) -> t.Set[str]:
    """Which of these snapshots are made for copies that are under way.

    EC2 lists a pending image's snapshots late; their description names the image from the start.
    """
    pending = {one.image_id for one in images if one.state == "pending"}
    named = ((one.snapshot_id, _COPY.search(one.description or "")) for one in snapshots)
    return {str(snapshot_id) for snapshot_id, found in named if found and found.group(1) in pending}


def _volume(volume: Volume) -> Leftover:
    where = ", ".join("%s as %s" % (one.instance_id, one.device_name) for one in volume.attachments)
    return from_tags(
        "volume",
        str(volume.volume_id),
        volume.tags,
        age_seconds=age_seconds(volume.create_time),
        size_gib=volume.size_gib,
        price=str(volume.volume_type or ""),
        state="%s (%s)" % (volume.state, where) if where else volume.state,
    )


def _snapshot(snapshot: Snapshot) -> Leftover:
    return from_tags(
        "snapshot",
        str(snapshot.snapshot_id),
        snapshot.tags,
        age_seconds=age_seconds(snapshot.start_time),
        size_gib=snapshot.size_gib,
        price="snapshot",
        state=snapshot.state,
    )


def _image(image: Image) -> Leftover:
    return from_tags(
        "image", str(image.image_id), image.tags, age_seconds=age_seconds(image.creation_date), state=image.state
    )


__all__ = ("find_leftovers", "is_left_over", "snapshots_of_copies", "used_snapshots")
