# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab as a background process: starting it, finding it, stopping it, and cleaning up after it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lab.config import LabConfig, LabFiles, environment, shell_lines
from lab.plane.leftovers import free_below

#: Seconds that a server may take to be ready, and to stop.
START_SECONDS = 180
STOP_SECONDS = 60


class LabFailure(Exception):
    """The lab could not be started or stopped; the text is for humans."""


def start(config: LabConfig) -> int | None:
    """Start a server and wait until it answers; its port, or None when one is up already.

    Raises:
        LabFailure: the folder is not a lab's, or the server did not start (with the end of its log).
    """
    files = LabFiles(config.folder)
    _claim(files)
    with _locked(files):
        if running_pid(files) is not None:
            return None
        _clear(files)
        files.data.mkdir(mode=0o700)
        files.records.mkdir()
        config.save(files.marker)
        try:
            port = _spawn(files)
        except LabFailure as exc:
            problems = free_below(files.folder, files.records)
            raise LabFailure("\n".join([str(exc), *problems])) from None
        files.env.write_text(shell_lines(environment(port, config.region)))
        return port


def stop(folder: Path) -> bool:
    """Stop the lab of a folder and remove all it made. False when there is none.

    Raises:
        LabFailure: something of it is still in use; what is said in the text.
    """
    files = LabFiles(folder)
    if not files.marker.exists():
        return False
    with _locked(files):
        pid = running_pid(files)
        if pid is not None:
            _end(files, pid)
        _clear(files)
    shutil.rmtree(folder)
    return True


def running_pid(files: LabFiles) -> int | None:
    """The process of a folder's lab, or None. A number that another process has got since does not count."""
    try:
        pid, started = files.pid.read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if _start_time(int(pid)) == started else None


def _claim(files: LabFiles) -> None:
    folder = files.folder
    if folder.exists() and any(folder.iterdir()) and not files.marker.exists():
        raise LabFailure(f"{folder} is not empty and not a lab's folder. Choose another one with --dir.")
    folder.mkdir(parents=True, exist_ok=True)
    if not files.marker.exists():
        files.marker.write_text("{}\n")


@contextlib.contextmanager
def _locked(files: LabFiles) -> Iterator[None]:
    with open(files.marker, "rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _clear(files: LabFiles) -> None:
    problems = free_below(files.folder, files.records)
    if problems:
        raise LabFailure("\n".join(problems))
    for path in files.folder.iterdir():
        if path == files.marker:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _spawn(files: LabFiles) -> int:
    reader, writer = os.pipe()
    code_root = str(Path(__file__).resolve().parent.parent)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_", "OSC_"))}
    with open(files.log, "ab") as log, os.fdopen(reader) as answer:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab", "serve", "--dir", str(files.folder), "--ready-fd", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**kept, "PYTHONPATH": code_root, "PYTHONDONTWRITEBYTECODE": "1"},
            pass_fds=(writer,),
            start_new_session=True,
        )
        os.close(writer)
        files.pid.write_text(f"{process.pid} {_start_time(process.pid)}\n")
        line = _read_line(answer.fileno(), START_SECONDS)
    if not line:
        process.kill()
        process.wait()
        files.pid.unlink(missing_ok=True)
        raise LabFailure(f"The lab did not start. The end of {files.log}:\n{_tail(files.log)}")
    return int(json.loads(line)["port"])


def _read_line(descriptor: int, seconds: float) -> bytes:
    os.set_blocking(descriptor, False)
    deadline = time.monotonic() + seconds
    content = b""
    while time.monotonic() < deadline:
        try:
            chunk = os.read(descriptor, 4096)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        if not chunk:
            break
        content += chunk
    return content


def _end(files: LabFiles, pid: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if running_pid(files) is None:
                return
            time.sleep(0.02)
    raise LabFailure(f"The lab's process {pid} does not end.")


def _start_time(pid: int) -> str:
    """When a process was started, in clock ticks since boot; empty when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def _tail(path: Path, lines: int = 20) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
