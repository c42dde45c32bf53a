# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The files behind provisioning steps, with what they refer to, as far as files can be read.

They serve two ends: their bytes are part of an image's fingerprint, and a task among them that would
end a build unnoticed (C(meta: end_host) and the like) is refused before anything is created.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t
from pathlib import Path

import yaml
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import local_problem, read_actions
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_trees import tree_digest
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_search import SearchPath
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import Step
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template

ENDS = ("end_host", "end_play", "end_batch", "end_role")
REFUSED_ENDS = ENDS[:3]  # end_role ends the provisioner's own role, which is what its author wants
TASK_LISTS = ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers")
ROLE_FOLDERS_WITH_TASKS = ("tasks", "handlers")
IGNORED = {".git", "__pycache__", ".ansible", "molecule"}
SOURCES_BESIDE = {
    "copy": "files",
    "directory_transfer": "files",
    "script": "files",
    "template": "templates",
    "unarchive": "files",
}


class _Loader(yaml.SafeLoader):
    """Reads Ansible's YAML for its structure; tagged values (vault, unsafe) become their text."""


def _construct_tagged(loader: _Loader, _suffix: str, node: yaml.Node) -> t.Any:
    return node.value if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("!", _construct_tagged)


@dataclasses.dataclass
class StepFiles:
    """What was found behind the steps of one image.

    Attributes:
        digests: for each file a label that does not depend on where the checkout is, and its SHA-256.
        problems: a sentence for each file that is missing, and for each task that may not be there.
    """

    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)


