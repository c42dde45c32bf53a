# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Booting a disk image in QEMU until its console shows what is waited for."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, NotFound, WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.accelerators import choose_accelerator
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.console import Console
from ansible_collections.bakehouse.images.plugins.module_utils._qemu.machine import (
    QEMU,
    Machine,
    detect_format,
    find_firmware,
    machine_problems,
)
from ansible_collections.bakehouse.images.plugins.module_utils._run import Runner, tool_environment

LOGIN_PROMPT = r"^\S+ login:"

# After these nothing good follows, so that it is not waited for.
HOPELESS = (
    r"Kernel panic - not syncing",
    r"^grub rescue>",
    r"^\(initramfs\)",
    r"^dracut:/#",
    r"You are in (emergency|rescue) mode",
    r"No bootable device",
    r"BdsDxe: No bootable option",
)

# Seconds between looks at the clock while the console is silent.
LOOK_SECONDS = 0.5

# How long the rest of a line may take to come. Prompts have none.
LINE_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class BootRequest:
    """What to boot, how, and what to wait for."""

    path: str
    disk_format: str = ""
    firmware: str = "bios"
    accelerator: str = "auto"
    disk_interface: str = "nvme"
    memory_mib: int = 1024
    cpus: int = 2
    wait_for: str = LOGIN_PROMPT
    expect: t.Tuple[str, ...] = ()
    fail_on: t.Tuple[str, ...] = ()
    timeout_seconds: float = 300.0
    console_path: str = ""


@dataclasses.dataclass(frozen=True)
class BootOutcome:
    """How a boot went that reached what was waited for."""

    matched: str
    expected: t.List[str]
    boot_seconds: float
    accelerator: str
    disk_format: str
    console: str

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """A module's result."""
        return dataclasses.asdict(self)


def boot(request: BootRequest, runner: Runner) -> BootOutcome:
    """Boot the image and wait. The image is not changed, and the machine is gone when this returns or raises.

    Raises:
        Invalid: a regular expression is none, or the machine's size makes no sense.
        NotFound: the image, QEMU or the firmware is not there.
        WaitTimeout: the time was up.
        BuildError: the guest showed that it cannot boot, or ended.
    """
    machine_problems(request.memory_mib, request.cpus)
    watched = Watched(request)
    if shutil.which(QEMU, path=tool_environment()["PATH"]) is None:
        raise NotFound("The command %s is not installed on this host." % QEMU, hint="Install QEMU for x86 systems.")
    disk_format = request.disk_format or detect_format(runner, request.path)
    accelerator = choose_accelerator(runner, request.accelerator)
    with tempfile.TemporaryDirectory(prefix="bakehouse-") as folder:
        machine = settle_machine(request, disk_format, accelerator, folder)
        started = time.monotonic()
        with running(machine, folder) as process:
            console = Console()
            watch(process, console, watched, request, started, os.path.join(folder, "stderr"))
    seconds = round(time.monotonic() - started, 1)
    matched, *expected = watched.lines()
    return BootOutcome(matched, expected, seconds, accelerator, disk_format, console.tail())


class Watched:
    """What the console must show, all of it in whatever order, and what it must not show.

    Raises:
        Invalid: a regular expression is none.
    """

    def __init__(self, request: BootRequest) -> None:
        self.wanted = (request.wait_for,) + request.expect
        self.patterns = [compile_pattern(text) for text in self.wanted + request.fail_on + HOPELESS]
        self.seen: t.Dict[int, str] = {}

    def look(self, console: Console) -> None:
        """Take in what the console has newly shown."""
        for number, line in console.find(self.patterns).items():
            self.seen.setdefault(number, line)

    def look_again(self, console: Console) -> bool:
        """Take in what has come of the lines that were seen; whether that is all. What is waited for may be a prompt,
        and is never more than it is."""
        whole = True
        for number in self.seen:
            found = console.first(self.patterns[number])
            if found:
                self.seen[number] = found[0]
                whole = whole and (found[1] or number == 0)
        return whole

    def missing(self) -> t.List[str]:
        """The regular expressions that no line has matched yet."""
        return [text for number, text in enumerate(self.wanted) if number not in self.seen]

    def bad_line(self) -> str:
        """The line after which nothing good follows; empty while there is none."""
        return next((line for number, line in sorted(self.seen.items()) if number >= len(self.wanted)), "")

    def lines(self) -> t.List[str]:
        """The lines that were wanted."""
        return [self.seen[number] for number in range(len(self.wanted))]


