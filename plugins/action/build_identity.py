# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides whether an image has to be built."""

from __future__ import annotations

import os
import secrets
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Conflict
from ansible_collections.bakehouse.images.plugins.module_utils._life import judge, owner_of
from ansible_collections.bakehouse.images.plugins.plugin_utils._build_decision import Wish, decide
from ansible_collections.bakehouse.images.plugins.plugin_utils._fingerprint import fingerprint
from ansible_collections.bakehouse.images.plugins.plugin_utils._resume import find_resumable

BUILD_ID_BYTES = 8


class ActionModule(ActionBase):
    """See the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Compare the image wanted with the images of that name."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, given = self.validate_argument_spec(
            argument_spec={
                "name": {"type": "str", "required": True},
                "digest": {"type": "str", "required": True},
                "source": {"type": "str", "default": ""},
                "images": {"type": "list", "elements": "dict", "default": []},
                "replace": {"type": "bool", "default": False},
                "force": {"type": "bool", "default": False},
                "cache": {"type": "str", "choices": ["fingerprint", "exists"], "default": "fingerprint"},
                "parent_built": {"type": "bool", "default": False},
                "snapshots": {"type": "list", "elements": "dict", "default": []},
                "volumes": {"type": "list", "elements": "dict", "default": []},
            }
        )
        wanted = fingerprint(given["digest"], given["source"])
        # Workers are children of the ansible-playbook process, with which the build lives and dies.
        owner = owner_of(os.getppid())
        identity = {
            "build_id": secrets.token_hex(BUILD_ID_BYTES),
            "changed": False,
            "fingerprint": wanted,
            "owner": owner.to_text() if owner else "",
        }
        wish = Wish(
            fingerprint=wanted,
            **{name: given[name] for name in ("name", "replace", "force", "cache", "parent_built")},
        )
        try:
            made = decide(wish, given["images"])
        except Conflict as exc:
            return {**result, **identity, "failed": True, **exc.to_result()}
        resumed = None
        if made.decision != "unchanged":
            resumed = find_resumable(wanted, given["snapshots"], given["volumes"], judge)
        identity.update(decision=made.decision, reason=made.reason, image=made.image)
        return {**result, **identity, "resumed": resumed.to_ansible() if resumed else {}}
