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
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, error_code, filter_list
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.volumes import (
    Attachment,
    Volume,
    await_available,
    describe_volume,
    detach,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.watching import VOLUMES, watching
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation

# The names EC2 recommends for data volumes come first, then the two-letter names that it accepts:
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html
DEVICE_NAMES = tuple("/dev/sd" + letter for letter in "fghijklmnop") + tuple(
    "/dev/xvd" + first + second for first in "bc" for second in "abcdefghijklmnopqrstuvwxyz"
)

_NAME = re.compile(r"/dev/(?:sd|xvd|hd)([a-z]{1,2})\d*\Z")
_ALREADY_USED = re.compile(r"already in use|is not available|unixDevice", re.IGNORECASE)


@dataclass(frozen=True)
class Instance:
    """What attaching needs to know of an instance. C(devices): device names, as mapped, to volume ids."""

    instance_id: str
    state: str
    availability_zone: str
    instance_type: str
    devices: t.Mapping[str, str]

    @classmethod
    def from_api(cls, found: t.Mapping[str, t.Any]) -> Instance:
        """From DescribeInstances."""
        mappings = found.get("BlockDeviceMappings") or []
        return cls(
            instance_id=str(found["InstanceId"]),
            state=str((found.get("State") or {}).get("Name", "")),
            availability_zone=str((found.get("Placement") or {}).get("AvailabilityZone", "")),
            instance_type=str(found.get("InstanceType", "")),
            devices={str(m["DeviceName"]): str((m.get("Ebs") or {}).get("VolumeId", "")) for m in mappings},
        )


@dataclass(frozen=True)
class AttachmentRequest:
    """A volume that shall be attached, or not. C(device_name) None: any that is free."""

    volume_id: str
    instance_id: t.Optional[str] = None
    device_name: t.Optional[str] = None
    build_id: t.Optional[str] = None
    force: bool = False
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> AttachmentRequest:
        """From a module's options."""
        names = ("volume_id", "instance_id", "device_name", "build_id", "force")
        return cls(waiting=Waiting.from_params(params), **{name: params[name] for name in names})


@dataclass
class AttachmentPlan:
    """What is there, what has to be done, and the attachment: predicted, or real once applied."""

    before: t.List[str]
    operations: t.List[Operation]
    attachment: t.Optional[Attachment]


def device_slot(device_name: str) -> str:
    """What two names of one device have in common: C(/dev/sdf) and C(/dev/xvdf1) are slot C(f).

    Instances on Xen show every /dev/sdX as /dev/xvdX, so the two names exclude each other.
    """
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
    raise Busy("All %d device names for EBS volumes are taken on this instance." % len(DEVICE_NAMES))


def plan_present(api: Ec2Api, request: AttachmentRequest) -> AttachmentPlan:
    """Plan to have the volume attached to the instance.

    Raises:
        NotFound: no such volume or instance.
        Conflict: it is attached elsewhere, or can never be attached there.
    """
    volume = describe_volume(api, request.volume_id, new=request.build_id is not None)
    existing = _existing(volume, request)
    if existing is not None:
        return AttachmentPlan([volume.summary()], [], existing)
    instance = describe_instance(api, str(request.instance_id))
    _check_possible(volume, instance, request)
    name = request.device_name or choose_device_name(_taken_names(api, instance))
    predicted = Attachment(request.volume_id, instance.instance_id, name, "attached")
    plan = AttachmentPlan([volume.summary()], [], predicted)
    plan.operations.append(AttachVolume(api, request, instance, plan))
    return plan


def _existing(volume: Volume, request: AttachmentRequest) -> t.Optional[Attachment]:
    """The attachment asked for, when it is there."""
    for attachment in volume.attachments:
        if attachment.state in ("detaching", "busy", "detached"):
            raise Busy(
                "Volume %s is just being detached from %s (state %s)."
                % (volume.volume_id, attachment.instance_id, attachment.state),
                volume_id=volume.volume_id,
            )
        if attachment.instance_id != request.instance_id:
            raise Conflict(
                "Volume %s is attached to instance %s as %s, not to %s."
                % (volume.volume_id, attachment.instance_id, attachment.device_name, request.instance_id),
                hint="Detach it there first.",
                volume_id=volume.volume_id,
                instance_id=attachment.instance_id,
            )
        if request.device_name and device_slot(attachment.device_name) != device_slot(request.device_name):
            raise Conflict(
                "Volume %s is attached to %s already, but as %s, not as %s."
                % (volume.volume_id, attachment.instance_id, attachment.device_name, request.device_name),
                volume_id=volume.volume_id,
            )
        return attachment
    return None


def describe_instance(api: Ec2Api, instance_id: str) -> Instance:
    """One instance by id.

    Raises:
        NotFound: there is no such instance in this region and account.
    """

    def look() -> Instance:
        doing = "find instance %s" % instance_id
        for reservation in api.find("describe_instances", "Reservations", doing, InstanceIds=[instance_id]):
            for found in reservation.get("Instances") or []:
                return Instance.from_api(found)
        raise NotFound("There is no instance %s in %s." % (instance_id, api.region), instance_id=instance_id)

    try:
        return t.cast("Instance", api.retry_missing(look, new=False))
    except NotFound as exc:
        raise NotFound(
            "There is no instance %s in region %s of this account." % (instance_id, api.region),
            hint="The build host must be an instance that these credentials can see.",
            **exc.facts,
        ) from exc


def _check_possible(volume: Volume, instance: Instance, request: AttachmentRequest) -> None:
    problems = []
    if instance.state not in ("running", "stopped", ""):
        problems.append("Instance %s is %s, not running." % (instance.instance_id, instance.state))
    if volume.availability_zone != instance.availability_zone:
        problems.append(
            "Volume %s is in availability zone %s, instance %s in %s; only volumes of its own zone can be attached."
            % (volume.volume_id, volume.availability_zone, instance.instance_id, instance.availability_zone)
        )
    wanted = device_slot(request.device_name) if request.device_name else None
    for name, volume_id in instance.devices.items():
        if device_slot(name) == wanted:
            problems.append(
                "%s is taken on instance %s by %s." % (request.device_name, instance.instance_id, volume_id or name)
            )
    if problems:
        error = Invalid(problems)
        error.facts.update(volume_id=volume.volume_id, instance_id=instance.instance_id)
        raise error


def _taken_names(api: Ec2Api, instance: Instance) -> t.Set[str]:
    """The names in use: an instance's own list lags behind what is being attached just now."""
    found = api.find(
        "describe_volumes",
        "Volumes",
        "list the volumes of %s" % instance.instance_id,
        Filters=filter_list({"attachment.instance-id": instance.instance_id}),
    )
    attached = {str(one.get("Device")) for volume in found for one in volume.get("Attachments") or []}
    return attached | set(instance.devices)


class AttachVolume:
    """Attach the volume under a free name, and under another when that was taken meanwhile."""

    def __init__(self, api: Ec2Api, request: AttachmentRequest, instance: Instance, plan: AttachmentPlan) -> None:
        self.api = api
        self.request = request
        self.instance = instance
        self.plan = plan
        self.refused: t.Set[str] = set()

    @property
    def device_name(self) -> str:
        """The name that is tried next."""
        return t.cast("Attachment", self.plan.attachment).device_name

    def describe(self) -> str:
        """See Operation.describe."""
        return "attach volume %s to %s as %s" % (
            self.request.volume_id, self.instance.instance_id, self.device_name,
        )  # fmt: skip

    def execute(self) -> None:
        """See Operation.execute."""
        await_available(self.api, self.request.volume_id, self.request.waiting, new=self._is_new())
        while not self._attach():
            self.refused.add(self.device_name)
            name = choose_device_name(_taken_names(self.api, self.instance) | self.refused)
            self.plan.attachment = Attachment(self.request.volume_id, self.instance.instance_id, name, "attaching")

    def _is_new(self) -> bool:
        return self.request.build_id is not None

    def _attach(self) -> bool:
        """Whether the volume is being attached now; False when another took the name."""
        try:
            answer = self.api.retry_missing(self._call, new=self._is_new())
        except Invalid as exc:
            if self.request.device_name or not _ALREADY_USED.search(str(exc)):
                raise
            return False
        except Busy as exc:
            if error_code(exc) != "VolumeInUse":
                raise
            self.plan.attachment = self._attached_meanwhile(exc)
            return True
        except Refused as exc:
            raise self._explained(exc) from exc
        self.plan.attachment = Attachment.from_api(answer)
        return True

    def _call(self) -> t.Dict[str, t.Any]:
        return self.api.call(
            "attach_volume",
            "attach volume %s to %s as %s" % (self.request.volume_id, self.instance.instance_id, self.device_name),
            VolumeId=self.request.volume_id,
            InstanceId=self.instance.instance_id,
            Device=self.device_name,
        )

    def _attached_meanwhile(self, exc: BuildError) -> Attachment:
        """An answer that was lost leaves a volume that is attached: to us, or it is another's."""
        attachment = _existing(describe_volume(self.api, self.request.volume_id), self.request)
        if attachment is None:
            raise exc
        return attachment

    def _explained(self, exc: Refused) -> BuildError:
        if not error_code(exc).endswith("LimitExceeded"):
            return exc
        return Refused(
            "Instance %s (%s) takes no further volume: %d are attached. %s"
            % (self.instance.instance_id, self.instance.instance_type, len(self.instance.devices), exc.message),
            hint="Build fewer images at a time on it, or use an instance type with a higher limit.",
            **exc.facts,
        )


def apply_present(plan: AttachmentPlan, api: Ec2Api, request: AttachmentRequest) -> Attachment:
    """Carry out a plan of C(plan_present), wait as asked, and return the attachment."""
    for operation in plan.operations:
        operation.execute()
    attachment = t.cast("Attachment", plan.attachment)
    if request.waiting.enabled and attachment.state != "attached":
        attachment = await_attached(api, request)
    plan.attachment = attachment
    return attachment


def await_attached(api: Ec2Api, request: AttachmentRequest) -> Attachment:
    """Wait until EC2 says that the volume is attached to the instance."""
    last = ["detached"]

    def describe() -> Volume:
        return describe_volume(api, request.volume_id, new=request.build_id is not None)

    with watching(api, VOLUMES, request.volume_id, Volume.from_api, describe) as look:

        def probe() -> t.Optional[Attachment]:
            for attachment in look().attachments:
                last[0] = attachment.state
                if attachment.instance_id == request.instance_id and attachment.state == "attached":
                    return attachment
            return None

        return request.waiting.until(
            probe,
            max_delay_seconds=5,
            on_timeout=lambda waited: WaitTimeout(
                "Volume %s is still in attachment state %s on %s after %d seconds."
                % (request.volume_id, last[0], request.instance_id, waited),
                volume_id=request.volume_id,
                instance_id=request.instance_id,
            ),
            clock=api.clock,
        )


def plan_absent(api: Ec2Api, request: AttachmentRequest) -> AttachmentPlan:
    """Plan to have the volume attached nowhere, or not to the instance given."""
    try:
        volume = describe_volume(api, request.volume_id)
    except NotFound:
        return AttachmentPlan([], [], None)
    there = [one for one in volume.attachments if request.instance_id in (None, one.instance_id)]
    operations: t.List[Operation] = [DetachVolume(api, request, attachment) for attachment in there]
    return AttachmentPlan([volume.summary()], operations, there[0] if there else None)


class DetachVolume:
    """Detach the volume and wait until it is free."""

    def __init__(self, api: Ec2Api, request: AttachmentRequest, attachment: Attachment) -> None:
        self.api = api
        self.request = request
        self.attachment = attachment

    def describe(self) -> str:
        """See Operation.describe."""
        return "detach volume %s from %s (%s)" % (
            self.attachment.volume_id, self.attachment.instance_id, self.attachment.device_name,
        )  # fmt: skip

    def execute(self) -> None:
        """See Operation.execute."""
        detach(
            self.api,
            self.request.volume_id,
            self.request.waiting,
            instance_id=self.attachment.instance_id,
            force=self.request.force,
        )


__all__ = (
    "DEVICE_NAMES",
    "AttachmentPlan",
    "AttachmentRequest",
    "Instance",
    "apply_present",
    "choose_device_name",
    "describe_instance",
    "device_slot",
    "plan_absent",
    "plan_present",
)
