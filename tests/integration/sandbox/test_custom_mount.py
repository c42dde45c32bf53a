# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root that the user's own commands mount and unmount: it is adopted, and nothing of it stays mounted."""

from __future__ import annotations

import os
import signal
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import is_busy
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, CommandFailed
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import custom_mount, leftovers, state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.mounts import mounts_below

from tests.integration.disks import Disk, mounted
from tests.integration.sandbox.sandboxes import Host, nothing_is_left, said
from tests.waiting import eventually

# Notes its words, and mounts the image's root, given as the last but one, at the last.
MOUNT = """#!/bin/sh
echo "mount $*" >> LOG
while [ $# -gt 2 ]; do shift; done
mount "$1" "$2"
mount "${1%3}2" "$2/boot"
"""
# Fails twice: something was just looking at the new mount.
UNMOUNT = """#!/bin/sh
echo "unmount $*" >> LOG
[ "$(grep -c '^unmount' LOG)" -gt 2 ] || { echo "target is busy" >&2; exit 32; }
umount --recursive "$1"
"""


def is_clean(host: Host) -> bool:
    """Whether nothing is mounted for this host's sandboxes, and no place for it is left."""
    folder = Path(host.state_dir).parent / "mounts"
    return mounts_below(str(folder)) == [] and (not folder.exists() or list(folder.iterdir()) == [])


def script(path: Path, text: str, log: Path) -> str:
    path.write_text(text.replace("LOG", str(log)))
    path.chmod(0o755)
    return str(path)


def test_the_sandbox_adopts_what_the_command_mounts_and_has_it_unmounted(
    host: Host, ext4_disk: Disk, tmp_path: Path, scratch: Path
) -> None:
    log = tmp_path / "log"
    mount, unmount = script(tmp_path / "my mount", MOUNT, log), script(tmp_path / "unmount", UNMOUNT, log)
    request: dict[str, t.Any] = {
        "mount_command": f"'{mount}' --verbose",
        "unmount_command": unmount,
        "mount_options": ("noatime",),
    }
    record = host.open(device=ext4_disk.path, **request)
    place = custom_mount.mount_point("test", host.state_dir)
    assert log.read_text() == f"mount --verbose -o noatime {ext4_disk.partition(3)} {place}\n"
    assert (record.partition, record.os_release["ID"]) == (3, "debian")
    assert stat.S_IMODE(os.stat(Path(place).parents[1]).st_mode) == 0o700, "nobody else has business in the image"
    said(record, "echo kept > /boot/custom; test -b /dev/" + os.path.basename(ext4_disk.path))

    report = host.close()
    assert report.problems == ()
    assert log.read_text().splitlines()[1:] == [f"unmount {place}"] * 3, "a busy one is tried again"
    assert is_clean(host)
    assert not is_busy(ext4_disk.path)
    with mounted(scratch / "look", (ext4_disk.partition(2), "/", "")) as boot:
        assert (boot / "custom").read_text() == "kept\n"
        (boot / "custom").unlink()


@pytest.mark.parametrize(
    ("commands", "error", "said_of_it"),
    [
        ({"mount_command": "echo no such pool >&2; false"}, CommandFailed, "no such pool"),
        ({"mount_command": "true"}, BuildError, "mount_command ended well, and nothing is mounted"),
        ({"mount_command": 'mount -t tmpfs none "$2" #'}, BuildError, "."),
    ],
)
def test_after_a_failure_nothing_is_mounted(
    host: Host, ext4_disk: Disk, commands: dict[str, str], error: type[BuildError], said_of_it: str
) -> None:
    with pytest.raises(error, match=said_of_it):
        host.open(device=ext4_disk.path, **commands)
    assert is_clean(host)
    assert nothing_is_left(host)


def test_one_that_does_not_let_go_is_said_and_can_be_tried_again(
    host: Host, ext4_disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom_mount, "BUSY_SECONDS", 0)
    unmount = script(tmp_path / "unmount", '#!/bin/sh\nexec umount -R "$1"\n', tmp_path / "log")
    host.open(device=ext4_disk.path, partition=3, unmount_command=unmount)
    os.rename(unmount, unmount + ".away")
    first = host.close()
    assert unmount in first.problems[0]
    os.rename(unmount + ".away", unmount)
    assert host.close().changed
    assert is_clean(host)
    assert not host.close().changed


def test_what_a_killed_opening_has_mounted_is_found_and_removed(host: Host, ext4_disk: Disk) -> None:
    record = host.open("first", device=ext4_disk.path, mount_command="mount")
    os.kill(record.pid, signal.SIGKILL)
    eventually(lambda: not state.is_alive(record))
    assert host.close("first").problems == ()
    assert is_clean(host)

    Path(host.state_dir).mkdir(exist_ok=True)
    custom = custom_mount.CustomMount("mount", "umount", ext4_disk.partition(3))
    custom_mount.make(custom, "3f9c0a71d2b84e65", host.state_dir)
    (found,) = leftovers.find_sandboxes(host.state_dir)
    assert (found.type, found.id, found.build_id, found.ended) == ("sandbox", "3f9c0a71d2b84e65", found.id, True)
    leftovers.close(found.id, host.runner, host.state_dir)
    assert is_clean(host)
    assert leftovers.find_sandboxes(host.state_dir) == []
