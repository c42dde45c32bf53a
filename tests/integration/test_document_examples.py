# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Examples of the documents about the connection and the sandbox, run as they stand there but for their paths."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.integration.plays import Playbooks, Tasks, forget_sandbox, on
from tests.integration.project import CHECKOUT
from tests.integration.roots import opened, tiny_root, unpack
from tests.integration.sandbox.sandboxes import said
from tools.check_documents import blocks

NOTHING: Tasks = [{"ansible.builtin.raw": "true"}]


@pytest.fixture(scope="module")
def debian(debian_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(debian_tarball, tmp_path_factory.mktemp("examples") / "debian")


def example(document: str, containing: str) -> str:
    """The one block of YAML in a document that has this text."""
    text = (CHECKOUT / "docs" / document).read_text()
    (found,) = [block.text for block in blocks(text) if block.language == "yaml" and containing in block.text]
    return found


def test_the_inventory_of_directories(debian: Path, tmp_path: Path) -> None:
    roots = [tiny_root(debian, tmp_path / name) for name in ("web", "database")]
    text = example("connection.md", "ansible_chroot_root").replace("/srv/roots", str(tmp_path))
    inventory = yaml.safe_load(text)["all"]
    hosts = {name: {**inventory["vars"], **(given or {})} for name, given in inventory["hosts"].items()}
    ran = Playbooks(tmp_path).succeed(hosts, NOTHING)
    for host in (str(roots[0]), "database"):
        assert ran.recap(host)["changed"] == 1
    for root in roots:
        forget_sandbox(root)


@pytest.mark.parametrize("number", [0, 1])
def test_what_goes_around_commands(debian: Path, tmp_path: Path, number: int) -> None:
    root = tiny_root(debian, tmp_path / "root")
    log = tmp_path / "builds"
    line = example("connection.md", "ansible_chroot_command_wrapper").splitlines()[number]
    variables = yaml.safe_load(line.replace("/var/log/builds", str(log)))
    Playbooks(tmp_path).succeed(on(root, **variables), NOTHING)
    forget_sandbox(root)
    assert log.exists() == ("builds" in line)


def test_mounts_in_place_of_the_sandboxs_own(debian: Path, tmp_path: Path) -> None:
    root = tiny_root(debian, tmp_path / "root")
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages/list").write_text("hello\n")
    text = example("sandbox.md", "bake_chroot_mounts").replace("/srv/packages", str(tmp_path / "packages"))
    with opened(root, chroot_mounts=tuple(yaml.safe_load(text)["bake_chroot_mounts"])) as record:
        assert (
            said(record, "cat /mnt/list; test -e /dev/pts/ptmx && test -e /proc/1 && echo mounted") == "hello\nmounted"
        )
