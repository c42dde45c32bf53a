# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Debian from nothing: bootstrapped, made bootable in a sandbox, and booted. Made once for all tests of this file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.entry import enter_argv

from tests.integration.disks import Disk, loop_disk, mounted, run
from tests.integration.module_runs import environment, playbook_command, run_module
from tests.integration.roots import opened_device
from tests.waiting import eventually

TABLE = """label: gpt
size=1MiB, type=21686148-6449-6E6F-744E-656564454649, name=bios
size=64MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp
type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=root
"""


def mounts_of(disk: Disk) -> list[dict[str, str]]:
    """The file systems of the disk, as the module disk_layout returns them."""
    return [
        {"device": disk.partition(2), "mount_point": "/boot/efi", "filesystem": "vfat"},
        {"device": disk.partition(3), "mount_point": "/", "filesystem": "ext4", "uuid": disk.uuid(3)},
    ]


def bootstrap(disk: Disk, **more: t.Any) -> dict[str, t.Any]:
    """Options of root_filesystem for the disk."""
    return {"suite": "bookworm", "mounts": mounts_of(disk), **more}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bootstrap")


@pytest.fixture(scope="module")
def disk(folder: Path) -> Iterator[Disk]:
    """A disk of 2 GiB for BIOS and UEFI with empty file systems."""
    with loop_disk(folder / "disk.raw", 2048, TABLE) as made:
        run("mkfs.vfat", "-F", "32", made.partition(2))
        run("mkfs.ext4", "-q", made.partition(3))
        yield made


@pytest.fixture(scope="module")
def filled(disk: Disk, folder: Path) -> dict[str, t.Any]:
    """The result of filling the disk's root file system."""
    result = run_module(folder, "root_filesystem", bootstrap(disk))
    assert not result.get("failed"), result["msg"]
    return result


