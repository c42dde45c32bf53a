# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running lab for tests. Import C(lab) into a conftest.py to have it there as a fixture."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.config
import pytest

from lab.cli import read_env
from lab.client import LabClient
from lab.config import OSC_ACCOUNT, LabFiles
from tests.osc_client import OscClient

CHECKOUT = Path(__file__).resolve().parent.parent


class RunningLab:
    """One lab that is up.

    Attributes:
        dir: its folder.
        env: the variables that lead any AWS tool to it; add them to the environment of what you run.
        api: changes settings, makes faults, counts calls.
    """

    def __init__(self, folder: Path) -> None:
        self.dir = folder
        self.env = read_env(LabFiles(folder))
        self.api = LabClient(self.env["AWS_ENDPOINT_URL"])
        status = self.api.status()
        self.instance_id = str(status["instance_id"])
        self.zone = str(status["zone"])
        self.region = str(status["region"])
        self.account = str(status["account"])
        self._clients: dict[tuple[str, str | None, str | None], t.Any] = {}

    def client(self, service: str, *, region: str | None = None, account: str | None = None) -> t.Any:
        """A boto3 client of this lab, whatever the environment says. It does not retry; threads may share it.

        Args:
            service: such as C(ec2) or C(ebs).
            region: the lab's by default.
            account: another account's id: calls are made as that account.
        """
        key = (service, region, account)
        if key not in self._clients:
            self._clients[key] = self._make_client(service, region, account)
        return self._clients[key]

    def _make_client(self, service: str, region: str | None, account: str | None) -> t.Any:
        client = boto3.session.Session().client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.env["AWS_ENDPOINT_URL"],
            region_name=region or self.region,
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )
        if account:
            client.meta.events.register(
                "before-sign.*.*", lambda request, **_: request.headers.add_header("x-moto-account-id", account)
            )
        return client

    def osc(self, account: str = OSC_ACCOUNT) -> OscClient:
        """A client of this lab's Outscale, as an account. It does not retry."""
        return OscClient(self.env["OSC_ENDPOINT_API"], account)

    def environ(self, **more: str) -> dict[str, str]:
        """The environment for a command that is to use this lab."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "OSC_"))}
        return {**kept, **self.env, **more}


def lab_command(*arguments: str, folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run C(python -m lab)."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments, "--dir", str(folder)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=check,
    )


@contextlib.contextmanager
def running_lab(folder: Path, *options: str) -> Iterator[RunningLab]:
    """A lab of one's own for a C(with) block, with options of C(lab up)."""
    done = lab_command("up", *options, folder=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    try:
        yield RunningLab(folder)
    finally:
        done = lab_command("down", folder=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session", name="session_lab")
def _session_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """A Nitro lab that all tests of a session share."""
    with running_lab(tmp_path_factory.mktemp("lab") / "lab") as lab:
        yield lab


@pytest.fixture
def lab(session_lab: RunningLab) -> Iterator[RunningLab]:
    """The session's lab with settings as at its start, without faults, and with an empty log of calls."""
    session_lab.api.reset()
    yield session_lab
    session_lab.api.reset()


__all__ = ("RunningLab", "_session_lab", "lab", "lab_command", "running_lab")
