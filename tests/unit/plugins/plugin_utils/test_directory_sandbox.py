# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller does to use the sandbox on a directory, with this process in the part of its holder."""

from __future__ import annotations

import dataclasses
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible import constants as C
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import state
from ansible_collections.bakehouse.images.plugins.plugin_utils import _directory_sandbox
from ansible_collections.bakehouse.images.plugins.plugin_utils._directory_sandbox import open_directory
from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import LocalTransport, Outcome

ROOT = "/srv/roots/web"


class Answering(LocalTransport):
    """A transport that gives one answer."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

        self.asked: list[bytes] = []

    def run(self, argv: t.Sequence[str], **streams: t.Any) -> Outcome:
        self.asked.append(streams["stdin"])
        return Outcome(0, self.text.encode(), b"")


class Far(Answering):
    """The same on another machine."""

    is_local = False


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the workers of a run leave notes for each other."""
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))


@pytest.fixture
def record() -> state.SandboxRecord:
    pid = os.getpid()
    return state.SandboxRecord(
        name=state.directory_name(ROOT),
        pid=pid,
        start_time=state.process_start_time(pid) or 0,
        boot_id=state.boot_id(),
        user_namespace=True,
        root=ROOT,
        watch_pid=pid,
    )


def test_a_known_sandbox_is_entered_at_once(record: state.SandboxRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_directory_sandbox, "read_record", lambda _transport, _name: record)
    never = LocalTransport(["no-command-is-run"])
    assert open_directory(never, ROOT, watch_pid=os.getpid()).record == record


@pytest.mark.parametrize("changes", [{"watch_pid": 1}, {"start_time": 1}, None], ids=["another's", "dead", "none"])
def test_else_the_build_host_opens_it(
    changes: dict[str, t.Any] | None, record: state.SandboxRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = None if changes is None else dataclasses.replace(record, **changes)
    monkeypatch.setattr(_directory_sandbox, "read_record", lambda _transport, _name: known)
    answering = Answering(f'{{"answer": {{"record": {record.to_json()}}}}}')
    assert open_directory(answering, ROOT, watch_pid=os.getpid()).record == record


def test_errors_of_the_build_host_come_with_their_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_directory_sandbox, "read_record", lambda _transport, _name: None)
    answering = Answering('{"error": {"kind": "Busy", "message": "Found.", "hint": "Do.", "facts": {}}}')
    with pytest.raises(BuildError) as caught:
        open_directory(answering, ROOT, watch_pid=1)
    assert str(caught.value) == "Found. Do."


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(Invalid, match="must be an absolute path"):
        open_directory(LocalTransport(), "roots/web", watch_pid=1)


def test_elsewhere_it_is_opened_once_and_closes_by_itself(record: state.SandboxRecord) -> None:
    opening = Far(f'{{"answer": {{"record": {record.to_json()}}}}}')
    assert open_directory(opening, ROOT, watch_pid=1, idle_seconds=90).record == record
    request = json.loads(opening.asked[0].partition(b"\n")[0])["request"]
    assert request == {"root": ROOT, "watch_pid": None, "idle_seconds": 90}
    never = Far("")
    session = open_directory(never, ROOT, watch_pid=1)
    assert session.record == record
    assert never.asked == []


def test_one_that_has_closed_is_opened_again(record: state.SandboxRecord) -> None:
    newer = dataclasses.replace(record, start_time=record.start_time + 1)
    transport = Far(f'{{"answer": {{"record": {record.to_json()}}}}}')
    session = open_directory(transport, ROOT, watch_pid=1)
    transport.text = f'{{"answer": {{"record": {newer.to_json()}}}}}'
    assert session.renewed
    assert session.renewed(record) == newer
    assert open_directory(transport, ROOT, watch_pid=1).record == newer
