# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Running functions of module_utils on the build host, as root, with that host's own Python.

On the controller itself the interpreter finds the sources where they lie. A build host behind ssh gets them over
standard input, as a zip file of just what the function imports, which is never written to a disk there.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
import typing as t
import zipfile

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, error_from_plain

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.plugin_utils._transport import Transport

# The folder that holds ansible_collections, from this file: .../ansible_collections/bakehouse/images/plugins/x/y.py
COLLECTIONS = os.path.abspath(__file__).rpartition("/ansible_collections/")[0]
MODULE_UTILS = "ansible_collections.bakehouse.images.plugins.module_utils"

# Imports of our own, as formatted by ruff. Parsing the sources takes longer than all the rest of the first task.
IMPORTS = re.compile(rf"^[ \t]*from {re.escape(MODULE_UTILS)}\.?([\w.]*) import (\([^)]*\)|[^\n(]+)$", re.MULTILINE)

# Standard input is one line of JSON, then the zip file. That one is found by the process id and not by
# /proc/self, so that an interpreter started from there (the holder of a sandbox) finds it too.
PROGRAM = """
import sys
import importlib, json, os
request = json.loads(sys.stdin.buffer.readline())
place = request["path"]
sys.dont_write_bytecode = not place or os.stat(place).st_uid != os.geteuid()
if not place:
    handle = os.memfd_create("bakehouse")
    with open(handle, "wb", closefd=False) as stream:
        stream.write(sys.stdin.buffer.read())
    place = "/proc/%d/fd/%d" % (os.getpid(), handle)
sys.path.insert(0, place)
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
errors = importlib.import_module(request["errors"])
function = getattr(importlib.import_module(request["module"]), request["function"])
try:
    answer = {"answer": function(request["request"])}
except errors.BuildError as exc:
    answer = {"error": exc.to_plain()}
json.dump(answer, answers)
answers.close()
"""


def call(
    transport: Transport, python: t.Sequence[str] | None, function: str, request: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Call a function of module_utils on the build host, as root there.

    Args:
        python: the words that start the interpreter; None for C(transport.python).
        function: such as C(_sandbox.directory:open_for). It takes and returns a dict that JSON can hold.

    Raises:
        BuildError: what the function raised, of its own kind where callers tell kinds apart; or it could not be run.
    """
    module, _colon, name = function.partition(":")
    header = {
        "path": COLLECTIONS if transport.is_local else None,
        "errors": f"{MODULE_UTILS}._errors",
        "module": f"{MODULE_UTILS}.{module}",
        "function": name,
        "request": request,
    }
    sources = b"" if transport.is_local else sources_of(module)
    stdin = json.dumps(header).encode() + b"\n" + sources
    done = transport.run([*(python or transport.python), "-I", "-c", PROGRAM], stdin=stdin)
    try:
        answer = json.loads(done.out)
    except ValueError as exc:
        complaint = (done.err or done.out).decode(errors="replace").strip()
        raise BuildError(
            f"Running Python on the build host failed with status {done.rc}: {complaint or 'it said nothing.'}"
        ) from exc
    if "error" in answer:
        raise error_from_plain(answer["error"])
    return t.cast("dict[str, t.Any]", answer["answer"])


@functools.cache
def sources_of(module: str) -> bytes:
    """A zip file with the module and all of module_utils that it imports, at its head or in its functions."""
    names: set[str] = set()
    waiting = [module, "_errors"]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += _imports(name)
    packages = {""}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(names):
            path = f"{MODULE_UTILS}.{name}".replace(".", "/")
            archive.write(_source_path(name), path + ".py")
            packages.update(path[:end] for end in range(len(path)) if path[end] == "/")
        for package in sorted(packages - {""}):
            archive.writestr(f"{package}/__init__.py", "")
    return packed.getvalue()


def _source_path(name: str) -> str:
    return os.path.join(COLLECTIONS, f"{MODULE_UTILS}.{name}".replace(".", "/") + ".py")


def _imports(name: str) -> t.Iterator[str]:
    """The modules of module_utils that one of them imports, in their dotted names below it."""
    with open(_source_path(name), encoding="utf-8") as stream:
        statements = IMPORTS.findall(stream.read())
    for base, names in statements:
        if base and os.path.exists(_source_path(base)):
            yield base
        else:
            aliases = [alias.split()[0] for alias in names.strip("()").split(",") if alias.strip()]
            yield from (f"{base}.{alias}" if base else alias for alias in aliases)


__all__ = ("call", "sources_of")
