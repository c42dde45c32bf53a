# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each thing that goes wrong in EC2 and on the build host alone, and pairs of them at random: the build ends as it
should, and nothing is left. C(TORTURE_SEED) repeats the pairs, C(TORTURE_PAIRS) says how many."""

from __future__ import annotations

import os
import random

import pytest

from tests.integration.faults import Fault, fatal, pairs, play, survived
from tests.integration.project import Cloud, Project
from tests.lab_fixture import RunningLab

SEED = int(os.environ.get("TORTURE_SEED") or random.randrange(2**32))
PAIRS = int(os.environ.get("TORTURE_PAIRS") or 20)


@pytest.mark.parametrize("fault", [*survived(SEED), *fatal()], ids=lambda fault: fault.name)
def test_a_fault_alone(project: Project, cloud: Cloud, lab: RunningLab, source_ami: str, fault: Fault) -> None:
    print(f"TORTURE_SEED={SEED}")
    play([fault], project, cloud, lab, source_ami)


# Parameters by number: their names depend on the seed.
@pytest.mark.parametrize("number", range(PAIRS))
def test_two_faults_together(project: Project, cloud: Cloud, lab: RunningLab, source_ami: str, number: int) -> None:
    pair = pairs(SEED, PAIRS)[number]
    print(f"TORTURE_SEED={SEED}: {pair[0].name} and {pair[1].name}")
    play(pair, project, cloud, lab, source_ami)