def compile_pattern(text: str) -> t.Pattern[str]:
    """A regular expression for lines of the console."""
    try:
        return re.compile(text, re.MULTILINE)
    except re.error as exc:
        raise Invalid(["%r is not a regular expression: %s." % (text, exc)]) from exc


def settle_machine(request: BootRequest, disk_format: str, accelerator: str, folder: str) -> Machine:
    """The machine asked for, with variables of its own for its firmware."""
    machine = Machine(
        disk=request.path,
        disk_format=disk_format,
        disk_interface=request.disk_interface,
        accelerator=accelerator,
        memory_mib=request.memory_mib,
        cpus=request.cpus,
    )
    if request.firmware == "bios":
        return machine
    firmware = find_firmware()
    variables = os.path.join(folder, "variables")
    shutil.copyfile(firmware.variables, variables)
    return dataclasses.replace(machine, code=firmware.code, variables=variables)


@contextlib.contextmanager
def running(machine: Machine, folder: str) -> t.Iterator[subprocess.Popen[bytes]]:
    """The machine, running. It dies with this process, also when that is killed (PR_SET_PDEATHSIG)."""
    with open(os.path.join(folder, "stderr"), "wb") as errors:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--"] + machine.argv(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(tool_environment(), TMPDIR=folder),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def watch(
    process: subprocess.Popen[bytes],
    console: Console,
    watched: Watched,
    request: BootRequest,
    started: float,
    errors: str,
) -> None:
    """Read the console until all that is wanted has appeared."""
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open_log(request.console_path)) if request.console_path else None

        def take(data: bytes) -> None:
            if log:
                log.write(data)
                log.flush()
            console.feed(data)

        for data in pieces(process, started + request.timeout_seconds):
            take(data)
            watched.look(console)
            if watched.missing() and not watched.bad_line():
                continue
            if not watched.look_again(console):
                for rest in pieces(process, time.monotonic() + LINE_SECONDS):
                    take(rest)
                    if watched.look_again(console):
                        break
            if not watched.missing():
                return
            raise failure(BuildError, "The guest printed %r." % watched.bad_line(), console, request)
    if process.poll() is None:
        missing = " and ".join(repr(text) for text in watched.missing())
        message = "%s did not appear on the console within %g seconds." % (missing, request.timeout_seconds)
        raise failure(WaitTimeout, message, console, request)
    with open(errors, encoding="utf-8", errors="replace") as stream:
        said = stream.read().strip()
    raise failure(BuildError, "The machine ended with status %d. %s" % (process.wait(), said), console, request)


def open_log(path: str) -> t.BinaryIO:
    """The file that the console is written to."""
    try:
        return open(path, "wb")
    except OSError as exc:
        raise BuildError("Cannot write the console to %s: %s." % (path, exc.strerror)) from exc


def pieces(process: subprocess.Popen[bytes], deadline: float) -> t.Iterator[bytes]:
    """What the process prints, as it comes, until it ends or the time is up."""
    if process.stdout is None:
        return
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(LOOK_SECONDS):
                continue
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=5)
                return
            yield data


def failure(kind: t.Type[BuildError], message: str, console: Console, request: BootRequest) -> BuildError:
    """An error with the end of the console."""
    tail = console.tail()
    shown = "The console's last lines:\n%s" % tail if tail else "The console stayed empty."
    return kind("%s does not boot as it should. %s %s" % (request.path, message, shown), console=tail)


__all__ = ("HOPELESS", "LOGIN_PROMPT", "BootOutcome", "BootRequest", "boot")
