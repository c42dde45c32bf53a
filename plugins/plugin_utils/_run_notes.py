# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What the workers of one ansible-playbook tell each other: files in the folder that Ansible makes for a run, for its
user alone, and removes after it. Each task has a worker of its own, which knows nothing of those before."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
import typing as t

from ansible import constants as C

# An attribute that Ansible makes when it starts, which no type checker sees.
_SETTINGS: t.Any = C


def note_path(*subject: str) -> str:
    """The path for what is noted of a subject. Short, because it may be that of a socket."""
    name = hashlib.sha256("\0".join(subject).encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return os.path.join(_SETTINGS.DEFAULT_LOCAL_TMP, name)


def read_note(*subject: str) -> str | None:
    """What is noted of the subject."""
    try:
        with open(note_path(*subject), encoding="utf-8") as stream:
            return stream.read()
    except OSError:
        return None


def write_note(text: str, *subject: str) -> None:
    """Note something. Readers see all of it or nothing. What cannot be noted has to be found out again, no more."""
    path = note_path(*subject)
    with contextlib.suppress(OSError):
        handle, draft = tempfile.mkstemp(dir=os.path.dirname(path))
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(draft, path)


def note_age(*subject: str) -> float | None:
    """How many seconds ago something was noted of the subject."""
    try:
        return time.time() - os.stat(note_path(*subject)).st_mtime
    except OSError:
        return None


@contextlib.contextmanager
def locked(*subject: str) -> t.Iterator[None]:
    """One worker at a time deals with the subject."""
    with open(note_path("lock", *subject), "w", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def forget_note(*subject: str) -> None:
    """Forget what is noted of the subject."""
    with contextlib.suppress(OSError):
        os.unlink(note_path(*subject))


__all__ = ("forget_note", "locked", "note_age", "note_path", "read_note", "write_note")
