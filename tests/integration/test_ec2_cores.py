# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The EC2 cores on the lab: images registered, replaced and removed, and what happens when EC2 fails on the way."""

from __future__ import annotations

import secrets
import typing as t
from collections.abc import Iterator

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2 import (
    builds,
    image_plans,
    snapshot_plans,
    sources,
    volume_plans,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import Attributes
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import Definition
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_removal import plan_absent
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_requests import ImageRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import Image
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Conflict,
    Invalid,
    NotFound,
    Refused,
)
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan

from tests.lab_fixture import RunningLab

QUICK = Waiting(timeout_seconds=120, delay_seconds=0.05)


class Account:
    """The lab's account, and two builds in it."""

    def __init__(self, lab: RunningLab) -> None:
        self.build, self.next_build = secrets.token_hex(8), secrets.token_hex(8)
        self.lab = lab
        self.client = lab.client("ec2")
        self.api = Ec2Api(self.client, new_id_seconds=60)

    def snapshot(self, build_id: str | None = None) -> str:
        """Take a build's snapshot of a volume of its own; its id."""
        build_id = build_id or self.build
        volume = volume_plans.VolumeRequest(build_id, size_gib=1, availability_zone=self.lab.zone, waiting=QUICK)
        made = volume_plans.apply_present(volume_plans.plan_present(self.api, volume), self.api, volume)
        request = snapshot_plans.SnapshotRequest(build_id, volume_id=made.volume_id, waiting=QUICK)
        plan = snapshot_plans.plan_present(self.api, request)
        return str(snapshot_plans.apply_present(plan, self.api, request).snapshot_id)

    def register(self, request: ImageRequest) -> Image:
        """Have an image, by plan."""
        return image_plans.apply_present(image_plans.plan_present(self.api, request), self.api, request)

    def wanted(
        self, snapshot_id: str, build_id: str | None = None, fingerprint: str = "one", **values: t.Any
    ) -> ImageRequest:
        """An image that a build asks for."""
        own = {name: values.pop(name) for name in ("attributes", "replace", "tags") if name in values}
        definition = Definition(**{"name": "web", "snapshot_id": snapshot_id, **values})
        return ImageRequest(
            name=definition.name,
            build_id=build_id or self.build,
            fingerprint=fingerprint,
            definition=definition,
            waiting=QUICK,
            **own,
        )

    def image_ids(self) -> set[str]:
        """All images of the account."""
        return {image["ImageId"] for image in self.client.describe_images(Owners=["self"])["Images"]}

    def snapshot_ids(self) -> set[str]:
        """All snapshots of the account."""
        return {found["SnapshotId"] for found in self.client.describe_snapshots(OwnerIds=["self"])["Snapshots"]}

    def clear(self) -> None:
        """Remove everything of both builds."""
        for image in self.client.describe_images(Owners=["self"])["Images"]:
            self.client.disable_image_deregistration_protection(ImageId=image["ImageId"])
        for build_id in (self.build, self.next_build):
            builds.remove(builds.plan_removal(self.api, builds.RemovalRequest(build_id, waiting=QUICK)))


@pytest.fixture
def account(lab: RunningLab) -> Iterator[Account]:
    """The lab's account; what the builds of a test have made is gone afterwards."""
    account = Account(lab)
    before = account.image_ids(), account.snapshot_ids()
    yield account
    lab.api.reset()
    account.clear()
    assert (account.image_ids(), account.snapshot_ids()) == before


def test_all_attributes_survive_the_registration(account: Account) -> None:
    snapshot_id = account.snapshot()
    account.lab.api.clear_calls()
    image = account.register(
        account.wanted(
            snapshot_id,
            architecture="arm64",
            boot_mode="uefi",
            tpm_support="v2.0",
            sriov_net_support="simple",
            root_device_name="/dev/sda1",
            root_volume={"size_gib": 9, "volume_type": "gp3", "iops": 3500, "throughput": 200},
            block_device_mappings=[
                {"device_name": "/dev/sda1"},
                {"device_name": "/dev/sdb", "size_gib": 5, "volume_type": "gp2"},
                {"device_name": "/dev/sdc", "virtual_name": "ephemeral0"},
            ],
            tags={"Team": "web"},
        )
    )
    assert image.root_device is not None
    assert image.root_device.snapshot_id == snapshot_id
    assert (image.root_device.size_gib, image.root_device.iops, image.root_device.throughput) == (9, 3500, 200)
    assert [device.device_name for device in image.devices] == ["/dev/sda1", "/dev/sdb", "/dev/sdc"]
    assert (image.architecture, image.boot_mode, image.tpm_support) == ("arm64", "uefi", "v2.0")
    assert (image.ena_support, image.sriov_net_support, image.imds_support) == (True, "simple", "v2.0")
    assert image.tags == {
        "Team": "web",
        "bakehouse:build-id": account.build,
        "bakehouse:image": "web",
        "bakehouse:fingerprint": "one",
    }
    assert account.lab.api.calls("CreateTags") == []


