# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""An image copied into one region: what is there, how it is started, how far it has come, and how it is taken back."""

from __future__ import annotations

import typing as t
import uuid
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import (
    Ec2Api,
    error_code,
    tag_specifications,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_removal import deregister
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import FAILED_STATES, Image, find_images
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import (
    RELEASE_SECONDS,
    DeleteSnapshot,
    list_snapshots,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Conflict, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG, FINGERPRINT_TAG

# A region makes so many copies at a time. Then one waits for another to end.
TOO_MANY = "ResourceLimitExceeded"


@dataclass(frozen=True)
class CopyRequest:
    """A copy of an image, as one region is asked for it.

    Attributes:
        encrypted: None leaves the copy as the source is.
        tags: of the image, all of them.
        snapshot_tags: of its snapshots, all of them.
    """

    source_image_id: str
    source_region: str
    name: str
    description: t.Optional[str] = None
    encrypted: t.Optional[bool] = None
    kms_key_id: t.Optional[str] = None
    duration_minutes: t.Optional[int] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)
    snapshot_tags: t.Mapping[str, str] = field(default_factory=dict)

    def describe(self, region: str) -> str:
        """The copy in words."""
        how = "" if self.encrypted is None else ", encrypted" if self.encrypted else ", not encrypted"
        if self.kms_key_id:
            how += " with the key %s" % self.kms_key_id
        if self.duration_minutes:
            how += ", within %d minutes" % self.duration_minutes
        return "copy image %s of %s to %s%s" % (self.source_image_id, self.source_region, region, how)


def start_copy(api: Ec2Api, request: CopyRequest) -> t.Optional[str]:
    """Start a copy and return the new image's id; None when the region makes too many just now.

    The client token covers a call whose answer was lost. A copy that another process has started is known by its name,
    which EC2 gives once.
    """
    specifications = (tag_specifications(request.tags, "image") or []) + (
        tag_specifications(request.snapshot_tags, "snapshot") or []
    )
    try:
        answer = api.call(
            "copy_image",
            request.describe(api.region),
            ClientToken=str(uuid.uuid4()),
            SourceImageId=request.source_image_id,
            SourceRegion=request.source_region,
            Name=request.name,
            Description=request.description,
            # A key is taken only together with it.
            Encrypted=True if request.kms_key_id else request.encrypted,
            KmsKeyId=request.kms_key_id,
            SnapshotCopyCompletionDurationMinutes=request.duration_minutes,
            TagSpecifications=specifications or None,
        )
    except BuildError as exc:
        if error_code(exc) == TOO_MANY:
            return None
        if error_code(exc) == "InvalidAMIName.Duplicate":
            return _started_meanwhile(api, request, exc)
        raise
    return str(answer["ImageId"])


def _started_meanwhile(api: Ec2Api, request: CopyRequest, exc: BuildError) -> str:
    """A name taken since we looked, or by what EC2 did not list yet: ours, or a mistake."""

    def look() -> Image:
        for image in find_images(api, {"name": request.name}):
            if image.state not in FAILED_STATES:
                return image
        raise NotFound(exc.message)

    image = t.cast("Image", api.retry_missing(look, new=True))
    for tag in (FINGERPRINT_TAG, BUILD_ID_TAG):
        if tag in request.tags:
            if image.tags.get(tag) == request.tags[tag]:
                return str(image.image_id)
            break
    raise Conflict(
        "The name %s is taken in %s, by image %s." % (request.name, api.region, image.image_id),
        hint="Choose another name.",
        image_id=image.image_id,
    ) from exc


def copy_progress(api: Ec2Api, image: Image) -> int:
    """How much of a pending image is there, in percent: that of its slowest snapshot."""
    snapshots = _snapshots_of(api, image)
    return min([one.progress for one in snapshots], default=0)


def _snapshots_of(api: Ec2Api, image: Image) -> t.List[t.Any]:
    # EC2 lists a pending image's snapshots late; their description names the image from the start.
    found = {}
    build_id = image.tags.get(BUILD_ID_TAG)
    if build_id:
        tagged = {"tag:" + BUILD_ID_TAG: build_id, "description": "*DestinationAmi %s *" % image.image_id}
        found = {one.snapshot_id: one for one in list_snapshots(api, tagged)}
    missing = [one for one in image.snapshot_ids if one not in found]
    if missing:
        found.update({one.snapshot_id: one for one in list_snapshots(api, {"snapshot-id": missing})})
    return list(found.values())


def remove_copy(api: Ec2Api, image: Image) -> None:
    """Take back a copy, complete or not, with the snapshots that were made for it."""
    ours = [one for one in _snapshots_of(api, image) if BUILD_ID_TAG in one.tags]
    deregister(api, str(image.image_id))
    for one in ours:
        DeleteSnapshot(api, str(one.snapshot_id), release_seconds=RELEASE_SECONDS).execute()


__all__ = ("TOO_MANY", "CopyRequest", "copy_progress", "remove_copy", "start_copy")
