# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example of three levels and ten images, built as it is: part of "make long".

One run of the playbook serves several tests, in the order of this file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import attached, mounted
from tests.long.forest_runs import CHECKOUT, Run

pytestmark = pytest.mark.long

EXAMPLE = CHECKOUT / "examples" / "forest-large"
PARENTS: dict[str, str] = {
    image["name"]: image.get("parent", "") for image in json.loads((EXAMPLE / "images.json").read_text())
}
NAMES = list(PARENTS)
# Less to install and to boot.
SETTINGS = {"BAKEHOUSE_FOREST_VARIANT": "minbase"}
NET_AND_DESCENDANTS = {"net.raw", "node.qcow2", "router.raw"}

# Written by every build, whatever the image: see generalize.yml of the role.
OF_EVERY_BUILD = {"etc/machine-id"}

# What each image has that its parent has not, or has otherwise: the file's text, a link's target, or a folder's "/".
# "kernel/..." and the like are files of the example.
DIFFERENCES: dict[str, dict[str, str]] = {
    "net.raw": {
        "bootstrap": "/",
        "bootstrap/networkd.sh": "file:bootstrap/networkd.sh",
        "bootstrap/units": "/",
        "bootstrap/units/node-ready.service": "file:bootstrap/units/node-ready.service",
        "etc/hostname": "net\n",
        "etc/systemd/network/20-wired.network": "[Match]\nName=en*\n\n[Network]\nDHCP=yes\n",
    },
    "kernel.qcow2": {
        "boot/vmlinuz-6.6.30-example": "file:kernel/boot/vmlinuz-6.6.30-example",
        "etc/hostname": "kernel\n",
        "usr/lib/modules/6.6.30-example": "/",
        "usr/lib/modules/6.6.30-example/modules.order": "file:kernel/lib/modules/6.6.30-example/modules.order",
        "vmlinuz": "-> /boot/vmlinuz-6.6.30-example",
    },
    "large.qcow2": {"srv/data": "/", "srv/data/incoming": "/"},
    "node.qcow2": {
        "etc/hostname": "node-1\n",
        "etc/systemd/system/node-ready.service": "file:bootstrap/units/node-ready.service",
        "etc/systemd/system/multi-user.target.wants/node-ready.service": "-> /etc/systemd/system/node-ready.service",
    },
    "router.raw": {"etc/hostname": "router\n", "etc/sysctl.d/60-router.conf": "net.ipv4.ip_forward = 1\n"},
    "bench.raw": {"etc/tools.conf": "-> /opt/tools/share/tools.conf", "var/lib/bench": "/"},
    "kernel-debug.qcow2": {"etc/sysctl.d/70-debug.conf": "kernel.sysrq = 1\n", "var/log/journal": "/"},
    # Packages and accounts bring files of their own to the next two: these are what the actions have made.
    "tools.raw": {
        "opt/tools": "/",
        "opt/tools/bin": "/",
        "opt/tools/bin/hello": "#!/bin/sh\necho hello from $(hostname)\n",
        "opt/tools/share": "/",
        "opt/tools/share/tools.conf": "verbose = false\n",
        "usr/local/bin/hello": "-> /opt/tools/bin/hello",
    },
    "ci.qcow2": {"home/ci": "/", "home/ci/.profile": "file:env.sh"},
    "base.raw": {
        "etc/hostname": "base\n",
        "etc/profile.d/tools.sh": "file:env.sh",
        "etc/sysctl.d/50-lab.conf": "fs.inotify.max_user_instances = 512\n",
    },
}
EXACT = sorted(set(DIFFERENCES) - {"tools.raw", "ci.qcow2", "base.raw"})
# What systemctl and the actions change beside, whose text is another matter.
BESIDE = {"net.raw": r"etc/hosts|etc/systemd/system/.*systemd-.*", "node.qcow2": r"etc/hosts"}
MODES = {
    ("base.raw", "etc/profile.d/tools.sh"): 0o644,
    ("ci.qcow2", "home/ci/.profile"): 0o600,
    ("net.raw", "bootstrap/networkd.sh"): 0o755,
    ("tools.raw", "opt/tools/bin/hello"): 0o755,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as it is, in a folder of its own."""
    path = tmp_path_factory.mktemp("forest") / "forest-large"
    shutil.copytree(EXAMPLE, path, symlinks=True)
    return path


@pytest.fixture(scope="module")
def first(folder: Path) -> Run:
    return Run(folder, SETTINGS)


@pytest.fixture(scope="module")
def second(first: Run, folder: Path) -> Run:
    assert first
    return Run(folder, SETTINGS)


@pytest.fixture(scope="module")
def third(second: Run, folder: Path) -> Run:
    """After a change to one action of net.raw."""
    assert second
    file = folder / "images.json"
    text = file.read_text()
    assert text.count('"Hostname": "net"') == 1
    file.write_text(text.replace('"Hostname": "net"', '"Hostname": "net-2"'))
    return Run(folder, SETTINGS)


Tree = dict[str, tuple[t.Any, ...]]


@pytest.fixture(scope="module")
def trees(first: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tree]:
    """What is in each image: owner, mode, and what shows that a file is another one, for each path."""
    assert first
    place = tmp_path_factory.mktemp("contents")
    return {name: contents(folder / "images" / name, place) for name in NAMES}


def contents(file: Path, place: Path) -> Tree:
    """The files of an image."""
    raw = place / f"{file.name}.contents"
    subprocess.run(["qemu-img", "convert", "-O", "raw", file, raw], check=True)
    with attached(raw) as device, mounted(device.path, place, "ro", "noload") as root:
        found = {name: look(root / name, text=name in DIFFERENCES[file.name]) for name in walk(root)}
    raw.unlink()
    return found


def walk(root: Path) -> Iterator[str]:
    """All paths below a folder, relative to it."""
    for folder, folders, files in os.walk(root):
        yield from (str(Path(folder, name).relative_to(root)) for name in (*folders, *files))


def look(path: Path, *, text: bool) -> tuple[t.Any, ...]:
    """What is compared of a file: owner and mode, what it is, and what shows that it was written to."""
    status = path.lstat()
    owner = (status.st_uid, status.st_gid, status.st_mode & 0o7777)
    if path.is_symlink():
        return (*owner, f"-> {path.readlink()}")
    if path.is_dir():
        return (*owner, "/")
    return (*owner, path.read_text() if text else "", status.st_size, status.st_mtime_ns)


def wanted(text: str) -> str:
    return (EXAMPLE / text.removeprefix("file:")).read_text() if text.startswith("file:") else text


def differs(tree: Tree, parent: Tree) -> set[str]:
    """The paths that only one of the two has, or has otherwise."""

    def known(entry: tuple[t.Any, ...] | None) -> t.Any:
        return entry and (*entry[:3], *(entry[3:] if entry[3] == "/" or str(entry[3]).startswith("->") else entry[4:]))

    return {path for path in tree.keys() | parent.keys() if known(tree.get(path)) != known(parent.get(path))}


def test_the_example_has_ten_images_in_three_levels_and_all_actions() -> None:
    described = json.loads((EXAMPLE / "images.json").read_text())
    grandparents = {PARENTS.get(PARENTS[name], "") for name in NAMES}
    assert len(NAMES) == 10
    assert grandparents == {"", "base.raw"}
    assert len({action["type"] for image in described for action in image["actions"]}) == 10


def test_images_json_is_built_as_it_is(first: Run, folder: Path) -> None:
    assert first.built() == set(NAMES)
    assert (folder / "images.json").read_bytes() == (EXAMPLE / "images.json").read_bytes()
    assert {path.name for path in (folder / "images").iterdir()} == {*NAMES, "manifest.json"}


@pytest.mark.parametrize("name", NAMES)
def test_each_image_was_booted_to_a_login_prompt_before_it_counted(first: Run, name: str) -> None:
    first.assert_booted(name)


def test_the_service_of_the_node_has_started(first: Run) -> None:
    (line,) = first.builds["node.qcow2"]["boot"]["expected"]
    assert line.endswith("node: ready")


@pytest.mark.parametrize("name", NAMES)
def test_each_image_holds_what_its_actions_have_made(trees: dict[str, Tree], name: str) -> None:
    found = {path: trees[name][path][3] if path in trees[name] else None for path in DIFFERENCES[name]}
    assert found == {path: wanted(text) for path, text in DIFFERENCES[name].items()}


@pytest.mark.parametrize("name", EXACT)
def test_nothing_else_differs_from_the_parent(trees: dict[str, Tree], name: str) -> None:
    others = differs(trees[name], trees[PARENTS[name]]) - set(DIFFERENCES[name]) - OF_EVERY_BUILD
    pattern = BESIDE.get(name, "$")
    assert [path for path in sorted(others) if not re.fullmatch(pattern, path)] == []


@pytest.mark.parametrize(("name", "path"), MODES)
def test_modes_are_as_asked_for(trees: dict[str, Tree], name: str, path: str) -> None:
    assert trees[name][path][2] == MODES[name, path]


def test_what_is_appended_stands_on_a_line_of_its_own(folder: Path, first: Run, tmp_path: Path) -> None:
    assert first
    raw = tmp_path / "node.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", folder / "images" / "node.qcow2", raw], check=True)
    with attached(raw) as device, mounted(device.path, tmp_path, "ro", "noload") as root:
        assert (root / "etc/hosts").read_text().splitlines()[-1] == "192.0.2.10 registry.example"
        assert "\nci:" not in (root / "etc/passwd").read_text()


def test_a_larger_disk_has_a_larger_file_system(folder: Path, first: Run) -> None:
    assert first
    described = subprocess.run(
        ["qemu-img", "info", "--output=json", folder / "images" / "large.qcow2"], check=True, capture_output=True
    )
    assert json.loads(described.stdout)["virtual-size"] == 3 << 30
    assert (folder / "images" / "base.raw").stat().st_size == 2 << 30


def test_the_second_run_finds_all_of_it_cached_and_changes_nothing(second: Run) -> None:
    assert second.built() == set()
    assert set(second.changed().values()) == {0}
    assert set(NAMES) <= set(second.changed())


def test_a_changed_action_builds_that_image_and_its_descendants_again(third: Run) -> None:
    assert third.built() == NET_AND_DESCENDANTS
