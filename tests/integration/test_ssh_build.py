# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole builds on build hosts that ssh reaches, by users who are not root."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sysconfig
import time
import typing as t
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.integration.project import DAEMON, Cloud, Project, daemons, host_state
from tests.integration.ssh_host import PYTHON, SUDOERS, LoginUser, SshHost, login_user
from tests.integration.trees import entries
from tests.lab_fixture import RunningLab
from tests.leftovers import MARK
from tests.waiting import eventually

CHROOT = "bakehouse.images.chroot"

# What leaves no trace but files: of each kind of owner, mode, attribute and time.
TASKS = r"""
- name: Write a file from a template
  ansible.builtin.template: {src: greeting.j2, dest: /etc/greeting, mode: "0640"}
  notify: Count the changes
- name: Make a user and be it
  ansible.builtin.user: {name: app, uid: 4711, create_home: false}
- name: Do something as the user
  ansible.builtin.copy: {content: "by app\n", dest: /tmp/by-app}
  become: true
  become_user: app
- name: Keep what it did
  ansible.builtin.command: cp -p /tmp/by-app /var/by-app
- name: Send a file that is no text
  ansible.builtin.copy: {src: bytes, dest: "/var/with space and 'quotes'", owner: app, mode: "u=rwxs,go="}
- name: Give a file a time
  ansible.builtin.file: {path: /etc/greeting, modification_time: "200102030405.06"}
- name: Give a file attributes
  ansible.builtin.command:
    argv:
      - python3
      - -c
      - |
        import os
        path = "/var/with-attributes"
        open(path, "w").close()
        os.setxattr(path, "user.note", b"a \0 byte")
        os.setxattr(path, "security.capability", bytes.fromhex("01000002" "00200000" + "00" * 12))
        os.link(path, "/var/another-name")
"""

SITE = """
- name: Go on in a playbook of its own
  hosts: all
  gather_facts: false
  tasks:
    - name: Use a fact, and the connection
      ansible.builtin.copy: {content: "{{ ansible_facts.distribution }}\\n", dest: /etc/from-playbook, mode: "0600"}
"""


@pytest.fixture
def app(project: Project) -> Project:
    """A project with a role and a playbook, and no inventory yet."""
    project.write("roles/app/tasks/main.yml", TASKS)
    project.write("roles/app/templates/greeting.j2", "Hello: {{ greeting }}\n")
    (project.write("roles/app/files/bytes", "")).write_bytes(bytes(range(256)) * 1024)
    project.write(
        "roles/app/handlers/main.yml",
        "- name: Count the changes\n  ansible.builtin.shell: echo handled >> /var/handled\n",
    )
    project.write("site.yml", SITE)
    return project


def definition(source: str) -> dict[str, t.Any]:
    """The image that is built, wherever it is built."""
    return {
        "bake_source": source,
        "bake_volume_size": 2,
        "bake_provision": [
            {"role": "app", "vars": {"greeting": "{{ ansible_facts.os_family }}"}},
            {"shell": "cat /etc/greeting >> /var/log/app; hostname changed-by-role"},
            {"playbook": "site.yml"},
        ],
        "bake_post_provision_commands": ["id -u > {{ bake_mount_path }}/var/by-host-command"],
    }


