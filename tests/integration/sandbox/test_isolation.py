# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What root in a sandbox cannot change on the build host. docs/isolation.md lists these tests, each by its name."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord

from tests.integration.disks import Disk, loop_disk, run
from tests.integration.sandbox.host_state import MARK, host_state, is_unchanged
from tests.integration.sandbox.sandboxes import Host, enter, said
from tests.waiting import eventually


@pytest.fixture(params=[True, False], ids=["user_namespace", "no_user_namespace"])
def inside(host: Host, tree: Path, request: pytest.FixtureRequest) -> Iterator[SandboxRecord]:
    """A sandbox of either kind. Whatever a test does in it, the build host is the same afterwards."""
    before = host_state()
    yield host.open(root=str(tree), user_namespace=request.param)
    host.close_all()
    assert is_unchanged(before)


@pytest.fixture
def strict(host: Host, tree: Path) -> Iterator[SandboxRecord]:
    """The same, for what takes a user namespace."""
    before = host_state()
    yield host.open(root=str(tree))
    host.close_all()
    assert is_unchanged(before)


def refused(record: SandboxRecord, *commands: str) -> bool:
    """Whether each of the commands fails, run by root in the sandbox, and is known there."""
    for command in commands:
        done = enter(record, command)
        assert done.returncode != 0, f"{command}: {done.stdout}"
        assert "not found" not in done.stderr, done.stderr
    return True


def python(record: SandboxRecord, program: str, user: str | None = None) -> str:
    """What a Python program says that root, or another user, runs in the sandbox."""
    return said(record, f"python3 - <<'EOF'\n{program}\nEOF", user)


def test_kernel_file_systems_of_its_own_are_refused(strict: SandboxRecord) -> None:
    kinds = (
        "devtmpfs",
        "proc",
        "sysfs",
        "cgroup",
        "cgroup2",
        "debugfs",
        "tracefs",
        "securityfs",
        "configfs",
        "efivarfs",
    )
    assert refused(strict, *(f"mount -t {kind} {MARK} /mnt" for kind in kinds))
    assert refused(
        strict, "mount -o remount,rw /proc/sys", "mount -o remount,rw /sys", "mount -o remount,rw /proc/1/root"
    )


def test_mounts_stay_inside(inside: SandboxRecord) -> None:
    enter(
        inside, f"mount --make-rshared /; mkdir -p /mnt/{MARK}; mount -t tmpfs {MARK} /mnt/{MARK}; touch /mnt/{MARK}/x"
    )
    assert said(inside, f"ls /mnt/{MARK}") == "x"
    enter(inside, "umount -a; umount -l /proc /sys /dev /run /tmp; umount -l /")
    assert MARK not in Path("/proc/self/mountinfo").read_text()


def test_mounts_of_the_sandbox_cannot_be_taken_away(strict: SandboxRecord) -> None:
    assert refused(strict, *(f"umount -l {point}" for point in ("/proc/sys", "/proc", "/sys", "/dev", "/run", "/")))
    # Roles mount these two anew, and may. Below is another one, which is empty.
    assert refused(strict, "umount -l /tmp && umount -l /tmp", "umount -l /dev/shm && umount -l /dev/shm")


def test_disks_have_no_nodes_and_nodes_that_the_image_brings_are_dead(
    host: Host, tree: Path, tmp_path: Path, inside: SandboxRecord
) -> None:
    with loop_disk(tmp_path / "other-build.raw", 8) as other:
        number = os.stat(other.path).st_rdev
        for place in (tree / "root/planted", tree / "srv/planted"):
            os.mknod(place, 0o60666, number)
        assert refused(inside, f"mknod /root/made b {os.major(number)} {os.minor(number)}")
        assert refused(inside, f"test -e {other.path}", "cat /root/planted", "echo hello > /srv/planted")
        assert refused(inside, f"losetup {other.path}", "mknod /root/control c 10 237", "mknod /root/mem c 1 1")
        host.close()
        assert Path(other.path).read_bytes() == bytes(8 << 20)
        for place in (tree / "root/planted", tree / "srv/planted"):
            place.unlink()


