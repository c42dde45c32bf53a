# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retention and publishing on the lab: the newest stay, what is used stays, and the rest goes with its snapshots."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.parameters import (
    ParameterRequest,
    apply_parameter,
    plan_parameter,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.retention import (
    RetentionPlan,
    RetentionRequest,
    apply_retention,
    plan_retention,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid

from tests.integration.regions import FAR, FARTHER, FRIEND, HOME, World, next_second

PARAMETER = "/images/retention"


def ssm(world: World, region: str) -> Ec2Api:
    return Ec2Api(world.lab.client("ssm", region=region))


def planned(world: World, **values: t.Any) -> RetentionPlan:
    request = RetentionRequest(**{"keep": 2, "family": world.build, **values})
    return plan_retention(world.apis[HOME], request, lambda region: ssm(world, region))


def generation(world: World, number: int, **tags: str) -> str:
    return world.image(HOME, f"web-{number}-{world.build}", str(number), **{"bakehouse:family": world.build, **tags})


class Family:
    """Generations of an image, most of which are used in some way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ec2 = world.clients[HOME]
        none = {"bakehouse:build-id": "", "bakehouse:image": "", "bakehouse:fingerprint": ""}
        numbers = range(7)
        made = [generation(world, number) for number in numbers]
        self.running, self.templated, self.resolved, self.shared, self.protected, self.twin, self.gone = made
        self.foreign = generation(world, 7, **none)
        next_second()
        self.newest = [generation(world, number) for number in (8, 9)]
        self.twins_snapshot = self.snapshot_of(self.twin)
        device = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": self.twins_snapshot}}]
        names = {"Name": f"other-{world.build}", "RootDeviceName": "/dev/xvda"}
        self.other = self.ec2.register_image(**names, BlockDeviceMappings=device)["ImageId"]

    def __enter__(self) -> Family:
        started = self.ec2.run_instances(ImageId=self.running, MinCount=1, MaxCount=1, InstanceType="t3.micro")
        self.instance_id = started["Instances"][0]["InstanceId"]
        parameter = {"Name": PARAMETER, "Value": self.resolved, "Type": "String"}
        self.world.lab.client("ssm", region=HOME).put_parameter(**parameter)
        for name, image in (("plain", self.templated), ("resolved", f"resolve:ssm:{PARAMETER}")):
            self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": image})
        self.ec2.modify_image_attribute(ImageId=self.shared, LaunchPermission={"Add": [{"UserId": FRIEND}]})
        self.ec2.enable_image_deregistration_protection(ImageId=self.protected)
        return self

    def __exit__(self, *_error: object) -> None:
        self.ec2.terminate_instances(InstanceIds=[self.instance_id])
        for name in ("plain", "resolved"):
            self.ec2.delete_launch_template(LaunchTemplateName=name)
        self.world.lab.client("ssm", region=HOME).delete_parameter(Name=PARAMETER)
        foreign = self.snapshot_of(self.foreign)
        for image_id in (self.other, self.foreign, *self.there(self.twin)):
            self.ec2.deregister_image(ImageId=image_id)
        for snapshot_id in (self.twins_snapshot, foreign):
            self.ec2.delete_snapshot(SnapshotId=snapshot_id)

    def snapshot_of(self, image_id: str) -> str:
        image = self.ec2.describe_images(ImageIds=[image_id])["Images"][0]
        return str(image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"])

    def there(self, image_id: str) -> list[str]:
        """The image's id, if it is still there."""
        own = [{"Name": "image-id", "Values": [image_id]}]
        return [one["ImageId"] for one in self.ec2.describe_images(Owners=["self"], Filters=own)["Images"]]


def test_what_is_old_and_unused_goes_with_its_snapshots(world: World) -> None:
    with Family(world) as family:
        before = world.left(HOME)
        world.lab.api.clear_calls()
        plan = planned(world)
        reasons = {one["image_id"]: one["reason"] for one in plan.kept()}
        assert "the instance i-" in reasons[family.running]
        assert "the launch template plain" in reasons[family.templated]
        assert f"through the parameter {PARAMETER}" in reasons[family.resolved]
        assert reasons[family.shared] == f"it is shared with {FRIEND}"
        assert reasons[family.protected] == "it is protected against deregistration"
        assert [reasons[image_id] for image_id in family.newest] == ["it is one of the newest 2"] * 2
        assert {one["image_id"] for one in plan.removed()} == {family.twin, family.gone}
        assert plan.kept_snapshots == [{"snapshot_id": family.twins_snapshot, "reason": "another image uses it"}]
        assert set(world.changing_calls()) <= {"GetParameter"}  # looking removes nothing

        apply_retention([plan])
        images, snapshots = world.left(HOME)
        assert (images, snapshots) == (before[0] - 2, before[1] - 1)
        assert planned(world).operations == []

        more = planned(world, remove_protected=True, remove_shared=True, keep_image_ids=[family.shared])
        assert {one["image_id"] for one in more.removed()} == {family.protected}
        apply_retention([more])
        assert family.there(family.protected) == []


def test_a_protection_with_a_cooldown_lasts_a_day(world: World) -> None:
    old = generation(world, 0)
    next_second()
    generation(world, 1)
    world.clients[HOME].enable_image_deregistration_protection(ImageId=old, WithCooldown=True)
    with pytest.raises(BuildError, match=r"1 of 2 removals have failed(.|\n)*EC2 waits 24 hours"):
        apply_retention([planned(world, keep=1, remove_protected=True)])
    world.lab.api.forward(24 * 3600)
    apply_retention([planned(world, keep=1)])
    assert len(planned(world, keep=1).verdicts) == 1


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"family": None}, "Give family or name"),
        ({"family": None, "name": "*"}, "is like every name"),
        ({"keep": 0}, "keep must be at least 1, and is 0"),
        ({"older_than_days": -1.0}, "older_than_days must not be negative"),
    ],
)
def test_a_retention_that_could_remove_everything_is_refused(
    world: World, values: dict[str, t.Any], problem: str
) -> None:
    with pytest.raises(Invalid, match=problem):
        planned(world, **values)


def test_an_image_is_published_in_all_regions_or_in_none(world: World) -> None:
    def publish(images: dict[str, str]) -> list[str]:
        changes = plan_parameter(lambda region: ssm(world, region), ParameterRequest(PARAMETER, images))
        apply_parameter(changes)
        return [change.describe() for change in changes]

    old, new = "ami-00000000000000001", "ami-00000000000000002"
    assert len(publish({HOME: old, FAR: old})) == 2
    assert publish({HOME: old, FAR: old}) == []
    world.lab.api.fault("PutParameter", code="AccessDeniedException", message="No.", status=400, skip=2)
    with pytest.raises(BuildError, match=f"ssm:PutParameter.*In {HOME} it is {old} again. In {FAR} it is {old} again."):
        publish({HOME: new, FAR: new, FARTHER: new})
    for region in (HOME, FAR):
        answer = world.lab.client("ssm", region=region).get_parameter(Name=PARAMETER)["Parameter"]
        assert (answer["Value"], answer["DataType"]) == (old, "aws:ec2:image")
        world.lab.client("ssm", region=region).delete_parameter(Name=PARAMETER)
    with pytest.raises(Invalid, match="2 mistakes"):
        publish({"Ireland": "web"})
