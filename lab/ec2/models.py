# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Volumes, snapshots and images as the lab knows them. Their states follow from the clock."""

from __future__ import annotations

import datetime as dt
import secrets
import typing as t
from dataclasses import dataclass, field

from lab.clock import CLOCK

Tags = dict[str, str]


def new_id(prefix: str) -> str:
    """An id as EC2 makes them: 17 hexadecimal digits."""
    return f"{prefix}-0{secrets.token_hex(8)}"


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


@dataclass
class Timeline:
    """How long something takes, and how it ends. Times are those of the lab's clock, in seconds.

    Args:
        seconds: until it is done; infinity when it is stuck.
        hidden_seconds: until the id is found by calls that name it.
        fails: whether it ends in error.
        fails_at: the percentage at which it does.
    """

    seconds: float = 0.0
    hidden_seconds: float = 0.0
    fails: bool = False
    fails_at: int = 100
    started: float = field(default_factory=CLOCK.now)

    @property
    def done(self) -> bool:
        part = self.fails_at / 100 if self.fails else 1
        return CLOCK.now() >= self.started + self.seconds * part

    @property
    def visible(self) -> bool:
        return CLOCK.now() >= self.started + self.hidden_seconds

    @property
    def percent(self) -> int:
        if self.done:
            return self.fails_at if self.fails else 100
        if self.seconds == float("inf"):
            return 0
        return min(99, int(100 * (CLOCK.now() - self.started) / self.seconds))

    def release(self) -> None:
        """End what is stuck."""
        if self.seconds == float("inf"):
            self.seconds = 0.0


@dataclass
class Attachment:
    """A volume on an instance. C(block) is moto's view of it, shown by DescribeInstances."""

    instance_id: str
    device: str
    block: t.Any
    timeline: Timeline
    attach_time: dt.datetime = field(default_factory=utc_now)
    #: Whether a device appears on this machine: on the build host only.
    real: bool = False
    no_device: bool = False
    #: Whether the device has been made.
    present: bool = False
    #: Set when detaching was asked for; runs until the device may go.
    detaching: Timeline | None = None
    #: Whether the device was found mounted or open when it was to go.
    busy: bool = False

    @property
    def state(self) -> str:
        if self.detaching is not None:
            return "busy" if self.busy else "detaching"
        if self.timeline.fails or not self.timeline.done:
            return "attaching"
        return "attached" if self.present or not self.real or self.no_device else "attaching"


@dataclass
class Volume:
    id: str
    account: str
    region: str
    zone: str
    size_gib: int
    volume_type: str
    timeline: Timeline
    snapshot_id: str = ""
    iops: int | None = None
    throughput: int | None = None
    encrypted: bool = False
    kms_key_id: str | None = None
    multi_attach: bool = False
    auto_enable_io: bool = False
    created: dt.datetime = field(default_factory=utc_now)
    #: False while the bytes of its snapshot are being copied.
    filled: bool = False
    attachment: Attachment | None = None
    modification: dict[str, t.Any] | None = None

    @property
    def state(self) -> str:
        if not self.timeline.done or not self.filled:
            return "creating"
        if self.timeline.fails:
            return "error"
        return "in-use" if self.attachment else "available"

    # What moto's own code asks of a volume.
    @property
    def status(self) -> str:
        return self.state

    @property
    def size(self) -> int:
        return self.size_gib


@dataclass
class Snapshot:
    id: str
    account: str
    region: str
    volume_id: str
    size_gib: int
    timeline: Timeline
    description: str = ""
    encrypted: bool = False
    kms_key_id: str | None = None
    started: dt.datetime = field(default_factory=utc_now)
    completed: dt.datetime | None = None
    #: False while it is written by PutSnapshotBlock, or while bytes are being copied.
    sealed: bool = False
    #: Whether it came from StartSnapshot of the EBS direct APIs.
    direct: bool = False
    parent_id: str | None = None
    users: set[str] = field(default_factory=set)
    public: bool = False
    storage_tier: str = "standard"
    transfer_type: str = "standard"
    lock: dict[str, t.Any] | None = None

    @property
    def state(self) -> str:
        if not self.sealed or not self.timeline.done:
            return "pending"
        return "error" if self.timeline.fails else "completed"

    @property
    def status(self) -> str:
        return self.state

    @property
    def progress(self) -> str:
        return f"{self.timeline.percent if self.sealed else 0}%"


@dataclass
class Image:
    id: str
    account: str
    region: str
    name: str
    timeline: Timeline
    mappings: list[dict[str, t.Any]]
    root_device_name: str
    description: str = ""
    architecture: str = "i386"
    virtualization_type: str = "paravirtual"
    boot_mode: str | None = None
    ena_support: bool = False
    sriov_net_support: str | None = None
    tpm_support: str | None = None
    imds_support: str | None = None
    uefi_data: str | None = None
    kernel_id: str | None = None
    ramdisk_id: str | None = None
    billing_products: list[str] = field(default_factory=list)
    product_codes: list[str] = field(default_factory=list)
    launch_permissions: list[dict[str, str]] = field(default_factory=list)
    source_image_id: str | None = None
    source_image_region: str | None = None
    source_instance_id: str | None = None
    created: dt.datetime = field(default_factory=utc_now)
    deprecation_time: dt.datetime | None = None
    deregistration_protection: str = "disabled"
    #: Runs while a cooldown keeps the protection that was switched off.
    cooldown: Timeline | None = None
    disabled: bool = False

    @property
    def state(self) -> str:
        if self.disabled:
            return "disabled"
        if not self.timeline.done:
            return "pending"
        return "failed" if self.timeline.fails else "available"

    @property
    def protection(self) -> str:
        if self.cooldown and self.cooldown.done:
            return "disabled"
        return self.deregistration_protection

    @property
    def public(self) -> bool:
        return {"Group": "all"} in self.launch_permissions

    @property
    def snapshot_ids(self) -> list[str]:
        found = [mapping.get("Ebs", {}).get("SnapshotId") for mapping in self.mappings]
        return [snapshot_id for snapshot_id in found if snapshot_id]

    @property
    def deprecated(self) -> bool:
        return self.deprecation_time is not None and self.deprecation_time <= utc_now()

    # What moto's own code asks of an image when it launches instances.
    @property
    def platform(self) -> None:
        return None
