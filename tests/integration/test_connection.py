# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection on an open sandbox: commands and files."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import threading
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound

from tests.integration.roots import connect, opened, tiny_root, unpack
from tests.waiting import TimeIsUp, eventually, time_limit

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.connection.chroot import Connection

HOSTILE_NAMES = [
    "two words",
    "-n",
    "it's",
    'say "$HOME"',
    "new\nline",
    "$(touch pwned)",
    "ä ö ☃",
    "a;b&&c|d",
    "*?[x]",
    "\\",
]


@pytest.fixture(scope="module")
def root(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(debian_tarball, tmp_path_factory.mktemp("connection") / "root")


@pytest.fixture(scope="module")
def sandbox(root: Path) -> Iterator[str]:
    with opened(root) as record:
        image = connect(ansible_chroot_sandbox=record.name)
        script = (
            "groupadd staff2; useradd --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "
            "--groups staff2 app; passwd --quiet --lock app"
        )
        assert image.exec_command(script)[0] == 0
        yield record.name


@pytest.fixture
def image(sandbox: str) -> Connection:
    return connect(ansible_chroot_sandbox=sandbox)


@pytest.fixture
def tiny(root: Path, tmp_path: Path) -> Path:
    return tiny_root(root, tmp_path / "root")


@pytest.fixture(autouse=True)
def _time_limit() -> Iterator[None]:
    """What hangs fails."""

    def ring(_number: int, _frame: object) -> None:
        raise TimeoutError("the test has not ended within five minutes")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(300)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def out(image: Connection, command: str, data: bytes | None = None) -> str:
    rc, output, errors = image.exec_command(command, in_data=data)
    assert rc == 0, errors.decode()
    return output.decode()


class TestCommands:
    @pytest.mark.parametrize("status", [0, 1, 2, 5, 100, 126, 127, 128, 255])
    def test_statuses_are_exact(self, image: Connection, status: int) -> None:
        assert image.exec_command(f"exit {status}") == (status, b"", b"")

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
    def test_death_by_a_signal_shows(self, image: Connection, number: int) -> None:
        assert image.exec_command(f"exec sh -c 'kill -{int(number)} $$'")[0] == 128 + number

    def test_outputs_are_kept_apart(self, image: Connection) -> None:
        assert image.exec_command("echo out; echo err >&2") == (0, b"out\n", b"err\n")

    def test_all_parts_of_a_command_run_in_the_image(self, image: Connection, root: Path) -> None:
        (root / "etc" / "only-here").write_text("image\n")
        assert out(image, "cat /etc/only-here && cat /etc/only-here; cat /etc/only-here") == "image\n" * 3

    def test_text_arrives_as_it_is(self, image: Connection) -> None:
        text = "☃ 'quoted' \"twice\" $HOME `id` \\n\nline"
        assert out(image, f"printf %s {shlex.quote(text)}") == text

    def test_input_of_any_size(self, image: Connection) -> None:
        data = os.urandom(10 << 20)
        assert out(image, "sha256sum", data).split()[0] == hashlib.sha256(data).hexdigest()

    def test_a_daemon_left_behind_is_not_waited_for(self, image: Connection) -> None:
        assert out(image, "sleep 1000 & echo started") == "started\n"

    @pytest.mark.parametrize("user", ["root", "app"])
    def test_a_command_given_up_ends_in_the_image_too(self, sandbox: str, root: Path, user: str) -> None:
        image = connect(ansible_chroot_sandbox=sandbox, ansible_user=user)
        begun = root / "var/tmp" / f"begun-by-{user}"
        with time_limit(begun.exists), pytest.raises(TimeIsUp):
            image.exec_command(f"tail -f /dev/null & : > /var/tmp/{begun.name}; tail -f /dev/null")
        # SIGKILL is sent, not waited for.
        eventually(lambda: "tail\n" not in out(image, "cat /proc/[0-9]*/comm 2>/dev/null || :"))

    def test_the_environment_is_the_images(self, image: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        assert dict(line.split("=", 1) for line in out(image, "env").splitlines()) == {
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "LOGNAME": "root",
            "PATH": "/run/bakehouse/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PWD": "/root",
            "SHELL": "/bin/bash",
            "SYSTEMD_OFFLINE": "1",
            "USER": "root",
            "debian_chroot": "image",
        }

    def test_the_controllers_mode_mask_and_directory_stay_outside(
        self, image: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        before = os.umask(0o077)
        try:
            assert out(image, "umask; pwd") == "0022\n/root\n"
        finally:
            os.umask(before)

    def test_no_open_file_leads_out(self, image: Connection, tmp_path: Path) -> None:
        with (tmp_path / "open").open("w") as stream:
            os.set_inheritable(stream.fileno(), True)
            assert str(tmp_path) in os.readlink(f"/proc/self/fd/{stream.fileno()}")
            links = out(image, "ls -l /proc/self/fd/")
        assert str(tmp_path) not in links


class TestUsers:
    def test_any_user_of_the_image_runs_commands(self, sandbox: str) -> None:
        image = connect(ansible_chroot_sandbox=sandbox, ansible_user="app")
        assert out(image, "id -un; id -Gn; pwd; echo $HOME $SHELL $USER") == (
            "app\napp staff2\n/\n/nonexistent /usr/sbin/nologin app\n"
        )

    def test_a_user_that_is_not_there(self, sandbox: str) -> None:
        with pytest.raises(AnsibleError, match="The image has no user nobody-knows"):
            connect(ansible_chroot_sandbox=sandbox, ansible_user="nobody-knows").exec_command("true")


class TestFiles:
    def test_large_binary_files_come_and_go(self, image: Connection, tmp_path: Path) -> None:
        size = 100 << 20
        block = os.urandom(1 << 20)
        with (tmp_path / "there").open("wb") as stream:
            for number in range(size >> 20):
                stream.write(number.to_bytes(4, "big") + block[4:])
        digest = hashlib.sha256((tmp_path / "there").read_bytes()).hexdigest()
        image.put_file(str(tmp_path / "there"), "/root/large")
        assert out(image, "sha256sum < /root/large").split()[0] == digest
        image.fetch_file("/root/large", str(tmp_path / "back"))
        assert hashlib.sha256((tmp_path / "back").read_bytes()).hexdigest() == digest
        out(image, "rm /root/large")

    @pytest.mark.parametrize("content", [b"", b"\0", b"no newline", bytes(range(256))])
    def test_exact_bytes(self, image: Connection, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "there").write_bytes(content)
        image.put_file(str(tmp_path / "there"), "/root/exact")
        image.fetch_file("/root/exact", str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == content

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_names_are_only_names(self, image: Connection, root: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("text")
        image.put_file(str(tmp_path / name), f"/srv/{name}")
        assert [path.name for path in (root / "srv").iterdir()] == [name]
        image.fetch_file(f"/srv/{name}", str(tmp_path / "back"))
        assert (tmp_path / "back").read_text() == "text"
        (root / "srv" / name).unlink()

    @pytest.mark.parametrize(
        "to", ["{host}", "../../../../../../../../../../../..{host}"], ids=["absolute", "relative"]
    )
    def test_links_never_lead_to_the_build_host(self, image: Connection, root: Path, tmp_path: Path, to: str) -> None:
        host = tmp_path / "host"
        host.mkdir()
        (host / "secret").write_text("secret")
        link = root / "srv" / "link"
        link.symlink_to(to.format(host=host))
        (tmp_path / "new").write_text("new")
        with pytest.raises(AnsibleError, match="No such file|Directory nonexistent"):
            image.put_file(str(tmp_path / "new"), "/srv/link/new")
        with pytest.raises(AnsibleError, match="No such file"):
            image.fetch_file("/srv/link/secret", str(tmp_path / "stolen"))
        assert [path.name for path in host.iterdir()] == ["secret"]
        assert not (tmp_path / "stolen").exists()
        link.unlink()

    def test_what_cannot_be_written_is_an_error(self, image: Connection, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("text")
        with pytest.raises(AnsibleError, match="Cannot write /no/such/place in the image"):
            image.put_file(str(tmp_path / "file"), "/no/such/place")
        with pytest.raises(AnsibleError, match="Cannot write /dev/full in the image.*No space left"):
            image.put_file(str(tmp_path / "file"), "/dev/full")
        with pytest.raises(AnsibleFileNotFound, match="does not exist on the controller"):
            image.put_file(str(tmp_path / "missing"), "/root/x")

    def test_what_cannot_be_read_leaves_no_half_file(self, image: Connection, tmp_path: Path) -> None:
        with pytest.raises(AnsibleError, match="Cannot read /etc in the image.*Is a directory"):
            image.fetch_file("/etc", str(tmp_path / "back"))
        assert not (tmp_path / "back").exists()

    def test_files_belong_to_the_user_and_are_no_more_than_readable(
        self, sandbox: str, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("text")
        connect(ansible_chroot_sandbox=sandbox, ansible_user="app").put_file(str(tmp_path / "file"), "/var/tmp/mine")
        found = (root / "var/tmp/mine").stat()
        assert found.st_uid != 0
        assert found.st_mode & 0o777 == 0o644


class TestTrust:
    """An image that means ill gets pipes, and nothing else of the controller's."""

    def test_the_file_being_copied_cannot_be_changed(self, tiny: Path, tmp_path: Path) -> None:
        (tiny / "usr/bin/cat").unlink()
        (tiny / "usr/bin/cat").write_text("#!/bin/sh\necho changed > /proc/self/fd/0\nread line\n")
        (tiny / "usr/bin/cat").chmod(0o755)
        (tmp_path / "file").write_text("text\n")
        with opened(tiny) as record:
            connect(ansible_chroot_sandbox=record.name).put_file(str(tmp_path / "file"), "/file")
        assert (tmp_path / "file").read_text() == "text\n"


class TestSmallestImage:
    """A shell and cat: enough for raw commands and files."""

    def test_commands_and_files(self, tiny: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"\0text")
        with opened(tiny) as record:
            image = connect(ansible_chroot_sandbox=record.name)
            assert out(image, "echo $USER $HOME").split()[0] == "root"
            image.put_file(str(tmp_path / "file"), "/file")
            image.fetch_file("/file", str(tmp_path / "back"))
            assert (tmp_path / "back").read_bytes() == b"\0text"
            rc, _out, err = image.exec_command("python3 -V")
            assert (rc, b"python3: not found" in err) == (127, True)

    def test_a_sandbox_that_ends_fails_the_task(self, tiny: Path) -> None:
        with opened(tiny) as record:
            image = connect(ansible_chroot_sandbox=record.name, ansible_chroot_closed_reason="The build failed.")

            def end() -> None:
                eventually((tiny / "begun").exists)
                os.kill(record.pid, signal.SIGKILL)

            ending = threading.Thread(target=end)
            ending.start()
            with pytest.raises(AnsibleError, match="was closed while a command ran") as caught:
                image.exec_command(": > /begun; while :; do :; done")
            ending.join()
            assert not isinstance(caught.value, AnsibleConnectionFailure)
            for another in (image, connect(ansible_chroot_sandbox=record.name)):
                with pytest.raises(AnsibleError, match="has been closed|not open"):
                    another.exec_command("true")
