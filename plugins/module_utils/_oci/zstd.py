# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Decompressing with zstd, as a stream: what comes out has no size until it is over, so nobody waits for that."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._run import tool_environment

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._oci.blobs import Readable


class _Output:
    """What zstd prints, with its status as part of it: an end that is none is an error."""

    def __init__(self, process: subprocess.Popen[bytes], errors: t.IO[bytes], subject: str) -> None:
        self._process = process
        self._errors = errors
        self._subject = subject

    def read(self, size: int) -> bytes:
        """See Readable.read."""
        chunk = t.cast("t.IO[bytes]", self._process.stdout).read(size)
        if not chunk and self._process.wait() != 0:
            self._errors.seek(0)
            said = " ".join(self._errors.read().decode("utf-8", "replace").split()) or "it said nothing"
            raise BuildError("%s cannot be decompressed with zstd: %s." % (self._subject, said))
        return chunk


@contextlib.contextmanager
def decompressed(path: str, *, subject: str) -> t.Iterator[Readable]:
    """The decompressed bytes of a file.

    Raises:
        NotFound: there is no zstd.
        BuildError: when they are read, and the file is damaged.
    """
    command = ["zstd", "--decompress", "--stdout", "--quiet", path]
    with tempfile.TemporaryFile() as errors:
        try:
            # fmt: off
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=tool_environment(),
            )
            # fmt: on
        except FileNotFoundError as exc:
            raise NotFound(
                "The command zstd is not installed on this machine.",
                hint="Install the package that brings it.",
                cmd=command,
            ) from exc
        with process:
            try:
                yield _Output(process, errors, subject)
            finally:
                # Whoever has read enough does not want the rest.
                process.kill()


__all__ = ("decompressed",)
