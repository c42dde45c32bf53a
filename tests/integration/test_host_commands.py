# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of the build host that run where a file system is mounted for them alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.action.host_commands import FAILED, mounted

from tests.disks import MIB, MakeDevice, run


@pytest.fixture
def filesystem(loop_device: MakeDevice) -> str:
    """A device with an empty file system."""
    device = loop_device(64 * MIB).path
    run("mkfs.ext4", "-q", device)
    return device


def test_they_fill_a_file_system_that_nobody_else_sees(filesystem: str, tmp_path: Path) -> None:
    place = tmp_path / "root"
    # What is left running, or mounted below, must not keep the file system busy.
    commands = [
        f"mkdir {place}/etc && echo one > {place}/etc/one",
        f"mkdir {place}/inner && mount -t tmpfs tmpfs {place}/inner",
        f"sh -c 'cd {place}; exec sleep 4711.{os.getpid()}' >/dev/null 2>&1 &",
        f"test -d {place}/inner",
    ]
    done = subprocess.run(["sh", "-c", mounted(commands, filesystem, str(place), ["noatime"])], check=False)
    assert done.returncode == 0
    assert str(place) not in Path("/proc/self/mountinfo").read_text()
    assert not place.exists()
    place.mkdir()
    run("mount", "-o", "ro", filesystem, str(place))
    try:
        assert (place / "etc/one").read_text() == "one\n"
    finally:
        run("umount", str(place))


def test_the_one_that_failed_is_named(filesystem: str, tmp_path: Path) -> None:
    text = mounted(["true", "echo no >&2; exit 7", "echo never"], filesystem, str(tmp_path / "root"), [])
    done = subprocess.run(["sh", "-c", text], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (7, "")
    marked = FAILED.search(done.stderr)
    assert marked is not None
    assert (marked[1], FAILED.sub("", done.stderr)) == ("2", "no\n")
    assert not (tmp_path / "root").exists()


def test_what_cannot_be_mounted_runs_nothing(tmp_path: Path) -> None:
    text = mounted(["echo never"], str(tmp_path / "nothing"), str(tmp_path / "root"), [])
    done = subprocess.run(["sh", "-c", text], check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stdout == ""
    assert not (tmp_path / "root").exists()