def inventory(images: dict[str, dict[str, t.Any]], builders: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    """An inventory of images and build hosts."""
    return {
        "images": {"vars": {"ansible_connection": CHROOT}, "hosts": images},
        "builders": {"hosts": builders},
    }


def instance(lab: RunningLab) -> dict[str, t.Any]:
    """Which instance this machine is, for a build host that has no metadata service."""
    return {"instance_id": lab.instance_id, "availability_zone": lab.zone, "region": lab.region}


def test_a_build_by_ssh_gives_the_same_image_as_a_local_one(
    app: Project, cloud: Cloud, lab: RunningLab, source_ami: str, ssh_host: SshHost, tmp_path: Path
) -> None:
    images = {
        "near": {"bake_image_name": "near", **definition(source_ami)},
        "far": {"bake_image_name": "far", **definition(source_ami), "bake_build_host": "builder"},
    }
    app.write(
        "inventory.yml", inventory(images, {"builder": {**ssh_host.variables, "bake_build_instance": instance(lab)}})
    )
    before, began = host_state(), time.time()
    ran = app.build()
    assert ran.rc == 0, ran
    assert host_state() == before
    assert cloud.leftovers() == []

    trees = {}
    for name in images:
        image = cloud.image(name)
        assert image is not None
        with cloud.mounted(image, tmp_path / name) as root:
            trees[name] = entries(root, now=began)
    assert trees["far"]["var/with space and 'quotes'"].mode == "-rws------"
    assert trees["far"]["etc/greeting"].modified is not None
    assert trees["far"]["var/with-attributes"].attributes.keys() == {"user.note", "security.capability"}
    assert {"var/handled", "etc/from-playbook", "var/by-host-command"} <= trees["far"].keys()
    assert trees["far"].keys() == trees["near"].keys()
    assert {
        path: (entry, trees["far"][path]) for path, entry in trees["near"].items() if entry != trees["far"][path]
    } == {}


@pytest.mark.long
def test_images_are_spread_over_build_hosts_and_no_password_is_told(
    app: Project, cloud: Cloud, lab: RunningLab, source_ami: str, ssh_host: SshHost, ssh_password_host: SshHost
) -> None:
    password = ssh_password_host.user.password
    assert password
    app.write("vault-password", "open sesame")
    vault = VaultLib([("default", VaultSecret(b"open sesame"))])
    secret = vault.encrypt(password).decode()
    app.write(
        "host_vars/second/vault.yml", "secret: !vault |\n" + "".join(f"  {line}\n" for line in secret.splitlines())
    )
    # The build host itself says which instance it is.
    environment = (
        f"{MARK}={os.environ[MARK]} AWS_EC2_METADATA_SERVICE_ENDPOINT={lab.env['AWS_EC2_METADATA_SERVICE_ENDPOINT']}"
    )
    with ssh_password_host.reached_by(SetEnv=environment) as second:
        builders = {
            "first": {**ssh_host.variables, "bake_build_instance": instance(lab)},
            "second": {
                **second.variables,
                "ansible_password": "{{ secret }}",
                "ansible_become_password": "{{ secret }}",
            },
        }
        shared = {"bake_build_hosts": "builders", "bake_manifest": "{{ inventory_dir }}/{{ inventory_hostname }}.json"}
        images = {
            name: {"bake_image_name": name, **definition(source_ami), **shared} for name in ("image-a", "image-b")
        }
        app.write("inventory.yml", inventory(images, builders))
        cache = app.folder / "facts"
        app.env = {**app.env, "ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)}
        ran = app.build("-vvvv", "--vault-password-file", str(app.folder / "vault-password"))
        assert second.logins() >= 1
    assert ran.rc == 0, ran
    manifests = [app.folder / f"{name}.json" for name in images]
    assert {json.loads(path.read_text())["build_host"] for path in manifests} == {"first", "second"}
    written = "".join(path.read_text() for path in (*manifests, *cache.iterdir()))
    for form in (password, json.dumps(password)[1:-1], password.replace("'", "''"), secret.splitlines()[1]):
        assert form not in ran.output
        assert form not in written
    assert cloud.leftovers() == []


def test_a_build_host_whose_connection_breaks_is_left_clean(
    project: Project, cloud: Cloud, lab: RunningLab, source_ami: str, ssh_host: SshHost
) -> None:
    image = {
        "bake_image_name": "web",
        "bake_source": source_ami,
        "bake_build_host": "builder",
        "bake_provision": [{"shell": DAEMON}],
    }
    builder = {**ssh_host.variables, "bake_build_instance": instance(lab)}
    project.write("inventory.yml", inventory({"web": image}, {"builder": builder}))
    with ThreadPoolExecutor() as pool:
        build = pool.submit(project.build)
        eventually(lambda: daemons() or build.done(), seconds=300)
        assert daemons(), build.result()
        broken = sessions_of(ssh_host.user)
        assert broken
        for pid in broken:
            os.kill(pid, signal.SIGKILL)
        ran = build.result(timeout=600)
    assert ran.rc != 0
    assert "failed=1" in ran.output.split("PLAY RECAP")[1]
    assert "The connection to the build host 127.0.0.1 ended while a command ran there" in ran.output, ran
    assert "Not cleaned up" not in ran.output
    assert cloud.leftovers() == []
    eventually(lambda: daemons() == set())


def sessions_of(user: LoginUser) -> list[int]:
    """The processes of sshd that carry the user's connections."""
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            fields = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
            # The owner of such a process' files in /proc is root.
            if fields["Name"].startswith("sshd") and fields["Uid"].split()[0] == str(user.uid):
                found.append(int(fields["Pid"]))
    return found


BUILT = [{"shell": "echo built > /etc/built"}]


@contextlib.contextmanager
def as_user(user: LoginUser, env: dict[str, str]) -> Iterator[Project]:
    """A project of an ordinary user, who runs Ansible in the home directory."""
    folder = user.home / "project"
    folder.mkdir()
    os.chown(folder, user.uid, user.uid)
    # The interpreter of the test run may be one that only root can read.
    start = ("runuser", "-u", user.name, "--", PYTHON, "-m", "ansible")
    home = {"HOME": str(user.home), "PYTHONPATH": sysconfig.get_path("purelib"), "USER": user.name}
    yield Project(folder, {**env, **home}, start)


def test_a_controller_without_root_and_devices_builds_on_another_machine(
    cloud: Cloud, lab: RunningLab, source_ami: str, ssh_host: SshHost, tmp_path: Path
) -> None:
    """As in AWX, whose jobs run in a container with no rights; and by the one command that sudo must allow."""
    with (
        login_user("least", tmp_path) as least,
        login_user("controller", tmp_path) as user,
        as_user(user, lab.env) as project,
    ):
        (SUDOERS / user.name).unlink()
        rules = f"{least.name} ALL=(root) NOPASSWD: /bin/sh\nDefaults:{least.name} env_keep += {MARK}\n"
        (SUDOERS / least.name).write_text(rules)
        assert least.key
        key = project.write("key", least.key.read_text())
        key.chmod(0o600)
        os.chown(key, user.uid, user.uid)
        known = project.write("known_hosts", (ssh_host.folder / "known_hosts").read_text())
        builder = {
            **ssh_host.variables,
            "ansible_user": least.name,
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": f"-F /dev/null -o UserKnownHostsFile={known}",
            "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=2",
            "bake_build_instance": instance(lab),
        }
        del builder["ansible_control_path_dir"]
        image = {"bake_image_name": "web", "bake_source": source_ami, "bake_build_host": "builder"}
        project.write("inventory.yml", inventory({"web": {**image, "bake_provision": BUILT}}, {"builder": builder}))
        ran = project.build()
    assert ran.rc == 0, ran
    assert cloud.image("web") is not None
    assert cloud.leftovers() == []


def test_a_user_with_sudo_builds_on_the_own_machine(
    cloud: Cloud, lab: RunningLab, source_ami: str, tmp_path: Path
) -> None:
    """Whom sudo asks for a password, given once with -K; the playbook in the image asks nobody."""
    password = "sesame 'open'"
    before = root_files()
    with login_user("builder", tmp_path, password=password) as user, as_user(user, lab.env) as project:
        answer = project.write("answer", password)
        os.chown(answer, user.uid, user.uid)
        project.env["ANSIBLE_BECOME_PASSWORD_FILE"] = str(answer)
        project.write("site.yml", SITE)
        image = {
            "bake_image_name": "web",
            "bake_source": source_ami,
            "bake_provision": [*BUILT, {"playbook": "site.yml"}],
        }
        project.write("inventory.yml", inventory({"web": image}, {}))
        ran = project.build()
        owners = {path.owner() for path in (project.folder / ".ansible").rglob("*")}
    assert ran.rc == 0, ran
    assert owners == {user.name}
    assert root_files() == before, "nothing is written to root's home directory"
    assert cloud.leftovers() == []


def root_files() -> set[str]:
    """What Ansible keeps in root's home directory, by name."""
    # Other test runs of this machine are root's too, and make these at any time.
    for usual in ("cp", "tmp"):
        Path("/root/.ansible", usual).mkdir(parents=True, exist_ok=True)
    return {path.name for path in Path("/root/.ansible").glob("*")}
