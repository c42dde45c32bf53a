# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds what a build of an image file starts from, and what is there of it."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_output import (
    NAMES,
    base_folder,
    image_output,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_parents import ParentFinder, local_source
from ansible_collections.bakehouse.images.plugins.plugin_utils._module_action import unreachable_result

BLANK_SIZE = "8GiB"


class ActionModule(ActionBase):
    """See the module of the same name."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Look at the image's own file and at its source."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "image_name": {"type": "str", "required": True},
                "output_directory": {"type": "str"},
                "output_file": {"type": "str"},
                "output_format": {"type": "str"},
                "source": {"type": "raw", "required": True},
            }
        )
        variables = task_vars or {}

        def look(path: str, **options: t.Any) -> dict[str, t.Any]:
            return self._look(variables, path=path, **options)

        try:
            options = {name: given[name.removeprefix("bake_")] for name in NAMES}
            output = image_output(options, base_folder(variables))
            source = local_source(given["source"], base_folder(variables))
            finder = ParentFinder(variables, look)
            found = finder.source_image(source) if source else {}
            image = look(output.path)["image"]
        except AnsibleConnectionFailure as exc:
            return {**result, **unreachable_result(self._task.delegate_to, exc)}
        except BuildError as exc:
            return {**result, "failed": True, **exc.to_result()}
        return {
            **result,
            "changed": False,
            "output": output.to_ansible(),
            "images": [image] if image else [],
            "source_image": found,
            "parent_built": bool(source and finder.is_built(source)),
            "blank_size": None if source else BLANK_SIZE,
        }

    def _look(self, variables: dict[str, t.Any], **options: t.Any) -> dict[str, t.Any]:
        """Run M(bakehouse.images.image_file_info) on the build host."""
        done: dict[str, t.Any] = self._execute_module(
            module_name="bakehouse.images.image_file_info", module_args=options, task_vars=variables
        )
        if done.get("unreachable"):
            raise AnsibleConnectionFailure(str(done.get("msg")))
        if done.get("failed"):
            raise NotFound(str(done.get("msg")))
        return done