def test_the_same_definition_again_changes_nothing_and_makes_no_changing_call(account: Account) -> None:
    sharing = Attributes(
        launch_permissions={"user_ids": ["111111111111"]},
        snapshot_permissions={"user_ids": ["111111111111"]},
        snapshot_tags={"Team": "web"},
        deprecate_at="2030-01-01T00:00:10Z",
        deregistration_protection={"enabled": True, "with_cooldown": False},
    )
    request = account.wanted(account.snapshot(), attributes=sharing)
    first = account.register(request)
    account.lab.api.clear_calls()
    plan = image_plans.plan_present(
        account.api, account.wanted("snap-00000000000000000", account.next_build, attributes=sharing)
    )
    assert plan.operations == []
    assert plan.image.image_id == first.image_id
    assert {call["action"][:8] for call in account.lab.api.calls()} == {"Describe"}


def test_attributes_are_changed_on_the_image_that_is_there(account: Account) -> None:
    snapshot_id = account.snapshot()
    first = account.register(
        account.wanted(snapshot_id, attributes=Attributes(launch_permissions={"group_names": ["all"]}))
    )
    attributes = Attributes(
        description="Web server", launch_permissions={"group_names": [], "user_ids": ["111111111111"]}
    )
    plan = image_plans.plan_present(
        account.api, account.wanted(snapshot_id, attributes=attributes, tags={"Team": "web"})
    )
    assert plan.diff()["before"]["launch_permissions"]["group_names"] == ["all"]
    assert plan.diff()["after"]["description"] == "Web server"
    image = image_plans.apply_present(plan, account.api, account.wanted(snapshot_id))
    assert (image.image_id, image.description, image.tags["Team"]) == (first.image_id, "Web server", "web")
    attribute = account.client.describe_image_attribute(ImageId=first.image_id, Attribute="launchPermission")
    assert attribute["LaunchPermissions"] == [{"UserId": "111111111111"}]


def test_another_definition_under_the_same_name_is_a_conflict(account: Account) -> None:
    first = account.register(account.wanted(account.snapshot()))
    with pytest.raises(Conflict, match=f"exists already, as {first.image_id}.*replace: true"):
        image_plans.plan_present(
            account.api, account.wanted(account.snapshot(account.next_build), account.next_build, "two")
        )


def test_a_name_that_is_not_ours_is_never_replaced(account: Account) -> None:
    snapshot_id = account.snapshot()
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}
    foreign = account.client.register_image(
        Name="web", RootDeviceName="/dev/xvda", BlockDeviceMappings=[mapping], Architecture="x86_64"
    )["ImageId"]
    with pytest.raises(Conflict, match=f"taken by image {foreign}, which no build"):
        image_plans.plan_present(account.api, account.wanted(snapshot_id, replace=True))
    with pytest.raises(Refused, match="no build of this collection made it"):
        plan_absent(account.api, name="web")
    removal = plan_absent(account.api, image_id=foreign)
    apply_plan(removal.operations)
    assert foreign not in account.image_ids()


def test_replacing_gives_the_name_to_the_new_image_and_removes_the_old_one(account: Account) -> None:
    old_snapshot, new_snapshot = account.snapshot(), account.snapshot(account.next_build)
    before = account.image_ids()
    old = account.register(account.wanted(old_snapshot))
    new = account.register(account.wanted(new_snapshot, account.next_build, "two", replace=True))
    assert new.image_id != old.image_id
    assert account.image_ids() - before == {new.image_id}
    assert old_snapshot not in account.snapshot_ids()
    assert new_snapshot in account.snapshot_ids()