@pytest.fixture(scope="module")
def bootable(disk: Disk, filled: dict[str, t.Any], folder: Path) -> Disk:
    """The disk after the role boot_loader has run in a sandbox on it."""
    assert filled["changed"]
    name = f"bootstrap-{os.getpid()}"
    here = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    variables = {"ansible_connection": "bakehouse.images.chroot", "ansible_chroot_sandbox": name}
    python = {"ansible_python_interpreter": "/usr/bin/python3"}
    plays = [
        {
            **here,
            "tasks": [
                {"bakehouse.images.sandbox": {"name": name, "device": disk.path}},
                {"ansible.builtin.add_host": {"name": "image", **variables}},
            ],
        },
        {
            "hosts": "image",
            "gather_facts": False,
            "vars": {"boot_loader_device": disk.path},
            "roles": ["bakehouse.images.boot_loader"],
        },
    ]
    closing = {**here, "tasks": [{"bakehouse.images.sandbox": {"name": name, "state": "absent"}}]}
    try:
        # Extra variables would reach the image as well: its interpreter is its own.
        command = [word for word in playbook_command(folder, plays) if "ansible_python_interpreter" not in word]
        command.remove("--extra-vars")
        command += ["--extra-vars", json.dumps(python)]
        done = subprocess.run(
            command, check=False, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        subprocess.run(
            playbook_command(folder, [closing]), check=True, cwd=folder, env=environment(folder), capture_output=True
        )
    return disk


@pytest.fixture
def root(disk: Disk, filled: dict[str, t.Any], tmp_path: Path) -> Iterator[Path]:
    """The filled root file system, mounted read-only."""
    with mounted(tmp_path / "root", (disk.partition(3), "/", "ro")) as place:
        yield place


def test_the_result_says_what_is_there_now(filled: dict[str, t.Any], disk: Disk) -> None:
    assert filled["operations"] == [f"fill {disk.partition(3)} with bookworm by mmdebstrap"]
    assert filled["os_release"]["VERSION_CODENAME"] == "bookworm"


def test_file_systems_are_mounted_by_uuid(root: Path, disk: Disk) -> None:
    assert (root / "etc/fstab").read_text().splitlines()[1:] == [
        f"UUID={disk.uuid(3)} / ext4 errors=remount-ro 0 1",
        f"UUID={disk.uuid(2)} /boot/efi vfat umask=0077 0 2",
    ]
    assert (root / "boot/efi").is_dir()


def test_nothing_in_it_comes_from_the_build_host_or_is_the_same_in_all_copies(root: Path) -> None:
    assert (root / "etc/machine-id").read_bytes() == b""
    assert (root / "etc/hostname").read_text() == "localhost\n"
    assert os.readlink(root / "etc/resolv.conf") == "../run/systemd/resolve/stub-resolv.conf"
    assert not (root / ".bakehouse-unfinished").exists()
    assert not list((root / "var/cache/apt/archives").glob("*.deb"))


def test_apts_lists_are_known_to_be_missing(root: Path) -> None:
    lists = root / "var/lib/apt/lists"

    assert [path.name for path in lists.iterdir() if path.is_file()] in ([], ["lock"])
    assert lists.stat().st_mtime == 0


def test_a_filled_root_is_left_alone(disk: Disk, filled: dict[str, t.Any], folder: Path) -> None:
    planned = run_module(folder, "root_filesystem", bootstrap(disk), check=True)
    again = run_module(folder, "root_filesystem", bootstrap(disk))

    assert (planned["changed"], again["changed"]) == (False, False)
    assert again["os_release"] == filled["os_release"]


def test_the_menu_finds_the_root_by_its_uuid_and_never_by_the_build_hosts_device(
    bootable: Disk, tmp_path: Path
) -> None:
    with mounted(tmp_path / "root", (bootable.partition(3), "/", "ro")) as root:
        menu = (root / "boot/grub/grub.cfg").read_text()
        leftovers = [path for name in ("proc", "sys", "run") for path in (root / name).iterdir()]

    kernels = [line.split() for line in menu.splitlines() if line.strip().startswith("linux\t")]
    assert kernels
    assert all(f"root=UUID={bootable.uuid(3)}" in words for words in kernels)
    assert "/dev/loop" not in "\n".join(" ".join(words) for words in kernels)
    assert [str(path.name) for path in leftovers if path.name not in ("lock", "mount", "systemd")] == []


# Of Amazon's machines: disks and network of Nitro, disks of Xen. In the initramfs, or in the kernel itself.
DRIVERS = ("kernel/drivers/nvme/host/nvme.ko", "amazon/ena/ena.ko", "kernel/drivers/block/xen-blkfront.ko")

# What the scripts of a new kernel do, with nothing of ours to tell them how.
UPDATE_KERNEL = """
rm /etc/default/grub.d/60-boot-loader.cfg /etc/initramfs-tools/conf.d/boot-loader.conf
echo "of the kernel before" > /boot/grub/grub.cfg
for version in $(ls /lib/modules); do
    export DEB_MAINT_PARAMS=configure
    run-parts --exit-on-error --arg="$version" --arg="/boot/vmlinuz-$version" /etc/kernel/postinst.d >&2
    lsinitramfs "/boot/initrd.img-$version"
    cat "/lib/modules/$version/modules.builtin"
done
echo "root $(grub-probe --target=fs_uuid /) on $(grub-probe --target=device /)"
"""


def test_a_kernel_that_a_play_updates_finds_its_root_on_any_machine(
    bootable: Disk, folder: Path, tmp_path: Path
) -> None:
    run("blockdev", "--flushbufs", bootable.path)
    with loop_disk(tmp_path / "updated.raw", copy_of=folder / "disk.raw") as disk:
        run("partx", "--update", disk.path)
        uuid = disk.uuid(3)
        try:
            with opened_device(disk.path) as record:
                done = subprocess.run(
                    enter_argv(record, ["/bin/sh", "-ec", UPDATE_KERNEL]), check=False, capture_output=True, text=True
                )
            assert done.returncode == 0, done.stderr
            with mounted(tmp_path / "root", (disk.partition(3), "/", "ro")) as root:
                menu = (root / "boot/grub/grub.cfg").read_text()
                fstab = (root / "etc/fstab").read_text()
        finally:
            run("partx", "--delete", disk.path)

    assert [driver for driver in DRIVERS if driver not in done.stdout] == []
    assert f"root {uuid} on {disk.partition(3)}" in done.stdout
    assert f"root=UUID={uuid}" in menu
    for text in (menu, fstab):
        assert "/dev/loop" not in text


@pytest.mark.parametrize("firmware", ["bios", pytest.param("uefi", marks=pytest.mark.long)])
def test_it_boots_to_the_login_prompt_from_an_nvme_disk(bootable: Disk, folder: Path, firmware: str) -> None:
    run("sync", folder / "disk.raw")

    result = run_module(
        folder, "image_boot", {"path": str(folder / "disk.raw"), "firmware": firmware, "wait_timeout": 500}
    )

    assert not result.get("failed"), result["msg"]
    assert result["matched"] == "localhost login:"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    """A disk with an empty root file system of 192 MiB."""
    with loop_disk(tmp_path / "small.raw", 192) as made:
        run("mkfs.ext4", "-q", made.path)
        yield made


def only_root(disk: Disk, **more: t.Any) -> dict[str, t.Any]:
    return {"suite": "bookworm", "mounts": [{"device": disk.path, "mount_point": "/", "filesystem": "ext4"}], **more}


def test_a_disk_that_is_too_small_is_named_as_the_cause(small: Disk, tmp_path: Path) -> None:
    result = run_module(tmp_path, "root_filesystem", only_root(small))

    assert result["failed"]
    assert "The file system is too small for these packages" in result["msg"]
    interrupted = run_module(tmp_path, "root_filesystem", only_root(small))
    assert "whose making was interrupted" in interrupted["msg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mirrors": ["http://127.0.0.1:9/debian"]}, "The mirror cannot be reached"),
        ({"suite": "no-such-suite"}, "Check that the mirror has this suite"),
    ],
)
def test_what_cannot_be_fetched_is_told_with_what_to_do(
    small: Disk, tmp_path: Path, options: dict[str, t.Any], said: str
) -> None:
    result = run_module(tmp_path, "root_filesystem", only_root(small, **options))

    assert result["failed"]
    assert said in result["msg"]


