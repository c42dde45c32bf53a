# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of the playbook that builds a forest, which is there as its users have it: what each image's line says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


class Run:
    """One run: what it said of each image, and what it noted of each build.

    Args:
        folder: with C(images.json).
        settings: further ones of the inventory plugin, as variables of the environment.
    """

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.names: list[str] = [image["name"] for image in json.loads((folder / "images.json").read_text())]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BAKEHOUSE_"))}
        env["ANSIBLE_CONFIG"] = str(CHECKOUT / "ansible.cfg")
        env["ANSIBLE_HOME"] = str(folder / ".ansible")
        env["ANSIBLE_NOCOLOR"] = "1"
        env["BAKEHOUSE_FOREST_SUITE"] = "bookworm"
        # Boots without KVM take their time, and some of them go on side by side.
        env["BAKEHOUSE_FOREST_BOOT"] = "{timeout: 1800, cpus: 1}"
        noted = {"bake_manifest": f"{folder}/builds/{{{{ inventory_hostname }}}}.json"}
        (folder / "builds").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "images.json", "--extra-vars", json.dumps(noted)]
        # A file, so that who does not want to wait can look how far it is.
        log = folder / f"run-{len(list(folder.glob('run-*.log')))}.log"
        with log.open("wb") as output:
            done = subprocess.run(
                [*command, "bakehouse.images.build"],
                check=False,
                cwd=folder,
                env={**env, **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.output = log.read_text()
        print(self.output)  # shown by pytest when a test fails
        assert done.returncode == 0
        summary = self.output.partition("TASK [Say it]")[2].partition("TASK [")[0]
        self.said = {name: self._line(name, summary) for name in self.names}
        self.builds: dict[str, dict[str, t.Any]] = {
            name: json.loads((folder / "builds" / f"{name}.json").read_text()) for name in self.names
        }

    @staticmethod
    def _line(name: str, summary: str) -> str:
        (line,) = re.findall(rf"^\W*{re.escape(name)}: (.*)$", summary, re.MULTILINE)
        return str(line).strip("'\",")

    def built(self) -> set[str]:
        """The images that this run has built; all others were cached."""
        words = {name: line.split(" ")[0] for name, line in self.said.items()}
        assert set(words.values()) <= {"built", "cached"}
        return {name for name, word in words.items() if word == "built"}

    def changed(self) -> dict[str, int]:
        """How many tasks say that they have changed something, by host."""
        return {host: int(count) for host, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", self.output, re.M)}

    def assert_booted(self, name: str) -> None:
        """Look whether an image has shown a login prompt after it was whole, and before it got its name."""
        steps = [step["step"] for step in self.builds[name]["steps"]]
        assert steps.index("snapshot") < steps.index("boot") < steps.index("register")
        assert "login:" in self.builds[name]["boot"]["matched"]


__all__ = ("CHECKOUT", "Run")
