# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Commands that stop or restart a machine, found among what tasks give to a connection.

This is no protection: nothing in a sandbox can restart the build host. It is an answer in time. C(systemctl) and its
like ignore the wish and say that all is well, and C(ansible.builtin.reboot) would then wait ten minutes for a
machine that never comes back.
"""

from __future__ import annotations

import os
import re
import shlex
import typing as t

COMMANDS = ("halt", "poweroff", "reboot", "shutdown")
SYSTEMCTL_VERBS = (
    *("halt", "poweroff", "reboot", "soft-reboot", "kexec", "exit"),
    *("suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate"),
)
SHELLS = ("sh", "ash", "bash", "dash", "ksh", "zsh")

# Most commands name none of these; only the others are worth reading.
NAMES = (*COMMANDS, "systemctl", "init")
SEPARATORS = r"[;&|()]+"
ASSIGNMENT = r"\w+="


def power_command(command: str) -> str | None:
    """The part of a shell command that would stop or restart the machine; None when there is no such part."""
    if not any(name in command for name in NAMES):
        return None
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    try:
        return next(filter(None, map(_found, _simple_commands(lexer))), None)
    except ValueError:
        # Quotes that do not close: the image's shell says it better.
        return None


def _simple_commands(words: t.Iterable[str]) -> t.Iterator[list[str]]:
    simple: list[str] = []
    for word in words:
        if re.fullmatch(SEPARATORS, word):
            yield simple
            simple = []
        else:
            simple.append(word)
    yield simple


def _found(simple: list[str]) -> str | None:
    while simple and (simple[0] in ("exec", "nohup", "setsid") or re.match(ASSIGNMENT, simple[0])):
        simple = simple[1:]
    if not simple:
        return None
    name, arguments = os.path.basename(simple[0]), simple[1:]
    if name in ("su", "sudo", *SHELLS) and "-c" in arguments[:-1]:
        return power_command(arguments[arguments.index("-c") + 1])
    plain = next((word for word in arguments if not word.startswith("-")), None)
    stops = (
        (name in COMMANDS and "-c" not in arguments)
        or (name in ("init", "telinit") and plain in ("0", "6"))
        or (name == "systemctl" and plain in SYSTEMCTL_VERBS)
    )
    return shlex.join(simple) if stops else None


__all__ = ("power_command",)