def test_nodes_on_mounts_below_a_directory_are_dead_too(host: Host, tree: Path, tmp_path: Path) -> None:
    place = tree / "srv/a place"
    place.mkdir()
    run("mount", "-t", "tmpfs", MARK, place)
    try:
        with loop_disk(tmp_path / "other-build.raw", 8) as other:
            os.mknod(place / "planted", 0o60666, os.stat(other.path).st_rdev)
            record = host.open(root=str(tree))
            assert said(record, "ls '/srv/a place'") == "planted"
            assert refused(record, "cat '/srv/a place/planted'", "mount -o remount,bind,dev '/srv/a place'")
            host.close()
    finally:
        run("umount", place)
        place.rmdir()


def test_the_disk_of_another_build_is_not_there(host: Host, ext4_disk: Disk, xfs_disk: Disk) -> None:
    record = host.open(device=ext4_disk.path)
    host.open("other", device=xfs_disk.path)
    name = os.path.basename(xfs_disk.path)
    assert os.path.basename(ext4_disk.path) in said(record, "ls /dev").split()
    assert name not in said(record, "ls /dev; ls /dev/disk/by-uuid; cut -d' ' -f10- /proc/self/mountinfo")
    assert refused(record, f"mount {ext4_disk.partition(3)} /mnt", f"mknod /root/other b 7 {name.removeprefix('loop')}")


NETWORK = """
import fcntl, socket, struct
def attempt(deed):
    try:
        deed()
        print("done")
    except PermissionError:
        print("refused")
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def route():
    address = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton("192.0.2.0"))
    mask = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton("255.255.255.0"))
    fcntl.ioctl(control, 0x890B, bytearray(struct.pack("=Q", 0) + address + address + mask + bytes(120)))
def netlink(protocol, kind, body):
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    link.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
    answer = link.recv(4096)
    if struct.unpack_from("=i", answer, 16)[0] == -1:
        raise PermissionError
attempt(lambda: fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 0)))  # SIOCSIFFLAGS: down
attempt(lambda: fcntl.ioctl(control, 0x8922, struct.pack("16si12x", b"lo", 1280)))  # SIOCSIFMTU
attempt(route)  # SIOCADDRT
attempt(lambda: netlink(0, 16, struct.pack("=BxHiII", 0, 0, 0, 1, 1)))  # RTM_NEWLINK
attempt(lambda: netlink(12, 10 << 8, struct.pack("=BBH", 2, 0, 0)))  # NFT_MSG_NEWTABLE: the firewall
"""


def test_interfaces_routes_and_the_firewall_cannot_be_changed(inside: SandboxRecord) -> None:
    assert python(inside, NETWORK).split() == ["refused"] * 5


def test_the_network_itself_is_the_build_hosts(inside: SandboxRecord) -> None:
    # Not kept apart, and said so: whoever changes that changes the documents.
    assert said(inside, "readlink /proc/self/ns/net") == os.readlink("/proc/self/ns/net")


REACH = """
import errno, socket
for family, address in {reached}:
    try:
        client = socket.socket(family)
        client.settimeout(10)
        client.connect(address)
        print("reached")
    except OSError as exc:
        print(errno.errorcode[exc.errno])
"""