def test_a_file_system_with_something_else_in_it_is_not_filled(small: Disk, tmp_path: Path) -> None:
    with mounted(tmp_path / "root", (small.path, "/", "rw")) as root:
        (root / "precious").write_text("keep me")

    result = run_module(tmp_path, "root_filesystem", only_root(small))

    assert "is not empty and holds no system: it has precious" in result["msg"]
    with mounted(tmp_path / "root", (small.path, "/", "ro")) as root:
        assert (root / "precious").read_text() == "keep me"


def processes_with(*words: str) -> list[int]:
    """Processes that have all these words on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
            if all(word.encode() in line for word in words):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def is_free(device: str) -> bool:
    """Whether nothing in any mount namespace has a device mounted."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return False
    return True


def test_a_killed_module_leaves_neither_processes_nor_mounts(small: Disk, tmp_path: Path) -> None:
    suite = f"suite-{os.getpid()}"
    # A mirror that takes the connection and never answers.
    with subprocess.Popen(
        ["python3", "-c", "import socket,time; s=socket.create_server(('127.0.0.1',0)); "
         "print(s.getsockname()[1], flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE, text=True,
    ) as mirror:  # fmt: skip
        assert mirror.stdout
        port = mirror.stdout.readline().strip()
        options = only_root(small, suite=suite, mirrors=[f"http://127.0.0.1:{port}/debian"])
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        plays = [{**play, "tasks": [{"bakehouse.images.root_filesystem": options}]}]
        with subprocess.Popen(
            playbook_command(tmp_path, plays), cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.DEVNULL
        ) as ansible:
            outer, *_ = eventually(lambda: processes_with("nsenter", "mmdebstrap\0--mode=root", suite), seconds=300)
            module = int(Path(f"/proc/{outer}/stat").read_text().rpartition(")")[2].split()[1])
            eventually(lambda: not is_free(small.path))

            os.kill(module, signal.SIGKILL)

            assert ansible.wait(timeout=300) != 0
        mirror.kill()
    eventually(lambda: not processes_with(suite))
    eventually(lambda: is_free(small.path))
