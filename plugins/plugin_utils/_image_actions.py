# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Actions: the small operations on an image that little-vm-helper calls actions, read from a list.

They need no Python in the image. An action is a mapping with C(type), C(op), the operation's own values, and
C(comment) if wanted. Keys of C(op) are written as little-vm-helper writes them, capitalised.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t
from difflib import get_close_matches
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import has_template

ACTION_KEYS = ("type", "op", "comment")
HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
OCTAL_MODE = re.compile(r"0[0-7]{1,5}")
DECIMAL_MODE = re.compile(r"[1-9][0-9]{0,4}")
LARGEST_MODE = 0o7777


@dataclasses.dataclass(frozen=True)
class Operation:
    """What one type of action takes.

    Attributes:
        keys: the keys of C(op), all needed.
        local: the key that names a file or folder of the controller.
        remote: the keys that name a path in the image.
        shown: the key whose value stands for the action in titles.
    """

    keys: tuple[str, ...]
    local: str | None = None
    remote: tuple[str, ...] = ()
    shown: str = ""


OPERATIONS: dict[str, Operation] = {
    "run-command": Operation(("Cmd",), shown="Cmd"),
    "copy-in": Operation(("LocalPath", "RemoteDir"), local="LocalPath", remote=("RemoteDir",), shown="LocalPath"),
    "set-hostname": Operation(("Hostname",), shown="Hostname"),
    "mkdir": Operation(("Dir",), remote=("Dir",), shown="Dir"),
    "upload": Operation(("File", "Dest"), local="File", remote=("Dest",), shown="File"),
    "chmod": Operation(("Permissions", "File"), remote=("File",), shown="File"),
    "append-line": Operation(("File", "Line"), remote=("File",), shown="File"),
    "link": Operation(("Target", "Link"), remote=("Link",), shown="Link"),
    "install-kernel": Operation(("KernelInstallDir",), local="KernelInstallDir", shown="KernelInstallDir"),
    "tar-in": Operation(("TarFile", "RemoteDir"), local="TarFile", remote=("RemoteDir",), shown="TarFile"),
}

# Values that may be empty; every other one is there for a reason.
MAY_BE_EMPTY = frozenset({("append-line", "Line")})


@dataclasses.dataclass(frozen=True)
class Action:
    """One action.

    Attributes:
        number: its place in the list, from 1.
        type: one of OPERATIONS.
        op: the values, under the keys as OPERATIONS spells them.
        comment: what its author says of it; may be empty.
    """

    number: int
    type: str
    op: dict[str, str]
    comment: str = ""

    @property
    def title(self) -> str:
        """The author's words, else the type and its chief value."""
        lines = str(self.op[OPERATIONS[self.type].shown]).strip().splitlines()
        return self.comment or f"{self.type} {lines[0] if lines else ''}".strip()[:80]

    @property
    def local(self) -> str | None:
        """The file or folder of the controller that it takes, as written."""
        key = OPERATIONS[self.type].local
        return self.op[key] if key else None

    def with_local(self, path: str) -> Action:
        """The same action with another path on the controller."""
        key = OPERATIONS[self.type].local
        return dataclasses.replace(self, op={**self.op, key: path}) if key else self

    def to_dict(self) -> dict[str, t.Any]:
        """The action as a user writes it."""
        written: dict[str, t.Any] = {"type": self.type, "op": dict(self.op)}
        return {**written, "comment": self.comment} if self.comment else written


@dataclasses.dataclass
class ReadActions:
    """What was read: the well-formed actions, and a sentence for each mistake and for each oddity."""

    actions: list[Action] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


def read_actions(raw: t.Any, where: str, *, lenient: bool = False) -> ReadActions:
    """Read a list of actions.

    Args:
        raw: the list.
        where: what the list belongs to, for messages, such as C(image k8s).
        lenient: read as little-vm-helper does: case of keys does not matter, keys it does not know are ignored
            (with a warning), permissions without a leading zero are decimal.
    """
    found = ReadActions()
    if raw is None:
        return found
    if not isinstance(raw, list):
        found.problems.append(f"{where}: actions must be a list, and is {described(raw)}.")
        return found
    for number, item in enumerate(raw, start=1):
        _Reader(found, f"{where}, action {number}", lenient).read(number, item)
    return found


