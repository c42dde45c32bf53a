# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What builds have left on a build host, and removing it: sandboxes, then loop devices, then files."""

from __future__ import annotations

import functools
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _life
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.leftovers import find_files, find_loops
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.loops import Loop, release
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.removal import Removal, remove_file
from ansible_collections.bakehouse.images.plugins.module_utils._leftovers import Leftover
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import leftovers as sandboxes
from ansible_collections.bakehouse.images.plugins.module_utils._tags import build_id_problems

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner


def find_leftovers(directories: t.Iterable[str]) -> t.List[Leftover]:
    """What is there of builds on this machine.

    Args:
        directories: where image files are written. Those of loop devices are looked into without being named.
    """
    loops = find_loops()
    folders = [*directories, *(os.path.dirname(loop.file) for loop, _leftover in loops)]
    found = sandboxes.find_sandboxes() + [leftover for _loop, leftover in loops] + find_files(folders)
    return found + sandboxes.find_agents()


def plan_removal(
    runner: Runner,
    directories: t.Iterable[str],
    build_ids: t.Collection[str],
    *,
    ended: bool,
    timeout_seconds: float,
) -> t.List[Removal]:
    """What goes of these builds, in the order in which it goes.

    Args:
        ended: also what is of no build, and shows by itself that nobody uses it any more.

    Raises:
        Invalid: an id is none, or an owner lives: then nothing is removed of any.
    """
    problems = [problem for one in build_ids for problem in build_id_problems(one)]
    found = find_leftovers(directories)
    chosen = [one for one in found if (one.build_id in build_ids if one.build_id else ended and one.ended)]
    for owner in sorted({one.owner for one in chosen if one.owner and not one.ended}):
        verdict = _life.judge(owner)
        if verdict.life is _life.Life.ALIVE:
            problems.append("A build whose leftovers were to be removed is alive: %s." % verdict.reason)
    if problems:
        raise Invalid(problems)
    loops = {loop.device: loop for loop, _leftover in find_loops()}
    return [Removal(one.type, one.id, _action(one, runner, loops, timeout_seconds)) for one in chosen]


def _action(
    leftover: Leftover, runner: Runner, loops: t.Mapping[str, Loop], timeout_seconds: float
) -> t.Callable[[], None]:
    if leftover.type == "sandbox":
        return functools.partial(sandboxes.close, leftover.id, runner)
    if leftover.type == "agent":
        return functools.partial(sandboxes.forget_agent, leftover.id)
    if leftover.type == "file":
        return functools.partial(remove_file, leftover.id)
    return functools.partial(_release, runner, loops.get(leftover.id), timeout_seconds)


def _release(runner: Runner, loop: t.Optional[Loop], timeout_seconds: float) -> None:
    # It may have gone meanwhile, and its number may be another one's.
    if loop is not None and loop in [one for one, _leftover in find_loops()]:
        try:
            release(runner, loop, timeout_seconds=timeout_seconds)
        except BuildError:
            if loop in [one for one, _leftover in find_loops()]:
                raise


__all__ = ("find_leftovers", "plan_removal")