class StepFileReader:
    """Walks from steps to files."""

    def __init__(self, search: SearchPath) -> None:
        self.search = search
        self.found = StepFiles()
        self._read: set[Path] = set()

    def read(self, steps: t.Iterable[Step]) -> StepFiles:
        """Everything behind these steps."""
        readers: dict[str, t.Callable[[Step, str], None]] = {
            "role": self._read_role_step,
            "tasks": self._read_tasks_step,
            "copy": self._read_copy_step,
            "playbook": self._read_playbook_step,
            "actions": self._read_actions_step,
        }
        for step in steps:
            if step.kind in readers:
                readers[step.kind](step, f"bake_provision step {step.number}")
        return self.found

    def _read_role_step(self, step: Step, where: str) -> None:
        if not has_template(step.value):
            self._add_role(step.value, where, refuse_ends=True)

    def _read_tasks_step(self, step: Step, where: str) -> None:
        if isinstance(step.value, list):
            self._scan_tasks(step.value, where, self.search, refuse_ends=True)
        elif not has_template(step.value):
            self._add_task_file(step.value, where, self.search, refuse_ends=True)

    def _read_copy_step(self, step: Step, where: str) -> None:
        source = step.value.get("src")
        if source is None or has_template(source) or step.value.get("remote_src"):
            return
        path = self.search.file(source, subfolder="files")
        if path is None:
            self._miss(where, f"the file {source}", self.search)
        else:
            self._add_tree(f"copy/{Path(source).name}", path)

    def _read_playbook_step(self, step: Step, where: str) -> None:
        for key in ("vars_files", "roles_path", "collections_path", "group_vars", "host_vars"):
            named = step.extra.get(key) or []
            for name in named if isinstance(named, list) else [named]:
                self._read_beside(key, name, where)
        if has_template(step.value):
            return
        usual = self.search
        more = [folder for folder in map(usual.file, step.extra.get("roles_path") or []) if folder]
        self.search = SearchPath(usual.folders, (*more, *usual.role_folders))
        self._add_task_file(step.value, where, self.search, refuse_ends=False)
        self.search = usual

    def _read_beside(self, key: str, name: str, where: str) -> None:
        """What a playbook is given. Of folders of roles, those that it names count; of collections, their versions."""
        if has_template(name):
            return
        path = self.search.file(name)
        if path is None:
            self._miss(where, f"{key}: {name}", self.search)
        elif key not in ("roles_path", "collections_path"):
            self._add_tree(f"{key}/{path.name}", path)

    def _read_actions_step(self, step: Step, where: str) -> None:
        for action in read_actions(step.value, where).actions:
            if action.local is None or has_template(action.local):
                continue
            path = self.search.file(action.local)
            if path is None:
                self._miss(f"{where}, action {action.number}", action.local, self.search)
                continue
            problem = local_problem(action, path)
            if problem:
                self.found.problems.append(f"{where}, action {action.number}: {problem}.")
            else:
                self.found.digests[f"action/{step.number}.{action.number}/{path.name}"] = tree_digest(path)

    def _miss(self, where: str, what: str, search: SearchPath) -> None:
        self.found.problems.append(f"{where}: {what} was not found. Looked in: {search}.")

    def _add_role(self, name: str, where: str, *, refuse_ends: bool) -> None:
        folder = self.search.role(name)
        if folder is None:
            places = ", ".join(map(str, self.search.role_folders)) or "none"
            self._miss(f"{where}", f"the role {name}", self.search)
            self.found.problems[-1] += f" Folders of roles: {places}."
            return
        if folder in self._read:
            return
        self._read.add(folder)
        self._add_tree(f"role/{folder.name}", folder)
        beside = SearchPath((folder / "tasks", folder, folder.parent, *self.search.folders), self.search.role_folders)
        for sub in ROLE_FOLDERS_WITH_TASKS:
            for file in sorted((folder / sub).rglob("*.y*ml")):
                self._scan_tasks(self._load(file), str(file), beside, refuse_ends=refuse_ends)
        self._add_role_dependencies(folder, where, refuse_ends=refuse_ends)

    def _add_role_dependencies(self, folder: Path, where: str, *, refuse_ends: bool) -> None:
        for file in sorted((folder / "meta").glob("main.y*ml")):
            meta = self._load(file)
            for entry in (meta.get("dependencies") or []) if isinstance(meta, dict) else []:
                name = (entry.get("role") or entry.get("name")) if isinstance(entry, dict) else entry
                if isinstance(name, str) and not has_template(name):
                    self._add_role(name, where, refuse_ends=refuse_ends)

    def _add_task_file(self, name: str, where: str, search: SearchPath, *, refuse_ends: bool) -> None:
        path = search.file(name, subfolder="tasks")
        if path is None or not path.is_file():
            self._miss(where, f"the file {name}", search)
            return
        if path in self._read:
            return
        self._read.add(path)
        self._add_tree(f"file/{path.name}", path)
        beside = SearchPath((path.parent, *search.folders), search.role_folders)
        self._scan_tasks(self._load(path), str(path), beside, refuse_ends=refuse_ends)

    def _add_tree(self, label: str, path: Path) -> None:
        if path.is_dir():
            for entry in sorted(path.iterdir()):
                if entry.name not in IGNORED:
                    self._add_tree(f"{label}/{entry.name}", entry)
        elif path.is_file():
            digest = hashlib.sha256(path.read_bytes())
            digest.update(b"x" if path.stat().st_mode & 0o111 else b"-")
            # Two files may carry the same label, from different folders: both count.
            digest.update(self.found.digests.get(label, "").encode())
            self.found.digests[label] = digest.hexdigest()

    def _load(self, path: Path) -> t.Any:
        try:
            return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - derives from SafeLoader
        except (yaml.YAMLError, UnicodeDecodeError) as exc:
            self.found.problems.append(f"{path} cannot be read as YAML: {exc}.")
            return None

    def _scan_tasks(self, tasks: t.Any, where: str, search: SearchPath, *, refuse_ends: bool) -> None:
        for task in tasks if isinstance(tasks, list) else []:
            if not isinstance(task, dict):
                continue
            for key in TASK_LISTS:
                self._scan_tasks(task.get(key), where, search, refuse_ends=refuse_ends)
            self._scan_play(task, where, search)
            for key, value in task.items():
                self._scan_action(str(key).rpartition(".")[2], value, task, where, search, refuse_ends)

    def _scan_play(self, play: dict[str, t.Any], where: str, search: SearchPath) -> None:
        if "hosts" not in play:
            return
        for entry in play.get("roles") or []:
            name = (entry.get("role") or entry.get("name")) if isinstance(entry, dict) else entry
            if isinstance(name, str) and not has_template(name):
                self._add_role(name, where, refuse_ends=False)
        for name in play.get("vars_files") or []:
            path = search.file(name) if isinstance(name, str) and not has_template(name) else None
            if path:
                self._add_tree(f"vars/{path.name}", path)

    def _scan_action(
        self, action: str, value: t.Any, task: dict[str, t.Any], where: str, search: SearchPath, refuse_ends: bool
    ) -> None:
        if action == "meta" and value in REFUSED_ENDS and refuse_ends:
            title = task.get("name") or f"meta: {value}"
            self.found.problems.append(
                f"{where}: the task '{title}' would end the build without cleaning up ({value})."
                " Leave a role with 'meta: end_role', or put 'when' on what follows."
            )
        elif action in ("include_role", "import_role"):
            name = value.get("name") if isinstance(value, dict) else None
            if isinstance(name, str) and not has_template(name):
                self._add_role(name, where, refuse_ends=refuse_ends)
        elif action in ("include_tasks", "import_tasks", "import_playbook"):
            name = value.get("file") if isinstance(value, dict) else value
            if isinstance(name, str) and not has_template(name):
                self._add_task_file(name, where, search, refuse_ends=refuse_ends)
        elif action in SOURCES_BESIDE and isinstance(value, dict):
            self._add_source(action, value, search)

    def _add_source(self, action: str, arguments: dict[str, t.Any], search: SearchPath) -> None:
        source = arguments.get("src")
        is_there = arguments.get("remote_src") or arguments.get("mode") == "pull"
        if not isinstance(source, str) or has_template(source) or is_there:
            return
        path = search.file(source, subfolder=SOURCES_BESIDE[action])
        if path:
            self._add_tree(f"{SOURCES_BESIDE[action]}/{path.name}", path)


__all__ = ("StepFileReader", "StepFiles")
