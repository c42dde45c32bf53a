# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Packer's provisioner C(file) as steps: files and folders, up and down."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import Row
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioner import Provisioner

FILE = {
    "source": Row(),
    "sources": Row("list"),
    "content": Row(),
    "destination": Row(),
    "direction": Row(choices=("upload", "download")),
    "generated": Row("bool"),
}
RESULT = "packer_transferred"


def file_steps(it: Provisioner) -> list[dict[str, t.Any]]:
    """The steps of a C(file) provisioner."""
    values = it.values
    given = [name for name in ("source", "sources", "content") if name in it.component.values]
    if len(given) != 1:
        it.says(f"file has exactly one of source, sources and content, and this has {' and '.join(given) or 'none'}.")
        return []
    if not values.get("destination"):
        it.says("file has a destination.")
        return []
    downwards = values.get("direction") == "download"
    if "content" in given:
        if downwards:
            it.says("content is for uploads.", "content")
        return [_task(it, "write " + values["destination"], _content(it))]
    sources = [values.get("source", "")] if "source" in given else values.get("sources") or []
    steps = []
    for number, source in enumerate(sources):
        path = ("source",) if "source" in given else ("sources", number)
        step = _download(it, source) if downwards else _upload(it, source, *path)
        if step:
            steps.append(step)
    waiting = it.pause()
    return [{"name": it.title("wait"), "tasks": waiting}, *steps] if waiting and steps else steps


def _task(it: Provisioner, title: str, task: dict[str, t.Any]) -> dict[str, t.Any]:
    known = {**it.retries(f"{RESULT} is not failed", RESULT), **it.limits()}
    return {"name": it.title(title), "tasks": [{"name": it.title(title), **task, **known}]}


def _content(it: Provisioner) -> dict[str, t.Any]:
    content, dest = it.values.get("content", ""), it.values["destination"]
    return {"ansible.builtin.copy": {"content": content, "dest": dest, "mode": "0644"}}


def _upload(it: Provisioner, source: str, *path: str | int) -> dict[str, t.Any] | None:
    dest = it.values["destination"]
    title = f"upload {source}"
    if it.values.get("generated"):  # it is not there yet
        return _task(it, title, {"ansible.builtin.copy": {"src": source, "dest": dest, "mode": "preserve"}})
    found = it.local(source, *path)
    if found is None:
        return None
    if found.is_dir():
        # The slash says whether the folder itself is meant, or what is in it.
        src = str(found) + ("/" if source.endswith("/") else "")
        return _task(it, title, {"bakehouse.images.directory_transfer": {"src": src, "dest": dest}})
    if it.values.get("max_retries") or it.values.get("timeout"):
        return _task(it, title, {"ansible.builtin.copy": {"src": str(found), "dest": dest, "mode": "preserve"}})
    if dest.endswith("/"):
        dest = os.path.join(dest, found.name)
    return {"name": it.title(title), "actions": [{"type": "upload", "op": {"File": str(found), "Dest": dest}}]}


def _download(it: Provisioner, source: str) -> dict[str, t.Any]:
    dest = os.path.join(os.getcwd(), it.values["destination"])
    if source.endswith("/"):
        pull = {"mode": "pull", "src": source, "dest": dest}
        return _task(it, f"download {source}", {"bakehouse.images.directory_transfer": pull})
    fetch = {"src": source, "dest": dest, "flat": True, "fail_on_missing": True}
    return _task(it, f"download {source}", {"ansible.builtin.fetch": fetch})


__all__ = ("FILE", "file_steps")
