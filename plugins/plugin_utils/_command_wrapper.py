# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The wrapper that a user puts around commands on the build host.

It is a list of words, which stand before the command, or a text with a place for the command, as Packer has it. A text
is given to a shell with the command as that shell's arguments. So no part of the command is ever read by that shell.
"""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid

PLACE = "{command}"
# Packer's own, and how it looks among Ansible's templates, where !unsafe has kept it from being one.
PACKERS = re.compile(r"\{\{\s*\.?[Cc]ommand\s*\}\}")

HOW = (
    f"Write it as a list of words that go before the command, such as [nice, -n, '10'], or as a text in which {PLACE} "
    f"stands for the command, such as 'nice -n 10 {PLACE}'."
)


def wrapper_words(value: t.Any) -> list[str]:
    """The words that go before the words of a command.

    Args:
        value: as the user has written it; nothing and an empty list are no wrapper.

    Raises:
        Invalid: neither a list of words nor a text with exactly one place for the command.
    """
    if value is None or value == "" or value == []:
        return []
    if isinstance(value, (list, tuple)):
        if not all(isinstance(word, (str, int, float)) and not isinstance(word, bool) for word in value):
            raise Invalid([f"The list {value!r} holds something that is no word. {HOW}"], subject="command_wrapper")
        return [str(word) for word in value]
    if not isinstance(value, str):
        raise Invalid([f"{value!r} is neither a list nor a text. {HOW}"], subject="command_wrapper")
    # The wrapper's own error, if it is no shell text, is better known to the shell than to us.
    return ["/bin/sh", "-c", _script(value), "sh"]


def _script(text: str) -> str:
    text = PACKERS.sub(PLACE, text)
    count = text.count(PLACE)
    if count != 1:
        raise Invalid([f"The text {text!r} has {count} places for the command. {HOW}"], subject="command_wrapper")
    # Not the place itself: braces are no part of a word for shlex.
    stand_in = "bakehouse_command"
    try:
        words = list(shlex.shlex(text.replace(PLACE, stand_in), posix=False, punctuation_chars=True))
    except ValueError as exc:
        raise Invalid([f"The text {text!r} is not a shell command: {exc}. {HOW}"], subject="command_wrapper") from exc
    if stand_in not in words:
        raise Invalid(
            [
                f"In {text!r}, {PLACE} is within quotes or a part of a word. The command is put there as words of its "
                f"own, which need no quotes: leave them out."
            ],
            subject="command_wrapper",
        )
    return text.replace(PLACE, '"$@"')


__all__ = ("wrapper_words",)