def test_an_old_image_stays_when_ec2_does_not_take_the_new_one(account: Account) -> None:
    old = account.register(account.wanted(account.snapshot()))
    before = account.image_ids(), account.snapshot_ids()
    request = account.wanted(account.snapshot(account.next_build), account.next_build, "two", replace=True)
    account.lab.api.fault("RegisterImage", code="InvalidParameterValue", message="No.")
    with pytest.raises(Invalid, match="register the image web trial"):
        account.register(request)
    assert account.image_ids() == before[0]
    assert str(old.image_id) in account.image_ids()


def test_an_old_image_is_registered_again_when_its_successor_fails_at_the_last_step(account: Account) -> None:
    old = account.register(account.wanted(account.snapshot(), boot_mode="uefi", tags={"Team": "web"}))
    request = account.wanted(account.snapshot(account.next_build), account.next_build, "two", replace=True)
    account.lab.api.fault("RegisterImage", code="InvalidParameterValue", message="No.", skip=1)
    with pytest.raises(
        BuildError, match=f"{old.image_id} was deregistered already and has been registered again"
    ) as caught:
        account.register(request)
    restored = caught.value.facts["restored_image_id"]
    (image,) = account.client.describe_images(ImageIds=[restored])["Images"]
    assert image["Name"] == "web"
    assert image["BootMode"] == "uefi"
    assert {"Key": "Team", "Value": "web"} in image["Tags"]
    assert image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == old.snapshot_ids[0]
    trials = account.client.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["* trial *"]}])
    assert trials["Images"] == []


def test_a_registration_whose_answer_is_lost_is_found_again(account: Account) -> None:
    request = account.wanted(account.snapshot())
    plan = image_plans.plan_present(account.api, request)
    # The lab's client does not retry by itself; a user's does, and is then told that the name is taken.
    with account.lab.api.changed(consistency_seconds=1.5):  # nor is the image listed yet
        account.lab.api.fault("RegisterImage", "error-after-work")
        with pytest.raises(BuildError):
            image_plans.apply_present(plan, account.api, request)
        image = image_plans.apply_present(plan, account.api, request)
    assert image.tags["bakehouse:build-id"] == account.build


def test_an_image_that_fails_is_reported_with_the_reason_and_its_id(account: Account) -> None:
    request = account.wanted(account.snapshot())
    account.lab.api.fault("RegisterImage", "fail")
    with pytest.raises(Conflict, match=r"is in state failed: \w+") as caught:
        account.register(request)
    assert caught.value.facts["image_id"].startswith("ami-")


def test_ids_that_are_not_found_at_first_do_not_matter(account: Account) -> None:
    with account.lab.api.changed(consistency_seconds=1.5):
        image = account.register(account.wanted(account.snapshot(), attributes=Attributes(description="new")))
    assert (image.state, image.description) == ("available", "new")
    assert len(account.lab.api.calls("RegisterImage")) == 1


def test_removing_an_image_leaves_snapshots_that_others_use_or_made(account: Account) -> None:
    shared = account.snapshot()
    foreign = account.client.create_snapshot(
        VolumeId=account.client.create_volume(AvailabilityZone=account.lab.zone, Size=1)["VolumeId"]
    )
    first = account.register(
        account.wanted(
            shared,
            block_device_mappings=[
                {"device_name": "/dev/xvda"},
                {"device_name": "/dev/sdb", "snapshot_id": foreign["SnapshotId"]},
            ],
        )
    )
    second = account.register(account.wanted(shared, name="web-2"))
    plan = plan_absent(account.api, image_id=first.image_id)
    assert plan.kept_snapshots == [
        {"snapshot_id": shared, "reason": f"image {second.image_id} uses it"},
        {"snapshot_id": foreign["SnapshotId"], "reason": "no build of this collection made it"},
    ]
    apply_plan(plan.operations)
    assert {shared, foreign["SnapshotId"]} <= account.snapshot_ids()
    account.client.delete_snapshot(SnapshotId=foreign["SnapshotId"])
    account.client.delete_volume(VolumeId=foreign["VolumeId"])


def test_a_protected_image_is_not_removed(account: Account) -> None:
    account.register(
        account.wanted(account.snapshot(), attributes=Attributes(deregistration_protection={"enabled": True}))
    )
    with pytest.raises(Refused, match="is protected against deregistration .*24 hours"):
        plan_absent(account.api, name="web")


