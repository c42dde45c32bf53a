# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the long tests."""

from __future__ import annotations

from tests.integration.build_fixtures import _source_ami, cloud, project, source_ami
from tests.integration.conftest import debian_tarball
from tests.integration.sandbox.conftest import host, scratch, xfs_disk
from tests.lab_fixture import _session_lab, lab
from tests.leftovers import _nothing_left

__all__ = (
    "_nothing_left",
    "_session_lab",
    "_source_ami",
    "cloud",
    "debian_tarball",
    "host",
    "lab",
    "project",
    "scratch",
    "source_ami",
    "xfs_disk",
)
