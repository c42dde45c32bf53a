# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build whose image goes to two regions, encrypted, shared and published; and goes on where it was interrupted."""

from __future__ import annotations

import typing as t

from tests.integration.project import CHECKOUT, Cloud, Project
from tests.lab_fixture import RunningLab

HOME, FAR = "eu-west-1", "us-east-1"
FRIEND = "111122223333"
PARAMETER = "/images/web"


def keys(lab: RunningLab) -> dict[str, str]:
    """A KMS key in each region."""
    made = {region: lab.client("kms", region=region).create_key() for region in (HOME, FAR)}
    return {region: answer["KeyMetadata"]["Arn"] for region, answer in made.items()}


def published(lab: RunningLab) -> dict[str, str]:
    """What the parameter says in each region where it is."""
    answers = {region: lab.client("ssm", region=region).get_parameters(Names=[PARAMETER]) for region in (HOME, FAR)}
    found = {region: answer["Parameters"] for region, answer in answers.items()}
    return {region: parameters[0]["Value"] for region, parameters in found.items() if parameters}


def tags_of(image: dict[str, t.Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in image["Tags"]}


def web(source_ami: str, key_ids: dict[str, str]) -> dict[str, t.Any]:
    return {
        "bake_image_name": "web",
        "bake_source": source_ami,
        "bake_gather_facts": False,
        "bake_provision": [{"shell": "echo {{ bake_image_name }} > /etc/image"}],
        "bake_image_tags": {"Team": "web"},
        "bake_snapshot_tags": {"Kind": "root"},
        "bake_image_regions": [FAR],
        "bake_image_encrypted": True,
        "bake_image_region_kms_key_ids": key_ids,
        "bake_image_launch_permissions": {"user_ids": [FRIEND]},
        "bake_image_parameter": PARAMETER,
        "bake_image_family": "web",
        "bake_image_keep": 2,
    }


def check_image(cloud: Cloud, key_id: str) -> str:
    """It is encrypted with this key, tagged and shared; its id."""
    image = cloud.image("web")
    assert image is not None
    assert (tags_of(image)["Team"], tags_of(image)["bakehouse:family"]) == ("web", "web")
    snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    (snapshot,) = cloud.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
    assert snapshot["KmsKeyId"] == key_id
    assert tags_of(snapshot)["Kind"] == "root"
    permissions = cloud.ec2.describe_image_attribute(ImageId=image["ImageId"], Attribute="launchPermission")
    assert permissions["LaunchPermissions"] == [{"UserId": FRIEND}]
    return str(image["ImageId"])


def test_an_image_goes_to_its_regions_and_a_second_run_does_what_the_first_could_not(
    project: Project, cloud: Cloud, lab: RunningLab, source_ami: str
) -> None:
    far = Cloud(lab.client("ec2", region=FAR), lab.dir)
    key_ids = keys(lab)
    project.images(web=web(source_ami, key_ids))
    lab.api.fault("CopyImage", "fail", skip=1)
    failed = project.build()
    assert failed.rc != 0, failed
    assert f"- {FAR}: Image ami-" in failed.output
    made = cloud.image("web")
    assert made is not None
    assert "bakehouse:intermediary" not in tags_of(made)
    assert len(cloud.ec2.describe_images(Owners=["self"])["Images"]) == 2  # the source is the other one
    assert far.ec2.describe_images(Owners=["self"])["Images"] == []
    assert (cloud.leftovers(), far.leftovers(), published(lab)) == ([], [], {})

    lab.api.clear_calls()
    again = project.build()
    assert again.rc == 0, again
    calls = [call["action"] for call in lab.api.calls() if not call["action"].startswith(("Describe", "Get"))]
    assert calls == ["CopyImage", "ModifyImageAttribute", "PutParameter", "PutParameter"]
    image_ids = {HOME: check_image(cloud, key_ids[HOME]), FAR: check_image(far, key_ids[FAR])}
    assert image_ids[HOME] == made["ImageId"]
    assert published(lab) == image_ids

    lab.api.clear_calls()
    more = {"user_ids": [FRIEND, "444455556666"]}
    predicted = project.build("--check", "--diff", bake_image_launch_permissions=more)
    assert predicted.rc == 0, predicted
    assert "444455556666" in predicted.output
    retention = {"retention_family": "web", "retention_keep": 1, "retention_regions": [HOME, FAR]}
    shown = project.build("--check", playbook=str(CHECKOUT / "playbooks" / "retention.yml"), **retention)
    assert shown.output.count("stays, it is one of the newest 1") == 2, shown
    assert [call for call in lab.api.calls() if not call["action"].startswith(("Describe", "Get"))] == []

    far.forget("web")
    assert far.leftovers() == []
    for region in (HOME, FAR):
        lab.client("ssm", region=region).delete_parameter(Name=PARAMETER)
