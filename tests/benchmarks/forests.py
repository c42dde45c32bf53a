# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images made by this collection, and by the pipeline that little-vm-helper documents; and what each run took."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.benchmarks.contestants import BuildFailed, Sample
from tests.disks import attached, mounted, run
from tests.integration.project import CHECKOUT

MEASURED = Path(__file__).with_name("measured.py")

SUITE = "bookworm"
SIZE = "8G"
# On both sides the one that we install without being told: for clouds, and smaller than the usual one.
KERNEL = "linux-image-cloud-amd64"
# The mirror may be slow to answer while one of the two runs.
PATIENT = '--aptopt=Acquire::Retries "8"'

# What "lvh images example-config" prints, and on both sides the Python that our boot loader's role needs.
PACKAGES = ["less", "vim", "sudo", "openssh-server", "curl", "python3", "python3-apt"]
# What mmdebstrap installs besides when it is not told.
VARIANT = "important"
EXAMPLE: list[dict[str, t.Any]] = [
    {
        "name": "base.raw",
        "packages": PACKAGES,
        "actions": [
            {"comment": "disable password for root", "type": "run-command", "op": {"Cmd": "passwd -d root"}},
        ],
    },
    {"name": "k8s.qcow2", "parent": "base.raw", "packages": ["docker.io"]},
]
# A file of each package that must be in the last image, whoever made it.
IN_THE_CHILD = ("usr/sbin/dockerd", "usr/bin/curl", "usr/sbin/sshd")

EXTLINUX = """default linux
timeout 0
label linux
kernel /vmlinuz
append initrd=initrd.img root=/dev/sda rw console=ttyS0
"""

CHILDREN = 8
FOREST_PACKAGES = ["openssh-server"]
FOREST_SIZE = "2G"


@dataclasses.dataclass(frozen=True)
class Made:
    """What was made.

    Attributes:
        sample: what it took; its steps are the commands of lvh's pipeline, or our images.
        allocated: bytes of the file system that are in use since.
    """

    sample: Sample
    allocated: int


@dataclasses.dataclass(frozen=True)
class Disk:
    """A file system of the benchmark's own, on which files can share blocks (XFS)."""

    folder: Path

    def used(self) -> int:
        """Bytes in use, those that files share counted once."""
        run("sync", "--file-system", str(self.folder))
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize


@contextlib.contextmanager
def xfs(place: Path) -> Iterator[Disk]:
    """An empty one, in a sparse file."""
    file, folder = place / "disk", place / "xfs"
    folder.mkdir()
    with file.open("wb") as stream:
        stream.truncate(64 << 30)
    run("mkfs.xfs", "-q", "-m", "reflink=1", str(file))
    run("mount", "-o", "loop", str(file), str(folder))
    try:
        yield Disk(folder)
    finally:
        run("umount", str(folder))
        file.unlink()


def lvh(disk: Disk, *, kvm: bool) -> Made:
    """The example, by the commands that lvh runs for it one after the other."""
    folder = disk.folder / "lvh"
    folder.mkdir()
    base, child, archive = folder / "base.raw", folder / "k8s.qcow2", folder / "base.tar"
    (folder / "extlinux.conf").write_text(EXTLINUX)
    env = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_CACHEDIR": str(folder)}
    if not kvm:
        env["LIBGUESTFS_BACKEND_SETTINGS"] = "force_tcg"
    # The first run of libguestfs on a machine makes the virtual machine that the others start.
    _measure(["guestfish", "-a", "/dev/null", "run"], folder, env)
    before = disk.used()
    fish = ["guestfish", "-N", f"{base}=disk:{SIZE}", "--", "mkfs", "ext4", "/dev/sda", ":", "mount", "/dev/sda", "/"]
    fish += [":", "tar-in", str(archive), "/", ":", "extlinux", "/", ":", "copy-in", f"{folder}/extlinux.conf", "/"]
    commands = {
        "mmdebstrap": [
            "mmdebstrap",
            PATIENT,
            f"--variant={VARIANT}",
            SUITE,
            f"--include={','.join([KERNEL, *PACKAGES])}",
            str(archive),
        ],
        "guestfish": fish,
        "virt-customize, action": ["virt-customize", "-a", str(base), "--run-command", "passwd -d root"],
        "qemu-img": ["qemu-img", "convert", "-O", "qcow2", str(base), str(child)],
        "virt-customize, packages": ["virt-customize", "-a", str(child), "--install", "docker.io"],
    }
    samples = {name: _measure(command, folder, env) for name, command in commands.items()}
    archive.unlink()
    return Made(_sum(samples), disk.used() - before)


