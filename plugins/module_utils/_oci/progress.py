# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""How far a transfer has come, for those who wait for it: a file that says so, written from time to time."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import typing as t

# A reader looks every half a minute or so.
INTERVAL_SECONDS = 1.0

Count = t.Callable[[], int]


class Progress:
    """What is being done, in a file. Nobody may be able to read it, or it cannot be written: then nothing is noted."""

    def __init__(self, path: t.Optional[str] = None, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._path = path
        self._interval_seconds = interval_seconds

    @contextlib.contextmanager
    def during(self, doing: str, count: Count, total_bytes: t.Optional[int] = None) -> t.Iterator[None]:
        """Note how far this has come, for as long as the context lasts.

        Args:
            count: how many bytes are done; called from another thread.
            total_bytes: how many there are, where that is known.
        """
        if not self._path:
            yield
            return
        over = threading.Event()

        def note() -> None:
            while True:
                self._write(doing, count, total_bytes)
                if over.wait(self._interval_seconds):
                    return

        thread = threading.Thread(target=note, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _write(self, doing: str, count: Count, total_bytes: t.Optional[int]) -> None:
        path = self._path or ""
        draft = path + ".new"
        with contextlib.suppress(OSError):
            note = json.dumps({"doing": doing, "done_bytes": count(), "total_bytes": total_bytes})
            # Whoever owns the folder may not be who runs this: only a file that is not there yet is written.
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            with open(descriptor, "w", encoding="utf-8") as stream:
                stream.write(note)
            os.rename(draft, path)


NO_PROGRESS = Progress()


def bytes_below(folder: str) -> int:
    """The sizes of the files in a folder, together."""
    found = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            # Files are renamed and removed while others are looked at.
            with contextlib.suppress(OSError):
                found += entry.stat(follow_symlinks=False).st_size
    return found


class BytesRead:
    """How much the commands that this process has started have read of the files in a folder (proc(5), fdinfo).

    Files that are open are counted up to where they are read, and those that were open before up to where they were
    when that was last looked at.
    """

    def __init__(self, folder: str) -> None:
        self._folder = os.path.realpath(folder)
        self._positions: t.Dict[str, int] = {}

    def __call__(self) -> int:
        """The bytes until now."""
        for pid in _children():
            with contextlib.suppress(OSError):
                for number in os.listdir("/proc/%s/fd" % pid):
                    with contextlib.suppress(OSError, ValueError):
                        self._look(pid, number)
        return sum(self._positions.values())

    def _look(self, pid: str, number: str) -> None:
        path = os.readlink("/proc/%s/fd/%s" % (pid, number))
        if os.path.dirname(path) != self._folder:
            return
        with open("/proc/%s/fdinfo/%s" % (pid, number), encoding="ascii") as stream:
            position = int(stream.readline().partition(":")[2])
        self._positions[path] = max(position, self._positions.get(path, 0))


def _children() -> t.List[str]:
    found: t.List[str] = []
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open("/proc/self/task/%s/children" % task, encoding="ascii") as stream:
            found += stream.read().split()
    return found


__all__ = ("NO_PROGRESS", "BytesRead", "Progress", "bytes_below")
