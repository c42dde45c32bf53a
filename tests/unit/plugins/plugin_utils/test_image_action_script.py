# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions become a script; here it runs in a shell of this machine, on paths of the test's own folder."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_action_script import (
    Outcome,
    PayloadMaker,
    outcomes,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import read_actions
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_trees import tree_digest, write_archive

TOKEN = "feedbeef"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    folder = tmp_path / "image"
    folder.mkdir()
    return folder


def carry_out(tmp_path: Path, *actions: tuple[str, dict[str, str]]) -> list[Outcome]:
    """Run the script of these actions, after putting its files where it expects them."""
    read = read_actions([{"type": kind, "op": op} for kind, op in actions], "test")
    assert read.problems == []
    archives = tmp_path / "archives"
    archives.mkdir(exist_ok=True)
    maker = PayloadMaker(archives, TOKEN)
    maker.stage = str(tmp_path / "stage")
    payload = maker.make(read.actions)
    if payload.stage:
        Path(payload.stage).mkdir()
        for name, path in payload.files.items():
            (Path(payload.stage) / name).write_bytes(path.read_bytes())
    done = subprocess.run(
        ["sh", "-s"], input=payload.script, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert not (tmp_path / "stage").exists()
    return outcomes(read.actions, TOKEN, done.returncode, done.stdout, done.stderr)


def test_what_each_action_printed_is_told_apart(tmp_path: Path) -> None:
    one, two = carry_out(
        tmp_path,
        ("run-command", {"Cmd": "echo one; echo bad >&2"}),
        ("run-command", {"Cmd": "printf 'two\n\nlines'"}),
    )
    assert (one.stdout, one.stderr.strip(), one.rc) == ("one\n", "bad", 0)
    assert two.stdout == "two\n\nlines"


def test_the_first_failure_ends_the_list(tmp_path: Path, image: Path) -> None:
    done = carry_out(
        tmp_path,
        ("mkdir", {"Dir": f"{image}/a"}),
        ("run-command", {"Cmd": "exit 7"}),
        ("mkdir", {"Dir": f"{image}/b"}),
    )
    assert [outcome.rc for outcome in done] == [0, 7, None]
    assert os.listdir(image) == ["a"]


def test_a_command_begins_in_the_root_and_has_nothing_to_read(tmp_path: Path) -> None:
    done = carry_out(
        tmp_path,
        ("run-command", {"Cmd": "cd /tmp; pwd; cat"}),
        ("run-command", {"Cmd": "pwd"}),
    )
    assert [outcome.stdout for outcome in done] == ["/tmp\n", "/\n"]


def test_what_is_read_as_data_is_never_shell(tmp_path: Path, image: Path) -> None:
    line = "$(touch x) 'quoted' \"twice\" {{ a }} \\n : `id`"
    carry_out(
        tmp_path,
        ("append-line", {"File": f"{image}/a file:1", "Line": line}),
        ("mkdir", {"Dir": f"{image}/-r; $HOME"}),
        ("link", {"Target": "-x y:z", "Link": f"{image}/link:1"}),
    )
    assert (image / "a file:1").read_text() == line + "\n"
    assert (image / "-r; $HOME").is_dir()
    assert os.readlink(image / "link:1") == "-x y:z"


def test_a_line_is_appended_on_a_line_of_its_own(tmp_path: Path, image: Path) -> None:
    (image / "open").write_text("no end")
    (image / "closed").write_text("end\n")
    names = ("open", "closed", "new")
    carry_out(tmp_path, *(("append-line", {"File": f"{image}/{name}", "Line": "more"}) for name in names))
    assert [(image / name).read_text() for name in names] == ["no end\nmore\n", "end\nmore\n", "more\n"]


def test_a_link_takes_the_place_of_a_link(tmp_path: Path, image: Path) -> None:
    (image / "link").symlink_to("old")
    carry_out(tmp_path, ("link", {"Target": "new", "Link": f"{image}/link"}))
    assert os.readlink(image / "link") == "new"


def test_permissions_are_set(tmp_path: Path, image: Path) -> None:
    (image / "x").write_text("")
    carry_out(tmp_path, ("chmod", {"Permissions": "02750", "File": f"{image}/x"}))
    assert (image / "x").stat().st_mode & 0o7777 == 0o2750


def test_a_folder_is_copied_with_modes_and_links(tmp_path: Path, image: Path) -> None:
    source = tmp_path / "bootstrap"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (source / "deep" / "run.sh").chmod(0o755)
    (source / "link").symlink_to("/etc/passwd")
    (done,) = carry_out(tmp_path, ("copy-in", {"LocalPath": f"{source}/", "RemoteDir": str(image)}))
    assert done.rc == 0, done.stderr
    assert (image / "bootstrap" / "deep" / "run.sh").stat().st_mode & 0o777 == 0o755
    assert os.readlink(image / "bootstrap" / "link") == "/etc/passwd"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, image: Path) -> None:
    (tmp_path / "a").write_text("a")
    (done,) = carry_out(tmp_path, ("copy-in", {"LocalPath": f"{tmp_path}/a", "RemoteDir": f"{image}/none"}))
    assert done.rc == 1
    assert "none is not a folder of the image. An action mkdir makes it." in done.stderr


