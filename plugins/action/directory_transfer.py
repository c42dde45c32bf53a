# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transfers directories between the controller and a host, through the host's connection."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._tree.carrying import Placing, digest, pack, place
from ansible_collections.bakehouse.images.plugins.module_utils._tree.comparing import Changes, compare, shown
from ansible_collections.bakehouse.images.plugins.module_utils._tree.scanning import (
    Excludes,
    Scanned,
    Tree,
    from_wire,
    require,
    scan,
    to_text,
    to_wire,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tree.steps import ARGUMENT_SPEC

# Settings are attributes made when Ansible starts, which no type checker sees.
SETTINGS: t.Any = C


class ActionModule(ActionBase):
    """See the module of the same name."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Compare both sides, and carry over what differs."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        self._given: dict[str, t.Any] = given
        self._variables = task_vars
        try:
            return {**result, **(self._push() if given["mode"] == "push" else self._pull())}
        except BuildError as exc:
            return {**result, "failed": True, **exc.to_result()}
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _push(self) -> dict[str, t.Any]:
        asked = self._given["src"]
        # The slash at the end says something, and is lost on the way.
        src = self._find_needle("files", asked.rstrip("/") or "/")
        dest = _below(self._given["dest"], asked)
        source = self._scan_here(src)
        wanted = require(source, src)
        found = self._scan_there(dest, must_exist=False)
        changes = self._compare(wanted, found.tree or {})
        missing = found.tree is None
        if (changes or missing) and not self._task.check_mode:
            self._upload(src, dest, Scanned(_part(wanted, changes), source.mode), changes)
        return self._result(src, dest, source, changes, missing)

    def _pull(self) -> dict[str, t.Any]:
        src = self._given["src"]
        asked = self._loader.path_dwim(self._given["dest"])
        dest = _below(asked, src)
        src = src.rstrip("/") or "/"
        source = self._scan_there(src, must_exist=True)
        wanted = require(source, src)
        found = self._scan_here(dest)
        changes = self._compare(wanted, found.tree or {})
        missing = found.tree is None
        if (changes or missing) and not self._task.check_mode:
            placing = Placing(dest, source.mode, self._given["preserve_owner"])
            self._download(src, placing, _part(wanted, changes), changes)
        return self._result(src, dest, source, changes, missing)

    def _upload(self, src: str, dest: str, part: Scanned, changes: Changes) -> None:
        with tempfile.NamedTemporaryFile(dir=SETTINGS.DEFAULT_LOCAL_TMP) as archive:
            pack(src, sorted(changes.sent), t.cast(t.BinaryIO, archive))
            archive.flush()
            there = self._step("receive", dest)["archive"]
            try:
                self._connection.put_file(archive.name, there)
                self._step(
                    "apply",
                    dest,
                    archive=there,
                    sha256=digest(archive.name),
                    scanned=to_wire(part),
                    top_mode=part.mode,
                    removed=[to_text(name) for name in changes.removed],
                )
            except BaseException:
                self._step("discard", dest, archive=there)
                raise

    def _download(self, src: str, placing: Placing, part: Tree, changes: Changes) -> None:
        with tempfile.TemporaryDirectory(dir=SETTINGS.DEFAULT_LOCAL_TMP) as folder:
            here = os.path.join(folder, "archive")
            packed = self._step("pack", src, names=[to_text(name) for name in sorted(changes.sent)])
            try:
                self._connection.fetch_file(packed["archive"], here)
            finally:
                self._step("discard", src, archive=packed["archive"])
            if digest(here) != packed["sha256"]:
                raise BuildError(f"The archive of {src} arrived damaged.")
            with open(here, "rb") as archive:
                place(placing, part, changes.removed, archive)

    def _scan_here(self, path: str) -> Scanned:
        return scan(path, Excludes(self._given["exclude"]), digest=self._given["compare"] == "content")

    def _scan_there(self, path: str, *, must_exist: bool) -> Scanned:
        return from_wire(self._step("scan", path, must_exist=must_exist)["scanned"])

    def _compare(self, wanted: Tree, found: Tree) -> Changes:
        given = self._given
        by_time = given["compare"] == "time"
        return compare(wanted, found, delete=given["delete"], by_time=by_time, owner=given["preserve_owner"])

    def _step(self, step: str, path: str, **more: t.Any) -> dict[str, t.Any]:
        """Run the module, which does one step on the host."""
        result: dict[str, t.Any] = self._execute_module(
            module_name="bakehouse.images.directory_transfer",
            module_args={**self._given, "transfer_step": {"step": step, "path": path, "given": more}},
            task_vars=self._variables,
        )
        if result.get("failed"):
            said = result.get("msg") or result.get("module_stderr") or result.get("exception")
            raise AnsibleError(str(said or f"The module failed on the host and said nothing, in its step {step}."))
        return result

    def _result(self, src: str, dest: str, source: Scanned, changes: Changes, missing: bool) -> dict[str, t.Any]:
        names = changes.describe()
        result = {
            "changed": bool(changes) or missing,
            "src": src,
            "dest": dest,
            "added": names["added"],
            "changed_names": names["changed"],
            "removed": names["removed"],
            "skipped_names": [shown(name) for name in source.skipped],
        }
        if self._task.diff:
            signs = (("+", "added"), ("~", "changed"), ("-", "removed"))
            lines = [f"{sign} {name}\n" for sign, key in signs for name in names[key]]
            result["diff"] = {"prepared": "".join([f"{dest}:\n", *lines]) if lines else ""}
        return result


def _below(dest: str, src: str) -> str:
    """Where the directory goes: what is in it with a slash at its end, else itself."""
    return dest if src.endswith("/") else os.path.join(dest, os.path.basename(src))


def _part(wanted: Tree, changes: Changes) -> Tree:
    names = {*changes.added, *changes.changed}
    return {name: entry for name, entry in wanted.items() if name in names}


__all__ = ("ActionModule",)
