# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all EC2 actions share: the resources, the lock, the settings and the volume plane."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from lab.ec2 import errors
from lab.ec2.models import Image, Snapshot, Tags, Timeline, Volume
from lab.plane.devices import Devices
from lab.plane.files import VolumeFiles
from lab.settings import Fault, SettingsStore

Answer = dict[str, t.Any]
FOREVER = float("inf")


class Region(t.Protocol):
    """The part of moto's backend of one region and account that the lab uses."""

    account_id: str
    region_name: str
    volumes: dict[str, Volume]
    snapshots: dict[str, Snapshot]
    amis: dict[str, Image]
    deleted_amis: list[str]
    tags: dict[str, Tags]
    ebs_encryption_by_default: bool

    def get_instance(self, instance_id: str) -> t.Any: ...
    def create_tags(self, resource_ids: list[str], tags: Tags) -> bool: ...
    def zone_ids(self) -> dict[str, str]: ...
    def kms_key_arn(self, key_id: str | None) -> str: ...


@dataclass(frozen=True)
class Request:
    """One EC2 call, parsed by the API's own model."""

    action: str
    params: Mapping[str, t.Any]
    region: Region
    fault: Fault | None = None

    @property
    def account(self) -> str:
        return self.region.account_id

    def required(self, name: str) -> t.Any:
        """A parameter that the call cannot do without.

        Raises:
            Ec2Error: it is not there (MissingParameter).
        """
        value = self.params.get(name)
        if value in (None, "", [], {}):
            raise errors.missing(name[0].lower() + name[1:])
        return value


Action = Callable[[Request], Answer]


@dataclass
class Cloud:
    """The state of the lab. Take C(lock) to read or change resources; copy bytes without it."""

    settings: SettingsStore
    files: VolumeFiles
    devices: Devices
    nitro: bool
    regions: Callable[[], Iterator[Region]]
    region: Callable[[str, str], Region]
    lock: threading.RLock = field(default_factory=threading.RLock)
    build_host_id: str = ""

    def timeline(self, kind: str, fault: Fault | None) -> Timeline:
        """When something that starts now is done, by the settings and the fault that hit the call."""
        settings = self.settings.current
        seconds = float(getattr(settings, f"{kind}_seconds"))
        effect = fault.effect if fault else ""
        return Timeline(
            seconds=FOREVER if effect == "stuck" else seconds,
            hidden_seconds=settings.consistency_seconds,
            fails=effect == "fail",
            fails_at=fault.at if fault else 100,
        )

    def release(self) -> None:
        """Let everything that is stuck come to its end."""
        with self.lock:
            for region in self.regions():
                made: list[Volume | Snapshot | Image] = [*region.volumes.values()]
                made += [*region.snapshots.values(), *region.amis.values()]
                timelines = [one.timeline for one in made]
                for attachment in [one.attachment for one in region.volumes.values() if one.attachment]:
                    timelines += [attachment.timeline, *filter(None, [attachment.detaching])]
                for timeline in timelines:
                    timeline.release()

    def volume(self, region: Region, volume_id: str) -> Volume:
        """A volume by id.

        Raises:
            Ec2Error: no such volume, or not to be found yet (InvalidVolume.NotFound), or no id at all.
        """
        if not volume_id.startswith("vol-"):
            raise errors.Ec2Error(
                "InvalidParameterValue", f"Value ({volume_id}) for parameter volumeId is invalid. Expected: 'vol-...'."
            )
        volume = region.volumes.get(volume_id)
        if volume is None or not volume.timeline.visible:
            raise errors.volume_not_found(volume_id)
        return volume

    def snapshot(self, region: Region, snapshot_id: str, *, own: bool = False) -> Snapshot:
        """A snapshot by id: the caller's own, or one that is shared with the caller or public.

        Raises:
            Ec2Error: not there, not visible yet, not shared (InvalidSnapshot.NotFound), or no id at all.
        """
        if not snapshot_id.startswith("snap-"):
            raise errors.malformed("InvalidSnapshotID", snapshot_id, "snap")
        for snapshot in self.snapshots_seen_from(region, own=own):
            if snapshot.id == snapshot_id:
                return snapshot
        raise errors.snapshot_not_found(snapshot_id)

    def image(self, region: Region, image_id: str, *, own: bool = False) -> Image:
        """An image by id: the caller's own, or one with launch permission for the caller or for all.

        Raises:
            Ec2Error: not there (InvalidAMIID.NotFound), deregistered (.Unavailable), or no id at all (.Malformed).
        """
        if not image_id.startswith("ami-"):
            raise errors.malformed("InvalidAMIID", image_id, "ami")
        if image_id in region.deleted_amis:
            raise errors.image_unavailable(image_id)
        for image in self.images_seen_from(region, own=own):
            if image.id == image_id:
                return image
        raise errors.image_not_found(image_id)

    def snapshots_seen_from(self, region: Region, *, own: bool = False) -> list[Snapshot]:
        return [
            snapshot
            for other in self._same_region(region, own)
            for snapshot in list(other.snapshots.values())
            if snapshot.timeline.visible and (other is region or snapshot.public or region.account_id in snapshot.users)
        ]

    def images_seen_from(self, region: Region, *, own: bool = False) -> list[Image]:
        mine = {"UserId": region.account_id}
        return [
            image
            for other in self._same_region(region, own)
            for image in list(other.amis.values())
            if image.timeline.visible and (other is region or image.public or mine in image.launch_permissions)
        ]

    def _same_region(self, region: Region, own: bool) -> list[Region]:
        if own:
            return [region]
        others = [other for other in self.regions() if other.region_name == region.region_name and other is not region]
        return [region, *others]

    def tags_of(self, resource: Volume | Snapshot | Image) -> Tags:
        return self.region(resource.account, resource.region).tags.get(resource.id, {})

    def tag_list(self, resource: Volume | Snapshot | Image) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags_of(resource).items()]


def requested_tags(params: Mapping[str, t.Any], *kinds: str) -> dict[str, Tags]:
    """The tags of a create call, by type of resource.

    Raises:
        Ec2Error: a type that the call does not make, or tags that EC2 does not take.
    """
    tags: dict[str, Tags] = {kind: {} for kind in kinds}
    for specification in params.get("TagSpecifications") or ():
        kind = specification.get("ResourceType")
        if kind not in tags:
            raise errors.invalid_value(f"'{kind}' is not a valid taggable resource type for this operation.")
        for tag in specification.get("Tags") or ():
            tags[kind][tag.get("Key", "")] = tag.get("Value", "")
    for some in tags.values():
        check_tags(some)
    return tags


def check_tags(tags: Mapping[str, str]) -> None:
    """The rules of "Tag your Amazon EC2 resources": key up to 128 characters, value up to 256, 50 of them, no aws:.

    Raises:
        Ec2Error: a rule is broken.
    """
    if len(tags) > 50:
        raise errors.Ec2Error("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
    for key, value in tags.items():
        if key.startswith("aws:"):
            raise errors.invalid_value(
                f"Value ( {key} ) for parameter key is invalid. "
                "Tag keys starting with 'aws:' are reserved for internal use"
            )
        if not 1 <= len(key) <= 128:
            raise errors.invalid_value(
                f"Value ( {key} ) for parameter key is invalid. Tag keys are 1 to 128 characters."
            )
        if value is not None and len(value) > 256:
            raise errors.invalid_value(f"Value of tag {key} is invalid. Tag values are up to 256 characters.")
