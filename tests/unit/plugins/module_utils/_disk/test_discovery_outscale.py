# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recognising a volume's device on VMs of Outscale, whatever their hypervisor calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.discovery import Wanted, find_device

from tests.unit.plugins.module_utils._disk.test_discovery import Machine, name_of

WANTED = Wanted(volume_id="vol-0a1b2c3d", device_name="/dev/xvdb", size_gib=8)


@pytest.fixture(name="vm")
def _vm(tmp_path: Path) -> Machine:
    machine = Machine(sys_root=str(tmp_path / "sys"), dev_root=str(tmp_path / "dev"))
    machine.add_disk("sda", "8:0", gib=10)
    return machine


def link(machine: Machine, name: str, disk: str) -> None:
    folder = Path(machine.dev_root) / "disk" / "by-id"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(Path(machine.dev_root) / disk)


def test_the_serial_of_a_scsi_disk_is_the_name_that_it_was_attached_under(vm: Machine) -> None:
    vm.add_disk("sdb", "8:16")
    vm.add_disk("sdc", "8:32")
    link(vm, "scsi-0QEMU_QEMU_HARDDISK_sdb", "sdc")
    link(vm, "scsi-0QEMU_QEMU_HARDDISK_sdd", "sdb")
    assert name_of(find_device(vm, WANTED).path) == "sdc", "and not the one that the kernel calls so"


def test_a_disk_of_another_size_is_not_taken_for_its_link(vm: Machine) -> None:
    vm.add_disk("sdb", "8:16", gib=4)
    link(vm, "scsi-0QEMU_QEMU_HARDDISK_sdb", "sdb")
    assert find_device(vm, WANTED).path is None


def test_a_disk_in_use_is_not_taken_for_its_link(vm: Machine) -> None:
    busy = Machine(sys_root=vm.sys_root, dev_root=vm.dev_root, in_use=("sdb",))
    busy.add_disk("sdb", "8:16")
    link(busy, "scsi-0QEMU_QEMU_HARDDISK_sdb", "sdb")
    assert find_device(busy, WANTED).path is None


def test_a_virtio_disk_is_known_by_the_volumes_id(vm: Machine) -> None:
    vm.add_disk("vdb", "252:16")
    vm.add_disk("vdc", "252:32")
    link(vm, "virtio-vol-0a1b2c3d", "vdc")
    link(vm, "virtio-vol-0ffffff0", "vdb")
    assert name_of(find_device(vm, WANTED).path) == "vdc"


@pytest.mark.parametrize("name", ["xvdb", "sdb", "vdb"])
def test_without_a_serial_the_name_has_any_of_three_forms(vm: Machine, name: str) -> None:
    vm.add_disk(name, "252:16")
    assert name_of(find_device(vm, WANTED).path) == name


def test_two_letters(vm: Machine) -> None:
    vm.add_disk("sdx", "65:112")
    link(vm, "scsi-0QEMU_QEMU_HARDDISK_sdba", "sdx")
    wanted = Wanted(volume_id="vol-0a1b2c3d", device_name="/dev/xvdba", size_gib=8)
    assert name_of(find_device(vm, wanted).path) == "sdx"
