# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Work in a mount namespace of its own, in a child process: no mount of it is ever seen, or left, on the host."""

from __future__ import annotations

import json
import os
import traceback
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _system_calls
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Refused

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner

# Covered by a tmpfs in the namespace: it exists everywhere, and mount(8) writes its notes below it.
COVERED = "/run"


def enter_namespace() -> None:
    """Give this process mounts of its own, and an empty C(/run) to mount things in."""
    try:
        _system_calls.unshare(_system_calls.CLONE_NEWNS)
        _system_calls.mount(None, "/", None, _system_calls.MS_REC | _system_calls.MS_PRIVATE)
        _system_calls.mount("tmpfs", COVERED, "tmpfs", 0, "mode=0700,size=1m")
    except OSError as exc:
        raise Refused(
            "Cannot make a private mount namespace: %s." % exc.strerror, hint="This needs root (CAP_SYS_ADMIN)."
        ) from exc


def in_private_mounts(work: t.Callable[[str], t.Any]) -> t.Any:
    """Run C(work) with an empty directory to mount things in, and return what it returns.

    The work happens in a forked child, which dies with this process; with it go its mounts. Its result is
    handed over as JSON: plain values only. Errors of our own family arrive as BuildError with their message.
    """
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(work, writing, parent)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answers:
        text = answers.read()
    _pid, status = os.waitpid(child, 0)
    if not text:
        raise BuildError("The process that had the mounts died (wait status %d)." % status)
    answer = json.loads(text)
    if "error" in answer:
        raise BuildError(answer["error"], **answer["facts"])
    return answer["result"]


def _child(work: t.Callable[[str], t.Any], writing: int, parent: int) -> t.NoReturn:
    """The child's whole life: it never returns into its parent's code."""
    try:
        _system_calls.die_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        answer = _answer(work)
        with os.fdopen(writing, "w", encoding="utf-8") as answers:
            json.dump(answer, answers)
    finally:
        os._exit(0)


def _answer(work: t.Callable[[str], t.Any]) -> t.Dict[str, t.Any]:
    """What the work returned, or the error it ended with."""
    try:
        enter_namespace()
        place = os.path.join(COVERED, "tree")
        os.mkdir(place, 0o700)
        return {"result": work(place)}
    except BuildError as exc:
        return {"error": str(exc), "facts": {key: value for key, value in exc.facts.items() if key != "msg"}}
    except Exception:  # the parent must hear of it, whatever it is
        return {"error": "Unexpected error among private mounts: %s" % traceback.format_exc(), "facts": {}}


def mount_command(filesystem: str, source: str, target: str, options: t.Sequence[str]) -> t.List[str]:
    """The mount(8) call. The type is named, so that nothing guesses it from the content."""
    return ["mount", "--types", filesystem, "--options", ",".join(options), source, target]


# To look only: no journal is replayed, nothing is written, and a twin of a mounted XFS is no obstacle. The second
# choice is for kernels before 5.9, which do not know rescue= on btrfs.
LOOK_OPTIONS: t.Mapping[str, t.Tuple[t.Tuple[str, ...], ...]] = {
    "ext2": (("ro",),),
    "ext3": (("ro", "noload"),),
    "ext4": (("ro", "noload"),),
    "xfs": (("ro", "norecovery", "nouuid"),),
    "btrfs": (("ro", "rescue=nologreplay"), ("ro", "nologreplay")),
}


def mount_to_look(
    runner: Runner, filesystem: str, source: str, target: str, extra: t.Sequence[str] = ()
) -> t.Optional[str]:
    """Mount read-only, in the options of C(LOOK_OPTIONS). Returns why it failed, or None."""
    trouble = None
    for options in LOOK_OPTIONS[filesystem]:
        done = runner.run(mount_command(filesystem, source, target, tuple(options) + tuple(extra)), check=False)
        if done.rc == 0:
            return None
        trouble = trouble or done.err.strip() or "mount failed with status %d" % done.rc
    return trouble


__all__ = ("LOOK_OPTIONS", "in_private_mounts", "mount_command", "mount_to_look")
