# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds disk images with this collection and with little-vm-helper's pipeline, and forests beside separate builds."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import sys
import tempfile
import typing as t
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.contestants import BuildFailed
from tests.benchmarks.figures import table
from tests.benchmarks.forests import (
    CHILDREN,
    EXAMPLE,
    IN_THE_CHILD,
    VARIANT,
    Disk,
    Made,
    lvh,
    missing,
    ours,
    separate,
    tree,
    xfs,
)

MIB = 1 << 20
TOOLS = ("guestfish", "mkfs.xfs", "mmdebstrap", "qemu-img", "virt-customize")

Results = dict[str, Made]


def main() -> int:
    """Run the benchmark; 1 when a build fails, whatever the figures are."""
    options = _options()
    problem = _problem()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{os.cpu_count()} processors; load average {', '.join(f'{value:.1f}' for value in os.getloadavg())}")
    results: dict[str, Results] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="benchmark-", dir="/var/tmp") as name:
            for case in options.case or CASES:
                place = Path(name, case)
                place.mkdir()
                with xfs(place) as disk:
                    results[case] = CASES[case](disk, place, options)
    except BuildFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    if options.json:
        found = {case: {way: dataclasses.asdict(made) for way, made in ways.items()} for case, ways in results.items()}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this case; may be repeated")
    parser.add_argument("--kvm", action="store_true", help="let libguestfs use KVM, where it runs guests")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    return parser.parse_args()


def _problem() -> str | None:
    """Why the benchmark cannot run here, if it cannot."""
    if os.geteuid() != 0:
        return "Images are made with loop devices and mounts: run this as root."
    absent = [tool for tool in TOOLS if not shutil.which(tool)]
    if absent:
        return f"Not installed: {', '.join(absent)}. See requirements/debian-benchmark.txt."
    return None


def _example(disk: Disk, place: Path, options: argparse.Namespace) -> Results:
    """Lvh's example configuration, by its pipeline and by ours."""
    results = {"ours": ours(disk, "example", EXAMPLE, variant=VARIANT), "lvh": lvh(disk, kvm=options.kvm)}
    for file in (disk.folder / "ours/images/k8s.qcow2", disk.folder / "lvh/k8s.qcow2"):
        absent = missing(file, IN_THE_CHILD, place)
        if absent:
            raise BuildFailed(f"{file} was made, and does not have {', '.join(absent)}.")
    how = "KVM" if options.kvm else "TCG: no processor support for its virtual machines"
    _print(f"lvh's example, a base and a child; libguestfs by {how}", results, "ours")
    return results


def _forest(disk: Disk, _place: Path, _options: argparse.Namespace) -> Results:
    """A base with its children, in two ways to share blocks, beside as many images of their own."""
    plain: dict[str, t.Any] = {"forks": CHILDREN, "variant": "minbase"}
    results = {"forest, reflinks": ours(disk, "reflinks", tree(".raw"), **plain)}
    # The base is there already: its seconds and bytes are those of the first.
    shared = ours(disk, "backing", tree(".qcow2"), backing_file=True, **plain)
    results["its children again, qcow2 with a backing file"] = shared
    results["separate builds"] = ours(disk, "separate", separate(), **plain)
    _print(f"A base and {CHILDREN} children, beside {CHILDREN} builds from nothing", results, "forest, reflinks")
    return results


CASES: dict[str, Callable[[Disk, Path, argparse.Namespace], Results]] = {"lvh": _example, "forest": _forest}


def _print(title: str, results: Results, first: str) -> None:
    one = results[first]
    rows = [["", "seconds", "processor", "MiB on disk", "times the seconds", "times the MiB"]]
    for name, made in results.items():
        seconds, space = made.sample.seconds / one.sample.seconds, made.allocated / one.allocated
        figures: list[t.Any] = [f"{made.sample.seconds:.1f}", f"{made.sample.cpu_seconds:.1f}"]
        rows.append([name, *figures, str(made.allocated // MIB), f"{seconds:.2f}", f"{space:.2f}"])
    print("\n".join(["", title, "", *table(rows), ""]))
    for name, made in results.items():
        steps = [[step, f"{value:.1f}"] for step, value in made.sample.steps.items()]
        print("\n".join([*table([[f"{name}: of which", "seconds"], *steps]), ""]), flush=True)


if __name__ == "__main__":
    sys.exit(main())
