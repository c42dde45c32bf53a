# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recognising a volume's device, on machines that exist as folders only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._disk.discovery import (
    Host,
    Wanted,
    find_device,
    is_serial_of,
    require_volume,
    wait_for_device,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, Refused, WaitTimeout

from tests.replay import ReplayRunner, StillClock

GIB = 1024**3
OURS = "vol-0a1b2c3d4e5f60718"
OTHER = "vol-0ffffffffffffffff"


@dataclass(frozen=True)
class Machine(Host):
    """A machine whose nodes are files that hold their C(major:minor)."""

    in_use: tuple[str, ...] = field(default=())

    def number(self, path: str) -> str | None:
        try:
            return Path(path).read_text()
        except OSError:
            return None

    def is_idle(self, path: str) -> bool:
        return Path(path).resolve().name not in self.in_use

    def add_disk(self, name: str, number: str, *, serial: str | None = None, gib: int = 8) -> None:
        """What the kernel and devtmpfs do when a disk appears."""
        folder = Path(self.sys_root) / "devices" / name
        (folder / "device").mkdir(parents=True)
        (folder / "dev").write_text(number + "\n")
        (folder / "size").write_text("%d\n" % (gib * GIB // 512))
        if serial is not None:
            # NVMe pads serials with blanks.
            (folder / "device" / "serial").write_text(serial.ljust(20) + "\n")
        for link in (Path(self.sys_root) / "block" / name, Path(self.sys_root) / "dev" / "block" / number):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(folder)
        Path(self.dev_root).mkdir(exist_ok=True)
        (Path(self.dev_root) / name).write_text(number)

    def add_link(self, volume: str, name: str) -> None:
        """What udev does for a volume's disk."""
        folder = Path(self.dev_root) / "disk" / "by-id"
        folder.mkdir(parents=True, exist_ok=True)
        link = "nvme-Amazon_Elastic_Block_Store_" + volume.replace("-", "")
        (folder / link).symlink_to(Path(self.dev_root) / name)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(sys_root=str(tmp_path / "sys"), dev_root=str(tmp_path / "dev"))


def serial(volume: str) -> str:
    return volume.replace("-", "")


def name_of(path: str | None) -> str | None:
    return Path(path).name if path else None


@pytest.mark.parametrize("place", range(4))
def test_nitro_disks_in_any_order_are_told_apart_by_their_serial(machine: Machine, place: int) -> None:
    for index in range(4):
        volume = OURS if index == place else "vol-0000000000000000%d" % index
        machine.add_disk("nvme%dn1" % index, "259:%d" % index, serial=serial(volume))
    answer = find_device(machine, Wanted(volume_id=OURS, device_name="/dev/sdf"))
    assert name_of(answer.path) == "nvme%dn1" % place


def test_an_unknown_serial_finds_nothing_even_where_the_name_exists(machine: Machine) -> None:
    machine.add_disk("nvme0n1", "259:0", serial=serial(OTHER))
    machine.add_disk("sdf", "8:80")
    answer = find_device(machine, Wanted(volume_id=OURS, device_name="/dev/sdf"))
    assert answer.path is None
    assert "does not say which volume it is" in answer.reasons[-1]


def test_a_name_that_udev_links_to_another_volume_is_not_taken(machine: Machine) -> None:
    machine.add_disk("nvme1n1", "259:1", serial=serial(OTHER))
    (Path(machine.dev_root) / "sdf").symlink_to("nvme1n1")
    answer = find_device(machine, Wanted(volume_id=OURS, device_name="/dev/sdf"))
    assert answer.path is None
    assert "serial vol0ffffffffffffffff" in answer.reasons[-1]


def test_a_local_nvme_disk_is_no_volume(machine: Machine) -> None:
    machine.add_disk("nvme1n1", "259:1", serial="AWS6AAAABBBBCCCCDDDD")
    answer = find_device(machine, Wanted(volume_id=OURS, path=machine.dev_root + "/nvme1n1"))
    assert answer.path is None


def test_the_link_counts_where_sysfs_has_no_serial(machine: Machine) -> None:
    machine.add_disk("loop3", "7:3")
    machine.add_disk("loop4", "7:4")
    machine.add_link(OTHER, "loop3")
    machine.add_link(OURS, "loop4")
    assert name_of(find_device(machine, Wanted(volume_id=OURS)).path) == "loop4"


def test_a_link_left_from_an_earlier_volume_is_not_believed(machine: Machine) -> None:
    machine.add_disk("nvme1n1", "259:1", serial=serial(OTHER))
    machine.add_link(OURS, "nvme1n1")
    assert find_device(machine, Wanted(volume_id=OURS)).path is None


@pytest.mark.parametrize("kernel", ["xvdf", "sdf"])
@pytest.mark.parametrize("asked", ["/dev/sdf", "sdf", "/dev/%s"])
def test_xen_devices_are_found_by_the_name_they_were_attached_under(machine: Machine, kernel: str, asked: str) -> None:
    machine.add_disk("xvda", "202:0")
    machine.add_disk(kernel, "202:80")
    wanted = Wanted(volume_id=OURS, device_name=asked.replace("%s", kernel))
    assert name_of(find_device(machine, wanted).path) == kernel


def test_a_xen_device_in_use_is_not_taken(tmp_path: Path) -> None:
    machine = Machine(str(tmp_path / "sys"), str(tmp_path / "dev"), in_use=("xvdf",))
    machine.add_disk("xvdf", "202:80")
    answer = find_device(machine, Wanted(volume_id=OURS, device_name="/dev/sdf"))
    assert answer.path is None
    assert answer.reasons[0].endswith("xvdf: is in use")


def test_a_device_of_another_size_is_not_taken(machine: Machine) -> None:
    machine.add_disk("xvdf", "202:80", gib=100)
    wanted = Wanted(volume_id=OURS, device_name="/dev/sdf", size_gib=8)
    assert find_device(machine, wanted).reasons[0].endswith("has 100 GiB, not 8 GiB")


def test_a_path_is_checked_against_the_volume(machine: Machine) -> None:
    machine.add_disk("nvme1n1", "259:1", serial=serial(OTHER))
    path = machine.dev_root + "/nvme1n1"
    assert find_device(machine, Wanted(path=path)).path == path
    assert find_device(machine, Wanted(path=path, volume_id=OTHER)).path == path
    assert find_device(machine, Wanted(path=path, volume_id=OURS)).path is None
    with pytest.raises(Refused, match="is not the device of %s" % OURS):
        require_volume(machine, path, OURS)


@pytest.mark.parametrize(
    ("found", "same"),
    [
        ("vol0a1b2c3d4e5f60718", True),
        ("vol-0a1b2c3d4e5f60718", True),
        ("vol-0a1b2c3d4e5f6071", True),  # virtio-blk keeps 20 characters
        ("vol0a1b2c3d4e5f6071", False),
        ("vol0a1b2c3d4e5f60719", False),
        ("", False),
    ],
)
def test_serials(found: str, same: bool) -> None:
    assert is_serial_of(found, OURS) is same


def test_the_error_says_what_was_looked_for_and_what_there_is(machine: Machine) -> None:
    machine.add_disk("nvme0n1", "259:0", serial=serial(OTHER))
    wanted = Wanted(volume_id=OURS, device_name="/dev/sdf")
    with pytest.raises(WaitTimeout) as caught:
        wait_for_device(ReplayRunner({}), wanted, timeout_seconds=30, host=machine, clock=StillClock())
    message = str(caught.value)
    assert "After 30 seconds" in message
    for part in (OURS, "serial vol0a1b2c3d4e5f60718", "/xvdf", "/sdf", "nvme0n1 (8 GiB, serial vol0fff"):
        assert part in message


def test_it_waits_until_the_disk_appears(machine: Machine) -> None:
    class Attaching(StillClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.seconds > 3 and not machine.disks():
                machine.add_disk("nvme1n1", "259:1", serial=serial(OURS))

    # The device found is then read for real, and this one is a file.
    with pytest.raises(Invalid, match=r"nvme1n1 is not a block device"):
        wait_for_device(ReplayRunner({}), Wanted(volume_id=OURS), timeout_seconds=30, host=machine, clock=Attaching())


def test_something_must_say_which_device_is_wanted(machine: Machine) -> None:
    with pytest.raises(Invalid, match="at least one of"):
        wait_for_device(ReplayRunner({}), Wanted(size_gib=8), timeout_seconds=0, host=machine)
