# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot be opened, and leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
)

from tests.integration.disks import Disk, mounted
from tests.integration.sandbox.sandboxes import Host, look_at, nothing_is_left


def test_no_shell(host: Host, tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/os-release").write_text("ID=tiny\n")
    with pytest.raises(NotFound, match=r"has no /bin/sh, so nothing can be run in it"):
        host.open(root=str(tmp_path / "root"))
    assert nothing_is_left(host)


def test_no_root_file_system(host: Host, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/vmlinuz").touch()
    with pytest.raises(NotFound, match=r"does not look like a root file system.*only vmlinuz"):
        host.open(root=str(tmp_path / "root"))
    assert nothing_is_left(host)


def test_another_architecture(host: Host, tmp_path: Path) -> None:
    shell = tmp_path / "root/bin/sh"
    shell.parent.mkdir(parents=True)
    # An ELF head for IBM's S/390, big endian.
    shell.write_bytes(b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(44))
    with pytest.raises(Refused, match=rf"made for s390x, and this build host is {os.uname().machine}"):
        host.open(root=str(tmp_path / "root"))
    assert nothing_is_left(host)


def test_a_device_that_is_mounted_elsewhere(host: Host, xfs_disk: Disk, scratch: Path) -> None:
    with mounted(scratch / "elsewhere", (xfs_disk.path, "/", "")), pytest.raises(Busy, match="is in use"):
        host.open(device=xfs_disk.path)
    assert nothing_is_left(host)


def test_a_name_or_a_root_that_is_taken(host: Host, tree: Path, tmp_path: Path) -> None:
    host.open(root=str(tree))
    with pytest.raises(Conflict, match=r"The sandbox test is open on .*tree, not on "):
        host.open(root=str(tmp_path))
    with pytest.raises(Conflict, match=r"is already the root of the open sandbox test"):
        host.open("other", root=str(tree))


def test_a_mount_that_fails_leaves_nothing(host: Host, tree: Path) -> None:
    before = look_at(tree / "etc/resolv.conf")
    with pytest.raises(BuildError, match=r"Cannot mount x on /mnt as nosuchfs: No such device"):
        host.open(root=str(tree), chroot_mounts=(("nosuchfs", "x", "/mnt"),))
    assert nothing_is_left(host)
    assert look_at(tree / "etc/resolv.conf") == before


def test_all_mistakes_are_told_together(host: Host) -> None:
    with pytest.raises(Invalid) as caught:
        host.open(chroot_mounts=(("proc", "proc"),), dev="some")
    assert len(caught.value.problems) == 3
    with pytest.raises(Refused, match="own root directory"):
        host.open(root="/")
