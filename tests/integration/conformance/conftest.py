# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One image, reached in every way there is: each test here holds on the controller and over SSH."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.plays import CHROOT, Playbooks
from tests.integration.roots import connect, opened, unpack
from tests.integration.ssh_host import SshHost

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.connection.chroot import Connection

# A user as packages make them: locked, without a shell and a home directory.
APP = "useradd --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app"


@pytest.fixture(scope="package")
def root(systemd_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian with systemd and cron, without sudo and ACL tools."""
    return unpack(systemd_tarball, tmp_path_factory.mktemp("conformance") / "root")


@pytest.fixture(scope="package")
def sandbox(root: Path) -> Iterator[str]:
    """The name of the sandbox that is open on it, with a user app."""
    with opened(root) as record:
        rc, _out, err = connect(ansible_chroot_sandbox=record.name).exec_command(APP)
        assert rc == 0, err
        yield record.name


@pytest.fixture(scope="package", params=["local", "ssh"])
def way(request: pytest.FixtureRequest) -> dict[str, t.Any]:
    """How the build host is reached: host variables of the image."""
    if request.param == "local":
        return {}
    host: SshHost = request.getfixturevalue("ssh_host")
    return {"ansible_chroot_build_host": host.build_host}


@pytest.fixture
def image(sandbox: str, way: dict[str, t.Any]) -> dict[str, t.Any]:
    """The variables of an inventory host that is the image, once for each way."""
    return {"ansible_connection": CHROOT, "ansible_chroot_sandbox": sandbox, "ansible_remote_tmp": "/tmp", **way}


@pytest.fixture
def local_image(sandbox: str) -> dict[str, t.Any]:
    """The same for the one way, for what happens in the image alone; with no other settings."""
    return {"ansible_connection": CHROOT, "ansible_chroot_sandbox": sandbox}


@pytest.fixture
def connection(image: dict[str, t.Any]) -> Connection:
    """A connection to it, as a task gets it."""
    return connect(**image)


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    """Runs plays."""
    return Playbooks(tmp_path)
