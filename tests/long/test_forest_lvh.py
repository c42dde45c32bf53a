# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What little-vm-helper gives as an example is built as it is, and boots: part of "make long"."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from tests.disks import attached, mounted
from tests.long.forest_runs import Run

pytestmark = pytest.mark.long

# What "lvh images example-config" prints.
EXAMPLE: list[dict[str, t.Any]] = [
    {
        "name": "base.raw",
        "packages": ["less", "vim", "sudo", "openssh-server", "curl"],
        "actions": [
            {"comment": "disable password for root", "type": "run-command", "op": {"Cmd": "passwd -d root"}},
        ],
    },
    {"name": "k8s.qcow2", "parent": "base.raw", "packages": ["docker.io"]},
]
IN_BOTH = {"usr/bin/less", "usr/bin/vim", "usr/bin/sudo", "usr/sbin/sshd", "usr/bin/curl"}
IN_THE_CHILD = {"usr/sbin/dockerd"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lvh")
    (path / "images.json").write_text(json.dumps(EXAMPLE))
    return path


@pytest.fixture(scope="module")
def first(folder: Path) -> Run:
    return Run(folder, {})


@pytest.mark.parametrize(
    ("name", "form", "holds"), [("base.raw", "raw", IN_BOTH), ("k8s.qcow2", "qcow2", IN_BOTH | IN_THE_CHILD)]
)
def test_each_image_boots_and_holds_its_packages(
    first: Run, folder: Path, tmp_path: Path, name: str, form: str, holds: set[str]
) -> None:
    first.assert_booted(name)
    file, raw = folder / "images" / name, tmp_path / "raw"
    shown = subprocess.run(["qemu-img", "info", "--output=json", file], check=True, capture_output=True)
    described = json.loads(shown.stdout)
    assert (described["format"], described["virtual-size"]) == (form, 8 << 30)
    subprocess.run(["qemu-img", "convert", "-O", "raw", file, raw], check=True)
    with attached(raw) as device, mounted(device.path, tmp_path, "ro", "noload") as root:
        assert {path for path in IN_BOTH | IN_THE_CHILD if (root / path).exists()} == holds
        assert "\nroot::" in "\n" + (root / "etc/shadow").read_text()


def test_the_second_run_finds_both_cached(first: Run, folder: Path) -> None:
    assert first.built() == {"base.raw", "k8s.qcow2"}
    assert Run(folder, {}).built() == set()
