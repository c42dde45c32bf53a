# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the sandbox's unit tests."""

from __future__ import annotations

import os
import signal
import typing as t
from pathlib import Path

import pytest

from tests.unit.plugins.module_utils._sandbox.agent_process import Client, start


@pytest.fixture
def agent(tmp_path: Path) -> t.Iterator[Client]:
    client = start(tmp_path)
    yield client
    if client.lives():
        os.kill(client.running.pid, signal.SIGKILL)
