# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Files of the build host that an image is lent: Packer's C(copy_files), C(/etc/resolv.conf) when not given."""

from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.lending import LentFile

# The image's, and where it is read on the build host.
RESOLV_CONF = "/etc/resolv.conf"
HOST_RESOLV_CONF = RESOLV_CONF

# What systemd-resolved writes for those who do not ask its stub at 127.0.0.53: systemd-resolved.service(8).
RESOLVED_UPLINK = "/run/systemd/resolve/resolv.conf"
STUB_ADDRESSES = ("127.0.0.53", "127.0.0.54")

# Lent files are kept in memory, and travel through one line of JSON.
MAX_LENT_BYTES = 16 * 1024 * 1024


def files_to_lend(copy_files: t.Optional[t.Sequence[str]]) -> t.Tuple[LentFile, ...]:
    """Read the files that are to be lent.

    Args:
        copy_files: absolute paths of files or directories; None for the resolver's configuration, if there is one.

    Raises:
        Invalid: a path is not absolute, or not a file or directory, or all together are too large.
        NotFound: there is no such file.
    """
    if copy_files is None:
        return (_resolv_conf(),) if os.path.exists(HOST_RESOLV_CONF) else ()
    lent: t.List[LentFile] = []
    for path in copy_files:
        if not path.startswith("/"):
            raise Invalid(["copy_files: %r is no absolute path." % path])
        lent += [_resolv_conf()] if path == RESOLV_CONF else _read(path)
    if sum(len(one.contents) for one in lent) > MAX_LENT_BYTES:
        raise Invalid(["copy_files: more than %d MiB in all." % (MAX_LENT_BYTES >> 20)])
    return tuple(lent)


def _resolv_conf() -> LentFile:
    own = _read(HOST_RESOLV_CONF)[0]
    servers = name_servers(own.contents.decode("utf-8", "replace"))
    if servers and all(server in STUB_ADDRESSES for server in servers) and os.path.exists(RESOLVED_UPLINK):
        own = _read(RESOLVED_UPLINK)[0]
    # Every user of the image looks names up, whatever the mode of the build host's file.
    return LentFile(RESOLV_CONF, own.contents, 0o644)


def name_servers(text: str) -> t.List[str]:
    """The name servers of a resolv.conf(5)."""
    lines = (line.split() for line in text.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def _read(path: str) -> t.List[LentFile]:
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            inside = sorted(os.path.join(folder, name) for folder, _dirs, names in os.walk(path) for name in names)
            return [LentFile(one, _contents(one), _mode(one)) for one in inside if os.path.isfile(one)]
        if stat.S_ISREG(found.st_mode):
            return [LentFile(path, _contents(path), _mode(path))]
    except FileNotFoundError as exc:
        raise NotFound("copy_files: there is no %s on the build host." % path) from exc
    except OSError as exc:
        raise Invalid(["copy_files: cannot read %s: %s." % (path, exc.strerror)]) from exc
    raise Invalid(["copy_files: %s is neither a file nor a directory." % path])


def _contents(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(MAX_LENT_BYTES + 1)


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


__all__ = ("files_to_lend", "name_servers")
