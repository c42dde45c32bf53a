# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two builders: how each is told to make the same image, and what one run of it took."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import yaml

from tests.integration.project import CHECKOUT
from tests.lab_fixture import RunningLab

HERE = Path(__file__).resolve().parent
PROVISIONING = HERE / "provisioning"
PACKER = HERE / "packer"


class BuildFailed(Exception):
    """A build ended with an error; the message holds the end of what it said."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one build took.

    Attributes:
        seconds: by the clock on the wall.
        cpu_seconds: of the processor, in the builder and what it started; what the lab itself used is not in it.
        steps: seconds of each step of the role; empty for Packer.
    """

    seconds: float
    cpu_seconds: float
    steps: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Case:
    """The same provisioning, as each of the two is told it.

    Attributes:
        name: for the command line and the tables.
        title: what is done in the image.
        provision: C(bake_provision) of the role.
        provisioners: those of Packer's template.
    """

    name: str
    title: str
    provision: list[dict[str, t.Any]]
    provisioners: list[dict[str, t.Any]]


_PACKER_PLAY = {
    "type": "ansible",
    "playbook_file": str(PROVISIONING / "play.yml"),
    "inventory_file": str(PACKER / "inventory.ini"),
}

CASES = (
    Case("machinery", "no provisioning", [], []),
    Case(
        "shell",
        "a shell script",
        [{"copy": {"src": "setup.sh", "dest": "/tmp/setup.sh", "mode": "0755"}}, {"shell": "/tmp/setup.sh"}],
        [{"type": "shell", "script": str(PROVISIONING / "setup.sh")}],
    ),
    Case("role", "50 tasks, for us as a role", [{"role": "fifty"}], [_PACKER_PLAY]),
    Case("playbook", "50 tasks, for both as a playbook", [{"playbook": "play.yml"}], [_PACKER_PLAY]),
)


@dataclasses.dataclass(frozen=True)
class Builder:
    """Runs builds on a lab.

    Attributes:
        lab: has the source image; its build host is one that shows volumes as Xen disks, the only ones Packer finds.
        source: the source image's id.
        folder: for projects, templates and logs.
    """

    lab: RunningLab
    source: str
    folder: Path

    def ours(self, case: Case, image: str) -> Sample:
        """Build with the role, from a play as users write it."""
        folder = self.folder / image
        folder.mkdir()
        host = {
            "ansible_connection": "bakehouse.images.chroot",
            "bake_image_name": image,
            "bake_source": self.source,
            "bake_provision": case.provision,
            "bake_manifest": str(folder / "manifest.json"),
        }
        # Steps are looked up beside the file that defines the image.
        for path in PROVISIONING.iterdir():
            (folder / path.name).symlink_to(path)
        _write_yaml(folder / "inventory.yml", {"all": {"hosts": {"image": host}}})
        play = {"hosts": "image", "gather_facts": False, "roles": ["bakehouse.images.bake"]}
        _write_yaml(folder / "build.yml", [{"name": "Build the image", **play}])
        command = [_tool("ansible-playbook"), "-i", "inventory.yml", "build.yml"]
        sample = self._run(command, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        return dataclasses.replace(sample, steps={step["step"]: step["seconds"] for step in manifest["steps"]})

    def packer(self, case: Case, image: str) -> Sample:
        """Build with Packer's amazon-chroot."""
        folder = self.folder / image
        folder.mkdir()
        template = json.loads((PACKER / "template.json").read_text())
        template["provisioners"] = case.provisioners
        (folder / "template.json").write_text(json.dumps(template, indent=2))
        variables = ["-var", f"name={image}", "-var", f"source={self.source}"]
        return self._run(["packer", "build", "-color=false", *variables, "template.json"], folder)

    def _run(self, command: list[str], folder: Path) -> Sample:
        env = self.lab.environ(
            ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"),
            ANSIBLE_HOME=str(folder / ".ansible"),
            ANSIBLE_NOCOLOR="1",
            CHECKPOINT_DISABLE="1",  # Packer asks its maker for news otherwise
            PACKER_CONFIG_DIR=str(folder),
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        )
        log = folder / "log"
        start = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
            _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-40:])
            raise BuildFailed(f"{' '.join(command)} ended with {process.returncode}:\n{end}")
        return Sample(seconds, usage.ru_utime + usage.ru_stime)


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _write_yaml(path: Path, content: t.Any) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))


__all__ = ("CASES", "BuildFailed", "Builder", "Case", "Sample")
