# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""os-release files, where they are and how they are read."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._os_release import parse_os_release, read_os_release


def test_only_assignments_count() -> None:
    text = '# comment\nID=debian\nPRETTY_NAME="Debian \'x\'"\nBROKEN="\nnot an assignment\nEMPTY=\n'
    assert parse_os_release(text) == {"ID": "debian", "PRETTY_NAME": "Debian 'x'", "EMPTY": ""}


def test_quotes_and_escapes_are_taken_off() -> None:
    text = '# comment\nID=debian\nVERSION=\'12 (bookworm)\'\nNAME="a \\"b\\" \\$c \\\\$"\n\nbroken line\n'
    assert parse_os_release(text) == {"ID": "debian", "VERSION": "12 (bookworm)", "NAME": 'a "b" $c \\$'}


def test_links_are_followed_in_the_tree(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for folder in ("etc", "usr/lib"):
        (root / folder).mkdir(parents=True)
    assert read_os_release(str(root)) is None
    (root / "usr/lib/os-release").write_text("ID=inside\n")
    assert read_os_release(str(root)) == {"ID": "inside"}
    (tmp_path / "outside").write_text("ID=outside\n")
    (root / "etc/os-release").symlink_to(tmp_path / "outside")
    assert read_os_release(str(root)) == {"ID": "inside"}
    (root / "etc/os-release").unlink()
    (root / "etc/os-release").symlink_to("/usr/lib/os-release")
    assert read_os_release(str(root)) == {"ID": "inside"}
