# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ssh transport with a program in the place of ssh: what is handed to ssh, and the talk with what ssh runs.

That program runs the text for the build host by a shell, as sshd does. A real sshd is in the integration tests.
"""

from __future__ import annotations

import os
import signal
import typing as t
from pathlib import Path

import pytest
from ansible import constants as C
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound, Refused
from ansible_collections.bakehouse.images.plugins.plugin_utils._ssh_transport import SshTransport
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome

from tests.waiting import TimeIsUp, eventually, time_limit

# The last word is the text. "-O" asks about a shared connection, which there is.
RUNS_IT = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
case " $* " in *" -O "*) exit ;; esac
for text; do :; done
echo "A login shell says something"
echo "ssh says something" >&2
exec 3<&0
setsid /bin/bash -c "$text" <&3 &
exec 3<&-
wait $!
"""

HAS_NO_CONNECTION = """#!/bin/sh
echo "ssh: connect to host builder port 22: Connection refused" >&2
exit 255
"""

LOSES_IT = """#!/bin/sh
case " $* " in *" -O "*) exit ;; esac
for text; do :; done
exec 3<&0
setsid /bin/bash -c "$text" <&3 &
exec 3<&-
while sleep 0.05; do [ -e "$(dirname "$0")/lose" ] && break; done
echo "client_loop: send disconnect: Broken pipe" >&2
exit 255
"""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program in the place of ssh."""
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    path = tmp_path / "ssh"
    path.write_text(RUNS_IT)
    path.chmod(0o755)
    return path


@pytest.fixture
def transport(ssh: Path) -> SshTransport:
    return reached_by(ssh)


def reached_by(ssh: Path, *, wrapper: t.Sequence[str] = (), **variables: t.Any) -> SshTransport:
    known = {"ansible_host": "builder", "ansible_ssh_executable": str(ssh), "ansible_control_path_dir": str(ssh.parent)}
    return SshTransport({**known, **variables}, become=False, wrapper=wrapper)


class TestTheCommandLine:
    def test_options_of_ansibles_own_plugin_count(self) -> None:
        variables = {
            "ansible_host": "10.0.0.7",
            "ansible_port": 2222,
            "ansible_user": "builder",
            "ansible_ssh_private_key_file": "/keys/builder",
            "ansible_ssh_common_args": "-J jump.example.com",
            "ansible_ssh_extra_args": "-o Compression=no",
            "ansible_ssh_timeout": 33,
            "ansible_host_key_checking": False,
            "ansible_control_path": "%(directory)s/x",
            "ansible_control_path_dir": "/tmp",
        }
        line = " ".join(SshTransport(variables).argv(["true"]))
        for part in (
            "Port=2222",
            'User="builder"',
            'IdentityFile="/keys/builder"',
            "-J jump.example.com",
            "Compression=no",
            "ConnectTimeout=33",
            "StrictHostKeyChecking=no",
            'ControlPath="/tmp/x"',
            " 10.0.0.7 ",
        ):
            assert part in line

    def test_nobody_is_asked_and_no_terminal_is_used(self, ssh: Path) -> None:
        argv = reached_by(ssh, ansible_ssh_args="-tt -o ControlPersist=60s").argv(["true"])
        assert argv[1:3] == ["-o", "BatchMode=yes"]
        assert argv.index("-T") > argv.index("-tt")

    def test_connections_are_shared_with_delegated_tasks(self, ssh: Path) -> None:
        """ssh finds a shared connection by this path, which Ansible's plugin makes of host, port and user."""
        one, other = (reached_by(ssh, ansible_user=user).argv(["true"]) for user in ("builder", "root"))
        paths = [next(word for word in argv if word.startswith("ControlPath=")) for argv in (one, other)]
        assert len(set(paths)) == 2

    def test_sudo_is_used_as_its_plugin_says(self) -> None:
        variables = {"ansible_host": "builder", "ansible_become_exe": "/opt/sudo", "ansible_become_flags": "-H -n"}
        text = SshTransport(variables, become=True).argv(["true"])[-1]
        assert "/opt/sudo -H -n" in text
        assert "-u root" in text

    def test_root_needs_no_sudo(self) -> None:
        assert "id -u" in SshTransport({"ansible_host": "builder"}).argv(["true"])[-1]
        assert SshTransport({"ansible_host": "builder"}, become=False).argv(["echo", "a b"])[-1] == "echo 'a b'"

    def test_the_image_knows_nothing_of_it(self, ssh: Path) -> None:
        """Variables that are not given are not looked for elsewhere."""
        assert not any("User=" in word for word in reached_by(ssh).argv(["true"]))


@pytest.mark.parametrize("status", [0, 1, 126, 127, 137, 254, 255])
def test_statuses_are_exact(transport: SshTransport, status: int) -> None:
    assert transport.run(["sh", "-c", f"exit {status}"]).rc == status


def test_a_signal_is_128_and_its_number(transport: SshTransport) -> None:
    assert transport.run(["sh", "-c", "kill -KILL $$"]).rc == 128 + signal.SIGKILL


def test_outputs_are_kept_apart_and_others_have_no_say(transport: SshTransport) -> None:
    assert transport.run(["sh", "-c", "echo out; echo err >&2; exit 3"]) == Outcome(3, b"out\n", b"err\n")


def test_arguments_arrive_as_they_are(transport: SshTransport) -> None:
    words = ["a && b", "$(id)", "'", '"', "-n\n", "", "*", "\\", "!", "ü\udcff", "-"]
    done = transport.run(["printf", "%s|", *words])
    assert done.out == b"|".join(os.fsencode(word) for word in words) + b"|"


