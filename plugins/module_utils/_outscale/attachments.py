# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Attaching a volume to the build host, under a device name that is free, and detaching it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    Busy,
    Conflict,
    Invalid,
    NotFound,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.block_devices import DEVICE_NAME
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.errors import error_code
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.volumes import (
    Attachment,
    Volume,
    await_available,
    detach,
    list_volumes,
    read_volume,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation

LETTERS = "abcdefghijklmnopqrstuvwxyz"
# https://docs.outscale.com/en/userguide/About-Volumes.html: a letter from b to z, and if wanted one more.
DEVICE_NAMES = tuple("/dev/xvd" + letter for letter in LETTERS[1:]) + tuple(
    "/dev/xvd" + first + second for first in "bc" for second in LETTERS
)

_NAME = re.compile(r"/dev/(?:sd|xvd|vd)([a-z]{1,2})\d*\Z")
# Codes of names that are taken: device-in-use, device-conflict, duplicate-mount-point, already-exist.
_NAME_TAKEN = frozenset(["9000", "9003", "9004", "9014"])


@dataclass(frozen=True)
class Vm:
    """What attaching needs to know of a VM. C(devices): device names, as mapped, to volume ids."""

    vm_id: str
    state: str
    subregion: str
    vm_type: str
    architecture: str
    devices: t.Mapping[str, str]

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Vm:
        """From ReadVms."""
        mappings = found.get("BlockDeviceMappings") or []
        return cls(
            vm_id=str(found["VmId"]),
            state=str(found.get("State", "")),
            subregion=str((found.get("Placement") or {}).get("SubregionName", "")),
            vm_type=str(found.get("VmType", "")),
            architecture=str(found.get("Architecture", "")),
            devices={str(m["DeviceName"]): str((m.get("Bsu") or {}).get("VolumeId", "")) for m in mappings},
        )

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return dict(self.__dict__, devices=dict(self.devices))


@dataclass(frozen=True)
class AttachmentRequest:
    """A volume that shall be attached, or not. C(device_name) None: any that is free."""

    volume_id: str
    vm_id: t.Optional[str] = None
    device_name: t.Optional[str] = None
    build_id: t.Optional[str] = None
    force: bool = False
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> AttachmentRequest:
        """From a module's options."""
        names = ("volume_id", "vm_id", "build_id", "force")
        name = api_name(params["device_name"]) if params["device_name"] else None
        return cls(waiting=Waiting.from_params(params), device_name=name, **{name: params[name] for name in names})


@dataclass
class AttachmentPlan:
    """What is there, what has to be done, and the attachment: predicted, or real once applied."""

    before: t.List[str]
    operations: t.List[Operation]
    attachment: t.Optional[Attachment]


def api_name(device_name: str) -> str:
    """A device's name as the API takes it: a VM may show as vdb what is attached as xvdb."""
    return re.sub(r"\A/dev/vd", "/dev/xvd", device_name)


def device_slot(device_name: str) -> str:
    """What the names of one device have in common: C(/dev/sdf), C(/dev/xvdf) and C(/dev/vdf) are slot C(f)."""
    match = _NAME.match(device_name)
    return match.group(1) if match else device_name


def choose_device_name(taken: t.Iterable[str]) -> str:
    """The first name that is free.

    Raises:
        Busy: none is.
    """
    slots = {device_slot(name) for name in taken}
    for name in DEVICE_NAMES:
        if device_slot(name) not in slots:
            return name
    raise Busy("All %d device names for volumes are taken on this VM." % len(DEVICE_NAMES))


def plan_present(api: OutscaleApi, request: AttachmentRequest) -> AttachmentPlan:
    """Plan to have the volume attached to the VM.

    Raises:
        NotFound: no such volume or VM.
        Conflict: it is attached elsewhere, or can never be attached there.
    """
    if request.device_name and not DEVICE_NAME.match(request.device_name):
        raise Invalid(["device_name %r is not one of Outscale, such as /dev/xvdb or /dev/sdc." % request.device_name])
    volume = read_volume(api, request.volume_id, new=request.build_id is not None)
    existing = _existing(volume, request)
    if existing is not None:
        return AttachmentPlan([volume.summary()], [], existing)
    vm = read_vm(api, str(request.vm_id))
    _check_possible(volume, vm, request)
    name = request.device_name or choose_device_name(_taken_names(api, vm))
    predicted = Attachment(request.volume_id, vm.vm_id, name, "attached")
    plan = AttachmentPlan([volume.summary()], [], predicted)
    plan.operations.append(AttachVolume(api, request, vm, plan))
    return plan


def _existing(volume: Volume, request: AttachmentRequest) -> t.Optional[Attachment]:
    """The attachment asked for, when it is there."""
    for attachment in volume.attachments:
        if attachment.state == "detaching":
            raise Busy(
                "Volume %s is just being detached from %s." % (volume.volume_id, attachment.vm_id),
                volume_id=volume.volume_id,
            )
        if attachment.vm_id != request.vm_id:
            raise Conflict(
                "Volume %s is attached to VM %s as %s, not to %s."
                % (volume.volume_id, attachment.vm_id, attachment.device_name, request.vm_id),
                hint="Detach it there first.",
                volume_id=volume.volume_id,
                vm_id=attachment.vm_id,
            )
        if request.device_name and device_slot(attachment.device_name) != device_slot(request.device_name):
            raise Conflict(
                "Volume %s is attached to %s already, but as %s, not as %s."
                % (volume.volume_id, attachment.vm_id, attachment.device_name, request.device_name),
                volume_id=volume.volume_id,
            )
        return attachment
    return None


def read_vm(api: OutscaleApi, vm_id: str) -> Vm:
    """One VM by id.

    Raises:
        NotFound: there is no such VM in this region and account.
    """

    def look() -> Vm:
        found = api.find("ReadVms", "Vms", "find VM %s" % vm_id, VmIds=[vm_id])
        if not found:
            raise NotFound(
                "There is no VM %s in region %s of this account." % (vm_id, api.region),
                hint="The build host must be a VM that these keys can see.",
                vm_id=vm_id,
            )
        return Vm.from_api(found[0])

    return t.cast("Vm", api.retry_missing(look, new=False))


def _check_possible(volume: Volume, vm: Vm, request: AttachmentRequest) -> None:
    problems = []
    if vm.state not in ("running", "stopped", ""):
        problems.append("VM %s is %s, not running." % (vm.vm_id, vm.state))
    if volume.subregion != vm.subregion:
        problems.append(
            "Volume %s is in subregion %s, VM %s in %s; only volumes of its own subregion can be attached."
            % (volume.volume_id, volume.subregion, vm.vm_id, vm.subregion)
        )
    wanted = device_slot(request.device_name) if request.device_name else None
    for name, volume_id in vm.devices.items():
        if device_slot(name) == wanted:
            problems.append("%s is taken on VM %s by %s." % (request.device_name, vm.vm_id, volume_id or name))
    if problems:
        error = Invalid(problems)
        error.facts.update(volume_id=volume.volume_id, vm_id=vm.vm_id)
        raise error


def _taken_names(api: OutscaleApi, vm: Vm) -> t.Set[str]:
    """The names in use: a VM's own list may lag behind what is being attached just now."""
    attached = {
        one.device_name
        for volume in list_volumes(api, LinkVolumeVmIds=[vm.vm_id])
        for one in volume.attachments
        if one.vm_id == vm.vm_id
    }
    return attached | set(vm.devices)


class AttachVolume:
    """Attach the volume under a free name, and under another when that was taken meanwhile."""

    def __init__(self, api: OutscaleApi, request: AttachmentRequest, vm: Vm, plan: AttachmentPlan) -> None:
        self.api = api
        self.request = request
        self.vm = vm
        self.plan = plan
        self.refused: t.Set[str] = set()

    @property
    def device_name(self) -> str:
        """The name that is tried next."""
        return t.cast("Attachment", self.plan.attachment).device_name

    def describe(self) -> str:
        """See Operation.describe."""
        return "attach volume %s to %s as %s" % (self.request.volume_id, self.vm.vm_id, self.device_name)

    def execute(self) -> None:
        """See Operation.execute."""
        is_new = self.request.build_id is not None
        await_available(self.api, self.request.volume_id, self.request.waiting, new=is_new)
        while not self._attach(is_new):
            self.refused.add(self.device_name)
            name = choose_device_name(_taken_names(self.api, self.vm) | self.refused)
            self.plan.attachment = Attachment(self.request.volume_id, self.vm.vm_id, name, "attaching")

    def _attach(self, is_new: bool) -> bool:
        """Whether the volume is being attached now; False when another took the name."""
        try:
            self.api.retry_missing(self._call, new=is_new)
        except (Busy, Conflict) as exc:
            # An answer that was lost leaves a volume that is attached: to us, or it is another's.
            attachment = _existing(read_volume(self.api, self.request.volume_id), self.request)
            if attachment is not None:
                self.plan.attachment = attachment
                return True
            if self.request.device_name or error_code(exc) not in _NAME_TAKEN:
                raise
            return False
        self.plan.attachment = Attachment(self.request.volume_id, self.vm.vm_id, self.device_name, "attaching")
        return True

    def _call(self) -> t.Dict[str, t.Any]:
        return self.api.call(
            "LinkVolume",
            "attach volume %s to %s as %s" % (self.request.volume_id, self.vm.vm_id, self.device_name),
            VolumeId=self.request.volume_id,
            VmId=self.vm.vm_id,
            DeviceName=self.device_name,
        )


def apply_present(plan: AttachmentPlan, api: OutscaleApi, request: AttachmentRequest) -> Attachment:
    """Carry out a plan of C(plan_present), wait as asked, and return the attachment."""
    for operation in plan.operations:
        operation.execute()
    attachment = t.cast("Attachment", plan.attachment)
    if request.waiting.enabled and attachment.state != "attached":
        attachment = await_attached(api, request)
    plan.attachment = attachment
    return attachment


def await_attached(api: OutscaleApi, request: AttachmentRequest) -> Attachment:
    """Wait until Outscale says that the volume is attached to the VM.

    Raises:
        Conflict: the volume has failed meanwhile.
    """
    last = ["detached"]

    def probe() -> t.Optional[Attachment]:
        volume = read_volume(api, request.volume_id, new=request.build_id is not None)
        if volume.state == "error":
            raise Conflict("Volume %s is in state error." % request.volume_id, volume_id=request.volume_id)
        for attachment in volume.attachments:
            last[0] = attachment.state
            if attachment.vm_id == request.vm_id and attachment.state == "attached":
                return attachment
        return None

    return request.waiting.until(
        probe,
        max_delay_seconds=5,
        on_timeout=lambda waited: WaitTimeout(
            "Volume %s is still in attachment state %s on %s after %d seconds."
            % (request.volume_id, last[0], request.vm_id, waited),
            volume_id=request.volume_id,
            vm_id=request.vm_id,
        ),
        clock=api.clock,
    )


def plan_absent(api: OutscaleApi, request: AttachmentRequest) -> AttachmentPlan:
    """Plan to have the volume attached nowhere, or not to the VM given."""
    try:
        volume = read_volume(api, request.volume_id)
    except NotFound:
        return AttachmentPlan([], [], None)
    there = [one for one in volume.attachments if request.vm_id in (None, one.vm_id)]
    operations: t.List[Operation] = [DetachVolume(api, request, attachment) for attachment in there]
    return AttachmentPlan([volume.summary()], operations, there[0] if there else None)


class DetachVolume:
    """Detach the volume and wait until it is free."""

    def __init__(self, api: OutscaleApi, request: AttachmentRequest, attachment: Attachment) -> None:
        self.api = api
        self.request = request
        self.attachment = attachment

    def describe(self) -> str:
        """See Operation.describe."""
        return "detach volume %s from %s (%s)" % (
            self.attachment.volume_id, self.attachment.vm_id, self.attachment.device_name,
        )  # fmt: skip

    def execute(self) -> None:
        """See Operation.execute."""
        detach(self.api, self.request.volume_id, self.request.waiting, force=self.request.force)


__all__ = (
    "DEVICE_NAMES",
    "AttachmentPlan",
    "AttachmentRequest",
    "Vm",
    "api_name",
    "apply_present",
    "choose_device_name",
    "device_slot",
    "plan_absent",
    "plan_present",
    "read_vm",
)
