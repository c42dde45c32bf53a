# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the lab's tests that need no devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.lab.osc import Osc


@pytest.fixture
def osc(tmp_path: Path) -> Osc:
    """An Outscale with nothing in it but VMs."""
    return Osc(tmp_path)
