# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent of a sandbox: tasks end as without it, and it is never in the way."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import subprocess
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_state, state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import enter_argv
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.processes import sandbox_processes
from ansible_collections.bakehouse.images.plugins.plugin_utils._sandbox_session import SandboxSession
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import connect_unix

from tests.integration.odd_modules import ODD_MODULES
from tests.integration.plays import CHROOT, Playbooks, Tasks
from tests.integration.roots import connect, opened, tiny_root, unpack
from tests.integration.ssh_host import SshHost
from tests.unit.plugins.module_utils._sandbox.agent_process import payload_of
from tests.waiting import eventually

PYTHON = "/usr/bin/python3"
MODULE = f"/bin/sh -c '{PYTHON} && sleep 0'"


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)


@pytest.fixture(scope="module")
def root(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(debian_tarball, tmp_path_factory.mktemp("agent") / "root")


@pytest.fixture(scope="module")
def unforwarded(ssh_host: SshHost) -> Iterator[SshHost]:
    """An sshd that forwards nothing."""
    with ssh_host.reached_by(DisableForwarding="yes") as host:
        yield host


@pytest.fixture(params=["local", "ssh"])
def way(request: pytest.FixtureRequest) -> dict[str, t.Any]:
    """How the build host is reached: variables of the image."""
    if request.param == "local":
        return {}
    host: SshHost = request.getfixturevalue("ssh_host" if request.param == "ssh" else "unforwarded")
    return {"ansible_chroot_build_host": host.build_host}


#: For what a session of ssh in between could change.
every_way = pytest.mark.parametrize("way", ["local", "ssh", "unforwarded"], indirect=True)


@pytest.fixture
def sandbox(root: Path) -> Iterator[state.SandboxRecord]:
    with opened(root) as record:
        yield record


def run(record: state.SandboxRecord, module: str, *, command: str = MODULE, **variables: t.Any) -> tuple[int, str, str]:
    """Run a module in the sandbox, piped to its interpreter as tasks do it."""
    connection = connect(ansible_chroot_sandbox=record.name, **variables)
    rc, out, err = connection.exec_command(command, in_data=payload_of(module))
    return rc, out.decode(), err.decode()


def agent_of(record: state.SandboxRecord) -> agent_state.Running | None:
    """The agent of the sandbox."""
    return agent_state.read_agent(record.name)


class TestResults:
    """Each module once without the agent, and twice with it: when it has just been started, and when it is warm; once
    more over ssh."""

    def results(
        self,
        playbooks: Playbooks,
        record: state.SandboxRecord,
        user: str,
        *,
        agent: bool,
        names: t.Sequence[str] = tuple(ODD_MODULES),
        **way: t.Any,
    ) -> t.Any:
        tasks: Tasks = [
            {name: {}, "register": f"odd_{name}", "ignore_errors": True, "environment": {"OF_THE_TASK": "a 'quoted' ✓"}}
            for name in names
        ]
        wanted = "{{ dict(names | zip(names | map('regex_replace', '^', 'odd_') | map('extract', vars))) | to_json }}"
        output = playbooks.folder / "results.json"
        keep = {"ansible.builtin.copy": {"content": wanted, "dest": str(output)}}
        tasks.append({**keep, "delegate_to": "localhost", "become": False})
        host = {
            "ansible_connection": CHROOT,
            "ansible_chroot_sandbox": record.name,
            "ansible_chroot_agent": agent,
            "ansible_python_interpreter": PYTHON,
            "ansible_remote_tmp": "/tmp",
            **way,
        }
        ran = playbooks.run(
            {"image": host},
            tasks,
            env={"ANSIBLE_VERBOSITY": "4"},
            vars={"names": list(names)},
            become=user != "root",
            become_user=user,
        )
        assert ran.output.count("AGENT used") == (len(names) if agent else 0), ran.output
        without_chance = re.sub(r"_payload_[^/]{8}/", "_payload_/", output.read_text())
        return json.loads(without_chance)

    @pytest.mark.parametrize("user", ["root", pytest.param("games", marks=pytest.mark.long)])
    def test_are_the_same(
        self, playbooks: Playbooks, sandbox: state.SandboxRecord, ssh_host: SshHost, user: str
    ) -> None:
        library = playbooks.folder / "library"
        library.mkdir()
        for name, source in ODD_MODULES.items():
            (library / f"{name}.py").write_text(source)
        plain = self.results(playbooks, sandbox, user, agent=False)
        ways: dict[str, t.Any] = {"cold": {}, "warm": {}}
        if user == "root":
            ways["over ssh"] = {"ansible_chroot_build_host": ssh_host.build_host}
        for name, way in ways.items():
            if way:
                # That one is root's.
                agent_state.end_agent(sandbox.name)
                # Logins and sudo set limits.
                plain |= self.results(playbooks, sandbox, user, agent=False, names=["surroundings"], **way)
            found = self.results(playbooks, sandbox, user, agent=True, **way)
            assert {module: found[module] for module in plain if found[module] != plain[module]} == {
                module: plain[module] for module in plain if found[module] != plain[module]
            }, name
        assert plain["surroundings"]["uid"] == (0 if user == "root" else 5)
        assert plain["out_of_memory"]["failed"]
        assert plain["killed"]["rc"] == 137

    def test_modules_of_every_day(
        self, playbooks: Playbooks, sandbox: state.SandboxRecord, way: dict[str, t.Any]
    ) -> None:
        tasks: Tasks = [
            {"ansible.builtin.setup": {}},
            {"ansible.builtin.assert": {"that": ["ansible_facts.is_chroot", "ansible_facts.pkg_mgr == 'apt'"]}},
            {"ansible.builtin.user": {"name": "member", "shell": "/bin/sh"}},
            {"ansible.builtin.command": "id -un", "become": True, "become_user": "member", "register": "who"},
            {"ansible.builtin.assert": {"that": "who.stdout == 'member'"}},
            {
                "ansible.builtin.copy": {"content": "x", "dest": "/home/member/file"},
                "become": True,
                "become_user": "member",
            },
            {"ansible.builtin.lineinfile": {"path": "/etc/hosts", "line": "192.0.2.1 example", "create": True}},
            {"ansible.builtin.getent": {"database": "passwd", "key": "member"}},
            {"ansible.builtin.command": "sleep 0.1", "async": 300, "poll": 1},
            {"ansible.builtin.user": {"name": "member", "state": "absent", "remove": True}},
        ]
        host = {"ansible_connection": CHROOT, "ansible_chroot_sandbox": sandbox.name, "ansible_remote_tmp": "/tmp"}
        ran = playbooks.succeed({"image": {**host, **way}}, tasks, env={"ANSIBLE_VERBOSITY": "4"})
        assert ran.output.count("AGENT started") == 1
        assert "AGENT not used" not in ran.output


class TestLife:
    @every_way
    def test_it_comes_with_the_first_module_and_goes_with_the_sandbox(self, root: Path, way: dict[str, t.Any]) -> None:
        with opened(root) as record:
            connect(ansible_chroot_sandbox=record.name, **way).exec_command("true")
            assert agent_of(record) is None
            assert run(record, "print(1)", **way) == (0, "1\n", "")
            agent = agent_of(record)
            assert agent
            # A fork of it has its command line.
            assert "exec(os.read" in run(record, "print(open('/proc/self/cmdline').read())", **way)[1]
            assert run(record, "print(2)", **way) == (0, "2\n", "")
            assert agent_of(record) == agent
            eventually(lambda: sandbox_processes(record) == [])
            report = close_sandbox(record.name, runner=LocalRunner())
            assert report.killed == ()
            assert report.problems == ()
        assert state.process_start_time(agent.pid) is None
        assert not list(Path(state.AGENTS_DIR).glob(f"{record.name}*"))

    def test_it_ends_when_it_is_idle(self, sandbox: state.SandboxRecord, way: dict[str, t.Any]) -> None:
        assert run(sandbox, "print(1)", ansible_chroot_agent_idle_timeout=0.2, **way)[0] == 0
        eventually(lambda: agent_of(sandbox) is None)
        assert run(sandbox, "print(2)", **way) == (0, "2\n", "")
        assert agent_of(sandbox)

    def test_nobody_is_in_the_way_of_its_end(
        self, sandbox: state.SandboxRecord, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain: list[object] = []
        monkeypatch.setattr(SandboxSession, "_enter", lambda *words: plain.append(words))
        for number in range(12):
            # About when it goes: before, after, or in the middle.
            assert run(sandbox, f"print({number})", ansible_chroot_agent_idle_timeout=0.05) == (0, f"{number}\n", "")
            time.sleep(0.04 + number / 500)
        assert not plain

    @every_way
    def test_ten_tasks_at_once_have_one_agent(self, sandbox: state.SandboxRecord, way: dict[str, t.Any]) -> None:
        module = "import os, time\nprint(os.getpid())\ntime.sleep(1)"
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            outcomes = list(pool.map(lambda _number: run(sandbox, module, **way), range(10)))
        assert {rc for rc, _out, _err in outcomes} == {0}
        assert len({out for _rc, out, _err in outcomes}) == 10
        assert agent_of(sandbox)
        eventually(lambda: sandbox_processes(sandbox) == [])

    def test_it_can_be_switched_off(self, sandbox: state.SandboxRecord) -> None:
        assert run(sandbox, "print(1)", ansible_chroot_agent=False) == (0, "1\n", "")
        assert agent_of(sandbox) is None

    def test_what_is_kept_of_it_does_not_outlast_a_sandbox_that_was_killed(
        self, root: Path, sandbox: state.SandboxRecord, tmp_path: Path
    ) -> None:
        def kept() -> list[Path]:
            return sorted(Path(state.AGENTS_DIR).glob(f"{sandbox.name}*"))

        for _time in range(2):
            assert run(sandbox, "print(1)")[0] == 0
        assert len(kept()) == 3
        os.kill(sandbox.pid, 9)
        eventually(lambda: agent_of(sandbox) is None and not agent_state.is_listening(str(kept()[0])))
        with opened(tiny_root(root, tmp_path / "tiny")):
            assert kept() == []

    def test_a_daemon_is_left_to_the_sandbox(self, root: Path) -> None:
        module = "import subprocess\nsubprocess.Popen(['sleep', '4713'], start_new_session=True)\nprint(1)"
        with opened(root) as record:
            assert run(record, module)[:2] == (0, "1\n")
            report = close_sandbox(record.name, runner=LocalRunner())
        assert [one.cmd for one in report.killed] == ["sleep 4713"]


class TestEnds:
    @pytest.mark.parametrize("way", ["local", "unforwarded"], indirect=True)
    def test_a_task_that_takes_too_long_leaves_nothing(
        self, playbooks: Playbooks, sandbox: state.SandboxRecord, way: dict[str, t.Any]
    ) -> None:
        library = playbooks.folder / "library"
        library.mkdir()
        (library / "hang.py").write_text(
            "from ansible.module_utils.basic import AnsibleModule\nimport subprocess, time\n"
            "AnsibleModule({})\nsubprocess.Popen(['sleep', '4714'])\n"
            "subprocess.Popen(['sleep', '4714'], start_new_session=True)\ntime.sleep(4714)\n"
        )
        host = {"ansible_connection": CHROOT, "ansible_chroot_sandbox": sandbox.name, **way}
        tasks: Tasks = [{"ansible.builtin.ping": {}}, {"hang": {}, "timeout": 3}]
        ran = playbooks.run({"image": host}, tasks, env={"ANSIBLE_VERBOSITY": "4"})
        assert ran.recap("image")["failed"] == 1
        assert "AGENT used" in ran.output
        eventually(lambda: sandbox_processes(sandbox) == [])
        assert agent_of(sandbox)

    @every_way
    def test_an_agent_that_dies_meanwhile_fails_the_task_and_no_other(
        self, sandbox: state.SandboxRecord, way: dict[str, t.Any]
    ) -> None:
        with pytest.raises(AnsibleError, match="agent ended while a command ran"):
            run(sandbox, "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(1)", **way)
        assert run(sandbox, "print(1)", **way) == (0, "1\n", "")

    @every_way
    def test_an_agent_that_is_killed_between_tasks_is_replaced(
        self, sandbox: state.SandboxRecord, way: dict[str, t.Any]
    ) -> None:
        assert run(sandbox, "print(1)", **way)[0] == 0
        before = agent_of(sandbox)
        assert before
        connect(ansible_chroot_sandbox=sandbox.name).exec_command("kill -9 -1")
        # A process that is about to be gone still holds its socket.
        eventually(lambda: agent_of(sandbox) is None and not connect_unix(agent_state.socket_path(sandbox.name)))
        assert run(sandbox, "print(2)", **way) == (0, "2\n", "")
        after = agent_of(sandbox)
        assert after
        assert after != before

    def test_a_sandbox_that_is_closed_meanwhile_is_named(self, root: Path, way: dict[str, t.Any]) -> None:
        (root / "opt/begun").unlink(missing_ok=True)
        with opened(root) as record, concurrent.futures.ThreadPoolExecutor(1) as pool:
            task = pool.submit(run, record, "import time\nopen('/opt/begun', 'w').close()\ntime.sleep(4715)", **way)
            eventually((root / "opt/begun").exists)
            os.kill(record.pid, 9)
            with pytest.raises(AnsibleError, match="was closed while a command ran in it"):
                task.result(timeout=120)


class TestInterpreters:
    def test_an_upgrade_in_the_middle_is_noticed(
        self, root: Path, sandbox: state.SandboxRecord, way: dict[str, t.Any]
    ) -> None:
        assert run(sandbox, "print(1)", **way)[0] == 0
        before = agent_of(sandbox)
        real = os.path.realpath(root / "usr/bin/python3.11")
        connect(ansible_chroot_sandbox=sandbox.name).exec_command(f"cp -p {PYTHON}.11 /x && mv /x {PYTHON}.11")
        assert Path(real).exists()
        assert run(sandbox, "print(2)", **way) == (0, "2\n", "")
        after = agent_of(sandbox)
        assert before
        assert after
        assert before != after
        assert state.process_start_time(before.pid) is None

    def test_new_packages_are_seen(self, root: Path, sandbox: state.SandboxRecord) -> None:
        look = "try:\n    import fresh\n    print('there')\nexcept ImportError:\n    print('not there')"
        assert run(sandbox, look)[1] == "not there\n"
        connect(ansible_chroot_sandbox=sandbox.name).exec_command("touch /usr/lib/python3/dist-packages/fresh.py")
        assert run(sandbox, look)[1] == "there\n"
        (root / "usr/lib/python3/dist-packages/fresh.py").unlink()

    def test_an_image_without_python(self, root: Path, tmp_path: Path, way: dict[str, t.Any]) -> None:
        with opened(tiny_root(root, tmp_path / "tiny")) as record:
            with_agent = run(record, "print(1)", **way)
            assert with_agent == run(record, "print(1)", ansible_chroot_agent=False, **way)
            assert with_agent[0] == 127
            assert agent_of(record) is None

    def test_a_python_that_is_too_old(
        self, root: Path, sandbox: state.SandboxRecord, playbooks: Playbooks, way: dict[str, t.Any]
    ) -> None:
        old = root / "usr/local/bin/python3"
        old.write_text(
            '#!/bin/sh\nif [ "$1" = -c ]; then\n'
            f'  exec {PYTHON} -c "import sys; sys.version_info = (3, 6, 0); $2"\nfi\n'
            f'exec {PYTHON} "$@"\n'
        )
        old.chmod(0o755)
        host = {
            "ansible_connection": CHROOT,
            "ansible_chroot_sandbox": sandbox.name,
            "ansible_python_interpreter": "/usr/local/bin/python3",
            **way,
        }
        ping: dict[str, t.Any] = {"ansible.builtin.ping": {}}
        ran = playbooks.succeed({"image": host}, [ping, ping], env={"ANSIBLE_VERBOSITY": "4"})
        old.unlink()
        assert ran.output.count("Python 3.6 is too old for the agent") == 1

    def test_another_interpreter_than_the_agents(self, root: Path, sandbox: state.SandboxRecord) -> None:
        (root / "opt/other").symlink_to("/usr/bin/python3")
        subprocess.run(["touch", root / "opt/pyvenv.cfg"], check=True)
        assert run(sandbox, "print(1)")[0] == 0
        command = "/bin/sh -c '/opt/other && sleep 0'"
        assert run(sandbox, "import sys\nprint(sys.executable)", command=command)[1] == "/opt/other\n"
        (root / "opt/other").unlink()
        (root / "opt/pyvenv.cfg").unlink()


class TestReach:
    def test_nothing_of_the_build_host_is_open_in_it(self, sandbox: state.SandboxRecord) -> None:
        assert run(sandbox, "print(1)")[0] == 0
        agent = agent_of(sandbox)
        assert agent
        links = {os.readlink(f"/proc/{agent.pid}/fd/{name}") for name in os.listdir(f"/proc/{agent.pid}/fd")}
        assert {re.sub(r":\[\d+\]", "", link) for link in links} <= {"socket", "pipe", "/image/dev/null"}
        assert os.readlink(f"/proc/{agent.pid}/root") == "/image"
        assert os.readlink(f"/proc/{agent.pid}/cwd") in ("/", "/image")

    def test_no_sandbox_reaches_an_agent(self, root: Path, sandbox: state.SandboxRecord, tmp_path: Path) -> None:
        assert run(sandbox, "print(1)")[0] == 0
        path = agent_state.socket_path(sandbox.name)
        assert Path(path).is_socket()
        with opened(tiny_root(root, tmp_path / "tiny")) as other:
            for record in (sandbox, other):
                found = subprocess.run(enter_argv(record, ["/bin/sh", "-c", f"test -e {path}"]), check=False)
                assert found.returncode == 1
