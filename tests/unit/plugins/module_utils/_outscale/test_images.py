# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images at Outscale: made once, kept as they are wanted, replaced without a gap, and never another's."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Conflict,
    Invalid,
    Refused,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale import image_plans, snapshot_plans
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_changes import Attributes
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_definitions import Definition, compose
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_removal import plan_absent
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_requests import ImageRequest
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import Image
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshot_plans import SnapshotRequest
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.snapshots import Snapshot, read_snapshot
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan

from lab.config import OSC_VENDOR_ACCOUNT
from lab.settings import Fault
from tests.unit.plugins.module_utils._outscale.conftest import BUILD, WAIT, World

OTHER_BUILD = "0000000000000000"
FRIEND, STRANGER = "123456789012", "999999999999"


def freeze(world: World, build_id: str = BUILD, **values: t.Any) -> Snapshot:
    volume_id = values.pop("volume_id", None) or world.osc.volume(Size=2)
    request = SnapshotRequest(build_id=build_id, volume_id=volume_id, **{"waiting": WAIT, **values})
    return snapshot_plans.apply_present(snapshot_plans.plan_present(world.api, request), world.api, request)


def wanted(snapshot: Snapshot | None = None, **values: t.Any) -> ImageRequest:
    definition: dict[str, t.Any] = {"name": "web", "snapshot_id": snapshot.snapshot_id if snapshot else None}
    definition.update(values.pop("definition", {}))
    usual = {"name": "web", "build_id": BUILD, "fingerprint": "one", "waiting": WAIT}
    return ImageRequest(definition=Definition(**definition), **{**usual, **values})


def make(world: World, request: ImageRequest) -> Image:
    return image_plans.apply_present(image_plans.plan_present(world.api, request), world.api, request)


def test_an_image_is_made_tagged_and_found_again(world: World) -> None:
    image = make(world, wanted(freeze(world), tags={"Team": "web"}))
    assert image.state == "available"
    assert {"Team", "bakehouse:build-id", "bakehouse:fingerprint", "bakehouse:image"} == set(image.tags)
    assert image_plans.plan_present(world.api, wanted(tags={"Team": "web"}, build_id=None)).operations == []
    again = image_plans.plan_present(world.api, wanted(tags={"Team": "db"}, build_id=None))
    assert [one.describe() for one in again.operations] == [f"tag {image.image_id}: Team=db"]


def test_a_lost_answer_makes_no_second_image(world: World) -> None:
    world.lose("CreateImage")
    image = make(world, wanted(freeze(world)))
    assert image.build_id == BUILD
    assert len(world.osc.call("ReadImages")["Images"]) == 1


def test_a_call_that_broke_off_is_sent_again(world: World) -> None:
    world.never_send("CreateImage")
    assert make(world, wanted(freeze(world))).state == "available"
    assert world.count("CreateImage") == 2


def test_an_image_that_fails_is_said_with_its_id(world: World) -> None:
    snapshot = freeze(world)
    world.osc.settings.change({"image_seconds": 100})
    params = world.osc.registering(str(snapshot.snapshot_id))
    world.osc.call("CreateImage", fault=Fault("CreateImage", "fail"), ImageName="web", **params)
    world.clock.sleep(200)
    with pytest.raises(Conflict, match="no build of this collection made"):
        make(world, wanted(snapshot))
    with pytest.raises(WaitTimeout, match="is still in state pending") as caught:
        make(world, wanted(snapshot, name="data", definition={"name": "data"}, waiting=Waiting(True, 5, 1)))
    assert caught.value.facts["image_id"]


def test_permissions_are_made_equal_and_what_is_not_said_stays(world: World) -> None:
    snapshot = freeze(world)
    shared = Attributes(account_ids=[FRIEND], global_permission=True, snapshot_account_ids=[FRIEND])
    image = make(world, wanted(snapshot, attributes=shared))
    assert image.permissions.to_ansible() == {"account_ids": [FRIEND], "global_permission": True}
    assert read_snapshot(world.api, str(snapshot.snapshot_id)).permissions.account_ids == {FRIEND}
    assert image_plans.plan_present(world.api, wanted(attributes=shared)).operations == []
    image = make(world, wanted(attributes=Attributes(account_ids=[STRANGER])))
    assert image.permissions.to_ansible() == {"account_ids": [STRANGER], "global_permission": True}
    image = make(world, wanted(attributes=Attributes(account_ids=[], global_permission=False)))
    assert image.permissions.to_ansible() == {"account_ids": [], "global_permission": False}


