# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is on the lab's Outscale: accounts with their volumes, snapshots, images and VMs, in one Region."""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import typing as t
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lab.config import OSC_ACCOUNT, OSC_REGION, OSC_VENDOR_ACCOUNT
from lab.ec2.cloud import Cloud, Region
from lab.ec2.models import Image, Snapshot, Tags, Timeline, Volume, utc_now
from lab.oapi.errors import error, not_there
from lab.plane.devices import Devices
from lab.plane.files import VolumeFiles
from lab.settings import Fault, SettingsStore

Answer = dict[str, t.Any]
ROOT_DEVICE = "/dev/sda1"
#: Accounts that have a name: whose images everybody starts from is one.
ALIASES = {OSC_VENDOR_ACCOUNT: "Outscale"}


def new_id(prefix: str) -> str:
    """An id as Outscale makes them: eight hexadecimal digits."""
    return f"{prefix}-{secrets.token_hex(4)}"


def date(moment: dt.datetime) -> str:
    """A time as the API shows it."""
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def alias(account: str) -> dict[str, str]:
    """An account's name as a part of an answer; nothing when it has none."""
    return {"AccountAlias": ALIASES[account]} if account in ALIASES else {}


@dataclass
class Placement:
    """Where a VM is. The name of the attribute is the one that lab.ec2 asks for."""

    zone: str


@dataclass
class Vm:
    """A virtual machine, as far as volumes and the metadata service need one."""

    id: str
    placement: Placement
    image_id: str = "ami-00000000"
    vm_type: str = "tinav5.c2r4p1"
    state: str = "running"
    private_ip: str = "10.0.0.4"
    root_device_name: str = ROOT_DEVICE
    created: dt.datetime = field(default_factory=utc_now)
    #: Device names with what lab.ec2.attachments notes there of each.
    block_device_mapping: dict[str, t.Any] = field(default_factory=dict)


@dataclass
class OscVolume(Volume):
    """A volume that may take its time to go."""

    deleting: Timeline | None = None

    @property
    def state(self) -> str:
        return "deleting" if self.deleting else super().state


@dataclass
class OscSnapshot(Snapshot):
    """A snapshot that may take its time to go."""

    deleting: Timeline | None = None

    @property
    def state(self) -> str:
        return "deleting" if self.deleting else super().state


@dataclass
class OscImage:
    """An OUTSCALE machine image. Its mappings are as CreateImage takes them."""

    id: str
    account: str
    name: str
    timeline: Timeline
    mappings: list[dict[str, t.Any]]
    root_device_name: str
    description: str = ""
    architecture: str = "x86_64"
    boot_modes: list[str] = field(default_factory=lambda: ["legacy"])
    product_codes: list[str] = field(default_factory=lambda: ["0001"])
    tpm_mandatory: bool = False
    users: set[str] = field(default_factory=set)
    public: bool = False
    created: dt.datetime = field(default_factory=utc_now)

    @property
    def state(self) -> str:
        if not self.timeline.done:
            return "pending"
        return "failed" if self.timeline.fails else "available"

    @property
    def snapshot_ids(self) -> list[str]:
        found = [mapping.get("Bsu", {}).get("SnapshotId") for mapping in self.mappings]
        return [snapshot_id for snapshot_id in found if snapshot_id]


@dataclass
class OscRegion:
    """What one account has. It is a Region for lab.ec2, whose attachments serve Outscale as well."""

    account_id: str
    region_name: str = OSC_REGION
    volumes: dict[str, Volume] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    images: dict[str, OscImage] = field(default_factory=dict)
    vms: dict[str, Vm] = field(default_factory=dict)
    tags: dict[str, Tags] = field(default_factory=dict)
    #: Idempotency tokens of volumes and snapshots, by their ids.
    client_tokens: dict[str, str] = field(default_factory=dict)
    # Of lab.ec2.cloud.Region, and without meaning here.
    amis: dict[str, Image] = field(default_factory=dict)
    deleted_amis: list[str] = field(default_factory=list)
    ebs_encryption_by_default: bool = False

    def get_instance(self, instance_id: str) -> Vm:
        """A VM by id.

        Raises:
            OapiError: there is none.
        """
        vm = self.vms.get(instance_id)
        if vm is None:
            raise not_there("5063", "VmId", instance_id)
        return vm

    def create_tags(self, resource_ids: list[str], tags: Tags) -> bool:
        for resource_id in resource_ids:
            self.tags.setdefault(resource_id, {}).update(tags)
        return True

    def zone_ids(self) -> dict[str, str]:
        return {f"{self.region_name}{letter}": f"PAR{number}" for letter, number in (("a", 1), ("b", 4))}

    def kms_key_arn(self, key_id: str | None) -> str:
        raise NotImplementedError("Outscale's API has no keys.")

    def tag_list(self, resource_id: str) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.tags.get(resource_id, {}).items()]


@dataclass(frozen=True)
class Request:
    """One call, whose body fits the description."""

    action: str
    params: dict[str, t.Any]
    where: OscRegion
    fault: Fault | None = None

    @property
    def account(self) -> str:
        return self.where.account_id


Action = Callable[[Request], Answer]


