# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways into a root file system that go through an sshd on this machine."""

from __future__ import annotations

import contextlib
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.connections import Way
from tests.integration.ssh_host import close_masters, sshd


@contextlib.contextmanager
def ways_over_ssh(folder: Path, root: Path) -> Iterator[tuple[Way, ...]]:
    """Two sshd that differ in one line: that of the peers logs in to the root file system, ours to the machine.

    All log in as root with the same key, so that none needs a sudo.
    """
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    control = folder / "cp"
    control.mkdir()
    login = {"PermitRootLogin": "prohibit-password", "AuthorizedKeysFile": f"{key}.pub"}
    with sshd(**login) as host, sshd(**login, ChrootDirectory=str(root)) as inside:
        to_host = _variables(key, control, *host)
        to_root = _variables(key, control, *inside)

        def ours(place: Path) -> dict[str, t.Any]:
            way = {"transport": "ssh", "variables": {"inventory_hostname": "build-host", **to_host}}
            return {
                "ansible_connection": "bakehouse.images.chroot",
                "ansible_chroot_root": str(place),
                "ansible_chroot_build_host": way,
            }

        try:
            yield (
                Way("ours over ssh", ours, mounts_proc=True),
                Way(
                    "ours over ssh, agent off",
                    lambda place: {**ours(place), "ansible_chroot_agent": False},
                    mounts_proc=True,
                ),
                Way("ansible.builtin.ssh", lambda _place: to_root),
                Way("Mitogen, ssh", lambda _place: to_root, mitogen=True),
            )
        finally:
            close_masters(control)


def _variables(key: Path, control: Path, port: int, folder: Path) -> dict[str, t.Any]:
    return {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": f"-F /dev/null -o UserKnownHostsFile={folder}/known_hosts",
        # Ansible's own, but for the time: the run ends when the shared connection does.
        "ansible_ssh_args": "-C -o ControlMaster=auto -o ControlPersist=5s",
        "ansible_control_path_dir": str(control),
    }


__all__ = ("ways_over_ssh",)
