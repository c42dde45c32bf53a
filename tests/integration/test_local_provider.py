# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images without a cloud: what is in them, what a second run does, and what failed builds leave: nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.loops import list_loops

from tests.disks import attached, mounted, run
from tests.integration.disks import loop_disk, unpack
from tests.integration.disks import mounted as mounted_at
from tests.integration.module_runs import run_module
from tests.integration.project import CHECKOUT, Project, host_state
from tests.waiting import eventually

MIB = 1024**2
MARK = "{{ inventory_hostname }}"

# What the failing builds leave running in their images; other tests, and other test runs, have daemons of their own.
DAEMON = f"sleep 4712.{os.getpid()}"


@pytest.fixture(scope="module")
def debian_disk(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk image that somebody else has made: 640 MiB, one partition with a Debian."""
    folder = tmp_path_factory.mktemp("elsewhere")
    file = folder / "debian.raw"
    with loop_disk(folder / "disk", size_mib=640, table="label: gpt\n, +, L\n") as disk:
        run("mkfs.ext4", "-q", "-L", "root", disk.partition(1))
        with mounted_at(folder / "mnt", (disk.partition(1), "/", "")) as root:
            unpack(debian_tarball, root, "LABEL=root / auto defaults 0 1\n")
        file.hardlink_to(disk.file)
    return file


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder, {})


class Forest:
    """A project with images: a base from somebody's disk, and two children of it."""

    def __init__(self, project: Project, source: Path) -> None:
        self.project = project
        self.images = project.folder / "images"
        self.hosts: dict[str, dict[str, t.Any]] = {
            "base": image({"path": str(source)}, "base"),
            "web": image({"parent": "base"}, "web", bake_disk_size="800MiB", bake_network="none"),
            "overlay": image({"parent": "base"}, "overlay", bake_output_format="qcow2", bake_output_backing_file=True),
        }

    def write(self, **changes: dict[str, t.Any]) -> None:
        """Write the inventory, with changed variables of some hosts."""
        hosts = {name: {**variables, **changes.get(name, {})} for name, variables in self.hosts.items()}
        shared = {"ansible_connection": "bakehouse.images.chroot", "bake_provider": "local"}
        groups = {
            "depth_0": {"hosts": dict.fromkeys(name for name in hosts if name == "base")},
            "depth_1": {"hosts": dict.fromkeys(name for name in hosts if name != "base")},
        }
        inventory = {"images": {"vars": shared, "hosts": hosts}, **groups}
        self.project.write("inventory.yml", inventory)

    def names(self) -> list[str]:
        """All files in the images' folder, hidden ones too."""
        return sorted(it.name for it in self.images.iterdir()) if self.images.exists() else []


def image(source: t.Any, mark: str, **options: t.Any) -> dict[str, t.Any]:
    """The variables of an image whose one step leaves a mark in it, and does what cannot be done there."""
    step = [{"shell": [f"echo {mark} >> /etc/marks", "ls /sys/class/net > /etc/seen", "swapoff --all"]}]
    return {"bake_image_name": MARK, "bake_source": source, "bake_provision": step, **options}


@pytest.fixture
def forest(project: Project, debian_disk: Path) -> Forest:
    """The three images, not built."""
    forest = Forest(project, debian_disk)
    forest.write()
    return forest


@contextlib.contextmanager
def contents(file: Path, place: Path) -> Iterator[Path]:
    """What is in an image file: its root file system, mounted."""
    raw = place / f"{file.name}.contents"
    run("qemu-img", "convert", "-O", "raw", str(file), str(raw))
    with attached(raw) as device:
        run("partx", "--update", device.path)
        with mounted(device.partition(1), place, "ro", "noload") as root:
            yield root
    raw.unlink()


def marks(file: Path, place: Path) -> list[str]:
    with contents(file, place) as root:
        return (root / "etc/marks").read_text().split()


def loops(folder: Path) -> list[str]:
    return [loop.device for loop in list_loops() if loop.file.startswith(f"{folder}/")]


def said_of(output: str, host: str) -> str:
    """The errors of one image."""
    return "\n".join(line for line in output.splitlines() if line.startswith(f"fatal: [{host}"))


def test_a_forest_is_built_and_a_second_run_changes_nothing(forest: Forest, tmp_path: Path, debian_disk: Path) -> None:
    before = host_state()
    manifest = tmp_path / "web.json"
    forest.write(web={"bake_manifest": str(manifest)})
    ran = forest.project.build()
    assert ran.rc == 0, ran
    assert host_state() == before
    assert forest.names() == ["base.raw", "overlay.qcow2", "web.raw"]
    assert loops(forest.images) == []

    made = {name: forest.images / name for name in forest.names()}
    assert marks(made["base.raw"], tmp_path) == ["base"]
    assert marks(made["overlay.qcow2"], tmp_path) == ["base", "overlay"]
    with contents(made["web.raw"], tmp_path) as root:
        assert (root / "etc/marks").read_text().split() == ["base", "web"]
        assert (root / "etc/machine-id").read_text() == ""
        assert (root / "etc/seen").read_text() == "lo\n", "no network but its own"
        space = os.statvfs(root)
        assert space.f_blocks * space.f_frsize > 700 * MIB, "the file system has grown with the disk"
    assert made["web.raw"].stat().st_size == 800 * MIB
    assert made["web.raw"].stat().st_blocks * 512 < 600 * MIB, "what is free takes no space"
    assert (
        json.loads(run("qemu-img", "info", "--output=json", str(made["overlay.qcow2"])))["backing-filename"]
        == "base.raw"
    ), "by its name, so that the folder can be moved"
    assert made["overlay.qcow2"].stat().st_size < 60 * MIB, "a child costs what differs"
    result = json.loads(manifest.read_text())
    assert result["image"]["checksum"] == run("sha256sum", str(made["web.raw"])).split()[0]
    assert (result["status"], result["image"]["size_bytes"]) == ("built", 800 * MIB)
    assert result["image"]["path"] == str(made["web.raw"])
    assert result["not_done"] == ["swapoff --all"]
    assert "swapoff --all" in ran.output.partition("Say what was not done")[2]

    inodes = {name: path.stat().st_ino for name, path in made.items()}
    again = forest.project.build()
    assert again.rc == 0, again
    assert set(re.findall(r"changed=(\d+)", again.output)) == {"0"}
    assert {name: path.stat().st_ino for name, path in made.items()} == inodes

    assert_another_definition_is_noticed(forest)
    assert_one_child_alone_needs_a_parent_that_is_right(forest, tmp_path)


def assert_another_definition_is_noticed(forest: Forest) -> None:
    forest.write(web={"bake_disk_size": "900MiB"})
    refused = forest.project.build("--limit", "localhost,web")
    assert refused.rc != 0
    assert "was built from another definition" in said_of(refused.output, "web"), refused
    checked = forest.project.build("--limit", "localhost,web", "--check", bake_replace=True)
    assert checked.rc == 0, checked
    assert "Would replace the image web" in checked.output
    assert (forest.images / "web.raw").stat().st_size == 800 * MIB


def assert_one_child_alone_needs_a_parent_that_is_right(forest: Forest, tmp_path: Path) -> None:
    base = forest.images / "base.raw"
    forest.write(web={"bake_disk_size": "900MiB"})
    alone = forest.project.build("--limit", "localhost,web", bake_replace=True)
    assert alone.rc == 0, alone
    assert marks(forest.images / "web.raw", tmp_path) == ["base", "web"]

    forest.write(base={"bake_generalize": False}, web={"bake_force": True})
    changed = forest.project.build("--limit", "localhost,web")
    said = said_of(changed.output, "web")
    assert "The parent base of this image cannot be used" in said, changed
    assert "was built from another definition than the inventory has now" in said
    assert "--limit base,web" in said

    forest.write(web={"bake_force": True})
    with base.open("r+b") as stream:
        stream.write(b"boot sector")
    written = forest.project.build("--limit", "localhost,web")
    assert "was written to after it was built" in said_of(written.output, "web"), written

    base.unlink()
    missing = forest.project.build("--limit", "localhost,web")
    assert "There is no disk image" in said_of(missing.output, "web"), missing
    assert forest.names() == ["overlay.qcow2", "web.raw"]


WRONG: list[tuple[dict[str, t.Any], str]] = [
    ({"bake_provision": [{"shell": "exit 5"}], "bake_mount_command": "mount"}, "non-zero return code"),
    ({"bake_pre_mount_commands": ["exit 3"]}, "failed with status 3"),
    ({"bake_post_provision_commands": ["exit 4"]}, "failed with status 4"),
    ({"bake_disk_size": "100MiB"}, "A disk cannot be smaller than what it is made from"),
    ({"bake_source": {"path": "nowhere.raw"}}, "There is no disk image"),
    ({"bake_source": {"parent": "nobody"}}, "is not a host of this inventory"),
    ({"bake_source": {"parent": "wrong6"}}, "Not built, because wrong6, which it is made from"),
    ({"bake_output_file": "mine"}, "was not made by this collection"),
    ({"bake_output_file": "mine", "bake_replace": True, "bake_force": True}, "was not made by this collection"),
    ({"bake_output_file": "folder"}, "is not a regular file"),
]


def test_a_build_that_fails_leaves_nothing(forest: Forest, debian_disk: Path) -> None:
    forest.images.mkdir()
    (forest.images / "folder").mkdir()
    (forest.images / "mine").write_bytes(b"mine")
    daemon = {"shell": f"nohup {DAEMON} > /dev/null &"}
    forest.hosts = {
        f"wrong{number}": {
            **image({"path": str(debian_disk)}, "x"),
            **options,
            "bake_provision": [daemon, *options.get("bake_provision", [])],
        }
        for number, (options, _said) in enumerate(WRONG)
    }
    forest.write()
    before = host_state()
    ran = forest.project.build("--forks", "4")
    assert ran.rc != 0, ran
    for number, (_options, said) in enumerate(WRONG):
        assert said in said_of(ran.output, f"wrong{number}"), (number, said)
    assert "Traceback" not in ran.output
    assert host_state() == before
    assert not any(DAEMON in line for line in command_lines())
    assert loops(forest.images) == []
    assert forest.names() == ["folder", "mine"]
    assert (forest.images / "mine").read_bytes() == b"mine"


@pytest.mark.long
def test_a_killed_build_leaves_only_what_carries_its_id(forest: Forest, tmp_path: Path) -> None:
    step = {"bake_provision": [{"shell": "touch /begun; sleep 600"}], "bake_cancel_timeout": 0}
    forest.hosts = {"base": {**forest.hosts["base"], **step}}
    forest.write()
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(forest.project.folder / "inventory.yml")]
    env = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_HOME": str(tmp_path / ".ansible")}
    with subprocess.Popen(
        [*command, str(CHECKOUT / "playbooks/build.yml")],
        env=env,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        # The image's own processes are in its sandbox: this finds them from outside.
        eventually(lambda: any("touch /begun" in line for line in command_lines()), seconds=300)
        os.killpg(process.pid, signal.SIGKILL)
    [left] = forest.names()
    found = re.fullmatch(r"\.base\.raw\.([0-9a-f]{16})\.disk", left)
    assert found, left
    assert os.getxattr(forest.images / left, "user.bakehouse.build-id").decode() == found.group(1)

    for name, options in {
        "sandbox": {"name": found.group(1), "state": "absent"},
        "local_build": {"directory": str(forest.images), "build_id": found.group(1)},
    }.items():
        assert run_module(tmp_path, name, options)["changed"] is True
    assert forest.names() == []
    assert loops(forest.images) == []


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.long
def test_with_lvhs_rules_what_is_there_is_taken_as_it_is(forest: Forest, tmp_path: Path, debian_disk: Path) -> None:
    del forest.hosts["overlay"]
    rules = {"bake_cache": "exists", "bake_output_file": MARK}
    forest.write(base=rules, web={**rules, "bake_mount_command": "mount --verbose"})
    forest.images.mkdir()
    run("cp", "--sparse=always", str(debian_disk), str(forest.images / "base"))
    (forest.images / "web").touch()
    ran = forest.project.build()
    assert ran.rc == 0, ran
    assert marks(forest.images / "web", tmp_path) == ["web"], "an empty file is none, and a stranger's base is a base"


@pytest.mark.long
def test_a_disk_without_partitions_is_made_from_nothing_and_boots(project: Project, tmp_path: Path) -> None:
    whole = {"table": "none", "partitions": [{"filesystem": "ext4", "label": "root", "mount_point": "/"}]}
    project.images(
        base={
            "bake_provider": "local",
            "bake_image_name": "base",
            "bake_output_file": "base",
            "bake_disk_size": "1GiB",
            "bake_source": {"scratch": {"suite": "bookworm", "layout": whole}},
        }
    )
    ran = project.build()
    assert ran.rc == 0, ran
    path = project.folder / "images" / "base"
    booted = run_module(tmp_path, "image_boot", {"path": str(path), "format": "raw", "disk_interface": "virtio"})
    assert "login:" in booted["matched"]
