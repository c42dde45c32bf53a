# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users put around commands on the build host."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.errors import AnsibleError

from tests.integration.module_runs import run_module
from tests.integration.plays import CHROOT, Playbooks
from tests.integration.project import Cloud, Project
from tests.integration.roots import connect, opened, unpack

HOSTILE = "printf '%s|' \"it's\" '$HOME' '`id`' \"a\nb\" '{command}' '\\'"
SAID = b"it's|$HOME|`id`|a\nb|{command}|\\|"


@pytest.fixture(scope="module")
def root(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(debian_tarball, tmp_path_factory.mktemp("wrapper") / "root")


@pytest.fixture(scope="module")
def sandbox(root: Path) -> Iterator[str]:
    with opened(root) as record:
        yield record.name


@pytest.fixture
def logger(tmp_path: Path) -> Path:
    """A wrapper script that notes each command."""
    script = tmp_path / "logger"
    script.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" >> {tmp_path}/log; echo >> {tmp_path}/log\nexec "$@"\n')
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(
    "wrapper",
    [
        ["sudo", "-E"],
        "sudo -E {command}",
        "sudo --preserve-env -- {{.Command}}",
        "nice -n 7 {command}",
        "cd / && { {command}; }",
    ],
    ids=str,
)
def test_commands_and_files_are_what_they_were(sandbox: str, tmp_path: Path, wrapper: t.Any) -> None:
    image = connect(ansible_chroot_sandbox=sandbox, ansible_chroot_command_wrapper=wrapper)
    assert image.exec_command(HOSTILE) == (0, SAID, b"")
    assert image.exec_command("cat; exit 33", in_data=b"\0in") == (33, b"\0in", b"")
    (tmp_path / "there").write_bytes(bytes(range(256)))
    image.put_file(str(tmp_path / "there"), "/root/a b'c")
    image.fetch_file("/root/a b'c", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == bytes(range(256))


def test_what_the_wrapper_sets_holds_in_the_image(sandbox: str) -> None:
    image = connect(ansible_chroot_sandbox=sandbox, ansible_chroot_command_wrapper="nice -n 7 {command}")
    assert image.exec_command("nice") == (0, b"7\n", b"")


def test_the_wrapper_sees_every_command(sandbox: str, logger: Path, tmp_path: Path) -> None:
    image = connect(ansible_chroot_sandbox=sandbox, ansible_chroot_command_wrapper=[str(logger)])
    for number in range(3):
        image.exec_command(f"echo number {number}")
    assert (tmp_path / "log").read_text().count("echo number") == 3


def test_modules_run_through_it_too(sandbox: str, root: Path, logger: Path, tmp_path: Path) -> None:
    playbooks = Playbooks(tmp_path)
    tasks: list[dict[str, t.Any]] = [
        {"ansible.builtin.copy": {"content": "x\n", "dest": "/root/copied"}},
        {"ansible.builtin.command": "nice", "register": "found"},
        {"ansible.builtin.assert": {"that": "found.stdout == '5'"}},
    ]
    wrapper = f"{logger} nice -n 5 {{command}} 2>> {tmp_path}/errors"
    place = {"ansible_connection": CHROOT, "ansible_chroot_sandbox": sandbox, "ansible_remote_tmp": "/tmp"}
    hosts = {"image": {**place, "ansible_chroot_command_wrapper": wrapper}}
    playbooks.succeed(hosts, tasks)
    assert (root / "root/copied").read_text() == "x\n"
    assert (tmp_path / "log").read_text().count("nsenter") >= 3


def test_a_wrapper_without_a_place_for_the_command_is_refused(sandbox: str) -> None:
    image = connect(ansible_chroot_sandbox=sandbox, ansible_chroot_command_wrapper="sudo -E")
    with pytest.raises(AnsibleError, match="has 0 places for the command. Write it as a list"):
        image.exec_command("true")


class TestHostCommands:
    def test_all_parts_of_a_command_are_wrapped(self, tmp_path: Path) -> None:
        options = {"commands": ["nice && nice", HOSTILE], "command_wrapper": "nice -n 5 {command}"}
        result = run_module(tmp_path, "host_commands", options)
        assert [done["stdout"] for done in result["results"]] == ["5\n5", SAID.decode()]
        assert [done["cmd"] for done in result["results"]] == options["commands"]

    def test_failures_show_the_users_own_command(self, tmp_path: Path) -> None:
        options = {"commands": ["exit 9"], "command_wrapper": ["nice"]}
        result = run_module(tmp_path, "host_commands", options)
        assert result["msg"].startswith("Command 1 of 1 failed with status 9: exit 9\n")


def test_a_build_wraps_its_commands_and_steps(
    cloud: Cloud, project: Project, source_ami: str, logger: Path, tmp_path: Path
) -> None:
    project.images(
        image={
            "bake_image_name": "wrapped",
            "bake_source": source_ami,
            "bake_gather_facts": False,
            "bake_generalize": False,
            "bake_command_wrapper": f"{logger} {{command}}",
            "bake_pre_mount_commands": ["echo before && blkid -o value -s TYPE {{ bake_device }}*1"],
            "bake_post_provision_commands": ["echo after {{ bake_mount_path }}"],
            "bake_provision": [{"shell": ["echo inside > /etc/inside"]}],
        }
    )
    ran = project.build()
    assert ran.rc == 0, str(ran)
    assert cloud.image("wrapped")
    log = (tmp_path / "log").read_text()
    assert [log.count(text) for text in ("echo before && blkid", "echo after /")] == [1, 1]
    assert "nsenter" in log
