# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the same images with this collection and with Packer's amazon-chroot, and prints what each took."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.contestants import CASES, Builder, BuildFailed, Case, Sample
from tests.benchmarks.figures import Pair, as_json, report
from tests.integration.project import Cloud
from tests.integration.source_image import debian_root, register_source
from tests.lab_fixture import running_lab

# Packer looks for /dev/xvd* and /dev/sd* only.
XEN = "t2.micro"


def main() -> int:
    """Run the benchmark; 1 when a build fails, whatever the figures are."""
    options = _options()
    problem = _problem()
    if problem:
        print(problem, file=sys.stderr)
        return 1
    results = []
    try:
        with _builder() as (builder, cloud):
            print(_about())
            for case in options.case or CASES:
                pairs = _race(builder, cloud, case, options.warm_ups, options.runs)
                print(f"\n{report(case, pairs)}", flush=True)
                results.append(as_json(case, pairs))
    except BuildFailed as exc:
        print(exc, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    cases = {case.name: case for case in CASES}
    parser.add_argument("--runs", type=_positive, default=3, help="measured pairs of builds for each case (3)")
    parser.add_argument("--warm-ups", type=int, default=1, help="pairs before them that do not count (1)")
    parser.add_argument(
        "--case",
        action="append",
        type=cases.__getitem__,
        metavar="{" + ",".join(cases) + "}",
        help="only this case; may be repeated",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _problem() -> str | None:
    """Why the benchmark cannot run here, if it cannot."""
    if os.geteuid() != 0:
        return "Both builders make mounts and use block devices: run this as root."
    if not shutil.which("packer"):
        return "There is no packer on this machine: apt-get install packer."
    return None


def _about() -> str:
    packer = subprocess.run(["packer", "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"Packer {packer}; {os.cpu_count()} processors; load average {load}"


@contextlib.contextmanager
def _builder() -> Iterator[tuple[Builder, Cloud]]:
    """A lab of its own, with the source image in it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        lab = stack.enter_context(running_lab(folder / "lab", "--instance-type", XEN))
        cloud = Cloud(lab.client("ec2"), lab.dir)
        mount_point = folder / "source"
        mount_point.mkdir()
        yield Builder(lab, register_source(cloud, debian_root(), mount_point), folder), cloud


def _race(builder: Builder, cloud: Cloud, case: Case, warm_ups: int, runs: int) -> list[Pair]:
    """Build alternately, so that what else the machine does falls on both."""
    pairs = []
    for number in range(warm_ups + runs):
        ours = _build(builder.ours, cloud, case, f"{case.name}-ours-{number}")
        packer = _build(builder.packer, cloud, case, f"{case.name}-packer-{number}")
        if number >= warm_ups:
            pairs.append(Pair(ours, packer))
    return pairs


def _build(build: Callable[[Case, str], Sample], cloud: Cloud, case: Case, image: str) -> Sample:
    """Build an image, see that it is there and nothing else, and remove it."""
    sample = build(case, image)
    if not cloud.image(image):
        raise BuildFailed(f"The build of {image} ended well, but there is no such image.")
    cloud.forget(image)
    left = cloud.leftovers()
    if left:
        raise BuildFailed(f"The build of {image} left {left}.")
    return sample


if __name__ == "__main__":
    sys.exit(main())
