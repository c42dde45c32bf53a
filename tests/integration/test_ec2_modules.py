# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The EC2 modules as playbooks run them, on the lab: predicted, done, done again, predicted again; and bad input."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.regions import FAR, FRIEND, HOME, World, next_second
from tests.lab_fixture import RunningLab

CHECKOUT = Path(__file__).resolve().parents[2]
INSTANCE = "{{ metadata.instance.instance_id }}"
VOLUME = "{{ volume.volume.volume_id }}"
SNAPSHOT = "{{ snapshot.snapshot.snapshot_id }}"


class Playbook:
    """Tasks for localhost that are run together, because starting Ansible takes longer than most of them."""

    def __init__(self, lab: RunningLab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.tasks: list[dict[str, t.Any]] = []

    def task(self, name: str, module: str, options: dict[str, t.Any], **keywords: t.Any) -> None:
        """Add a task; C(name) is also what its result is registered as."""
        self.tasks.append({"name": name, f"bakehouse.images.{module}": options, "register": name, **keywords})

    def four(self, name: str, module: str, options: dict[str, t.Any]) -> None:
        """Add check mode, the real run, the same again, and check mode again."""
        self.task(f"{name}_predicted", module, options, check_mode=True, diff=True)
        self.task(name, module, options, diff=True)
        self.task(f"{name}_again", module, options)
        self.task(f"{name}_predicted_again", module, options, check_mode=True)

    def run(self) -> dict[str, dict[str, t.Any]]:
        """Run the tasks, failing ones too; the results by name."""
        playbook = self.folder / "playbook.yml"
        play = {"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": self.tasks}
        playbook.write_text(yaml.safe_dump([play], sort_keys=False))
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", str(playbook)],
            cwd=CHECKOUT,
            env=self.lab.environ(
                ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"),
                ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
                ANSIBLE_PYTHON_INTERPRETER=sys.executable,
                ANSIBLE_PIPELINING="1",
                ANSIBLE_HOME=str(self.folder / ".ansible"),
            ),
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        plays = json.loads(done.stdout)["plays"]
        return {task["task"]["name"]: task["hosts"]["localhost"] for task in plays[0]["tasks"]}


@pytest.fixture
def playbook(lab: RunningLab, tmp_path: Path) -> Playbook:
    """An empty playbook."""
    return Playbook(lab, tmp_path)


@pytest.fixture
def build(playbook: Playbook, lab: RunningLab) -> Iterator[str]:
    """A build id; what carries it must be gone when the test ends, because the test has removed it."""
    build_id = secrets.token_hex(8)
    yield build_id
    ec2 = lab.client("ec2")
    ours = [{"Name": "tag:bakehouse:build-id", "Values": [build_id]}]
    assert ec2.describe_images(Owners=["self"], Filters=ours)["Images"] == []
    assert ec2.describe_snapshots(OwnerIds=["self"], Filters=ours)["Snapshots"] == []
    assert ec2.describe_volumes(Filters=ours)["Volumes"] == []


def assert_quartet(results: dict[str, dict[str, t.Any]], *names: str) -> None:
    """Predicted and done, then nothing more to do; and done as predicted."""
    for name in names:
        runs = [results[key] for key in (f"{name}_predicted", name, f"{name}_again", f"{name}_predicted_again")]
        assert [run["changed"] for run in runs] == [True, True, False, False], (name, runs)
        assert results[f"{name}_predicted"].get("actions") == results[name].get("actions")
        assert results[f"{name}_predicted"]["diff"] == results[name]["diff"]


def test_a_build_through_all_modules(playbook: Playbook, build: str, lab: RunningLab) -> None:
    lab.api.set(volume_seconds=0.3, attach_seconds=0.3, detach_seconds=0.3, snapshot_seconds=0.5, image_seconds=0.3)
    lab.api.set(consistency_seconds=0.3)
    zone = "{{ metadata.instance.availability_zone }}"
    image = {"name": f"web-{build}", "build_id": build, "fingerprint": "one", "snapshot_id": SNAPSHOT}
    playbook.task("metadata", "instance_metadata_info", {})
    playbook.four("volume", "ec2_volume", {"build_id": build, "size_gib": 1, "availability_zone": zone})
    attachment = {"volume_id": VOLUME, "instance_id": INSTANCE, "build_id": build}
    playbook.four("attached", "ec2_volume_attachment", attachment)
    playbook.four("detached", "ec2_volume_attachment", {"volume_id": VOLUME, "state": "absent"})
    playbook.four("snapshot", "ec2_snapshot", {"build_id": build, "volume_id": VOLUME, "tags": {"Team": "web"}})
    playbook.four("image", "ec2_image", {**image, "deprecate_at": "2030-01-01T00:00:00Z"})
    playbook.task("there", "ec2_build_info", {"image_name": image["name"]})
    playbook.task("source", "ec2_source_image_info", {"filters": {"name": f"web-{build}"}, "owners": ["self"]})
    playbook.four("removed", "ec2_build", {"build_id": build})
    results = playbook.run()

    assert_quartet(results, "volume", "attached", "detached", "snapshot", "image", "removed")
    assert results["metadata"]["instance"]["instance_id"] == lab.instance_id
    assert results["attached"]["attachment"]["device_name"] == "/dev/sdf"
    assert results["snapshot"]["snapshot"]["tags"] == {"Team": "web", "bakehouse:build-id": build}
    (there,) = results["there"]["images"]
    assert (there["ours"], there["fingerprint"], there["build_id"]) == (True, "one", build)
    source = results["source"]["image"]
    assert source["root_device"]["snapshot_id"] == results["snapshot"]["snapshot"]["snapshot_id"]
    assert source["deprecation_time"].startswith("2030-01-01T00:00:00")
    assert [one["type"] for one in results["removed"]["removed"]] == ["image", "snapshot", "volume"]


def test_single_removals(playbook: Playbook, build: str, lab: RunningLab) -> None:
    playbook.task("volume", "ec2_volume", {"build_id": build, "size_gib": 1, "availability_zone": lab.zone})
    playbook.task("attached", "ec2_volume_attachment", {"volume_id": VOLUME, "instance_id": lab.instance_id})
    playbook.task("snapshot", "ec2_snapshot", {"build_id": build, "volume_id": VOLUME})
    playbook.task("spare", "ec2_snapshot", {"build_id": build, "volume_id": VOLUME})
    image = {"name": f"web-{build}", "build_id": build, "snapshot_id": SNAPSHOT}
    playbook.task("image", "ec2_image", image)
    playbook.four("no_image", "ec2_image", {"name": image["name"], "state": "absent", "delete_snapshots": False})
    playbook.four("no_snapshot", "ec2_snapshot", {"snapshot_id": SNAPSHOT, "build_id": build, "state": "absent"})
    playbook.four("no_volume", "ec2_volume", {"build_id": build, "state": "absent"})
    results = playbook.run()
    assert results["spare"]["changed"] is False
    assert_quartet(results, "no_image", "no_snapshot", "no_volume")
    assert results["no_volume"]["actions"] == [f"detach and delete volume {results['volume']['volume']['volume_id']}"]


def test_what_comes_after_a_build(playbook: Playbook, world: World) -> None:
    world.lab.api.set(snapshot_seconds=0.3, image_seconds=0.3)
    next_second()
    newer = world.image(HOME, f"web-newer-{world.build}", "two")
    image = {"name": world.name, "image_id": world.image_id, "regions": [HOME, FAR]}
    friends = {"user_ids": [FRIEND]}
    kept = {"name": f"web-*{world.build}", "keep": 1, "regions": [HOME, FAR], "remove_shared": True}
    parameter = {"name": f"/images/{world.build}", "images": {HOME: newer, FAR: newer}}
    playbook.four("distributed", "ec2_image_distribution", {**image, "launch_permissions": friends})
    playbook.four("published", "ec2_image_parameter", parameter)
    playbook.four("retained", "ec2_image_retention", kept)
    results = playbook.run()

    assert_quartet(results, "distributed", "published", "retained")
    copied = results["distributed"]["actions"][1]
    assert copied == f"{FAR}: copy image {world.image_id} of {HOME} to {FAR}"
    assert results["distributed"]["images"][FAR]["state"] == "available"
    assert results["distributed"]["diff"]["after"][HOME] == {"launch_permissions": dict(NOBODY, **friends)}
    assert [one["image_id"] for one in results["retained"]["removed"]] == [world.image_id]
    assert [one["region"] for one in results["retained"]["kept"]] == [HOME, FAR]
    for region in (HOME, FAR):
        world.lab.client("ssm", region=region).delete_parameter(Name=parameter["name"])


NOBODY: dict[str, list[str]] = dict.fromkeys(
    ("user_ids", "group_names", "organization_arns", "organizational_unit_arns"), []
)
NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
VOLUME_OPTIONS = {"build_id": "3f9c0a71d2b84e65", "size_gib": 8, "availability_zone": "eu-west-1a"}
MISTAKES: dict[str, tuple[str, dict[str, t.Any], dict[str, t.Any], str]] = {
    "no_credentials": (
        "ec2_volume",
        VOLUME_OPTIONS,
        {"environment": NO_KEYS},
        "no usable AWS credentials on this host",
    ),
    "no_region": (
        "ec2_volume",
        VOLUME_OPTIONS,
        {"environment": {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}},
        "No AWS region is given.",
    ),
    "no_endpoint": (
        "ec2_volume",
        {**VOLUME_OPTIONS, "endpoint_url": "http://127.0.0.1:1"},
        {},
        "EC2's endpoint http://127.0.0.1:1 cannot be reached",
    ),
    "several_mistakes": (
        "ec2_volume",
        {**VOLUME_OPTIONS, "volume_type": "gp2", "iops": 3000, "throughput": 125, "kms_key_id": "alias/x"},
        {},
        "This volume cannot be made: 3 mistakes.",
    ),
    "no_image": ("ec2_source_image_info", {"image_id": "ami-00000000000000000"}, {}, "ami-00000000000000000"),
    "no_owner": ("ec2_source_image_info", {"filters": {"name": "x"}}, {}, "filters without owners match"),
    "no_permission": ("ec2_build_info", {"image_name": "web"}, {}, "may not do ec2:DescribeImages"),
    "no_metadata": (
        "instance_metadata_info",
        {"endpoint": "http://127.0.0.1:1"},
        {},
        "No EC2 metadata service answers",
    ),
    "no_build_id": ("ec2_build", {"build_id": "web"}, {}, "a build id has 16 lower-case hexadecimal digits"),
}


def test_bad_input_gets_one_clear_error_and_makes_nothing(playbook: Playbook, lab: RunningLab) -> None:
    lab.api.fault("DescribeImages", code="UnauthorizedOperation", message="You are not authorized.", skip=1)
    for name, (module, options, keywords, _said) in MISTAKES.items():
        playbook.task(name, module, options, **keywords)
    results = playbook.run()
    for name, (_module, _options, _keywords, said) in MISTAKES.items():
        assert results[name]["failed"], name
        assert said in results[name]["msg"], name
        assert "Traceback" not in json.dumps(results[name]), name
    assert {call["action"][:8] for call in lab.api.calls()} <= {"Describe"}
