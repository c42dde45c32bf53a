# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What mounted trees are taken for."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.trees import inspect_tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small system whose links are absolute, as distributions make them."""
    top = tmp_path / "root"
    for folder in ("usr/lib", "usr/bin", "etc"):
        (top / folder).mkdir(parents=True)
    (top / "bin").symlink_to("/usr/bin")
    (top / "usr/bin/dash").write_bytes(b"\x7fELF")
    (top / "usr/bin/dash").chmod(0o755)
    (top / "usr/bin/sh").symlink_to("dash")
    (top / "usr/lib/os-release").write_text('ID=tiny\nPRETTY_NAME="Tiny 1"\n')
    (top / "etc/os-release").symlink_to("../usr/lib/os-release")
    return top


def test_a_system_is_recognised(root: Path) -> None:
    tree = inspect_tree(str(root))
    assert tree.is_root
    assert tree.os_release == {"ID": "tiny", "PRETTY_NAME": "Tiny 1"}
    assert tree.verdict == "a root file system (Tiny 1)"


def test_a_system_without_a_shell_is_none(root: Path) -> None:
    (root / "usr/bin/dash").unlink()
    tree = inspect_tree(str(root))
    assert not tree.is_root
    assert tree.verdict == "has an os-release file, but no /bin/sh"


def test_a_boot_file_system_is_no_root(tmp_path: Path) -> None:
    for name in ("grub", "vmlinuz-6.1.0"):
        (tmp_path / name).touch()
    assert inspect_tree(str(tmp_path)).verdict == "has no os-release file (it holds: grub, vmlinuz-6.1.0)"