def test_a_build_is_removed_but_for_the_image_that_is_kept(account: Account) -> None:
    other = account.snapshot(account.next_build)
    kept = account.register(account.wanted(account.snapshot()))
    unused = account.client.create_snapshot(
        VolumeId=builds.find_build(account.api, build_id=account.build).volumes[0].volume_id,
        TagSpecifications=[
            {"ResourceType": "snapshot", "Tags": [{"Key": "bakehouse:build-id", "Value": account.build}]}
        ],
    )["SnapshotId"]
    request = builds.RemovalRequest(account.build, keep_image_id=kept.image_id, waiting=QUICK)
    removed = builds.remove(builds.plan_removal(account.api, request))
    assert [removal.kind for removal in removed] == ["snapshot", "volume"]
    assert removed[0].resource_id == unused
    assert kept.image_id in account.image_ids()
    assert {other, kept.snapshot_ids[0]} <= account.snapshot_ids()
    assert len(builds.find_build(account.api, build_id=account.next_build).volumes) == 1
    assert builds.plan_removal(account.api, request) == []


def test_removing_a_build_tries_everything_and_names_what_is_left(account: Account) -> None:
    image = account.register(account.wanted(account.snapshot()))
    account.lab.api.fault("DeregisterImage", code="OperationNotPermitted", message="Not today.")
    removals = builds.plan_removal(account.api, builds.RemovalRequest(account.build, waiting=QUICK))
    with pytest.raises(BuildError, match="2 of 3 resources") as caught:
        builds.remove([one for one in removals if one.kind != "snapshot"] + impatient(account, removals))
    left = {resource["id"] for resource in caught.value.facts["left"]}
    assert left == {image.image_id, image.snapshot_ids[0]}
    assert [resource["type"] for resource in caught.value.facts["removed"]] == ["volume"]
    assert "Not today" in str(caught.value)


def impatient(account: Account, removals: list[builds.Removal]) -> list[builds.Removal]:
    """The removal of the snapshots, without waiting for an image that will not go."""
    from ansible_collections.bakehouse.images.plugins.module_utils._ec2.snapshots import DeleteSnapshot

    return [
        one._replace(operation=DeleteSnapshot(account.api, one.resource_id))
        for one in removals
        if one.kind == "snapshot"
    ]


def test_what_a_caller_knows_is_removed_even_while_lists_do_not_show_it(account: Account) -> None:
    with account.lab.api.changed(consistency_seconds=1.5):
        made = account.client.create_volume(
            AvailabilityZone=account.lab.zone,
            Size=1,
            TagSpecifications=[
                {"ResourceType": "volume", "Tags": [{"Key": "bakehouse:build-id", "Value": account.build}]}
            ],
        )["VolumeId"]
        removals = builds.plan_removal(account.api, builds.RemovalRequest(account.build, volume_id=made, waiting=QUICK))
    assert [removal.resource_id for removal in removals] == [made]


def test_a_source_is_found_by_filters_and_id_and_must_be_one(account: Account) -> None:
    snapshot_id = account.snapshot()
    first = account.register(account.wanted(snapshot_id, name="web-1", boot_mode="uefi", uefi_data="QU1aTg=="))
    account.register(account.wanted(snapshot_id, name="web-2"))

    def find(**values: t.Any) -> Image:
        return sources.find_source(account.api, sources.SourceRequest(**values))

    found = find(filters={"name": ["web-1", "nothing"], "architecture": ["x86_64"]}, owners=["self"])
    assert found.image_id == first.image_id
    assert found.uefi_data == "QU1aTg=="
    with pytest.raises(Conflict, match="2 images in .* match: name=web-"):
        find(filters={"name": ["web-*"]}, owners=["self"])
    assert find(filters={"name": ["web-*"]}, owners=["self"], most_recent=True).name.startswith("web-")
    assert find(image_id=first.image_id, filters={"name": ["web-*"]}).name == "web-1"
    with pytest.raises(NotFound, match="matches: image_id"):
        find(image_id=first.image_id, filters={"name": ["web-2"]})
    with pytest.raises(NotFound, match="ami-00000000000000000"):
        find(image_id="ami-00000000000000000")
