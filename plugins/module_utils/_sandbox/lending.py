# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Files lent to the image: there while the sandbox is open, gone without a trace afterwards.

A file is lent as a symbolic link that leads into the sandbox's own C(/run), where the contents are. What the
image had under that name keeps its inode and waits beside it under another name. A bind mount would leave
the image's directory alone, but the kernel answers rename(2) and unlink(2) on a mount point with EBUSY, so
that C(ln -sf), package scripts and Ansible's own atomic writes would fail on it. A link they can replace.

Giving back looks at what is there then:

- our link, its contents as lent: what the image had comes back, the same inode;
- our link, its contents edited: the edited text becomes the image's file, with the mode and owner it had;
- anything else, or nothing: that is what the playbook wanted, and it stays.

Where the image's own link already leads into C(/run) (C(/etc/resolv.conf) of systemd-resolved), the contents
are put there and nothing in the image is touched. After a crash, C(give_back) on the image repairs it.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import errno
import hashlib
import os
import stat
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside as paths
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError

# A tmpfs of the sandbox.
LENT_DIR = "/run/bakehouse"

# Edited contents are held in memory once more when they are given back, and an image may put anything there.
MAX_EDITED_BYTES = 64 * 1024 * 1024

# What the image's own file is called meanwhile.
KEPT_SUFFIX = ".bakehouse-kept"
# What takes its place is made under this name and then renamed.
NEW_SUFFIX = ".bakehouse-new"


@dataclasses.dataclass(frozen=True)
class LentFile:
    """A file to lend: its path in the image, its contents, and its mode."""

    path: str
    contents: bytes
    mode: int = 0o644

    def to_plain(self) -> t.Dict[str, t.Any]:
        """The file as JSON can hold it."""
        return {"path": self.path, "contents": base64.b64encode(self.contents).decode("ascii"), "mode": self.mode}

    @classmethod
    def from_plain(cls, plain: t.Mapping[str, t.Any]) -> LentFile:
        """What to_plain made."""
        return cls(plain["path"], base64.b64decode(plain["contents"]), plain["mode"])


@dataclasses.dataclass(frozen=True)
class Loan:
    """What was done to lend one file.

    Args:
        path: the file's path in the image, with no link before the last name.
        target: where the contents are, in the sandbox's /run.
        digest: SHA-256 of the contents as lent.
        replaced: whether the name was taken by our link; otherwise the image's own link leads to C(target).
        kept: whether the image's own file waits beside it.
        made: directories of the image made for the link, outermost first.
    """

    path: str
    target: str
    digest: str
    replaced: bool
    kept: bool
    made: t.Tuple[str, ...] = ()

    @classmethod
    def from_plain(cls, plain: t.Mapping[str, t.Any]) -> Loan:
        """The loan from a dictionary, as a record has it."""
        return cls(**dict(plain, made=tuple(plain["made"])))


# Where resolver packages, installed while the sandbox is open, lead /etc/resolv.conf to. No service writes these files
# before the image boots, and lookups would fail for the rest of the build.
RESOLVER_PLACES = (
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/resolv.conf",
    "/run/resolvconf/resolv.conf",
)

# invoke-rc.d and deb-systemd-invoke ask it before they start a service: 101 is "no" (policy-rc.d(8)).
POLICY_RC_D = LentFile("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n", 0o755)


def lend(root: str, lent: LentFile, *, own_run: bool = True) -> Loan:
    """Lend one file to the image at C(root), whose C(LENT_DIR) is mounted.

    Args:
        own_run: the whole C(/run) belongs to the sandbox, and not to the image or the build host.

    Raises:
        BuildError: the image's file system refused.
    """
    try:
        return _lend(root, lent, own_run)
    except OSError as exc:
        raise BuildError(
            "Cannot lend %s to the image: %s." % (lent.path, exc.strerror),
            hint="An image that is mounted read-only cannot be lent files: set copy_files to an empty list."
            if exc.errno == errno.EROFS
            else None,
        ) from exc


def _lend(root: str, lent: LentFile, own_run: bool) -> Loan:
    digest = hashlib.sha256(lent.contents).hexdigest()
    folder, made = paths.make_directory(root, os.path.dirname(lent.path))
    place = os.path.join(folder, os.path.basename(lent.path))
    target = "%s/%s" % (LENT_DIR, place.strip("/").replace("/", "-"))
    _repair(root, place, target)
    if own_run and lent.path == "/etc/resolv.conf":
        for other in RESOLVER_PLACES:
            _write(root, other, lent)
    leads_to = paths.final_path(root, place)
    if own_run and leads_to.startswith("/run/"):
        _write(root, leads_to, lent)
        return Loan(place, leads_to, digest, replaced=False, kept=False, made=tuple(made))
    _write(root, target, lent)
    with paths.opened_parent(root, place) as (parent, name):
        # From here to the rename a crash leaves the image's own file under both names.
        kept = _keep(parent, name)
        try:
            _put_link(parent, name, target)
        except OSError:
            if kept:
                os.rename(name + KEPT_SUFFIX, name, src_dir_fd=parent, dst_dir_fd=parent)
            raise
    return Loan(place, target, digest, replaced=True, kept=kept, made=tuple(made))


