# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds for Outscale in which each call goes wrong, in each way: one clear error or none, and nothing left behind."""

from __future__ import annotations

import typing as t

import pytest

from lab.config import OSC_VENDOR_ACCOUNT
from tests.integration.outscale import SOURCE, Outscale, outscale, source_omi
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


def write_image(project: Project, command: str, **more: t.Any) -> None:
    """A project whose one image builds from another account's, as long as nothing is broken."""
    source = {"filters": {"image-name": SOURCE}, "owners": [OSC_VENDOR_ACCOUNT]}
    usual = {"bake_provider": "outscale", "bake_image_name": "web", "bake_source": source, "bake_gather_facts": False}
    project.images(web={**usual, "bake_provision": [{"shell": command}], **more})


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
