# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that wait for a snapshot each, at the same time: how often EC2 is asked, with and without the others."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.integration.project import CHECKOUT, Cloud
from tests.lab_fixture import RunningLab

PROCESSES = 26
SNAPSHOT_SECONDS = 180

WAIT = """
import sys
import boto3
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import await_completed

api = Ec2Api(boto3.client("ec2"), caller=sys.argv[2:] or None)
waiting = Waiting(timeout_seconds=600, delay_seconds=1)
assert await_completed(api, sys.argv[1], waiting).state == "completed"
"""


def calls_of_waits(cloud: Cloud, lab: RunningLab, volume_id: str, *caller: str) -> int:
    """How many calls were made until all snapshots were there."""
    lab.api.set(snapshot_seconds=SNAPSHOT_SECONDS)
    ids = [cloud.ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"] for _number in range(PROCESSES)]
    before = len(lab.api.calls())
    env = {**os.environ, **lab.env, "PYTHONPATH": str(CHECKOUT / ".collections")}
    words = [[sys.executable, "-c", WAIT, snapshot_id, *caller] for snapshot_id in ids]
    running = [subprocess.Popen(argv, env=env, cwd=CHECKOUT) for argv in words]
    assert [process.wait(600) for process in running] == [0] * PROCESSES
    calls = [call for call in lab.api.calls()[before:] if call["action"] == "DescribeSnapshots"]
    lab.api.reset()
    for snapshot_id in ids:
        cloud.ec2.delete_snapshot(SnapshotId=snapshot_id)
    return len(calls)


def test_those_who_wait_at_the_same_time_ask_together(cloud: Cloud, lab: RunningLab) -> None:
    with cloud.attached(size_gib=1) as volume:
        alone = calls_of_waits(cloud, lab, volume.volume_id)
        together = calls_of_waits(cloud, lab, volume.volume_id, "torture")
    waits = f"{PROCESSES} waits of {SNAPSHOT_SECONDS} s"
    print(f"{waits}: {alone} calls alone, {together} together: {alone / together:.1f} times")
    assert together < alone / 2
