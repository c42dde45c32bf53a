# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that cannot succeed: one clear error each, and nothing left behind."""

from __future__ import annotations

import typing as t

import pytest

from tests.integration.matrices import flaky_build_host
from tests.integration.project import DAEMON, Cloud, Project, daemons, host_state
from tests.lab_fixture import RunningLab

CREATING = ("CreateVolume", "AttachVolume", "CreateSnapshot", "RegisterImage")
STEP = [{"shell": f"nohup {DAEMON} > /etc/provisioned &"}]


@pytest.fixture
def web(project: Project, source_ami: str) -> Project:
    """A project whose one image builds, as long as nothing is broken."""
    project.images(web={"bake_image_name": "web", "bake_source": source_ami, "bake_provision": STEP})
    return project


def assert_nothing_was_created(lab: RunningLab) -> None:
    assert [call["action"] for call in lab.api.calls() if call["action"] in CREATING] == []


# What is wrong with each image, and what is said about it.
KNOWN_BEFOREHAND: list[tuple[dict[str, t.Any], str]] = [
    ({"bake_image_nme": "x"}, "bake_image_nme is not an option. Did you mean bake_image_name?"),
    ({"bake_image_name": "no"}, "is not a name that EC2 takes"),
    ({"bake_source": "snap-0123"}, "is not the id of an image"),
    ({"bake_source": "ami-00000000000000000"}, "ami-00000000000000000"),
    ({"bake_source": {"filters": {"name": "nothing-*"}, "owners": ["self"]}}, "nothing-*"),
    ({"bake_provision": [{"role": "nowhere"}]}, "the role nowhere was not found"),
    ({"bake_provision": [{"rolle": "x"}]}, "Did you mean role?"),
    ({"bake_provision": [{"tasks": [{"meta": "end_host"}]}]}, "would end the build without cleaning up"),
    ({"bake_volume_type": "gp9"}, "bake_volume_type"),
    ({"bake_manifest": "/proc/nowhere/web.json"}, "The manifest /proc/nowhere/web.json cannot be written"),
    ({"bake_copy_files": ["relative"]}, "must be an absolute path"),
]


def said_of(output: str, host: str) -> str:
    """The errors of one image."""
    return "\n".join(line for line in output.splitlines() if line.startswith(f"fatal: [{host}"))


def test_what_can_be_known_beforehand_is_refused_before_anything_is_created(
    web: Project, cloud: Cloud, lab: RunningLab
) -> None:
    good = {"bake_source": _source(cloud), "bake_provision": STEP}
    web.images(
        **{
            f"wrong{number}": {"bake_image_name": f"wrong-{number}", **good, **options}
            for number, (options, _said) in enumerate(KNOWN_BEFOREHAND)
        }
    )
    lab.api.clear_calls()
    ran = web.build()
    assert ran.rc != 0, ran
    for number, (_options, said) in enumerate(KNOWN_BEFOREHAND):
        assert said in said_of(ran.output, f"wrong{number}"), said
    assert "Traceback" not in ran.output
    assert_nothing_was_created(lab)


def test_several_mistakes_are_one_report(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    ran = web.build(bake_image_name="x", bake_on_error="shrug", bake_volume_size=0, bake_provision=[{"shell": 1}])
    assert ran.rc != 0
    assert "cannot be built: 4 mistakes" in ran.output, ran
    assert_nothing_was_created(lab)


def test_a_volume_smaller_than_its_source_is_refused(
    web: Project, cloud: Cloud, lab: RunningLab, source_ami: str
) -> None:
    image = cloud.ec2.describe_images(ImageIds=[source_ami])["Images"][0]
    cloud.ec2.register_image(
        Name="big",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {"SnapshotId": image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"], "VolumeSize": 3},
            }
        ],
    )
    lab.api.clear_calls()
    ran = web.build(bake_source={"filters": {"name": "big"}, "owners": ["self"]}, bake_volume_size=2)
    assert ran.rc != 0, ran
    assert "smaller" in ran.output
    assert_nothing_was_created(lab)
    cloud.ec2.deregister_image(ImageId=t.cast("dict[str, t.Any]", cloud.image("big"))["ImageId"])


