# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build that is interrupted is cleaned up all the same."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.integration.killing import STEPS, start_build, sweep
from tests.integration.matrices import flaky_build_host
from tests.integration.project import Cloud, Project, host_state
from tests.waiting import eventually

# Looked for among all processes of this machine: no other test run has the same.
SLEEP = f"sleep 600.{os.getpid()}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_is_cleaned_up(project: Project, cloud: Cloud, source_ami: str, number: int) -> None:
    before = host_state()
    manifest = project.folder / "web.json"
    project.images(
        web={
            "bake_image_name": "web",
            "bake_source": source_ami,
            "bake_provision": [{"shell": SLEEP}],
            "bake_manifest": str(manifest),
        }
    )
    with start_build(project) as build:
        build.wait_for_command(SLEEP)
        build.end(number)
    report = project.folder / "web.json.cancelled"
    eventually(report.exists, seconds=300)
    eventually(lambda: not build.janitors(), seconds=60)
    said = json.loads(report.read_text())
    print((project.folder / ".ansible/bakehouse/janitor.log").read_text())
    assert sorted(one["type"] for one in said["removed"]) == ["sandbox", "volume"]
    assert said["left"] == []
    assert cloud.leftovers() == []
    assert host_state() == before


def test_a_play_of_ones_own_that_ends_in_the_middle_is_cleaned_up(
    project: Project, cloud: Cloud, source_ami: str
) -> None:
    """A task file whose name is only known when it runs cannot be read beforehand."""
    project.write("sly.yml", [{"ansible.builtin.meta": "end_play"}])
    project.write("own.yml", [{"hosts": "web", "gather_facts": False, "roles": ["bakehouse.images.bake"]}])
    steps = [{"tasks": "{{ inventory_dir }}/sly.yml"}]
    project.images(web={"bake_image_name": "web", "bake_source": source_ami, "bake_provision": steps})
    with start_build(project, playbook="own.yml") as build:
        build.process.wait(600)
        eventually(lambda: not build.janitors(), seconds=300)
    said = (project.folder / ".ansible/bakehouse/janitor.log").read_text()
    assert "has ended in the middle of: web (" in said
    assert cloud.leftovers() == []


@pytest.mark.parametrize("step", STEPS)
def test_a_build_host_that_goes_away_at_any_step_leaves_what_a_sweep_removes(
    project: Project, cloud: Cloud, source_ami: str, step: str
) -> None:
    gone = flaky_build_host(project, source_ami)
    with start_build(project) as build:
        build.wait_for_step(step)
        gone.touch()
        build.process.wait(600)
        # Late steps need no build host any more.
        assert (build.process.returncode == 0) is (cloud.image("web") is not None)
    gone.unlink()
    swept = sweep(project)
    assert swept.rc == 0, swept
    assert cloud.leftovers() == []
    assert project.build().rc == 0
    assert cloud.image("web") is not None
    assert cloud.leftovers() == []
    cloud.forget("web")
