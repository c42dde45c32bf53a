# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an image says of itself, how it is entered, and what it is lent."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import entry, image, lent_files, starting, state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.lending import LentFile

RECORD = state.SandboxRecord(name="web", pid=4711, start_time=1, boot_id="b", user_namespace=True, python="/usr/bin/py")


def elf(machine: int, bits: int = 64, order: Literal["little", "big"] = "little") -> bytes:
    """The head of an ELF program."""
    head = bytearray(64)
    head[:6] = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1 if order == "little" else 2])
    head[18:20] = machine.to_bytes(2, order)
    return bytes(head)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (elf(62), "x86_64"),
        (elf(3, 32), "i386"),
        (elf(183), "aarch64"),
        (elf(22, order="big"), "s390x"),
        (elf(9999), "unknown (ELF machine 9999)"),
        (b"#!/bin/busybox sh\n" + bytes(50), None),
        (b"", None),
    ],
)
def test_the_machine_of_a_program(head: bytes, expected: str | None) -> None:
    assert image.elf_architecture(head) == expected


HANDLER = (
    "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64\nflags: {flags}\noffset 0\nmagic {magic}\nmask {mask}\n"
)
MAGIC = "7f454c460201010000000000000000000200b700"
MASK = "ffffffffffffff00fffffffffffffffffeffffff"


@pytest.mark.parametrize(
    ("flags", "magic", "runs"), [("POCF", MAGIC, True), ("POC", MAGIC, False), ("F", MAGIC[:-4] + "f300", False)]
)
def test_an_emulator_counts_when_the_kernel_holds_it_open(tmp_path: Path, flags: str, magic: str, runs: bool) -> None:
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "qemu").write_text(HANDLER.format(flags=flags, magic=magic, mask=MASK))
    head = bytes.fromhex(MAGIC) + bytes(44)
    assert image.can_run("aarch64", "x86_64", head, str(tmp_path)) is runs


def test_a_machine_runs_its_smaller_kin() -> None:
    assert image.can_run("i386", "x86_64", b"", "/nowhere")
    assert image.can_run("i386", "i686", b"", "/nowhere")
    assert not image.can_run("x86_64", "i686", b"", "/nowhere")


def test_kernels_are_sorted_as_versions(tmp_path: Path) -> None:
    for name in ("6.1.0-9-cloud", "6.1.0-28-cloud", "5.10.0-1-cloud"):
        (tmp_path / "usr/lib/modules" / name).mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    assert image.kernels(str(tmp_path)) == ["5.10.0-1-cloud", "6.1.0-9-cloud", "6.1.0-28-cloud"]
    assert image.kernels(str(tmp_path / "usr/lib")) == []


@pytest.mark.parametrize(
    ("text", "name"), [("web1\n", "web1"), ("# c\n\nweb.example.org\n", "web.example.org"), ("a b\n", None), ("", None)]
)
def test_the_images_own_hostname(tmp_path: Path, text: str, name: str | None) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_text(text)
    assert image.hostname(str(tmp_path)) == name


def test_root_enters_by_nsenter_and_nothing_of_the_callers_place_comes_along() -> None:
    argv = entry.enter_argv(RECORD, ["id", "-u"], environment={"X": "a b"})
    assert argv[:2] == ["env", "-i"]
    assert "X=a b" in argv
    assert "SYSTEMD_OFFLINE=1" in argv
    tail = argv[argv.index("nsenter") :]
    assert "--user" in tail
    assert "--wd=/proc/4711/root/image" in tail
    assert "--root=/proc/4711/root/image" in tail
    assert tail[-3:] == ["--", "id", "-u"]


def test_a_working_directory_is_entered_inside() -> None:
    argv = entry.enter_argv(RECORD, ["ls", "a b"], cwd="/var/my files")
    assert argv[-7:] == ["/bin/sh", "-c", entry.CHANGE_DIRECTORY, "sh", "/var/my files", "ls", "a b"]


