# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build that is killed leaves nothing: the janitor sees to it, or a sweep. "make torture" has many more moments."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from tests.integration.killing import Moment, command_lines, start_build, sweep
from tests.integration.matrices import ec2_matrix, local_matrix
from tests.integration.project import Cloud, Project, host_state
from tests.lab_fixture import RunningLab
from tests.waiting import eventually

# Looked for among all processes of this machine: no other test run has the same.
PREPARING = f"sleep 6001.{os.getpid()}"
PROVISIONING = f"sleep 6002.{os.getpid()}"


def test_of_a_run_that_is_killed_the_janitor_removes_everything(
    project: Project, cloud: Cloud, lab: RunningLab, source_ami: str
) -> None:
    before = host_state()
    # Only the images know where AWS is: what is not called as they say is not called at all.
    access = {"endpoint_url": lab.env["AWS_ENDPOINT_URL"], "access_key": "AKIATHEIMAGES", "secret_key": "s3cret"}
    project.env = {name: value for name, value in lab.env.items() if name != "AWS_ENDPOINT_URL"}
    shared: dict[str, t.Any] = {"bake_source": source_ami, "bake_gather_facts": False, "bake_aws_access": access}
    manifest = project.folder / "provisioning.json"
    project.images(
        preparing={**shared, "bake_image_name": "preparing", "bake_pre_mount_commands": [PREPARING]},
        provisioning={
            **shared,
            "bake_image_name": "provisioning",
            "bake_provision": [{"shell": PROVISIONING}],
            "bake_manifest": str(manifest),
        },
    )
    with start_build(project) as build:
        build.wait_for_command(PREPARING)
        build.wait_for_command(PROVISIONING)
        spared = sweep(project, sweep_build_ids=sorted(_build_ids(cloud)), sweep_unknown_older_than_hours=0)
        assert spared.rc == 0, spared
        assert spared.output.count("its build is alive: process") == 2
        eventually(lambda: {PREPARING, PROVISIONING} <= set(command_lines()))  # by these names they are missed below
        build.end()
    report = json.loads((project.folder / "provisioning.json.cancelled").read_text())
    assert sorted(one["type"] for one in report["removed"]) == ["sandbox", "volume", "volume"]
    assert (report["image_name"], report["left"]) == ("provisioning", [])
    told = [manifest, build.log, *(project.folder / ".ansible/bakehouse").glob("*.log")]
    assert [path.name for path in told if "s3cret" in path.read_text()] == []
    known = json.loads(manifest.read_text())
    assert (known["status"], known["last_step"], known["build_id"]) == ("building", "sandbox", report["build_id"])
    assert known["volume"]["volume_id"] in {one["id"] for one in report["removed"]}
    assert cloud.leftovers() == []
    assert host_state() == before
    # The kernel takes its time with what was killed.
    eventually(lambda: not any(line in (PREPARING, PROVISIONING) for line in command_lines()))


def _build_ids(cloud: Cloud) -> set[str]:
    volumes = cloud.ec2.describe_volumes(Filters=[{"Name": "tag-key", "Values": ["bakehouse:build-id"]}])["Volumes"]
    return {tag["Value"] for one in volumes for tag in one["Tags"] if tag["Key"] == "bakehouse:build-id"}


def test_after_a_kill_that_met_the_janitor_too_a_sweep_removes_everything(tmp_path: Path, debian_tarball: Path) -> None:
    matrix = local_matrix(tmp_path, debian_tarball)
    matrix.play(Moment("seal.yml", "both"))


def test_a_build_goes_on_from_the_snapshot_of_one_that_was_killed(
    project: Project, cloud: Cloud, lab: RunningLab, source_ami: str
) -> None:
    ec2_matrix(project, cloud, source_ami)
    lab.api.fault("CreateSnapshot", "stuck")
    with start_build(project) as build:
        build.wait_until(lambda: bool(lab.api.calls("CreateSnapshot")))
        build.kill("both")
    lab.api.reset()
    lab.api.release()
    ran = project.build()
    assert ran.rc == 0, ran
    assert "Goes on from the snapshot snap-" in ran.output
    assert [lab.api.calls(action) for action in ("CreateVolume", "CreateSnapshot")] == [[], []]
    assert cloud.image("web") is not None
    assert cloud.leftovers() == []
    cloud.forget("web")