@pytest.mark.parametrize("user", [None, "www-data"])
@pytest.mark.parametrize("user_namespace", [True, False])
def test_without_a_network_nothing_can_be_reached(
    host: Host, tree: Path, user_namespace: bool, user: str | None
) -> None:
    before = host_state()
    with socket.socket() as service, socket.socket(socket.AF_UNIX) as abstract:
        service.bind(("127.0.0.1", 0))
        service.listen()
        abstract.bind(f"\0{MARK}-{os.getpid()}")
        abstract.listen()
        reached = [(int(one.family), one.getsockname()) for one in (service, abstract)]
        metadata = [
            (int(socket.AF_INET), ("169.254.169.254", 80)),
            (int(socket.AF_INET6), ("fd00:ec2::254", 80)),
        ]
        with_network = host.open("with", root=str(tree), user_namespace=user_namespace)
        assert python(with_network, REACH.format(reached=reached), user).split() == ["reached", "reached"]
        host.close("with")
        without = host.open("without", root=str(tree), user_namespace=user_namespace, network="none")
        refusals = python(without, REACH.format(reached=reached + metadata), user).split()
        assert refusals[:3] == ["ECONNREFUSED", "ECONNREFUSED", "ENETUNREACH"]
        assert refusals[3] in ("ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT")
        assert said(without, "ls /sys/class/net; cut -sd: -f1 /proc/net/dev", user).split() == ["lo", "lo"]
    host.close_all()
    assert is_unchanged(before)


SERVE = """
import socket
with socket.create_server(("127.0.0.1", 80)) as server, socket.create_connection(("127.0.0.1", 80)):
    print("connected")
"""


@pytest.mark.parametrize("user_namespace", [True, False])
def test_a_network_of_its_own_cannot_be_changed_either(host: Host, tree: Path, user_namespace: bool) -> None:
    record = host.open(root=str(tree), user_namespace=user_namespace, network="none")
    assert said(record, "readlink /proc/self/ns/net") != os.readlink("/proc/self/ns/net")
    assert python(record, NETWORK).split() == ["refused"] * 5
    assert python(record, SERVE, "www-data") == "connected", "its ports are free for every user"


def test_the_clock_cannot_be_set(inside: SandboxRecord) -> None:
    assert refused(inside, "date -s 2001-01-01", "python3 -c 'import time; time.clock_settime(0, time.time())'")


def test_the_host_name_is_the_images_own(inside: SandboxRecord) -> None:
    assert said(inside, f"hostname {MARK}; hostname") == MARK
    python(inside, "import ctypes; assert ctypes.CDLL(None).setdomainname(b'elsewhere', 9) == 0")
    assert said(inside, "cat /proc/sys/kernel/domainname") == "elsewhere"


def test_all_processes_that_can_be_seen_are_the_sandboxs(inside: SandboxRecord) -> None:
    with subprocess.Popen(["sleep", "600"]) as bystander:
        enter(inside, "kill -9 -1")
        enter(inside, "kill -9 0")
        assert bystander.poll() is None
        bystander.kill()
    assert state.is_alive(inside)
    # What was killed is there until process 1 has taken note.
    eventually(lambda: len(said(inside, "ls -d /proc/[1-9]*").split()) <= 3)


SETTINGS = """
import os
opened = []
for top in ("/proc/sys", "/proc/irq", "/proc/fs", "/sys"):
    for folder, _folders, names in os.walk(top):
        for path in (os.path.join(folder, name) for name in names):
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW))
                opened.append(path)
            except OSError:
                pass
print(opened)
"""


def test_no_setting_of_the_kernel_can_be_written(inside: SandboxRecord) -> None:
    """Among them core_pattern, uevent_helper, modprobe and binfmt_misc, through which the kernel runs programs."""
    assert python(inside, SETTINGS) == "[]"
    assert refused(inside, "echo b > /proc/sysrq-trigger", f"echo '|/{MARK}' > /proc/sys/kernel/core_pattern")
    assert refused(inside, "cat /proc/kcore /proc/modules | grep .", "cat /dev/mem", "echo mem > /sys/power/state")
    # Its own /dev/null stands in for those, and its mode is the build host's too.
    assert refused(inside, "chmod 600 /proc/kcore", "chown 1:1 /proc/kcore")


