# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests with real devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disks import loop_device
from tests.integration.build_fixtures import _source_ami, cloud, project, source_ami
from tests.integration.regions import world
from tests.integration.registry import locked_registry, registry
from tests.integration.source_image import debian_root
from tests.integration.ssh_host import ssh_host, ssh_password_host
from tests.lab_fixture import _session_lab, lab
from tests.leftovers import _nothing_left


@pytest.fixture(scope="session")
def debian_tarball() -> Path:
    """A minimal Debian root file system with the Python that modules need, made once and kept until "make clean"."""
    return debian_root()


@pytest.fixture(scope="session")
def systemd_tarball() -> Path:
    """The same with systemd, cron, what sets kernel parameters and modules, and what the module pip needs."""
    system = ("systemd-sysv", "cron", "procps", "kmod", "tzdata")
    return debian_root("bookworm-system", (*system, "python3-venv", "python3-setuptools"))


__all__ = (
    "_nothing_left",
    "_session_lab",
    "_source_ami",
    "cloud",
    "debian_tarball",
    "lab",
    "locked_registry",
    "loop_device",
    "project",
    "registry",
    "source_ami",
    "ssh_host",
    "ssh_password_host",
    "systemd_tarball",
    "world",
)
