# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""An image as it shall be in many regions: the request, and what it asks of one region."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.copies import CopyRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_rules import (
    duration_problems,
    key_problems,
    region_of_zone,
    region_problems,
    zone_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import Attributes
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import name_problems
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image
from ansible_collections.bakehouse.images.plugins.module_utils._tags import (
    BUILD_ID_TAG,
    EXPIRES_TAG,
    FINGERPRINT_TAG,
    IMAGE_TAG,
    INTERMEDIARY_TAG,
    OWNER_TAG,
    is_ours,
    tag_problems,
    text_tags,
)

# What a copy does not take over from an image that does not outlive its build.
OF_INTERMEDIARY = (EXPIRES_TAG, INTERMEDIARY_TAG, OWNER_TAG)


@dataclass(frozen=True)
class DistributionRequest:
    """An image that shall be in these regions, everywhere with the same attributes.

    Attributes:
        exclude_regions: those of C(regions) to leave alone.
        image_id: the image that is copied, in C(source_region).
        encrypted: None leaves copies as the source is.
        kms_key_id: the key in the source's region.
        fast_restore_zones: None leaves it as it is.
        remove_unfinished: take back what is not complete when the time is up.
    """

    name: str
    image_id: str
    source_region: str
    regions: t.Sequence[str]
    exclude_regions: t.Sequence[str] = ()
    replace: bool = False
    encrypted: t.Optional[bool] = None
    kms_key_id: t.Optional[str] = None
    region_kms_key_ids: t.Mapping[str, str] = field(default_factory=dict)
    copy_duration_minutes: t.Optional[int] = None
    tags: t.Mapping[str, str] = field(default_factory=dict)
    attributes: Attributes = field(default_factory=Attributes)
    fast_restore_zones: t.Optional[t.Sequence[str]] = None
    waiting: Waiting = field(default_factory=Waiting)
    remove_unfinished: bool = False

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any], own_region: str) -> DistributionRequest:
        """From a module's options."""
        same = {
            "name", "image_id", "replace", "encrypted", "kms_key_id", "copy_duration_minutes", "fast_restore_zones",
        }  # fmt: skip
        given = {name: params[name] for name in Attributes.__dataclass_fields__ if name in params}
        given["snapshot_tags"] = text_tags(params["snapshot_tags"])
        return cls(
            source_region=params["source_region"] or own_region,
            regions=tuple(dict.fromkeys(params["regions"])),
            exclude_regions=tuple(params["exclude_regions"]),
            region_kms_key_ids={key: value for key, value in params["region_kms_key_ids"].items() if value},
            tags=text_tags(params["tags"]),
            attributes=Attributes(**given),
            waiting=Waiting.from_params(dict(params, wait=True)),
            remove_unfinished=params["on_timeout"] == "remove",
            **{name: params[name] for name in same},
        )

    def problems(self) -> t.List[str]:
        """All mistakes that can be seen without asking EC2."""
        problems = name_problems(self.name) + tag_problems(self.tags) + self.attributes.problems()
        problems += region_problems("regions", self.regions)
        if not self.regions:
            problems.append("regions is empty: the image would be nowhere.")
        problems += zone_problems("fast_restore_zones", self.fast_restore_zones or (), self.regions)
        problems += key_problems("kms_key_id", self.kms_key_id)
        for region, key in sorted(self.region_kms_key_ids.items()):
            problems += key_problems("region_kms_key_ids, %s:" % region, key)
            if region not in self.regions:
                problems.append("region_kms_key_ids has a key for %s, which is not in regions." % region)
        if self.encrypted is False and (self.kms_key_id or self.region_kms_key_ids):
            problems.append("A key is given, and encrypted is false.")
        return problems + duration_problems("copy_duration_minutes", self.copy_duration_minutes)

    def zones_in(self, region: str) -> t.Optional[t.List[str]]:
        """The zones of a region in which volumes shall be fast at once."""
        if self.fast_restore_zones is None:
            return None
        return [zone for zone in self.fast_restore_zones if region_of_zone(zone) == region]

    def tags_from(self, source: Image) -> t.Dict[str, str]:
        """The tags of the image: those asked for, and whose it is, as its source says."""
        ours = {key: value for key, value in source.tags.items() if is_ours(key) and key not in OF_INTERMEDIARY}
        return dict(ours, **dict(self.tags, **{IMAGE_TAG: self.name}))

    def is_wanted(self, image: Image, source: Image) -> bool:
        """Whether an image of this name is the one that the source is: by fingerprint, else by build."""
        if not image.belongs_to(self.name) or INTERMEDIARY_TAG in image.tags:
            return False
        for tag in (FINGERPRINT_TAG, BUILD_ID_TAG):
            if tag in source.tags:
                return image.tags.get(tag) == source.tags[tag]
        return False

    def copy_for(self, source: Image, region: str, name: str) -> CopyRequest:
        """The copy that a region is asked for.

        Args:
            name: another than the image's own while an older image has that.
        """
        key = self.region_kms_key_ids.get(region) or (self.kms_key_id if region == self.source_region else None)
        tags = self.tags_from(source)
        snapshot_tags = dict(tags, **self.attributes.snapshot_tags)
        if name != self.name:
            tags[INTERMEDIARY_TAG] = "true"
        description = self.attributes.description
        return CopyRequest(
            source_image_id=self.image_id,
            source_region=self.source_region,
            name=name,
            description=source.description if description is None else description,
            encrypted=self.encrypted,
            kms_key_id=key,
            duration_minutes=self.copy_duration_minutes,
            tags=tags,
            snapshot_tags=snapshot_tags,
        )


__all__ = ("DistributionRequest",)
