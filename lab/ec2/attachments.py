# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AttachVolume and DetachVolume, and the thread that carries them to their end."""

from __future__ import annotations

import logging
import re
import threading

from moto.ec2.models.block_device import BlockDeviceType

from lab.ec2 import errors
from lab.ec2.cloud import Action, Answer, Cloud, Region, Request
from lab.ec2.models import Attachment, Timeline, Volume
from lab.ec2.volumes import attachment_view
from lab.plane.loops import DeviceError
from lab.plane.names import Names, NitroNames, XenNames

LOG = logging.getLogger(__name__)
#: Device names that EC2 takes on Linux ("Device names for volumes on Amazon EC2 instances").
DEVICE_NAME = re.compile(r"(/dev/)?(sd[a-z]([1-9]|1[0-5])?|xvd[a-z][a-z]?([1-9]|1[0-5])?|hd[a-z]([1-9]|1[0-5])?)")
#: Seconds between looks at what is attached: the time udev would take to link a new partition.
TICK = 0.05


class Attachments:
    """The attachment actions. Call C(start) once for what happens later than in the call."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._moving: dict[str, Volume] = {}
        self._woken = threading.Event()
        self._step = threading.RLock()

    def actions(self) -> dict[str, Action]:
        return {"AttachVolume": self.attach, "DetachVolume": self.detach}

    def start(self) -> None:
        threading.Thread(target=self._follow, name="attachments", daemon=True).start()

    def attach(self, request: Request) -> Answer:
        cloud, region = self._cloud, request.region
        with cloud.lock:
            volume = cloud.volume(region, request.required("VolumeId"))
            instance_id, device = request.required("InstanceId"), request.required("Device")
            self._check(region, volume, instance_id, device)
            attachment = self.enter(region, volume, instance_id, device)
            attachment.timeline = cloud.timeline("attach", request.fault)
            attachment.no_device = bool(request.fault and request.fault.effect == "no-device")
            attachment.real = instance_id == cloud.build_host_id
            if attachment.real and not cloud.nitro:
                self._refuse_taken_node(region, volume, device)
        self._advance(volume)
        self._watch(volume)
        return {**attachment_view(volume, attachment), "State": "attaching"}

    def _check(self, region: Region, volume: Volume, instance_id: str, device: str) -> None:
        instance = region.get_instance(instance_id)
        if not DEVICE_NAME.fullmatch(device):
            raise errors.invalid_value(
                f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name."
            )
        if volume.attachment:
            raise errors.Ec2Error(
                "VolumeInUse", f"{volume.id} is already attached to an instance ({volume.attachment.instance_id})"
            )
        if volume.state != "available":
            raise errors.wrong_state(f"{volume.id} is not 'available'.")
        if instance.state not in ("running", "stopped"):
            raise errors.wrong_state(f"Instance '{instance_id}' is not 'running'.")
        if volume.zone != instance.placement.zone:
            raise errors.Ec2Error(
                "InvalidVolume.ZoneMismatch",
                f"The volume '{volume.id}' is not in the same availability zone as instance '{instance_id}'",
            )
        if _plain(device) in {_plain(name) for name in instance.block_device_mapping}:
            raise errors.invalid_value(
                f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
            )

    def enter(self, region: Region, volume: Volume, instance_id: str, device: str) -> Attachment:
        """Note an attachment on both sides; it is done at once until given another timeline."""
        block = BlockDeviceType(volume_id=volume.id, status="attaching", size=volume.size_gib)
        attachment = Attachment(instance_id, device, block, Timeline())
        block.attach_time = attachment.attach_time
        volume.attachment = attachment
        region.get_instance(instance_id).block_device_mapping[device] = block
        block.status = attachment.state
        return attachment

    def _refuse_taken_node(self, region: Region, volume: Volume, device: str) -> None:
        node = XenNames(device).disk
        if node.exists():
            self.forget(region, volume)
            raise errors.invalid_value(
                f"Invalid value '{device}' for unixDevice. {node} exists on this machine already: "
                "another lab has a volume there, or it is a real disk. Choose another device name."
            )

    def forget(self, region: Region, volume: Volume) -> None:
        """Undo what C(enter) noted."""
        if volume.attachment:
            instance = region.get_instance(volume.attachment.instance_id)
            instance.block_device_mapping.pop(volume.attachment.device, None)
        volume.attachment = None

    def detach(self, request: Request) -> Answer:
        cloud = self._cloud
        with cloud.lock:
            volume = cloud.volume(request.region, request.required("VolumeId"))
            attachment = self._detachable(request, volume)
            attachment.detaching = cloud.timeline("detach", request.fault)
            view = attachment_view(volume, attachment)
        self._advance(volume)
        self._watch(volume)
        return {**view, "State": "detaching"}

    def _detachable(self, request: Request, volume: Volume) -> Attachment:
        attachment = volume.attachment
        if attachment is None or attachment.detaching:
            state = "detaching" if attachment else volume.state
            raise errors.wrong_state(f"Volume '{volume.id}' is in the '{state}' state.")
        instance_id = request.params.get("InstanceId") or attachment.instance_id
        device = request.params.get("Device") or attachment.device
        if instance_id != attachment.instance_id or device != attachment.device:
            raise errors.Ec2Error(
                "InvalidAttachment.NotFound",
                f"The volume '{volume.id}' is not attached to instance '{instance_id}' as device '{device}'.",
            )
        instance = request.region.get_instance(instance_id)
        if attachment.device == instance.root_device_name and instance.state == "running":
            raise errors.Ec2Error(
                "OperationNotPermitted", f"Unable to detach root volume '{volume.id}' from instance '{instance_id}'"
            )
        return attachment

    def _watch(self, volume: Volume) -> None:
        with self._cloud.lock:
            if volume.attachment and (volume.attachment.detaching or volume.attachment.state != "attached"):
                self._moving[volume.id] = volume
        self._woken.set()

    def _follow(self) -> None:
        while True:
            self._woken.wait()
            if not self._moving and not self._cloud.devices.any_attached():
                self._woken.clear()
                continue
            try:
                self._cloud.devices.refresh_names()
                for volume in list(self._moving.values()):
                    self._advance(volume)
            except Exception:
                LOG.exception("following attachments")
            threading.Event().wait(TICK)

    def _advance(self, volume: Volume) -> None:
        """Do what is due for one attachment. Callers and the thread take turns."""
        with self._step:
            attachment = volume.attachment
            if attachment is None:
                self._moving.pop(volume.id, None)
            elif attachment.detaching:
                self._advance_detaching(volume, attachment, attachment.detaching)
            else:
                self._advance_attaching(volume, attachment)

    def _advance_attaching(self, volume: Volume, attachment: Attachment) -> None:
        if not attachment.timeline.done:
            return
        region = self._cloud.region(volume.account, volume.region)
        try:
            if attachment.timeline.fails:
                raise DeviceError("made to fail")
            if attachment.real and not attachment.no_device and not attachment.present:
                self._cloud.devices.attach(volume.id, self._names(volume, attachment))
                attachment.present = True
        except DeviceError as exc:
            # EC2 tells nobody either: the attachment just goes away again.
            LOG.warning("%s could not be attached as %s: %s", volume.id, attachment.device, exc)
            with self._cloud.lock:
                self.forget(region, volume)
        attachment.block.status = attachment.state
        self._moving.pop(volume.id, None)

    def _names(self, volume: Volume, attachment: Attachment) -> Names:
        return NitroNames(volume.id) if self._cloud.nitro else XenNames(attachment.device)

    def _advance_detaching(self, volume: Volume, attachment: Attachment, timeline: Timeline) -> None:
        if not timeline.done:
            return
        attachment.busy = not self._cloud.devices.detach(volume.id)
        attachment.block.status = attachment.state
        if not attachment.busy:
            with self._cloud.lock:
                self.forget(self._cloud.region(volume.account, volume.region), volume)
                self._moving.pop(volume.id, None)


def _plain(device: str) -> str:
    """/dev/sdf and /dev/xvdf are one attachment point."""
    return re.sub(r"^(/dev/)?(xvd|sd|hd)", "", device)
