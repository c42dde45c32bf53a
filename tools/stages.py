# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the stages of "make test", some side by side.

Each stage is a make target. Its output is kept in .cache/stages and printed whole when it ends. The first
failure ends the run. Last comes a table of the seconds each stage took. The stages with real devices can run
side by side because each has a mount namespace and a lab of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

#: Quick ones first: most mistakes show there. Then the longest.
STAGES = (
    "lint",
    "unit",
    "types",
    "sanity",
    "unit-newest",
    "integration-builds",
    "integration-devices",
    "build-newest",
)
AT_ONCE = 2
#: Seconds that an interrupted stage gets to take down what it has set up.
PATIENCE = 60
LOGS = Path(".cache/stages")


@dataclass
class Stage:
    """A make target while it runs."""

    name: str
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    @property
    def log(self) -> Path:
        """Where its output is kept."""
        return LOGS / f"{self.name}.log"

    def stop(self) -> None:
        """Interrupts it, so that it can tidy up; kills it when it takes too long."""
        if self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start(name: str) -> Stage:
    """Starts a stage in a process group of its own."""
    # Stages are not jobs of the make that started this.
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    with (LOGS / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            # Who starts us in the background, or by nohup, may have made us deaf, and with us all that tests interrupt.
            ["env", "--default-signal=INT,HUP", "make", "--no-print-directory", name],
            env=environment,
            process_group=0,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    report(f"{name}: started")
    return Stage(name, process)


def report(text: str) -> None:
    """One line of our own, recognisable among what the stages print."""
    print(f"== {text}", flush=True)


class Run:
    """The stages of one run, and what became of them."""

    def __init__(self) -> None:
        self.running: list[Stage] = []
        self.seconds: dict[str, tuple[float, bool]] = {}

    def finish(self, stage: Stage) -> bool:
        """Notes a stage that has ended; true when it has passed."""
        self.running.remove(stage)
        took, passed = time.monotonic() - stage.started, stage.process.returncode == 0
        self.seconds[stage.name] = (took, passed)
        sys.stdout.flush()
        sys.stdout.buffer.write(stage.log.read_bytes())
        report(f"{stage.name}: {'passed' if passed else 'FAILED'} after {took:.0f} s")
        return passed

    def carry_out(self, names: tuple[str, ...]) -> bool:
        """Runs the stages, some at a time; false as soon as one has failed."""
        waiting = list(names)
        while waiting or self.running:
            while waiting and len(self.running) < AT_ONCE:
                self.running.append(start(waiting.pop(0)))
            time.sleep(0.2)
            for stage in [it for it in self.running if it.process.poll() is not None]:
                if not self.finish(stage):
                    return False
        return True

    def stop(self) -> None:
        """Ends what still runs."""
        for stage in self.running:
            report(f"{stage.name}: stopped")
            stage.stop()

    def summary(self) -> None:
        """The table at the end."""
        report("seconds by stage")
        for name, (took, passed) in self.seconds.items():
            print(f"   {name:20} {took:7.1f}{'' if passed else '  FAILED'}", flush=True)


def main() -> int:
    """Runs all stages; 1 when one has failed."""
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    # Ended from outside is ended like an interrupt: nothing goes on in the background.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = Run()
    started = time.monotonic()
    try:
        passed = run.carry_out(STAGES)
    finally:
        run.stop()
        run.summary()
    report(f"{'all passed' if passed else 'FAILED'} after {time.monotonic() - started:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
