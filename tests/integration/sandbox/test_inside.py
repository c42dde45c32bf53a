# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What programs in a sandbox are told, and the mounts they see."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import enter_argv

from tests.integration.sandbox.sandboxes import Host, enter, said


def test_the_sandbox_looks_like_a_chroot_with_the_images_own_service_manager(host: Host, tree: Path) -> None:
    record = host.open(root=str(tree))
    assert said(record, "cat /proc/1/comm; test / -ef /proc/1/root || echo other; echo $SYSTEMD_OFFLINE").split() == [
        "init",
        "other",
        "1",
    ]
    assert said(record, "cat /etc/hostname; hostname; stat -c %a /tmp /dev/shm /run").split() == [
        *("image", "image"),
        *("1777", "1777", "755"),
    ]
    assert said(record, "python3 -c 'import pty, os; pty.openpty(); os.urandom(1); print(os.listdir(\"/dev/pts\"))'")


def test_users_of_the_image_are_entered_with_their_groups(host: Host, tree: Path) -> None:
    record = host.open(root=str(tree))
    said(record, "groupadd --system extra; usermod --append --groups extra www-data")
    assert said(record, "id; echo $HOME; pwd", user="www-data", cwd="/var/tmp").splitlines() == [
        said(record, "id www-data"),
        "/var/www",
        "/var/tmp",
    ]
    assert enter(record, "exit 42", user="nobody").returncode == 42
    argv = enter_argv(record, ["nosuchcommand"], user="nobody")
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 127
    assert enter(record, "kill -TERM $$", user="nobody").returncode == -signal.SIGTERM
    unknown = enter(record, "true", user="nosuchuser")
    assert (unknown.returncode, unknown.stderr) == (1, "The image has no user nosuchuser.\n")
    assert said(record, "grep CapBnd /proc/self/status", user="root").split()[1] != "000001ffffffffff"


def test_the_service_blocker_answers_and_is_gone_afterwards(host: Host, tree: Path) -> None:
    own = tree / "usr/sbin/policy-rc.d"
    record = host.open(root=str(tree))
    assert enter(record, "policy-rc.d; echo $?").stdout == "101\n"
    host.close()
    assert not own.is_symlink()
    own.write_text("#!/bin/sh\nexit 0\n")
    own.chmod(0o700)
    inode = own.stat().st_ino
    record = host.open(root=str(tree))
    assert enter(record, "policy-rc.d; echo $?").stdout == "101\n"
    host.close()
    assert (own.read_text(), own.stat().st_ino, own.stat().st_mode & 0o777) == ("#!/bin/sh\nexit 0\n", inode, 0o700)
    own.unlink()


def test_an_absolute_link_in_the_image_leads_nowhere_outside(host: Host, tree: Path, tmp_path: Path) -> None:
    (tree / "outside").symlink_to(tmp_path)
    record = host.open(root=str(tree), chroot_mounts=(("proc", "proc", "/proc"), ("tmpfs", "memory", "/outside/here")))
    assert said(record, "cat /proc/self/mounts | grep -c ' tmpfs '") != "0"
    assert not (tmp_path / "here").exists()
    assert (tree / str(tmp_path).strip("/") / "here").is_dir()
    host.close()
    (tree / "outside").unlink()


def test_mounts_given_take_the_place_of_our_own(host: Host, tree: Path) -> None:
    triples = (("proc", "proc", "/proc"), ("bind", "/dev", "/dev"), ("devpts", "devpts", "/dev/pts"))
    record = host.open(root=str(tree), chroot_mounts=triples)
    assert [mount.target for mount in record.mounts] == ["/", "/proc", "/dev", "/dev/pts", "/run"]
    # A terminal made inside is none of the build host's.
    assert said(record, "python3 -c 'import os, pty; print(os.ttyname(pty.openpty()[1]))'") == "/dev/pts/0"


def test_the_devices_of_the_host_for_those_who_ask_but_terminals_of_its_own(host: Host, tree: Path) -> None:
    record = host.open(root=str(tree), dev="host")
    assert "loop-control" in said(record, "ls /dev").split()
    assert said(record, "python3 -c 'import os, pty; print(os.ttyname(pty.openpty()[1]))'") == "/dev/pts/0"
    said(record, "touch /dev/shm/inside")
    assert not Path("/dev/shm/inside").exists()
