# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An images.json of little-vm-helper is built as it is: what is in the images, what is built again, what fails."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import tarfile
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import attached, mounted, run
from tests.integration.boot_sectors import talking_sector
from tests.integration.disks import loop_disk, unpack
from tests.integration.disks import mounted as mounted_at
from tests.integration.project import Project, host_state

ALL_TEN: list[dict[str, t.Any]] = [
    {"type": "set-hostname", "op": {"Hostname": "node-1"}},
    {"type": "mkdir", "op": {"Dir": "/srv/a:b"}},
    {"type": "copy-in", "op": {"LocalPath": "bootstrap", "RemoteDir": "/"}},
    {"type": "run-command", "op": {"Cmd": "/bootstrap/deep/run.sh '{{.Id}}'"}, "comment": "run what was copied"},
    {"type": "upload", "op": {"File": "env.sh", "Dest": "/etc/profile.d/path.sh"}},
    {"type": "chmod", "op": {"Permissions": "0600", "File": "/etc/profile.d/path.sh"}},
    {"type": "append-line", "op": {"File": "/etc/fstab", "Line": "# a line"}},
    {"type": "link", "op": {"Target": "/lib/systemd/systemd", "Link": "/init"}},
    {"type": "install-kernel", "op": {"KernelInstallDir": "kernel"}},
    {"type": "tar-in", "op": {"TarFile": "files.tar", "RemoteDir": "/srv/a:b"}},
]

FOREST: list[dict[str, t.Any]] = [
    {"name": "base.img", "parent": "outside.img", "actions": [{"type": "mkdir", "op": {"Dir": "/srv/base"}}]},
    {"name": "all.qcow2", "parent": "base.img", "actions": ALL_TEN},
    {"name": "other.img", "parent": "base.img", "image_size": "700M"},
]


# What of a boot sector is not the partition table's.
BOOT_CODE_BYTES = 440


class Forest:
    """A folder as users of little-vm-helper have it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.images = project.folder / "images"
        self.config = copy.deepcopy(FOREST)
        self.settings: dict[str, t.Any] = {}

    def build(self, *arguments: str, ok: bool = True) -> dict[str, str]:
        """Build, and return the last word on each image: its line of the summary."""
        self.project.write("images.json", json.dumps(self.config))
        described = {"plugin": "bakehouse.images.forest", "source": "images.json", **self.settings}
        self.project.write("inventory.yml", described)
        ran = self.project.build(*arguments)
        assert (ran.rc == 0) is ok, ran
        summary = ran.output.partition("TASK [Say it]")[2].partition("TASK [")[0]
        lines = [line.strip().strip('",').strip("- '") for line in summary.splitlines()]
        names = [image["name"] for image in self.config]
        return {
            name: line.removeprefix(f"{name}: ") for name in names for line in lines if line.startswith(f"{name}: ")
        }

    def talk(self, text: str) -> None:
        """Give the image that all are made from a boot sector that prints a text on the console."""
        with (self.images / "outside.img").open("r+b") as file:
            file.write(talking_sector(text)[:BOOT_CODE_BYTES])

    def action(self, image: str, number: int) -> dict[str, str]:
        """The values of an action, to change them."""
        (found,) = [entry for entry in self.config if entry["name"] == image]
        op: dict[str, str] = found["actions"][number]["op"]
        return op


def leading_out(victim: Path) -> list[dict[str, t.Any]]:
    """Actions that would write into a folder of the build host, if the image's links led there."""
    victim.mkdir()
    return [
        {"type": "link", "op": {"Target": str(victim), "Link": "/out"}},
        {"type": "mkdir", "op": {"Dir": str(victim)}},
        {"type": "upload", "op": {"File": "env.sh", "Dest": "/out/env.sh"}},
        {"type": "tar-in", "op": {"TarFile": "files.tar", "RemoteDir": "/out"}},
        {"type": "copy-in", "op": {"LocalPath": "bootstrap", "RemoteDir": "/out"}},
        {"type": "append-line", "op": {"File": "/out/line", "Line": "x"}},
        {"type": "run-command", "op": {"Cmd": "ls /out/env.sh /out/etc/env.sh /out/bootstrap /out/line"}},
    ]


