# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Runs a module that transfers much, and says meanwhile how far it has come.

A module cannot show anything before it ends, and an image can take an hour. So it notes how far it has come in a file
of the task's temporary folder, which is looked at here.
"""

from __future__ import annotations

import contextlib
import copy
import json
import shlex
import threading
import time
import typing as t

from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import show_size

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ansible.plugins.connection import ConnectionBase

display = Display()

FILE_NAME = "progress"


class TransferAction(NormalAction):
    """The action of a module with the options C(progress_interval) and C(progress_file)."""

    # As the module's own default, in seconds.
    default_interval: t.ClassVar[float] = 30

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module, and show lines while it runs."""
        given = dict(self._task.args)
        interval = _seconds(given.get("progress_interval"), self.default_interval)
        # Nobody waits for a task that runs by itself.
        if not interval or self._task.async_val:
            return self._carry_out(given, None, tmp, task_vars)
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        path = self._connection._shell.join_path(self._connection._shell.tmpdir, FILE_NAME)
        host = (task_vars or {}).get("inventory_hostname", "")
        name = str(self._task.action).rpartition(".")[2]

        def say(note: dict[str, t.Any] | None, seconds: float) -> None:
            display.display(f"[{host}] {progress_line(note, name, seconds)}")

        with reported(reader(self._connection, path), say, interval):
            return self._carry_out(given, path, tmp, task_vars)

    def _carry_out(
        self, given: dict[str, t.Any], path: str | None, tmp: t.Any, task_vars: dict[str, t.Any] | None
    ) -> dict[str, t.Any]:
        self._task.args = {**given, "progress_file": path}
        try:
            result: dict[str, t.Any] = super().run(tmp, task_vars)
            return result
        finally:
            self._task.args = given


@contextlib.contextmanager
def reported(
    read: Callable[[], str | None], say: Callable[[dict[str, t.Any] | None, float], None], interval: float
) -> Iterator[None]:
    """Say from time to time what is noted, from another thread, for as long as the context lasts."""
    over = threading.Event()
    start = time.monotonic()

    def look() -> None:
        while not over.wait(interval):
            # What is read for those who wait must not end what they wait for.
            with contextlib.suppress(Exception):
                note = parsed(read())
                if not over.is_set():
                    say(note, time.monotonic() - start)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def reader(connection: ConnectionBase, path: str) -> Callable[[], str | None]:
    """What reads the file while the connection is in use."""

    def read_here() -> str | None:
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as stream:
            return stream.read()
        return None

    # Its options are the same, and what it keeps of one command is its own.
    twin = copy.copy(connection)

    def read_there() -> str | None:
        status, out, _err = twin.exec_command(f"cat {shlex.quote(path)}", in_data=None, sudoable=False)
        return out.decode("utf-8", "replace") if status == 0 else None

    if connection.transport == "local":
        return read_here
    return read_there if connection.transport == "ssh" else lambda: None


def parsed(text: str | None) -> dict[str, t.Any] | None:
    """What is noted, if it is what the module writes: it comes from another machine."""
    with contextlib.suppress(KeyError, RecursionError, TypeError, ValueError):
        note = json.loads(text or "")
        doing, done, total = (note[key] for key in ("doing", "done_bytes", "total_bytes"))
        if isinstance(doing, str) and isinstance(done, int) and isinstance(total, (int, type(None))):
            return {"doing": "".join(filter(str.isprintable, doing)), "done_bytes": done, "total_bytes": total}
    return None


def progress_line(note: dict[str, t.Any] | None, name: str, seconds: float) -> str:
    """The line for those who wait."""
    elapsed = f"{seconds:.0f} s so far"
    if note is None:
        return f"{name}: {elapsed}"
    done, total = note["done_bytes"], note["total_bytes"]
    amount = show_size(done)
    if total:
        amount = f"{show_size(min(done, total))} of {show_size(total)} ({min(100, 100 * done // total)} %)"
    return f"{note['doing']}: {amount}, {elapsed}"


def _seconds(given: t.Any, default: float) -> float:
    """The interval; what is no number is for the module to refuse."""
    try:
        return max(0.0, float(default if given is None else given))
    except (TypeError, ValueError):
        return 0.0


__all__ = ("TransferAction", "parsed", "progress_line", "reader", "reported")