def test_without_a_user_namespace_the_bounding_set_is_what_there_is() -> None:
    record = state.SandboxRecord(name="web", pid=4711, start_time=1, boot_id="b", user_namespace=False)
    argv = entry.enter_argv(record, ["id"])
    dropped = argv[argv.index("setpriv") + 1]
    assert dropped.startswith("--bounding-set=-")
    assert {"-sys_module", "-sys_time", "-sys_boot", "-mknod", "-net_admin"} <= set(
        dropped.partition("=")[2].split(",")
    )
    assert "--user" not in argv


@pytest.mark.parametrize("user", [None, "www-data"])
def test_a_network_of_its_own_is_joined_by_everybody(user: str | None) -> None:
    own = dataclasses.replace(RECORD, network="none")
    joined, argv = (entry.enter_argv(record, ["id"], user=user) for record in (RECORD, own))
    assert [word for word in argv if word not in joined] == (["pid,uts,ipc,mnt,net,user"] if user else ["--net"])


def test_another_user_enters_by_the_build_hosts_python() -> None:
    argv = entry.enter_argv(RECORD, ["id"], user="www-data")
    program = argv.index("/usr/bin/py")
    assert argv[program : program + 4] == ["/usr/bin/py", "-I", "-S", "-c"]
    assert "setgroups" in argv[program + 4]
    assert argv[program + 5 :] == [
        "4711",
        "/image",
        "pid,uts,ipc,mnt,user",
        "2,12,16,17,22,25,27,30,34,35",
        "www-data",
        "id",
    ]


def test_under_systemd_the_holder_gets_a_scope_that_outlives_the_login() -> None:
    argv = starting.holder_argv("web@1", "/usr/bin/python3", systemd=True)
    assert argv[:4] == ["systemd-run", "--scope", "--quiet", "--collect"]
    assert argv[4].startswith("--unit=bakehouse-sandbox-web_1-")
    assert argv[argv.index("--") + 1 :] == starting.holder_argv("web@1", "/usr/bin/python3", systemd=False)


RESOLVERS = [
    ("nameserver 192.0.2.1\nnameserver 127.0.0.53\n", "own"),
    ("nameserver 127.0.0.53\noptions edns0\n", "uplink"),
    ("# nameserver 192.0.2.1\nnameserver 127.0.0.54\n", "uplink"),
    ("search example.org\n", "own"),
]


@pytest.mark.parametrize(("text", "lent"), RESOLVERS)
def test_a_stub_is_replaced_by_the_servers_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, lent: str
) -> None:
    own, uplink = tmp_path / "own", tmp_path / "uplink"
    own.write_text(text)
    uplink.write_text("nameserver 198.51.100.7\n")
    monkeypatch.setattr(lent_files, "HOST_RESOLV_CONF", str(own))
    monkeypatch.setattr(lent_files, "RESOLVED_UPLINK", str(uplink))
    (file,) = lent_files.files_to_lend(None)
    assert (file.path, file.contents) == ("/etc/resolv.conf", (tmp_path / lent).read_bytes())


def test_an_empty_list_lends_nothing_and_a_host_without_resolver_lends_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lent_files.files_to_lend([]) == ()
    monkeypatch.setattr(lent_files, "HOST_RESOLV_CONF", str(tmp_path / "none"))
    assert lent_files.files_to_lend(None) == ()


def test_files_and_folders_are_lent_with_their_modes(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/key").write_bytes(b"\x00\xff")
    (tmp_path / "d/key").chmod(0o640)
    (lent,) = lent_files.files_to_lend([str(tmp_path)])
    assert lent == LentFile(str(tmp_path / "d/key"), b"\x00\xff", 0o640)
    assert LentFile.from_plain(lent.to_plain()) == lent


def test_what_cannot_be_lent_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="copy_files: there is no .*missing on the build host"):
        lent_files.files_to_lend([str(tmp_path / "missing")])
    with pytest.raises(Invalid, match="'etc/x' is no absolute path"):
        lent_files.files_to_lend(["etc/x"])
    with pytest.raises(Invalid, match="neither a file nor a directory"):
        lent_files.files_to_lend(["/dev/null"])
