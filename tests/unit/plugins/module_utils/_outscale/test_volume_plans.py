# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The volume of a build at Outscale, and attaching it: one, known from the start, and gone at the end."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale import attachments, volume_plans
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.attachments import (
    AttachmentRequest,
    api_name,
    choose_device_name,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.builds import RemovalRequest, plan_removal
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.volume_plans import VolumeRequest
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.volumes import (
    Attachment,
    Volume,
    volumes_of_build,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan

from lab.settings import Fault
from tests.unit.plugins.module_utils._outscale.conftest import BUILD, WAIT, ZONE, World

OTHER_BUILD = "0000000000000000"


def wanted(**values: t.Any) -> VolumeRequest:
    usual = {"build_id": BUILD, "size_gib": 2, "subregion": ZONE, "volume_type": "gp2", "waiting": WAIT}
    return VolumeRequest(**{**usual, **values})


def make(world: World, **values: t.Any) -> Volume:
    request = wanted(**values)
    return volume_plans.apply_present(volume_plans.plan_present(world.api, request), world.api, request)


def attach(world: World, volume_id: str, **values: t.Any) -> Attachment:
    request = AttachmentRequest(volume_id, world.osc.vm.id, build_id=BUILD, waiting=WAIT, **values)
    return attachments.apply_present(attachments.plan_present(world.api, request), world.api, request)


def test_a_volume_carries_its_builds_token_and_then_its_tags(world: World) -> None:
    volume = make(world, tags={"Team": "web"})
    assert volume.state == "available"
    assert volume.tags == {"Team": "web", "bakehouse:build-id": BUILD}
    assert world.transport.params("CreateVolume")["ClientToken"] == f"bakehouse-{BUILD}-volume-0"


def test_planning_creates_nothing_and_running_again_finds_the_volume(world: World) -> None:
    plan = volume_plans.plan_present(world.api, wanted())
    assert [one.describe() for one in plan.operations] == ["create a volume: 2 GiB, gp2, blank, in eu-west-2a"]
    assert world.count("CreateVolume") == 0
    first = make(world)
    assert make(world).volume_id == first.volume_id
    assert volume_plans.plan_present(world.api, wanted()).operations == []


def test_a_volume_whose_tags_could_not_be_set_is_the_builds_all_the_same(world: World) -> None:
    world.refuse("CreateTags", 403, "4", "AccessDenied")
    with pytest.raises(Refused) as caught:
        make(world)
    assert caught.value.facts["volume_id"]
    (found,) = volumes_of_build(world.api, BUILD)
    assert found.tags == {}
    removals = plan_removal(world.api, RemovalRequest(BUILD, waiting=WAIT))
    assert [one.resource_id for one in removals] == [found.volume_id]
    assert make(world).tags["bakehouse:build-id"] == BUILD, "and the next run tags it"


def test_a_lost_answer_makes_no_second_volume(world: World) -> None:
    world.lose("CreateVolume")
    make(world)
    assert len(world.osc.call("ReadVolumes")["Volumes"]) == 1


def test_a_clock_that_is_ahead_makes_no_second_volume(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks old and was not listed before is looked for; only what is not there is followed by another."""
    monkeypatch.setattr(volume_plans, "age_seconds", lambda moment: 600.0)
    first = make(world)
    assert world.count("CreateVolume") == 1
    world.osc.call("DeleteVolume", VolumeId=str(first.volume_id))
    assert make(world).volume_id != first.volume_id
    assert len(world.osc.call("ReadVolumes")["Volumes"]) == 1


def test_all_mistakes_at_once_and_nothing_is_made(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        make(world, build_id="x", volume_type="io1", iops=99999, size_gib=2, tags={"aws:x": "y"})
    assert len(caught.value.problems) == 5
    assert world.count("CreateVolume") == 0


def test_a_volume_smaller_than_its_snapshot_is_refused_in_words(world: World) -> None:
    snapshot_id = world.osc.snapshot(VolumeId=world.osc.volume(Size=4))
    with pytest.raises(Invalid, match="size_gib 2 is smaller than snapshot .*, which has 4 GiB"):
        make(world, snapshot_id=snapshot_id)


def test_waiting_has_an_end_and_a_volume_that_failed_is_said(world: World) -> None:
    world.osc.settings.change({"volume_seconds": 1000})
    with pytest.raises(WaitTimeout, match="is still in state creating after 5 seconds"):
        make(world, waiting=Waiting(True, 5, 1))
    fault = Fault("CreateVolume", "fail")
    made = world.osc.call("CreateVolume", fault=fault, SubregionName=ZONE, Size=1, ClientToken="t")["Volume"]
    world.clock.sleep(1000)
    with pytest.raises(Conflict, match="is in state error, it will not become available"):
        make(world, build_id=OTHER_BUILD, volume_id=made["VolumeId"], size_gib=1, volume_type=None)


def test_a_volume_of_another_build_is_not_deleted(world: World) -> None:
    volume = make(world)
    with pytest.raises(Refused, match="does not belong to the build"):
        volume_plans.plan_absent(world.api, wanted(build_id=OTHER_BUILD, volume_id=volume.volume_id))
    apply_plan(volume_plans.plan_absent(world.api, wanted()).operations)
    assert volume_plans.plan_absent(world.api, wanted()).operations == []


def test_an_attached_volume_is_detached_and_deleted(world: World) -> None:
    volume = make(world)
    attach(world, str(volume.volume_id))
    plan = volume_plans.plan_absent(world.api, wanted())
    assert [one.describe() for one in plan.operations] == [f"detach and delete volume {volume.volume_id}"]
    apply_plan(plan.operations)
    assert world.osc.call("ReadVolumes")["Volumes"] == []


def test_names_that_are_taken_are_not_chosen_whatever_they_are_called(world: World) -> None:
    assert choose_device_name(["/dev/sda1", "/dev/sdb", "/dev/xvdc", "/dev/vdd"]) == "/dev/xvde"
    assert api_name("/dev/vdb") == "/dev/xvdb"
    with pytest.raises(Busy, match="All 77 device names"):
        choose_device_name(attachments.DEVICE_NAMES)


def test_two_builds_attach_side_by_side(world: World) -> None:
    first, second = make(world), make(world, build_id=OTHER_BUILD)
    assert attach(world, str(first.volume_id)).device_name == "/dev/xvdb"
    assert attach(world, str(second.volume_id)).device_name == "/dev/xvdc"
    assert attach(world, str(second.volume_id)).device_name == "/dev/xvdc", "and running again changes nothing"


def test_a_name_that_is_taken_meanwhile_is_followed_by_another(world: World) -> None:
    volume = make(world)
    world.refuse("LinkVolume", 409, "9003", "ResourceConflict")
    assert attach(world, str(volume.volume_id)).device_name == "/dev/xvdc"
    other = make(world, build_id=OTHER_BUILD)
    world.refuse("LinkVolume", 409, "9003", "ResourceConflict")
    with pytest.raises(Busy):
        attach(world, str(other.volume_id), device_name="/dev/xvdz")


def test_a_lost_answer_to_attaching_is_no_error(world: World) -> None:
    volume = make(world)
    world.lose("LinkVolume")
    assert attach(world, str(volume.volume_id)).state == "attached"


def test_attaching_where_it_cannot_be_is_said_before_it_is_tried(world: World) -> None:
    elsewhere = make(world, subregion="eu-west-2b")
    with pytest.raises(Invalid, match="only volumes of its own subregion"):
        attach(world, str(elsewhere.volume_id))
    with pytest.raises(Invalid, match="is not one of Outscale"):
        attach(world, str(elsewhere.volume_id), device_name="/dev/nvme1n1")
    with pytest.raises(NotFound, match="There is no VM i-00000000"):
        attachments.plan_present(world.api, AttachmentRequest(str(elsewhere.volume_id), "i-00000000"))
    assert world.count("LinkVolume") == 0


def test_attaching_and_detaching_have_ends(world: World) -> None:
    volume = make(world)
    world.osc.settings.change({"attach_seconds": 1000, "detach_seconds": 1000})
    request = AttachmentRequest(str(volume.volume_id), world.osc.vm.id, waiting=Waiting(True, 5, 1))
    with pytest.raises(WaitTimeout, match="still in attachment state attaching"):
        attachments.apply_present(attachments.plan_present(world.api, request), world.api, request)
    world.clock.sleep(1000)
    with pytest.raises(Busy, match="is still attached to .* after 5 seconds"):
        apply_plan(attachments.plan_absent(world.api, request).operations)


def test_detaching_what_is_free_changes_nothing(world: World) -> None:
    volume = make(world)
    assert attachments.plan_absent(world.api, AttachmentRequest(str(volume.volume_id))).operations == []
    assert attachments.plan_absent(world.api, AttachmentRequest("vol-00000000")).operations == []
