# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of agents: known as dead, and removed, only when nothing of them lives."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import agent_state, state

THIS = agent_state.Running(os.getpid(), state.process_start_time(os.getpid()) or 0, state.boot_id(), "token")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the name of a socket."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def keep(folder: Path, name: str, running: agent_state.Running | None) -> socket.socket:
    """An agent that listens, as far as can be seen from here, until the socket is closed."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / name))
    listener.listen()
    if running:
        agent_state.write_agent(name, running, str(folder))
    with agent_state.locked_agent(name, str(folder)):
        return listener


def test_one_that_lives_is_kept(folder: Path) -> None:
    with keep(folder, "web", THIS):
        before = sorted(os.listdir(folder))
        agent_state.forget_dead_agents(str(folder))
        assert sorted(os.listdir(folder)) == before == ["web", "web.json", "web.lock"]
        assert agent_state.read_agent("web", str(folder)) == THIS


@pytest.mark.parametrize(
    "running",
    [replace(THIS, start_time=1), replace(THIS, boot_id="another"), replace(THIS, pid=2**22 + 1), None],
    ids=["another process has its id", "of another boot", "its process is gone", "it was never noted"],
)
def test_one_that_is_dead_is_forgotten(folder: Path, running: agent_state.Running | None) -> None:
    keep(folder, "web", running).close()
    with keep(folder, "other", THIS):
        agent_state.forget_dead_agents(str(folder))
        assert agent_state.read_agent("web", str(folder)) is None
        assert sorted(os.listdir(folder)) == ["other", "other.json", "other.lock"]


def test_one_that_listens_is_kept_although_its_process_is_not_known(folder: Path) -> None:
    with keep(folder, "web", None):
        agent_state.forget_dead_agents(str(folder))
        assert (folder / "web").is_socket()


def test_one_that_is_just_being_started_is_left_alone(folder: Path) -> None:
    keep(folder, "web", None).close()
    with agent_state.locked_agent("web", str(folder)):
        agent_state.forget_dead_agents(str(folder))
        assert sorted(os.listdir(folder)) == ["web", "web.lock"]


def test_the_lock_is_that_of_the_file_there_is(folder: Path) -> None:
    """Who waits for the lock of a file that is removed meanwhile locks the next one of that name."""
    with agent_state.locked_agent("web", str(folder)):
        agent_state.forget_agent("web", str(folder))
        second = agent_state.locked_agent("web", str(folder), wait=False)
        third = agent_state.locked_agent("web", str(folder), wait=False)
        with second, pytest.raises(BlockingIOError), third:
            raise AssertionError("locked twice")


def test_without_a_folder_there_is_nothing_to_forget(folder: Path) -> None:
    agent_state.forget_dead_agents(str(folder / "nowhere"))