def test_an_archive_does_not_replace_a_link_to_a_folder(tmp_path: Path, image: Path) -> None:
    (image / "usr" / "lib").mkdir(parents=True)
    (image / "lib").symlink_to("usr/lib")
    with tarfile.open(tmp_path / "files.tar", "w") as archive:
        archive.addfile(_folder("lib"))
        member = tarfile.TarInfo("lib/new")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"new"))
    (done,) = carry_out(tmp_path, ("tar-in", {"TarFile": f"{tmp_path}/files.tar", "RemoteDir": str(image)}))
    assert done.rc == 0, done.stderr
    assert (image / "lib").is_symlink()
    assert (image / "usr" / "lib" / "new").read_text() == "new"


def _folder(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    return member


def test_a_kernel_is_copied_and_linked(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    (kernel / "boot").mkdir(parents=True)
    (kernel / "boot" / "vmlinuz-6.1").write_text("kernel")
    (kernel / "lib" / "modules" / "6.1").mkdir(parents=True)
    maker = PayloadMaker(tmp_path, TOKEN)
    (action,) = read_actions([{"type": "install-kernel", "op": {"KernelInstallDir": str(kernel)}}], "").actions
    payload = maker.make([action])
    names = {}
    for name, path in payload.files.items():
        with tarfile.open(path) as archive:
            names[name] = archive.getnames()
    assert names == {"0": ["boot", "boot/vmlinuz-6.1"], "1": ["modules", "modules/6.1"]}
    assert f"unpack {payload.stage}/0 / &&" in payload.script
    assert f"unpack {payload.stage}/1 /lib &&" in payload.script
    assert "ln -s -f -- /boot/vmlinuz-6.1 /vmlinuz" in payload.script


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="gone is not there on the controller"):
        carry_out(tmp_path, ("upload", {"File": f"{tmp_path}/gone", "Dest": "/x"}))


def test_a_script_that_does_not_run_has_no_outcome() -> None:
    actions = read_actions([{"type": "mkdir", "op": {"Dir": "/a"}}], "").actions
    assert [outcome.rc for outcome in outcomes(actions, TOKEN, 127, "", "sh: not found")] == [None]


def change_mode(folder: Path) -> None:
    (folder / "a").chmod(0o600)


def change_text(folder: Path) -> None:
    (folder / "a").write_text("b")


def change_link(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("elsewhere")


def add_file(folder: Path) -> None:
    (folder / "c").write_text("")


@pytest.mark.parametrize("change", [change_mode, change_text, change_link, add_file])
def test_the_digest_of_a_folder_follows_each_change(tmp_path: Path, change: t.Callable[[Path], None]) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "a").chmod(0o644)
    (tmp_path / "link").symlink_to("a")
    before = tree_digest(tmp_path)
    assert tree_digest(tmp_path) == before
    change(tmp_path)
    assert tree_digest(tmp_path) != before


def test_what_is_archived_belongs_to_root(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    write_archive(tmp_path / "a", tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.uid, member.gid, member.uname) == ("a", 0, 0, "root")
