# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a disk layout may ask for, and where its partitions come to lie."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout import plan_extents
from ansible_collections.bakehouse.images.plugins.module_utils._disk.layout_request import LayoutRequest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import GIB, MIB, TIB
from ansible_collections.bakehouse.images.plugins.module_utils._disk.tables import sfdisk_script, type_name
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid


def request(*partitions: dict[str, t.Any], **options: t.Any) -> LayoutRequest:
    params = {"device": "/dev/xvdf", "table": "gpt", "architecture": "x86_64", "partitions": list(partitions)}
    return LayoutRequest.from_params(dict(params, **options))


def problems(*partitions: dict[str, t.Any], **options: t.Any) -> list[str]:
    with pytest.raises(Invalid) as caught:
        request(*partitions, **options)
    return caught.value.problems


USUAL = (
    {"name": "bios", "size": "1MiB", "type": "bios_boot"},
    {"name": "esp", "size": "64MiB", "type": "esp", "filesystem": "vfat", "mount_point": "/boot/efi"},
    {"name": "root", "filesystem": "ext4", "mount_point": "/"},
)


def test_partitions_follow_one_another_and_the_last_takes_the_rest() -> None:
    bios, esp, root = plan_extents(request(*USUAL), 8 * GIB, 512)
    assert (bios.start_bytes, bios.size_bytes) == (1 * MIB, 1 * MIB)
    assert (esp.start_bytes, esp.size_bytes) == (2 * MIB, 64 * MIB)
    # The last MiB holds the backup of the GPT.
    assert (root.start_bytes, root.start_bytes + root.size_bytes) == (66 * MIB, 8 * GIB - MIB)


@pytest.mark.parametrize(
    ("architecture", "code"),
    [
        ("x86_64", "root-x86_64"),
        ("amd64", "root-x86_64"),
        ("arm64", "root-aarch64"),
        ("aarch64", "root-aarch64"),
    ],
)
def test_the_root_says_for_which_machine_it_is(architecture: str, code: str) -> None:
    extents = plan_extents(request(*USUAL, architecture=architecture), 8 * GIB, 512)
    assert [type_name(one.type) for one in extents] == ["bios_boot", "esp", code]


def test_sectors_of_4096_bytes() -> None:
    script = sfdisk_script("gpt", plan_extents(request(*USUAL), 8 * GIB, 4096), 4096)
    assert script == (
        "label: gpt\nunit: sectors\n\n"
        'start=256, size=256, type=21686148-6449-6e6f-744e-656564454649, name="bios"\n'
        'start=512, size=16384, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, name="esp"\n'
        'start=16896, size=2080000, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, name="root"\n'
    )


def test_shares_are_of_the_space_for_partitions() -> None:
    half, rest = plan_extents(
        request({"size": "50%", "filesystem": "ext4"}, {"size": "rest", "filesystem": "xfs"}, table="mbr"), GIB, 512
    )
    assert half.size_bytes == 511 * MIB
    assert rest.start_bytes + rest.size_bytes == GIB


def test_an_mbr_ends_at_two_tib() -> None:
    (only,) = plan_extents(request({"filesystem": "ext4"}, table="mbr"), 3 * TIB, 512)
    assert only.start_bytes + only.size_bytes == 2 * TIB - MIB


