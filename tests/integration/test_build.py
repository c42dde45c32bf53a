# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A whole build of an image on EC2: what is in it, what it leaves behind (nothing), and what a second run does."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.integration.build_fixtures import RESOLV_CONF
from tests.integration.project import DAEMON, Cloud, Project, daemons, host_state
from tests.lab_fixture import RunningLab

CREATING = ("CreateVolume", "AttachVolume", "CreateSnapshot", "RegisterImage", "CreateTags")

# A role as people have them: it notifies a handler, starts a daemon, and knows nothing of images.
TASKS = """
- name: Write a file from a template
  ansible.builtin.template: {src: greeting.j2, dest: /etc/greeting, mode: "0640"}
  notify: Count the changes
- name: Make a user and be it
  ansible.builtin.user: {name: app, create_home: false}
- name: Do something as the user
  ansible.builtin.copy: {content: "by app\\n", dest: /tmp/by-app}
  become: true
  become_user: app
- name: Keep what it did
  ansible.builtin.command: cp -p /tmp/by-app /var/by-app
- name: Leave a daemon that keeps its folder and its output open
  ansible.builtin.shell: "cd /var/lib && nohup DAEMON & echo started"
- name: Change what belongs to one machine only
  ansible.builtin.command: hostname changed-by-role
- name: Say what the facts are
  ansible.builtin.copy:
    content: "{{ ansible_facts.hostname }} {{ ansible_facts.is_chroot }} {{ ansible_facts.kernel | length }}\\n"
    dest: /etc/facts
""".replace("DAEMON", DAEMON)


@pytest.fixture
def web(project: Project, source_ami: str, lab: RunningLab) -> Project:
    """A project with one image, built from the source AMI with a role. Only the image says where AWS is."""
    project.env = {name: value for name, value in lab.env.items() if name != "AWS_ENDPOINT_URL"}
    project.write("roles/app/tasks/main.yml", TASKS)
    project.write("roles/app/templates/greeting.j2", "Hello from {{ inventory_hostname }}: {{ greeting }}\n")
    project.write(
        "roles/app/handlers/main.yml",
        "- name: Count the changes\n  ansible.builtin.shell: echo handled >> /var/handled\n",
    )
    project.images(
        web={
            "bake_image_name": "web",
            "bake_source": source_ami,
            "bake_volume_size": 2,
            "bake_image_tags": {"Owner": "tests"},
            "bake_aws_access": {
                "endpoint_url": lab.env["AWS_ENDPOINT_URL"],
                "access_key": "AKIATHEIMAGES",
                "secret_key": "s3cret",
                "poll_delay": 2,
            },
            "bake_image_block_device_mappings": [
                {"device_name": "/dev/sdf", "size_gib": 3, "encrypted": True, "delete_on_termination": True},
                {"device_name": "/dev/sdg", "virtual_name": "ephemeral0"},
            ],
            "bake_provision": [
                {"role": "app", "vars": {"greeting": "{{ 'good morning' | title }}"}},
                {"shell": "cat /etc/greeting", "when": "ansible_facts.os_family == 'Debian'"},
                {"tasks": [{"ansible.builtin.command": "test -s /etc/resolv.conf"}]},
            ],
        }
    )
    return project


def test_a_role_becomes_an_ami_and_nothing_else_is_left(
    web: Project, cloud: Cloud, lab: RunningLab, tmp_path: Path, source_ami: str
) -> None:
    before = host_state()
    ran = web.build("-vvv")
    assert ran.rc == 0, ran
    assert "s3cret" not in ran.output
    assert host_state() == before
    assert daemons() == set()
    assert cloud.leftovers() == []

    image = cloud.image("web")
    assert image is not None
    tags = {tag["Key"]: tag["Value"] for tag in image["Tags"]}
    assert tags["Owner"] == "tests"
    assert {"bakehouse:build-id", "bakehouse:fingerprint", "bakehouse:image", "bakehouse:host"} <= tags.keys()
    assert image["ImdsSupport"] == "v2.0"
    assert image["EnaSupport"] is True
    root, data, memory = image["BlockDeviceMappings"]
    assert (root["DeviceName"], root["Ebs"]["VolumeSize"]) == (image["RootDeviceName"], 2)
    assert (data["DeviceName"], data["Ebs"]["VolumeSize"], data["Ebs"]["Encrypted"]) == ("/dev/sdf", 3, True)
    assert memory == {"DeviceName": "/dev/sdg", "VirtualName": "ephemeral0"}
    assert lab.api.calls("CreateTags") == [], "tags belong into the create calls"

    with cloud.mounted(image, tmp_path / "mnt") as root:
        assert (root / "etc/greeting").read_text() == "Hello from web: Good Morning\n"
        assert (root / "var/handled").read_text() == "handled\n"
        assert (root / "var/by-app").read_text() == "by app\n"
        assert (root / "etc/facts").read_text() == "image-host True 0\n"
        assert (root / "etc/resolv.conf").read_text() == RESOLV_CONF
        assert not (root / "usr/sbin/policy-rc.d").exists()
        assert (root / "etc/machine-id").read_text() == ""
        for empty in ("proc", "sys", "dev/pts", "dev/shm", "run/lock", "tmp", "root/.ansible"):
            folder = root / empty
            assert not folder.exists() or list(folder.iterdir()) == [], empty
        assert [path.name for path in (root / "run").iterdir()] == ["lock"], "as in the source"

    assert_second_run_changes_nothing(web, cloud, lab, image)
    assert_a_changed_byte_is_noticed(web, cloud, lab, image)
    cloud.forget("web")