class _Reader:
    """Reads one action and notes what is wrong with it."""

    def __init__(self, found: ReadActions, where: str, lenient: bool) -> None:
        self.found = found
        self.where = where
        self.lenient = lenient

    def read(self, number: int, item: t.Any) -> None:
        before = len(self.found.problems)
        if not isinstance(item, dict):
            self._wrong(f"must be a mapping with type and op, and is {described(item)}")
            return
        given = self._known(item, ACTION_KEYS, "")
        comment = self._text(given.get("comment"), "comment")
        if comment:
            self.where += f" ({comment})"
        kind = self._type(given.get("type"))
        if kind is None:
            return
        op = self._operation(kind, given.get("op"))
        if len(self.found.problems) == before:
            self.found.actions.append(Action(number, kind, op, comment))

    def _wrong(self, sentence: str) -> None:
        self.found.problems.append(f"{self.where}: {sentence}{'' if sentence.endswith(('.', '?')) else '.'}")

    def _type(self, kind: t.Any) -> str | None:
        if isinstance(kind, str) and kind in OPERATIONS:
            return kind
        if kind is None or kind == "":
            self._wrong(f"has no type. Types: {', '.join(OPERATIONS)}")
        else:
            self._wrong(f"the type {kind!r} is not known. {suggestion(str(kind), OPERATIONS)}")
        return None

    def _operation(self, kind: str, raw: t.Any) -> dict[str, str]:
        operation = OPERATIONS[kind]
        if not isinstance(raw, dict):
            self._wrong(f"{kind} needs op with {' and '.join(operation.keys)}, and op is {described(raw)}")
            return {}
        given = self._known(raw, operation.keys, "op.")
        op = {key: self._text(given.get(key), f"op.{key}", needed=(kind, key)) for key in operation.keys}
        for key in op:
            if op[key] and (self.lenient or not has_template(op[key])):
                op[key] = self._checked(kind, key, op[key])
        return op

    def _checked(self, kind: str, key: str, value: str) -> str:
        """The value of one key, complained about where it is wrong. What is a template shows when it is rendered."""
        if key in OPERATIONS[kind].remote:
            self._check_remote(f"op.{key}", value)
        if (kind, key) == ("chmod", "Permissions"):
            return self._mode(value)
        if (kind, key) == ("set-hostname", "Hostname") and not HOST_NAME.fullmatch(value):
            self._wrong(f"op.Hostname {value!r} is not a host name: letters, digits, . and - only")
        return value

    def _known(self, item: dict[t.Any, t.Any], keys: t.Sequence[str], prefix: str) -> dict[str, t.Any]:
        """The values under their keys as we spell them."""
        given, unknown = known_keys(item, keys, any_case=self.lenient)
        for key in unknown:
            if self.lenient:
                self.found.warnings.append(f"{self.where}: {prefix}{key} is not known and ignored.")
            else:
                self._wrong(f"does not take {prefix}{key}. {suggestion(key, keys, 'It takes')}")
        return given

    def _text(self, value: t.Any, name: str, needed: tuple[str, str] | None = None) -> str:
        if value is None or value == "":
            if needed and needed not in MAY_BE_EMPTY:
                self._wrong(f"{needed[0]} has no {name}")
            return ""
        if not isinstance(value, str):
            hint = ". Put it in quotes" if isinstance(value, (int, float)) else ""
            self._wrong(f"{name} must be a text, and is {described(value)}{hint}")
            return ""
        if "\0" in value:
            self._wrong(f"{name} holds a null byte")
        return value

    def _check_remote(self, name: str, path: str) -> None:
        if path and not path.startswith("/"):
            self._wrong(f"{name} {path!r} must be an absolute path in the image, beginning with /")
        elif path and climbs(path):
            self._wrong(f"{name} {path!r} leads out of the image: its '..' go above /")

    def _mode(self, given: str) -> str:
        """The permissions as octal digits with a leading zero."""
        if OCTAL_MODE.fullmatch(given) and int(given, 8) <= LARGEST_MODE:
            return given
        if self.lenient and DECIMAL_MODE.fullmatch(given) and int(given) <= LARGEST_MODE:
            octal = f"0{int(given):o}"
            self.found.warnings.append(
                f"{self.where}: Permissions {given} has no leading zero, so little-vm-helper reads it as a decimal"
                f" number: {octal} in octal. Write 0{given} if that is what you mean."
            )
            return octal
        self._wrong(f"op.Permissions {given!r} must be octal digits with a leading zero, such as 0755")
        return given


def known_keys(
    item: t.Mapping[t.Any, t.Any], keys: t.Iterable[str], *, any_case: bool
) -> tuple[dict[str, t.Any], list[str]]:
    """The values of the keys that are known, under their own spelling, and the keys that are not.

    Of keys that differ only in case the last one counts, as in Go.
    """
    spelled = {(key.casefold() if any_case else key): key for key in keys}
    given, unknown = {}, []
    for key, value in item.items():
        known = spelled.get(str(key).casefold() if any_case else str(key))
        if known is None:
            unknown.append(str(key))
        else:
            given[known] = value
    return given, unknown


def climbs(path: str) -> bool:
    """Whether an absolute or relative path leads above where it begins."""
    return posixpath.normpath(path.lstrip("/") or ".").split("/")[0] == ".."


def suggestion(word: str, known: t.Iterable[str], otherwise: str = "Known are") -> str:
    """The nearest known word, else all of them."""
    words = list(known)
    lowered = {candidate.casefold(): candidate for candidate in words}
    near = get_close_matches(word.casefold(), lowered, n=1)
    return f"Did you mean {lowered[near[0]]}?" if near else f"{otherwise}: {', '.join(words)}."


def described(value: t.Any) -> str:
    """A value in words, for an error."""
    if value is None:
        return "missing"
    if isinstance(value, str):
        return f"the text {value!r}" if value else "an empty text"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return f"a mapping with {', '.join(map(str, value)) or 'nothing in it'}"
    return repr(value)


def find_kernel(folder: Path) -> tuple[Path | None, str]:
    """The kernel of an install folder (C(make install) and C(modules_install) went there), or what is wrong."""
    kernels = [path for path in sorted((folder / "boot").glob("vmlinuz-*")) if path.is_file() and not path.is_symlink()]
    if len(kernels) != 1:
        found = ", ".join(path.name for path in kernels) or "none"
        return None, f"{folder}/boot must hold exactly one kernel (a file vmlinuz-*), and holds {found}"
    if not (folder / "lib" / "modules").is_dir():
        return None, f"{folder} has no folder lib/modules"
    return kernels[0], ""


def local_problem(action: Action, path: Path) -> str:
    """What is wrong with the file or folder that an action takes, once it is known to exist; empty if nothing."""
    if action.type == "install-kernel":
        return find_kernel(path)[1]
    if action.type in ("upload", "tar-in") and not path.is_file():
        return f"{path} is not a file"
    return ""


__all__ = (
    "ACTION_KEYS",
    "OPERATIONS",
    "Action",
    "ReadActions",
    "climbs",
    "described",
    "find_kernel",
    "known_keys",
    "local_problem",
    "read_actions",
    "suggestion",
)
