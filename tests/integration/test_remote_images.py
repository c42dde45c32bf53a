# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images whose files lie on build hosts that ssh reaches: a forest is built where its first image is."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_host_choice import spread

from tests.disks import attached, mounted, run
from tests.integration.disks import loop_disk, unpack
from tests.integration.disks import mounted as mounted_at
from tests.integration.project import Project, host_state
from tests.integration.ssh_host import SshHost

BUILDERS = ["first", "second"]
CHILD = "web.qcow2"


@pytest.fixture
def outside(tmp_path: Path, debian_tarball: Path) -> Path:
    """A file of the build host: a disk that somebody else has made."""
    with loop_disk(tmp_path / "disk", size_mib=600, table="label: gpt\n, +, L\n") as disk:
        run("mkfs.ext4", "-q", "-L", "root", disk.partition(1))
        with mounted_at(tmp_path / "mnt", (disk.partition(1), "/", "")) as root:
            unpack(debian_tarball, root, "LABEL=root / auto defaults 0 1\n")
        file = tmp_path / "outside.img"
        file.hardlink_to(disk.file)
    return file


@pytest.fixture
def forest(tmp_path: Path, outside: Path, ssh_host: SshHost) -> Project:
    """An image and one made from it, to be spread over two build hosts, both of which are this machine."""
    folder = tmp_path / "project"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "from-controller").write_text("sent\n")
    (folder / "files" / "from-controller").chmod(0o640)
    project = Project(folder, {})
    base = {
        "name": "base.img",
        "path": str(outside),
        "actions": [{"type": "mkdir", "op": {"Dir": "/srv/base"}}],
    }
    child = {
        "name": CHILD,
        "parent": "base.img",
        "image_size": "700M",
        "backing_file": True,
        "actions": [{"type": "copy-in", "op": {"LocalPath": "files", "RemoteDir": "/srv"}}],
        "provision": [{"shell": "id -u > /srv/who; ls /srv > /srv/names"}],
    }
    described = {
        "plugin": "bakehouse.images.forest",
        "images_directory": str(tmp_path / "of-build-host"),
        "build_hosts": ["builders"],
        "images": [base, child],
    }
    project.write("inventory.yml", described)
    project.write("builders.yml", {"builders": {"hosts": dict.fromkeys(BUILDERS, ssh_host.variables)}})
    return project


def build(project: Project, *arguments: str) -> dict[str, dict[str, t.Any]]:
    """Build, and return what became of each image, as the controller has it in a file."""
    ran = project.build("-i", str(project.folder / "builders.yml"), *arguments)
    assert ran.rc == 0, ran
    found: dict[str, dict[str, t.Any]] = json.loads((project.folder / "inventory.manifest.json").read_text())["images"]
    return found


def test_a_forest_is_built_on_one_build_host_by_a_user_with_sudo(
    forest: Project, ssh_host: SshHost, tmp_path: Path
) -> None:
    alone = [spread([name], BUILDERS)[name] for name in ("base.img", CHILD)]
    assert alone[0] != alone[1], "placed one by one, the two would be on different hosts"
    ssh_host.disconnect()
    before, logins = host_state(), ssh_host.logins()
    there = tmp_path / "of-build-host"

    made = build(forest)

    assert ssh_host.logins() > logins
    assert host_state() == before
    assert {name: (it["status"], it["build_host"]) for name, it in made.items()} == dict.fromkeys(
        ("base.img", CHILD), ("built", alone[0])
    )
    assert {it["image_id"] for it in made.values()} == {str(there / name) for name in ("base.img", CHILD)}
    assert sorted(path.name for path in there.iterdir()) == ["base.img", CHILD]
    assert sorted(path.name for path in forest.folder.iterdir() if not path.name.startswith(".")) == [
        *("builders.yml", "files", "inventory.manifest.json", "inventory.yml")
    ], "nothing of the images is on the controller"
    assert_contents(there / CHILD, tmp_path)

    inodes = {path.name: path.stat().st_ino for path in there.iterdir()}
    again = build(forest)
    assert {(it["status"], it["build_host"]) for it in again.values()} == {("unchanged", alone[0])}
    assert {path.name: path.stat().st_ino for path in there.iterdir()} == inodes


def assert_contents(file: Path, place: Path) -> None:
    """What both images' steps have left is in the second one's file, which refers to the first one's."""
    info = json.loads(run("qemu-img", "info", "--output=json", str(file)))
    assert (info["backing-filename"], info["virtual-size"]) == ("base.img", 700 << 20)
    raw = place / "contents.raw"
    run("qemu-img", "convert", "-O", "raw", str(file), str(raw))
    with attached(raw) as device:
        run("partx", "--update", device.path)
        with mounted(device.partition(1), place, "ro", "noload") as root:
            assert (root / "srv/names").read_text().split() == ["base", "files", "names", "who"]
            assert (root / "srv/who").read_text() == "0\n"
            sent = root / "srv/files/from-controller"
            assert (sent.read_text(), sent.stat().st_mode & 0o777, sent.stat().st_uid) == ("sent\n", 0o640, 0)
    raw.unlink()
