# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file system of the build host that disk images are made on is full: before there is a disk, and while it is
written to, when the image's own file system suddenly has a disk that takes nothing any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disks import MIB, MakeDevice, loop_device, mounted, run
from tests.integration.matrices import local_matrix
from tests.integration.project import host_state

__all__ = ("loop_device",)

FILL = "dd if=/dev/urandom of=/var/filled bs=1M count=250 && sync"


@pytest.mark.parametrize(
    ("size_mib", "command", "says"),
    [
        (64, "true", "No space left on device"),
        # Programs have ended well by then.
        (330, FILL, "What was written to / of the image has not all arrived on /dev/loop"),
    ],
    ids=["before there is a disk", "while it is written to"],
)
def test_a_build_fails_and_leaves_nothing(
    tmp_path: Path, debian_tarball: Path, loop_device: MakeDevice, size_mib: int, command: str, says: str
) -> None:
    matrix = local_matrix(tmp_path, debian_tarball)
    folder = tmp_path / "small"
    folder.mkdir()
    device = loop_device(size_mib * MIB)
    run("mkfs.ext4", "-q", device.path)
    with mounted(device.path, folder) as images:
        before = host_state()
        options = {"bake_output_directory": str(images), "bake_disk_size": "800MiB"}
        ran = matrix.project.build(**options, bake_provision=[{"shell": command}])
        assert ran.rc != 0, ran
        assert says in ran.output, ran
        assert "Traceback" not in ran.output, ran
        assert host_state() == before
        assert [path.name for path in images.iterdir()] == ["lost+found"]
