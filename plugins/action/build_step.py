# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the record of a build: when each step ended, and what it left."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_record import manifest_of, next_record
from ansible_collections.bakehouse.images.plugins.plugin_utils._throttling import forget_throttled, noted_throttled
from ansible_collections.bakehouse.images.plugins.plugin_utils._whole_file import write_json


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Add a step to the record."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "step": {"type": "str", "required": True},
                "record": {"type": "dict", "default": {}},
                "manifest": {"type": "str", "default": ""},
                "details": {"type": "dict", "default": {}},
            }
        )
        image = str((task_vars or {}).get("inventory_hostname"))
        if not given["record"]:
            forget_throttled(image)
        record = next_record(
            given["record"],
            given["step"],
            time.time(),
            manifest=given["manifest"],
            details=given["details"],
            throttled=noted_throttled(image),
        )
        result.update(changed=False, record=record, manifest_error="")
        if not record["manifest"] or self._task.check_mode:
            return result
        try:
            write_json(Path(record["manifest"]), manifest_of(record, given["step"], task_vars or {}))
        except OSError as exc:
            said = f"The manifest {record['manifest']} cannot be written: {exc.strerror or exc}."
            return {**result, "manifest_error": said, "warnings": [said]}
        return result
