# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Sandboxes of builds, those whose holder has died, and what is kept of agents without a sandbox."""

from __future__ import annotations

import contextlib
import os
import re
import time
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._leftovers import Leftover
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_state, custom_mount, state
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.closing import close_sandbox
from ansible_collections.bakehouse.images.plugins.module_utils._tags import build_id_problems

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner


def find_sandboxes(state_dir: str = state.STATE_DIR) -> t.List[Leftover]:
    """Open sandboxes that belong to a build, and all whose holder has died. Another one that is open is in use."""
    found = []
    for record in state.list_records(state_dir):
        alive = state.is_alive(record)
        build_id = record.build_id or _build_id(record.name)
        if alive and not build_id:
            continue
        found.append(
            Leftover(
                type="sandbox",
                id=record.name,
                build_id=build_id,
                owner=record.owner,
                expires=record.expires,
                age_seconds=_age(state.record_path(record.name, state_dir)),
                state="open on %s" % (record.device or record.root) if alive else "its process has died",
                ended=not alive,
            )
        )
    return found + _half_opened(state_dir)


def _half_opened(state_dir: str) -> t.List[Leftover]:
    """Sandboxes whose opening was killed when the user's command had mounted, and nothing was noted yet."""
    unnoted = [name for name in custom_mount.names(state_dir) if not os.path.exists(state.record_path(name, state_dir))]
    found = []
    for name in unnoted:
        # Whoever is just opening or closing it has its lock.
        with contextlib.suppress(BlockingIOError), state.locked(name, state_dir, wait=False):
            if not os.path.exists(state.record_path(name, state_dir)):
                found.append(Leftover("sandbox", name, _build_id(name), state="its opening was ended", ended=True))
    return found


def find_agents(folder: str = state.AGENTS_DIR, state_dir: str = state.STATE_DIR) -> t.List[Leftover]:
    """What is kept of agents whose sandbox is gone, and which are gone themselves."""
    try:
        names = {re.sub(r"\.(json|lock)\Z", "", file) for file in os.listdir(folder)}
    except FileNotFoundError:
        return []
    gone = [name for name in sorted(names) if _is_gone(name, folder, state_dir)]
    return [Leftover("agent", name, _build_id(name), state="its sandbox is gone", ended=True) for name in gone]


def close(name: str, runner: Runner, state_dir: str = state.STATE_DIR) -> None:
    """Close a sandbox whose image nobody wants.

    Raises:
        BuildError: it is closed, but something went wrong.
    """
    report = close_sandbox(name, runner=runner, state_dir=state_dir, trim=False, check=False)
    if report.problems:
        raise BuildError("The sandbox %s is closed, but: %s" % (name, " ".join(report.problems)))


def forget_agent(name: str, folder: str = state.AGENTS_DIR, state_dir: str = state.STATE_DIR) -> None:
    """Remove what is kept of an agent, if it is still gone."""
    with contextlib.suppress(BlockingIOError), agent_state.locked_agent(name, folder, wait=False):
        if _is_gone(name, folder, state_dir):
            agent_state.forget_agent(name, folder)


def _is_gone(name: str, folder: str, state_dir: str) -> bool:
    if not state.NAME_RULE.match(name) or os.path.exists(state.record_path(name, state_dir)):
        return False
    path = agent_state.socket_path(name, folder)
    return agent_state.read_agent(name, folder) is None and not agent_state.is_listening(path)


def _build_id(name: str) -> str:
    return "" if build_id_problems(name) else name


def _age(path: str) -> t.Optional[float]:
    try:
        return max(0.0, time.time() - os.stat(path).st_mtime)
    except OSError:
        return None


__all__ = ("close", "find_agents", "find_sandboxes", "forget_agent")
