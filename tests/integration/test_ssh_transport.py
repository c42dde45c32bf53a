# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images on a build host that is reached by ssh, as a user who is not root, over a real sshd."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host import BuildHost

from tests.integration.plays import Playbooks, Tasks, closed, forget_sandbox, on
from tests.integration.roots import connect, opened, unpack
from tests.integration.ssh_host import SshHost
from tests.waiting import eventually

OURS = os.getpid()  # for what is looked for among all processes of this machine

# Debian's locked users, with a shell for su.
SHELL_FOR_GAMES = "usermod -s /bin/sh games && echo games:secret | chpasswd"


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Ansible makes for a run: here each test is one."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(folder))
    return folder


@pytest.fixture(scope="module")
def root(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = unpack(debian_tarball, tmp_path_factory.mktemp("ssh") / "root")
    yield root
    forget_sandbox(root)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name."""
    with tempfile.TemporaryDirectory(prefix="bakehouse-") as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def closed_again(root: Path) -> Iterator[None]:
    """No test finds the sandbox of another."""
    yield
    forget_sandbox(root)


def behind(host: SshHost, **changes: t.Any) -> dict[str, t.Any]:
    """The option build_host."""
    return {"transport": "ssh", "variables": {**host.variables, **changes}}


def image(
    host: SshHost, root: Path, *, changes: dict[str, t.Any] | None = None, **variables: t.Any
) -> dict[str, t.Any]:
    """An inventory with an image behind ssh."""
    known = {"ansible_remote_tmp": "/tmp", "ansible_python_interpreter": "/usr/bin/python3", **variables}
    return on(root, ansible_chroot_build_host=behind(host, **(changes or {})), **known)


def command(host: SshHost, root: Path, **variables: t.Any) -> t.Callable[..., tuple[int, bytes, bytes]]:
    """Runs commands in the image, each by a connection of its own, as tasks do."""

    def run(text: str, in_data: bytes | None = None) -> tuple[int, bytes, bytes]:
        options = {"ansible_chroot_build_host": behind(host), "ansible_chroot_root": str(root), **variables}
        return tuple(connect(**options).exec_command(text, in_data))  # type: ignore[return-value]

    return run


def record_of(root: Path) -> state.SandboxRecord:
    record = state.read_record(state.directory_name(str(root)))
    assert record
    return record


def running(marker: str) -> set[int]:
    """Processes, inside or outside of sandboxes, whose command line has the marker."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if marker.encode() in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
    return found


class TestCommands:
    @pytest.mark.parametrize("status", [0, 1, 127, 254, 255])
    def test_statuses_are_exact(self, ssh_host: SshHost, root: Path, status: int) -> None:
        assert command(ssh_host, root)(f"echo out; echo err >&2; exit {status}") == (status, b"out\n", b"err\n")

    def test_signals(self, ssh_host: SshHost, root: Path) -> None:
        assert command(ssh_host, root)("kill -TERM $$")[0] == 128 + signal.SIGTERM

    def test_words_and_bytes_arrive_as_they_are(self, ssh_host: SshHost, root: Path) -> None:
        data = os.urandom(3 << 20)
        run = command(ssh_host, root)
        assert run("cat", data)[1] == data
        assert run("printf '%s|' 'a  b' \"'\" '$HOME\n' -n 'ü*'")[1] == "a  b|'|$HOME\n|-n|ü*|".encode()

    def test_users_are_those_of_the_image(self, ssh_host: SshHost, root: Path) -> None:
        assert command(ssh_host, root, ansible_user="games")("id -un")[1] == b"games\n"

    def test_a_daemon_is_not_waited_for(self, ssh_host: SshHost, root: Path) -> None:
        assert command(ssh_host, root)("sleep 4712 & echo started")[:2] == (0, b"started\n")

    def test_files_go_there_and_back(self, ssh_host: SshHost, root: Path, tmp_path: Path) -> None:
        data = os.urandom(5 << 20)
        (tmp_path / "there").write_bytes(data)
        name = "/srv/-a 'b'\n$(c) ü"
        connection = connect(ansible_chroot_build_host=behind(ssh_host), ansible_chroot_root=str(root))
        connection.put_file(str(tmp_path / "there"), name)
        assert Path(f"{root}{name}").read_bytes() == data
        connection.fetch_file(name, str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == data

    def test_su_of_the_image_asks_for_its_password(self, ssh_host: SshHost, playbooks: Playbooks, root: Path) -> None:
        def who_am_i(password: str) -> dict[str, t.Any]:
            variables = {"ansible_user": "daemon", "ansible_become_pass": password}
            become = {"become": True, "become_method": "su", "become_user": "games", "become_flags": "-s /bin/sh"}
            return {"ansible.builtin.command": "id -un", "register": "who", "vars": variables, **become}

        tasks: Tasks = [
            {"ansible.builtin.raw": SHELL_FOR_GAMES},
            who_am_i("secret"),
            {"ansible.builtin.assert": {"that": "who.stdout == 'games'"}},
            {**who_am_i("wrong"), "ignore_errors": True},
            {"ansible.builtin.assert": {"that": ["who is failed", "'Incorrect su password' in who | string"]}},
        ]
        playbooks.succeed(image(ssh_host, root), tasks)


class TestPlays:
    def test_an_ordinary_play(self, ssh_host: SshHost, playbooks: Playbooks, root: Path, tmp_path: Path) -> None:
        (tmp_path / "page.j2").write_text("{{ inventory_hostname }}\n")
        tasks: Tasks = [
            {"ansible.builtin.template": {"src": "page.j2", "dest": "/srv/page", "owner": "games"}},
            {"ansible.builtin.command": "cp /srv/page /usr/games/copy", "become": True, "become_user": "root"},
            {"ansible.builtin.shell": "sleep 1; id -un", "async": 300, "poll": 1, "register": "late"},
            {"ansible.builtin.assert": {"that": "late.stdout == 'root'"}},
            {"ansible.builtin.fetch": {"src": "/srv/page", "dest": f"{tmp_path}/", "flat": True}},
            {
                "ansible.builtin.command": "id -un",
                "delegate_to": "localhost",
                "connection": "local",
                "changed_when": False,
            },
        ]
        playbooks.succeed(image(ssh_host, root, ansible_async_dir="/tmp/.async"), tasks)
        assert (tmp_path / "page").read_text() == "image\n"
        assert (root / "usr/games/copy").exists()
        assert not (root / "root/.ansible").exists()
        assert not list((ssh_host.user.home).glob(".ansible*"))

    def test_each_task_takes_one_session(self, ssh_host: SshHost, playbooks: Playbooks, root: Path) -> None:
        with ssh_host.reached_by(LogLevel="VERBOSE") as host:
            tasks = [{"ansible.builtin.command": "true"}] * 5
            playbooks.succeed(image(host, root, ansible_chroot_agent=False), tasks)
            # One more logs in, and one opens the sandbox.
            assert host.log().count("Starting session: command") == 7
            assert host.log().count("Accepted publickey for") == 1

    def test_with_the_agent_tasks_take_none(self, ssh_host: SshHost, playbooks: Playbooks, root: Path) -> None:
        with ssh_host.reached_by(LogLevel="VERBOSE") as host:
            playbooks.succeed(image(host, root), [{"ansible.builtin.command": "true"}] * 3)
            before = host.log().count("Starting session: command")
            ran = playbooks.succeed(
                image(host, root), [{"ansible.builtin.command": "true"}] * 5, env={"ANSIBLE_VERBOSITY": "4"}
            )
            # What opens the sandbox finds it open.
            assert host.log().count("Starting session: command") == before + 1
            assert ran.output.count("AGENT used") == 5

    def test_it_works_where_no_sockets_are_forwarded(self, ssh_host: SshHost, playbooks: Playbooks, root: Path) -> None:
        tasks = [{"ansible.builtin.command": "true"}] * 4
        with ssh_host.reached_by(DisableForwarding="yes", LogLevel="VERBOSE") as host:
            ran = playbooks.succeed(image(host, root), tasks, env={"ANSIBLE_VERBOSITY": "4"})
            assert ran.output.count("AGENT used") == 4
            # Three more log in, open the sandbox, and start the agent.
            assert host.log().count("Starting session: command") == 7
            assert host.log().count("Accepted publickey for") == 1

    def test_the_folder_of_a_run_may_have_a_long_name(
        self, ssh_host: SshHost, playbooks: Playbooks, root: Path, tmp_path: Path, short: Path
    ) -> None:
        env = {"ANSIBLE_VERBOSITY": "4", "ANSIBLE_HOME": str(tmp_path / ("d" * 100))}
        with ssh_host.reached_by(LogLevel="VERBOSE") as host:
            ran = playbooks.succeed(image(host, root), [{"ansible.builtin.command": "true"}] * 3, env=env)
            assert ran.output.count("AGENT used") == 3
            # They log in, open the sandbox, and start the agent.
            assert host.log().count("Starting session: command") == 3
        assert all(path.is_symlink() and not path.exists() for path in short.glob("*/*"))

    def test_nothing_is_left_behind(self, ssh_host: SshHost, playbooks: Playbooks, root: Path, tmp_path: Path) -> None:
        home = tmp_path / "h"
        playbooks.succeed(image(ssh_host, root), [{"ansible.builtin.command": "true"}], env={"ANSIBLE_HOME": str(home)})
        assert not [path for path in home.rglob("*") if path.is_socket()]
        assert not list(home.glob("tmp/*"))
        ssh_host.disconnect()

    def test_many_images_at_once(self, ssh_host: SshHost, playbooks: Playbooks, root: Path) -> None:
        """sshd allows ten sessions of one connection; ssh makes others by itself."""
        hosts = {f"image{number}": image(ssh_host, root)["image"] for number in range(14)}
        tasks = [{"ansible.builtin.command": "sleep 1"}]
        playbooks.succeed(hosts, tasks, env={"ANSIBLE_FORKS": "14"})


class TestPasswords:
    def test_login_and_sudo_may_ask(self, ssh_password_host: SshHost, playbooks: Playbooks, root: Path) -> None:
        ran = playbooks.succeed(
            image(ssh_password_host, root), [{"ansible.builtin.command": "true"}] * 2, env={"ANSIBLE_VERBOSITY": "5"}
        )
        assert ssh_password_host.user.password
        assert ssh_password_host.user.password not in ran.output

    def test_no_connection_need_be_shared(self, ssh_password_host: SshHost, root: Path) -> None:
        unshared = behind(ssh_password_host, ansible_ssh_args="-o ControlMaster=no")
        before = ssh_password_host.logins()
        run = command(ssh_password_host, root, ansible_chroot_build_host=unshared)
        assert [run("id -u")[1] for _time in range(3)] == [b"0\n"] * 3
        # One more is made by Ansible's plugin, which finds that it can share none.
        assert ssh_password_host.logins() - before <= 4

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"ansible_password": "wrong"}, "Cannot log in to the build host 127.0.0.1: .*Permission denied"),
            ({"ansible_become_password": "wrong"}, "sudo on the build host 127.0.0.1 does not take the password"),
            ({"ansible_become_password": None}, "sudo asks for a password .* ansible_become_password"),
        ],
        ids=["login", "sudo", "none for sudo"],
    )
    def test_what_is_wrong_is_said(
        self, ssh_password_host: SshHost, root: Path, changes: dict[str, t.Any], message: str
    ) -> None:
        ssh_password_host.disconnect()
        assert_refused(
            message, command(ssh_password_host, root, ansible_chroot_build_host=behind(ssh_password_host, **changes))
        )