def test_texts_codes_and_tags_of_snapshots_are_changed_where_they_differ(world: World) -> None:
    snapshot = freeze(world)
    make(world, wanted(snapshot, definition={"description": "old", "product_codes": ["0001"]}))
    attributes = Attributes(description="new", product_codes=["0002"], snapshot_tags={"Kind": "root"})
    plan = image_plans.plan_present(world.api, wanted(attributes=attributes))
    assert plan.diff()["before"] == {"description": "old", "product_codes": ["0001"]}
    image = image_plans.apply_present(plan, world.api, wanted())
    assert (image.description, image.product_codes) == ("new", ("0002",))
    assert read_snapshot(world.api, str(snapshot.snapshot_id)).tags["Kind"] == "root"
    assert image_plans.plan_present(world.api, wanted(attributes=attributes)).operations == []


def test_a_name_that_is_anothers_is_never_taken_over(world: World) -> None:
    world.osc.image("web")
    for replace in (False, True):
        with pytest.raises(Conflict, match="which no build of this collection made"):
            make(world, wanted(freeze(world), replace=replace))


def test_an_image_of_the_same_name_in_another_account_does_not_count(world: World) -> None:
    vendor = world.osc
    source = vendor.image("web")
    vendor.call("UpdateImage", ImageId=source, PermissionsToLaunch={"Additions": {"AccountIds": [OSC_VENDOR_ACCOUNT]}})
    theirs = vendor.call(
        "CreateImage", account=OSC_VENDOR_ACCOUNT, SourceImageId=source, SourceRegionName="eu-west-2", ImageName="web"
    )["Image"]["ImageId"]
    share = {"Additions": {"GlobalPermission": True}}
    vendor.call("UpdateImage", account=OSC_VENDOR_ACCOUNT, ImageId=theirs, PermissionsToLaunch=share)
    vendor.call("DeleteImage", ImageId=source)
    made = make(world, wanted(freeze(world)))
    make(world, wanted(freeze(world, OTHER_BUILD), build_id=OTHER_BUILD, fingerprint="two", replace=True))
    assert world.osc.call("ReadImages", Filters={"ImageIds": [theirs]})["Images"], "deregistering left it alone"
    assert world.osc.call("ReadImages", Filters={"ImageIds": [made.image_id]})["Images"] == []


def test_another_definition_is_an_error_or_replaced_with_its_snapshots(world: World) -> None:
    old_snapshot = freeze(world)
    old = make(world, wanted(old_snapshot))
    request = wanted(freeze(world, OTHER_BUILD), build_id=OTHER_BUILD, fingerprint="two")
    with pytest.raises(Conflict, match="made from another definition"):
        make(world, request)
    request = wanted(freeze(world, OTHER_BUILD), build_id=OTHER_BUILD, fingerprint="two", replace=True)
    new = make(world, request)
    assert new.image_id != old.image_id
    assert [one["ImageName"] for one in world.osc.call("ReadImages")["Images"]] == ["web"], "the trial is gone"
    ids = [one["SnapshotId"] for one in world.osc.call("ReadSnapshots")["Snapshots"]]
    assert old_snapshot.snapshot_id not in ids


def test_when_replacing_fails_in_the_middle_the_old_image_is_made_again(world: World) -> None:
    make(world, wanted(freeze(world)))
    request = wanted(freeze(world, OTHER_BUILD), build_id=OTHER_BUILD, fingerprint="two", replace=True)
    plan = image_plans.plan_present(world.api, request)
    real = world.transport._serve

    def refuse_second(action: str, params: t.Any) -> t.Any:
        is_new = action == "CreateImage" and params["ImageName"] == "web" and world.count("DeleteImage") == 1
        if is_new and world.count("CreateImage") == 3:
            return type(real("ReadVms", {}))(400, {"Errors": [{"Code": "10016", "Type": "TooManyResources"}]})
        return real(action, params)

    world.transport._serve = refuse_second  # type: ignore[method-assign]
    with pytest.raises(BuildError, match="has been made again as"):
        image_plans.apply_present(plan, world.api, request)
    (left,) = world.osc.call("ReadImages")["Images"]
    assert {"Key": "bakehouse:fingerprint", "Value": "one"} in left["Tags"]


