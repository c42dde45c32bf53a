# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Values that only the build will know, inside texts of a template.

While a template is evaluated such a value is an expression of Jinja between two characters that no text has. It can be
joined with other texts and put into lists and maps, and is not computed with. What comes out is a variable for Ansible:
text that looks like a template becomes a template that gives this text, so that it stays what it is when an inventory
with it is written to a file.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import template

OPEN, CLOSE = "\ue000", "\ue001"
LATE = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
# Where a template of Ansible begins.
MARK = re.compile(r"\{[{%#]")


def late(expression: str) -> str:
    """The value of an expression of Jinja, to be known later."""
    return f"{OPEN}{expression}{CLOSE}"


def statement(text: str) -> str:
    """A statement of Jinja, such as C(for), around what follows. A text with one is no expression any more."""
    return late(f"%{text}")


def has_statement(value: t.Any) -> bool:
    """Whether any text in the value holds a statement."""
    if isinstance(value, str):
        return f"{OPEN}%" in value
    if isinstance(value, Mapping):
        return any(has_statement(key) or has_statement(item) for key, item in value.items())
    return isinstance(value, (list, tuple)) and any(map(has_statement, value))


def has_late(value: t.Any) -> bool:
    """Whether any text in the value is known only later."""
    if isinstance(value, str):
        return OPEN in value
    if isinstance(value, Mapping):
        return any(has_late(key) or has_late(item) for key, item in value.items())
    return isinstance(value, (list, tuple)) and any(map(has_late, value))


def only_late(value: t.Any) -> str | None:
    """The expression of a text that is nothing else."""
    found = LATE.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else None


def quoted(text: str) -> str:
    """A text as a literal of Jinja. Ansible takes backslashes in those for themselves, so there are no escapes."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    return "(" + """ ~ "'" ~ """.join(f"'{piece}'" for piece in text.split("'")) + ")"


def without_secrets(value: t.Any, secrets: Mapping[str, str]) -> t.Any:
    """The value with each secret replaced by the expression that gives it when it is needed."""
    if isinstance(value, Mapping):
        return {key: without_secrets(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item, secrets) for item in value]
    if not isinstance(value, str) or not secrets:
        return value
    # The longest first: one secret may be a part of another.
    pattern = re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True))))
    pieces = []
    for number, piece in enumerate(LATE.split(value)):
        pieces.append(late(piece) if number % 2 else pattern.sub(lambda match: late(secrets[match[0]]), piece))
    return "".join(pieces)


def to_variable(value: t.Any, path: str) -> t.Any:
    """The value as a variable of a host, read from the file C(path)."""
    if isinstance(value, Mapping):
        if any(map(has_late, value)):
            return template(_mapping(value), path)
        return {to_variable(key, path): to_variable(item, path) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_variable(item, path) for item in value]
    return template(_as_template(value), path) if isinstance(value, str) else value


def as_expression(text: str) -> str:
    """A text with parts that are known only later, as one expression of Jinja."""
    pieces = [f"({it})" if number % 2 else quoted(it) for number, it in enumerate(LATE.split(text))]
    return " ~ ".join(it for it in pieces if it != "''") or "''"


def _mapping(value: Mapping[t.Any, t.Any]) -> str:
    """A map as one template, because Ansible renders no keys."""
    parts, pairs = [], []
    for number, (key, item) in enumerate(value.items()):
        text = item if isinstance(item, str) else json.dumps(item)
        if has_statement(text):
            parts.append(f"{{% set packer_value_{number} %}}{_as_template(text)}{{% endset %}}")
            pairs.append(f"[{as_expression(key)}, packer_value_{number}]")
        else:
            pairs.append(f"[{as_expression(key)}, {as_expression(text)}]")
    return "".join([*parts, f"{{{{ dict([{', '.join(pairs)}]) }}}}"])


def _as_template(text: str) -> str:
    return "".join(_later(it) if number % 2 else _literally(it) for number, it in enumerate(LATE.split(text)))


def _later(piece: str) -> str:
    # Without the plus the line break behind a statement would be lost.
    return f"{{% {piece[1:]} +%}}" if piece.startswith("%") else f"{{{{ {piece} }}}}"


def _literally(text: str) -> str:
    """A part of a template that stands for itself."""
    marked = MARK.sub(lambda mark: f"{{{{ '{mark[0]}' }}}}", text)
    # It would be one mark with what follows.
    return marked[:-1] + "{{ '{' }}" if marked.endswith("{") else marked


__all__ = (
    "as_expression",
    "has_late",
    "has_statement",
    "late",
    "only_late",
    "quoted",
    "statement",
    "to_variable",
    "without_secrets",
)
