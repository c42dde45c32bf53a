# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds for Outscale in which each call goes wrong, in each way: one clear error or none, and nothing left behind."""

from __future__ import annotations

import typing as t

import pytest

from tests.integration.killing import sweep
from tests.integration.outscale import Outscale, outscale, source_omi, write_image
from tests.integration.project import Project, host_state
from tests.lab_fixture import RunningLab

__all__ = ("outscale", "source_omi")

SURVIVED, FAILED = True, False
# The call, what happens to it, and how the build ends.
FAULTS: list[tuple[str, str, dict[str, t.Any], bool]] = [
    *(
        (action, "error", {"code": "RequestLimitExceeded", "times": 2}, SURVIVED)
        for action in ("ReadVms", "CreateVolume")
    ),
    *(
        (action, "error", {"code": "RequestLimitExceeded", "times": 2}, SURVIVED)
        for action in ("CreateImage", "DeleteVolume")
    ),
    *(
        (action, "disconnect", {}, SURVIVED)
        for action in ("CreateVolume", "CreateSnapshot", "CreateImage", "LinkVolume")
    ),
    *((action, "error-after-work", {}, SURVIVED) for action in ("CreateVolume", "CreateSnapshot", "UnlinkVolume")),
    *((action, "error-after-work", {}, SURVIVED) for action in ("CreateImage", "CreateTags")),
    *(
        (action, "error", {"code": "UnauthorizedOperation"}, FAILED)
        for action in ("ReadVms", "CreateVolume", "LinkVolume")
    ),
    *((action, "error", {"code": "UnauthorizedOperation"}, FAILED) for action in ("CreateTags", "CreateSnapshot")),
    *((action, "error", {"code": "UnauthorizedOperation"}, FAILED) for action in ("CreateImage", "ReadImages")),
    *((action, "fail", {}, FAILED) for action in ("CreateVolume", "CreateSnapshot", "CreateImage", "LinkVolume")),
]


@pytest.mark.parametrize(
    ("action", "effect", "values", "ends"),
    FAULTS,
    ids=[f"{one[0]}-{one[1]}-{one[2].get('code', '')}" for one in FAULTS],
)
@pytest.mark.usefixtures("source_omi")
def test_whatever_goes_wrong_nothing_is_left(
    project: Project,
    outscale: Outscale,
    lab: RunningLab,
    action: str,
    effect: str,
    values: dict[str, t.Any],
    ends: bool,
) -> None:
    write_image(
        project, "echo done > /etc/done", bake_wait_timeout=20, bake_snapshot_timeout=20, bake_device_timeout=10
    )
    before = host_state()
    lab.api.fault(action, effect, **values)
    ran = project.build()
    assert (ran.rc == 0) is ends, ran
    assert "Traceback" not in ran.output, ran
    assert outscale.leftovers() == []
    assert host_state() == before
    assert (outscale.image("web") is not None) is ends


# What stays as it is: what the error says, and whether there is something that cannot be removed before that is over.
STUCK = [
    ("CreateVolume", "creating", True),
    ("LinkVolume", "attaching", False),
    ("UnlinkVolume", "detaching", True),
    ("CreateSnapshot", "is still", False),
    ("CreateImage", "is still", False),
]


@pytest.mark.parametrize(("action", "says", "stays"), STUCK, ids=[one[0] for one in STUCK])
@pytest.mark.usefixtures("source_omi")
def test_what_is_stuck_is_given_up_and_named_and_a_sweep_removes_it(
    project: Project, outscale: Outscale, lab: RunningLab, action: str, says: str, stays: bool
) -> None:
    write_image(
        project, "echo done > /etc/done", bake_wait_timeout=15, bake_snapshot_timeout=15, bake_device_timeout=10
    )
    lab.api.fault(action, "stuck", times=0)
    ran = project.build()
    lab.api.reset()
    lab.api.release()
    assert ran.rc != 0, ran
    assert says in ran.output, ran
    assert "Traceback" not in ran.output, ran
    if outscale.leftovers():
        assert stays, outscale.leftovers()
        assert "Not cleaned up: " in ran.output, ran
        swept = sweep(project)
        assert swept.rc == 0, swept
    assert outscale.leftovers() == []
    assert outscale.image("web") is None
