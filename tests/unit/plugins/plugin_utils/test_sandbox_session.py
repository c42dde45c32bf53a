# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions, with the test's own process in the part of the sandbox's holder."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible import constants as C
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.plugin_utils._sandbox_guard import found_gone, guarded
from ansible_collections.bakehouse.images.plugins.plugin_utils._sandbox_session import (
    SandboxSession,
    attach_to_sandbox,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import LocalTransport, Outcome


class Scripted(LocalTransport):
    """A transport whose commands end as told."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome
        self.seen: list[list[str]] = []

    def run(self, argv: t.Sequence[str], **_streams: t.Any) -> Outcome:
        self.seen.append(list(argv))
        return self.outcome


class Far(Scripted):
    """The same on another machine, whose processes cannot be seen from here."""

    is_local = False

    def __init__(self, *outcomes: Outcome) -> None:
        super().__init__(outcomes[0])
        self.outcomes = iter(outcomes)

    def run(self, argv: t.Sequence[str], **streams: t.Any) -> Outcome:
        super().run(argv)
        return next(self.outcomes)


GONE = Outcome(69, b"", b"bakehouse: the sandbox is gone\n")
DONE = Outcome(0, b"done", b"")


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the workers of a run leave notes for each other."""
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))


@pytest.fixture
def record() -> state.SandboxRecord:
    pid = os.getpid()
    start = state.process_start_time(pid)
    assert start is not None
    return state.SandboxRecord(
        name="web", pid=pid, start_time=start, boot_id=state.boot_id(), user_namespace=True, root="/srv/web"
    )


@pytest.fixture
def dead(record: state.SandboxRecord) -> state.SandboxRecord:
    return dataclasses.replace(record, start_time=record.start_time - 1)


def test_the_command_is_one_list_to_its_end(record: state.SandboxRecord) -> None:
    argv = SandboxSession(LocalTransport(), record).argv(["sh", "-c", "a && b"], user="root")
    assert argv[-4:] == ["root", "sh", "-c", "a && b"]
    assert not any(word.startswith("--reuid") for word in argv)


def test_a_dead_sandbox_is_not_entered_even_when_its_pid_lives_on(dead: state.SandboxRecord) -> None:
    transport = Scripted(Outcome(0, b"", b""))
    with pytest.raises(NotFound, match="has been closed"):
        SandboxSession(transport, dead).run(["true"], user="root")
    assert transport.seen == []


def test_a_sandbox_that_goes_takes_its_command_along(
    record: state.SandboxRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True, False])
    monkeypatch.setattr(state, "is_alive", lambda _record: next(answers))
    with pytest.raises(NotFound, match="while a command ran"):
        SandboxSession(Scripted(Outcome(137, b"", b"")), record).run(["true"], user="root")


def test_a_command_killed_in_an_open_sandbox_is_only_that(record: state.SandboxRecord) -> None:
    done = SandboxSession(Scripted(Outcome(137, b"", b"")), record).run(["true"], user="root")
    assert done.rc == 137


class TestForOthersThanRoot:
    """The record is read over the transport."""

    @pytest.fixture(autouse=True)
    def not_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def test_it_is_read_once_for_all_workers_of_a_run(self, record: state.SandboxRecord) -> None:
        attach_to_sandbox(Scripted(Outcome(0, record.to_json().encode(), b"")), "web")
        never = Scripted(Outcome(1, b"", b"never asked"))
        assert attach_to_sandbox(never, "web").record == record
        assert never.seen == []

    def test_an_open_sandbox(self, record: state.SandboxRecord) -> None:
        transport = Scripted(Outcome(0, record.to_json().encode(), b""))
        assert attach_to_sandbox(transport, "web").record == record
        assert transport.seen == [["cat", "--", "/run/bakehouse/sandboxes/web.json"]]

    @pytest.mark.parametrize("reason", [None, "The build failed: no space left."])
    def test_a_closed_sandbox_says_why(self, dead: state.SandboxRecord, reason: str | None) -> None:
        for outcome in (
            Outcome(0, dead.to_json().encode(), b""),
            Outcome(1, b"", b"cat: /run/bakehouse/sandboxes/web.json: No such file or directory\n"),
        ):
            with pytest.raises(NotFound) as caught:
                attach_to_sandbox(Scripted(outcome), "web", closed_reason=reason)
            assert str(caught.value).startswith("The sandbox web of this image is not open")
            assert (reason or "") in str(caught.value)

    @pytest.mark.parametrize(
        "outcome",
        [
            Outcome(1, b"", b"sudo: a password is required\n"),
            Outcome(1, b"", b"cat: /run/bakehouse/sandboxes/web.json: Permission denied\n"),
        ],
        ids=["sudo refuses", "no sudo asked for"],
    )
    def test_no_rights(self, outcome: Outcome) -> None:
        with pytest.raises(Refused, match="does not run as root, and sudo -n fails") as caught:
            attach_to_sandbox(Scripted(outcome), "web")
        assert outcome.err.decode().strip() in str(caught.value)

    def test_no_sudo_at_all(self) -> None:
        with pytest.raises(Refused, match="does not run as root"):
            attach_to_sandbox(LocalTransport(["sudo-of-nowhere"]), "web")

    def test_no_record_in_the_file(self) -> None:
        with pytest.raises(BuildError, match="not the record of a sandbox"):
            attach_to_sandbox(Scripted(Outcome(0, b"[]", b"")), "web")