def test_arguments_of_any_length(transport: SshTransport) -> None:
    """More than a shell takes in one word (execve(2), 128 KiB)."""
    assert len(transport.run(["printf", "%s", *["x" * 100_000] * 5]).out) == 500_000


def test_input_larger_than_any_pipe_comes_back(transport: SshTransport) -> None:
    data = os.urandom(5 << 20)
    assert transport.run(["cat"], stdin=data).out == data


def test_a_command_need_not_read_its_input(transport: SshTransport) -> None:
    assert transport.run(["sh", "-c", "exec <&-; sleep 0.2; exit 4"], stdin=b"x" * (1 << 20)).rc == 4


def test_without_input_the_command_sees_its_end(transport: SshTransport) -> None:
    assert transport.run(["sh", "-c", "cat; echo done"]) == Outcome(0, b"done\n", b"")


def test_files_are_streamed_from_where_they_stand(transport: SshTransport, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "in").write_bytes(b"head" + data)
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        source.seek(4)
        assert transport.run(["cat"], stdin=source, stdout=target) == Outcome(0, b"", b"")
    assert (tmp_path / "out").read_bytes() == data


@pytest.mark.parametrize(
    "script",
    ["sleep 1000 & echo $!", "yes >&2 & echo $!", "head -c 3000000 /dev/zero >&2; sleep 1000 & echo $!"],
    ids=["keeps outputs open", "never stops writing", "after large output"],
)
def test_what_is_left_behind_is_not_waited_for(transport: SshTransport, script: str) -> None:
    done = transport.run(["sh", "-c", script])
    os.kill(int(done.out), signal.SIGKILL)
    assert done.rc == 0
    assert "3000000" not in script or len(done.err) == 3_000_000


def test_sigpipe_means_what_it_always_means(transport: SshTransport) -> None:
    assert transport.run(["bash", "-c", "yes | head -n 1; echo ${PIPESTATUS[0]}"]).out == b"y\n141\n"


def test_the_wrapper_stands_before_each_command(ssh: Path) -> None:
    assert reached_by(ssh, wrapper=["env", "A=1"]).run(["sh", "-c", "echo $A"]).out == b"1\n"


def test_one_process_of_ssh_for_one_command_once_logged_in(ssh: Path) -> None:
    for expected in (2, 3, 4):
        reached_by(ssh).run(["true"], stdin=b"x")
        assert (ssh.parent / "calls").read_text().count("BatchMode") == expected


def test_a_command_that_is_not_there_is_named(transport: SshTransport) -> None:
    with pytest.raises(NotFound, match="The command no-such-command cannot be run on the build host builder: No such"):
        transport.run(["no-such-command"])


class TestPython:
    """Of the build host. Nothing else has to be there."""

    def test_the_one_that_is_named(self, ssh: Path, tmp_path: Path) -> None:
        python = tmp_path / "python"
        python.write_text('#!/bin/sh\necho used > "$(dirname "$0")/used"\nexec python3 "$@"\n')
        python.chmod(0o755)
        assert reached_by(ssh, ansible_python_interpreter=str(python)).run(["true"]).rc == 0
        assert (tmp_path / "used").exists()

    def test_it_is_there_for_others_too(self, transport: SshTransport) -> None:
        assert transport.run([*transport.python, "-c", "print(6 * 7)"]).out == b"42\n"

    def test_none(self, ssh: Path) -> None:
        with pytest.raises(Refused, match=r"(?s)\(status 127\): .*There is no Python: /no/python"):
            reached_by(ssh, ansible_python_interpreter="/no/python").run(["true"])


class TestFailures:
    def test_no_connection(self, ssh: Path) -> None:
        ssh.write_text(HAS_NO_CONNECTION)
        with pytest.raises(Refused, match="Cannot log in to the build host builder: .*Connection refused"):
            reached_by(ssh).run(["true"])

    def test_options_that_cannot_be_followed(self, ssh: Path) -> None:
        with pytest.raises(Refused, match="ssh cannot be used for the build host builder: .*private key"):
            reached_by(ssh, ansible_private_key="no key").run(["true"])

    def test_ssh_is_not_installed(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="ssh-of-nowhere is not installed on the controller"):
            reached_by(tmp_path / "ssh-of-nowhere").run(["true"])

    def test_a_connection_that_is_lost_takes_its_command_along(self, ssh: Path, tmp_path: Path) -> None:
        ssh.write_text(LOSES_IT)
        pid = tmp_path / "pid"
        with pytest.raises(BuildError, match="ended while a command ran there; the command was killed. .*Broken pipe"):
            reached_by(ssh).run(["sh", "-c", f"echo $$ > {pid}; touch {tmp_path}/lose; sleep 1000"])
        eventually(lambda: not Path(f"/proc/{int(pid.read_text())}").exists())

    def test_a_login_shell_that_runs_nothing(self, ssh: Path) -> None:
        ssh.write_text("#!/bin/sh\necho This account is currently not available.\nexit 1\n")
        with pytest.raises(Refused, match=r"\(status 1\): This account is currently not available"):
            reached_by(ssh).run(["true"])


def test_a_command_given_up_is_ended(transport: SshTransport, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with time_limit(lambda: pid.exists() and pid.read_text()), pytest.raises(TimeIsUp):
        transport.run(["sh", "-c", 'echo $$ > "$1"; sleep 1000', "sh", str(pid)], stdin=b"x")
    eventually(lambda: not Path(f"/proc/{int(pid.read_text())}").exists())
