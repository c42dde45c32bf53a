# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the lab's own tests."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from tests.lab.resources import Resources
from tests.lab_fixture import RunningLab, _session_lab, lab


@pytest.fixture
def made(lab: RunningLab) -> Iterator[Resources]:
    """Makes volumes, snapshots and images, and removes them after the test."""
    resources = Resources(lab)
    yield resources
    lab.api.reset()
    resources.remove()


@pytest.fixture
def ec2(lab: RunningLab) -> t.Any:
    """A boto3 client of EC2 on the lab."""
    return lab.client("ec2")


__all__ = ("_session_lab", "ec2", "lab", "made")