def assert_refused(message: str, run: t.Callable[..., t.Any]) -> None:
    """A failed task, and never an unreachable host, which would skip what cleans up."""
    with pytest.raises(AnsibleError, match=message) as caught:
        run("true")
    # ansible-core looks at an error's causes too.
    error: BaseException | None = caught.value
    while error:
        assert not isinstance(error, AnsibleConnectionFailure)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert "\n" not in str(caught.value)


class TestRefusals:
    def test_a_build_host_that_is_down(self, ssh_host: SshHost, root: Path) -> None:
        there = behind(ssh_host, ansible_port=1)
        assert_refused("Connection refused", command(ssh_host, root, ansible_chroot_build_host=there))

    def test_a_key_that_does_not_fit(self, ssh_host: SshHost, root: Path, tmp_path: Path) -> None:
        there = behind(ssh_host, ansible_ssh_private_key_file=f"{ssh_host.folder}/host_key", ansible_user="games")
        assert_refused("Permission denied", command(ssh_host, root, ansible_chroot_build_host=there))

    def test_a_host_key_that_is_not_known(self, ssh_host: SshHost, root: Path) -> None:
        there = behind(
            ssh_host, ansible_ssh_common_args="-F /dev/null -o UserKnownHostsFile=/dev/null", ansible_user="x"
        )
        assert_refused("Host key verification failed", command(ssh_host, root, ansible_chroot_build_host=there))

    def test_a_login_that_may_not_become_root(self, ssh_host: SshHost) -> None:
        there = {**behind(ssh_host), "become": False}
        run = command(ssh_host, Path("/nowhere"), ansible_chroot_build_host=there, ansible_chroot_sandbox="web")
        assert_refused("the user who logs in there has none.* Permission denied", run)

    def test_a_directory_that_is_not_there(self, ssh_host: SshHost) -> None:
        assert_refused("There is no directory /nowhere on the build host", command(ssh_host, Path("/nowhere")))

    def test_a_sandbox_that_is_closed_says_why(self, ssh_host: SshHost) -> None:
        variables = {"ansible_chroot_sandbox": "web", "ansible_chroot_closed_reason": "It is built."}
        assert_refused("web of this image is not open .* It is built", command(ssh_host, Path("/x"), **variables))


