# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image in many regions, on the lab: copied, converged, replaced; and what becomes of it when a region fails."""

from __future__ import annotations

from dataclasses import replace

import boto3
import botocore.config
import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2 import builds
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import Attributes
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.leftovers import find_leftovers
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Conflict,
    Invalid,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tags import INTERMEDIARY_TAG, OWNER_TAG

from tests.integration.regions import FAR, FARTHER, FRIEND, HOME, World, tags_of
from tests.lab_fixture import RunningLab

AT_ONCE = Waiting(timeout_seconds=0)


def key_of(lab: RunningLab, region: str) -> str:
    return str(lab.client("kms", region=region).create_key()["KeyMetadata"]["Arn"])


def check_shared(world: World, region: str, zones: list[str]) -> None:
    """The image has there what it shall have everywhere."""
    client = world.clients[region]
    (image,) = world.described(region)
    assert (image["Description"], image["ImdsSupport"]) == ("Web server", "v2.0")
    assert tags_of(image)["Team"] == "web"
    assert tags_of(image)["bakehouse:fingerprint"] == "one"
    assert image["DeprecationTime"].startswith("2031-01-01T00:00:00")
    assert image["DeregistrationProtection"] == "enabled-without-cooldown"
    permissions = client.describe_image_attribute(ImageId=image["ImageId"], Attribute="launchPermission")
    assert permissions["LaunchPermissions"] == [{"UserId": FRIEND}]
    snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    shared = client.describe_snapshot_attribute(SnapshotId=snapshot_id, Attribute="createVolumePermission")
    assert shared["CreateVolumePermissions"] == [{"UserId": FRIEND}]
    (snapshot,) = client.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert tags_of(snapshot)["Kind"] == "root"
    fast = client.describe_fast_snapshot_restores()["FastSnapshotRestores"]
    assert [one["AvailabilityZone"] for one in fast] == [zone for zone in zones if zone.startswith(region)]


def test_everywhere_the_same_and_nothing_more_the_second_time(world: World) -> None:
    world.lab.api.set(snapshot_seconds=0.2, image_seconds=0.2, consistency_seconds=0.2, required_tags=["Team"])
    attributes = Attributes(
        description="Web server",
        launch_permissions={"user_ids": [FRIEND]},
        snapshot_permissions={"user_ids": [FRIEND]},
        snapshot_tags={"Kind": "root"},
        deprecate_at="2031-01-01T00:00:00Z",
        deregistration_protection={"enabled": True, "with_cooldown": False},
    )
    zones = [f"{HOME}a", f"{FAR}b"]
    request = world.request(attributes=attributes, tags={"Team": "web"}, fast_restore_zones=zones)
    predicted = world.plan(request).actions()
    world.lab.api.clear_calls()
    assert world.run(request).actions() == predicted
    calls = world.changing_calls()
    assert calls.count("CopyImage") == 2
    # Both copies were asked for before either was waited for.
    assert [call["region"] for call in world.lab.api.calls("CopyImage")] == [FAR, FARTHER]

    for region in world.clients:
        check_shared(world, region, zones)
    # Copies have had their tags from the start: only what was there at home is tagged by a call of its own.
    assert {call["region"] for call in world.lab.api.calls("CreateTags")} == {HOME}

    world.lab.api.clear_calls()
    assert world.run(request).actions() == []
    assert world.changing_calls() == []

    one_more = replace(attributes, launch_permissions={"user_ids": [FRIEND, "444455556666"]})
    plan = world.run(replace(request, attributes=one_more))
    assert len(plan.actions()) == 3
    assert plan.diff()["after"][FAR]["launch_permissions"]["user_ids"] == [FRIEND, "444455556666"]
    assert set(world.changing_calls()) == {"ModifyImageAttribute"}


def test_an_intermediary_becomes_encrypted_images_with_each_regions_key(world: World) -> None:
    keys = {region: key_of(world.lab, region) for region in (HOME, FAR)}
    source = f"{world.name} source"
    image_id = world.image(HOME, source, "one", **{INTERMEDIARY_TAG: "true", OWNER_TAG: "host=a"})
    world.clients[HOME].deregister_image(ImageId=world.image_id)
    world.image_id = image_id
    request = world.request(
        encrypted=True, kms_key_id=keys[HOME], region_kms_key_ids={FAR: keys[FAR]}, copy_duration_minutes=15
    )
    world.run(request)
    for region in (HOME, FAR, FARTHER):
        (image,) = world.described(region)
        assert tags_of(image)["bakehouse:image"] == world.name
        assert not {INTERMEDIARY_TAG, OWNER_TAG} & set(tags_of(image))
        snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        (snapshot,) = world.clients[region].describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
        assert snapshot["Encrypted"]
        assert snapshot["KmsKeyId"] == keys.get(region, snapshot["KmsKeyId"])
    assert world.run(request).actions() == []

    # What a build leaves when its images stay: no intermediary. The sweep finds one that is left.
    left = [one.id for one in find_leftovers(world.apis[HOME], [world.build]) if one.type == "image"]
    assert left == [image_id]
    kept = builds.RemovalRequest(world.build, keep_images=True)
    builds.remove(builds.plan_removal(world.apis[HOME], kept))
    assert world.described(HOME, source) == []
    assert len(world.described(HOME)) == 1


