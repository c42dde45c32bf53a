# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Paths of an image, resolved inside the image.

Images hold absolute symbolic links, and C(..) above their root. Joined to the image's directory as text,
such a path ends on the build host. Here C(/) is the image's root whatever a link says: by openat2(2) with
RESOLVE_IN_ROOT where the kernel has it, else by walking the components one by one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _system_calls

# As many links as the kernel follows in one path, path_resolution(7).
MAX_LINKS = 40

# Files such as fstab and os-release are far smaller, and an image may hold anything.
MAX_TEXT_BYTES = 1024 * 1024


def open_in_root(root: str, path: str, flags: int = os.O_PATH, *, mode: int = 0, follow: bool = True) -> int:
    """Open C(path) of the image at C(root) and return the file descriptor.

    Args:
        follow: follow a symbolic link at the end of the path too. Links before it are always followed.

    Raises:
        OSError: as open(2) does; ELOOP for too many links.
    """
    if not follow:
        flags |= os.O_NOFOLLOW
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(_NoOpenat2):
            return _open_by_kernel(directory, path, flags, mode)
        return _open_by_walking(directory, path, flags, mode)
    finally:
        os.close(directory)


class _NoOpenat2(Exception):
    """The kernel is older than 5.6, or a filter of system calls hides the call."""


def _open_by_kernel(directory: int, path: str, flags: int, mode: int) -> int:
    resolve = _system_calls.RESOLVE_IN_ROOT | _system_calls.RESOLVE_NO_MAGICLINKS
    try:
        return _system_calls.openat2(directory, path, flags=flags, mode=mode, resolve=resolve)
    except OSError as exc:
        # EAGAIN: a rename or mount somewhere on the machine, while ".." was resolved (openat2(2)).
        if exc.errno in (errno.ENOSYS, errno.EPERM, errno.EAGAIN):
            raise _NoOpenat2 from exc
        raise


def _open_by_walking(directory: int, path: str, flags: int, mode: int) -> int:
    """What openat2 does with RESOLVE_IN_ROOT, in steps that each stay in one directory."""
    handles = [os.dup(directory)]
    pending = _components(path)
    links = 0
    try:
        while pending:
            name = pending.pop(0)
            if name == "..":
                if len(handles) > 1:
                    os.close(handles.pop())
                continue
            target = _link_target(handles[-1], name)
            if target is not None and (pending or not flags & os.O_NOFOLLOW):
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                if target.startswith("/"):
                    _close_down_to_root(handles)
                pending = _components(target) + pending
                continue
            if not pending:
                return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=handles[-1])
            handles.append(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handles[-1]))
        return os.open(".", flags | os.O_CLOEXEC, mode, dir_fd=handles[-1])
    finally:
        for handle in handles:
            os.close(handle)


def _components(path: str) -> t.List[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _close_down_to_root(handles: t.List[int]) -> None:
    while len(handles) > 1:
        os.close(handles.pop())


def _link_target(directory: int, name: str) -> t.Optional[str]:
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError as exc:
        if exc.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def final_path(root: str, path: str) -> str:
    """Where C(path) leads in the image when all links are followed, as a path of the image without links.

    What does not exist yet is taken as a plain name, so the place a dangling link points to is found too.

    Raises:
        OSError: ELOOP for too many links, ENOTDIR for a path through a file.
    """
    done: t.List[str] = []
    pending = _components(path)
    links = 0
    while pending:
        name = pending.pop(0)
        if name == "..":
            del done[-1:]
            continue
        target = read_link(root, "/" + "/".join([*done, name]))
        if target is None:
            done.append(name)
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            done = []
        pending = _components(target) + pending
    return "/" + "/".join(done)


def read_link(root: str, path: str) -> t.Optional[str]:
    """The target of the symbolic link at C(path) of the image; None when there is none."""
    try:
        handle = open_in_root(root, path, os.O_PATH, follow=False)
    except OSError as exc:
        if exc.errno == errno.ENOENT:
            return None
        raise
    try:
        if not stat.S_ISLNK(os.fstat(handle).st_mode):
            return None
        return os.readlink("", dir_fd=handle)
    finally:
        os.close(handle)


def status(root: str, path: str, *, follow: bool = True) -> t.Optional[os.stat_result]:
    """The status of C(path) of the image; None when there is no such thing."""
    try:
        handle = open_in_root(root, path, os.O_PATH, follow=follow)
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    try:
        return os.fstat(handle)
    finally:
        os.close(handle)


def read_bytes(root: str, path: str, limit: int = -1) -> t.Optional[bytes]:
    """The contents of the regular file C(path) of the image, at most C(limit) bytes; None when there is none.

    Never waits: what is not a regular file (a FIFO, say) is none.
    """
    found = status(root, path)
    if found is None or not stat.S_ISREG(found.st_mode):
        return None
    with open(open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        return stream.read(limit)


def read_text(root: str, path: str) -> t.Optional[str]:
    """The text of the regular file C(path) of the image, as far as a text that is to be parsed may go."""
    contents = read_bytes(root, path, MAX_TEXT_BYTES)
    return None if contents is None else contents.decode("utf-8", "replace")


def make_directory(root: str, path: str, mode: int = 0o755) -> t.Tuple[str, t.List[str]]:
    """Make the directory C(path) of the image with its parents.

    Returns:
        its path without links, and the directories that were made, outermost first.
    """
    place = final_path(root, path)
    made = []
    parent = "/"
    for name in _components(place):
        handle = open_in_root(root, parent, os.O_PATH | os.O_DIRECTORY)
        try:
            os.mkdir(name, mode, dir_fd=handle)
            os.chmod(name, mode, dir_fd=handle)
            made.append(os.path.join(parent, name))
        except FileExistsError:
            pass
        finally:
            os.close(handle)
        parent = os.path.join(parent, name)
    return place, made


@contextlib.contextmanager
def opened_parent(root: str, path: str) -> t.Iterator[t.Tuple[int, str]]:
    """The directory of C(path) in the image, as a file descriptor, with the last name of the path.

    For what acts on names (rename, unlink, symlink). The last name is taken as it stands, a link or not.
    """
    folder, name = os.path.split(path.rstrip("/"))
    handle = open_in_root(root, folder or "/", os.O_PATH | os.O_DIRECTORY)
    try:
        yield handle, name
    finally:
        os.close(handle)


__all__ = (
    "final_path",
    "make_directory",
    "open_in_root",
    "opened_parent",
    "read_bytes",
    "read_link",
    "read_text",
    "status",
)