class TestEnds:
    def test_a_command_ends_with_its_connection(self, ssh_host: SshHost, root: Path) -> None:
        failures: list[str] = []

        def run() -> None:
            try:
                command(ssh_host, root, ansible_chroot_agent=False)(f"exec sleep 4713.{OURS}")
            except AnsibleError as exc:
                failures.append(str(exc))

        command(ssh_host, root)("true")
        worker = threading.Thread(target=run)
        worker.start()
        eventually(lambda: running(f"4713.{OURS}"))
        ssh_host.disconnect()
        worker.join(timeout=120)
        assert "ended while a command ran there; the command was killed" in failures[0]
        eventually(lambda: not running(f"4713.{OURS}"))

    def test_a_task_that_takes_too_long_is_ended(self, ssh_host: SshHost, playbooks: Playbooks, root: Path) -> None:
        task = {"ansible.builtin.command": f"sleep 4714.{OURS}", "timeout": 3}
        ran = playbooks.run(image(ssh_host, root, ansible_chroot_agent=False), [task])
        assert ran.rc == 2
        assert "Timed out after 3 second(s)" in ran.output
        eventually(lambda: not running(f"4714.{OURS}"))

    def test_a_sandbox_that_is_closed_meanwhile(self, ssh_host: SshHost, root: Path) -> None:
        with opened(root) as record:
            run = command(ssh_host, root, ansible_chroot_sandbox=record.name, ansible_chroot_agent=False)

            def end() -> None:
                eventually(lambda: running(f"4715.{OURS}"))
                os.kill(record.pid, signal.SIGKILL)

            ending = threading.Thread(target=end)
            ending.start()
            assert_refused("was closed while a command ran in it", lambda _text: run(f"sleep 4715.{OURS}"))
            ending.join()


