# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-core's own tests, from the source distribution of the version that is installed here."""

from __future__ import annotations

import fcntl
import importlib.metadata
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.integration.project import CHECKOUT

CACHE = CHECKOUT / ".cache" / "ansible-core"


def source_distribution() -> Path:
    """The tarball, fetched once and kept until "make clean". pip knows where packages come from on this machine."""
    version = importlib.metadata.version("ansible-core")
    tarball = CACHE / f"ansible_core-{version}.tar.gz"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tarball.exists():
            wanted = ["--no-deps", "--no-binary", "ansible-core", f"ansible-core=={version}"]
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(CACHE), *wanted]
            subprocess.run(command, check=True)
    assert tarball.exists(), f"pip has fetched something else than {tarball.name}"
    return tarball


def integration_target(name: str, folder: Path) -> Path:
    """Unpack one folder of C(test/integration/targets) below a folder, and return where it is."""
    with tarfile.open(source_distribution()) as archive:
        top = archive.next()
        assert top
        prefix = f"{top.name.split('/')[0]}/test/integration/targets/{name}"
        members = [member for member in archive if member.name == prefix or member.name.startswith(f"{prefix}/")]
        archive.extractall(folder, members, filter="data")
    return folder / prefix


__all__ = ("integration_target", "source_distribution")