def test_several_sources_are_listed(web: Project, cloud: Cloud, lab: RunningLab, source_ami: str) -> None:
    image = cloud.ec2.describe_images(ImageIds=[source_ami])["Images"][0]
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]}}
    twins = [
        cloud.ec2.register_image(Name=name, RootDeviceName="/dev/xvda", BlockDeviceMappings=[mapping])["ImageId"]
        for name in ("twin-1", "twin-2")
    ]
    lab.api.clear_calls()
    ran = web.build(bake_source={"filters": {"name": "twin-*"}, "owners": ["self"]})
    assert ran.rc != 0
    assert all(twin in ran.output for twin in twins), ran
    assert_nothing_was_created(lab)
    for twin in twins:
        cloud.ec2.deregister_image(ImageId=twin)


def test_a_name_that_is_taken_by_a_foreign_image_is_refused(
    web: Project, cloud: Cloud, lab: RunningLab, source_ami: str
) -> None:
    ran = web.build(bake_image_name="debian-source", bake_replace=True)
    assert ran.rc != 0
    assert "which was not made by this collection" in ran.output, ran
    assert_nothing_was_created(lab)


@pytest.mark.long
def test_no_metadata_service_is_explained(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    lab.api.set(imds="off")
    ran = web.build()
    assert ran.rc != 0
    assert "bake_build_instance" in ran.output, ran
    assert_nothing_was_created(lab)


def test_no_credentials_are_explained(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    nowhere = str(web.folder / "nowhere")
    web.env = {
        **web.env,
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_EC2_METADATA_DISABLED": "true",  # where a role's credentials would come from
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_CONFIG_FILE": nowhere,
    }
    ran = web.build(bake_build_instance={"instance_id": lab.instance_id, "availability_zone": lab.zone})
    assert ran.rc != 0
    assert "credentials" in ran.output, ran
    assert "Traceback" not in ran.output


BROKEN_CALLS = (
    "RegisterImage",
    "DetachVolume",
    *(pytest.param(name, marks=pytest.mark.long) for name in ("CreateVolume", "AttachVolume", "CreateSnapshot")),
)


@pytest.mark.parametrize("action", BROKEN_CALLS)
def test_a_refused_call_leaves_nothing_behind(web: Project, cloud: Cloud, lab: RunningLab, action: str) -> None:
    before = host_state()
    lab.api.fault(action, code="UnauthorizedOperation", message="You are not authorized to perform this operation.")
    ran = web.build()
    assert ran.rc != 0, ran
    assert action in ran.output, "the missing right is named"
    assert host_state() == before
    assert daemons() == set()
    assert cloud.image("web") is None
    assert cloud.leftovers() == []


FAILING_STEPS: list[tuple[dict[str, t.Any], str]] = [
    ({"bake_pre_mount_commands": ["echo fine", "echo broken >&2; exit 3"]}, "failed with status 3"),
    (
        {"bake_post_mount_commands": ["test -e {{ bake_mount_path }}/etc/os-release && exit 4"]},
        "failed with status 4",
    ),
    ({"bake_provision": [{"shell": "exit 5"}]}, "non-zero return code"),
    ({"bake_provision": [{"shell": "kill -9 $$"}]}, "non-zero return code"),
    ({"bake_provision": [{"playbook": "nobody.yml"}]}, "so nothing was provisioned"),
    ({"bake_post_provision_commands": ["exit 6"]}, "failed with status 6"),
    ({"bake_root_partition": 7}, "7"),
]


def test_failing_steps_leave_nothing_behind(web: Project, cloud: Cloud) -> None:
    """Every step fails once, in images that are built side by side."""
    web.write("nobody.yml", [{"hosts": "nobody", "tasks": [{"ansible.builtin.ping": None}]}])
    before = host_state()
    good = {"bake_source": _source(cloud), "bake_provision": STEP}
    names = [f"failing{number}" for number in range(len(FAILING_STEPS))]
    web.images(
        **{
            name: {"bake_image_name": name, **good, **options}
            for name, (options, _said) in zip(names, FAILING_STEPS, strict=True)
        }
    )
    ran = web.build()
    assert ran.rc != 0, ran
    for name, (_options, said) in zip(names, FAILING_STEPS, strict=True):
        assert said in said_of(ran.output, name), said
        assert cloud.image(name) is None
    assert host_state() == before
    assert daemons() == set()
    assert cloud.leftovers() == []


def _source(cloud: Cloud) -> str:
    return str(t.cast("dict[str, t.Any]", cloud.image("debian-source"))["ImageId"])


@pytest.mark.long
def test_a_device_that_never_appears_is_waited_for_in_vain(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    lab.api.fault("AttachVolume", "no-device")
    ran = web.build(bake_device_timeout=3)
    assert ran.rc != 0
    assert "vol-" in ran.output, ran
    assert cloud.leftovers() == []


@pytest.mark.long
def test_waits_really_wait(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    lab.api.set(volume_seconds=1, attach_seconds=1, detach_seconds=1, snapshot_seconds=2, image_seconds=1)
    ran = web.build()
    assert ran.rc == 0, ran
    cloud.forget("web")


@pytest.mark.long
def test_a_build_host_that_goes_away_is_a_failure_with_cleanup(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    """Ansible runs neither rescue nor always for an unreachable host: the volume must not stay behind."""
    gone = web.folder / "gone"
    flaky_build_host(web, _source(cloud), bake_pre_mount_commands=[f"touch {gone}"])
    ran = web.build()
    assert ran.rc != 0
    assert "The machine builder cannot be reached: gone" in ran.output, ran
    assert "Not cleaned up: The sandbox: The machine builder cannot be reached" in ran.output
    assert lab.api.calls("CreateVolume"), "the build had begun"
    assert cloud.leftovers() == []


def test_a_build_host_that_cannot_be_one_is_refused(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    where: dict[str, tuple[dict[str, t.Any], str]] = {
        "unknown": ({"bake_build_host": "bilder"}, "bilder is not a host of this inventory. Did you mean builder?"),
        "group": ({"bake_build_hosts": "bilders"}, "bilders, which is no group and no host of this inventory"),
        "windows": ({"bake_build_host": "desktop"}, "desktop is reached by winrm. A build host runs Linux"),
        "image": ({"bake_build_host": "unknown"}, "unknown is itself an image"),
        "by-hand": ({"ansible_chroot_build_host": {"transport": "local"}}, "ansible_chroot_build_host is set for this"),
    }
    images = {
        name: {"bake_image_name": f"image-{name}", "bake_source": _source(cloud), **options}
        for name, (options, _said) in where.items()
    }
    web.write(
        "inventory.yml",
        {
            "images": {"vars": {"ansible_connection": "bakehouse.images.chroot"}, "hosts": images},
            "builders": {"hosts": {"builder": {}, "desktop": {"ansible_connection": "winrm"}}},
        },
    )
    lab.api.clear_calls()
    ran = web.build()
    assert ran.rc != 0
    for name, (_options, said) in where.items():
        assert said in said_of(ran.output, name), ran
    assert "1 mistake" in said_of(ran.output, "group"), "what follows from a mistake is not another one"
    assert_nothing_was_created(lab)


def test_a_build_that_is_kept_can_be_entered_and_says_how(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    ran = web.build(bake_on_error="keep", bake_provision=[{"shell": "exit 5"}])
    assert ran.rc != 0
    assert "is kept for 24 hours" in ran.output, ran
    ours = [{"Name": "tag-key", "Values": ["bakehouse:build-id"]}]
    (volume,) = cloud.ec2.describe_volumes(Filters=ours)["Volumes"]
    assert volume["State"] == "in-use"
    tags = {tag["Key"]: tag["Value"] for tag in volume["Tags"]}
    assert int(tags["bakehouse:expires"]) > 0
    _remove_kept(web, tags["bakehouse:build-id"])
    assert cloud.leftovers() == []


def _remove_kept(project: Project, build_id: str) -> None:
    project.write(
        "discard.yml",
        [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [
                    {"bakehouse.images.sandbox": {"name": build_id, "state": "absent"}},
                    {"bakehouse.images.ec2_build": {"build_id": build_id, "state": "absent"}},
                ],
            }
        ],
    )
    ran = project.build(playbook="discard.yml")
    assert ran.rc == 0, ran


def test_an_inventory_without_images_is_refused(project: Project, cloud: Cloud) -> None:
    project.write("inventory.yml", {"all": {"hosts": {"plain": {"ansible_connection": "local"}}}})
    ran = project.build()
    assert ran.rc != 0
    assert "No host of this inventory is an image" in ran.output, ran


def test_an_end_that_files_do_not_show_is_no_success(web: Project, cloud: Cloud) -> None:
    """A task file whose name is only known when it runs cannot be read beforehand."""
    ends = ("end_host", "end_batch", "end_play")
    for end in ends:
        web.write(f"sly_{end}.yml", [{"ansible.builtin.meta": end}])
    web.images(
        **{
            end: {
                "bake_image_name": end,
                "bake_source": _source(cloud),
                "bake_gather_facts": False,
                "bake_provision": [{"tasks": f"{{{{ inventory_dir }}}}/sly_{end}.yml"}],
            }
            for end in ends
        }
    )
    ran = web.build()
    assert ran.rc != 0, ran
    for end in ends:
        assert "was ended before it had made one" in said_of(ran.output, end), ran
        assert cloud.image(end) is None
    assert cloud.leftovers() == []


@pytest.mark.parametrize("option", [("--skip-tags", "always"), ("--start-at-task", "Build the image")], ids=str)
def test_options_that_leave_out_the_build_are_no_success(
    web: Project, cloud: Cloud, lab: RunningLab, option: tuple[str, str]
) -> None:
    lab.api.clear_calls()
    ran = web.build(*option)
    assert ran.rc != 0, ran
    assert "No image was built, because" in ran.output
    assert_nothing_was_created(lab)


def test_a_failure_that_ends_the_play_leaves_nothing(web: Project, cloud: Cloud) -> None:
    """The first error is heard, handlers that are forced say why they cannot run, and the other build is undone."""
    handlers = [{"name": "Late", "ansible.builtin.raw": "echo late"}]
    play = {"hosts": "images", "gather_facts": False, "any_errors_fatal": True, "handlers": handlers}
    web.write("own.yml", [{**play, "roles": ["bakehouse.images.bake"]}])
    notify = {"ansible.builtin.raw": "true", "changed_when": True, "notify": "Late"}
    fail = {"ansible.builtin.raw": "echo on purpose >&2; exit 5"}
    good = {"bake_source": _source(cloud), "bake_gather_facts": False}
    web.images(
        failing={"bake_image_name": "failing", **good, "bake_provision": [{"tasks": [notify, fail]}]},
        other={"bake_image_name": "other", **good, "bake_provision": [{"tasks": [notify, notify]}]},
    )
    ran = web.build("--force-handlers", playbook="own.yml")
    assert ran.rc != 0, ran
    assert "on purpose" in said_of(ran.output, "failing"), ran
    assert "late" not in ran.output.split("RUNNING HANDLER")[-1].splitlines(), ran
    assert [cloud.image(name) for name in ("failing", "other")] == [None, None]
    assert cloud.leftovers() == []


def test_gathering_facts_too_early_is_explained(web: Project, cloud: Cloud, lab: RunningLab) -> None:
    web.write("early.yml", [{"hosts": "images", "gather_facts": True, "roles": ["bakehouse.images.bake"]}])
    ran = web.build(playbook="early.yml")
    assert ran.rc != 0
    assert "set gather_facts to false" in ran.output, ran
    assert_nothing_was_created(lab)
