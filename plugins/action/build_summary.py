# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Says what became of the images of a run."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_summary import line, summarize
from ansible_collections.bakehouse.images.plugins.plugin_utils._whole_file import write_json

Results = dict[str, dict[str, t.Any]]


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Look at the facts that the role has left."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={"images": {"type": "list", "elements": "str", "required": True}}
        )
        hostvars = (task_vars or {})["hostvars"]
        found: Results = {name: summarize(name, hostvars[name]) for name in given["images"]}
        files: dict[str, Results] = {}
        for name in found:
            file = hostvars[name].get("bake_summary_file")
            if file:
                files.setdefault(str(file), {})[name] = found[name]
        if not self._task.check_mode:
            try:
                for file, results in files.items():
                    _update(Path(file), results)
            except (OSError, BuildError) as exc:
                return {**result, "failed": True, "msg": f"The summary cannot be written: {exc}"}
        return {**result, "changed": False, "lines": [line(name, found[name]) for name in found], "images": found}


def _update(path: Path, results: Results) -> None:
    """Put the results beside those of images that were not part of this run."""
    earlier: t.Any = {}
    if path.exists():
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as exc:
            raise BuildError(f"{path} is there, and is no JSON file: {exc}.", hint="Move it away.") from exc
    images = earlier.get("images") if isinstance(earlier, dict) else None
    if earlier and not isinstance(images, dict):
        raise BuildError(f"{path} is there, and is not a summary of ours.", hint="Move it away.")
    write_json(path, {"schema_version": 1, "images": {**(images or {}), **results}})
