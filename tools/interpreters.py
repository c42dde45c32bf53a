# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the Python interpreters of this machine that really start.

    interpreters.py list             every one, as "3.11 /path/to/python3.11"
    interpreters.py newest           the path of the newest
    interpreters.py find 3.12 3.13   the path of the first of these versions that is there
    interpreters.py path             a PATH on which python3.X is never a shim

pyenv puts shims on the PATH that answer only for versions selected at that moment, so they are
passed over and the interpreters behind them are named by where they are installed.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
from pathlib import Path

NAME = re.compile(r"python3\.(\d+)")
OLDEST_MINOR = 8


def search_directories() -> list[Path]:
    """Directories that may hold interpreters, the PATH's own first, shims left out."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    directories = [Path(entry) for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    for pattern in (f"{pyenv}/versions/*/bin", os.path.expanduser("~/.local/share/uv/python/*/bin")):
        directories += [Path(name) for name in sorted(glob.glob(pattern))]
    return [directory for directory in directories if directory.is_dir() and directory.name != "shims"]


def starts(interpreter: Path, minor: int) -> bool:
    """True when it runs, is the version its name says, is final, and can make virtual environments."""
    code = (
        "import sys, ensurepip, venv;"
        f"sys.exit(sys.version_info[:2] != (3, {minor}) or sys.version_info.releaselevel != 'final')"
    )
    try:
        return subprocess.run([interpreter, "-c", code], check=False, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_interpreters() -> dict[int, Path]:
    """Minor version -> interpreter, oldest first; the first found of each version wins."""
    found: dict[int, Path] = {}
    for directory in search_directories():
        for candidate in sorted(directory.glob("python3.*")):
            match = NAME.fullmatch(candidate.name)
            minor = int(match.group(1)) if match else 0
            if minor >= OLDEST_MINOR and minor not in found and starts(candidate, minor):
                found[minor] = candidate
    return dict(sorted(found.items()))


def real_path() -> str:
    """The PATH without shims and with every interpreter's own directory behind the rest."""
    kept = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(entry).name != "shims"]
    extra = [str(interpreter.parent) for interpreter in find_interpreters().values()]
    return os.pathsep.join(dict.fromkeys(kept + extra))


def main(argv: list[str]) -> int:
    """Prints what was asked for; 1 when there is no such interpreter."""
    what, wanted = (argv[0] if argv else "list"), argv[1:]
    if what == "path":
        print(real_path())
        return 0
    found = find_interpreters()
    if what == "list":
        for minor, interpreter in found.items():
            print(f"3.{minor} {interpreter}")
        return 0
    minors = [int(version.split(".")[1]) for version in wanted] if what == "find" else sorted(found, reverse=True)
    for minor in minors:
        if minor in found:
            print(found[minor])
            return 0
    print(f"No Python {' or '.join(wanted)} on this machine.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
