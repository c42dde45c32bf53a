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

from tests.disks import attached, mounted
from tests.integration.disks import loop_disk, unpack
from tests.integration.disks import mounted as mounted_at
from tests.integration.project import Project, host_state, run

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


class Forest:
    """A folder as users of little-vm-helper have it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.images = project.folder / "images"
        self.config = copy.deepcopy(FOREST)

    def build(self, *arguments: str, ok: bool = True) -> dict[str, str]:
        """Build, and return the last word on each image: its line of the summary."""
        self.project.write("images.json", json.dumps(self.config))
        ran = self.project.build(*arguments)
        assert (ran.rc == 0) is ok, ran
        summary = ran.output.partition("TASK [Say it]")[2].partition("TASK [")[0]
        lines = [line.strip().strip('",').strip("- '") for line in summary.splitlines()]
        names = [image["name"] for image in self.config]
        return {
            name: line.removeprefix(f"{name}: ") for name in names for line in lines if line.startswith(f"{name}: ")
        }

    def action(self, image: str, number: int) -> dict[str, str]:
        """The values of an action, to change them."""
        (found,) = [entry for entry in self.config if entry["name"] == image]
        op: dict[str, str] = found["actions"][number]["op"]
        return op


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
    project = Project(folder, {})
    project.write("inventory.yml", {"plugin": "bakehouse.images.forest", "source": "images.json"})
    return Forest(project)


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


def test_images_json_is_built_as_it_is_and_only_what_changed_is_built_again(forest: Forest, tmp_path: Path) -> None:
    before = host_state()
    said = forest.build()
    assert [line.split(" in ")[0] for line in said.values()] == ["built"] * 3
    assert host_state() == before
    assert sorted(path.name for path in forest.images.iterdir()) == [
        *("all.qcow2", "base.img", "manifest.json", "other.img", "outside.img")
    ]
    assert (forest.images / "other.img").stat().st_size == 700 << 20
    with contents(forest.images / "all.qcow2", tmp_path) as root:
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

    assert {line.split(" (")[0] for line in forest.build().values()} == {"cached"}

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
