# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Actions become one shell script, and the files it needs in the image.

The script is for the smallest shell: C(sh), and where an action needs them C(cat), C(tar), C(sed), C(tail), C(mkdir),
C(chmod), C(ln). It says on both outputs where each action begins, so that what was printed can be told apart.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import stat
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_actions import Action, find_kernel
from ansible_collections.bakehouse.images.plugins.plugin_utils._image_trees import write_archive

FUNCTIONS = r"""
fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

begin() {
  printf '\n%s %s\n' "$mark" "$1"
  printf '\n%s %s\n' "$mark" "$1" >&2
}

folder() {
  [ -d "$1" ] || fail "$1 is not a folder of the image. An action mkdir makes it."
}

# Symbolic links to folders stay: /lib of most images is one, and unpacking lib/modules must not replace it.
unpack() {
  folder "$2"
  command -v tar > /dev/null || fail "The image has no tar, which this action needs."
  if tar --help 2>&1 | grep -q -e --keep-directory-symlink; then
    tar --keep-directory-symlink --numeric-owner -x -p -f "$1" -C "$2"
  else
    tar -x -p -f "$1" -C "$2"
  fi && rm -f "$1"
}

upload() {
  target=$2
  [ ! -d "$target" ] || target=${target%/}/$3
  cat < "$1" > "$target" && chown 0:0 "$target" && chmod "$4" "$target" && rm -f "$1"
}

append_line() {
  if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then printf '\n' >> "$1" || return; fi
  printf '%s\n' "$2" >> "$1"
}

# The old name goes out of /etc/hosts too, as whole words.
set_hostname() {
  old=
  [ ! -r /etc/hostname ] || read -r old < /etc/hostname || :
  printf '%s\n' "$1" > /etc/hostname || return
  case $old in '' | localhost | *[!A-Za-z0-9.-]*) return 0 ;; esac
  [ -f /etc/hosts ] || return 0
  word=$(printf '%s' "$old" | sed 's/\./\\./g')
  sed "s/\([[:space:]]\)$word\([[:space:]]\|\$\)/\1$1\2/g" /etc/hosts > "$stage.hosts" || return
  cat "$stage.hosts" > /etc/hosts
  rm -f "$stage.hosts"
}
"""


@dataclasses.dataclass
class Payload:
    """What carries out some actions.

    Attributes:
        script: for C(sh -s), which runs as root in the image.
        stage: the folder of the image that the files go to, and that the script removes; empty when there are none.
        files: the controller's file for each name in the stage.
    """

    script: str
    stage: str
    files: dict[str, Path]


@dataclasses.dataclass
class Outcome:
    """What one action printed, and how it ended; rc is None for the action that did not run."""

    number: int
    title: str
    rc: int | None
    stdout: str = ""
    stderr: str = ""


class PayloadMaker:
    """Makes payloads.

    Args:
        folder: an empty folder of the controller for archives.
        token: something random, which marks the stage and the places where actions begin.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self.folder = folder
        self.token = token
        self.stage = f"/.bakehouse-actions-{token}"
        self.files: dict[str, Path] = {}

    def make(self, actions: t.Sequence[Action]) -> Payload:
        """The payload of these actions, whose paths on the controller are absolute.

        Raises:
            BuildError: a file of the controller is not there, or not what it should be.
        """
        self.files = {}
        bodies = [(action, self._body(action)) for action in actions]
        stage = self.stage if self.files else ""
        lines = [f"mark={shlex.quote(self.token)}", f"stage={shlex.quote(self.stage)}", FUNCTIONS, "umask 022", "cd /"]
        lines.append('trap \'rm -rf "$stage" "$stage.hosts"\' EXIT')
        for action, body in bodies:
            # In a subshell, so that none changes the next one's folder or variables, and with nothing to read: the
            # standard input is this script.
            lines += [f"begin {action.number}", f"(\n{body}\n) < /dev/null || exit"]
        return Payload("\n".join(lines) + "\n", stage, dict(self.files))

    def _body(self, action: Action) -> str:
        makers: dict[str, t.Callable[[dict[str, str]], str]] = {
            "run-command": lambda op: _call("/bin/sh", "-c", op["Cmd"]),
            "copy-in": self._copy_in,
            "set-hostname": lambda op: _call("set_hostname", op["Hostname"]),
            "mkdir": lambda op: _call("mkdir", "-p", "--", op["Dir"]),
            "upload": self._upload,
            "chmod": lambda op: _call("chmod", op["Permissions"], "--", op["File"]),
            "append-line": lambda op: _call("append_line", op["File"], op["Line"]),
            "link": lambda op: _call("ln", "-s", "-f", "--", op["Target"], op["Link"]),
            "install-kernel": self._install_kernel,
            "tar-in": lambda op: self._unpack(_existing(op["TarFile"]), op["RemoteDir"]),
        }
        return makers[action.type](action.op)

    def _copy_in(self, op: dict[str, str]) -> str:
        return self._unpack(self._archive(_existing(op["LocalPath"])), op["RemoteDir"])

    def _upload(self, op: dict[str, str]) -> str:
        path = _existing(op["File"])
        mode = f"{stat.S_IMODE(path.stat().st_mode):04o}"
        return _call("upload", self._staged(path), op["Dest"], path.name, mode)

    def _install_kernel(self, op: dict[str, str]) -> str:
        folder = _existing(op["KernelInstallDir"])
        kernel, problem = find_kernel(folder)
        if kernel is None:
            raise BuildError(f"install-kernel: {problem}.")
        return " &&\n".join(
            (
                self._unpack(self._archive(folder / "boot"), "/"),
                self._unpack(self._archive(folder / "lib" / "modules"), "/lib"),
                _call("ln", "-s", "-f", "--", f"/boot/{kernel.name}", "/vmlinuz"),
            )
        )

    def _unpack(self, archive: Path, folder: str) -> str:
        return _call("unpack", self._staged(archive), folder)

    def _archive(self, path: Path) -> Path:
        archive = self.folder / f"{len(self.files)}.tar"
        write_archive(path, archive)
        return archive

    def _staged(self, path: Path) -> str:
        name = str(len(self.files))
        self.files[name] = path
        return f"{self.stage}/{name}"


def outcomes(actions: t.Sequence[Action], token: str, rc: int, stdout: str, stderr: str) -> list[Outcome]:
    """What became of each action, from what the script printed."""
    out, err = _parts(stdout, token), _parts(stderr, token)
    begun = [action for action in actions if action.number in out]
    found = [
        Outcome(action.number, action.title, 0, out[action.number], err.get(action.number, "")) for action in begun
    ]
    if rc != 0 and found:
        found[-1].rc = rc
    found += [Outcome(action.number, action.title, None) for action in actions[len(begun) :]]
    return found


def _parts(text: str, token: str) -> dict[int, str]:
    """What stands after each mark."""
    parts: dict[int, str] = {}
    for part in text.split(f"\n{token} ")[1:]:
        number, _newline, printed = part.partition("\n")
        parts[int(number)] = printed
    return parts


def _existing(path: str) -> Path:
    # Without a trailing slash, which would leave it without a name.
    found = Path(os.path.abspath(path))
    if not found.exists():
        raise BuildError(f"{path} is not there on the controller.")
    return found


def _call(*words: str) -> str:
    return shlex.join(words)


__all__ = ("Outcome", "Payload", "PayloadMaker", "outcomes")
