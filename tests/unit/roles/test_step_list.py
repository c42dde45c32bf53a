# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of a build, wherever it fails and whatever of its cleanup fails: each undo is tried, nothing is left that
could be undone, the first error is the one that is heard, and only a build with an image ends well.

The files that hold the order are read as Ansible reads them. Each step is a stand-in that does what the step has to
leave, and can fail before or after it has done so."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import template
from hypothesis import given, settings
from hypothesis import strategies as st

TASKS = Path(__file__).resolve().parents[3] / "roles" / "bake" / "tasks"
#: The files that hold the order; the others are steps.
ORDER = ("main.yml", "begin.yml", "failed.yml", "cleanup.yml", "report.yml")

#: The steps of a build, and the thing that each makes (+) or takes away (-).
STEPS = {
    "validate.yml": "",
    "providers/ec2/host.yml": "",
    "providers/ec2/source.yml": "",
    "identify.yml": "",
    "providers/ec2/volume.yml": "+volume",
    "providers/ec2/attach.yml": "+attachment",
    "device.yml": "",
    "prepare.yml": "",
    "sandbox.yml": "+sandbox",
    "provision.yml": "",
    "seal.yml": "-sandbox",
    "providers/ec2/detach.yml": "-attachment",
    "providers/ec2/snapshot.yml": "+snapshot",
    "providers/ec2/register.yml": "+image",
    "providers/ec2/distribute.yml": "",
}
#: What each undo is called, as a module or a file of tasks.
UNDO = ("bakehouse.images.sandbox", "providers/ec2/undo.yml")

FACTS: dict[str, dict[str, t.Any]] = {
    "validate.yml": {"__bake_build_host": "localhost", "__bake_definition": {"unknown_yet": []}},
    "providers/ec2/host.yml": {"__bake_host": {"region": "eu-west-1"}},
    "providers/ec2/source.yml": {"__bake_existing": [], "__bake_source_image": {"image_id": "ami-0"}},
    "identify.yml": {
        "__bake_build_id": "f" * 16,
        "__bake_needed": True,
        "__bake_identity": {"decision": "build", "fingerprint": "f1", "owner": "me"},
    },
    "providers/ec2/volume.yml": {"__bake_volume": {"volume_id": "vol-1"}},
    "sandbox.yml": {"__bake_sandbox": {"name": "f" * 16, "enter_command": "enter"}},
    "seal.yml": {"__bake_sandbox": {}},
    "providers/ec2/snapshot.yml": {"__bake_snapshot": {"snapshot_id": "snap-1"}},
    "providers/ec2/register.yml": {"__bake_image": {"image_id": "ami-1"}, "__bake_summary": []},
}

Tasks = list[dict[str, t.Any]]


class Failed(Exception):
    """A task has failed."""


@dataclasses.dataclass
class Run:
    """One run of the role over stand-ins.

    Attributes:
        fails: the step that fails; empty for none.
        late: whether it fails after it has done its work.
        stubborn: what cannot be undone.
        there: the things that are there.
        tried: the undos that were tried.
    """

    fails: str
    late: bool
    stubborn: frozenset[str]
    facts: dict[str, t.Any]
    there: set[str] = dataclasses.field(default_factory=set)
    tried: list[str] = dataclasses.field(default_factory=list)

    def play(self) -> str:
        """The error that the host ends with; empty when it ends well."""
        try:
            self.file("main.yml")
        except Failed as exc:
            return str(exc)
        return ""

    def file(self, name: str) -> None:
        if name in UNDO:
            self.undo(name)
        elif name in ORDER:
            self.tasks(LOADER.load_from_file(str(TASKS / name)), {})
        else:
            self.step(name)

    def step(self, name: str) -> None:
        if name == self.fails and not self.late:
            raise Failed(f"{name} fails")
        effect = STEPS[name]
        if effect.startswith("+"):
            self.there.add(effect[1:])
        self.there.discard(effect[1:] if effect.startswith("-") else "")
        if name == self.fails:
            raise Failed(f"{name} fails")
        self.facts.update(FACTS.get(name, {}))

    def undo(self, name: str) -> None:
        """By the build's id: whatever is there of it."""
        self.tried.append(name)
        if name in self.stubborn:
            raise Failed(f"{name} cannot be undone")
        if name == UNDO[0]:
            self.there.discard("sandbox")
            return
        self.there -= {"volume", "attachment"}
        if self.facts["__bake_error"] or not self.facts["__bake_image"]:
            self.there -= {"snapshot", "image"}

    def tasks(self, tasks: Tasks, inherited: dict[str, t.Any]) -> None:
        for task in tasks:
            variables = {**inherited, **task.get("vars", {})}
            if not self.holds(task.get("when", []), variables):
                continue
            if "block" in task:
                self.block(task, variables)
            else:
                self.task(task, variables)

    def block(self, block: dict[str, t.Any], variables: dict[str, t.Any]) -> None:
        try:
            self.tasks(block["block"], variables)
        except Failed as exc:
            if "rescue" not in block:
                raise
            self.facts["ansible_failed_task"] = {"name": "a task"}
            self.facts["ansible_failed_result"] = {"msg": str(exc)}
            self.tasks(block["rescue"], variables)
        finally:
            self.tasks(block.get("always", []), variables)

    def task(self, task: dict[str, t.Any], variables: dict[str, t.Any]) -> None:
        if "ansible.builtin.include_tasks" in task:
            self.file(self.rendered(task["ansible.builtin.include_tasks"]["file"], variables))
        elif "ansible.builtin.set_fact" in task:
            self.facts.update(self.rendered(task["ansible.builtin.set_fact"], variables))
        elif "ansible.builtin.fail" in task:
            raise Failed(self.rendered(task["ansible.builtin.fail"]["msg"], variables))
        elif UNDO[0] in task:
            self.undo(UNDO[0])
        elif "register" in task:
            self.facts[task["register"]] = {"record": {"steps": []}, "manifest_error": ""}

    def holds(self, conditions: str | list[str], variables: dict[str, t.Any]) -> bool:
        listed = conditions if isinstance(conditions, list) else [conditions]
        return all(self.rendered("{{ (" + str(one) + ") | bool }}", variables) for one in listed)

    def rendered(self, value: t.Any, variables: dict[str, t.Any]) -> t.Any:
        known = {**self.facts, **{name: as_template(one) for name, one in variables.items()}}
        return Templar(loader=LOADER, variables=known).template(as_template(value))


