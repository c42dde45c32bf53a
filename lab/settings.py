# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be changed while the lab runs: how long things take, and which calls go wrong."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import random
import threading
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.clock import CLOCK
from lab.limits import TokenBucket, is_limited

#: What a fault does to a call it matches.
EFFECTS = {
    "error": "the call is refused and nothing is done",
    "error-after-work": "the work is done, and the answer is an error all the same",
    "disconnect": "the work is done, and the connection closes without an answer",
    "stuck": "what the call starts never ends: creating, attaching, detaching, pending",
    "fail": "what the call starts ends in error: volume error, snapshot error, image failed, attachment gone",
    "no-device": "the volume is attached as the API says, and no device appears",
}
#: Effects that are carried out while the call is served, not instead of it.
LATER_EFFECTS = frozenset(("stuck", "fail", "no-device"))

#: The action of requests to the metadata service, which have none. No pattern means it, only the name.
METADATA = "InstanceMetadata"


#: What an Outscale VM may call a volume that is linked as /dev/sdf or /dev/xvdf.
OSC_DEVICES = {
    "scsi": "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_sdf",
    "virtio": "/dev/disk/by-id/virtio- and the volume's id",
    "xvd": "/dev/xvdf",
    "sd": "/dev/sdf",
    "vd": "/dev/vdf",
}


class SettingError(Exception):
    """A setting that does not exist or does not fit; the text is for humans."""


@dataclass
class Fault:
    """Something that goes wrong on purpose.

    Args:
        action: name or pattern of API actions, such as C(CreateVolume) or C(Describe*).
        effect: one of EFFECTS.
        code, message, status: the error to answer with; status is the HTTP one.
        times: how many matching calls are hit; 0 is all of them.
        skip: how many matching calls pass unharmed first.
        match: parameters that the call must have, as texts; C({"VolumeId": "vol-1"}).
        rate: which share of those calls is hit, by chance; the same calls for the same seed.
        seed: of that chance.
        at: for C(fail), the percentage that what is started comes to before it fails.
    """

    action: str
    effect: str = "error"
    code: str = "InternalError"
    message: str = "An internal error has occurred (a fault of the lab)."
    status: int = 0
    times: int = 1
    skip: int = 0
    match: dict[str, str] = field(default_factory=dict)
    rate: float = 1.0
    seed: int = 0
    at: int = 100
    hits: int = 0

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise SettingError(f"Unknown effect {self.effect!r}; there are {', '.join(EFFECTS)}.")
        if not self.status:
            self.status = default_status(self.code)

    def takes(self, action: str, parameters: Mapping[str, str]) -> bool:
        """Whether this call is hit. Counts, so ask once for each call."""
        if self.times and self.hits >= self.times + self.skip:
            return False
        if not (self.action == action or (action != METADATA and fnmatch.fnmatchcase(action, self.action))):
            return False
        if any(parameters.get(key) != value for key, value in self.match.items()):
            return False
        self.hits += 1
        return self.hits > self.skip and self._by_chance()

    def _by_chance(self) -> bool:
        chance = random.Random(f"{self.seed} {self.hits}").random()  # noqa: S311 - guards nothing
        return self.rate >= 1 or chance < self.rate


def default_status(code: str) -> int:
    """The HTTP status that AWS sends with an error code, as far as clients look at it."""
    if code in ("RequestLimitExceeded", "Unavailable", "ServiceUnavailable"):
        return 503
    if code in ("InternalError", "InternalFailure", "InternalServerException"):
        return 500
    if code in ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException"):
        return 403
    if code in ("AuthFailure",):
        return 401
    return 400


