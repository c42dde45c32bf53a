# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Carrying a part of a directory tree to another machine, in a tar archive that only holds the contents of files.

What is to be made, and how, is said beside the archive. So an archive from a machine that is not trusted cannot make
anything that was not asked for, and every name is opened without following any symbolic link below the top.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tarfile
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._tree.comparing import shown
from ansible_collections.bakehouse.images.plugins.module_utils._tree.scanning import (
    DIRECTORY,
    FILE,
    LINK,
    Entry,
    Tree,
    to_bytes,
    to_text,
)

CHUNK_BYTES = 1 << 20


def pack(top: str, names: t.Iterable[bytes], archive: t.BinaryIO) -> None:
    """Write the contents of files below C(top) to an archive.

    Raises:
        BuildError: one cannot be read any more.
    """
    # Names go as numbers and letters of Latin-1: no header says more than that.
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar, _opened(top) as root:
        for name in names:
            try:
                with _opened_parent(root, name) as (parent, base):
                    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                    with open(os.open(base, flags, dir_fd=parent), "rb") as stream:
                        info = tarfile.TarInfo(to_text(name))
                        info.size = os.fstat(stream.fileno()).st_size
                        tar.addfile(info, stream)
            except OSError as exc:
                raise _cannot("read", top, name, exc) from exc


class Placing(t.NamedTuple):
    """How a tree is placed.

    Attributes:
        top: the directory; made with its parents when it is not there.
        mode: of the directory when it is made.
        owner: give names their owners.
    """

    top: str
    mode: int
    owner: bool


def place(placing: Placing, wanted: Tree, removed: t.Iterable[bytes], archive: t.BinaryIO) -> None:
    """Make what is C(wanted), with contents from the archive, and take away what is C(removed).

    Raises:
        BuildError: something cannot be written, or the archive does not hold what it should.
    """
    top = placing.top
    if not os.path.isdir(top):
        try:
            os.makedirs(top, 0o755)
            os.chmod(top, placing.mode)
        except OSError as exc:
            raise BuildError("Cannot make the directory %s: %s." % (top, exc.strerror)) from exc
    with _opened(top) as root:
        for name in removed:
            with _named(top, "remove", name):
                _remove(root, name)
        for name, entry in wanted.items():
            if entry.kind != FILE:
                with _named(top, "make", name):
                    _make(root, name, entry)
        try:
            _extract(top, root, wanted, archive)
        except tarfile.TarError as exc:
            raise BuildError("The archive cannot be read: %s." % exc) from exc
        # Children first: what a directory without the right to write holds is there by then.
        for name, entry in reversed(list(wanted.items())):
            with _named(top, "set the attributes of", name):
                _set_attributes(root, name, entry, placing.owner)


def digest(path: str) -> str:
    """The SHA-256 of a file."""
    summed = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""):
            summed.update(chunk)
    return summed.hexdigest()


def _extract(top: str, root: int, wanted: Tree, archive: t.BinaryIO) -> None:
    with tarfile.open(fileobj=archive, mode="r:") as tar:
        for info in tar:
            name = to_bytes(info.name)
            entry = wanted.get(name)
            source = tar.extractfile(info) if info.isreg() else None
            if entry is None or entry.kind != FILE or source is None:
                raise BuildError("The archive holds %s, which was not asked for." % shown(name))
            with _named(top, "write", name):
                _write(root, name, source)


def _write(root: int, name: bytes, source: t.IO[bytes]) -> None:
    """A new file under another name first: who reads meanwhile gets the old contents or the new."""
    with _opened_parent(root, name) as (parent, base):
        beside = b".bakehouse-" + hashlib.sha256(base).hexdigest()[:16].encode()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=parent)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
        try:
            with open(handle, "wb") as target:
                shutil.copyfileobj(source, target, CHUNK_BYTES)
            _clear_directory(parent, base)
            os.rename(beside, base, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside, dir_fd=parent)
            raise


def _clear_directory(parent: int, base: bytes) -> None:
    """What is in it was removed before; excluded names keep it."""
    with contextlib.suppress(FileNotFoundError):
        if _is_directory(parent, base):
            os.rmdir(base, dir_fd=parent)


def _is_directory(parent: int, base: bytes) -> bool:
    return stat.S_ISDIR(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode)


def _make(root: int, name: bytes, entry: Entry) -> None:
    with _opened_parent(root, name) as (parent, base):
        if entry.kind == DIRECTORY:
            with contextlib.suppress(FileNotFoundError):
                if _is_directory(parent, base):
                    # Ours to write in until the end.
                    os.chmod(base, entry.mode | stat.S_IRWXU, dir_fd=parent)
                    return
                os.unlink(base, dir_fd=parent)
            os.mkdir(base, 0o700, dir_fd=parent)
            return
        _clear_directory(parent, base)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(base, dir_fd=parent)
        os.symlink(to_bytes(entry.content), base, dir_fd=parent)


def _set_attributes(root: int, name: bytes, entry: Entry, owner: bool) -> None:
    with _opened_parent(root, name) as (parent, base):
        if owner:
            os.chown(base, *entry.owner, dir_fd=parent, follow_symlinks=False)
        if entry.kind == LINK:
            return
        # After the owner, whose change takes away set-user-id.
        if stat.S_ISLNK(os.stat(base, dir_fd=parent, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        os.chmod(base, entry.mode, dir_fd=parent)
        if entry.kind == FILE:
            os.utime(base, ns=(entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)


def _remove(root: int, name: bytes) -> None:
    with contextlib.suppress(FileNotFoundError), _opened_parent(root, name) as (parent, base):
        if not _is_directory(parent, base):
            os.unlink(base, dir_fd=parent)
            return
        try:
            os.rmdir(base, dir_fd=parent)
        except OSError as exc:
            # Something excluded is left in it.
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


@contextlib.contextmanager
def _opened(path: t.Union[str, bytes]) -> t.Iterator[int]:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def _opened_parent(root: int, name: bytes) -> t.Iterator[t.Tuple[int, bytes]]:
    """The directory of a name, opened step by step, and the name's last part. No link is followed, and no C(..)."""
    parts = name.split(b"/")
    if not all(part not in (b"", b".", b"..") for part in parts):
        raise BuildError("%s is not a name below a directory." % shown(name))
    handle = os.dup(root)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle, parts[-1]
    finally:
        os.close(handle)


@contextlib.contextmanager
def _named(top: str, deed: str, name: bytes) -> t.Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise _cannot(deed, top, name, exc) from exc


def _cannot(deed: str, top: str, name: bytes, exc: OSError) -> BuildError:
    return BuildError("Cannot %s %s in %s: %s." % (deed, shown(name), top, exc.strerror or exc))


__all__ = ("Placing", "digest", "pack", "place")
