# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's account in several regions, with images as builds make them, for tests of what comes after a build."""

from __future__ import annotations

import secrets
import time
import typing as t
from collections.abc import Iterator

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2 import builds
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_requests import DistributionRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distributions import (
    DistributionPlan,
    apply_distribution,
    plan_distribution,
)

from tests.integration.project import WAITING
from tests.lab_fixture import RunningLab
from tests.waiting import eventually

QUICK = Waiting(timeout_seconds=120, delay_seconds=0.05)
HOME, FAR, FARTHER = "eu-west-1", "us-east-1", "ap-south-1"
FRIEND = "111122223333"


class World:
    """The lab's account in three regions, with an image of a build at home."""

    def __init__(self, lab: RunningLab) -> None:
        self.lab = lab
        self.build = secrets.token_hex(8)
        self.name = f"web-{self.build}"
        self.clients = {region: lab.client("ec2", region=region) for region in (HOME, FAR, FARTHER)}
        self.apis = {region: Ec2Api(client, new_id_seconds=60) for region, client in self.clients.items()}
        self.image_id = self.image(HOME, self.name, "one")

    def image(self, region: str, name: str, fingerprint: str, **ours: str) -> str:
        """Register an image of one volume, as a build would."""
        client = self.clients[region]
        tags = {
            "bakehouse:build-id": self.build,
            "bakehouse:image": name,
            "bakehouse:fingerprint": fingerprint,
            **ours,
        }
        listed = [{"Key": key, "Value": value} for key, value in tags.items() if value]

        def tagged(kind: str) -> list[t.Any]:
            return [{"ResourceType": kind, "Tags": listed}] if listed else []

        volume = client.create_volume(AvailabilityZone=f"{region}a", Size=1)["VolumeId"]
        client.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=WAITING)
        snapshot = client.create_snapshot(VolumeId=volume, TagSpecifications=tagged("snapshot"))["SnapshotId"]
        client.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=WAITING)
        client.delete_volume(VolumeId=volume)
        return str(
            client.register_image(
                Name=name,
                Architecture="x86_64",
                VirtualizationType="hvm",
                RootDeviceName="/dev/xvda",
                ImdsSupport="v2.0",
                BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
                TagSpecifications=tagged("image"),
            )["ImageId"]
        )

    def request(self, **values: t.Any) -> DistributionRequest:
        given = {"regions": (HOME, FAR, FARTHER), "waiting": QUICK, **values}
        return DistributionRequest(name=self.name, image_id=self.image_id, source_region=HOME, **given)

    def plan(self, request: DistributionRequest) -> DistributionPlan:
        return plan_distribution(lambda region: self.apis[region], request)

    def run(self, request: DistributionRequest) -> DistributionPlan:
        plan = self.plan(request)
        apply_distribution(plan)
        return plan

    def described(self, region: str, name: str = "") -> list[dict[str, t.Any]]:
        """The images of this name there."""
        named = [{"Name": "name", "Values": [name or self.name]}]
        return list(self.clients[region].describe_images(Owners=["self"], Filters=named)["Images"])

    def left(self, region: str) -> tuple[int, int]:
        """How many images and snapshots there are."""
        client = self.clients[region]
        images = client.describe_images(Owners=["self"])["Images"]
        return len(images), len(client.describe_snapshots(OwnerIds=["self"])["Snapshots"])

    def changing_calls(self) -> list[str]:
        return [call["action"] for call in self.lab.api.calls() if not call["action"].startswith("Describe")]

    def clear(self) -> None:
        for region, client in self.clients.items():
            for image in client.describe_images(Owners=["self"])["Images"]:
                client.disable_image_deregistration_protection(ImageId=image["ImageId"])
            removals = builds.plan_removal(self.apis[region], builds.RemovalRequest(self.build, waiting=QUICK))
            builds.remove(removals)


@pytest.fixture
def world(lab: RunningLab) -> Iterator[World]:
    """The account; what the test has made is gone afterwards."""
    before = {region: _counts(lab, region) for region in (HOME, FAR, FARTHER)}
    world = World(lab)
    yield world
    lab.api.reset()
    world.clear()
    assert {region: world.left(region) for region in world.clients} == before


def _counts(lab: RunningLab, region: str) -> tuple[int, int]:
    client = lab.client("ec2", region=region)
    images = client.describe_images(Owners=["self"])["Images"]
    return len(images), len(client.describe_snapshots(OwnerIds=["self"])["Snapshots"])


def tags_of(resource: dict[str, t.Any]) -> dict[str, str]:
    """The tags of a described resource."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def next_second() -> None:
    """EC2 tells the seconds of an image's registration."""
    began = int(time.time())
    eventually(lambda: int(time.time()) > began)


__all__ = ("FAR", "FARTHER", "FRIEND", "HOME", "QUICK", "World", "next_second", "tags_of", "world")