@pytest.mark.parametrize(
    ("partitions", "size_bytes", "problem"),
    [
        (
            [{"size": "900MiB"}, {"size": "200MiB"}],
            GIB,
            "The partitions need 1.1 GiB, and /dev/xvdf has room for 1022 MiB",
        ),
        (
            [{"size": "900MiB"}, {"filesystem": "xfs"}],
            GIB,
            "partition 2: 122 MiB is left for it, and it needs 300 MiB.",
        ),
        ([{"size": "100%"}, {"size": "rest"}], GIB, "partition 2: 0 bytes is left for it"),
        ([{"size": "1MiB"}], MIB, "has room for 0 bytes"),
    ],
)
def test_what_does_not_fit_is_refused(partitions: list[dict[str, t.Any]], size_bytes: int, problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        plan_extents(request(*partitions), size_bytes, 512)
    assert problem in str(caught.value)


def test_every_mistake_is_in_one_error() -> None:
    found = problems(
        {"name": "a", "size": "4GB", "type": "bios_boot", "filesystem": "vfat", "label": "lower"},
        {"name": "a", "size": "rest", "mount_point": "/srv/../x"},
        {"size": "60%", "filesystem": "xfs", "label": "two words", "mount_point": "/", "mount_options": ["rw,noatime"]},
        {"size": "60%", "filesystem": "ext4", "mount_point": "/", "type": "esp"},
    )
    assert found == [
        "The mount point / is given to 2 partitions.",
        "The name a is given to 2 partitions.",
        "partition 1 (a): size '4GB' is not a size: write 512MiB, 4GiB, 50% or rest.",
        "partition 1 (a): a bios_boot partition holds the boot loader itself, not a file system (vfat).",
        "partition 1 (a): label 'lower': the label of a vfat is in capitals and digits.",
        "partition 2 (a): only the last partition can have the size 'rest'.",
        "partition 2 (a): mount point /srv/../x: a partition without file system cannot be mounted.",
        "partition 3: label 'two words': the label of a xfs has no blanks, control characters or slashes.",
        "partition 3: mount option 'rw,noatime': give each option as an entry of its own, without blanks and commas.",
        "partition 4: firmware reads an esp only as vfat, not as ext4.",
        "The sizes in percent add up to more than 100%.",
    ]


@pytest.mark.parametrize(
    ("partition", "options", "problem"),
    [
        ({"type": "linus"}, {}, "type 'linus' is none of bios_boot, esp, linux, lvm, swap, xbootldr, nor a GUID."),
        ({"type": "83"}, {}, "nor a GUID."),
        ({"type": "bios_boot"}, {"table": "mbr"}, "has no meaning on an MBR"),
        (
            {"type": "0fc63daf-8483-4772-8e79-3d69d8477de4"},
            {"table": "mbr"},
            ", which is one for GPT is none of",
        ),
        ({"size": "0MiB"}, {}, "is not a size"),
        ({"size": "0%"}, {}, "is not a size"),
        ({"size": "200MiB", "filesystem": "xfs"}, {}, "too small for xfs, which takes at least 300 MiB"),
        ({"label": "root"}, {}, "there is no 'filesystem' to carry it"),
        ({"filesystem": "ext4", "label": "seventeen letters"}, {}, "has at most 16 bytes"),
        ({"filesystem": "ext4", "mount_point": "srv"}, {}, "not a plain absolute path"),
        ({"filesystem": "ext4", "mount_point": "/srv/"}, {}, "not a plain absolute path"),
        ({"filesystem": "swap", "mount_point": "/swap"}, {}, "swap cannot be mounted"),
        ({"filesystem": "ext4", "mount_options": ["ro"]}, {}, "'mount_options' without a 'mount_point'"),
        ({"name": 'a"b'}, {}, "quotes"),
        ({"name": "x" * 37}, {}, "more than 36 characters"),
        ({"size": "1GiB", "filesystem": "ext4"}, {"table": "none"}, "leave 'size' out"),
        ({}, {"table": "none"}, "'filesystem' is needed"),
        ({"filesystem": "vfat", "type": "esp"}, {"table": "none"}, "leave 'type' out"),
    ],
)
def test_mistakes(partition: dict[str, t.Any], options: dict[str, t.Any], problem: str) -> None:
    (found,) = problems(partition, **options)
    assert problem in found


def test_numbers_of_partitions() -> None:
    small = {"size": "1MiB"}
    assert "a GPT holds at most 128" in problems(*[small] * 129)[0]
    assert "an MBR holds at most 4" in problems(*[small] * 5, table="mbr")[0]
    assert "there is nothing to make" in problems()[0]
    assert "exactly one" in problems({"filesystem": "ext4", "size": "rest"}, {"filesystem": "xfs"}, table="none")[0]


@pytest.mark.parametrize(
    ("table", "kind", "code"),
    [
        ("gpt", "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
        ("mbr", "0C", "c"),  # as sfdisk shows it
        ("mbr", "swap", "82"),
    ],
)
def test_types_are_kept_as_they_are_read_back(table: str, kind: str, code: str) -> None:
    asked = request({"type": kind}, table=table)
    assert asked.code(asked.partitions[0]) == code
