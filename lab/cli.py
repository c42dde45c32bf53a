# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line: python -m lab up|down|status|env."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import process
from lab.client import LabClient
from lab.config import LabConfig, LabFiles, shell_lines
from lab.process import LabFailure

#: Options of "up" that become settings, and what they mean.
SECONDS = {
    "volume_seconds": "how long a new volume is 'creating'",
    "attach_seconds": "how long a volume is 'attaching'",
    "detach_seconds": "how long a volume is 'detaching'",
    "snapshot_seconds": "how long a snapshot is 'pending'",
    "image_seconds": "how long an image is 'pending'",
    "consistency_seconds": "how long a new id is not found",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(argv)
    commands = {"up": _up, "down": _down, "status": _status, "env": _env, "serve": _serve}
    try:
        return commands[options.command](options)
    except LabFailure as exc:
        print(f"lab: {exc}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab", description="An EC2 and an Outscale of your own, over real block devices."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the lab; does nothing when it is up")
    up.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1 (default: any free one)")
    up.add_argument("--region", default="eu-west-1", help="AWS region of the build host (default: %(default)s)")
    up.add_argument("--zone", help="availability zone of the build host (default: the region's a)")
    up.add_argument(
        "--instance-type",
        default="m5.large",
        help="of the build host; t2.micro gives /dev/xvd* (default: %(default)s, NVMe links)",
    )
    up.add_argument("--no-pool", action="store_true", help="keep volumes in the folder itself, not on an XFS in a file")
    for name, meaning in SECONDS.items():
        up.add_argument(f"--{name.replace('_', '-')}", type=float, default=0.0, help=f"{meaning} (default: 0)")
    commands.add_parser("down", help="stop the lab and remove everything it made")
    commands.add_parser("status", help="what is there, as JSON; exit status 3 when the lab is down")
    commands.add_parser("env", help="print the variables for a shell")
    serve = commands.add_parser("serve")
    serve.add_argument("--ready-fd", type=int, required=True)
    for command in commands.choices.values():
        command.add_argument("--dir", type=Path, default=Path(".lab"), help="the lab's folder (default: %(default)s)")
    return parser


def _files(options: argparse.Namespace) -> LabFiles:
    return LabFiles(options.dir.resolve())


def _up(options: argparse.Namespace) -> int:
    files = _files(options)
    if os.geteuid() != 0:
        raise LabFailure("Only root can make block devices. Run this as root.")
    config = LabConfig(
        folder=files.folder,
        port=options.port,
        region=options.region,
        zone=options.zone or f"{options.region}a",
        instance_type=options.instance_type,
        pool=not options.no_pool,
        settings={name: getattr(options, name) for name in SECONDS},
    )
    port = process.start(config)
    if port is None:
        print(f"The lab in {files.folder} is up already.")
        return 0
    print(f"The lab is up on http://127.0.0.1:{port} (build host {config.instance_type} in {config.zone}).")
    print(f"Use it in a shell:  . {files.env}")
    print(f"Stop it:            python -m lab down --dir {files.folder}")
    return 0


def _down(options: argparse.Namespace) -> int:
    files = _files(options)
    if process.stop(files.folder):
        print(f"The lab in {files.folder} is down.")
    else:
        print(f"There is no lab in {files.folder}.")
    return 0


def _status(options: argparse.Namespace) -> int:
    files = _files(options)
    if process.running_pid(files) is None:
        print(f"The lab in {files.folder} is down.")
        return 3
    print(json.dumps(LabClient(read_env(files)["AWS_ENDPOINT_URL"]).status(), indent=2))
    return 0


def _env(options: argparse.Namespace) -> int:
    files = _files(options)
    print(shell_lines(read_env(files)), end="")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from lab.serve import serve

    files = _files(options)

    def ready(port: int) -> None:
        with os.fdopen(options.ready_fd, "w") as stream:
            json.dump({"port": port}, stream)

    serve(LabConfig.load(files.marker), ready)
    return 0


def read_env(files: LabFiles) -> dict[str, str]:
    """The variables of a running lab, from its env file.

    Raises:
        LabFailure: the lab is not up.
    """
    if not files.env.exists() or process.running_pid(files) is None:
        raise LabFailure(f"There is no lab up in {files.folder}. Start it: python -m lab up --dir {files.folder}")
    pairs = [line.removeprefix("export ").split("=", 1) for line in files.env.read_text().splitlines() if "=" in line]
    return {name: value.strip("'") for name, value in pairs}
