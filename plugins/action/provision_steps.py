# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes an image's provisioning steps as a task file."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_compile import (
    compile_steps,
    write_task_file,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_search import SearchPath
from ansible_collections.bakehouse.images.plugins.plugin_utils._provision_steps import parse_steps
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import plain

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Compile the steps of this host."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={"variable": {"type": "str", "default": "bake_provision"}}
        )
        variables = task_vars or {}
        raw = variables.get(given["variable"])
        steps, problems = parse_steps(plain(raw))
        if problems:
            return {**result, "failed": True, "msg": " ".join(problems)}
        search = SearchPath.of_definition(raw, variables, SETTINGS.DEFAULT_ROLES_PATH or ())
        # Ansible removes its local temporary folder, with the file in it, when the run ends.
        folder = Path(tempfile.mkdtemp(prefix="bakehouse-", dir=SETTINGS.DEFAULT_LOCAL_TMP))
        path = write_task_file(compile_steps(steps, search), folder, search)
        return {**result, "changed": False, "path": str(path), "count": len(steps)}
