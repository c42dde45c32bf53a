# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mounts that come along with a directory."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils import _system_calls as ns
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.mounts import mounts_below

MOUNTINFO = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /srv/root rw,relatime - tmpfs a rw
31 30 0:41 / /srv/root/with\\040space ro,nosuid,noatime shared:7 - tmpfs b rw
32 22 0:42 / /srv/rootless rw - tmpfs c rw
"""


def test_mounts_below_a_directory_are_found_with_their_flags(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(MOUNTINFO, encoding="utf-8")
    found = [("/srv/root/with space", ns.MS_RDONLY | ns.MS_NOSUID | ns.MS_NOATIME)]
    assert mounts_below("/srv/root", str(mountinfo)) == found
    assert mounts_below("/srv/other", str(mountinfo)) == []
