# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build gets over what can be got over, all at once, and ends clearly where it cannot. "make torture" has each of
these faults alone, and pairs of them at random."""

from __future__ import annotations

import json
import os

import pytest

from tests.integration.faults import CHANGES, Fault, fatal, fault, play
from tests.integration.project import Cloud, Project
from tests.lab_fixture import RunningLab

SEED = int(os.environ.get("TORTURE_SEED") or 20)


def test_a_busy_account_that_loses_answers_gets_one_image(
    project: Project, cloud: Cloud, lab: RunningLab, source_ami: str
) -> None:
    every = [
        Fault("lost", tuple(spec for action in CHANGES for spec in fault(action, "error-after-work"))),
        Fault("throttled", fault("*", code="RequestLimitExceeded", rate=0.15, seed=SEED, times=0)),
        Fault("consistent-late", settings={"consistency_seconds": 2}),
        Fault("metadata-once", fault("InstanceMetadata", code="ServiceUnavailable")),
    ]
    manifest = project.folder / "web.json"
    ran = play(every, project, cloud, lab, source_ami, patience={"bake_manifest": str(manifest)})
    throttled = json.loads(manifest.read_text())["throttled_calls"]
    assert throttled > 0
    assert f"throttled {throttled} time" in " ".join(ran.output.split())


@pytest.mark.long
def test_a_snapshot_that_fails_on_its_way_is_reported_and_removed(
    project: Project, cloud: Cloud, lab: RunningLab, source_ami: str
) -> None:
    (broken,) = [one for one in fatal() if one.name == "snapshot-fails-at-80"]
    throttled = Fault("throttled", fault("*", code="RequestLimitExceeded", rate=0.15, seed=SEED, times=0))
    play([broken, throttled], project, cloud, lab, source_ami, patience={})
