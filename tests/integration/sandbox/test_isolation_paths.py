# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links planted in an image: everything the build host's side opens by a path of the image stays in the image.

Each test plants links to a directory that exists on the build host alone, or to one that both have.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.errors import AnsibleError
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused

from tests.integration.plays import Playbooks, Tasks, forget_sandbox, on
from tests.integration.roots import connect
from tests.integration.sandbox.host_state import host_state, is_unchanged
from tests.integration.sandbox.sandboxes import Host, said


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory of the build host, with a file in it. It, and all else there, stays as it is."""
    # Not below /tmp, which every sandbox has its own of.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        place = Path(folder)
        (place / "secret").write_text("of the build host\n")
        before = host_state()
        yield place
        assert os.listdir(place) == ["secret"]
        assert (place / "secret").read_text() == "of the build host\n"
        assert is_unchanged(before)


@dataclasses.dataclass
class Image:
    """A root that links are planted in, and taken out of again."""

    root: Path
    planted: list[Path] = dataclasses.field(default_factory=list)

    def plant(self, path: str, target: str | Path) -> Path:
        """Put a symbolic link in the place of a file or directory of the image."""
        place = self.root / path.strip("/")
        if place.is_symlink() or place.exists():
            place.rename(place.with_name(place.name + ".moved"))
        place.symlink_to(target)
        self.planted.append(place)
        return place

    def restore(self) -> None:
        """Have the image as it was."""
        for place in reversed(self.planted):
            place.unlink()
            moved = place.with_name(place.name + ".moved")
            if moved.is_symlink() or moved.exists():
                moved.rename(place)


@pytest.fixture
def image(tree: Path) -> Iterator[Image]:
    image = Image(tree)
    yield image
    image.restore()
    forget_sandbox(tree)


@pytest.mark.parametrize(
    "target", ["/etc/shadow", "{outside}/secret", "{outside}/new", "../../../../../..{outside}/secret"]
)
def test_a_lent_file_does_not_follow_a_link(host: Host, image: Image, outside: Path, target: str) -> None:
    target = target.format(outside=outside)
    image.plant("/etc/resolv.conf", target)
    shadow = (image.root / "etc/shadow").read_bytes()
    record = host.open(root=str(image.root))
    said(record, "echo nameserver 192.0.2.7 >> /etc/resolv.conf; echo more >> /usr/sbin/policy-rc.d")
    host.close()
    assert (image.root / "etc/shadow").read_bytes() == shadow
    assert "192.0.2.7" in (image.root / "etc/resolv.conf").read_text()


def test_the_directory_of_a_lent_file_may_be_a_link(host: Host, image: Image, outside: Path) -> None:
    image.plant("/etc/company", outside)
    image.plant("/usr/sbin", "/usr/lib/elsewhere")
    (image.root / "usr/sbin.moved").rename(image.root / "usr/lib/elsewhere")
    record = host.open(root=str(image.root), copy_files=(f"{outside}/secret",))
    assert said(record, "cat /etc/company/secret; /usr/lib/elsewhere/policy-rc.d || echo $?").splitlines() == [
        *("of the build host", "101"),
    ]
    host.close()
    (image.root / "usr/lib/elsewhere").rename(image.root / "usr/sbin.moved")
    assert not (image.root / str(outside).strip("/")).exists()


@pytest.mark.parametrize("point", ["/proc", "/sys", "/dev", "/run", "/tmp"])
def test_a_mount_point_that_is_a_link_is_resolved_in_the_image(
    host: Host, image: Image, outside: Path, point: str
) -> None:
    image.plant(point, outside)
    record = host.open(root=str(image.root))
    there = said(record, f"echo {outside}/*")
    assert there != f"{outside}/secret"
    assert said(record, f"echo {point}/*").replace(point, str(outside), 1).split()[:1] == there.split()[:1]
    host.close()
    shutil.rmtree(image.root / str(outside).strip("/"))


@pytest.mark.parametrize(
    ("point", "target"), [("/tmp", "/"), ("/run", "/etc"), ("/dev", "../usr"), ("/tmp", "/usr/..")]
)
def test_a_mount_point_that_leads_to_the_system_itself_is_refused(
    host: Host, image: Image, outside: Path, point: str, target: str
) -> None:
    image.plant(point, target)
    with pytest.raises(
        Refused, match=f"^{point} of the image is a symbolic link to /[a-z]*, and a mount there would cover"
    ):
        host.open(root=str(image.root))


def test_mounts_that_are_asked_for_are_made_in_the_image(
    host: Host, image: Image, outside: Path, tmp_path: Path
) -> None:
    image.plant("/mnt", outside)
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "one.deb").touch()
    mounts = (
        ("proc", "proc", "/proc"),
        ("bind", str(tmp_path / "packages"), "/mnt/packages"),
        ("tmpfs", "x", "/mnt/m"),
    )
    record = host.open(root=str(image.root), chroot_mounts=mounts)
    assert said(record, f"ls {outside}; ls /mnt/packages").split() == ["m", "packages", "one.deb"]
    host.close()
    shutil.rmtree(image.root / str(outside).strip("/"))


def test_put_and_fetch_stay_in_the_image(image: Image, outside: Path, tmp_path: Path) -> None:
    image.plant("/srv", outside)
    image.plant("/opt", "/")
    connection = connect(ansible_chroot_root=str(image.root), ansible_host=str(image.root))
    (tmp_path / "local").write_text("from the controller\n")
    with pytest.raises(AnsibleError, match=r"Cannot read .*/srv/secret in the image"):
        connection.fetch_file("/srv/secret", str(tmp_path / "fetched"))
    with pytest.raises(AnsibleError, match=r"Cannot write .*/srv/secret in the image"):
        connection.put_file(str(tmp_path / "local"), "/srv/secret")
    connection.put_file(str(tmp_path / "local"), f"/opt/opt/../{'../' * 40}etc/put")
    put = image.root / "etc/put"
    assert put.read_text() == "from the controller\n"
    put.unlink()
    assert not Path("/etc/put").exists()
    assert not (tmp_path / "fetched").exists()


def test_temporary_files_and_home_directories_stay_in_the_image(image: Image, outside: Path, tmp_path: Path) -> None:
    """Modules without pipelining, for root and for a user, whose homes are links."""
    image.plant("/root", "/")
    image.plant("/var/www", outside)
    (tmp_path / "local").write_text("from the controller\n")
    tasks: Tasks = [
        {"ansible.builtin.copy": {"src": str(tmp_path / "local"), "dest": "~/by-root"}},
        {"ansible.builtin.command": "test -e /by-root", "changed_when": False},
        {
            "ansible.builtin.copy": {"src": str(tmp_path / "local"), "dest": "/run/lock/by-user"},
            "become": True,
            "become_user": "www-data",
        },
        {"ansible.builtin.fetch": {"src": "/root/by-root", "dest": f"{tmp_path}/fetched/", "flat": True}},
        {
            "ansible.builtin.fetch": {"src": "/var/www/secret", "dest": f"{tmp_path}/stolen", "fail_on_missing": False},
            "register": "stolen",
            "failed_when": "stolen.file is undefined",
        },
    ]
    Playbooks(tmp_path).succeed(on(image.root), tasks, env={"ANSIBLE_PIPELINING": "0"})
    made = image.root / "by-root"
    assert made.read_text() == "from the controller\n"
    made.unlink()
    assert (tmp_path / "fetched/by-root").read_text() == "from the controller\n"
    assert not (tmp_path / "stolen").exists()


def test_the_agents_socket_has_no_name_in_the_image(image: Image, outside: Path, tmp_path: Path) -> None:
    """The agent inherits it open; nothing in the image is looked up for it, and nobody inside can take its place."""
    image.plant("/var/run", outside)
    image.plant("/run/bakehouse", outside)
    tasks: Tasks = [
        {"ansible.builtin.ping": {}},
        {"ansible.builtin.command": "find / -type s -not -path '/proc/*'", "register": "sockets"},
        {"ansible.builtin.shell": "readlink /proc/[0-9]*/fd/* | grep -c socket:", "register": "held"},
        {"ansible.builtin.assert": {"that": ["sockets.stdout == ''", "held.stdout | int > 0"]}},
    ]
    Playbooks(tmp_path).succeed(on(image.root), tasks)


def test_what_the_image_leaves_behind_is_looked_at_in_the_image(host: Host, image: Image, outside: Path) -> None:
    """/etc/hostname, os-release, the kernels' directory, and where fstab is read."""
    for path in ("/etc/hostname", "/etc/os-release", "/usr/lib/os-release", "/etc/passwd"):
        image.plant(path, outside / "secret")
    image.plant("/lib/modules", outside)
    record = host.open(root=str(image.root))
    assert (record.kernels, record.os_release) == ((), {})
    assert said(record, "hostname") != "of the build host"
    host.close()


def test_a_file_that_would_fill_the_build_hosts_memory_is_not_read(host: Host, image: Image, outside: Path) -> None:
    record = host.open(root=str(image.root))
    said(record, "truncate --size 1T /etc/resolv.conf")
    assert "larger than 64 MiB" in " ".join(host.close().problems)
