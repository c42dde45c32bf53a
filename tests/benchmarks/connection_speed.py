# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the same plays through this collection's connection and its peers, and prints what each took."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import typing as t
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.connections import LOCAL, MITOGEN, PLAYS, Runner, Way
from tests.benchmarks.contestants import BuildFailed, Sample
from tests.benchmarks.figures import table
from tests.benchmarks.over_ssh import ways_over_ssh
from tests.benchmarks.transfers import race_transfers
from tests.integration.roots import unpack
from tests.integration.source_image import debian_root

CASES = ("same", "mixed", "ssh-same", "ssh-mixed", "files")
Samples = dict[str, list[Sample]]


def main() -> int:
    """Run the benchmark; 1 when a play fails, whatever the figures are."""
    options = _options()
    if os.geteuid() != 0:
        print("Entering a root file system takes root rights: run this as root.", file=sys.stderr)
        return 1
    print(_about())
    results: dict[str, t.Any] = {}
    try:
        with _folder() as folder:
            for case in options.case or CASES:
                results[case] = _run_case(case, folder, options.warm_ups, options.runs)
    except BuildFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each way (5)")
    parser.add_argument("--warm-ups", type=int, default=1, help="runs before them that do not count (1)")
    parser.add_argument("--case", action="append", choices=CASES, help="only this case; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    return parser.parse_args()


def _about() -> str:
    script = (
        "import ansible, mitogen; print('Mitogen', '.'.join(map(str, mitogen.__version__)), "
        "'on ansible-core', ansible.__version__)"
    )
    peer = subprocess.run([MITOGEN / "bin/python", "-c", script], check=True, capture_output=True, text=True)
    import ansible

    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"ansible-core {ansible.__version__}; {peer.stdout.strip()}; {os.cpu_count()} processors; load average {load}"
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # Not below /tmp: sshd refuses a root that others could replace.
    with tempfile.TemporaryDirectory(prefix="bakehouse-benchmark-", dir="/var/lib") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _run_case(case: str, folder: Path, warm_ups: int, runs: int) -> t.Any:
    place = folder / case
    place.mkdir()
    if case == "files":
        speeds = race_transfers(unpack(debian_root(), place / "root"), place, warm_ups, runs)
        print(f"\n{_speed_table(speeds)}", flush=True)
        return speeds
    runner = Runner(debian_root(), place)
    play = case.rpartition("-")[2]
    with contextlib.ExitStack() as stack:
        ways = LOCAL
        if case.startswith("ssh-"):
            ways = (*stack.enter_context(ways_over_ssh(place, place / "root")), LOCAL[-1])
        samples = _race(runner, ways, play, warm_ups, runs)
    print(f"\n{_time_table(case, samples)}", flush=True)
    return {name: [dataclasses.asdict(sample) for sample in found] for name, found in samples.items()}


def _race(runner: Runner, ways: Sequence[Way], play: str, warm_ups: int, runs: int) -> Samples:
    """In turn, so that what else the machine does falls on all."""
    samples: Samples = {way.name: [] for way in ways}
    for number in range(warm_ups + runs):
        for way in ways:
            sample = runner.run(way, play)
            if number >= warm_ups:
                samples[way.name].append(sample)
    return samples


def _time_table(case: str, samples: Samples) -> str:
    first = next(iter(samples.values()))
    ours = statistics.median(sample.seconds for sample in first)
    rows = [["", "min", "median", "max", "processor, median", "times ours"]]
    for name, found in samples.items():
        seconds = [sample.seconds for sample in found]
        middle = statistics.median(seconds)
        cpu = statistics.median(sample.cpu_seconds for sample in found)
        rows.append([name, *(f"{value:.2f}" for value in (min(seconds), middle, max(seconds), cpu, middle / ours))])
    title = f"{case}: {_TITLES[case.rpartition('-')[2]]} (seconds, {len(first)} runs)"
    return "\n".join([title, "", *table(rows)])


_TITLES = {"same": "50 times the module stat", "mixed": "facts and the role fifty"}
if set(_TITLES) != set(PLAYS):
    raise AssertionError("each play needs a title")


def _speed_table(speeds: dict[str, list[float]]) -> str:
    rows = [["", "min", "median", "max", "of cp"]]
    cp = 0.0
    for name, found in speeds.items():
        middle = statistics.median(found)
        cp = middle if name.startswith("cp ") else cp
        rows.append([name, *(f"{value:.0f}" for value in (min(found), middle, max(found))), f"{middle / cp:.2f}"])
    title = f"files: 1 GiB of random bytes (MiB/s, {len(next(iter(speeds.values())))} runs)"
    return "\n".join([title, "", *table(rows)])


if __name__ == "__main__":
    sys.exit(main())
