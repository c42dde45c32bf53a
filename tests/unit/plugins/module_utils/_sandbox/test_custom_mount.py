# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of a root that was to be mounted by the user's own command."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import custom_mount


@pytest.fixture
def state_dir(tmp_path: Path) -> str:
    return str(tmp_path / "sandboxes")


def test_a_place_where_nothing_is_mounted_is_removed(state_dir: str) -> None:
    Path(custom_mount.mount_point("web", state_dir)).mkdir(parents=True)
    assert custom_mount.names(state_dir) == ["web"]
    assert custom_mount.take_away("web", state_dir)
    assert custom_mount.names(state_dir) == []
    assert not custom_mount.take_away("web", state_dir)


def test_files_of_the_command_are_not_removed_and_are_named(state_dir: str) -> None:
    place = Path(custom_mount.mount_point("web", state_dir))
    (place / "data").mkdir(parents=True)
    with pytest.raises(BuildError, match="cannot be removed: Directory not empty") as caught:
        custom_mount.take_away("web", state_dir)
    assert str(place) in str(caught.value)
    (place / "data").rmdir()
    assert custom_mount.take_away("web", state_dir)
    assert custom_mount.names(state_dir) == []