def assert_second_run_changes_nothing(web: Project, cloud: Cloud, lab: RunningLab, image: dict[str, t.Any]) -> None:
    lab.api.clear_calls()
    ran = web.build()
    assert ran.rc == 0, ran
    assert "changed=0" in ran.output.split("PLAY RECAP")[1]
    assert [call["action"] for call in lab.api.calls() if call["action"] in CREATING] == []
    found = cloud.image("web")
    assert found is not None
    assert found["ImageId"] == image["ImageId"]


def assert_a_changed_byte_is_noticed(web: Project, cloud: Cloud, lab: RunningLab, image: dict[str, t.Any]) -> None:
    web.write("roles/app/templates/greeting.j2", "Hello from {{ inventory_hostname }}: {{ greeting }}!\n")
    lab.api.clear_calls()
    ran = web.build()
    assert ran.rc != 0
    assert "was built from another definition" in ran.output
    assert "set bake_replace: true to replace it" in ran.output
    assert [call["action"] for call in lab.api.calls() if call["action"] in CREATING] == []

    checked = web.build("--check", bake_replace=True)
    assert checked.rc == 0, checked
    assert "Would replace the image web" in checked.output
    assert [call["action"] for call in lab.api.calls() if call["action"] in CREATING] == []

    replaced = web.build(bake_replace=True)
    assert replaced.rc == 0, replaced
    found = cloud.image("web")
    assert found is not None
    assert found["ImageId"] != image["ImageId"]


def test_several_images_build_side_by_side(project: Project, cloud: Cloud, source_ami: str) -> None:
    step = [{"shell": "echo {{ inventory_hostname }} > /etc/who"}]
    project.images(
        **{
            name: {"bake_image_name": f"image-{name}", "bake_source": source_ami, "bake_provision": step}
            for name in ("a", "b", "c")
        }
    )
    ran = project.build("--forks", "5")
    assert ran.rc == 0, ran
    for name in ("a", "b", "c"):
        assert cloud.image(f"image-{name}") is not None
        cloud.forget(f"image-{name}")


def test_a_source_is_found_by_filter(project: Project, cloud: Cloud, lab: RunningLab, source_ami: str) -> None:
    source = {"filters": {"name": "debian-sour*", "architecture": "x86_64"}, "owners": ["self"]}
    project.images(web={"bake_image_name": "by-filter", "bake_source": source})
    ran = project.build()
    assert ran.rc == 0, ran
    assert lab.api.calls("CreateVolume")
    cloud.forget("by-filter")


def test_a_playbook_made_for_hosts_provisions_the_image(
    project: Project, cloud: Cloud, source_ami: str, tmp_path: Path
) -> None:
    project.write(
        "site.yml",
        [
            {
                "hosts": "images",
                "tasks": [
                    {
                        "ansible.builtin.copy": {
                            "content": "{{ ansible_facts.distribution }} [{{ ansible_facts.kernel }}] {{ word }}\n",
                            "dest": "/etc/site",
                        }
                    }
                ],
            }
        ],
    )
    project.images(
        web={
            "bake_image_name": "by-playbook",
            "bake_source": source_ami,
            "bake_provision": [{"playbook": "site.yml", "vars": {"word": "{{ inventory_hostname | upper }}"}}],
        }
    )
    ran = project.build()
    assert ran.rc == 0, ran
    image = cloud.image("by-playbook")
    assert image is not None
    with cloud.mounted(image, tmp_path / "mnt") as root:
        assert (root / "etc/site").read_text() == "Debian [] WEB\n", "the image has no kernel, the build host has one"
    cloud.forget("by-playbook")
