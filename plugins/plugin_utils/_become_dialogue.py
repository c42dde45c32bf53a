# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The talk with su or sudo where ansible-core's own dialogue has no process to talk to: in an image on another machine,
or behind another sudo; and with that one.

What is a question, a refusal or a success is known to Ansible's become plugin. Here is only the order: wait for the
question, answer, wait for success, then hand over what the command reads.
"""

from __future__ import annotations

import io
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused

if t.TYPE_CHECKING:
    from ansible.plugins.become import BecomeBase


class Source(t.Protocol):
    """What a command reads: an open file, or another dialogue, that of a command which this one runs."""

    def read(self, size: int, /) -> bytes | None:
        """So much of it, nothing at its end; None when there is nothing just now."""
        raise NotImplementedError


class Sink(t.Protocol):
    """What takes an output."""

    def write(self, data: bytes, /) -> t.Any:
        """Take some of it."""
        raise NotImplementedError


class Dialogue:
    """What a command reads, and what takes its outputs, while it asks for a password.

    Args:
        become: Ansible's plugin.
        password: the answer.
        source: what the command itself reads, once it runs.
        patience: how many seconds to wait for a question, and for what follows the answer.
        out, err: take the command's own outputs; without them C(outputs) has those.
        err_mark: a line that the command's error output begins with. Without one, all that has come there by then
            counts as said before; but two outputs do not tell which of them was written to first.
    """

    def __init__(
        self,
        become: BecomeBase,
        password: str,
        source: bytes | Source,
        patience: float,
        *,
        out: Sink | None = None,
        err: Sink | None = None,
        err_mark: str = "",
    ) -> None:
        self.become = become
        self.password = password
        self.source = source
        self._patience = patience
        self.out = _Ear(self, out)
        self.err = _Ear(self, err, err_mark)
        self.seek(0)

    @property
    def patience(self) -> float | None:
        """How long to wait for the next output; None for ever."""
        return getattr(self.rest, "patience", None) if self.passed else self._patience

    def tell(self) -> int:
        """It can be begun again."""
        return 0

    def seek(self, _place: int) -> None:
        """Begin again, with a new command."""
        self.answers = [self.password.encode("utf-8", "surrogateescape") + b"\n"]
        self.due = False
        self.passed = False
        self.rest: Source = io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source
        for ear in (self.out, self.err):
            ear.forget()

    def read(self, size: int) -> bytes | None:
        """What there is to read; None when nothing is to be said yet."""
        if self.due:
            self.due = False
            return self.answers.pop()
        return self.rest.read(size) if self.passed else None

    def hear(self, ear: _Ear) -> None:
        """Look at what was said before the command runs."""
        said = bytes(ear.before)
        if ear.mark:
            if ear.mark in said:
                ear.marked = True
                ear.end_preamble(ear.mark)
        elif self.become.check_success(said):
            self.passed = True
            ear.end_preamble(self.become.success.encode())
        if self.passed:
            return
        if self.become.check_incorrect_password(said):
            raise Refused(f"Incorrect {self.become.name} password")
        elif self.become.check_missing_password(said):
            raise Refused(f"Missing {self.become.name} password")
        elif self.answers and not self.due and self.become.check_password_prompt(said):
            self.due = True

    def outputs(self, *, stripped: bool) -> tuple[bytes, bytes]:
        """Both outputs, without or with what was said before the command ran."""
        out, err = (b"" if stripped else bytes(ear.before) for ear in (self.out, self.err))
        return out + self.out.heard(), err + self.err.heard()

    def said(self) -> str:
        """What was said before the command ran, without the question."""
        said = b"\n".join(bytes(ear.before) for ear in (self.out, self.err)).decode(errors="replace")
        return said.replace(str(self.become.prompt), "").strip()


class _Ear:
    """Takes one output."""

    def __init__(self, dialogue: Dialogue, sink: Sink | None, mark: str = "") -> None:
        self.dialogue = dialogue
        self.sink = sink
        self.mark = f"{mark}\n".encode() if mark else b""
        self.forget()

    def forget(self) -> None:
        """Begin again."""
        self.before = bytearray()
        self.marked = False
        self.after: Sink = self.sink or io.BytesIO()

    def end_preamble(self, mark: bytes) -> None:
        """The line of the mark is its last."""
        said = bytes(self.before)
        start = said.index(mark)
        end = said.find(b"\n", start) + 1 or len(said)
        self.before = bytearray(said[:start])
        if said[end:]:
            self.after.write(said[end:])

    def heard(self) -> bytes:
        """What the command itself has said, where nothing else takes it."""
        return self.after.getvalue() if isinstance(self.after, io.BytesIO) and not self.sink else b""

    def write(self, data: bytes | bytearray) -> None:
        """Take some of it."""
        if self.marked if self.mark else self.dialogue.passed:
            self.after.write(bytes(data))
        else:
            self.before += data
            self.dialogue.hear(self)


__all__ = ("Dialogue", "Sink", "Source")
