# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose sandbox on a directory is used, with this process in the part of its holder."""

from __future__ import annotations

import os
import subprocess
import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Busy
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import directory, opening, state

ROOT = "/srv/roots/web"


def sandbox_for(watch_pid: t.Optional[int]) -> state.SandboxRecord:
    pid = os.getpid()
    return state.SandboxRecord(
        name=state.directory_name(ROOT),
        pid=pid,
        start_time=state.process_start_time(pid) or 0,
        boot_id=state.boot_id(),
        user_namespace=True,
        root=ROOT,
        watch_pid=watch_pid,
    )


@pytest.fixture
def ended_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """What opening finds, one time after the other."""

    def find(*records: state.SandboxRecord) -> None:
        found = iter(records)
        monkeypatch.setattr(
            opening, "open_sandbox", lambda _request, *, runner: opening.OpenResult(next(found), changed=True)
        )
        monkeypatch.setattr(directory, "_forget_dead", lambda _runner: None)

    return find


def test_a_sandbox_for_this_controller_is_taken(opened: t.Callable[..., None]) -> None:
    opened(sandbox_for(os.getpid()))
    assert directory.open_for(ROOT, os.getpid(), 0).watch_pid == os.getpid()


def test_one_that_is_about_to_close_is_waited_for(opened: t.Callable[..., None], ended_pid: int) -> None:
    opened(sandbox_for(ended_pid), sandbox_for(ended_pid), sandbox_for(os.getpid()))
    assert directory.open_for(ROOT, os.getpid(), 0).watch_pid == os.getpid()


@pytest.mark.parametrize("other", [1, None], ids=["another controller", "controllers elsewhere"])
def test_one_that_others_use_is_not(opened: t.Callable[..., None], other: t.Optional[int]) -> None:
    opened(sandbox_for(other))
    with pytest.raises(Busy, match="The directory /srv/roots/web is in use"):
        directory.open_for(ROOT, os.getpid(), 0)


def test_controllers_elsewhere_share_one(opened: t.Callable[..., None]) -> None:
    opened(sandbox_for(None))
    request = {"root": ROOT, "watch_pid": None, "idle_seconds": 300.0}
    answer = directory.open_for_connection(request)
    assert answer["record"]["pid"] == os.getpid()
    assert answer["record"]["watch_pid"] is None