class TestDirectories:
    def test_a_sandbox_closes_when_it_is_no_longer_used(self, ssh_host: SshHost, root: Path) -> None:
        for seconds in (2, 10, 30):
            run = command(ssh_host, root, ansible_chroot_idle_timeout=seconds, ansible_chroot_agent=False)
            run(f"sleep {seconds + 2}; touch /run/here")
            first = record_of(root)
            if state.is_alive(first) and run("ls /run/here")[0] == 0:
                break
            closed(root)  # this machine was so busy that nothing used it for so long
        assert record_of(root) == first, "it was in use for longer than that"
        assert closed(root)
        assert run("ls /run/here")[0] != 0
        assert record_of(root) != first

    def test_all_tasks_of_all_hosts_share_it(self, ssh_host: SshHost, playbooks: Playbooks, root: Path) -> None:
        hosts = {name: image(ssh_host, root)["image"] for name in ("one", "two", "three")}
        tasks = [{"ansible.builtin.raw": "touch /run/{{ inventory_hostname }}"}, {"ansible.builtin.raw": "ls /run"}]
        playbooks.succeed(hosts, tasks)
        assert command(ssh_host, root)("cd /run; echo one two three; ls -d one two three")[0] == 0

    def test_a_controller_on_the_build_host_has_to_wait(
        self, ssh_host: SshHost, playbooks: Playbooks, root: Path
    ) -> None:
        command(ssh_host, root)("true")
        ran = playbooks.run(on(root), [{"ansible.builtin.raw": "true"}])
        assert "is in use" in ran.output
        assert "for connections over ssh" in ran.output


def test_sockets_of_the_build_host(ssh_host: SshHost, run_folder: Path) -> None:
    transport = BuildHost.from_option(behind(ssh_host)).to_transport()
    path = ssh_host.user.home / "socket"
    assert transport.run(["true"]).rc == 0
    assert transport.connect(str(path)) is None
    greeter = f"""
import socket, os
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind({str(path)!r})
    os.chown({str(path)!r}, {ssh_host.user.uid}, -1)
    listener.listen()
    for _time in range(2):
        with listener.accept()[0] as stream:
            stream.sendall(b"hello")
            stream.sendall(stream.recv(100))
"""
    worker = threading.Thread(target=transport.run, args=([*transport.python, "-c", greeter],))
    worker.start()
    eventually(path.exists)
    for _time in range(2):
        stream = eventually(lambda: transport.connect(str(path)))
        assert stream
        with stream:
            stream.sendall(b", world")
            assert stream.makefile("rb").read() == b"hello, world"
    worker.join(timeout=120)
    assert transport.connect(str(path)) is None
    path.unlink()
