# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build that is alive never looks dead, whatever happens to numbers, clocks and machines."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils import _life
from ansible_collections.bakehouse.images.plugins.module_utils._life import Life, Owner, Place, Verdict, judge, merge

if t.TYPE_CHECKING:
    from pathlib import Path

MACHINE = "0123456789abcdef"
OTHER_BOOT = "00000000-1111-2222-3333-444444444444"


@pytest.fixture
def here() -> Place:
    """This place, on a machine that can be told from others."""
    return dataclasses.replace(_life.this_place(), machine=MACHINE)


def own(pid: t.Optional[int] = None) -> Owner:
    found = _life.owner_of(os.getpid() if pid is None else pid)
    assert found
    return found


def test_a_process_that_runs_is_alive() -> None:
    assert judge(own().to_text()).life is Life.ALIVE


def test_a_process_that_has_ended_is_dead_also_while_nobody_has_waited_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = own(process.pid).to_text()
        assert judge(owner).life is Life.ALIVE
        assert process.stdin
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert judge(owner) == Verdict(Life.DEAD, "process %d on %s has ended" % (process.pid, own().place.host))
    assert judge(owner).life is Life.DEAD


def test_a_number_that_is_used_again_is_not_the_build() -> None:
    other = dataclasses.replace(own(), start_time=own().start_time - 1)
    verdict = judge(other.to_text())
    assert verdict.life is Life.DEAD
    assert "another one by now" in verdict.reason


def test_of_another_container_nothing_is_known(here: Place) -> None:
    elsewhere = dataclasses.replace(own(), place=dataclasses.replace(here, namespace="4026539999.4026531834"))
    assert judge(elsewhere.to_text(), here).life is Life.UNKNOWN


def test_of_another_machine_nothing_is_known(here: Place) -> None:
    place = dataclasses.replace(here, boot=OTHER_BOOT, machine="fedcba9876543210")
    assert judge(dataclasses.replace(own(), place=place).to_text(), here).life is Life.UNKNOWN


def test_a_machine_that_was_started_anew_has_no_builds_of_before(here: Place) -> None:
    place = dataclasses.replace(here, boot=OTHER_BOOT)
    verdict = judge(Owner(place, own().pid, own().start_time).to_text(), here)
    assert verdict.life is Life.DEAD
    assert "started anew" in verdict.reason


def test_two_machines_that_cannot_be_told_apart_are_two(here: Place) -> None:
    """In containers, and without network hardware: clones may have the same id, and the same name."""
    nameless = dataclasses.replace(here, machine="")
    place = dataclasses.replace(nameless, boot=OTHER_BOOT)
    assert judge(Owner(place, 1, 1).to_text(), nameless).life is Life.UNKNOWN


@pytest.mark.parametrize("text", ["", "me", "host=x boot=y ns=1.2 pid=3 start=4", "pid=1\nstart=2"])
def test_of_an_owner_that_cannot_be_read_nothing_is_known(text: str) -> None:
    assert judge(text).life is Life.UNKNOWN


def test_a_proc_that_hides_processes_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid, /proc has no folder of a process that is there."""
    owner = own().to_text()
    shown = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: shown(path) and not str(path).endswith("/stat"))
    assert judge(owner).life is Life.UNKNOWN


def test_a_proc_of_another_namespace_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = own().to_text()
    monkeypatch.setattr(os.path, "realpath", lambda path: "/proc/1")
    assert judge(owner).life is Life.UNKNOWN


def test_an_owner_is_the_same_when_it_has_been_a_tag(here: Place) -> None:
    for place in (here, dataclasses.replace(here, machine="", host="x" * 64)):
        owner = Owner(place, 4194304, 2**40)
        assert Owner.from_text(owner.to_text()) == owner
        assert len(owner.to_text()) <= 256


def test_who_has_seen_it_alive_is_right() -> None:
    alive, dead, unknown = (Verdict(life, life.value) for life in (Life.ALIVE, Life.DEAD, Life.UNKNOWN))
    assert merge([unknown, dead, alive]) == alive
    assert merge([unknown, dead]) == dead
    assert merge([unknown, unknown]) == unknown
    assert merge([]).life is Life.UNKNOWN


def machine(
    root: Path,
    *,
    machine_id: str = "abc",
    address: str = "02:00:00:00:00:01",
    hardware: bool = True,
    uuid: str = "f3e4",
    asset: str = "",
) -> str:
    """The id of a machine with these files."""
    card = root / "sys/class/net/eth0"
    maker = root / "sys/class/dmi/id"
    for folder in (card, maker, root / "etc"):
        folder.mkdir(parents=True)
    (card / "address").write_text(address)
    if hardware:
        (card / "device").mkdir()
    (root / "etc/machine-id").write_text(machine_id)
    (maker / "product_uuid").write_text(uuid)
    (maker / "board_asset_tag").write_text(asset)
    return _life.machine_id(str(root))


def test_a_machine_is_known_by_what_a_clone_of_it_has_not(tmp_path: Path) -> None:
    same = [machine(tmp_path / name) for name in ("before", "after")]
    assert same[0] == same[1] != ""
    assert machine(tmp_path / "other-network", address="02:00:00:00:00:02") not in ("", same[0])
    assert machine(tmp_path / "clone", uuid="f3e5") not in ("", same[0])
    assert machine(tmp_path / "microvm", uuid="") == "", "its clones may have all else that it has"
    assert machine(tmp_path / "container", hardware=False) == ""
    assert machine(tmp_path / "no-id", machine_id="") == ""
    assert _life.machine_id(str(tmp_path / "nothing")) == ""


def test_an_instance_of_ec2_is_known_without_being_root(tmp_path: Path) -> None:
    one = machine(tmp_path / "one", uuid="", asset="i-0123456789abcdef0")
    assert one not in ("", machine(tmp_path / "two", uuid="", asset="i-0123456789abcdef1"))
    assert machine(tmp_path / "three", uuid="", asset="Not Specified") == ""
