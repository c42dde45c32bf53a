# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds killed where each step begins, and at random moments: after a sweep nothing is left, after another build there
is one image. "make torture" runs this, and takes an hour; C(TORTURE_SEED) repeats a run."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.killing import SIDES, STEPS, Matrix, Moment, moments
from tests.integration.matrices import ec2_matrix, local_matrix, outscale_matrix
from tests.integration.outscale import Outscale, outscale, source_omi
from tests.integration.project import Cloud, Project

__all__ = ("outscale", "source_omi")

SEED = int(os.environ.get("TORTURE_SEED") or random.randrange(2**32))
RANDOM_MOMENTS = int(os.environ.get("TORTURE_MOMENTS") or 20)

EVERY_STEP = [Moment(step, side) for step in STEPS for side in SIDES]


@pytest.fixture(params=["ec2", "local"])
def matrix(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Matrix]:
    """An image of each provider."""
    print(f"TORTURE_SEED={SEED}")
    if request.param == "local":
        yield local_matrix(tmp_path, request.getfixturevalue("debian_tarball"))
        return
    project: Project = request.getfixturevalue("project")
    cloud: Cloud = request.getfixturevalue("cloud")
    yield ec2_matrix(project, cloud, request.getfixturevalue("source_ami"))
    cloud.forget("web")


@pytest.mark.parametrize("moment", EVERY_STEP, ids=lambda it: f"{it.step}-{it.side}")
def test_killed_where_a_step_begins(matrix: Matrix, moment: Moment) -> None:
    matrix.play(moment)


# Where something is made that Outscale tags only afterwards.
OUTSCALE_STEPS = ("volume.yml", "provision.yml", "snapshot.yml", "register.yml")


@pytest.mark.parametrize("side", ["controller", "both"])
@pytest.mark.parametrize("step", OUTSCALE_STEPS)
@pytest.mark.usefixtures("source_omi")
def test_a_build_for_outscale_is_killed(project: Project, outscale: Outscale, step: str, side: str) -> None:
    outscale_matrix(project, outscale).play(Moment(step, side))
    outscale.forget("web")


@pytest.mark.parametrize("number", range(RANDOM_MOMENTS))
def test_killed_at_random(matrix: Matrix, number: int) -> None:
    moment = moments(SEED, RANDOM_MOMENTS)[number]
    print(moment)
    matrix.play(moment)
