# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Files on their way between the controller and an image.

In the image a shell and C(cat) do it. Files with holes, such as disk images, keep them, and holes are not sent: into
the image where its C(dd) can write to any place of a file (that of GNU can), out of it where it has a Python.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import sys
import typing as t
from collections.abc import Iterator

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError

if t.TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Outcome

# The path is an argument, never part of the text: no name of a file can be read as shell.
WRITE_FILE = 'cat > "$1"'

# Takes lines with the place and the size of what follows them. On a device holes would show what was there before.
CANNOT = 97
WRITE_PARTS = f"""
parts="bs=1M iflag=fullblock,count_bytes oflag=seek_bytes conv=notrunc status=none"
if [ -e "$1" ] && [ ! -f "$1" ] || ! dd if=/dev/null of=/dev/null seek=0 count=0 $parts 2> /dev/null; then
  exit {CANNOT}
fi
: > "$1" && dd if=/dev/null of="$1" bs=1 seek="$2" count=0 status=none || exit
while read -r place size; do
  dd of="$1" seek="$place" count="$size" $parts || exit
done
"""

# Sends a line that says which way it goes; then the file, or lines with the place and the size of what follows them,
# the last for the end of the file. What is no more there because the file has shrunk meanwhile is zeros.
READ_FILE = """
read_parts='
import os, sys
file, place, out = os.open(sys.argv[1], os.O_RDONLY), 0, sys.stdout.buffer
size = os.fstat(file).st_size
while place < size:
    try:
        place = os.lseek(file, place, os.SEEK_DATA)
        end = min(os.lseek(file, place, os.SEEK_HOLE), size)
    except OSError:
        break
    out.write(b"%d %d\\n" % (place, end - place))
    while place < end:
        data = os.pread(file, min(end - place, 1 << 18), place) or bytes(min(end - place, 1 << 18))
        out.write(data)
        place += len(data)
out.write(b"%d 0\\n" % size)
'
sizes=$([ ! -f "$1" ] || stat -L -c '%b %s' -- "$1" 2> /dev/null)
if [ -n "$sizes" ] && [ $((512 * ${sizes% *})) -lt "${sizes#* }" ] && command -v python3 > /dev/null; then
  echo parts
  exec python3 -I -S -c "$read_parts" "$1"
fi
exec 3< "$1" && echo whole && exec cat <&3
"""

# Each part costs a process: holes smaller than this are sent as zeros.
LARGE_HOLE = 1 << 20
MAX_LINE = 64


def send_file(source: t.BinaryIO, run: t.Callable[[str, list[str], t.BinaryIO], Outcome]) -> Outcome:
    """Send an open file of the controller into an image.

    Args:
        run: runs a shell command with arguments after the path in the image, which is C($1), and with an input.
    """
    status = os.fstat(source.fileno())
    if stat.S_ISREG(status.st_mode) and status.st_blocks * 512 < status.st_size:
        parts = t.cast(t.BinaryIO, _Parts(source.fileno(), status.st_size))
        outcome = run(WRITE_PARTS, [str(status.st_size)], parts)
        if outcome.rc != CANNOT:
            return outcome
        source.seek(0)
    return run(WRITE_FILE, [], source)


@contextlib.contextmanager
def new_file(path: str) -> Iterator[t.BinaryIO]:
    """A file of the controller that takes what C(READ_FILE) sends. What ends in an error leaves no file.

    Raises:
        BuildError: something else was sent.
    """
    target = t.cast(t.BinaryIO, open(path, "wb", buffering=0))  # noqa: SIM115 - entered below
    regular = stat.S_ISREG(os.fstat(target.fileno()).st_mode)
    try:
        with target:
            yield t.cast(t.BinaryIO, _Received(target))
    except BaseException:
        # Half a file is worse than none.
        if regular:
            os.unlink(path)
        raise


class _Parts(io.RawIOBase):
    """What of a file is no hole, each part after a line with its place and its size."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._parts = _parts_of(fd, size)
        self._line = b""
        self._place = self._left = 0

    def readable(self) -> bool:
        """See io.IOBase."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """See io.RawIOBase."""
        view = memoryview(buffer).cast("B")
        if not self._line and not self._left:
            self._place, end = next(self._parts, (0, 0))
            self._left = end - self._place
            self._line = f"{self._place} {self._left}\n".encode() if end else b""
        if self._line:
            count = min(len(view), len(self._line))
            view[:count], self._line = self._line[:count], self._line[count:]
            return count
        count = os.preadv(self._fd, [view[: self._left]], self._place)
        self._place += count
        self._left -= count
        return count


def _parts_of(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Start and end of each part; holes that are too small are taken along."""
    start = end = 0
    while end < size:
        try:
            data = os.lseek(fd, end, os.SEEK_DATA)
        except OSError:
            # There is no more.
            break
        if data - end >= LARGE_HOLE or start >= end:
            if start < end:
                yield start, end
            start = data
        end = min(os.lseek(fd, data, os.SEEK_HOLE), size)
    if start < end:
        yield start, end


class _Received:
    """Writes what C(READ_FILE) sends, in pieces of any sizes, to a file. The image may say anything."""

    def __init__(self, target: t.BinaryIO) -> None:
        self._target = target
        self._line = bytearray()
        self._left = 0

    def write(self, data: bytes) -> int:
        """Take a piece."""
        rest = memoryview(data)
        while rest:
            if self._left:
                written = self._target.write(rest[: self._left])
                self._left -= written
                rest = rest[written:]
            else:
                rest = self._take_line(rest)
        return len(data)

    def _take_line(self, rest: memoryview) -> memoryview:
        head, newline, _more = bytes(rest[:MAX_LINE]).partition(b"\n")
        self._line += head
        if newline:
            self._obey(bytes(self._line))
            self._line.clear()
        elif len(self._line) > MAX_LINE:
            raise BuildError("The image answers a wish for a file with something else.")
        return rest[len(head) + len(newline) :]

    def _obey(self, line: bytes) -> None:
        numbers = re.fullmatch(rb"(\d{1,18}) (\d{1,18})", line)
        if line == b"whole":
            self._left = sys.maxsize
        elif numbers:
            place, self._left = int(numbers[1]), int(numbers[2])
            self._target.seek(place)
            if not self._left:
                self._target.truncate(place)
        elif line != b"parts":
            raise BuildError("The image answers a wish for a file with something else.")


__all__ = ("READ_FILE", "new_file", "send_file")
