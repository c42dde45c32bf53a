# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection as users meet it: inventories, playbooks and modules on directories that hold a root file system."""

from __future__ import annotations

import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.plays import CHROOT, Playbooks, Tasks, closed, forget_sandbox, on
from tests.integration.roots import tiny_root, unpack


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)


@pytest.fixture(scope="module")
def root(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = unpack(debian_tarball, tmp_path_factory.mktemp("playbooks") / "root")
    yield root
    forget_sandbox(root)


@pytest.fixture
def tiny(root: Path, tmp_path: Path) -> Iterator[Path]:
    tiny = tiny_root(root, tmp_path / "tiny")
    yield tiny
    forget_sandbox(tiny)


class TestDirectories:
    def test_an_inventory_made_for_community_general_works(self, playbooks: Playbooks, root: Path) -> None:
        hosts = {str(root): {"ansible_connection": CHROOT, "ansible_chroot_exe": "/usr/sbin/chroot"}}
        ran = playbooks.succeed(hosts, [{"ansible.builtin.ping": {}}, {"ansible.builtin.command": "true"}])
        assert ran.output.count("ansible_chroot_exe is ignored") == 1
        assert closed(root)

    def test_all_hosts_of_a_directory_share_one_sandbox(self, playbooks: Playbooks, root: Path, tiny: Path) -> None:
        hosts = {
            "one": {"ansible_connection": CHROOT, "ansible_chroot_root": str(root)},
            "two": {"ansible_connection": CHROOT, "ansible_host": f"{root}/"},
            "other": {"ansible_connection": CHROOT, "ansible_host": str(tiny)},
        }
        expected = "'/run/mark-other' if inventory_hostname == 'other' else '/run/mark-one /run/mark-two'"
        playbooks.succeed(
            hosts,
            [
                {"ansible.builtin.raw": "echo > /run/mark-{{ inventory_hostname }}"},
                {"ansible.builtin.raw": "echo /run/mark-*", "register": "marks"},
                {"ansible.builtin.assert": {"that": f"marks.stdout | trim == ({expected})"}},
            ],
        )
        assert closed(root)
        assert closed(tiny)

    def test_rights_come_through_sudo(self, playbooks: Playbooks, tiny: Path, tmp_path: Path) -> None:
        sudo = tmp_path / "sudo"
        sudo.write_text(f'#!/bin/sh\n[ "$1 $2" = "-n --" ] || exit 99\nshift 2\necho x >> {tmp_path}/used\nexec "$@"\n')
        sudo.chmod(0o755)
        build_host = {"become": True, "become_method": "sudo", "become_exe": str(sudo)}
        playbooks.succeed(on(tiny, ansible_chroot_build_host=build_host), [{"ansible.builtin.raw": "true"}])
        assert len((tmp_path / "used").read_text().split()) >= 2

    def test_a_sudo_that_refuses_is_explained(self, playbooks: Playbooks, tiny: Path, tmp_path: Path) -> None:
        sudo = tmp_path / "sudo"
        sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
        sudo.chmod(0o755)
        build_host = {"become": True, "become_exe": str(sudo)}
        ran = playbooks.run(on(tiny, ansible_chroot_build_host=build_host), [{"ansible.builtin.raw": "true"}])
        assert "sudo: a password is required" in ran.output
        assert ran.recap("image") == {**ran.recap("image"), "failed": 1, "unreachable": 0}


class TestRefusals:
    def test_the_keyword_connection_would_catch_delegated_tasks(self, playbooks: Playbooks) -> None:
        tasks = [{"ansible.builtin.command": "hostname", "delegate_to": "build-host"}]
        ran = playbooks.run({"web": {}, "build-host": {}}, tasks, connection=CHROOT)
        assert "No image is known for host build-host" in ran.output
        assert ran.recap("web") == {**ran.recap("web"), "failed": 1, "unreachable": 0}

    def test_facts_of_an_image_that_is_not_open_yet(self, playbooks: Playbooks) -> None:
        ran = playbooks.run({"web": {"ansible_connection": CHROOT}}, [], gather_facts=True)
        assert "set gather_facts to false" in ran.output

    def test_a_closed_sandbox_runs_rescue_and_always(self, playbooks: Playbooks) -> None:
        host = {"ansible_connection": CHROOT, "ansible_chroot_sandbox": "gone"}
        host["ansible_chroot_closed_reason"] = "The build failed in step 3."
        block = {
            "block": [{"ansible.builtin.copy": {"content": "x", "dest": "/x"}}],
            "rescue": [{"ansible.builtin.debug": {"msg": "rescue: {{ ansible_failed_result.msg }}"}}],
            "always": [{"ansible.builtin.debug": {"msg": "always"}}],
        }
        ran = playbooks.succeed({"web": host}, [block])
        rescued = next(line for line in ran.output.splitlines() if "rescue:" in line)
        assert "The build failed in step 3." in rescued
        assert "always" in ran.output


class TestBecome:
    """In an image without sudo and ACL tools, for a locked user without a shell and a home directory."""

    @pytest.mark.parametrize(
        ("login", "pipelining"),
        [
            pytest.param("root", True, id="from root, piped"),
            pytest.param("games", False, id="from another user, by files"),
        ],
    )
    def test_tasks_as_an_ordinary_user(
        self, playbooks: Playbooks, root: Path, tmp_path: Path, login: str, pipelining: bool
    ) -> None:
        place = f"/srv/{login}"
        (tmp_path / "template.j2").write_text("for {{ become_as }}\n")
        (tmp_path / "content").mkdir()
        (tmp_path / "content" / "packed").write_text("packed\n")
        subprocess.run(["tar", "-C", tmp_path / "content", "-czf", tmp_path / "archive.tar.gz", "packed"], check=True)
        tasks: Tasks = [
            {"ansible.builtin.raw": "! command -v sudo && ! command -v setfacl"},
            {
                "ansible.builtin.user": {"name": "app", "create_home": False, "shell": "/usr/sbin/nologin"},
                "become": True,
            },
            {
                "ansible.builtin.file": {"path": place, "state": "directory", "owner": "app", "mode": "0700"},
                "become": True,
            },
            {
                "become": True,
                "become_user": "app",
                "block": [
                    {"ansible.builtin.copy": {"content": "copied\n", "dest": f"{place}/copy"}},
                    {"ansible.builtin.template": {"src": "template.j2", "dest": f"{place}/template"}},
                    {"ansible.builtin.unarchive": {"src": "archive.tar.gz", "dest": place}},
                    {"ansible.builtin.shell": f"id -un > {place}/shell && cat {place}/copy >> {place}/shell"},
                    {"ansible.builtin.command": f"touch {place}/async", "async": 60, "poll": 1},
                    {"ansible.builtin.fetch": {"src": f"{place}/shell", "dest": "back", "flat": True}},
                ],
            },
        ]
        variables = {"ansible_user": login, "ansible_pipelining": pipelining, "ansible_remote_tmp": "/tmp"}
        playbooks.succeed(on(root, **variables, ansible_async_dir="/tmp/async"), tasks, vars={"become_as": "app"})
        made = root / "srv" / login
        assert made.stat().st_uid != 0
        assert {path.name: path.stat().st_uid for path in made.iterdir()} == dict.fromkeys(
            ["async", "copy", "packed", "shell", "template"], made.stat().st_uid
        )
        assert (made / "template").read_text() == "for app\n"
        assert (tmp_path / "back").read_text() == "app\ncopied\n"
        for left in ("root/.ansible", "root/.ansible_async", "usr/games/.ansible"):
            assert not (root / left).exists()
        assert not list((root / "tmp").iterdir())
        assert not list((root / "var/tmp").glob("ansible*"))

    def test_su_of_the_image_asks_for_its_password(self, playbooks: Playbooks, root: Path) -> None:
        def who_am_i(password: str) -> dict[str, t.Any]:
            variables = {"ansible_user": "daemon", "ansible_become_pass": password}
            become = {"become": True, "become_method": "su", "become_user": "games", "become_flags": "-s /bin/sh"}
            return {"ansible.builtin.command": "id -un", "register": "who", "vars": variables, **become}

        tasks: Tasks = [
            {"ansible.builtin.raw": "usermod -s /bin/sh games && echo games:secret | chpasswd"},
            who_am_i("secret"),
            {"ansible.builtin.assert": {"that": "who.stdout == 'games'"}},
            {**who_am_i("wrong"), "ignore_errors": True},
            {"ansible.builtin.assert": {"that": ["who is failed", "'Authentication failure' in who | string"]}},
        ]
        playbooks.succeed(on(root), tasks)


class TestModules:
    def test_modules_of_every_day_see_and_change_the_image(self, playbooks: Playbooks, root: Path) -> None:
        host_name = Path("/proc/sys/kernel/hostname").read_text()
        (root / "etc/os-release").unlink()
        (root / "etc/os-release").write_text('ID=debian\nNAME="Debian"\nVERSION_ID="12"\nPRETTY_NAME="Of the image"\n')
        facts = {
            "ansible_facts.is_chroot": True,
            "ansible_facts.pkg_mgr": "apt",
            "ansible_facts.user_id": "root",
            "ansible_facts.env.HOME": "/root",
            "ansible_facts.env.AWS_SECRET_ACCESS_KEY is undefined": True,
        }
        tasks: Tasks = [
            {"ansible.builtin.setup": {}},
            {"ansible.builtin.assert": {"that": [f"({name}) == {value!r}" for name, value in facts.items()]}},
            {"ansible.builtin.command": "cat /etc/os-release", "register": "release"},
            {"ansible.builtin.assert": {"that": "'Of the image' in release.stdout"}},
            {"ansible.builtin.group": {"name": "crew"}},
            {"ansible.builtin.user": {"name": "member", "groups": "crew"}},
            {"ansible.builtin.hostname": {"name": "built"}},
            {"ansible.builtin.lineinfile": {"path": "/etc/hosts", "line": "192.0.2.1 example", "create": True}},
            {"ansible.builtin.script": "script.sh"},
        ]
        (playbooks.folder / "script.sh").write_text("#!/bin/sh\ncat /etc/hostname > /etc/scripted\n")
        playbooks.succeed(on(root), tasks, env={"AWS_SECRET_ACCESS_KEY": "secret"})
        assert "member" in (root / "etc/group").read_text().split("crew:")[1].splitlines()[0]
        assert (root / "etc/scripted").read_text() == "built\n"
        assert (root / "etc/hosts").read_text().endswith("192.0.2.1 example\n")
        assert Path("/proc/sys/kernel/hostname").read_text() == host_name
