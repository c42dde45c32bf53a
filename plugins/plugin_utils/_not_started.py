# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What C(ansible.builtin.systemd_service) was asked to start, and has not.

Where systemd does not run, the module warns, says that all is well, and calls nothing that could be noted: what was
asked stands in its result alone, in the arguments that each module returns.
"""

from __future__ import annotations

import json
import re
import shlex
import typing as t

# An option that no other module has.
ITS_OWN_OPTION = b'"daemon_reexec"'

# Nothing runs that would have to be stopped.
VERBS = {"started": "start", "restarted": "restart", "reloaded": "reload"}

VARIABLE = re.compile(r"\bBAKEHOUSE_STAND_INS=['\"]?(\w+)")


def not_started(stdout: bytes) -> str | None:
    """The command that would do what the module has left out; None when it was another, or has left out nothing."""
    if ITS_OWN_OPTION not in stdout:
        return None
    result = _result(stdout)
    arguments = (result.get("invocation") or {}).get("module_args") or {}
    verb = VERBS.get(arguments.get("state") or "")
    # With a state it has asked systemd, and done as it was told. A failed one has said so itself.
    if not verb or result.get("failed") or "ActiveState" in (result.get("status") or {}):
        return None
    scope = arguments.get("scope") or "system"
    words = ["systemctl", *([] if scope == "system" else [f"--{scope}"]), verb, str(arguments.get("name"))]
    return shlex.join(words)


def policy(command: str, environment: t.Mapping[str, str]) -> str:
    """What the user wants of such a command: C(ignore), C(fail), or C(no) for what Ansible does by itself.

    Args:
        command: of the task, with the variables that it sets.
        environment: of everything in the sandbox.
    """
    found = VARIABLE.search(command)
    return found.group(1) if found else environment.get("BAKEHOUSE_STAND_INS", "ignore")


def _result(stdout: bytes) -> dict[str, t.Any]:
    for line in stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("{"):
            try:
                result = json.loads(line)
            except ValueError:
                continue
            if isinstance(result, dict) and isinstance(result.get("invocation"), dict):
                return result
    return {}


__all__ = ("not_started", "policy")