@pytest.fixture
def forest(tmp_path: Path, debian_tarball: Path) -> Forest:
    """Three images and what their actions take; the parent of the first is somebody else's file."""
    folder = tmp_path / "forest"
    (folder / "bootstrap" / "deep").mkdir(parents=True)
    (folder / "bootstrap" / "deep" / "run.sh").write_text('#!/bin/sh\necho "$1" > /ran\n')
    (folder / "bootstrap" / "deep" / "run.sh").chmod(0o755)
    (folder / "bootstrap" / "link").symlink_to("/etc/passwd")
    (folder / "kernel" / "boot").mkdir(parents=True)
    (folder / "kernel" / "boot" / "vmlinuz-6.1").write_text("kernel")
    (folder / "kernel" / "lib" / "modules" / "6.1").mkdir(parents=True)
    (folder / "env.sh").write_text("PATH=/x\n")
    os.chown(folder / "env.sh", 1000, 1000)
    with tarfile.open(folder / "files.tar", "w") as archive:
        archive.add(folder / "env.sh", "etc/env.sh")
    (folder / "images").mkdir()
    with loop_disk(tmp_path / "disk", size_mib=600, table="label: gpt\n, +, L\n") as disk:
        run("mkfs.ext4", "-q", "-L", "root", disk.partition(1))
        with mounted_at(tmp_path / "mnt", (disk.partition(1), "/", "")) as root:
            unpack(debian_tarball, root, "LABEL=root / auto defaults 0 1\n")
        (folder / "images" / "outside.img").hardlink_to(disk.file)
    forest = Forest(Project(folder, {}))
    forest.config[1]["actions"] += leading_out(tmp_path / "victim")
    return forest


@contextlib.contextmanager
def contents(file: Path, place: Path) -> Iterator[Path]:
    """What is in an image file."""
    raw = place / "contents.raw"
    run("qemu-img", "convert", "-O", "raw", str(file), str(raw))
    with attached(raw) as device:
        run("partx", "--update", device.path)
        with mounted(device.partition(1), place, "ro", "noload") as root:
            yield root
    raw.unlink()


def form(file: Path) -> str:
    """The format of an image, by its contents."""
    found: str = json.loads(run("qemu-img", "info", "--output=json", str(file)))["format"]
    return found


Tree = dict[str, tuple[int, ...]]


def tree(folder: Path) -> Tree:
    """All files of a folder, and what tells whether one was written to or replaced."""
    stats = {str(path.relative_to(folder)): path.lstat() for path in sorted(folder.rglob("*"))}
    return {name: (it.st_ino, it.st_mode, it.st_size, it.st_mtime_ns, it.st_ctime_ns) for name, it in stats.items()}


def check_what_all_ten_have_made(root: Path) -> None:
    assert (root / "etc/hostname").read_text() == "node-1\n"
    assert (root / "srv/base").is_dir(), "what the parent has"
    assert (root / "ran").read_text() == "{{.Id}}\n"
    assert os.readlink(root / "bootstrap/link") == "/etc/passwd"
    uploaded = (root / "etc/profile.d/path.sh").stat()
    assert (uploaded.st_mode & 0o777, uploaded.st_uid) == (0o600, 0)
    assert (root / "etc/fstab").read_text().endswith("\n# a line\n")
    assert os.readlink(root / "init") == "/lib/systemd/systemd"
    assert os.readlink(root / "vmlinuz") == "/boot/vmlinuz-6.1"
    assert (root / "boot/vmlinuz-6.1").read_text() == "kernel"
    assert (root / "lib").is_symlink() and (root / "usr/lib/modules/6.1").is_dir()
    assert (root / "srv/a:b/etc/env.sh").stat().st_uid == 1000, "an archive says itself whose its files are"
    assert [path.name for path in root.iterdir() if path.name.startswith(".bakehouse")] == []


def test_images_json_is_built_as_it_is_and_found_cached(forest: Forest, tmp_path: Path) -> None:
    untouched = tree(forest.images)
    assert set(forest.build("--check").values()) == {"would be built (there is no image of this name)"}
    assert tree(forest.images) == untouched

    before = host_state()
    said = forest.build()
    assert [line.split(" in ")[0] for line in said.values()] == ["built"] * 3
    assert host_state() == before
    assert list((tmp_path / "victim").iterdir()) == [], "a link of the image leads nowhere but into the image"
    assert sorted(path.name for path in forest.images.iterdir()) == [
        *("all.qcow2", "base.img", "manifest.json", "other.img", "outside.img")
    ]
    assert (forest.images / "other.img").stat().st_size == 700 << 20
    assert {name: form(forest.images / name) for name in said} == dict(zip(said, ("raw", "qcow2", "raw"), strict=True))
    with contents(forest.images / "all.qcow2", tmp_path) as root:
        check_what_all_ten_have_made(root)

    built = tree(forest.images)
    forest.settings = {"force": True}
    assert set(forest.build("--check").values()) == {"would be built (bake_force is true)"}
    assert tree(forest.images) == built, "nothing is deleted, and nothing is made"
    forest.settings = {}

    assert {line.split(" (")[0] for line in forest.build().values()} == {"cached"}