@dataclass(frozen=True)
class Settings:
    """Seconds that states take, and other behaviour. Applies to what is created from then on."""

    volume_seconds: float = 0.0
    attach_seconds: float = 0.0
    detach_seconds: float = 0.0
    snapshot_seconds: float = 0.0
    image_seconds: float = 0.0
    #: How long a new id is not found by calls that name it, nor listed.
    consistency_seconds: float = 0.0
    #: Added to every API call.
    api_seconds: float = 0.0
    #: C(required): metadata only with a token (IMDSv2); C(optional): without, too; C(off): no metadata service.
    imds: str = "required"
    #: How long a deleted volume or snapshot of Outscale is still shown as deleting.
    osc_delete_seconds: float = 0.0
    #: What a linked volume is called on the Outscale VM: see OSC_DEVICES.
    osc_devices: str = "scsi"
    #: Keys of tags that calls which create something must give it, or they are refused.
    required_tags: tuple[str, ...] = ()
    #: How many calls that only look are answered in a second, all of them together; 0 is no limit.
    describes_per_second: float = 0.0
    #: How many of them are answered at once after a while without any.
    describes_burst: float = 50.0


class SettingsStore:
    """The settings in force, and the faults that wait for calls. Safe to use from many threads."""

    def __init__(self, initial: Settings) -> None:
        self._initial = initial
        self._lock = threading.Lock()
        self.current = initial
        self.faults: list[Fault] = []
        self._describes = TokenBucket()

    def change(self, values: Mapping[str, t.Any]) -> None:
        """Set some values; all of them are checked before one is changed.

        Raises:
            SettingError: an unknown name or a value of the wrong kind.
        """
        values = dict(values)
        faults = [_fault(item) for item in values.pop("faults", [])]
        replace = "faults" in values or bool(faults)
        checked: dict[str, t.Any] = {name: _checked(name, value) for name, value in values.items()}
        with self._lock:
            self.current = dataclasses.replace(self.current, **checked)
            if any(name.startswith("describes_") for name in checked):
                self._describes.fill()
            if replace:
                self.faults = self.faults + faults

    def reset(self) -> None:
        """Back to what the lab was started with, without faults."""
        with self._lock:
            self.current = self._initial
            self.faults = []
            self._describes.fill()

    def fault_for(self, action: str, parameters: Mapping[str, str]) -> Fault | None:
        """The first fault that hits this call; counts it."""
        with self._lock:
            return next((fault for fault in self.faults if fault.takes(action, parameters)), None)

    def over_limit(self, service: str, action: str) -> Fault | None:
        """What a call is answered for which there is no token left; takes one otherwise."""
        with self._lock:
            rate, burst = self.current.describes_per_second, self.current.describes_burst
            if not rate or not is_limited(service, action):
                return None
            if self._describes.take(CLOCK.now(), per_second=rate, burst=burst):
                return None
        return Fault(action, code="RequestLimitExceeded", message="Request limit exceeded.")

    def to_json(self) -> dict[str, t.Any]:
        with self._lock:
            return {**dataclasses.asdict(self.current), "faults": [dataclasses.asdict(f) for f in self.faults]}


def _checked(name: str, value: t.Any) -> float | str | tuple[str, ...]:
    known = {field.name for field in dataclasses.fields(Settings)}
    if name not in known:
        raise SettingError(f"Unknown setting {name!r}; there are faults, {', '.join(sorted(known))}.")
    if name == "imds":
        if value not in ("required", "optional", "off"):
            raise SettingError("imds is one of required, optional, off.")
        return str(value)
    if name == "osc_devices":
        if value not in OSC_DEVICES:
            raise SettingError(f"osc_devices is one of {', '.join(OSC_DEVICES)}.")
        return str(value)
    if name == "required_tags":
        if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
            raise SettingError("required_tags is a list of tag keys.")
        return tuple(value)
    if name == "describes_per_second":
        return _at_least(0, name, value, "calls")
    if name == "describes_burst":
        return _at_least(1, name, value, "calls")
    return check_seconds(name, value)


def check_seconds(name: str, value: t.Any) -> float:
    """A number of seconds.

    Raises:
        SettingError: it is none.
    """
    return _at_least(0, name, value, "seconds")


def _at_least(least: int, name: str, value: t.Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise SettingError(f"{name} is a number of {what}, {least} or more, not {value!r}.")
    return float(value)


def _fault(item: t.Any) -> Fault:
    known = {field.name for field in dataclasses.fields(Fault)} - {"hits"}
    if not isinstance(item, dict) or "action" not in item or set(item) - known:
        raise SettingError(f"A fault is an object with action and some of {', '.join(sorted(known))}.")
    return Fault(**item)
