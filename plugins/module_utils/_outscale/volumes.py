# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""BSU volumes as Outscale's API describes them, and waiting for what happens to them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    Busy,
    Conflict,
    NotFound,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.errors import error_code
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import (
    build_of,
    client_tokens,
    tag_filter,
    tags_of,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG

INVALID_VOLUME_STATE, VOLUME_NOT_IN_USE = "6007", "9063"


@dataclass(frozen=True)
class Attachment:
    """Where a volume is attached."""

    volume_id: str
    vm_id: str
    device_name: str
    state: str
    delete_on_vm_deletion: bool = False

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Attachment:
        """From ReadVolumes."""
        return cls(
            volume_id=str(found.get("VolumeId", "")),
            vm_id=str(found.get("VmId", "")),
            device_name=str(found.get("DeviceName", "")),
            state=str(found.get("State", "")),
            delete_on_vm_deletion=bool(found.get("DeleteOnVmDeletion", False)),
        )

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Volume:
    """A volume. C(volume_id) is None for one that is only planned; C(build_id) is empty for one of no build."""

    volume_id: t.Optional[str]
    state: str
    size_gib: t.Optional[int]
    subregion: t.Optional[str]
    snapshot_id: t.Optional[str] = None
    volume_type: t.Optional[str] = None
    iops: t.Optional[int] = None
    create_time: t.Optional[str] = None
    attachments: t.Tuple[Attachment, ...] = ()
    tags: t.Mapping[str, str] = field(default_factory=dict)
    build_id: str = ""

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Volume:
        """From ReadVolumes or CreateVolume."""
        linked = [Attachment.from_api(one) for one in found.get("LinkedVolumes") or []]
        return cls(
            volume_id=found.get("VolumeId"),
            state=str(found.get("State", "")),
            size_gib=found.get("Size"),
            subregion=found.get("SubregionName"),
            snapshot_id=found.get("SnapshotId") or None,
            volume_type=found.get("VolumeType"),
            iops=found.get("Iops"),
            create_time=found.get("CreationDate"),
            attachments=tuple(one for one in linked if one.state != "detached"),
            tags=tags_of(found),
            build_id=build_of(found),
        )

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        result = dict(self.__dict__, tags=dict(self.tags))
        result["attachments"] = [one.to_ansible() for one in self.attachments]
        return result

    def summary(self) -> str:
        """The volume in one line, for diffs."""
        origin = "from %s" % self.snapshot_id if self.snapshot_id else "blank"
        where = "".join(", attached to %s as %s" % (a.vm_id, a.device_name) for a in self.attachments)
        return "volume %s: %s GiB, %s, %s, %s%s" % (
            self.volume_id, self.size_gib, self.volume_type, origin, self.state, where,
        )  # fmt: skip


def read_volume(api: OutscaleApi, volume_id: str, *, new: bool = False) -> Volume:
    """One volume by id.

    Args:
        new: made by this build, so that it may not be known everywhere yet.

    Raises:
        NotFound: there is no such volume.
    """

    def look() -> Volume:
        found = api.find("ReadVolumes", "Volumes", "find volume %s" % volume_id, VolumeIds=[volume_id])
        if not found:
            raise NotFound("There is no volume %s in %s." % (volume_id, api.region), volume_id=volume_id)
        return Volume.from_api(found[0])

    return t.cast("Volume", api.retry_missing(look, new=new))


def list_volumes(api: OutscaleApi, **filters: t.Any) -> t.List[Volume]:
    """The volumes that match and are not on their way out."""
    found = api.find("ReadVolumes", "Volumes", "list volumes", **filters)
    return [volume for volume in map(Volume.from_api, found) if volume.state not in ("deleting", "deleted")]


def volumes_of_build(api: OutscaleApi, build_id: str) -> t.List[Volume]:
    """The volumes of a build: those with its tag, and those that were to get it."""
    tagged = list_volumes(api, Tags=tag_filter(BUILD_ID_TAG, build_id))
    made = list_volumes(api, ClientTokens=client_tokens(build_id, "volume"))
    return list({str(one.volume_id): one for one in made + tagged if one.build_id == build_id}.values())


def await_available(api: OutscaleApi, volume_id: str, waiting: Waiting, *, new: bool) -> Volume:
    """Wait until a volume can be attached, or is.

    Raises:
        NotFound: the volume is not there, or has gone again.
        Conflict: it went into a state from which it will not become available.
        WaitTimeout: it is still being created.
    """
    last: t.List[Volume] = []

    def probe() -> t.Optional[Volume]:
        volume = read_volume(api, volume_id, new=new and not last)
        last[:] = [volume]
        if volume.state in ("error", "deleting", "deleted"):
            raise Conflict(
                "Volume %s is in state %s, it will not become available." % (volume_id, volume.state),
                volume_id=volume_id,
            )
        return volume if volume.state in ("available", "in-use") else None

    return waiting.until(
        probe,
        on_timeout=lambda waited: WaitTimeout(
            "Volume %s is still in state %s after %d seconds." % (volume_id, last[0].state, waited),
            hint="Raise wait_timeout, or look at the volume in Cockpit.",
            volume_id=volume_id,
        ),
        clock=api.clock,
    )


def await_gone(api: OutscaleApi, volume_id: str, waiting: Waiting) -> None:
    """Wait until a volume is deleted."""

    def probe() -> t.Optional[bool]:
        try:
            return None if list_all(api, volume_id) else True
        except NotFound:
            return True

    waiting.until(
        probe,
        on_timeout=lambda waited: WaitTimeout(
            "Volume %s is still there %d seconds after its deletion was accepted." % (volume_id, waited),
            volume_id=volume_id,
        ),
        clock=api.clock,
    )


def list_all(api: OutscaleApi, volume_id: str) -> t.List[Volume]:
    """A volume by its id, whatever state it is in but for deleted; empty when it is gone."""
    found = api.find("ReadVolumes", "Volumes", "find volume %s" % volume_id, VolumeIds=[volume_id])
    return [volume for volume in map(Volume.from_api, found) if volume.state != "deleted"]


def detach(api: OutscaleApi, volume_id: str, waiting: Waiting, *, force: bool = False) -> None:
    """Detach a volume and wait until it is free.

    Raises:
        Busy: the VM does not let go of it within the time given.
    """
    try:
        api.call("UnlinkVolume", "detach volume %s" % volume_id, VolumeId=volume_id, ForceUnlink=force or None)
    except NotFound:
        return
    except Busy as exc:
        # Another detach was faster, or this one was sent twice: what follows looks whether it is free.
        if error_code(exc) not in (INVALID_VOLUME_STATE, VOLUME_NOT_IN_USE):
            raise
    if waiting.enabled:
        await_detached(api, volume_id, waiting)


def await_detached(api: OutscaleApi, volume_id: str, waiting: Waiting) -> None:
    """Wait until a volume is attached nowhere."""
    last: t.List[Volume] = []

    def probe() -> t.Optional[bool]:
        try:
            volume = read_volume(api, volume_id)
        except NotFound:
            return True
        last[:] = [volume]
        return True if not volume.attachments and volume.state != "in-use" else None

    waiting.until(probe, on_timeout=lambda waited: still_attached(last[0], waited), clock=api.clock)


def still_attached(volume: Volume, waited_seconds: float) -> Busy:
    """The error for a volume that a VM does not let go of."""
    where = ["%s as %s (state %s)" % (a.vm_id, a.device_name, a.state) for a in volume.attachments]
    return Busy(
        "Volume %s is still attached to %s after %d seconds."
        % (volume.volume_id, ", ".join(where) or "a VM", waited_seconds),
        hint="Unmount what is mounted from it there.",
        volume_id=volume.volume_id,
        attachments=[a.to_ansible() for a in volume.attachments],
    )


__all__ = (
    "Attachment",
    "Volume",
    "await_available",
    "await_detached",
    "await_gone",
    "detach",
    "list_volumes",
    "read_volume",
    "still_attached",
    "volumes_of_build",
)
