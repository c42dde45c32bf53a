# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles that change a running machine, unchanged in an image: what is for the next boot is there, the rest is said."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox

from tests.integration.plays import CHROOT, Playbooks, Tasks, forget_sandbox, on
from tests.integration.roots import opened, unpack
from tests.integration.sandbox.host_state import host_state, is_unchanged
from tests.integration.sandbox.sandboxes import enter, said

HARDENING: Tasks = [
    {"ansible.builtin.hostname": {"name": "hardened"}},
    {"ansible.builtin.hostname": {"name": "hardened", "use": "systemd"}},
    {
        "ansible.posix.sysctl": {
            "name": "net.ipv4.conf.all.rp_filter",
            "value": "2",
            "sysctl_set": True,
            "sysctl_file": "/etc/sysctl.d/90-hardening.conf",
        }
    },
    {"ansible.builtin.command": "sysctl --system"},
    {"ansible.builtin.command": "sysctl -w kernel.kptr_restrict=2"},
    {"ansible.builtin.copy": {"content": "br_netfilter\n", "dest": "/etc/modules-load.d/bridge.conf"}},
    {"ansible.builtin.command": "modprobe br_netfilter"},
    {"ansible.builtin.copy": {"content": "install cramfs /bin/false\n", "dest": "/etc/modprobe.d/unused.conf"}},
    {"ansible.builtin.command": "modprobe -r cramfs"},
    {"community.general.timezone": {"name": "Europe/Berlin"}},
    {"ansible.builtin.command": "timedatectl set-timezone Europe/Paris"},
    {"ansible.builtin.command": "timedatectl set-ntp true"},
    {
        "ansible.posix.mount": {
            "path": "{{ item }}",
            "src": "tmpfs",
            "fstype": "tmpfs",
            "opts": "nodev,nosuid,noexec",
            "state": "mounted",
        },
        "loop": ["/tmp", "/dev/shm", "/var/volatile"],
    },
    {"ansible.posix.mount": {"path": "none", "src": "/swapfile", "fstype": "swap", "state": "absent"}},
    {"ansible.builtin.command": "swapoff -a"},
    {"ansible.builtin.command": "hostnamectl set-hostname locked-down"},
    {"ansible.builtin.service": {"name": "cron", "state": "restarted", "enabled": True}},
    {"ansible.builtin.systemd_service": {"name": "cron", "state": "reloaded", "daemon_reload": True}},
    {"ansible.builtin.command": "systemctl restart cron"},
    {"ansible.builtin.command": "service cron restart"},
    {"ansible.builtin.command": "/etc/init.d/cron start"},
    {"ansible.builtin.command": "systemctl enable --now fstrim.timer"},
    {"ansible.builtin.command": "localectl set-locale LANG=C.UTF-8"},
    {"ansible.builtin.command": "loginctl enable-linger www-data"},
    {"ansible.builtin.command": "systemctl is-system-running", "register": "running", "failed_when": "running.rc == 0"},
    {"ansible.builtin.assert": {"that": ["running.stdout == 'offline'", "ansible_facts.is_chroot"]}},
]


