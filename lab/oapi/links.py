# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LinkVolume and UnlinkVolume, and the names that a VM sees linked volumes under."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lab.ec2.attachments import Attachments
from lab.ec2.cloud import Action as Ec2Action
from lab.ec2.models import Attachment, Volume
from lab.oapi.errors import error
from lab.oapi.state import ROOT_DEVICE, Action, Answer, Request, Vm, World
from lab.plane import loops
from lab.plane.names import BY_ID, XenNames

#: Device names that LinkVolume takes (its description), but for the root device's.
DEVICE_NAME = re.compile(r"/dev/(sd|xvd)([b-z][a-z]?)")
#: How many volumes a VM may have, with its root device (About-Volumes.html).
MOST_LINKS = 40


@dataclass(frozen=True)
class NodeNames:
    """Nodes such as /dev/sdf and /dev/sdf1."""

    disk: Path

    def wanted(self, loop: str) -> dict[Path, str | tuple[int, int]]:
        number = loops.device_number(loop)
        if number is None:
            return {}
        parts = {Path(f"{self.disk}{part}"): device for part, device in loops.partitions(loop).items()}
        return {self.disk: number, **parts}


@dataclass(frozen=True)
class LinkNames:
    """The links that udev makes of a disk's serial number: below /dev/disk/by-id, with -part1 for partitions."""

    stem: str

    @property
    def disk(self) -> Path:
        return BY_ID / self.stem

    def wanted(self, loop: str) -> dict[Path, str | tuple[int, int]]:
        links: dict[Path, str | tuple[int, int]] = {self.disk: f"../../{loop}"}
        for part in loops.partitions(loop):
            links[BY_ID / f"{self.stem}-part{part}"] = f"../../{loop}p{part}"
        return links


DiskNames = LinkNames | NodeNames | XenNames


class Links(Attachments):
    """Attachments by Outscale's rules. What happens after the call is that of EC2's."""

    def __init__(self, world: World) -> None:
        super().__init__(world.cloud)
        self._world = world

    def actions(self) -> dict[str, Ec2Action]:
        return {}

    def calls(self) -> dict[str, Action]:
        return {"LinkVolume": self.link, "UnlinkVolume": self.unlink}

    def link(self, request: Request) -> Answer:
        with self._cloud.lock:
            volume = self._world.volume(request, request.params["VolumeId"])
            vm = request.where.get_instance(request.params["VmId"])
            device = request.params["DeviceName"]
            self._check_link(volume, vm, device)
            attachment = self.enter(request.where, volume, vm.id, device)
            attachment.timeline = self._cloud.timeline("attach", request.fault)
            attachment.no_device = bool(request.fault and request.fault.effect == "no-device")
            attachment.real = vm.id == self._cloud.build_host_id
            if attachment.real and os.path.lexists(self._names(volume, attachment).disk):
                self.forget(request.where, volume)
                raise error(
                    "9004", f"The device '{device}' is in use on this machine: by another lab, or it is a disk."
                )
        self._advance(volume)
        self._watch(volume)
        return {}

    def _check_link(self, volume: Volume, vm: Vm, device: str) -> None:
        match = DEVICE_NAME.fullmatch(device)
        if match is None and device != ROOT_DEVICE:
            raise error(
                "4019",
                f"The DeviceName '{device}' is none of {ROOT_DEVICE}, /dev/sdX, /dev/sdXX, /dev/xvdX, /dev/xvdXX.",
            )
        if volume.attachment:
            raise error("9004", f"The volume '{volume.id}' is linked to the VM '{volume.attachment.instance_id}'.")
        if volume.state != "available":
            raise error("6007", f"The volume '{volume.id}' is {volume.state}, not available.")
        if vm.state not in ("running", "stopped"):
            raise error("6006", f"The VM '{vm.id}' is {vm.state}, neither running nor stopped.")
        if volume.zone != vm.placement.zone:
            raise error(
                "9071", f"The volume '{volume.id}' is in {volume.zone}, and the VM '{vm.id}' in {vm.placement.zone}."
            )
        if len(vm.block_device_mapping) >= MOST_LINKS:
            raise error("10018", f"The VM '{vm.id}' has {MOST_LINKS} volumes.")
        if _slot(device) in {_slot(name) for name in vm.block_device_mapping}:
            raise error("9003", f"The VM '{vm.id}' has a volume at '{device}'.")

    def unlink(self, request: Request) -> Answer:
        with self._cloud.lock:
            volume = self._world.volume(request, request.params["VolumeId"])
            attachment = volume.attachment
            if attachment is None:
                raise error("9063", f"The volume '{volume.id}' is not linked.")
            if attachment.detaching and not request.params.get("ForceUnlink"):
                raise error("6007", f"The volume '{volume.id}' is being unlinked.")
            vm = request.where.get_instance(attachment.instance_id)
            if attachment.device == vm.root_device_name and vm.state == "running":
                raise error("6006", f"The VM '{vm.id}' is running: its root device cannot be unlinked.")
            if not attachment.detaching:
                attachment.detaching = self._cloud.timeline("detach", request.fault)
        self._advance(volume)
        self._watch(volume)
        return {}

    def _names(self, volume: Volume, attachment: Attachment) -> DiskNames:
        return device_names(self._cloud.settings.current.osc_devices, volume.id, attachment.device)


def device_names(kind: str, volume_id: str, device: str) -> DiskNames:
    """What a VM calls a linked volume.

    Outscale's hypervisor shows a SCSI disk with the name in the API as its serial number, whatever the kernel calls the
    disk (github.com/outscale/osc-bsu-csi-driver, findDevicePath); older VMs have xvd nodes. Templates for Outscale also
    know sd and vd.
    """
    slot = _slot(device)
    if kind == "scsi":
        return LinkNames(f"scsi-0QEMU_QEMU_HARDDISK_sd{slot}")
    if kind == "virtio":
        # A virtio disk's serial number has 20 characters.
        return LinkNames(f"virtio-{volume_id[:20]}")
    return XenNames(device) if kind == "xvd" else NodeNames(Path(f"/dev/{kind}{slot}"))


def _slot(device: str) -> str:
    """The letters of a device name: /dev/sdf and /dev/xvdf are one place."""
    return re.sub(r"^/dev/(xvd|sd)", "", device)


__all__ = ("LinkNames", "Links", "NodeNames", "device_names")
