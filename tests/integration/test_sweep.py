# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What builds have left is found and removed; what is alive, finished or somebody else's is not touched."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils import _life
from ansible_collections.bakehouse.images.plugins.module_utils._build_host_leftovers import (
    find_leftovers,
    plan_removal,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2 import leftovers as in_ec2
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.builds import RemovalRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.builds import plan_removal as plan_ec2_removal
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.builds import remove as remove_ec2
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.file_tags import write_tags
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.loops import attach
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.removal import remove
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import leftovers as sandboxes
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.opening import OpenRequest, open_sandbox

from tests.integration.project import Cloud
from tests.lab_fixture import RunningLab

RUNNER = LocalRunner()
FINGERPRINT = {"bakehouse:fingerprint": "f" * 32}


def ended_owner() -> str:
    """An owner that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = _life.owner_of(process.pid)
        assert owner and process.stdin
        process.stdin.close()
    assert _life.judge(owner.to_text()).life is _life.Life.DEAD
    return owner.to_text()


def living_owner() -> str:
    owner = _life.owner_of(os.getpid())
    assert owner
    return owner.to_text()


@dataclasses.dataclass
class Disk:
    """A disk as a build of the provider local has it."""

    build_id: str
    file: Path

    def found(self) -> dict[str, t.Any]:
        """What is found of the build, by type."""
        return {one.type: one for one in find_leftovers([str(self.file.parent)]) if one.build_id == self.build_id}

    def remove(self) -> list[str]:
        """Remove what is there of it."""
        removals = plan_removal(RUNNER, [], [self.build_id], ended=False, timeout_seconds=10)
        remove(removals)
        return [one.type for one in removals]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk that is attached, with a sandbox of its build."""
    build_id = os.urandom(8).hex()
    disk = Disk(build_id, tmp_path / "images" / f".web.raw.{build_id}.disk")
    disk.file.parent.mkdir()
    disk.file.write_bytes(bytes(1 << 20))
    attach(RUNNER, str(disk.file))
    yield disk
    close_sandbox(build_id, runner=RUNNER)
    for loop in [one.id for one in find_leftovers([]) if one.build_id == build_id and one.type == "loop_device"]:
        subprocess.run(["losetup", "--detach", loop], check=True)


@contextlib.contextmanager
def sandbox(tmp_path: Path, disk: Disk, owner: str) -> Iterator[state.SandboxRecord]:
    """A sandbox of the build, on a directory, which takes less time."""
    root = tmp_path / "root"
    for name in ("bin", "etc", "usr", "proc", "sys", "dev", "run", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "bin/sh").symlink_to("/usr/bin/true")
    (root / "usr/bin").mkdir()
    (root / "usr/bin/true").touch(mode=0o755)
    request = OpenRequest(disk.build_id, root=str(root), copy_files=(), build_id=disk.build_id, owner=owner)
    yield open_sandbox(request, runner=RUNNER).record


def test_a_dead_builds_sandbox_device_and_files_are_found_and_removed(tmp_path: Path, disk: Disk) -> None:
    owner = ended_owner()
    write_tags(
        str(disk.file), {"bakehouse:build-id": disk.build_id, "bakehouse:owner": owner, "bakehouse:image": "web"}
    )
    part = disk.file.with_suffix(".part")
    part.touch()
    finished = disk.file.with_name("web.raw")
    finished.touch()
    write_tags(str(finished), {"bakehouse:build-id": disk.build_id, **FINGERPRINT})
    strange = disk.file.with_name(".web.raw.part")
    strange.touch()
    with sandbox(tmp_path, disk, owner) as record:
        found = disk.found()
        assert sorted(found) == ["file", "loop_device", "sandbox"]
        assert {one.owner for one in found.values() if one.id != str(part)} == {owner}
        assert found["sandbox"].state == f"open on {record.root}"
        assert disk.remove() == ["sandbox", "loop_device", "file", "file"]
        assert not state.is_alive(record)
    assert disk.found() == {}
    assert sorted(one.name for one in disk.file.parent.iterdir()) == [".web.raw.part", "web.raw"]
    assert disk.remove() == [], "a second time there is nothing"


def test_of_a_build_that_is_alive_nothing_can_be_removed_even_by_mistake(tmp_path: Path, disk: Disk) -> None:
    write_tags(str(disk.file), {"bakehouse:build-id": disk.build_id, "bakehouse:owner": living_owner()})
    with pytest.raises(Invalid, match="is alive: process"):
        disk.remove()
    assert sorted(disk.found()) == ["file", "loop_device"]


def test_a_kept_sandbox_says_until_when(tmp_path: Path, disk: Disk) -> None:
    with sandbox(tmp_path, disk, "") as record:
        assert disk.found()["sandbox"].expires is None
        again = OpenRequest(disk.build_id, root=record.root, expires=1792430000)
        assert open_sandbox(again, runner=RUNNER).changed
        assert not open_sandbox(again, runner=RUNNER).changed
        assert disk.found()["sandbox"].expires == 1792430000


def test_in_ec2_what_is_no_image_is_found_and_nothing_else(lab: RunningLab, cloud: Cloud) -> None:
    build_id, owner = os.urandom(8).hex(), ended_owner()
    tags = [{"Key": "bakehouse:build-id", "Value": build_id}, {"Key": "bakehouse:owner", "Value": owner}]

    def tagged(kind: str) -> list[dict[str, t.Any]]:
        return [{"ResourceType": kind, "Tags": tags}]

    def volume(**more: t.Any) -> str:
        made = cloud.ec2.create_volume(Size=1, VolumeType="gp3", AvailabilityZone=lab.zone, **more)
        return str(made["VolumeId"])

    def snapshot(**more: t.Any) -> str:
        return str(cloud.ec2.create_snapshot(VolumeId=foreign, **more)["SnapshotId"])

    foreign, ours = volume(), volume(TagSpecifications=tagged("volume"))
    used, unused, others = (
        snapshot(TagSpecifications=tagged("snapshot")),
        snapshot(TagSpecifications=tagged("snapshot")),
        snapshot(),
    )
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": used}}
    # Somebody has registered our snapshot under a name of his own: it is not ours to delete any more.
    image = cloud.ec2.register_image(Name="his", RootDeviceName="/dev/xvda", BlockDeviceMappings=[mapping])["ImageId"]

    api = Ec2Api(lab.client("ec2"))
    found = in_ec2.find_leftovers(api)
    assert {one.id for one in found} == {ours, unused}
    assert {(one.build_id, one.owner) for one in found} == {(build_id, owner)}
    assert {one.id: (one.size_gib, one.price) for one in found} == {ours: (1, "gp3"), unused: (1, "snapshot")}
    assert all(one.age_seconds is not None for one in found)
    assert in_ec2.find_leftovers(api, [os.urandom(8).hex()]) == []

    removals = remove_ec2(plan_ec2_removal(api, RemovalRequest(build_id, keep_images=True)))
    assert {one.resource_id for one in removals} == {ours, unused}
    there = {one["SnapshotId"] for one in cloud.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    assert {used, others} <= there
    assert cloud.ec2.describe_volumes(VolumeIds=[foreign])["Volumes"]

    cloud.ec2.deregister_image(ImageId=image)
    for one in (used, others):
        cloud.ec2.delete_snapshot(SnapshotId=one)
    cloud.ec2.delete_volume(VolumeId=foreign)


def test_what_is_kept_of_an_agent_that_is_gone_goes(tmp_path: Path) -> None:
    agents, records = tmp_path / "agents", str(tmp_path / "records")
    agents.mkdir()
    name = os.urandom(8).hex()
    for suffix in (".json", ".lock"):
        (agents / f"{name}{suffix}").write_text("{}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(agents / "web"))
        listener.listen()
        (found,) = sandboxes.find_agents(str(agents), records)
        assert (found.id, found.build_id, found.ended) == (name, name, True)
        for one in (name, "web"):
            sandboxes.forget_agent(one, str(agents), records)
    assert "web" in {path.name for path in agents.iterdir()}
    assert not any(path.name.startswith(name) for path in agents.iterdir())
