# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.


"""One call for all that the processes of a user wait for at the same time.

Twenty-six builds that wait for a snapshot each would ask a cloud twenty-six times, every few seconds, and it would
soon answer that there are too many calls. Here each of them notes what it waits for in a folder, and whoever looks
next asks for all of it, and leaves the answer for the others. Nobody depends on anybody: where the answer of another
one is missing or old, or the folder cannot be used, a process asks alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._own_folder import own_folder
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock

Resource = t.Dict[str, t.Any]
#: Asks the cloud for the resources of these ids; those that it does not know are left out.
Ask = t.Callable[[t.Sequence[str]], t.Mapping[str, Resource]]

# EC2 takes as many values of a filter in one call: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html
MOST_IDS = 200
# Whoever asks holds the lock. A process that takes longer is left alone, and the cloud is asked beside it.
LOCK_SECONDS = 5.0
# Longer than waits pause: who has not looked for so long does not wait any more.
FORGOTTEN_SECONDS = 300.0
ANSWER = "answer"
LOCK = "lock"


class SharedLooks:
    """The folder of those who look at one kind of resource at one place with the same credentials.

    Args:
        folder: of its own; made when it is needed.
    """

    def __init__(self, folder: str, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock

    def look(self, resource_id: str, ask: Ask, *, at_most_seconds: float) -> t.Optional[Resource]:
        """The resource as it was so many seconds ago at most; None when that has to be found out otherwise.

        Raises:
            BuildError: what C(ask) raises.
        """
        with contextlib.ExitStack() as stack:
            try:
                locked = self._lock(stack)
                known = self._known(at_most_seconds) if locked else {}
                ids = self._wanted(resource_id) if locked and resource_id not in known else []
            except OSError:
                return None
            if not ids:
                return known.get(resource_id)
            found = dict(ask(ids))
            with contextlib.suppress(OSError, AttributeError, TypeError):
                self._write({"time": self.clock.now(), "found": found})
            return found.get(resource_id)

    def join(self, resource_id: str) -> None:
        """Have others ask for it as well from now on."""
        with contextlib.suppress(OSError):
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            self._note(resource_id)

    def leave(self, resource_id: str) -> None:
        """Nobody needs to ask for it any more."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.folder, resource_id))

    def _lock(self, stack: contextlib.ExitStack) -> bool:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        lock = stack.enter_context(open(os.path.join(self.folder, LOCK), "w"))  # noqa: SIM115
        end = self.clock.now() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if self.clock.now() > end:
                    return False
                self.clock.sleep(0.05)

    def _known(self, at_most_seconds: float) -> t.Mapping[str, Resource]:
        try:
            with open(os.path.join(self.folder, ANSWER), encoding="utf-8") as stream:
                answer = json.load(stream)
            is_new = 0 <= self.clock.now() - answer["time"] <= at_most_seconds
            return t.cast("t.Mapping[str, Resource]", answer["found"]) if is_new else {}
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            # None yet, or one that was killed while it wrote.
            return {}

    def _wanted(self, resource_id: str) -> t.List[str]:
        """What is waited for, the own one first; who has stopped without a word is forgotten."""
        self._note(resource_id)
        ids = [resource_id]
        for entry in os.scandir(self.folder):
            if entry.name in (ANSWER, LOCK, resource_id):
                continue
            # Files have the time of day; one that is set back keeps an entry for longer, which costs nothing.
            with contextlib.suppress(FileNotFoundError):  # whoever leaves takes no lock
                if time.time() - entry.stat().st_mtime < FORGOTTEN_SECONDS:
                    ids.append(entry.name)
                else:
                    os.unlink(entry.path)
        return ids[:MOST_IDS]

    def _note(self, resource_id: str) -> None:
        own = os.path.join(self.folder, resource_id)
        with open(own, "w"):
            os.utime(own)

    def _write(self, answer: t.Mapping[str, t.Any]) -> None:
        with open(os.path.join(self.folder, ANSWER), "w", encoding="utf-8") as stream:
            json.dump(answer, stream, default=_text)


def _text(value: t.Any) -> str:
    """Moments are what JSON has no word for."""
    return str(value.isoformat())


def shared_folder(*what: t.Optional[str]) -> t.Optional[str]:
    """A folder for those of this user who say the same of themselves; None when there is no safe place for it."""
    place = own_folder(tempfile.gettempdir())
    if place is None:
        return None
    digest = hashlib.sha256(json.dumps(what).encode()).hexdigest()
    return os.path.join(place, "looks-" + digest[:16])


__all__ = ("Ask", "Resource", "SharedLooks", "shared_folder")
