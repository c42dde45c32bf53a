# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files lent to an image, above all /etc/resolv.conf: every kind the image can have, and all a playbook does to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox import lent_files

from tests.integration.disks import run
from tests.integration.sandbox.sandboxes import Host, look_at, said

IMAGE_HAS = {
    "a file": "echo nameserver 192.0.2.1 > /etc/resolv.conf; chmod 640 /etc/resolv.conf",
    "an absolute link": "ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
    "a relative link": "ln -s ../run/resolvconf/resolv.conf /etc/resolv.conf",
    "a link to a file": "echo nameserver 127.0.0.53 > /usr/lib/r.conf; ln -s ../usr/lib/r.conf /etc/resolv.conf",
    "nothing": "true",
}
PLAYBOOK = {
    "leaves it": "true",
    "replaces it": "echo nameserver 192.0.2.9 > /etc/new; mv /etc/new /etc/resolv.conf",
    "edits it": "echo nameserver 192.0.2.9 >> /etc/resolv.conf",
    "links it": "ln -snf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf",
    "removes it": "rm /etc/resolv.conf",
}


# What the playbook does matters as little to a stub as to a file.
CASES = [("a file", has, does) for has in IMAGE_HAS for does in PLAYBOOK]
CASES += [("a stub", has, "leaves it") for has in IMAGE_HAS]


@pytest.mark.parametrize(("resolver", "has", "does"), CASES)
def test_resolv_conf_works_inside_and_is_the_images_own_afterwards(
    host: Host, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resolver: str, has: str, does: str
) -> None:
    servers = "nameserver 198.51.100.7"
    (tmp_path / "uplink").write_text(servers + "\n")
    (tmp_path / "stub").write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr(lent_files, "HOST_RESOLV_CONF", str(tmp_path / ("stub" if resolver == "a stub" else "uplink")))
    monkeypatch.setattr(lent_files, "RESOLVED_UPLINK", str(tmp_path / "uplink"))
    own = tree / "etc/resolv.conf"
    run("chroot", tree, "/bin/sh", "-ec", "rm -f /etc/resolv.conf; " + IMAGE_HAS[has])
    before = look_at(own)
    record = host.open(root=str(tree))
    assert said(record, "cat /etc/resolv.conf") == servers
    said(record, PLAYBOOK[does])
    if does == "links it":
        assert said(record, "cat /etc/resolv.conf") == servers
    host.close()

    after = look_at(own)
    leads_to_run = "absolute" in has or "relative" in has
    if does == "leaves it" or (does == "edits it" and leads_to_run):
        assert after == before
    elif does == "edits it":
        assert after is not None
        assert after[1] == f"{servers}\nnameserver 192.0.2.9\n"
        assert after[0] == (before[0] if has == "a file" and before else "0o100644")
    elif does == "replaces it":
        assert after is not None
        assert after[1] == "nameserver 192.0.2.9\n"
    elif does == "links it":
        assert after is not None
        assert after[:2] == ("link", "../run/systemd/resolve/stub-resolv.conf")
    else:
        assert after is None
    assert [path.name for path in (tree / "etc").glob("*bakehouse*")] == []


def test_files_to_lend_are_there_for_the_time_being(host: Host, tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "company"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "key.pem").write_text("secret\n")
    (folder / "deep" / "key.pem").chmod(0o600)
    record = host.open(root=str(tree), copy_files=(str(folder),))
    assert said(record, f"cat {folder}/deep/key.pem; stat -Lc %a {folder}/deep/key.pem").split() == ["secret", "600"]
    assert said(record, "readlink /etc/resolv.conf || true") == ""
    host.close()
    assert not (tree / str(folder).strip("/")).exists()
    assert not (tree / str(tmp_path).strip("/")).exists()