@pytest.fixture(scope="module")
def unpacked(systemd_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(systemd_tarball, tmp_path_factory.mktemp("system") / "root")


@pytest.fixture
def root(unpacked: Path) -> Iterator[Path]:
    yield unpacked
    forget_sandbox(unpacked)


def test_a_hardening_role_runs_to_its_end(root: Path, tmp_path: Path) -> None:
    before = host_state()
    with opened(root) as record:
        host = {"image": {"ansible_connection": CHROOT, "ansible_chroot_sandbox": record.name}}
        Playbooks(tmp_path).succeed(host, HARDENING, gather_facts=True)
        report = close_sandbox(record.name, runner=LocalRunner())

    assert is_unchanged(before)
    assert report.not_done == (
        "sysctl -w net.ipv4.conf.all.rp_filter=2",
        "sysctl -p /etc/sysctl.d/90-hardening.conf",
        "sysctl --system",
        "sysctl -w kernel.kptr_restrict=2",
        "modprobe br_netfilter",
        "modprobe -r cramfs",
        "timedatectl set-ntp true",
        "swapoff -a",
        "systemctl restart cron",
        "systemctl reload cron",
        "service cron restart",
        "/etc/init.d/cron start",
        "systemctl start fstrim.timer",
    )
    assert report.killed == ()
    assert (root / "etc/hostname").read_text() == "locked-down\n"
    assert "net.ipv4.conf.all.rp_filter=2" in (root / "etc/sysctl.d/90-hardening.conf").read_text()
    assert os.readlink(root / "etc/localtime").endswith("/usr/share/zoneinfo/Europe/Paris")
    assert (root / "etc/timezone").read_text() == "Europe/Paris\n"
    mounts = [line.split()[1] for line in (root / "etc/fstab").read_text().splitlines() if "noexec" in line]
    assert mounts == ["/tmp", "/dev/shm", "/var/volatile"]
    assert (root / "etc/systemd/system/multi-user.target.wants/cron.service").is_symlink()
    assert (root / "etc/systemd/system/timers.target.wants/fstrim.timer").is_symlink()
    assert (root / "etc/default/locale").read_text() == "LANG=C.UTF-8\n"
    assert (root / "var/lib/systemd/linger/www-data").exists()
    assert not (root / "run/bakehouse").exists()


def test_stand_ins_leave_alone_what_only_asks(root: Path) -> None:
    with opened(root) as record:
        assert said(record, "sysctl -n kernel.ostype; sysctl kernel.ostype") == "Linux\nkernel.ostype = Linux"
        assert said(record, "modprobe --version; modprobe -c | head -1; swapon --show; swapon") != ""
        assert enter(record, "service cron status").returncode == 3
        assert enter(record, "timedatectl set-timezone Mars/Olympus").returncode == 1
        assert said(record, "loginctl enable-linger www-data; ls /var/lib/systemd/linger") == "www-data"
        assert enter(record, "insmod").returncode == 1
        assert enter(record, "systemctl is-active cron").stdout == "inactive\n"
        assert [enter(record, f"systemctl {ask} cron").returncode for ask in ("is-active", "is-failed", "status")] == [
            *(3, 1, 3)
        ]
        assert said(record, "systemctl is-system-running || true; systemctl is-enabled cron") == "offline\nenabled"
        assert enter(record, "/etc/init.d/cron status").returncode == 3
        assert said(record, "cat /run/bakehouse/not-done") == ""


# Tasks that say in their environment what is to become of what only a running machine can do.
WANTED: Tasks = [
    {
        "ansible.builtin.command": "sysctl -w kernel.kptr_restrict=2",
        "environment": {"BAKEHOUSE_STAND_INS": "no"},
        "register": "refused",
        "failed_when": "refused is success",
    },
    {"ansible.builtin.assert": {"that": "'permission denied' in refused.stderr"}},
    {"ansible.builtin.command": "sysctl -w kernel.kptr_restrict=2", "register": "done"},
    {"ansible.builtin.assert": {"that": ["'not done' in done.stderr", "done.stdout == 'kernel.kptr_restrict = 2'"]}},
    {
        "block": [
            {
                "ansible.builtin.service": {"name": "apt-daily.timer", "enabled": False, "state": "restarted"},
                "environment": {"BAKEHOUSE_STAND_INS": "fail"},
            },
            {"ansible.builtin.fail": {"msg": "It was restarted."}},
        ],
        "rescue": [
            {
                "ansible.builtin.assert": {
                    "that": "'Cannot be done: systemctl restart apt-daily.timer.' in ansible_failed_result.msg"
                }
            },
        ],
    },
    {
        "ansible.builtin.command": "systemctl is-enabled apt-daily.timer",
        "register": "enabled",
        "failed_when": "enabled.rc == 0",
    },
    {
        "ansible.builtin.service": {"name": "apt-daily.timer", "state": "restarted"},
        "environment": {"BAKEHOUSE_STAND_INS": "no"},
    },
]


def test_who_wants_the_commands_themselves_says_so(root: Path, tmp_path: Path) -> None:
    with opened(root) as record:
        host = {"image": {"ansible_connection": CHROOT, "ansible_chroot_sandbox": record.name}}
        Playbooks(tmp_path).succeed(host, WANTED, gather_facts=True)
        report = close_sandbox(record.name, runner=LocalRunner())
    assert report.not_done == ("sysctl -w kernel.kptr_restrict=2", "systemctl restart apt-daily.timer")


def test_a_command_that_the_image_lacks_stays_missing(root: Path) -> None:
    with opened(root) as record:
        (root / "usr/sbin/rmmod").rename(root / "usr/sbin/rmmod.away")
        lacking = enter(record, "rmmod dummy")
        (root / "usr/sbin/rmmod.away").rename(root / "usr/sbin/rmmod")
        assert (lacking.returncode, lacking.stderr) == (127, "rmmod: not found in the image\n")


def test_plain_setup_describes_the_image_as_far_as_it_can(root: Path, tmp_path: Path) -> None:
    """In a directory, without the role: what cannot be the image's is the kernel, the hardware and the network."""
    (root / "etc/hostname").unlink(missing_ok=True)
    expected = {
        "hostname": "localhost",
        "nodename": "localhost",
        "distribution": "Debian",
        "pkg_mgr": "apt",
        "service_mgr": "systemd",
        "is_chroot": True,
        "virtualization_type": "NA",
        "user_id": "root",
    }
    device = subprocess.check_output(["findmnt", "-no", "SOURCE", "--target", str(root)], text=True).strip()
    tasks: Tasks = [
        {
            "ansible.builtin.assert": {
                "that": [
                    *(f"ansible_facts.{name} == {value!r}" for name, value in expected.items()),
                    "ansible_facts.mounts | map(attribute='mount') | list == ['/']",
                    f"ansible_facts.mounts[0].device in ({device!r}, '/dev/root')",
                ]
            }
        }
    ]
    Playbooks(tmp_path).succeed(on(root), tasks, gather_facts=True)
