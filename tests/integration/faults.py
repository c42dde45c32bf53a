# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong in EC2 and on the build host while an image is built, and what becomes of the build then."""

from __future__ import annotations

import dataclasses
import itertools
import random
import typing as t
from collections.abc import Iterable, Sequence

from tests.integration.killing import sweep
from tests.integration.project import Cloud, Project, Ran
from tests.lab_fixture import RunningLab

#: Short, so that what never ends is given up soon.
PATIENCE = {"bake_wait_timeout": 15, "bake_device_timeout": 5, "bake_snapshot_timeout": 15}

#: What a build changes in EC2, in this order.
CHANGES = ("CreateVolume", "AttachVolume", "DetachVolume", "CreateSnapshot", "RegisterImage", "DeleteVolume")


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        name: of the test.
        faults: of the lab's API.
        settings: of the lab.
        options: of the image.
        says: what the error names, in any of these words; nothing where the build survives.
        image: whether the image is there all the same.
        stays: whether something cannot be removed before the fault is over: the error names it, and a sweep removes it.
    """

    name: str
    faults: tuple[dict[str, t.Any], ...] = ()
    settings: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    options: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    says: tuple[str, ...] = ()
    image: bool = False
    stays: bool = False

    @property
    def is_survived(self) -> bool:
        return not self.says


def fault(action: str, effect: str = "error", **values: t.Any) -> tuple[dict[str, t.Any], ...]:
    """One fault of the lab."""
    return ({"action": action, "effect": effect, **values},)


def survived(seed: int) -> list[Fault]:
    """What a build gets over."""
    lost = [
        Fault(f"{action}-{effect}", fault(action, effect))
        for action, effect in itertools.product(CHANGES, ("error-after-work", "disconnect"))
    ]
    throttled = fault("*", code="RequestLimitExceeded", rate=0.25, seed=seed, times=0)
    broken = fault("*", code="InternalError", rate=0.1, seed=seed, times=0)
    slow = {f"{what}_seconds": 2 for what in ("volume", "attach", "detach", "snapshot", "image")}
    return [
        *lost,
        Fault("throttled", throttled),
        Fault("server-errors", broken),
        Fault("unavailable", fault("*", code="Unavailable", rate=0.2, seed=seed, times=0)),
        Fault("consistent-late", settings={"consistency_seconds": 3}),
        Fault("slow", settings=slow),
        Fault("metadata-once", fault("InstanceMetadata", code="ServiceUnavailable")),
        Fault("metadata-hangs-up", fault("InstanceMetadata", "disconnect")),
    ]


def fatal() -> list[Fault]:
    """What ends a build."""
    refused = [
        Fault(
            f"{action}-refused",
            fault(action, code="UnauthorizedOperation", times=0),
            says=(f"may not do ec2:{action}",),
        )
        for action in CHANGES[:2] + CHANGES[3:5]
    ]
    throttled = fault("RegisterImage", code="RequestLimitExceeded", times=0)
    broken_off = fault("CreateSnapshot", "fail", at=80)
    full = {"bake_provision": [{"shell": "cat /dev/zero > /full"}]}
    return [
        *refused,
        Fault("quota", fault("CreateVolume", code="VolumeLimitExceeded"), says=("VolumeLimitExceeded",)),
        Fault("throttled-for-ever", throttled, says=("RequestLimitExceeded",)),
        Fault("volume-fails", fault("CreateVolume", "fail"), says=("is in state error",)),
        Fault("volume-stuck", fault("CreateVolume", "stuck"), says=("is still in state creating",)),
        Fault("attaching-stuck", fault("AttachVolume", "stuck"), says=("attaching",)),
        Fault("attachment-fails", fault("AttachVolume", "fail"), says=("attach",)),
        Fault("no-device", fault("AttachVolume", "no-device"), says=("there is no device",)),
        Fault("detaching-stuck", fault("DetachVolume", "stuck", times=0), says=("detach",), stays=True),
        Fault("snapshot-fails-at-80", broken_off, {"snapshot_seconds": 5}, says=("has failed",)),
        Fault("snapshot-stuck", fault("CreateSnapshot", "stuck"), says=("is still pending",)),
        Fault("image-fails", fault("RegisterImage", "fail"), says=("is in state failed",)),
        Fault("image-stuck", fault("RegisterImage", "stuck"), says=("is still in state pending",)),
        Fault(
            "volume-stays",
            fault("DeleteVolume", code="UnauthorizedOperation", times=0),
            says=("may not do ec2:DeleteVolume",),
            image=True,
            stays=True,
        ),
        Fault("metadata-lost", settings={"imds": "off"}, says=("bake_build_instance",)),
        Fault("disk-full", options=full, says=("No space left on device",)),
    ]  # fmt: skip


def pairs(seed: int, count: int) -> list[tuple[Fault, Fault]]:
    """Pairs at random, the same for the same seed."""
    every = list(itertools.combinations([*survived(seed), *fatal()], 2))
    return random.Random(seed).sample(every, count)


def apply(faults: Iterable[Fault], lab: RunningLab) -> None:
    """Let things go wrong from now on. What is named exactly is hit before what a pattern means."""
    for one in faults:
        lab.api.set(**one.settings)
    specs = [spec for one in faults for spec in one.faults]
    lab.api.set(faults=sorted(specs, key=lambda spec: "*" in spec["action"]))


def play(
    faults: Sequence[Fault],
    project: Project,
    cloud: Cloud,
    lab: RunningLab,
    source: str,
    *,
    patience: t.Mapping[str, t.Any] = PATIENCE,
) -> Ran:
    """Build with faults: the outcome is what they say, and nothing is left. Returns the build.

    Args:
        patience: how long the build waits; empty for its own times, where no fault lasts for ever.
    """
    image = {
        "bake_image_name": "web",
        "bake_source": source,
        "bake_gather_facts": False,
        "bake_provision": [{"shell": "echo done > /etc/provisioned"}],
        **patience,
    }
    for one in faults:
        image.update(one.options)
    project.images(web=image)
    apply(faults, lab)
    ran = project.build()
    lab.api.reset()
    lab.api.release()
    names = [one.name for one in faults]
    assert "Traceback" not in ran.output, (names, ran)
    ends = [one for one in faults if not one.is_survived]
    if ends:
        assert ran.rc != 0, (names, ran)
        assert any(words in ran.output for one in ends for words in one.says), (names, ran)
    else:
        assert ran.rc == 0, (names, ran)
    if any(one.stays for one in faults) and cloud.leftovers():
        assert "vol-" in ran.output.split("Not cleaned up: ")[-1].split("cleaned up: ")[-1], (names, ran)
        swept = sweep(project)
        assert swept.rc == 0, (names, swept)
    assert cloud.leftovers() == [], names
    assert (cloud.image("web") is not None) is all(one.is_survived or one.image for one in faults), names
    cloud.forget("web")
    return ran
