# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A system of RPM packages from nothing, from a repository with real packages; and what is refused."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.dnf import Dnf
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import request_from_params
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.rootfs import make_root
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

from tests.integration.disks import Disk, loop_disk, mounted, run
from tests.integration.project import Project, host_state
from tests.integration.rpm_repository import DATABASE, Repository, make_repository

WHOLE_DISK = {"table": "none", "partitions": [{"filesystem": "ext4", "mount_point": "/"}]}

# All that "tiny-release", "rpm", the group "core" and an ext4 disk need, and nothing that is only recommended.
INSTALLED = ["busybox", "e2fsprogs", "filesystem", "gpg-pubkey", "grouped", "rpm", "tiny-release"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The packages, signed and not."""
    return make_repository(tmp_path_factory.mktemp("rpm"))


def test_an_image_of_rpm_packages_goes_on_with_its_own_rpm(repository: Repository, tmp_path: Path) -> None:
    scratch = {
        "method": "dnf",
        "suite": 1,
        "repositories": [{"name": "tiny", "baseurl": str(repository.signed), "gpgkey": str(repository.key)}],
        "packages": ["rpm", "tiny-release"],
        "groups": ["core"],
        "layout": WHOLE_DISK,
        "boot_loader": False,
    }
    # By its whole path: BusyBox's shell has an rpm in itself.
    inside = "/usr/bin/rpm --query --all --queryformat '%{NAME}\\n' | sort > /inside && /usr/bin/rpm --erase grouped"
    project = Project(tmp_path, {})
    project.images(
        tiny={
            "bake_provider": "local",
            "bake_image_name": "tiny",
            "bake_disk_size": "64MiB",
            "bake_gather_facts": False,
            "bake_source": {"scratch": scratch},
            "bake_provision": [{"actions": [{"type": "run-command", "op": {"Cmd": inside}}]}],
        }
    )
    before = host_state()
    ran = project.build()
    assert ran.rc == 0, ran
    assert host_state() == before
    assert "scriptlet" not in ran.output
    with (
        loop_disk(tmp_path / "copy", copy_of=tmp_path / "images/tiny.raw") as disk,
        mounted(tmp_path / "root", (disk.path, "/", "ro")) as root,
    ):
        assert (root / "inside").read_text().split() == INSTALLED
        assert (root / "var/post").read_text() == "/root\n", "what a scriptlet has left, which saw a usual system"
        assert (root / DATABASE.lstrip("/") / "rpmdb.sqlite").exists()
        assert (root / "etc/machine-id").read_bytes() == b""
        assert "UUID=" in (root / "etc/fstab").read_text()
        assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
        left = [root / name for name in ("var/cache/dnf", "var/log/dnf.log", "root/.rpmdb", "etc/yum.repos.d")]
        assert [path for path in left if path.exists()] == []
        assert os.listdir(root / "dev") == os.listdir(root / "run") == os.listdir(root / "proc") == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """An empty file system of 48 MiB."""
    with loop_disk(tmp_path / "disk.raw", 48) as made:
        run("mkfs.ext4", "-q", made.path)
        yield made


REFUSED: list[tuple[dict[str, t.Any], dict[str, t.Any], list[str]]] = [
    ({"baseurl": "unsigned"}, {}, ["is not signed", "check both"]),
    ({"gpgkey": "other_key"}, {}, ["Public key for", "is not installed", "check both"]),
    ({}, {"packages": ["tiny-relaese"]}, ["tiny-relaese", "Check the names"]),
    ({}, {"groups": ["cor"]}, ["Module or Group 'cor' is not available", "Check the names"]),
    ({}, {"packages": ["busybox"]}, ["has no os-release", "system-release"]),
]


@pytest.mark.parametrize(("source", "wanted", "said"), REFUSED, ids=["unsigned", "stranger", "package", "group", "os"])
def test_what_is_refused_is_told_with_what_to_do(
    disk: Disk, repository: Repository, source: dict[str, str], wanted: dict[str, t.Any], said: list[str]
) -> None:
    params = {
        "mounts": [{"device": disk.path, "mount_point": "/", "filesystem": "ext4"}],
        "method": "dnf",
        "suite": "1",
        "repositories": [
            {
                "name": "tiny",
                "baseurl": [str(getattr(repository, source.get("baseurl", "signed")))],
                "gpgkey": [str(getattr(repository, source.get("gpgkey", "key")))],
            }
        ],
        "packages": ["tiny-release"],
        **dict.fromkeys(("architecture", "components", "keyring", "mirrors", "variant")),
        "wait_timeout": 600,
        **wanted,
    }
    with pytest.raises(BuildError) as raised:
        make_root(LocalRunner(), request_from_params(params), Dnf(), check_mode=False)
    for words in said:
        assert words in str(raised.value)