class TestOnAnotherMachine:
    """Whether the sandbox is there is asked in the command that enters it."""

    @pytest.fixture(autouse=True)
    def nobody_looks_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def looked(_record: state.SandboxRecord) -> bool:
            raise AssertionError("the controller's processes say nothing about a build host elsewhere")

        monkeypatch.setattr(state, "is_alive", looked)

    def guard(self, record: state.SandboxRecord) -> Outcome:
        """What the guard says, here, of a record."""
        return LocalTransport().run(guarded(record, ["echo", "entered"]))

    def test_the_guard_lets_pass_who_enters_the_process_that_is_meant(self, record: state.SandboxRecord) -> None:
        assert self.guard(record) == Outcome(0, b"entered\n", b"")

    @pytest.mark.parametrize(
        "changes",
        [{"start_time": 1}, {"boot_id": "another"}, {"pid": 2**22 + 1}],
        ids=["another process", "another boot", "no process"],
    )
    def test_and_nobody_else(self, changes: dict[str, t.Any], record: state.SandboxRecord) -> None:
        outcome = self.guard(dataclasses.replace(record, **changes))
        assert found_gone(outcome)
        assert outcome == GONE

    def test_a_zombie_is_not_there(self, record: state.SandboxRecord) -> None:
        with subprocess.Popen(["sleep", "60"]) as process:
            dead = dataclasses.replace(record, pid=process.pid, start_time=state.process_start_time(process.pid) or 0)
            assert self.guard(dead).rc == 0
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert found_gone(self.guard(dead))

    def test_one_command_is_all_it_takes(self, record: state.SandboxRecord) -> None:
        transport = Far(DONE)
        assert SandboxSession(transport, record).run(["true"], user="root") == DONE
        assert len(transport.seen) == 1

    def test_what_has_taken_the_place_of_one_that_is_gone_is_entered(
        self, record: state.SandboxRecord, dead: state.SandboxRecord
    ) -> None:
        transport = Far(GONE, DONE)
        session = SandboxSession(transport, dead, renewed=lambda _gone: record)
        stdin = io.BytesIO(b"head, rest")
        stdin.seek(6)
        assert session.run(["cat"], user="root", stdin=stdin) == DONE
        assert str(record.start_time) in transport.seen[1]
        assert stdin.tell() == 6

    def test_one_that_is_gone_for_good_says_why(self, record: state.SandboxRecord) -> None:
        read = Outcome(0, record.to_json().encode(), b"")
        session = attach_to_sandbox(Far(read, GONE, read), "web", closed_reason="It is built.")
        with pytest.raises(NotFound, match=r"is not open \(any more\). It is built."):
            session.run(["true"], user="root")

    def test_a_sandbox_that_goes_takes_its_command_along(self, record: state.SandboxRecord) -> None:
        with pytest.raises(NotFound, match="while a command ran"):
            SandboxSession(Far(Outcome(137, b"", b""), GONE), record).run(["true"], user="root")

    def test_a_login_without_rights_is_told_what_to_do(self) -> None:
        refusing = Far(Outcome(1, b"", b"cat: /run/bakehouse/sandboxes/web.json: Permission denied\n"))
        with pytest.raises(Refused, match="the user who logs in there has none.* Permission denied.* log in as root"):
            attach_to_sandbox(refusing, "web")