def _put_link(parent: int, name: str, target: str) -> None:
    draft = name + NEW_SUFFIX
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=parent)
    os.symlink(target, draft, dir_fd=parent)
    os.rename(draft, name, src_dir_fd=parent, dst_dir_fd=parent)


def _repair(root: str, place: str, target: str) -> None:
    """Take back a link of ours that a sandbox left when the machine went down under it."""
    if paths.read_link(root, place) != target:
        return
    with paths.opened_parent(root, place) as (parent, name):
        os.unlink(name, dir_fd=parent)
        with contextlib.suppress(FileNotFoundError):
            os.rename(name + KEPT_SUFFIX, name, src_dir_fd=parent, dst_dir_fd=parent)


def _write(root: str, path: str, lent: LentFile) -> None:
    paths.make_directory(root, os.path.dirname(path))
    with paths.opened_parent(root, path) as (parent, name):
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, lent.mode, dir_fd=parent)
    with open(handle, "wb") as stream:
        stream.write(lent.contents)
        os.fchmod(stream.fileno(), lent.mode)


def _keep(parent: int, name: str) -> bool:
    """Give the image's own file a second name; directories cannot have one and are renamed."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(found.st_mode):
        os.rename(name, name + KEPT_SUFFIX, src_dir_fd=parent, dst_dir_fd=parent)
    else:
        os.link(name, name + KEPT_SUFFIX, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    return True


def give_back(root: str, loan: Loan) -> None:
    """Undo one loan. Twice is harmless.

    Raises:
        BuildError: the image's file system refused.
    """
    if not loan.replaced:
        return
    try:
        with paths.opened_parent(root, loan.path) as (parent, name):
            edited = _edited_contents(root, loan, parent, name)
            if edited is not None:
                _settle_edited(parent, name, edited)
            elif _is_our_link(loan, parent, name):
                _restore(loan, parent, name)
            else:
                _remove_kept(parent, name)
        _remove_made(root, loan)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise BuildError("Cannot give back %s of the image: %s." % (loan.path, exc.strerror), path=loan.path) from exc


def _is_our_link(loan: Loan, parent: int, name: str) -> bool:
    try:
        return os.readlink(name, dir_fd=parent) == loan.target
    except OSError:
        return False


def _edited_contents(root: str, loan: Loan, parent: int, name: str) -> t.Optional[bytes]:
    """What the playbook wrote through our link; None when it wrote nothing, or /run is gone with a crash."""
    if not _is_our_link(loan, parent, name):
        return None
    contents = paths.read_bytes(root, loan.target, MAX_EDITED_BYTES + 1)
    if contents and len(contents) > MAX_EDITED_BYTES:
        raise BuildError(
            "The image's %s is larger than %d MiB by now, and is not kept." % (loan.path, MAX_EDITED_BYTES >> 20),
            path=loan.path,
        )
    if contents is None or hashlib.sha256(contents).hexdigest() == loan.digest:
        return None
    return contents


def _settle_edited(parent: int, name: str, contents: bytes) -> None:
    kept = name + KEPT_SUFFIX
    draft = name + NEW_SUFFIX
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644, dir_fd=parent)
    with open(handle, "wb") as stream:
        stream.write(contents)
        with contextlib.suppress(FileNotFoundError):
            before = os.stat(kept, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISREG(before.st_mode):
                os.fchown(stream.fileno(), before.st_uid, before.st_gid)
                os.fchmod(stream.fileno(), stat.S_IMODE(before.st_mode))
    os.rename(draft, name, src_dir_fd=parent, dst_dir_fd=parent)
    _remove_kept(parent, name)


def _restore(loan: Loan, parent: int, name: str) -> None:
    if loan.kept:
        with contextlib.suppress(FileNotFoundError):
            os.rename(name + KEPT_SUFFIX, name, src_dir_fd=parent, dst_dir_fd=parent)
    # Looked at again: the holder may be closing by itself, and what is there now is the image's own.
    if _is_our_link(loan, parent, name):
        os.unlink(name, dir_fd=parent)


def _remove_kept(parent: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name + KEPT_SUFFIX, dir_fd=parent)


def _remove_made(root: str, loan: Loan) -> None:
    for folder in reversed(loan.made):
        with paths.opened_parent(root, folder) as (parent, name):
            try:
                os.rmdir(name, dir_fd=parent)
            except OSError as exc:
                if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    raise


__all__ = ("LENT_DIR", "POLICY_RC_D", "LentFile", "Loan", "give_back", "lend")
