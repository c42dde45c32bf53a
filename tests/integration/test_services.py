# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles made for running machines, unchanged in an image with systemd: services, packages, and facts of the image."""

from __future__ import annotations

import os
import stat
import subprocess
import typing as t
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import disks
from tests.integration.plays import CHROOT, Playbooks, Tasks, closed, forget_sandbox, on
from tests.integration.roots import opened_device, unpack

# A service that only the image has, and one whose name the build host may have, too.
SLEEP = f"/bin/sleep 4712.{os.getpid()}"
UNIT = f"[Service]\nExecStart={SLEEP}\n[Install]\nWantedBy=multi-user.target\n"

#: All that is in /dev: none of it is a device that keeps data.
PRIVATE_NODES = {
    *("full", "null", "random", "tty", "urandom", "zero"),
    *("fd", "ptmx", "pts", "shm", "stderr", "stdin", "stdout"),
}


@pytest.fixture(scope="module")
def root(systemd_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = unpack(systemd_tarball, tmp_path_factory.mktemp("services") / "root")
    (root / "etc/hostname").write_text("image-host\n")
    yield root
    forget_sandbox(root)


@pytest.fixture
def playbooks(tmp_path: Path) -> Playbooks:
    return Playbooks(tmp_path)


def services_of_the_host() -> set[str]:
    """Processes of this machine that are the image's services."""
    listing = subprocess.run(["ps", "-eo", "pid,args"], check=True, capture_output=True, text=True).stdout
    # Other test runs have commands about cron.
    return {
        line.strip()
        for line in listing.splitlines()
        if SLEEP in line or os.path.basename(line.split()[1].rstrip(":")).lower() == "cron"
    }


def wheel(folder: Path) -> Path:
    """A Python package with nothing in it, so that pip needs no network."""
    path = folder / "nothing-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nothing.py", "")
        archive.writestr("nothing-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: nothing\nVersion: 1\n")
        archive.writestr("nothing-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("nothing-1.dist-info/RECORD", "")
    return path


def test_a_role_with_services_is_green_and_changes_nothing_the_second_time(playbooks: Playbooks, root: Path) -> None:
    tasks: Tasks = [
        {
            "ansible.builtin.copy": {"content": UNIT, "dest": "/etc/systemd/system/app.service"},
            "notify": "Restart the service",
        },
        {"ansible.builtin.systemd_service": {"daemon_reload": True}},
        {"ansible.builtin.service": {"name": "app", "enabled": True, "state": "started"}},
        {
            "ansible.builtin.systemd_service": {
                "name": "cron.service",
                "enabled": True,
                "state": "started",
                "daemon_reload": True,
            }
        },
        {"ansible.builtin.systemd_service": {"name": "fstrim.timer", "enabled": False, "masked": True}},
        {"ansible.builtin.service": {"name": "cron", "state": "stopped"}},
        {"ansible.builtin.service": {"name": "cron", "state": "started"}},
    ]
    handlers = [{"name": "Restart the service", "ansible.builtin.service": {"name": "app", "state": "restarted"}}]
    before = services_of_the_host()

    first = playbooks.succeed(on(root), tasks, handlers=handlers, gather_facts=True)
    second = playbooks.succeed(on(root), tasks, handlers=handlers, gather_facts=True)

    assert "RUNNING HANDLER [Restart the service]" in first.output
    assert first.recap("image")["changed"] > 0
    assert second.recap("image") == {**second.recap("image"), "changed": 0, "failed": 0}
    wanted = root / "etc/systemd/system/multi-user.target.wants/app.service"
    assert os.readlink(wanted) == "/etc/systemd/system/app.service"
    assert os.readlink(root / "etc/systemd/system/fstrim.timer") == "/dev/null"
    assert closed(root)
    assert services_of_the_host() == before
    assert not Path("/etc/systemd/system/app.service").exists()


def test_modules_of_packages_users_and_jobs_need_no_preparation(
    playbooks: Playbooks, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "motd.j2").write_text("{{ ansible_facts.distribution }} on {{ ansible_facts.hostname }}\n")
    tasks: Tasks = [
        {"ansible.builtin.user": {"name": "app"}},
        {"ansible.builtin.cron": {"name": "nightly", "job": "/bin/true", "minute": "7", "user": "app"}},
        {"ansible.builtin.template": {"src": "motd.j2", "dest": "/etc/motd"}},
        {"ansible.builtin.copy": {"src": str(wheel(tmp_path)), "dest": "/srv/"}},
        {
            "ansible.builtin.pip": {
                "name": "/srv/nothing-1-py3-none-any.whl",
                "virtualenv": "/srv/env",
                "virtualenv_command": "python3 -m venv",
            }
        },
        {"ansible.builtin.apt": {"name": "hello", "update_cache": True, "cache_valid_time": 3600}},
        {"ansible.builtin.command": "/usr/bin/hello", "changed_when": False},
    ]

    playbooks.succeed(on(root), tasks, gather_facts=True)
    second = playbooks.succeed(on(root), tasks, gather_facts=True)

    assert second.recap("image")["changed"] == 0
    assert "7 * * * * /bin/true" in (root / "var/spool/cron/crontabs/app").read_text()
    assert (root / "etc/motd").read_text() == "Debian on image-host\n"
    assert list((root / "srv/env").glob("lib/python3*/site-packages/nothing.py"))
    assert (root / "home/app").is_dir()


def test_dev_has_nothing_of_the_host_and_systemd_says_that_it_is_offline(playbooks: Playbooks, root: Path) -> None:
    tasks: Tasks = [
        {"ansible.builtin.command": "ls -A /dev", "register": "nodes"},
        {"ansible.builtin.command": "systemctl is-system-running", "register": "state", "failed_when": False},
        {
            "ansible.builtin.assert": {
                "that": [f"nodes.stdout_lines | sort == {sorted(PRIVATE_NODES)}", "state.stdout == 'offline'"]
            }
        },
    ]
    playbooks.succeed(on(root), tasks)
    assert list((root / "dev").iterdir()) == [] or not any(
        stat.S_ISBLK(path.lstat().st_mode) for path in (root / "dev").iterdir()
    )


def test_facts_are_the_images(playbooks: Playbooks, systemd_tarball: Path, tmp_path: Path) -> None:
    """Its newest kernel is not the last one by name; this machine's own would be a fact of setup."""
    with disks.loop_disk(tmp_path / "disk.raw", 640) as disk:
        disks.run("mkfs.ext4", "-q", disk.path)
        with disks.mounted(tmp_path / "mnt", (disk.path, "/", "")) as place:
            disks.unpack(systemd_tarball, place, f"UUID={disk.uuid()} / ext4 defaults 0 1\n")
            for kernel in ("6.1.0-9-cloud-amd64", "6.1.0-10-cloud-amd64"):
                (place / "lib/modules" / kernel).mkdir(parents=True)
        with opened_device(disk.path) as record:
            expected: dict[str, t.Any] = {
                "kernel": "6.1.0-10-cloud-amd64",
                "hostname": "image",
                "nodename": "image",
                "service_mgr": "systemd",
                "is_chroot": True,
                "distribution": "Debian",
                "pkg_mgr": "apt",
                "virtualization_type": "NA",
                "virtualization_role": "NA",
            }
            mounts = "ansible_facts.mounts | map(attribute='mount') | list"
            of_build_host = ("cmdline", "devices", "default_ipv4", "interfaces", "product_name", "uptime_seconds")
            tasks: Tasks = [
                {"bakehouse.images.image_facts": {"kernels": list(record.kernels)}},
                {
                    "ansible.builtin.assert": {
                        "that": [
                            *(f"ansible_facts.{name} == {value!r}" for name, value in expected.items()),
                            *(f"ansible_facts.{name} is undefined" for name in of_build_host),
                            "ansible_facts.processor_vcpus > 0",
                            f"{mounts} == ['/']",
                            f"ansible_facts.mounts[0].device == '{disk.path}'",
                            "ansible_facts.mounts[0].fstype == 'ext4'",
                        ]
                    }
                },
            ]
            host = {"ansible_connection": CHROOT, "ansible_chroot_sandbox": record.name}
            playbooks.succeed({"image": host}, tasks)
