# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The half of a transfer of a directory that runs on the host: one step in each run of the module."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._tree.carrying import Placing, digest, pack, place
from ansible_collections.bakehouse.images.plugins.module_utils._tree.scanning import (
    Excludes,
    from_wire,
    require,
    scan,
    to_bytes,
    to_wire,
)

# Archives are as large as what they carry, and /tmp is often memory.
ARCHIVES = "/var/tmp"  # noqa: S108 - a directory of its own is made there
PREFIX = ".bakehouse-transfer-"

ARGUMENT_SPEC: t.Dict[str, t.Any] = {
    "src": {"type": "str", "required": True},
    "dest": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": ["push", "pull"], "default": "push"},
    "delete": {"type": "bool", "default": False},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "compare": {"type": "str", "choices": ["content", "time"], "default": "content"},
    "preserve_owner": {"type": "bool", "default": False},
}


def run_step(step: str, path: str, given: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Do one step with the directory at C(path).

    Raises:
        BuildError: it cannot be done.
    """
    top = os.path.expanduser(path)
    if not os.path.isabs(top):
        raise BuildError("The directory on the host must be an absolute path, not %s." % path)
    return _STEPS[step](top, given)


def _scan(top: str, given: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    scanned = scan(top, Excludes(given["exclude"]), digest=given["compare"] == "content")
    if given["must_exist"]:
        require(scanned, top)
    return {"scanned": to_wire(scanned)}


def _receive(_top: str, _given: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """A file that whoever logs in to this host can write to: that need not be who runs this module."""
    path = _new_archive()
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.chmod(path, 0o666)  # noqa: S103 - its name is a secret, in a directory that nobody can list
    return {"archive": path}


def _apply(top: str, given: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    wanted = require(from_wire(given["scanned"]), top)
    try:
        os.chmod(given["archive"], 0o600)
        if digest(given["archive"]) != given["sha256"]:
            raise BuildError("The archive arrived damaged at %s." % given["archive"])
        with open(given["archive"], "rb") as archive:
            removed = [to_bytes(name) for name in given["removed"]]
            place(Placing(top, given["top_mode"], given["preserve_owner"]), wanted, removed, archive)
    finally:
        _discard(top, given)
    return {}


def _pack(top: str, given: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    path = _new_archive()
    try:
        with open(path, "wb") as archive:
            pack(top, [to_bytes(name) for name in given["names"]], archive)
        os.chmod(path, 0o444)  # as in _receive
        return {"archive": path, "sha256": digest(path)}
    except BaseException:
        _discard(top, {"archive": path})
        raise


def _discard(_top: str, given: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    folder = os.path.dirname(given["archive"])
    if os.path.dirname(folder) != ARCHIVES or not os.path.basename(folder).startswith(PREFIX):
        raise Refused("%s is not an archive of a transfer." % given["archive"])
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    return {}


def _new_archive() -> str:
    try:
        folder = tempfile.mkdtemp(prefix=PREFIX, dir=ARCHIVES)
    except OSError as exc:
        raise BuildError(
            "Cannot make a temporary directory in %s on the host: %s." % (ARCHIVES, exc.strerror),
            hint="The user of this task needs to write there.",
        ) from exc
    os.chmod(folder, 0o711)  # noqa: S103 - what is in it can only be opened by its name
    return os.path.join(folder, secrets.token_hex(16))


_STEPS: t.Dict[str, t.Callable[[str, t.Mapping[str, t.Any]], t.Dict[str, t.Any]]] = {
    "scan": _scan,
    "receive": _receive,
    "apply": _apply,
    "pack": _pack,
    "discard": _discard,
}

__all__ = ("ARGUMENT_SPEC", "run_step")
