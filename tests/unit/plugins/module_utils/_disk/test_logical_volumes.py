# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which logical volumes can be had without the device mapper, as lvm2 2.03.16 reports them."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.devices import Device, Filesystem, Partition
from ansible_collections.bakehouse.images.plugins.module_utils._disk.fstab import find_source, volume_names
from ansible_collections.bakehouse.images.plugins.module_utils._disk.logical_volumes import (
    LogicalVolume,
    OpenVolumes,
    parse_report,
    physical_volumes,
    read_volumes,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound

PHYSICAL = {"pv_name": "/dev/vdb2", "pe_start": "1048576", "vg_name": "image", "vg_missing_pv_count": "0"}
EXTENT = 4194304


def piece(name: str, begin: int, size: int, ranges: str, kind: str = "linear") -> dict[str, str]:
    return {
        "vg_name": "image",
        "lv_name": name,
        "segtype": kind,
        "seg_start": str(begin * EXTENT),
        "seg_size": str(size * EXTENT),
        "seg_pe_ranges": ranges,
        "vg_extent_size": str(EXTENT),
    }


def found(*pieces: dict[str, str], **physical: str) -> tuple[list[LogicalVolume], list[str]]:
    parts = json.dumps({"report": [{"pv": [{**PHYSICAL, **physical}]}]})
    return parse_report(parts, json.dumps({"report": [{"seg": list(pieces)}]}))


def test_a_volume_is_where_its_extents_are() -> None:
    volumes, troubles = found(piece("root", 0, 20, "/dev/vdb2:0-19"), piece("var", 0, 10, "/dev/vdb2:20-29"))
    assert volumes == [
        LogicalVolume("image", "root", "/dev/vdb2", 1048576, 20 * EXTENT),
        LogicalVolume("image", "var", "/dev/vdb2", 1048576 + 20 * EXTENT, 10 * EXTENT),
    ]
    assert troubles == []


def test_a_volume_that_was_grown_in_place_is_in_one_piece() -> None:
    volumes, _troubles = found(piece("root", 5, 5, "/dev/vdb2:12-16"), piece("root", 0, 5, "/dev/vdb2:7-11"))
    assert volumes == [LogicalVolume("image", "root", "/dev/vdb2", 1048576 + 7 * EXTENT, 10 * EXTENT)]


@pytest.mark.parametrize(
    "pieces",
    [
        [piece("root", 0, 2, "/dev/vdb2:0-1"), piece("root", 2, 2, "/dev/vdb2:5-6")],
        [piece("root", 0, 2, "/dev/vdb2:0-1"), piece("root", 2, 2, "/dev/vdb3:2-3")],
        [piece("root", 0, 4, "/dev/vdb2:0-1 /dev/vdb2:4-5", "striped")],
        [piece("root", 0, 4, "", "thin")],
        [piece("root", 0, 4, "/dev/sdx:0-3")],
    ],
)
def test_others_are_named(pieces: list[dict[str, str]]) -> None:
    volumes, troubles = found(*pieces)
    assert volumes == []
    assert troubles[0].startswith("logical volume image/root (")


def test_a_group_that_is_not_all_there_is_named() -> None:
    assert found(vg_missing_pv_count="1")[1] == ["volume group image: parts of it are on other devices"]


def test_a_volume_on_a_disk_that_is_not_there_is_named() -> None:
    missing = {**PHYSICAL, "pv_name": "[unknown]", "vg_missing_pv_count": "1"}
    parts = json.dumps({"report": [{"pv": [{**PHYSICAL, "vg_missing_pv_count": "1"}, missing]}]})
    pieces = [piece("data", 0, 9, "[unknown]:0-8"), piece("root", 0, 20, "/dev/vdb2:0-19")]
    volumes, troubles = parse_report(parts, json.dumps({"report": [{"seg": pieces}]}))
    assert [one.name for one in volumes] == ["root"]
    assert troubles == [
        "volume group image: parts of it are on other devices",
        "logical volume image/data (linear): it is not in one piece on one disk",
    ]


def test_a_disk_that_cannot_be_opened_is_an_error_that_says_so(tmp_path: Path) -> None:
    with OpenVolumes() as volumes, pytest.raises(BuildError, match="Cannot open .*/gone for its logical volumes: No"):
        volumes.open(LogicalVolume("image", "root", str(tmp_path / "gone"), 0, EXTENT))


def test_a_report_that_is_none() -> None:
    with pytest.raises(BuildError, match="lvm reported something that is no report"):
        parse_report("no", "no")


def test_without_lvm_the_error_can_say_so() -> None:
    class Nothing:
        def run(self, argv: t.Sequence[str], **_given: t.Any) -> t.Any:
            raise NotFound("There is no lvm.")

    assert read_volumes(t.cast(t.Any, Nothing()), ["/dev/vdb2"]) == (
        [],
        ["LVM: the command lvm is not installed on the build host"],
    )


def device(*partitions: Partition, filesystem: Filesystem | None = None) -> Device:
    return Device("/dev/vdb", "vdb", 1 << 30, 512, False, partitions=partitions, filesystem=filesystem)


def test_a_disk_without_partitions_may_be_a_physical_volume() -> None:
    member = Filesystem("LVM2_member")
    assert [one.path for one in physical_volumes(device(filesystem=member))] == ["/dev/vdb"]
    parts = [Partition(1, "/dev/vdb1", 0, 1, "83"), Partition(2, "/dev/vdb2", 1, 1, "8e", filesystem=member)]
    assert [one.path for one in physical_volumes(device(*parts))] == ["/dev/vdb2"]


@pytest.mark.parametrize("source", ["/dev/my-image/var-log", "/dev/mapper/my--image-var--log", "UUID=abc"])
def test_an_fstab_names_volumes_in_three_ways(source: str) -> None:
    log = Partition(2, "/dev/loop7", 0, 1, "", filesystem=Filesystem("ext4", uuid="abc"), volume="my-image/var-log")
    disk = device(Partition(2, "/dev/vdb2", 0, 1, "8e", filesystem=Filesystem("LVM2_member")), log)
    assert find_source(disk, source) == "/dev/loop7"
    assert find_source(disk, "/dev/xvda2") == "/dev/vdb2"
    assert volume_names("my-image/var-log") == ("my-image/var-log", "mapper/my--image-var--log")
