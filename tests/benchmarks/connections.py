# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways into a root file system that are compared, and one run of a play through each."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from tests.benchmarks.contestants import PROVISIONING, BuildFailed, Sample
from tests.integration.plays import forget_sandbox
from tests.integration.project import CHECKOUT
from tests.integration.roots import unpack

# The image's interpreter, said to all, so that none has to look for it.
PYTHON = "/usr/bin/python3"
MITOGEN = CHECKOUT / ".venv-bench"
MEASURED = CHECKOUT / "tests/benchmarks/measured.py"

COUNT = 50
PLAYS: dict[str, dict[str, t.Any]] = {
    "same": {"tasks": [{"ansible.builtin.stat": {"path": "/etc/passwd"}} for _ in range(COUNT)]},
    # 50 tasks of the kinds that roles are made of, and the facts that its templates use.
    "mixed": {
        "tasks": [
            {"ansible.builtin.setup": {"gather_subset": "hardware"}},
            {"ansible.builtin.import_role": {"name": "fifty"}},
        ]
    },
}
# A task that goes the whole way to a worker process, which then has nothing to do.
NOTHING = {"tasks": [{"ansible.builtin.debug": {"msg": "", "verbosity": 4}} for _ in range(COUNT)]}


@dataclasses.dataclass(frozen=True)
class Way:
    """A way into a root file system.

    Attributes:
        name: for the tables.
        variables: the inventory host's, for a root.
        mitogen: run by Mitogen's strategy.
        idle: the play is one of tasks that do nothing.
        mounts_proc: C(/proc) is mounted by it. For the peers, users mount it: facts need it.
    """

    name: str
    variables: t.Callable[[Path], dict[str, t.Any]]
    mitogen: bool = False
    idle: bool = False
    mounts_proc: bool = False


def _ours(root: Path) -> dict[str, t.Any]:
    return {"ansible_connection": "bakehouse.images.chroot", "ansible_chroot_root": str(root)}


LOCAL: tuple[Way, ...] = (
    Way("ours", _ours, mounts_proc=True),
    Way("ours, agent off", lambda root: {**_ours(root), "ansible_chroot_agent": False}, mounts_proc=True),
    Way(
        "community.general.chroot",
        lambda root: {"ansible_connection": "community.general.chroot", "ansible_host": str(root)},
    ),
    # Mitogen has no chroot connection. Its local one starts any command as "Python": here that of the same root.
    Way(
        "Mitogen, local",
        lambda root: {"ansible_connection": "local", "ansible_python_interpreter": f"chroot {root} {PYTHON}"},
        mitogen=True,
    ),
    Way("nothing to do", lambda _root: {"ansible_connection": "local"}, idle=True),
)


@dataclasses.dataclass
class Runner:
    """Runs plays, each in a root file system that nothing has been done to.

    Attributes:
        tarball: the root file system.
        folder: owned by root, as all above it: sshd wants that of what it makes its root.
    """

    tarball: Path
    folder: Path
    number: int = 0

    def run(self, way: Way, play: str) -> Sample:
        """One run."""
        self.number += 1
        place = self.folder / f"run-{self.number}"
        place.mkdir()
        # One path for all runs of a way: the sshd of a way has been told it.
        root = unpack(self.tarball, self.folder / "root")
        # Mitogen changes to the playbook's folder in the root too.
        (root / place.relative_to("/")).mkdir(parents=True)
        try:
            if not way.mounts_proc:
                subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
            return self._play(way, PLAYS[play], place, root)
        finally:
            forget_sandbox(root)
            if not way.mounts_proc:
                subprocess.run(["umount", root / "proc"], check=True)
            subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)

    def _play(self, way: Way, play: dict[str, t.Any], place: Path, root: Path) -> Sample:
        shared = {"ansible_python_interpreter": PYTHON, "ansible_pipelining": True, "ansible_remote_tmp": "/tmp"}
        hosts = {"image": {**shared, **way.variables(root)}}
        (place / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        whole = {"hosts": "all", "gather_facts": False, **(NOTHING if way.idle else play)}
        (place / "play.yml").write_text(yaml.dump([whole]))
        (place / "roles").symlink_to(PROVISIONING / "roles")
        ansible = (MITOGEN if way.mitogen else Path(sys.executable).parents[1]) / "bin" / "ansible-playbook"
        command = [str(ansible), "-i", "inventory.yml", "play.yml"]
        with (place / "log").open("wb") as output:
            done = subprocess.run(
                [sys.executable, str(MEASURED), str(place / "result"), *_from(place, command)],
                check=False,
                cwd=CHECKOUT,
                env=_environment(place, way),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=900,
            )
        if done.returncode != 0:
            end = "\n".join((place / "log").read_text(errors="replace").splitlines()[-40:])
            raise BuildFailed(f"The play through {way.name} ended with {done.returncode}:\n{end}")
        return Sample(**json.loads((place / "result").read_text()))


def _from(place: Path, command: list[str]) -> list[str]:
    return ["env", "--chdir", str(place), *command]


def _environment(place: Path, way: Way) -> dict[str, str]:
    """Nothing of the user's own settings, and no colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    settings = "[defaults]\n"
    if way.mitogen:
        plugins = next(MITOGEN.glob("lib/python3*/site-packages/ansible_mitogen/plugins/strategy"))
        settings += f"strategy_plugins = {plugins}\nstrategy = mitogen_linear\n"
    else:
        settings += f"collections_path = {CHECKOUT / '.collections'}\n"
    (place / "ansible.cfg").write_text(settings)
    return {
        **kept,
        "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
        "ANSIBLE_HOME": str(place / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOST_KEY_CHECKING": "0",
    }


__all__ = ("LOCAL", "MITOGEN", "PLAYS", "Runner", "Way")