def test_deleting_takes_own_snapshots_and_leaves_those_in_use(world: World) -> None:
    image = make(world, wanted(freeze(world)))
    other = make(world, wanted(freeze(world, OTHER_BUILD), name="data", definition={"name": "data"}))
    with pytest.raises(Refused, match="does not belong to the build"):
        plan_absent(world.api, image_id=image.image_id, build_id=OTHER_BUILD)
    apply_plan(plan_absent(world.api, name="web").operations)
    assert [one["ImageId"] for one in world.osc.call("ReadImages")["Images"]] == [other.image_id]
    assert len(world.osc.call("ReadSnapshots")["Snapshots"]) == 1
    assert plan_absent(world.api, name="web").operations == []


def test_a_snapshot_in_use_is_not_deleted_and_says_by_whom(world: World) -> None:
    snapshot = freeze(world)
    image = make(world, wanted(snapshot))
    plan = snapshot_plans.plan_absent(world.api, SnapshotRequest(build_id=BUILD))
    with pytest.raises(Busy, match=f"image {image.image_id} uses it"):
        apply_plan(plan.operations)


def test_snapshots_wait_with_an_end_and_say_how_far_they_are(world: World) -> None:
    world.osc.settings.change({"snapshot_seconds": 100})
    volume_id = world.osc.volume()
    with pytest.raises(WaitTimeout, match=r"is still pending after 50 seconds: \d+% done") as caught:
        freeze(world, volume_id=volume_id, waiting=Waiting(True, 50, 1))
    assert freeze(world, volume_id=volume_id).snapshot_id == caught.value.facts["snapshot_id"]


def test_a_snapshot_that_fails_is_said(world: World) -> None:
    world.osc.settings.change({"snapshot_seconds": 100})
    token = f"bakehouse-{BUILD}-snapshot-0"
    fault = Fault("CreateSnapshot", "fail", at=80)
    volume_id = world.osc.volume()
    made = world.osc.call("CreateSnapshot", fault=fault, VolumeId=volume_id, ClientToken=token)["Snapshot"]
    with pytest.raises(Conflict, match="has failed"):
        freeze(world, volume_id=volume_id, snapshot_id=made["SnapshotId"], waiting=Waiting(True, 500, 1))


def test_what_is_inherited_of_a_source(world: World) -> None:
    source = {
        "description": "theirs",
        "boot_modes": ["uefi"],
        "product_codes": ["0003"],
        "architecture": "i386",
        "root_device_name": "/dev/sda1",
        "block_device_mappings": [
            {"device_name": "/dev/sda1", "snapshot_id": "snap-1", "size_gib": 8, "volume_type": "io1", "iops": 100},
            {"device_name": "/dev/xvdb", "snapshot_id": "snap-2", "size_gib": 4, "volume_type": "gp2"},
        ],
    }
    made = compose(
        Definition("web", "snap-9", source_image=source, root_volume={"volume_type": "gp2"}), {}
    ).registration
    assert (made.boot_modes, made.product_codes, made.architecture) == (("uefi",), ("0003",), "i386")
    root, data = made.devices
    assert (root.snapshot_id, root.size_gib, root.volume_type, root.iops) == ("snap-9", None, "gp2", None)
    assert (data.snapshot_id, data.size_gib) == ("snap-2", 4)


def test_what_cannot_be_an_image_is_said_at_once(world: World) -> None:
    definition = {
        "name": "a:b",
        "architecture": "arm64",
        "boot_modes": ["bios"],
        "block_device_mappings": [{"device_name": "/dev/xvdb"}, {"device_name": "/dev/xvdb", "volume_type": "gp3"}],
    }
    with pytest.raises(Invalid) as caught:
        make(world, wanted(name="a:b", definition=definition, attributes=Attributes(account_ids=["12"])))
    assert len(caught.value.problems) == 9
    assert world.count("CreateImage") == 0
