# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build host behind SSH: this machine, by a real sshd on a port of its own, and users made for the session.

The fixture C(ssh_host) is what most tests want::

    def test_something(ssh_host: SshHost) -> None:
        inventory = {"build-host": ssh_host.variables}

C(ssh_password_host) is the same for a user who logs in, and uses sudo, with a password. C(ssh_host.reached_by(...))
starts a further sshd on the same users with other settings, such as one that allows no forwarding.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import typing as t
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.leftovers import MARK
from tests.waiting import eventually

SSHD = "/usr/sbin/sshd"
#: The interpreter for modules on the build host: Debian's. The test run's own may be one that only root can read.
PYTHON = "/usr/bin/python3"
#: User names end with the number of the process that made them, so that a later session knows what is left over.
PREFIX = "bakehouse-"
SUDOERS = Path("/etc/sudoers.d")

# What sshd is told besides; everything else is as in an sshd that nobody has configured, its limits on sessions too.
# The session's mark lets tests/leftovers.py see what logins leave running.
SSHD_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
UsePAM no
PermitRootLogin no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
SetEnv {mark}
"""


@dataclasses.dataclass(frozen=True)
class LoginUser:
    """An ordinary user of the build host.

    Attributes:
        name: as C(/etc/passwd) has it.
        key: the private key that logs in; None for the user with a password.
        password: for the login and for sudo; None for the user with a key, whom sudo asks nothing.
    """

    name: str
    key: Path | None = None
    password: str | None = None

    @property
    def home(self) -> Path:
        """The home directory."""
        return Path("/home") / self.name

    @property
    def uid(self) -> int:
        """The number."""
        return pwd.getpwnam(self.name).pw_uid


@dataclasses.dataclass(frozen=True)
class SshHost:
    """One user's way to the build host.

    Attributes:
        user: who logs in.
        port: of the sshd on 127.0.0.1.
        folder: of that sshd: its keys, C(known_hosts) and C(log).
        control: where ssh keeps the sockets of shared connections (ControlPath); they are closed at the end.
    """

    user: LoginUser
    port: int
    folder: Path
    control: Path

    @property
    def variables(self) -> dict[str, t.Any]:
        """The variables of an inventory host with Ansible's own ssh connection, as a user would write them."""
        found: dict[str, t.Any] = {
            "ansible_connection": "ansible.builtin.ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": self.user.name,
            "ansible_ssh_common_args": f"-F /dev/null -o UserKnownHostsFile={self.folder}/known_hosts",
            "ansible_control_path_dir": str(self.control),
            "ansible_python_interpreter": PYTHON,
        }
        if self.user.key:
            found["ansible_ssh_private_key_file"] = str(self.user.key)
        if self.user.password:
            found |= {"ansible_password": self.user.password, "ansible_become_password": self.user.password}
        return found

    @property
    def build_host(self) -> dict[str, t.Any]:
        """The value of C(ansible_chroot_build_host) of an image on this build host."""
        return {"transport": "ssh", "variables": self.variables}

    def argv(self, *command: str) -> list[str]:
        """A plain ssh command line that runs a command there, apart from all that Ansible does."""
        options = ["-F", "/dev/null", "-o", f"UserKnownHostsFile={self.folder}/known_hosts", "-p", str(self.port)]
        key = ["-i", str(self.user.key), "-o", "BatchMode=yes"] if self.user.key else []
        return ["ssh", *options, *key, f"{self.user.name}@127.0.0.1", "--", *command]

    def log(self) -> str:
        """What sshd has said so far: a line with "Accepted" for each login."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def logins(self) -> int:
        """How often anyone has logged in."""
        return self.log().count("Accepted ")

    def disconnect(self) -> None:
        """Close the shared connections, so that the next command logs in again."""
        close_masters(self.control)

    @contextlib.contextmanager
    def reached_by(self, **settings: str) -> Iterator[SshHost]:
        """The same user by another sshd, with settings of sshd_config(5)."""
        with sshd(**settings) as (port, folder):
            yield dataclasses.replace(self, port=port, folder=folder)
            self.disconnect()


@contextlib.contextmanager
def sshd(**settings: str) -> Iterator[tuple[int, Path]]:
    """An sshd that runs; its port, and the folder with its C(known_hosts) and C(log)."""
    folder = Path(tempfile.mkdtemp(prefix="bakehouse-sshd-"))
    _make_key(folder / "host_key")
    # Its place for processes without rights, which a system's start makes where one runs as a service.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    try:
        port, process = _start(folder, settings)
        try:
            yield port, folder
        finally:
            # Connections have processes of their own, which end when their clients do.
            process.terminate()
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder)


def _start(folder: Path, settings: Mapping[str, str]) -> tuple[int, subprocess.Popen[bytes]]:
    mark = f"{MARK}={os.environ.get(MARK, 'none')}"
    public = " ".join((folder / "host_key.pub").read_text().split()[:2])
    for _attempt in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        # sshd takes the first value it reads.
        given = "".join(f"{name} {value}\n" for name, value in settings.items())
        (folder / "config").write_text(given + SSHD_CONFIG.format(port=port, folder=folder, mark=mark))
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", SSHD, "-D", "-f", str(folder / "config"), "-E", str(folder / "log")],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        if _starts(process, port, folder / "log"):
            return port, process
        # Another process may have taken the port meanwhile.
    raise AssertionError(f"sshd does not start: {(folder / 'log').read_text()}")


def _starts(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    def listens() -> bool:
        # Who answers there may be the process that has taken the port.
        return log.exists() and f"Server listening on 127.0.0.1 port {port}." in log.read_text(encoding="utf-8")

    eventually(lambda: process.poll() is not None or listens())
    return process.poll() is None


@contextlib.contextmanager
def login_user(kind: str, folder: Path, *, password: str | None = None) -> Iterator[LoginUser]:
    """A user for the session, removed with all that is its own.

    Args:
        kind: tells the session's users apart.
        folder: for the key.
        password: what login and sudo ask for; without it a key logs in, and sudo asks nothing.
    """
    key = None if password else folder / kind
    user = LoginUser(f"{PREFIX}{kind}-{os.getpid()}", key, password)
    try:
        _run("useradd", "--create-home", "--home-dir", str(user.home), "--shell", "/bin/bash", user.name)
        if key:
            _make_key(key)
            # No password fits, and yet the user is not locked.
            _run("usermod", "--password", "*", user.name)
            authorized = user.home / ".ssh" / "authorized_keys"
            authorized.parent.mkdir(mode=0o700)
            shutil.copy(f"{key}.pub", authorized)
            for path in (authorized.parent, authorized):
                os.chown(path, user.uid, user.uid)
        else:
            _run("chpasswd", stdin=f"{user.name}:{password}\n")
        rules = f"{user.name} ALL=(ALL:ALL) {'' if password else 'NOPASSWD: '}ALL\n"
        sudoers = SUDOERS / user.name
        sudoers.write_text(f"Defaults:{user.name} env_keep += {MARK}\n{rules}")
        sudoers.chmod(0o440)
        yield user
    finally:
        left = _remove_user(user.name)
    assert not left, f"{user.name} has left: {left}"


def _remove_user(name: str) -> list[str]:
    """Remove a user, and what it runs; returned is what still ran some seconds after the connections were closed."""
    (SUDOERS / name).unlink(missing_ok=True)
    for record in ("/run/sudo/ts", "/var/lib/sudo/lectured"):
        (Path(record) / name).unlink(missing_ok=True)
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        return []
    left: dict[int, str] = {}
    with contextlib.suppress(AssertionError):
        eventually(lambda: not _processes_of(uid), seconds=30)
    while running := _processes_of(uid):
        left |= running
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    _run("userdel", "--remove", "--force", name)
    return [f"{pid} {line}" for pid, line in left.items()]


def _processes_of(uid: int) -> dict[int, str]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == uid and (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


def _remove_users_of_dead_sessions() -> None:
    """What sessions have left that were killed."""
    for entry in pwd.getpwall():
        number = entry.pw_name.rpartition("-")[2]
        if entry.pw_name.startswith(PREFIX) and number.isdecimal() and not Path("/proc", number).exists():
            _remove_user(entry.pw_name)


def close_masters(control: Path) -> None:
    """End the ssh processes that hold shared connections open (ControlPersist)."""
    for path in control.iterdir():
        if path.is_socket():
            command = ["ssh", "-F", "/dev/null", "-o", f"ControlPath={path}", "-O", "exit", "any"]
            subprocess.run(command, check=False, capture_output=True)
    eventually(lambda: not any(control.iterdir()))


@contextlib.contextmanager
def _host(kind: str, *, password: str | None = None) -> Iterator[SshHost]:
    _remove_users_of_dead_sessions()
    # Not in pytest's folder: the path of a socket may have no more than 107 characters.
    with tempfile.TemporaryDirectory(prefix="bakehouse-ssh-") as name, contextlib.ExitStack() as stack:
        control = Path(name, "cp")
        control.mkdir()
        user = stack.enter_context(login_user(kind, Path(name), password=password))
        port, folder = stack.enter_context(sshd())
        stack.callback(close_masters, control)
        yield SshHost(user, port, folder, control)


@pytest.fixture(scope="session")
def ssh_host(_nothing_left: None) -> Iterator[SshHost]:
    """This machine as a build host behind SSH, by a user with a key and a sudo that asks for nothing."""
    with _host("key") as host:
        yield host


@pytest.fixture(scope="session")
def ssh_password_host(_nothing_left: None) -> Iterator[SshHost]:
    """The same by a user whom both the login and sudo ask for a password."""
    with _host("password", password="correct horse 'battery' $taple") as host:
        yield host


def _make_key(path: Path) -> None:
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bakehouse tests", "-f", str(path))


def _run(*argv: str, stdin: str | None = None) -> None:
    done = subprocess.run(argv, check=False, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}: {done.stderr}"


__all__ = ("PYTHON", "LoginUser", "SshHost", "close_masters", "login_user", "ssh_host", "ssh_password_host", "sshd")
