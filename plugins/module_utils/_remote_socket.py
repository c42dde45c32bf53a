# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""A Unix socket of a build host, for a controller behind an sshd that forwards none: a program of its own.

Like C(_remote_command.py), it stands on the standard library alone, because its text is what ssh runs there. What
comes over standard input goes to the socket, and what comes from there to standard output, after a greeting that shows
where the talk of login shells ends. It ends when either side does; then the other side sees that too.
"""

from __future__ import annotations

import os
import select
import socket
import sys

CHUNK_BYTES = 1 << 18

# Not each system's Python names it (poll(2)).
POLLRDHUP = getattr(select, "POLLRDHUP", 0)


def carry(stream: socket.socket) -> None:
    """Both ways, until either side has ended. What the socket's side had to say by then is handed on."""
    far = stream.fileno()
    for handle in (0, 1, far):
        os.set_blocking(handle, False)
    there, back = bytearray(), bytearray()
    while far >= 0 or back:
        for handle, events in wait(far, there, back):
            if handle == far:
                if events & select.POLLOUT and not give(far, there):
                    there.clear()
                if not back and events & ~select.POLLOUT and not take(far, back):
                    far = -1
            elif handle == 1:
                if not (events & select.POLLOUT and give(1, back)):
                    return
            elif there or not take(0, there):
                return


def wait(far: int, there: bytearray, back: bytearray) -> list[tuple[int, int]]:
    """The events that matter just now: of each way one end at a time."""
    poller = select.poll()
    # The controller going away is seen although nothing is read from it just now.
    poller.register(0, POLLRDHUP if there else select.POLLIN)
    poller.register(1, select.POLLOUT if back else 0)
    wanted = (0 if back else select.POLLIN) | (select.POLLOUT if there else 0)
    if far >= 0 and wanted:
        poller.register(far, wanted)
    return poller.poll()


def take(handle: int, data: bytearray) -> bool:
    """Read once; False when there is no more to come."""
    try:
        chunk = os.read(handle, CHUNK_BYTES)
    except BlockingIOError:
        return True
    except OSError:
        return False
    data += chunk
    return bool(chunk)


def give(handle: int, data: bytearray) -> bool:
    """Write once, and remove what has been written; False when nobody reads it."""
    try:
        del data[: os.write(handle, data)]
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


def main(argument: str) -> None:
    """Connect to the socket, if somebody listens there.

    Args:
        argument: the greeting, a blank, and the path.
    """
    greeting, _blank, path = argument.partition(" ")
    with socket.socket(socket.AF_UNIX) as stream:
        try:
            stream.connect(path)
        except OSError:
            return
        os.write(1, greeting.encode())
        carry(stream)


__all__ = ("main",)

if __name__ == "__main__":
    main(sys.argv[1])
