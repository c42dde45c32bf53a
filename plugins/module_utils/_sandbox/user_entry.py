# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Entering a sandbox as one of the image's users: a program of its own, run by the build host's Python.

It stands on the standard library alone, because its text is what is run (C(python -c)), on whatever machine
the sandbox is. nsenter(1) can set ids, but not a user's groups; sudo, su and setpriv may be missing in an
image. Users and groups are looked up in the image's own files, after its root was entered.

Arguments: the holder's process id, the image's path in the holder's tree, the namespaces to join and the
capabilities to drop (names and numbers, joined by commas), the user, and the command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_CAPBSET_DROP = 24

libc = ctypes.CDLL(None, use_errno=True)


def require(result: int) -> None:
    """Raise the C library's error, if there is one."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def join(pid: int, image: str, kinds: list[str], dropped: list[int]) -> None:
    """Join the sandbox. All is opened before anything is joined, and the user namespace comes last, as joining
    the others takes rights that are gone then; so the capabilities are dropped after that."""
    base = "/proc/%d" % pid
    root = os.open(base + "/root" + image, os.O_RDONLY | os.O_DIRECTORY)
    handles = {kind: os.open("%s/ns/%s" % (base, kind), os.O_RDONLY) for kind in kinds}
    for kind, handle in handles.items():
        if kind != "user":
            require(libc.setns(handle, 0))
    os.fchdir(root)
    os.chroot(".")
    if "user" in handles:
        require(libc.setns(handles["user"], 0))
    for number in dropped:
        libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(number), 0, 0, 0)
    for handle in [root, *handles.values()]:
        os.close(handle)


def rows(path: str) -> list[list[str]]:
    """The rows of passwd(5) or group(5)."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return [line.rstrip("\n").split(":") for line in stream if line.count(":") >= 3]
    except OSError:
        return []


def look_up(user: str) -> tuple[str, int, int, str, list[int]]:
    """The user's name, id, group id, home and all groups."""
    for row in rows("/etc/passwd"):
        if len(row) >= 7 and user in (row[0], row[2]):
            member_of = [int(group[2]) for group in rows("/etc/group") if row[0] in group[3].split(",")]
            return row[0], int(row[2]), int(row[3]), row[5] or "/", sorted(set(member_of + [int(row[3])]))
    if user.isdigit():
        return user, int(user), int(user), "/", [int(user)]
    raise SystemExit("The image has no user %s." % user)


def become(user: str) -> None:
    """Become the user for good, with the variables that su(1) would set."""
    name, uid, gid, home, groups = look_up(user)
    os.setgroups(groups)
    os.setgid(gid)
    os.setuid(uid)
    os.environ.update({"HOME": home, "USER": name, "LOGNAME": name})


def execute(argv: tuple[str, ...]) -> None:
    """Become the command. Unlike os.execvp this imports nothing: modules would now come from the image."""
    folders = [""] if "/" in argv[0] else os.environ.get("PATH", "/usr/bin:/bin").split(":")
    reason = OSError(2, os.strerror(2))
    for folder in folders:
        try:
            os.execv(os.path.join(folder, argv[0]), argv)  # noqa: S606 - it is what this program is for
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as exc:
            reason = exc
    sys.stderr.write("%s: %s\n" % (argv[0], reason.strerror))
    os._exit(127 if reason.errno == 2 else 126)


def main(pid: str, image: str, kinds: str, dropped: str, user: str, *argv: str) -> None:
    """Run the command, and end as it ends."""
    join(int(pid), image, kinds.split(","), [int(number) for number in dropped.split(",") if number])
    child = os.fork()
    if child == 0:
        become(user)
        execute(argv)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    raise SystemExit(os.WEXITSTATUS(status))


__all__ = ("main",)

if __name__ == "__main__":
    main(*sys.argv[1:])
