# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways out by way of a process: what enters a sandbox comes from the build host, and so does its process 1."""

from __future__ import annotations

import ctypes
import os
import pty
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import enter_argv
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import LocalTransport

from tests.integration.sandbox.sandboxes import Host, enter, said


@pytest.fixture(params=[True, False], ids=["user_namespace", "no_user_namespace"])
def inside(host: Host, tree: Path, request: pytest.FixtureRequest) -> SandboxRecord:
    return host.open(root=str(tree), user_namespace=request.param)


@pytest.fixture
def strict(host: Host, tree: Path) -> SandboxRecord:
    return host.open(root=str(tree))


def transported(record: SandboxRecord, script: str) -> str:
    """What a script prints that is run as the connection runs it."""
    return LocalTransport().run(enter_argv(record, ["/bin/sh", "-c", script])).out.decode()


WRITE_TO_PROGRAM = """
import errno, os
print(bool(os.statvfs("/proc/1/exe").f_flag & os.ST_RDONLY))
try:
    os.utime("/proc/1/exe")
except OSError as exc:
    print(errno.errorcode[exc.errno])
"""


def test_the_build_hosts_python_behind_process_1_cannot_be_changed(inside: SandboxRecord) -> None:
    """It belongs to user 0, and root inside is user 0: without the read-only mount chmod(2) would work."""
    assert said(inside, f"python3 -c '{WRITE_TO_PROGRAM}'").split() == ["True", "EROFS"]
    assert said(inside, "readlink /proc/1/root; ls /proc/1/root/").split() == ["/", "image", "proc"]
    assert enter(inside, "touch /proc/1/root/made").stderr.endswith("Read-only file system\n")


def test_the_libraries_of_process_1_cannot_be_reached(strict: SandboxRecord) -> None:
    listed = said(strict, "cut -d' ' -f1 /proc/1/maps | head -1")
    assert "Operation not permitted" in enter(strict, f"cat /proc/1/map_files/{listed}").stderr


WATCH_ENTRANTS = """
import os
found, seen = set(), set()
print("watching", flush=True)
while len(seen) < 60:
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or pid in ("1", str(os.getpid())):
            continue
        seen.add(pid)
        try:
            program = os.readlink("/proc/%s/exe" % pid)
            status = os.stat("/proc/%s/exe" % pid)
            if not os.path.exists(program) or not os.path.samestat(status, os.stat(program)):
                found.add(program)
        except OSError:
            pass
print(len(seen), sorted(found))
"""


def test_an_entering_process_cannot_be_looked_into(strict: SandboxRecord) -> None:
    """Until it runs a program of the image, it is a program of the build host: who opens its /proc/PID/exe can write
    to it when it has ended. Without our measures this finds nsenter dozens of times in as many entries."""
    with subprocess.Popen(
        enter_argv(strict, ["python3", "-c", WATCH_ENTRANTS]), stdout=subprocess.PIPE, text=True
    ) as watcher:
        assert watcher.stdout
        assert watcher.stdout.readline() == "watching\n"
        # Until it has seen enough of them.
        while not select.select([watcher.stdout], [], [], 0)[0]:
            enter(strict, "true")
            enter(strict, "true", user="www-data")
        seen, found = watcher.stdout.readline().split(" ", 1)
    assert int(seen) >= 60
    assert found == "[]\n"


TAKE_PIDFDS = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
holder = libc.syscall(434, 1, 0)  # pidfd_open
print("holder", holder >= 0)
def attempt(name, *arguments):
    ctypes.set_errno(0)
    print(name, libc.syscall(*arguments) >= 0 or errno.errorcode[ctypes.get_errno()])
for fd in os.listdir("/proc/1/fd"):
    if "pidfd" in os.readlink("/proc/1/fd/" + fd):
        taken = libc.syscall(438, holder, int(fd), 0)  # pidfd_getfd
        attempt("signal", 424, taken, 0, None, 0)
        attempt("file", 438, taken, 0, 0)
        attempt("namespace", 268 if os.uname().machine == "aarch64" else 308, taken, 0x00020000)
"""


def test_the_process_that_is_watched_cannot_be_reached(host: Host, tree: Path) -> None:
    """Process 1 holds a file descriptor of the ansible-playbook process, whose end it waits for."""
    record = host.open(root=str(tree), watch_pid=os.getpid())
    assert said(record, f"python3 - <<'EOF'\n{TAKE_PIDFDS}\nEOF").splitlines() == [
        *("holder True", "signal EINVAL", "file EPERM", "namespace EPERM"),
    ]


def test_the_cgroups_of_the_build_host_cannot_be_mounted(strict: SandboxRecord) -> None:
    """Not those of a cgroup namespace of its own either, which would hold whatever runs beside the entering process."""
    for script in ("unshare --cgroup true", "mount -t cgroup2 none /mnt", "mount -t cgroup -o freezer none /mnt"):
        assert enter(strict, script).returncode != 0
    limit = Path("/proc/sys/user/max_cgroup_namespaces").read_text()
    assert int(limit) > 0


ESCAPE = """
import os
os.makedirs("/run/deeper", exist_ok=True)
place = os.open("/", os.O_RDONLY)
os.chroot("/run/deeper")
os.fchdir(place)
for _ in range(64):
    os.chdir("..")
