# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests for a root file system, and the command that answers one."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.mmdebstrap import Mmdebstrap
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import request_from_params
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._run import Completed

ROOT = {"device": "/dev/loop9p3", "mount_point": "/", "filesystem": "ext4", "options": None, "uuid": None}
ESP = {"device": "/dev/loop9p2", "mount_point": "/boot/efi", "filesystem": "vfat", "options": None, "uuid": None}
SWAP = {"device": "/dev/loop9p4", "mount_point": None, "filesystem": "swap", "options": None, "uuid": None}
VAR = {"device": "/dev/loop9p5", "mount_point": "/var", "filesystem": "xfs", "options": None, "uuid": None}


def params(**given: t.Any) -> dict[str, t.Any]:
    """A module's parameters with its defaults."""
    return {
        "mounts": [ROOT],
        "suite": "bookworm",
        "components": None,
        "mirrors": None,
        "variant": None,
        "packages": [],
        "architecture": None,
        "keyring": None,
        "wait_timeout": 1800,
        **given,
    }


def test_file_systems_are_mounted_from_the_root_down_whatever_their_order() -> None:
    request = request_from_params(params(mounts=[SWAP, ESP, VAR, ROOT]))

    assert [mount.mount_point for mount in request.mounts] == ["/", "/boot/efi", "/var", ""]
    assert request.root.device == "/dev/loop9p3"


def test_every_mistake_in_the_mounts_is_told_at_once() -> None:
    relative = {**VAR, "mount_point": "srv"}

    with pytest.raises(Invalid) as raised:
        request_from_params(params(mounts=[VAR, VAR, relative]))

    assert raised.value.problems == [
        "No file system has the mount point /.",
        "The mount point /var is given twice.",
        "/dev/loop9p5: the mount point must be an absolute path, not 'srv'.",
    ]


def test_a_root_on_fat_is_refused() -> None:
    with pytest.raises(Invalid, match="a root file system cannot be vfat"):
        request_from_params(params(mounts=[{**ROOT, "filesystem": "vfat"}]))


def test_the_command_has_what_was_asked_for_and_the_tools_of_the_file_systems() -> None:
    request = request_from_params(
        params(
            mounts=[ROOT, ESP, VAR],
            suite="noble",
            components=["main", "universe"],
            mirrors=["http://mirror.example.com/ubuntu"],
            packages=["python3", "dosfstools"],
            architecture="aarch64",
            keyring="/keys/archive.gpg",
        )
    )

    assert Mmdebstrap().argv(request, "/target") == [
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        "--skip=check/empty",
        "--variant=minbase",
        "--include=dosfstools,e2fsprogs,python3,xfsprogs",
        "--components=main,universe",
        "--architectures=arm64",
        "--keyring=/keys/archive.gpg",
        "noble",
        "/target",
        "http://mirror.example.com/ubuntu",
    ]


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("dpkg: error: failed to write: No space left on device", "The file system is too small"),
        ("E: The repository 'http://x bokworm Release' does not have a Release file.", "Check that the mirror has"),
        ("Err:1 http://x bookworm InRelease\n  Temporary failure resolving 'x'", "The mirror cannot be reached"),
        ("E: Unable to locate package pyhton3", "Check the names in O(packages)"),
        ("E: something new", None),
    ],
)
def test_a_failure_says_what_the_tool_said_and_what_to_do(said: str, advice: str | None) -> None:
    error = Mmdebstrap().explain(Completed(["mmdebstrap"], 1, "", said), request_from_params(params()))

    assert said.splitlines()[-1] in str(error)
    assert (error.hint is None) if advice is None else str(error.hint).startswith(advice)
