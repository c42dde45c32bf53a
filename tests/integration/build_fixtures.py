# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for tests that build whole images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.project import Cloud, Project
from tests.integration.source_image import RESOLV_CONF, SOURCE, register_source
from tests.lab_fixture import RunningLab


@pytest.fixture(scope="session")
def _source_ami(session_lab: RunningLab, debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An AMI with a real Debian in it, made without the collection."""
    cloud = Cloud(session_lab.client("ec2"), session_lab.dir)
    return register_source(cloud, debian_tarball, tmp_path_factory.mktemp("source"))


@pytest.fixture
def source_ami(_source_ami: str) -> str:
    """The id of an AMI with a Debian (1 GiB, GPT, ext4), named SOURCE."""
    return _source_ami


@pytest.fixture
def cloud(lab: RunningLab) -> Iterator[Cloud]:
    """The lab's EC2; nothing may be left in it when the test ends."""
    cloud = Cloud(lab.client("ec2"), lab.dir)
    yield cloud
    lab.api.reset()
    for image in cloud.ec2.describe_images(Owners=["self"], Filters=[{"Name": "tag-key", "Values": ["bakehouse:*"]}])[
        "Images"
    ]:
        cloud.forget(image["Name"])  # a test that went wrong must not spoil the next one
    left = cloud.leftovers()
    assert left == [], f"the build left {left}"


@pytest.fixture
def project(lab: RunningLab, tmp_path: Path) -> Project:
    """An empty project folder, with the lab's settings."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder, lab.env)


__all__ = ("RESOLV_CONF", "SOURCE", "_source_ami", "cloud", "project", "source_ami")
