# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual machine's command line, its firmware, and what its console says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.boot import (
    HOPELESS,
    LOGIN_PROMPT,
    BootRequest,
    Watched,
)
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.console import Console
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.machine import (
    Firmware,
    Machine,
    find_firmware,
    machine_problems,
)

MACHINE = Machine("/images/web.raw", "raw", "nvme", "tcg", memory_mib=1024, cpus=2)


def test_the_guest_gets_an_nvme_disk_no_network_and_no_write_to_the_image() -> None:
    command = " ".join(MACHINE.argv())

    assert "-device nvme,serial=bakehouse,drive=disk,bootindex=0" in command
    assert "-drive if=none,file=/images/web.raw,format=raw,id=disk,snapshot=on" in command
    assert "-nic none" in command
    assert "-accel tcg -cpu max" in command


def test_a_comma_in_the_path_is_no_option_of_qemu() -> None:
    machine = Machine("/images/a,snapshot=off.raw", "raw", "nvme", "tcg", memory_mib=512, cpus=1)

    assert "file=/images/a,,snapshot=off.raw," in " ".join(machine.argv())


def test_uefi_code_is_read_only_and_its_variables_are_the_guests_own() -> None:
    machine = Machine("/i.raw", "raw", "virtio", "kvm", 512, 1, code="/ovmf/code.fd", variables="/tmp/x/vars")

    command = " ".join(machine.argv())

    assert "-drive if=pflash,unit=0,readonly=on,file=/ovmf/code.fd,format=raw" in command
    assert "-drive if=pflash,unit=1,file=/tmp/x/vars,format=raw" in command
    assert "virtio-blk-pci,drive=disk" in command


def write_descriptor(folder: Path, name: str, features: list[str], machine: str = "pc-q35-*") -> Path:
    """A firmware with its descriptor, as packages install them."""
    code = folder / f"{name}-code.fd"
    code.write_bytes(b"")
    described = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": str(code), "format": "raw"},
            "nvram-template": {"filename": str(code), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": [machine]}],
        "features": features,
    }
    (folder / f"{name}.json").write_text(json.dumps(described))
    return code


def test_the_first_firmware_without_secure_boot_for_this_machine_is_taken(tmp_path: Path) -> None:
    write_descriptor(tmp_path, "10-secure", ["secure-boot", "requires-smm"])
    write_descriptor(tmp_path, "20-microvm", [], machine="microvm")
    code = write_descriptor(tmp_path, "30-plain", ["acpi-s3"])
    write_descriptor(tmp_path, "40-plain", [])

    assert find_firmware([str(tmp_path / "none"), str(tmp_path)]) == Firmware(str(code), str(code))


def test_an_empty_descriptor_in_etc_masks_one_of_the_packages(tmp_path: Path) -> None:
    etc, usr = tmp_path / "etc", tmp_path / "usr"
    etc.mkdir()
    usr.mkdir()
    write_descriptor(usr, "30-plain", [])
    (etc / "30-plain.json").write_text("")

    with pytest.raises(NotFound, match="No UEFI firmware"):
        find_firmware([str(etc), str(usr)])


def test_a_machine_without_cpu_or_memory_is_refused_with_both_reasons() -> None:
    with pytest.raises(Invalid, match=r"memory_mib is 1.*cpus is 0"):
        machine_problems(1, 0)


def feed(*pieces: bytes) -> Console:
    """A console that has taken these pieces one after the other."""
    console = Console()
    for piece in pieces:
        console.feed(piece)
    return console


def test_colours_and_cursor_movements_are_no_part_of_the_text_even_when_cut_in_two() -> None:
    text = b"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mgetty\x1b[0m.\r\n\x1b[2J\x1b[01;01Hlocalhost login: "

    for cut in range(len(text)):
        assert feed(text[:cut], text[cut:]).text == "[  OK  ] Started getty.\nlocalhost login: "


def test_a_character_of_several_bytes_may_be_cut_in_two() -> None:
    assert feed("é".encode()[:1], "é".encode()[1:]).text == "é"


def patterns(*texts: str) -> list[re.Pattern[str]]:
    return [re.compile(text, re.MULTILINE) for text in texts]


def test_the_prompt_is_found_when_it_comes_in_pieces_and_a_message_follows_it() -> None:
    console = feed(b"Debian GNU/Linux 12 web ttyS0\r\n\r\nweb lo")
    assert console.find(patterns(LOGIN_PROMPT)) == {}

    console.feed(b"gin: [   12.3] random: crng init done")

    assert console.find(patterns(LOGIN_PROMPT)) == {0: "web login: [   12.3] random: crng init done"}


@pytest.mark.parametrize(
    "line",
    [
        "[    3.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
        "grub rescue> ",
        "(initramfs) ",
        "You are in emergency mode. After logging in, type journalctl",
    ],
)
def test_a_guest_that_cannot_boot_is_recognised(line: str) -> None:
    assert feed(b"[    1.0] x\r\n", line.encode()).find(patterns(LOGIN_PROMPT, *HOPELESS)) != {}


def test_a_message_that_speaks_of_logins_is_no_prompt() -> None:
    assert feed(b"[  OK  ] Started systemd-logind.service - User login: seats.\r\n").find(patterns(LOGIN_PROMPT)) == {}


def test_all_that_is_expected_has_to_come_in_whatever_order() -> None:
    watched = Watched(BootRequest(path="/x", expect=("^web: ok", "^db: ok"), fail_on=("^web: broken",)))
    console = Console()
    for data, missing in ((b"db: ok\r\n", 2), (b"web login: ", 1), (b"\r\nweb: ok\r\n", 0)):
        console.feed(data)
        watched.look(console)
        assert len(watched.missing()) == missing
    assert watched.lines() == ["web login:", "web: ok", "db: ok"]
    assert watched.bad_line() == ""
    console.feed(b"web: broken pipe\r\n")
    watched.look(console)
    assert watched.bad_line() == "web: broken pipe"


def test_a_line_that_comes_in_pieces_is_told_whole() -> None:
    watched = Watched(BootRequest(path="/x", expect=("^web: [0-9]+",)))
    console = feed(b"web login: \r\nweb: 3 che")
    watched.look(console)
    assert not watched.missing()
    assert not watched.look_again(console)
    console.feed(b"cks\r\n")
    assert watched.look_again(console)
    assert watched.lines() == ["web login:", "web: 3 checks"]


def test_a_prompt_is_whole_without_an_end_of_line() -> None:
    watched = Watched(BootRequest(path="/x"))
    console = feed(b"web login: ")
    watched.look(console)
    assert watched.look_again(console)


def test_the_tail_has_the_last_lines_that_say_something() -> None:
    assert feed(b"one\r\n\r\n  \r\ntwo\r\nthree").tail(2) == "two\nthree"
