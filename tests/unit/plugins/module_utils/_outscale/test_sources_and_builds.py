# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding the source, copying another account's, and leaving nothing behind at Outscale."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict, Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.builds import (
    RemovalRequest,
    find_build,
    plan_removal,
    remove,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.copies import (
    CopyRequest,
    apply_copy,
    plan_copy,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import Image
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.leftovers import find_leftovers
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.sources import SourceRequest, find_source

from lab.config import OSC_VENDOR_ACCOUNT
from tests.unit.plugins.module_utils._outscale.conftest import BUILD, WAIT, World
from tests.unit.plugins.module_utils._outscale.test_images import freeze, make, wanted
from tests.unit.plugins.module_utils._outscale.test_volume_plans import make as make_volume

OTHER_BUILD = "0000000000000000"


def vendors(world: World, name: str = "Debian-12-1") -> str:
    """An image of another account that everyone may use, with a second volume."""
    snapshot_id = world.osc.snapshot()
    mappings = [
        {"DeviceName": name, "Bsu": {"SnapshotId": snapshot_id, "VolumeType": "gp2"}}
        for name in ("/dev/sda1", "/dev/xvdb")
    ]
    made = world.osc.image(name, RootDeviceName="/dev/sda1", BlockDeviceMappings=mappings)
    share = {"Additions": {"AccountIds": [OSC_VENDOR_ACCOUNT]}}
    world.osc.call("UpdateImage", ImageId=made, PermissionsToLaunch=share)
    copy: dict[str, t.Any] = {"SourceImageId": made, "SourceRegionName": "eu-west-2", "ImageName": name}
    theirs = world.osc.call("CreateImage", account=OSC_VENDOR_ACCOUNT, **copy)["Image"]["ImageId"]
    public = {"Additions": {"GlobalPermission": True}}
    world.osc.call("UpdateImage", account=OSC_VENDOR_ACCOUNT, ImageId=theirs, PermissionsToLaunch=public)
    world.osc.call("DeleteImage", ImageId=made)
    world.osc.call("DeleteSnapshot", SnapshotId=snapshot_id)
    return str(theirs)


def find(world: World, **values: t.Any) -> Image:
    return find_source(world.api, SourceRequest(**values))


def test_id_and_filters_hold_together(world: World) -> None:
    image_id = world.osc.image("web")
    assert find(world, image_id=image_id, filters={"image-name": ["web"]}).image_id == image_id
    with pytest.raises(NotFound, match=f"image_id {image_id}; image-name=other"):
        find(world, image_id=image_id, filters={"image-name": ["other"]})


def test_owners_by_id_by_alias_and_self(world: World) -> None:
    ours, theirs = world.osc.image("Debian-12-0"), vendors(world)
    names = {"image-name": ["Debian-12-*"]}
    assert find(world, filters=names, owners=[OSC_VENDOR_ACCOUNT]).image_id == theirs
    assert find(world, filters=names, owners=["self"]).image_id == ours
    alias = find(world, image_id=theirs).owner_alias
    assert find(world, filters=names, owners=[str(alias)]).image_id == theirs


def test_several_are_an_error_that_lists_them_or_the_newest_is_taken(world: World) -> None:
    first, second = world.osc.image("web-1"), world.osc.image("web-2")
    filters = {"image-name": ["web-*"], "architecture": ["x86_64"]}
    with pytest.raises(Conflict, match="2 images in eu-west-2 match") as caught:
        find(world, filters=filters, owners=["self"])
    assert {first, second} <= set(str(caught.value).split())
    assert find(world, filters=filters, owners=["self"], most_recent=True).image_id in (first, second)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "every image would match"),
        ({"filters": {"image-name": ["x"]}}, "filters without owners"),
        ({"filters": {"colour": ["x"]}, "owners": ["self"]}, "filter colour is none of"),
        ({"filters": {"image-name": [""]}, "owners": ["self"]}, "filter image-name has no value"),
        ({"image_id": "omi-1"}, "does not start with ami-"),
    ],
)
def test_a_source_described_badly(world: World, values: dict[str, t.Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        find(world, **values)
    assert world.transport.calls == []


def test_an_image_that_is_not_available_is_no_source(world: World) -> None:
    world.osc.settings.change({"image_seconds": 100})
    image_id = world.osc.image("web")
    with pytest.raises(Conflict, match="is in state pending"):
        find(world, image_id=image_id)
    with pytest.raises(NotFound):
        find(world, filters={"image-name": ["web"]}, owners=["self"])


def copy(world: World, image_id: str) -> Image:
    request = CopyRequest(BUILD, image_id, {"bakehouse:owner": "me"}, WAIT)
    return apply_copy(plan_copy(world.api, request), world.api, request)


def test_an_own_image_is_not_copied_and_anothers_is_once(world: World) -> None:
    ours, theirs = world.osc.image("web"), vendors(world)
    assert copy(world, ours).image_id == ours
    made = copy(world, theirs)
    assert made.image_id != theirs
    assert made.build_id == BUILD
    assert copy(world, theirs).image_id == made.image_id
    for snapshot in world.osc.call("ReadSnapshots", Filters={"SnapshotIds": made.snapshot_ids})["Snapshots"]:
        assert {"Key": "bakehouse:build-id", "Value": BUILD} in snapshot["Tags"]


def test_a_lost_answer_makes_no_second_copy(world: World) -> None:
    theirs = vendors(world)
    world.lose("CreateImage")
    made = copy(world, theirs)
    assert len(world.osc.call("ReadImages", Filters={"AccountIds": [made.owner_id]})["Images"]) == 1


def test_a_copy_goes_but_not_the_snapshots_that_the_finished_image_uses(world: World) -> None:
    base = copy(world, vendors(world))
    request = wanted(freeze(world), definition={"source_image": base.to_ansible()})
    image = make(world, request)
    data = next(one.snapshot_id for one in image.devices if one.device_name == "/dev/xvdb")
    assert data in base.snapshot_ids
    remove(plan_removal(world.api, RemovalRequest(BUILD, keep_image_id=image.image_id)))
    own = {"AccountIds": [image.owner_id]}
    assert [one["ImageId"] for one in world.osc.call("ReadImages", Filters=own)["Images"]] == [image.image_id]
    left = {one["SnapshotId"] for one in world.osc.call("ReadSnapshots", Filters=own)["Snapshots"]}
    assert left == set(image.snapshot_ids)
    assert find_leftovers(world.api) == []


def test_a_copy_whose_tags_were_still_to_come_is_removed_too(world: World) -> None:
    theirs = vendors(world)
    world.refuse("CreateTags", 403, "4", "AccessDenied")
    with pytest.raises(Exception, match="EIM policy"):
        copy(world, theirs)
    assert [one.type for one in find_leftovers(world.api, [BUILD])] == ["image"]
    removed = remove(plan_removal(world.api, RemovalRequest(BUILD)))
    assert [one.kind for one in removed] == ["image", "snapshot", "snapshot"]
    own = {"AccountIds": [world.api.own_account()]}
    assert world.osc.call("ReadSnapshots", Filters=own)["Snapshots"] == []


def test_an_image_whose_tags_were_still_to_come_is_removed_too(world: World) -> None:
    snapshot = freeze(world, tags={"bakehouse:image": "web"})
    world.refuse("CreateTags", 403, "4", "AccessDenied")
    with pytest.raises(Exception, match="EIM policy") as caught:
        make(world, wanted(snapshot))
    assert caught.value.facts["image_id"]  # type: ignore[attr-defined]
    removed = remove(plan_removal(world.api, RemovalRequest(BUILD)))
    assert [one.kind for one in removed] == ["image", "snapshot"]


def test_a_trial_whose_tags_were_still_to_come_is_removed_too(world: World) -> None:
    """Its name is not the image's own, which may be too long to have anything behind it."""
    name = "web " * 30
    old = make(world, wanted(freeze(world, OTHER_BUILD), name=name, build_id=OTHER_BUILD, definition={"name": name}))
    snapshot = freeze(world, tags={"bakehouse:image": name})
    world.refuse("CreateTags", 403, "4", "AccessDenied")
    with pytest.raises(Exception, match="EIM policy"):
        make(world, wanted(snapshot, name=name, definition={"name": name}, fingerprint="two", replace=True))
    assert len(world.osc.call("ReadImages")["Images"]) == 2
    removed = remove(plan_removal(world.api, RemovalRequest(BUILD)))
    assert [one.kind for one in removed] == ["image", "snapshot"]
    assert [one["ImageId"] for one in world.osc.call("ReadImages")["Images"]] == [old.image_id]


def test_a_sweep_keeps_finished_images_and_removes_the_rest(world: World) -> None:
    snapshot = freeze(world, tags={"bakehouse:image": "web"})
    image = make(world, wanted(snapshot))
    volume = make_volume(world, tags={"bakehouse:owner": "me"})
    spare = freeze(world, OTHER_BUILD)
    found = find_leftovers(world.api)
    assert {(one.type, one.id, one.build_id) for one in found} == {
        ("volume", volume.volume_id, BUILD),
        ("snapshot", spare.snapshot_id, OTHER_BUILD),
    }
    assert [one.id for one in find_leftovers(world.api, [OTHER_BUILD])] == [spare.snapshot_id]
    remove(plan_removal(world.api, RemovalRequest(BUILD, keep_images=True, waiting=WAIT)))
    assert image.image_id in [one["ImageId"] for one in world.osc.call("ReadImages")["Images"]]
    assert [one.id for one in find_leftovers(world.api)] == [spare.snapshot_id]


def test_every_removal_is_tried_and_what_is_left_is_said(world: World) -> None:
    snapshot, volume = freeze(world), make_volume(world)
    world.refuse("DeleteSnapshot", 403, "4", "AccessDenied")
    with pytest.raises(Exception, match="1 of 2 resources of the build could not be removed") as caught:
        remove(plan_removal(world.api, RemovalRequest(BUILD, waiting=WAIT)))
    facts = caught.value.facts  # type: ignore[attr-defined]
    assert [one["id"] for one in facts["left"]] == [snapshot.snapshot_id]
    assert [one["id"] for one in facts["removed"]] == [volume.volume_id]


def test_what_others_have_made_is_never_touched(world: World) -> None:
    world.osc.image("theirs")
    world.osc.volume()
    assert plan_removal(world.api, RemovalRequest(BUILD)) == []
    assert find_leftovers(world.api) == []
    assert find_build(world.api, image_name="theirs").to_ansible("theirs")["images"][0]["ours"] is False
