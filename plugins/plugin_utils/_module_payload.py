# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Telling a module that is piped to an interpreter from other commands.

What ansible-core 2.17 to 2.21 run then is C(/bin/sh -c '[NAME=value ...] INTERPRETER [&& sleep 0]'). Only what is,
letter for letter, such a command is taken for one: this is not a parser of shell.
"""

from __future__ import annotations

import shlex
import string
import typing as t

# In the program that ansible-core wraps modules in, near its beginning.
WRAPPER = b"_ANSIBALLZ_WRAPPER = True"
WRAPPER_WITHIN = 8192

SUFFIX = " && sleep 0"
# Of words that no shell reads anything into.
PLAIN = frozenset(string.ascii_letters + string.digits + "_./+-")

# Tells directory and environment, as the interpreter's own program would find them. Nothing is imported from the
# image but what the interpreter needs anyway.
PROBE = "import os; os.write(1, b'\\0'.join([os.getcwdb()] + [n + b'=' + v for n, v in os.environb.items()]))"


class ModulePayload(t.NamedTuple):
    """A command that runs a module from its standard input.

    Args:
        interpreter: as the command names it.
        assignments: variables that the command sets for it.
        shell: that reads the command.
        suffix: what the command does afterwards.
    """

    interpreter: str
    assignments: dict[str, str]
    shell: str
    suffix: str

    @property
    def probe(self) -> str:
        """The same command, but for the program and the assignments, that tells its environment."""
        return self._command(f"{self.interpreter} -I -S -c {shlex.quote(PROBE)}")

    @property
    def dying(self) -> str:
        """The same command, but that what it runs dies by a signal."""
        return self._command("sh -c 'kill -@SIGNAL@ $$'")

    def _command(self, inner: str) -> str:
        return f"{self.shell} -c {shlex.quote(inner + self.suffix)}"


def recognise(command: str, stdin: bytes | None) -> ModulePayload | None:
    """The payload, if the command is one."""
    if not stdin or WRAPPER not in stdin[:WRAPPER_WITHIN]:
        return None
    try:
        words = shlex.split(command)
        if len(words) != 3 or not _is_plain(words[0]) or command != f"{words[0]} -c {shlex.quote(words[2])}":
            return None
        inner = words[2].removesuffix(SUFFIX)
        suffix = words[2][len(inner) :]
        *settings, interpreter = shlex.split(inner)
    except ValueError:
        return None
    assignments = dict(setting.partition("=")[::2] for setting in settings)
    written = [f"{name}={shlex.quote(value)}" for name, value in assignments.items()]
    if not _is_plain(interpreter) or not all(name.isascii() and name.isidentifier() for name in assignments):
        return None
    if inner.strip() != " ".join([*written, interpreter]):
        return None
    return ModulePayload(interpreter, assignments, words[0], suffix)


def _is_plain(word: str) -> bool:
    return bool(word) and PLAIN.issuperset(word)


__all__ = ("ModulePayload", "recognise")
