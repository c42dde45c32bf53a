# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role that finds out whether its host is booted, as Linux system roles do, and then works on files alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.state import SandboxRecord

from tests.integration.plays import CHROOT, Playbooks, Tasks
from tests.integration.roots import install, opened, unpack
from tests.integration.sandbox.host_state import host_state, is_unchanged

# What such roles ask: systemctl(1) on is-system-running, sd_booted(3), and for containers and rpm-ostree their marks.
SIGNALS: Tasks = [
    {
        "name": "Ask systemd whether it has booted",
        "ansible.builtin.command": "systemctl is-system-running",
        "register": "running",
        "changed_when": False,
        "failed_when": False,
    },
    {
        "name": "Look for marks",
        "ansible.builtin.stat": {"path": "{{ item }}"},
        "loop": ["/run/systemd/system", "/run/ostree-booted", "/run/.containerenv", "/.dockerenv"],
        "register": "marks",
    },
    {
        "name": "Conclude",
        "ansible.builtin.set_fact": {
            "booted": "{{ running.stdout != 'offline' or marks.results[0].stat.exists }}",
            "marked": "{{ marks.results | selectattr('stat.exists') | map(attribute='item') | list }}",
        },
    },
    {
        "name": "Expect all signals to say the same",
        "ansible.builtin.assert": {
            "that": [
                "not booted",
                "marked == []",
                "ansible_facts.is_chroot",
                "ansible_facts.env.container is undefined",
                "ansible_facts.env.SYSTEMD_OFFLINE == '1'",
                "ansible_facts.virtualization_type == 'NA'",
                "ansible_facts.service_mgr == 'systemd'",
            ]
        },
    },
]

FIREWALL: Tasks = [
    {
        "ansible.builtin.service": {
            "name": "firewalld",
            "enabled": True,
            "state": "{{ 'started' if booted else omit }}",
        }
    },
    {
        "ansible.posix.firewalld": {
            "service": "https",
            "permanent": True,
            "immediate": "{{ booted }}",
            "offline": "{{ not booted }}",
            "state": "enabled",
        },
        "notify": "Reload the firewall",
    },
    {
        "ansible.builtin.command": "firewall-offline-cmd --add-port=8443/tcp",
        "when": "not booted",
    },
    {
        "ansible.builtin.command": "firewall-cmd --state",
        "register": "state",
        "changed_when": False,
        "failed_when": "state.rc == 0",
    },
]

SYSTEM: Tasks = [
    {
        "ansible.posix.sysctl": {
            "name": "net.ipv4.ip_forward",
            "value": "1",
            "sysctl_file": "/etc/sysctl.d/50-router.conf",
            "reload": "{{ booted }}",
        }
    },
    {"ansible.builtin.copy": {"content": "br_netfilter\n", "dest": "/etc/modules-load.d/br_netfilter.conf"}},
    {"ansible.builtin.command": "modprobe br_netfilter"},
    {"ansible.builtin.command": "hostnamectl set-hostname router"},
    {"ansible.builtin.command": "timedatectl set-timezone Europe/Vienna"},
    {"ansible.builtin.command": "localectl set-locale LANG=C.UTF-8"},
    {"ansible.builtin.command": "loginctl enable-linger www-data"},
    {
        "ansible.builtin.command": "{{ item }}",
        "loop": ["hostnamectl --static", "timedatectl --version", "localectl --version", "loginctl --version"],
        "changed_when": False,
    },
]

HANDLERS: Tasks = [
    {
        "name": "Reload the firewall",
        "ansible.builtin.service": {"name": "firewalld", "state": "reloaded"},
        "when": "booted",
    }
]


@pytest.fixture(scope="module")
def root(systemd_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(systemd_tarball, tmp_path_factory.mktemp("not-booted") / "root")


@pytest.fixture
def sandbox(root: Path) -> Iterator[SandboxRecord]:
    before = host_state()
    with opened(root) as record:
        # Its list of protocols, which firewalld reads, is a package of its own.
        install(record, "firewalld", "netbase")
        yield record
    assert is_unchanged(before)


def role(folder: Path, name: str, **files: Any) -> str:
    """A role beside the playbook."""
    for kind, tasks in files.items():
        path = folder / "roles" / name / kind / "main.yml"
        path.parent.mkdir(parents=True)
        path.write_text(yaml.safe_dump(tasks))
    return name


def test_a_role_that_asks_whether_its_host_is_booted_works_on_files_alone(
    root: Path, sandbox: SandboxRecord, tmp_path: Path
) -> None:
    roles = [role(tmp_path, "router", tasks=[*SIGNALS, *FIREWALL, *SYSTEM], handlers=HANDLERS)]
    host = {"image": {"ansible_connection": CHROOT, "ansible_chroot_sandbox": sandbox.name}}

    Playbooks(tmp_path).succeed(host, [], gather_facts=True, roles=roles)
    report = close_sandbox(sandbox.name, runner=LocalRunner())

    assert report.not_done == ("modprobe br_netfilter",)
    assert report.killed == ()
    zone = (root / "etc/firewalld/zones/public.xml").read_text()
    assert '<service name="https"/>' in zone
    assert '<port port="8443" protocol="tcp"/>' in zone
    assert (root / "etc/systemd/system/multi-user.target.wants/firewalld.service").is_symlink()
    assert (root / "etc/sysctl.d/50-router.conf").read_text().strip() == "net.ipv4.ip_forward=1"
    assert (root / "etc/modules-load.d/br_netfilter.conf").read_text().strip() == "br_netfilter"
    assert (root / "etc/hostname").read_text() == "router\n"
    assert os.readlink(root / "etc/localtime").endswith("/Europe/Vienna")
    assert (root / "etc/default/locale").read_text() == "LANG=C.UTF-8\n"
    assert (root / "var/lib/systemd/linger/www-data").exists()