def ours(disk: Disk, name: str, images: list[dict[str, t.Any]], *, forks: int = 2, **settings: t.Any) -> Made:
    """Images by C(bakehouse.images.build), from an images.json."""
    project = disk.folder / "ours"
    folder = project / name
    folder.mkdir(parents=True, exist_ok=True)
    described = folder / "images.json"
    described.write_text(json.dumps(images))
    inventory = {"plugin": "bakehouse.images.forest", "source": str(described), "suite": SUITE, **settings}
    (folder / "forest.yml").write_text(yaml.safe_dump({"images_directory": str(project / "images"), **inventory}))
    (folder / "group_vars").mkdir(exist_ok=True)
    (folder / "group_vars" / "images.yml").write_text(yaml.safe_dump({"boot_loader_kernel": KERNEL}))
    env = {
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    before = disk.used()
    playbook = str(CHECKOUT / "playbooks" / "build.yml")
    sample = _measure(["ansible-playbook", "-i", "forest.yml", "--forks", str(forks), playbook], folder, env)
    results = json.loads((project / "images" / "manifest.json").read_text())["images"]
    steps = {image["name"]: results[image["name"]]["seconds"] for image in images}
    return Made(dataclasses.replace(sample, steps=steps), disk.used() - before)


def tree(ending: str) -> list[dict[str, t.Any]]:
    """A base, and the children that are made from it."""
    base = {"name": "base.raw", "image_size": FOREST_SIZE, "bootable": False, "packages": FOREST_PACKAGES}
    children = [
        {"name": f"child-{number}{ending}", "parent": "base.raw", "actions": _actions(number)}
        for number in range(CHILDREN)
    ]
    return [base, *children]


def separate() -> list[dict[str, t.Any]]:
    """As many images with the same in them, each made from nothing."""
    shared = {"image_size": FOREST_SIZE, "bootable": False, "packages": FOREST_PACKAGES}
    return [{"name": f"alone-{number}.raw", **shared, "actions": _actions(number)} for number in range(CHILDREN)]


def _actions(number: int) -> list[dict[str, t.Any]]:
    data = "head -c 5M /dev/urandom > /srv/data"
    return [
        {"type": "set-hostname", "op": {"Hostname": f"node-{number}"}},
        {"type": "run-command", "op": {"Cmd": data}},
    ]


def missing(file: Path, names: tuple[str, ...], place: Path) -> list[str]:
    """The files that should be in an image, one file system on the whole disk, and are not."""
    raw = place / "looked-at.raw"
    run("qemu-img", "convert", "-O", "raw", str(file), str(raw))
    try:
        with attached(raw) as device, mounted(device.path, place, "ro", "noload") as root:
            return [name for name in names if not (root / name).exists()]
    finally:
        raw.unlink()


def _measure(command: list[str], folder: Path, env: dict[str, str]) -> Sample:
    dropped = ("ANSIBLE_", "PYTHON", "LIBGUESTFS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    log = folder / "log"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, str(MEASURED), str(folder / "result"), *command],
            check=False,
            cwd=folder,
            env={**kept, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        raise BuildFailed(f"{' '.join(command)} ended with {done.returncode}:\n{end}")
    return Sample(**json.loads((folder / "result").read_text()))


def _sum(samples: dict[str, Sample]) -> Sample:
    return Sample(
        sum(sample.seconds for sample in samples.values()),
        sum(sample.cpu_seconds for sample in samples.values()),
        {name: sample.seconds for name, sample in samples.items()},
    )


__all__ = (
    "CHILDREN",
    "EXAMPLE",
    "IN_THE_CHILD",
    "VARIANT",
    "Disk",
    "Made",
    "lvh",
    "missing",
    "ours",
    "separate",
    "tree",
    "xfs",
)