def as_template(value: t.Any) -> t.Any:
    """A value of the role's files, which may hold templates."""
    if isinstance(value, dict):
        return {key: as_template(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_template(item) for item in value]
    return template(str(value), str(TASKS)) if isinstance(value, str) else value


LOADER = DataLoader()
OPTIONS = {
    "ansible_check_mode": False,
    "ansible_facts": {},
    "bake_boot": False,
    "bake_image_name": "web",
    "bake_keep_hours": 24,
    "bake_on_error": "cleanup",
    "bake_provider": "ec2",
    "bake_source": "ami-0",
    "hostvars": {},
}


def run(fails: str = "", *, late: bool = False, stubborn: t.Iterable[str] = (), **options: t.Any) -> tuple[Run, str]:
    """A build of an image, and the error that it ends with."""
    ran = Run(fails, late, frozenset(stubborn), {**OPTIONS, **options})
    return ran, ran.play()


def test_every_step_of_a_good_build_is_run_and_leaves_an_image() -> None:
    ran, error = run()
    assert error == ""
    assert ran.there == {"snapshot", "image"}
    assert ran.facts["__bake_status"] == "built"


@settings(max_examples=60, deadline=None)
@given(fails=st.sampled_from(sorted(STEPS)), late=st.booleans(), stubborn=st.sets(st.sampled_from(UNDO)))
def test_wherever_it_fails_all_is_undone_that_can_be(fails: str, late: bool, stubborn: set[str]) -> None:
    ran, error = run(fails, late=late, stubborn=stubborn)
    assert error.startswith(f"{fails} fails")
    assert ran.facts["__bake_status"] == "failed"
    begun = ran.facts["__bake_build_id"] != ""
    assert ("providers/ec2/undo.yml" in ran.tried) is begun, "whatever became of the undos before it"
    left = ran.there & {"sandbox"} if UNDO[0] in stubborn else set()
    assert ran.there - left == set() or UNDO[1] in stubborn
    for name in stubborn & set(ran.tried):
        assert f"{name} cannot be undone" in error.split("Not cleaned up: ", 1)[1]


@settings(max_examples=10, deadline=None)
@given(stubborn=st.sets(st.sampled_from(UNDO)))
def test_an_image_with_something_left_beside_it_is_no_success(stubborn: set[str]) -> None:
    ran, error = run(stubborn=stubborn)
    assert "image" in ran.there
    # The sandbox was closed when the image was sealed.
    assert bool(error) is (UNDO[1] in stubborn)


def test_a_build_that_is_kept_is_not_undone() -> None:
    ran, error = run("provision.yml", bake_on_error="keep")
    assert (ran.tried, "is kept for 24 hours" in error) == ([], True)


def test_a_build_that_goes_on_makes_no_disk() -> None:
    resumed = {"__bake_resumed": {"build_id": "f" * 16, "snapshot_id": "snap-1", "reason": "it was killed"}}
    for step in ("providers/ec2/volume.yml", "sandbox.yml", "provision.yml", "providers/ec2/detach.yml"):
        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(FACTS, "identify.yml", {**FACTS["identify.yml"], **resumed})
            ran, error = run(step)
        assert (error, ran.there) == ("", {"snapshot", "image"})
