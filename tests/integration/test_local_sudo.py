# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user of the controller whom sudo asks for a password, with a real sudo."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.plays import Playbooks, Ran, Tasks, closed, on
from tests.integration.roots import unpack
from tests.integration.ssh_host import PYTHON, LoginUser, login_user

PASSWORD = 'sudo\'s "own" $password'
OF_THE_IMAGE = "that of games"

# Users that Debian locks, with passwords and shells for su.
USERS = f"games:{OF_THE_IMAGE}\nnews:{PASSWORD}\n"


@pytest.fixture(scope="module")
def root(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = unpack(debian_tarball, tmp_path_factory.mktemp("sudo") / "root")
    subprocess.run(["chpasswd", "--root", root], input=USERS, text=True, check=True)
    for name in ("games", "news"):
        subprocess.run(["usermod", "--root", root, "--shell", "/bin/sh", name], check=True)
    return root


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoginUser]:
    with login_user("sudoer", tmp_path_factory.mktemp("keys"), password=PASSWORD) as user:
        yield user


def play(user: LoginUser, hosts: dict[str, t.Any], tasks: Tasks, *, asked: str | None = None) -> Ran:
    """Have the user run a play.

    Args:
        asked: what the user answers to -K.
    """
    folder = user.home / "project"
    folder.mkdir(exist_ok=True)
    env = {"HOME": str(user.home), "PYTHONPATH": sysconfig.get_path("purelib"), "USER": user.name}
    if asked:
        (folder / "asked").write_text(asked)
        env["ANSIBLE_BECOME_PASSWORD_FILE"] = str(folder / "asked")
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.uid, user.uid)
    playbooks = Playbooks(folder, ("runuser", "-u", user.name, "--", PYTHON, "-m", "ansible"))
    ran = playbooks.run(hosts, tasks, env={**env, "ANSIBLE_VERBOSITY": "5"})
    for secret in (PASSWORD, OF_THE_IMAGE):
        assert secret not in ran.output
    return ran


def image(root: Path, **variables: t.Any) -> dict[str, t.Any]:
    known = {"ansible_remote_tmp": "/tmp", "ansible_python_interpreter": PYTHON}
    return on(root, **known, **variables)["image"]


def build_host(password: str) -> dict[str, t.Any]:
    return {"variables": {"ansible_become_password": password}}


def su(user: str, **variables: str) -> dict[str, t.Any]:
    """A task that asks the image's su."""
    become = {"become": True, "become_method": "su", "become_user": user}
    task = {"ansible.builtin.command": "id -un", "register": "who", "changed_when": False}
    return {**task, "vars": {"ansible_user": "daemon", **variables}, **become}


def test_the_build_hosts_own_password_counts(user: LoginUser, root: Path) -> None:
    """And no other: neither the image's for the build host, nor the other way round."""
    hosts = {
        "right": image(root, ansible_chroot_build_host=build_host(PASSWORD)),
        "wrong": image(root, ansible_chroot_build_host=build_host("wrong"), ansible_chroot_agent=False),
        "of-the-image": image(root, ansible_become_password=PASSWORD, ansible_chroot_agent=False),
    }
    tasks: Tasks = [
        {"ansible.builtin.raw": "id -u", "register": "raw", "ignore_errors": True},
        {"ansible.builtin.assert": {"that": "(raw is success) == (inventory_hostname == 'right')"}},
        {"ansible.builtin.debug": {"msg": "SAID {{ inventory_hostname }}: {{ raw.msg | default('') }}"}},
        {"ansible.builtin.meta": "end_host", "when": "inventory_hostname != 'right'"},
        {"ansible.builtin.copy": {"content": "{{ 'x' * 3000000 }}", "dest": "/srv/large"}},
        {"ansible.builtin.stat": {"path": "/srv/large"}, "register": "large"},
        su("games", ansible_become_pass=OF_THE_IMAGE),
        {"ansible.builtin.assert": {"that": ["who.stdout == 'games'", "large.stat.size == 3000000"]}},
        {**su("games", ansible_become_pass="wrong"), "ignore_errors": True},
        {"ansible.builtin.assert": {"that": ["who is failed", "'Incorrect su password' in who | string"]}},
        {**su("news"), "ignore_errors": True},
        {"ansible.builtin.assert": {"that": "who is failed"}},
    ]
    ran = play(user, hosts, tasks)
    assert ran.rc == 0, ran.output
    said = {name: line for line in ran.output.splitlines() for name in hosts if f"SAID {name}:" in line}
    assert "sudo gives no root rights on this machine: Incorrect sudo password" in said["wrong"]
    assert "a password is required" in said["of-the-image"]
    assert "--ask-become-pass" in said["of-the-image"]
    assert "AGENT used" in ran.output
    assert closed(root)


def test_the_password_that_was_asked_for_counts_for_both(user: LoginUser, root: Path) -> None:
    hosts = {
        "plain": image(root, whom="news"),
        # This one is su's alone.
        "of-su": image(root, whom="games", ansible_su_pass=OF_THE_IMAGE),
        # And this one takes the place of what was asked for, as Ansible does it.
        "own": image(root, ansible_become_password=OF_THE_IMAGE, ansible_chroot_agent=False),
    }
    tasks: Tasks = [
        {"ansible.builtin.raw": "id -u", "register": "raw", "ignore_errors": True},
        {"ansible.builtin.assert": {"that": "(raw is success) == (inventory_hostname != 'own')"}},
        {"ansible.builtin.meta": "end_host", "when": "inventory_hostname == 'own'"},
        su("{{ whom }}"),
        {"ansible.builtin.assert": {"that": "who.stdout == whom"}},
    ]
    ran = play(user, hosts, tasks, asked=PASSWORD)
    assert ran.rc == 0, ran.output
    assert "a password is required" in ran.output
    assert closed(root)
