# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images from nothing, whose disk the user's own commands partition, format and fill, as Packer's users have them."""

from __future__ import annotations

import typing as t
from pathlib import Path

from tests.integration.project import Cloud, Project

# A partition shows some time after it was made.
PARTITIONED = [
    "printf 'label: gpt\\n, 300M, L\\n, 300M, L\\n' | sfdisk --quiet --no-reread --no-tell-kernel {{ bake_device }}",
    "partx --update {{ bake_device }} || true",
    "for number in 1 2; do until [ -b {{ bake_device }}p$number ]; do sleep 0.1; done; "
    "mkfs.ext4 -q {{ bake_device }}p$number; done",
]


def image(tarball: Path, **more: t.Any) -> dict[str, t.Any]:
    return {
        "bake_image_name": "from-nothing",
        "bake_source": {"scratch": {}},
        "bake_volume_size": 1,
        "bake_pre_mount_commands": PARTITIONED,
        "bake_post_mount_commands": [
            f"tar -C {{{{ bake_mount_path }}}} -xf {tarball}",
            "echo filled > {{ bake_mount_path }}/etc/filled",
        ],
        "bake_provision": [{"shell": "cat /etc/filled /etc/hostname > /etc/built"}],
        "bake_generalize": False,
        **more,
    }


def test_commands_fill_the_partition_that_is_named(
    project: Project, cloud: Cloud, debian_tarball: Path, tmp_path: Path
) -> None:
    project.images(**{"from-nothing": image(debian_tarball)})
    ran = project.build()
    assert ran.rc != 0
    assert "bake_pre_mount_commands have made 2 partitions with a file system on" in ran.output
    assert "Say in bake_root_partition which of them it is." in ran.output
    assert cloud.leftovers() == []

    project.images(**{"from-nothing": image(debian_tarball, bake_root_partition=2)})
    ran = project.build()
    assert ran.rc == 0, ran
    built = cloud.image("from-nothing")
    assert built is not None
    with cloud.mounted(built, tmp_path / "root", 2) as root:
        assert (root / "etc/built").read_text().startswith("filled\n")
    cloud.forget("from-nothing")
