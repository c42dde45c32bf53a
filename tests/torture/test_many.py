# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many images on one build host, in one run and in several at once, in an account that is throttled: all come out, and
no two of them ever have the same device. C(TORTURE_IMAGES) says how many."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

import pytest

from tests.integration.killing import start_build
from tests.integration.project import Cloud, Project, host_state
from tests.lab_fixture import RunningLab

IMAGES = int(os.environ.get("TORTURE_IMAGES") or 32)


def images_of(source: str, names: t.Iterable[str]) -> dict[str, dict[str, t.Any]]:
    """Images that know which one they are."""
    shared: dict[str, t.Any] = {"bake_source": source, "bake_gather_facts": False, "bake_device_timeout": 600}
    step = {
        "shell": "echo {{ inventory_hostname }} > /etc/who; mount -t tmpfs none /mnt; sleep 1000 > /dev/null 2>&1 &"
    }
    return {name: {**shared, "bake_image_name": f"image-{name}", "bake_provision": [step]} for name in names}


def assert_devices_are_never_shared(lab: RunningLab) -> None:
    """From an attachment until the volume's own detachment nobody else asks for the name with success."""
    held: dict[str, str] = {}
    for call in lab.api.calls():
        volume = call["parameters"].get("VolumeId", "")
        if call["status"] != 200 or call["action"] not in ("AttachVolume", "DetachVolume"):
            continue
        if call["action"] == "DetachVolume":
            held = {device: holder for device, holder in held.items() if holder != volume}
            continue
        device = call["parameters"]["Device"]
        assert held.setdefault(device, volume) == volume, (device, held)


def check_and_forget(names: t.Iterable[str], cloud: Cloud, folder: Path) -> None:
    """Every image is there, and is itself."""
    for number, name in enumerate(names):
        image = cloud.image(f"image-{name}")
        assert image, name
        if number % 8 == 0:
            with cloud.mounted(image, folder / "mnt") as root:
                assert (root / "etc/who").read_text() == f"{name}\n"
        cloud.forget(f"image-{name}")


@pytest.fixture
def throttled(lab: RunningLab) -> RunningLab:
    """An account that takes its time."""
    lab.api.set(attach_seconds=1, detach_seconds=1, snapshot_seconds=3)
    lab.api.fault("*", code="RequestLimitExceeded", rate=0.1, times=0)
    return lab


def test_many_images_in_one_run(
    project: Project, cloud: Cloud, throttled: RunningLab, source_ami: str, tmp_path: Path
) -> None:
    before = host_state()
    names = [f"one-{number}" for number in range(IMAGES)]
    project.images(**images_of(source_ami, names))
    with start_build(project, "--forks", str(IMAGES)) as build:
        build.process.wait(7200)
        assert build.process.returncode == 0
    assert_devices_are_never_shared(throttled)
    throttled.api.reset()
    check_and_forget(names, cloud, tmp_path)
    assert cloud.leftovers() == []
    assert host_state() == before


def test_many_images_in_an_account_that_may_look_twice_a_second(
    project: Project, cloud: Cloud, lab: RunningLab, source_ami: str, tmp_path: Path
) -> None:
    """EC2's own limit is ten times that: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html."""
    before = host_state()
    lab.api.set(describes_per_second=2, describes_burst=20, snapshot_seconds=60)
    names = [f"limited-{number}" for number in range(IMAGES)]
    project.images(**images_of(source_ami, names))
    with start_build(project, "--forks", str(IMAGES)) as build:
        build.process.wait(7200)
        assert build.process.returncode == 0
    calls = lab.api.calls()
    refused = sum(call["status"] == 503 for call in calls)
    assert refused > 0
    looks = sum(call["action"].startswith("Describe") for call in calls)
    print(f"{IMAGES} images: {len(calls)} calls, {looks} of them looks, {refused} refused")
    lab.api.reset()
    check_and_forget(names, cloud, tmp_path)
    assert cloud.leftovers() == []
    assert host_state() == before


def test_several_runs_at_once(cloud: Cloud, throttled: RunningLab, source_ami: str, tmp_path: Path) -> None:
    before = host_state()
    every = []
    with contextlib.ExitStack() as stack:
        builds = []
        for run in range(4):
            project = Project(tmp_path / f"run-{run}", throttled.env)
            project.folder.mkdir()
            names = [f"run-{run}-{number}" for number in range(max(IMAGES // 8, 1))]
            every += names
            project.images(**images_of(source_ami, names))
            builds.append(stack.enter_context(start_build(project)))
        for build in builds:
            build.process.wait(7200)
        assert [build.process.returncode for build in builds] == [0, 0, 0, 0]
    assert_devices_are_never_shared(throttled)
    throttled.api.reset()
    check_and_forget(every, cloud, tmp_path)
    assert cloud.leftovers() == []
    assert host_state() == before
