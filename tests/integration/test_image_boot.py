# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Booting disk images in QEMU: small ones, whose boot sector talks on the serial port."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.boot_sectors import talking_sector
from tests.integration.module_runs import environment, playbook_command, run_module
from tests.waiting import eventually


@pytest.fixture
def talking_disk(tmp_path: Path) -> t.Callable[[str], Path]:
    """Makes a disk whose boot sector prints a text on the first serial port and halts."""

    def make(text: str) -> Path:
        path = tmp_path / "disk.raw"
        path.write_bytes(talking_sector(text).ljust(1024 * 1024, b"\0"))
        return path

    return make


def boot(folder: Path, path: Path, **options: t.Any) -> dict[str, t.Any]:
    return run_module(folder, "image_boot", {"path": str(path), "accelerator": "tcg", "memory_mib": 128, **options})


@pytest.mark.parametrize("interface", ["nvme", "sata", "virtio"])
def test_a_disk_boots_by_bios_from_each_interface_and_stays_as_it_was(
    talking_disk: t.Callable[[str], Path], tmp_path: Path, interface: str
) -> None:
    path = talking_disk("Welcome\r\n\r\nweb login: ")
    before = hashlib.sha256(path.read_bytes()).digest()
    console = tmp_path / "console.log"

    result = boot(tmp_path, path, disk_interface=interface, console_path=str(console))

    assert (result["matched"], result["accelerator"], result["disk_format"]) == ("web login:", "tcg", "raw")
    assert not result["changed"]
    assert result["console"] == "Welcome\nweb login:"
    assert b"web login:" in console.read_bytes()
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_a_qcow2_image_is_recognised(talking_disk: t.Callable[[str], Path], tmp_path: Path) -> None:
    converted = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", talking_disk("qcow login: "), converted], check=True)

    result = boot(tmp_path, converted)

    assert (result["matched"], result["disk_format"]) == ("qcow login:", "qcow2")


def test_auto_takes_what_works_here(talking_disk: t.Callable[[str], Path], tmp_path: Path) -> None:
    result = boot(tmp_path, talking_disk("web login: "), accelerator="auto", wait_timeout=300)

    assert result["matched"] == "web login:"
    assert result["accelerator"] in ("kvm", "tcg")


def test_a_guest_that_panics_is_not_waited_for(talking_disk: t.Callable[[str], Path], tmp_path: Path) -> None:
    panic = "Kernel panic - not syncing: VFS: Unable to mount root fs"

    result = boot(tmp_path, talking_disk(f"Booting\r\n{panic}\r\n"), wait_timeout=300)

    assert result["failed"]
    assert f"The guest printed '{panic}'." in result["msg"]
    assert result["console"] == f"Booting\n{panic}"


def test_what_else_is_expected_must_come_too(talking_disk: t.Callable[[str], Path], tmp_path: Path) -> None:
    path = talking_disk("web login: \r\nweb: 3 checks, 1 broken\r\n")

    passed = boot(tmp_path, path, expect=["^web: [0-9]+ checks"])
    failed = boot(tmp_path, path, expect=["^web: all well"], fail_on=["[1-9][0-9]* broken"], wait_timeout=300)

    assert (passed["matched"], passed["expected"]) == ("web login:", ["web: 3 checks, 1 broken"])
    assert failed["failed"]
    assert "The guest printed 'web: 3 checks, 1 broken'." in failed["msg"]


def test_when_the_time_is_up_the_error_shows_what_the_guest_said(
    talking_disk: t.Callable[[str], Path], tmp_path: Path
) -> None:
    path = talking_disk("Waiting for a disk")
    for seconds in (3, 15, 60):
        result = boot(tmp_path, path, wait_timeout=seconds)
        assert result["failed"]
        assert f"did not appear on the console within {seconds} seconds" in result["msg"]
        if "Waiting for a disk" in result["msg"]:
            break
        # A busy machine may not have started the guest yet.
    assert "Waiting for a disk" in result["msg"]


def test_bad_input_is_told_before_anything_starts(tmp_path: Path) -> None:
    missing = boot(tmp_path, tmp_path / "none.raw")
    pattern = boot(tmp_path, tmp_path / "none.raw", wait_for="login: (")

    assert missing["msg"] == f"There is no disk image {tmp_path}/none.raw on this host."
    assert "'login: (' is not a regular expression" in pattern["msg"]


def machines(path: Path) -> list[int]:
    """The QEMU processes that use a disk."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"qemu-system-x86_64") and any(str(path).encode() in word for word in words):
            found.append(int(entry.name))
    return found


@pytest.fixture
def waiting_boot(talking_disk: t.Callable[[str], Path], tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A module that waits for a guest which never logs anybody in: the disk, and the module's process."""
    path = talking_disk("never")
    options = {"path": str(path), "accelerator": "tcg", "memory_mib": 128, "wait_timeout": 600}
    task = {"bakehouse.images.image_boot": options}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    with subprocess.Popen(
        playbook_command(tmp_path, [play]),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        [machine] = eventually(lambda: machines(path), seconds=300)
        parent = int(Path(f"/proc/{machine}/stat").read_text().rpartition(")")[2].split()[1])
        yield path, parent
        process.wait(timeout=300)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_the_guest_dies_with_the_module(waiting_boot: tuple[Path, int], signum: int) -> None:
    path, module = waiting_boot

    os.kill(module, signum)

    eventually(lambda: not machines(path))