# Numbers of x86_64 and aarch64: (name, x86_64, aarch64, arguments).
SYSTEM_CALLS = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
number = 2 if os.uname().machine == "aarch64" else 1
def call(row, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(row[number], *arguments)
    said = "done" if result >= 0 else errno.errorcode[ctypes.get_errno()]
    print(row[0], said if said in ("EPERM", "EACCES", "ENOSYS") else "NOT REFUSED: " + said)
zeros = ctypes.create_string_buffer(256)
"""
MACHINE = """
call(("init_module", 175, 105), zeros, 0, b"")
call(("finit_module", 313, 273), 0, b"", 0)
call(("delete_module", 176, 106), b"loop", 0)
call(("kexec_load", 246, 104), 0, 0, 0, 0)
call(("reboot", 169, 142), 0xFEE1DEAD, 672274793, 0x89ABCDEF, 0)
call(("settimeofday", 164, 170), zeros, 0)
call(("syslog", 103, 116), 5, zeros, 1)
"""
PRIVILEGED = """
call(("swapoff", 168, 225), b"/dev/zero")
call(("acct", 163, 89), 0)
call(("bpf", 321, 280), 5, zeros, 128)
call(("perf_event_open", 298, 241), zeros, -1, 0, -1, 0)
call(("fanotify_init", 300, 262), 0x8, 0)
"""


def test_modules_reboot_and_clock_are_refused_by_the_kernel(inside: SandboxRecord) -> None:
    assert "NOT REFUSED" not in python(inside, SYSTEM_CALLS + MACHINE)


def test_what_acts_on_the_whole_machine_is_refused_by_the_kernel(strict: SandboxRecord) -> None:
    assert "NOT REFUSED" not in python(strict, SYSTEM_CALLS + PRIVILEGED)


def test_users_of_the_image_have_no_capabilities(inside: SandboxRecord) -> None:
    assert said(inside, "id -un; grep CapEff /proc/self/status", user="www-data").split() == [
        *("www-data", "CapEff:", "0000000000000000"),
    ]


def test_shared_memory_is_the_sandboxs_own(inside: SandboxRecord) -> None:
    make = "import ctypes; print(ctypes.CDLL(None).shmget(0x6a5, 4096, 0o1600))"
    look = "import ctypes; print(ctypes.CDLL(None).shmget(0x6a5, 0, 0))"
    assert python(inside, make) != "-1"
    assert subprocess.run([sys.executable, "-c", look], check=True, capture_output=True).stdout == b"-1\n"


WATCH_MOUNTS = """
import json, subprocess, sys
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.opening import OpenRequest, open_sandbox
seen = []
def look():
    with open("/proc/self/mountinfo") as stream:
        seen.append(stream.read())
device, run = sys.argv[1:]
subprocess.run(["mount", "--make-rshared", "/"], check=True)
look()
open_sandbox(OpenRequest(name="test", device=device), runner=LocalRunner(), state_dir=run)
look()
close_sandbox("test", runner=LocalRunner(), state_dir=run)
look()
print(json.dumps(seen))
"""


def test_mounts_of_a_host_whose_root_is_shared_stay_the_same(host: Host, ext4_disk: Disk) -> None:
    # In a mount namespace of its own, so that what others mount meanwhile is not seen.
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", WATCH_MOUNTS]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run([*argv, ext4_disk.path, host.state_dir], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    before, during, after = json.loads(done.stdout)
    assert during == before
    assert after == before
    assert " shared:" in before


def test_nothing_of_the_build_host_can_be_seen_inside(host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "keep-this-outside")
    record = host.open(root=str(tree))
    assert "keep-this-outside" not in said(record, "env; tr '\\0' '\\n' < /proc/1/environ")
    assert said(record, "ls /proc/1/root/") == "image\nproc"
    assert all(link.startswith("pipe:") for link in said(record, "readlink /proc/1/fd/*").split())


def test_removing_everything_in_dev_and_run_does_not_hurt(inside: SandboxRecord, host: Host, tree: Path) -> None:
    enter(inside, "rm -rf /dev/* /run/*; rm -rf /dev /run /tmp 2>/dev/null")
    assert (tree / "dev").is_dir()
    assert enter(inside, "echo alive").stdout == "alive\n"
    assert host.close().problems == ()