@pytest.mark.long
def test_only_what_a_change_reaches_is_built_again(forest: Forest) -> None:
    forest.build()
    (forest.project.folder / "env.sh").write_text("PATH=/y\n")
    said = forest.build()
    assert [line.split(" ")[0] for line in said.values()] == ["cached", "built", "cached"]

    forest.action("base.img", 0)["Dir"] = "/srv/changed"
    alone = forest.build("--limit", "all.qcow2", ok=False)
    assert "The parent base.img of this image cannot be used" in alone["all.qcow2"]
    assert "bakehouse.images.build --limit with_parents_all_qcow2" in alone["all.qcow2"]
    said = forest.build("--limit", "with_parents_all_qcow2")
    assert {name: line.split(" ")[0] for name, line in said.items()} == {"base.img": "built", "all.qcow2": "built"}
    recorded = json.loads((forest.images / "manifest.json").read_text())["images"]
    assert {name: result["status"] for name, result in recorded.items()} == {
        **dict.fromkeys(("all.qcow2", "base.img"), "built"),
        "other.img": "unchanged",
    }

    # Nothing here describes it, and yet it is what all are made from.
    forest.talk("another kernel\r\n")
    assert {line.split(" (")[0] for line in forest.build("--check").values()} == {"would be built"}


def test_a_failed_image_fails_those_made_from_it_with_its_reason_and_no_other(forest: Forest) -> None:
    failing = {"comment": "break", "type": "run-command", "op": {"Cmd": "echo no luck >&2; exit 3"}}
    forest.config = [
        {**FOREST[0], "actions": [failing]},
        {"name": "child.img", "parent": "base.img"},
        {"name": "grandchild.img", "parent": "child.img"},
        {"name": "apart.img", "parent": "outside.img"},
    ]
    said = forest.build(ok=False)
    reason = "base.img, which it is made from, has failed: Action 1 (break) failed with status 3: no luck"
    assert said["base.img"] == "failed (Action 1 (break) failed with status 3: no luck)"
    assert said["child.img"] == said["grandchild.img"] == f"not built, because {reason}"
    assert said["apart.img"].startswith("built in ")
    assert sorted(path.name for path in forest.images.iterdir()) == ["apart.img", "manifest.json", "outside.img"]

    forest.config[0]["actions"] = []
    said = forest.build()
    assert [line.split(" ")[0] for line in said.values()] == ["built", "built", "built", "cached"]


@pytest.mark.long
def test_an_image_counts_when_it_has_booted_as_it_should(forest: Forest) -> None:
    forest.config = [{"name": "base.img", "parent": "outside.img"}, {"name": "child.img", "parent": "base.img"}]
    forest.settings = {"boot": {"expect": ["^web: all well"], "fail_on": ["^web: [1-9]"], "accelerator": "tcg"}}
    forest.talk("forest login: \r\nweb: 1 broken\r\n")
    said = forest.build(ok=False)
    tried = "The image base.img was tried before it counts, and failed: "
    assert said["base.img"].startswith(f"failed ({tried}")
    assert "The guest printed 'web: 1 broken'. The console's last lines:" in said["base.img"]
    assert said["child.img"].startswith(f"not built, because base.img, which it is made from, has failed: {tried}")
    assert sorted(path.name for path in forest.images.iterdir()) == ["manifest.json", "outside.img"]
    recorded = json.loads((forest.images / "manifest.json").read_text())["images"]
    assert "\nforest login:\nweb: 1 broken" in recorded["base.img"]["reason"]

    del forest.config[1:]
    forest.talk("forest login: \r\nweb: all well\r\n")
    assert [line.split(" in ")[0] for line in forest.build().values()] == ["built"]

    forest.settings["boot"] = {**forest.settings["boot"], "expect": ["^web: better than ever"], "fail_on": ["all well"]}
    before = forest.images.joinpath("base.img").stat().st_ino
    said = forest.build(ok=False)
    assert said["base.img"].startswith(f"failed ({tried}"), "it has not shown yet what is expected now"
    assert forest.images.joinpath("base.img").stat().st_ino == before, "the image that was there stays"