def test_a_region_that_fails_is_cleared_and_the_others_are_there(world: World) -> None:
    before = world.left(FAR)
    world.lab.api.fault("CopyImage", "fail")  # that of the first region
    request = world.request(attributes=Attributes(launch_permissions={"user_ids": [FRIEND]}))
    with pytest.raises(BuildError, match=f"in 1 of 3 regions.\n- {FAR}: .*is in state failed") as error:
        world.run(request)
    assert set(error.value.facts["images"]) == {HOME, FARTHER}
    assert list(error.value.facts["failed_regions"]) == [FAR]
    assert world.left(FAR) == before
    assert len(world.described(FARTHER)) == 1

    world.lab.api.clear_calls()
    world.run(request)
    assert [call["region"] for call in world.lab.api.calls("CopyImage")] == [FAR]
    assert len(world.described(FAR)) == 1


def test_copies_that_take_too_long_are_waited_for_again_or_removed(world: World) -> None:
    before = world.left(FAR)
    world.lab.api.fault("CopyImage", "stuck")
    request = world.request(waiting=AT_ONCE)
    with pytest.raises(WaitTimeout, match=r"After \d+ seconds") as error:
        world.run(request)
    assert error.value.facts["progress"][FAR] == "0%"
    with pytest.raises(WaitTimeout):  # the second run finds what the first has begun
        world.run(request)
    assert len(world.lab.api.calls("CopyImage")) == 2
    last = replace(request, remove_unfinished=True)
    with pytest.raises(BuildError, match=f"- {FAR}: Only 0% was there in time, and was removed.") as gone:
        world.run(last)
    assert not isinstance(gone.value, WaitTimeout)
    assert world.left(FAR) == before
    assert len(world.described(FARTHER)) == 1


def test_another_definition_is_replaced_when_its_copy_is_complete(world: World) -> None:
    old = world.image(FAR, world.name, "zero")
    protected = world.image(FARTHER, world.name, "zero")
    world.clients[FARTHER].enable_image_deregistration_protection(ImageId=protected)
    with pytest.raises(Conflict, match="2 mistakes") as error:
        world.plan(world.request())
    assert FAR in str(error.value)
    assert FARTHER in str(error.value)
    with pytest.raises(Conflict, match=f"In {FARTHER}, image {protected} .* is protected"):
        world.plan(world.request(replace=True))
    assert world.lab.api.calls("CopyImage") == []

    world.clients[FARTHER].disable_image_deregistration_protection(ImageId=protected)
    request = world.request(replace=True, tags={"Team": "web"})
    world.lab.api.set(required_tags=["Team"])
    before = world.left(FAR)
    world.run(request)
    for region in (FAR, FARTHER):
        (image,) = world.described(region)
        assert tags_of(image)["bakehouse:fingerprint"] == "one"
        assert INTERMEDIARY_TAG not in tags_of(image)
        assert image["ImdsSupport"] == "v2.0"
    assert world.described(FAR)[0]["ImageId"] != old
    assert world.left(FAR) == before
    assert world.run(request).actions() == []


def test_an_image_that_no_build_made_is_never_replaced(world: World) -> None:
    none = {"bakehouse:build-id": "", "bakehouse:image": "", "bakehouse:fingerprint": ""}
    foreign = world.image(FAR, world.name, "", **none)
    with pytest.raises(Conflict, match=f"taken by image {foreign}, which no build of this collection made"):
        world.plan(world.request(replace=True))
    (image,) = world.described(FAR)
    world.clients[FAR].deregister_image(ImageId=foreign)
    world.clients[FAR].delete_snapshot(SnapshotId=image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])


def test_a_busy_region_is_asked_again_and_a_lost_answer_makes_no_second_copy(world: World) -> None:
    client = boto3.client(
        "ec2",
        endpoint_url=world.lab.env["AWS_ENDPOINT_URL"],
        region_name=FAR,
        aws_access_key_id=world.lab.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=world.lab.env["AWS_SECRET_ACCESS_KEY"],
        config=botocore.config.Config(retries={"total_max_attempts": 3, "mode": "standard"}),
    )
    world.apis[FAR] = Ec2Api(client, new_id_seconds=60)
    world.lab.api.fault("CopyImage", code="ResourceLimitExceeded", message="Too many copies.", status=400)
    world.lab.api.fault("CopyImage", "disconnect")
    world.run(world.request(regions=(FAR,)))
    assert len(world.lab.api.calls("CopyImage")) == 3
    assert len(world.described(FAR)) == 1


def test_all_that_forbids_it_is_said_before_anything_is_begun(world: World) -> None:
    world.lab.api.fault("DescribeImages", code="OptInRequired", message="Not subscribed.", status=403, skip=2)
    with pytest.raises(BuildError, match=f"In {FAR}: "):
        world.plan(world.request())
    with pytest.raises(Invalid, match="2 mistakes"):
        world.plan(world.request(region_kms_key_ids={"us-west-2": "alias/x"}, copy_duration_minutes=7))
    assert world.lab.api.calls("CopyImage") == []
