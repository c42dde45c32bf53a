# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""C(galaxy_file) of Packer's Ansible provisioners: what it names has to be there before a build begins.

Packer installs it in the middle of a build. Here all that a build needs is looked for beforehand, so it is said what is
missing and how it is installed.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import yaml
from ansible import constants as C
from ansible.utils.collection_loader._collection_finder import _get_collection_path

# Ansible's settings are attributes made when it starts, which no type checker sees.
SETTINGS: t.Any = C


def missing_requirements(
    file: Path, roles_path: t.Sequence[str] = (), collections_path: t.Sequence[str] = ()
) -> list[str]:
    """What a file of requirements names and is not installed.

    Args:
        file: it.
        roles_path, collections_path: folders to look in before Ansible's own.

    Raises:
        ValueError: the file cannot be read.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ValueError(f"{file} cannot be read: {exc}") from exc
    roles: list[t.Any] = [] if isinstance(content, dict) else content or []
    collections: list[t.Any] = []
    if isinstance(content, dict):
        roles, collections = content.get("roles") or [], content.get("collections") or []
    role_folders = [*roles_path, *(SETTINGS.DEFAULT_ROLES_PATH or ())]
    return [
        *(f"the role {name}" for name in map(_role_name, roles) if name and not _is_in(role_folders, name)),
        *(
            f"the collection {name}"
            for name in map(_collection_name, collections)
            if name and not _has_collection(name, collections_path)
        ),
    ]


def _role_name(entry: t.Any) -> str:
    """What a role is called once it is installed: its name, else the last part of where it comes from."""
    if not isinstance(entry, dict):
        return _from_source(str(entry))
    return str(entry["name"]) if entry.get("name") else _from_source(str(entry.get("src") or ""))


def _from_source(source: str) -> str:
    source = source.split(",", 1)[0]
    if "/" not in source:
        return source
    return os.path.basename(source.rstrip("/")).removesuffix(".tar.gz").removesuffix(".git")


def _collection_name(entry: t.Any) -> str:
    """The name of a collection; empty where only what is installed would tell it."""
    name = str(entry.get("name") or "") if isinstance(entry, dict) else str(entry)
    name = name.split(":", 1)[0]
    return name if name.count(".") == 1 and "/" not in name else ""


def _is_in(folders: t.Iterable[str], name: str) -> bool:
    return any((Path(folder).expanduser() / name).is_dir() for folder in folders)


def _has_collection(name: str, folders: t.Sequence[str]) -> bool:
    if _is_in([str(Path(folder) / "ansible_collections") for folder in folders], name.replace(".", "/")):
        return True
    try:
        return bool(_get_collection_path(name))
    except ValueError:
        return False


__all__ = ("missing_requirements",)