os.chroot(".")
print(sorted(os.listdir("/")))
try:
    open("/made", "w")
except OSError as exc:
    print(exc.strerror)
"""


def test_a_double_chroot_ends_in_an_empty_read_only_tree(inside: SandboxRecord) -> None:
    assert said(inside, f"python3 - <<'EOF'\n{ESCAPE}\nEOF").splitlines() == [
        "['image', 'proc']",
        "Read-only file system",
    ]
    pivot = "mkdir /run/new && mount -t tmpfs new /run/new && mkdir /run/new/old && cd /run/new && pivot_root . old"
    before, after = said(inside, f"cd /; echo *; {pivot} && cd -P old && echo *").splitlines()
    assert after == before


OPEN_BY_HANDLE = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
handle = ctypes.create_string_buffer(bytes.fromhex("%s"))
results = set()
for place in ("/", "/etc", "/proc/1/root", "/usr"):
    opened = libc.open_by_handle_at(os.open(place, os.O_RDONLY), handle, os.O_RDONLY)
    results.add("opened" if opened >= 0 else errno.errorcode[ctypes.get_errno()])
print(*sorted(results))
"""


def test_files_beside_the_root_cannot_be_opened_by_their_handles(inside: SandboxRecord, tree: Path) -> None:
    """open_by_handle_at(2) takes a file by its number, on whatever file system the root's directory is."""
    secret = tree.parent / "beside-the-root"
    secret.write_text("secret\n")
    handle = ctypes.create_string_buffer(8 + 128)
    ctypes.c_uint.from_buffer(handle).value = 128
    mount_id = ctypes.c_int()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.name_to_handle_at(-100, os.fsencode(secret), handle, ctypes.byref(mount_id), 0) == 0
    said_inside = said(inside, f"python3 - <<'EOF'\n{OPEN_BY_HANDLE % handle.raw.hex()}\nEOF")
    assert said_inside
    assert set(said_inside.split()) <= {"EPERM", "ESTALE"}


def test_a_process_group_reaches_no_further_than_the_task(inside: SandboxRecord) -> None:
    """Signals to a process group cross PID namespaces. Every transport makes a session of its own."""
    transported(inside, "kill -KILL 0")
    assert state.is_alive(inside)
    assert transported(inside, "echo alive") == "alive\n"


@pytest.fixture
def host_files(tmp_path: Path) -> Iterator[list[int]]:
    """Files that a careless program of the build host has open, inheritably."""
    (tmp_path / "secret").write_text("secret\n")
    handles = [os.open(path, os.O_RDONLY) for path in (tmp_path, tmp_path / "secret")]
    for handle in handles:
        os.set_inheritable(handle, True)
    yield handles
    for handle in handles:
        os.close(handle)


@pytest.mark.usefixtures("host_files")
def test_no_open_file_of_the_build_host_is_handed_in(inside: SandboxRecord) -> None:
    links = transported(inside, "for fd in /proc/self/fd/*; do readlink $fd; done").split()
    assert {link.partition(":")[0].partition("[")[0] for link in links} <= {"/dev/null", "pipe", ""}
    assert "secret" not in transported(inside, "ls -l /proc/self/fd /proc/$PPID/fd")


TERMINAL = "exec 3<>/dev/tty || exit 0; python3 -c 'import fcntl; fcntl.ioctl(3, 0x5412, b\"x\")' && echo typed"


def test_the_users_terminal_is_out_of_reach(inside: SandboxRecord) -> None:
    """With TIOCSTI, who has a terminal types into it. A task has none, even when ansible-playbook has."""
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.write(1, transported(inside, f"({TERMINAL}) 2>&1; echo end").encode())
            # What a terminal holds can be lost when its last user ends: it waits to be hung up on.
            os.read(0, 1)
        finally:
            os._exit(0)
    shown = b""
    while b"end" not in shown and (chunk := _read(terminal)):
        shown += chunk
    os.close(terminal)
    os.waitpid(child, 0)
    assert b"No such device or address" in shown
    assert b"typed" not in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_two_builds_do_not_see_each_other(host: Host, strict: SandboxRecord, tmp_path: Path, tree: Path) -> None:
    second = tmp_path / "second"
    subprocess.run(["cp", "--archive", tree, second], check=True)
    other = host.open("other", root=str(second))
    with subprocess.Popen(enter_argv(other, ["sleep", "4711"]), start_new_session=True) as neighbour:
        said(other, "touch /tmp/of-the-other /run/of-the-other /dev/shm/of-the-other /root/of-the-other")
        assert "4711" not in said(strict, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert said(strict, "ls /tmp /run /dev/shm /root | grep of-the-other || true") == ""
        enter(strict, "kill -9 -1")
        assert neighbour.poll() is None
        host.close("other")