class World:
    """All accounts, with the volume plane below them. Take C(cloud.lock) to read or change; copy bytes without it."""

    def __init__(self, settings: SettingsStore, files: VolumeFiles, devices: Devices) -> None:
        self._accounts: dict[str, OscRegion] = {}
        self._adding = threading.Lock()
        self.cloud = Cloud(
            settings=settings,
            files=files,
            devices=devices,
            nitro=False,
            regions=lambda: t.cast("Iterator[Region]", iter(self.accounts())),
            region=lambda account, _: t.cast(Region, self.account(account)),
        )
        home = self.account(OSC_ACCOUNT)
        self.build_host = Vm(new_id("i"), Placement(next(iter(home.zone_ids()))))
        home.vms[self.build_host.id] = self.build_host
        home.tags[self.build_host.id] = {"Name": "lab-build-host"}
        self.cloud.build_host_id = self.build_host.id

    def account(self, number: str) -> OscRegion:
        """What an account has; every account exists as soon as it is asked for."""
        with self._adding:
            return self._accounts.setdefault(number, OscRegion(number))

    def accounts(self) -> list[OscRegion]:
        with self._adding:
            return list(self._accounts.values())

    def release(self) -> None:
        """Let everything that is stuck come to its end."""
        self.cloud.release()
        with self.cloud.lock:
            for where in self.accounts():
                for image in where.images.values():
                    image.timeline.release()

    def delete(self, where: OscRegion, resource: Volume | Snapshot) -> None:
        """Have a volume or a snapshot go: at once, or when the time is over that the settings give deletions."""
        seconds = self.cloud.settings.current.osc_delete_seconds
        if seconds and isinstance(resource, OscVolume | OscSnapshot):
            resource.deleting = Timeline(seconds)
        else:
            self.drop(where, resource)

    def drop(self, where: OscRegion, resource: Volume | Snapshot) -> None:
        """Forget a volume or a snapshot, with its tags and its bytes."""
        where.tags.pop(resource.id, None)
        if isinstance(resource, Snapshot):
            del where.snapshots[resource.id]
            self.cloud.files.drop_snapshot(resource.id)
        else:
            del where.volumes[resource.id]
            self.cloud.files.drop_volume(resource.id)

    def drop_deleted(self) -> None:
        """Forget what has been deleting for long enough."""
        with self.cloud.lock:
            for where in self.accounts():
                made: list[Volume | Snapshot] = [*where.volumes.values(), *where.snapshots.values()]
                for resource in made:
                    gone = isinstance(resource, OscVolume | OscSnapshot) and resource.deleting
                    if gone and gone.done:
                        self.drop(where, resource)

    def facts(self) -> dict[str, t.Any]:
        """What C(lab status) shows."""
        self.drop_deleted()
        with self.cloud.lock:
            volumes = [volume for where in self.accounts() for volume in where.volumes.values()]
            return {
                "account": OSC_ACCOUNT,
                "region": OSC_REGION,
                "subregion": self.build_host.placement.zone,
                "vm_id": self.build_host.id,
                "volumes": [
                    {
                        "id": volume.id,
                        "state": volume.state,
                        "size_gib": volume.size_gib,
                        "device": self.cloud.devices.path(volume.id),
                    }
                    for volume in volumes
                ],
                "snapshots": sum(len(where.snapshots) for where in self.accounts()),
                "images": sum(len(where.images) for where in self.accounts()),
            }

    def volume(self, request: Request, volume_id: str) -> Volume:
        """A volume of the caller.

        Raises:
            OapiError: no such volume (5064), or none that is to be found yet.
        """
        check_id(volume_id, "vol", "VolumeId")
        volume = request.where.volumes.get(volume_id)
        if volume is None or not volume.timeline.visible:
            raise not_there("5064", "VolumeId", volume_id)
        return volume

    def snapshot(self, request: Request, snapshot_id: str, *, own: bool = False) -> Snapshot:
        """A snapshot of the caller, or (not with C(own)) one that the caller may make volumes of.

        Raises:
            OapiError: no such snapshot (5054).
        """
        check_id(snapshot_id, "snap", "SnapshotId")
        for snapshot in self.snapshots_seen_by(request.where, own=own):
            if snapshot.id == snapshot_id:
                if snapshot.state == "deleting":
                    raise error("6003", f"The snapshot '{snapshot_id}' is being deleted.")
                return snapshot
        raise not_there("5054", "SnapshotId", snapshot_id)

    def image(self, request: Request, image_id: str, *, own: bool = False) -> OscImage:
        """An image of the caller, or (not with C(own)) one that the caller may launch.

        Raises:
            OapiError: no such image (5023).
        """
        check_id(image_id, "ami", "ImageId")
        for image in self.images_seen_by(request.where, own=own):
            if image.id == image_id:
                return image
        raise not_there("5023", "ImageId", image_id)

    def snapshots_seen_by(self, where: OscRegion, *, own: bool = False) -> list[Snapshot]:
        return [
            snapshot
            for other in ([where] if own else self.accounts())
            for snapshot in list(other.snapshots.values())
            if snapshot.timeline.visible and (other is where or snapshot.public or where.account_id in snapshot.users)
        ]

    def images_seen_by(self, where: OscRegion, *, own: bool = False) -> list[OscImage]:
        return [
            image
            for other in ([where] if own else self.accounts())
            for image in list(other.images.values())
            if image.timeline.visible and (other is where or image.public or where.account_id in image.users)
        ]


def check_id(value: str, prefix: str, parameter: str) -> None:
    """Ids have a prefix that says what they are of, and eight digits.

    Raises:
        OapiError: another prefix (4104), or no id at all (4105).
    """
    start, _, digits = value.partition("-")
    if start != prefix:
        raise error("4104", f"The {parameter} '{value}' should start with '{prefix}-'.")
    if len(digits) != 8 or set(digits) - set("0123456789abcdef"):
        raise error("4105", f"The {parameter} '{value}' is malformed.")
