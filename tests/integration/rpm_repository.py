# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A distribution of some megabytes for tests: real RPM packages, signed, in a real repository.

It has folders, a shell with the usual commands (Debian's static BusyBox), Debian's rpm with the libraries that it
needs, which looks for its database where Fedora has it, and packages that show what an installation did.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Where Debian's rpm looks for its database is a place that no distribution of RPM packages has.
DATABASE = "/usr/lib/sysimage/rpm"

SPEC = """
%define debug_package %{{nil}}
%define __os_install_post %{{nil}}
%define _binary_payload w0.gzdio
Name: tiny
Version: 1.0
Release: 1
Summary: For tests
License: GPL-3.0-or-later
%description
For tests.

%install
cp -a {tree}/. %{{buildroot}}

%package -n filesystem
AutoReqProv: no
Summary: Folders
%description -n filesystem
Folders.
%files -n filesystem
%dir /dev
%dir /etc
%dir /proc
%dir /run
%dir /sys
%attr(1777,root,root) %dir /tmp
%dir /var
/bin
/lib
/lib64
/sbin

%package -n busybox
AutoReqProv: no
Summary: A shell
Requires(pre): filesystem
Provides: /bin/sh
%description -n busybox
A shell.
%files -n busybox
/usr/bin/*
%exclude /usr/bin/rpm*

%package -n tiny-release
AutoReqProv: no
Summary: What system it is
Requires(pre): busybox
%description -n tiny-release
What system it is.
%post -n tiny-release
test -c /dev/null && test -d /proc/self && cat /etc/os-release > /dev/null && echo "$HOME" > /var/post
%files -n tiny-release
/etc/os-release
/usr/lib/os-release

%package -n rpm
AutoReqProv: no
Summary: The package manager
Requires: busybox
%description -n rpm
The package manager.
%files -n rpm
/usr/bin/rpm
/usr/bin/rpmdb
/usr/lib/*-linux*
/usr/lib/rpm
/usr/lib64

%package -n e2fsprogs
AutoReqProv: no
Summary: Nothing
%description -n e2fsprogs
Nothing.
%files -n e2fsprogs

%package -n grouped
AutoReqProv: no
Summary: In a group
Recommends: recommended
%description -n grouped
In a group.
%files -n grouped

%package -n recommended
AutoReqProv: no
Summary: A weak dependency
%description -n recommended
A weak dependency.
%files -n recommended
"""

GROUPS = """<?xml version="1.0" encoding="UTF-8"?>
<comps><group><id>core</id><name>Core</name><description/><default>true</default><uservisible>true</uservisible>
<packagelist><packagereq type="mandatory">grouped</packagereq></packagelist></group></comps>
"""

OS_RELEASE = 'ID=tiny\nPRETTY_NAME="Tiny 1"\nVERSION_ID="1"\n'


@dataclasses.dataclass(frozen=True)
class Repository:
    """What the packages can be installed from.

    Attributes:
        signed: folder of the repository whose packages are signed.
        unsigned: the same packages without a signature.
        key: file with the public key that they are signed with.
        other_key: file with another one.
    """

    signed: Path
    unsigned: Path
    key: Path
    other_key: Path


def make_repository(folder: Path) -> Repository:
    """Build the packages, sign them and make the repositories."""
    _stage(folder / "tree")
    (folder / "tiny.spec").write_text(SPEC.format(tree=folder / "tree"))
    packages = folder / "unsigned"
    topdir = ["--define", f"_topdir {folder / 'rpmbuild'}", "--define", f"_rpmdir {packages}"]
    flat = ["--define", "_build_name_fmt %%{NAME}-%%{VERSION}.%%{ARCH}.rpm"]
    _run("rpmbuild", "--quiet", "-bb", *topdir, *flat, str(folder / "tiny.spec"))
    shutil.rmtree(folder / "tree")
    signed = folder / "signed"
    shutil.copytree(packages, signed)
    with _keyring() as home:
        keys = [_new_key(home, name, folder / f"{name}.asc") for name in ("distribution", "stranger")]
        named = {"_gpg_name": "distribution", "_gpg_path": home, "__gpg": _which("gpg")}
        macros = [word for name, value in named.items() for word in ("--define", f"{name} {value}")]
        _run("rpmsign", "--addsign", *macros, *map(str, sorted(signed.iterdir())))
    (folder / "groups.xml").write_text(GROUPS)
    for repository in (packages, signed):
        _run("createrepo_c", "--quiet", "--groupfile", str(folder / "groups.xml"), str(repository))
    return Repository(signed, packages, *keys)


def _stage(tree: Path) -> None:
    """All files of all packages."""
    for name in ("dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "usr/lib64", "var"):
        (tree / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    (tree / "sbin").symlink_to("usr/bin")
    shutil.copytree("/usr/lib/rpm", tree / "usr/lib/rpm", symlinks=True)
    (tree / "usr/lib/rpm/macros.d/macros.tiny").write_text(f"%_dbpath {DATABASE}\n")
    for path in ["/usr/bin/rpm", "/usr/bin/rpmdb", *re.findall(r"(/\S+) \(0x", _run("ldd", "/usr/bin/rpm"))]:
        place = tree / "usr" / path.removeprefix("/usr").lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    shutil.copy(_which("busybox"), tree / "usr/bin/busybox")
    for applet in _run("busybox", "--list").split():
        if not (tree / "usr/bin" / applet).exists():
            (tree / "usr/bin" / applet).symlink_to("busybox")
    (tree / "usr/lib/os-release").write_text(OS_RELEASE)
    (tree / "etc/os-release").symlink_to("../usr/lib/os-release")


@contextlib.contextmanager
def _keyring() -> Iterator[Path]:
    # Not in pytest's folder: the path of the agent's socket may have no more than 107 characters.
    with tempfile.TemporaryDirectory(prefix="bakehouse-gpg-") as name:
        try:
            yield Path(name)
        finally:
            _run("gpgconf", "--homedir", name, "--kill", "all")


def _new_key(home: Path, name: str, file: Path) -> Path:
    batch = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    _run(*batch, "--passphrase", "", "--quick-generate-key", name, "rsa2048", "sign", "never")
    _run(*batch, "--armor", "--output", str(file), "--export", name)
    return file


def _which(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} is not installed"
    return path


def _run(*argv: str) -> str:
    # Debian's rpm has its database in the home directory.
    env = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


__all__ = ("DATABASE", "Repository", "make_repository")
