# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Where the files that provisioning steps name are found.

The order is: beside the file that defines the image, then in its C(roles), then beside the playbook,
then beside the inventory, then Ansible's own search path. The playbook alone would not do: run from
C(bakehouse.images.build), its folder is the collection's.
"""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

from ansible.utils.collection_loader import AnsibleCollectionRef
from ansible.utils.collection_loader._collection_finder import _get_collection_role_path
from ansible_collections.bakehouse.images.plugins.plugin_utils._untemplated import defined_in


@dataclasses.dataclass(frozen=True)
class SearchPath:
    """The folders to look in, nearest first.

    Attributes:
        folders: where task files, playbooks, copied files and a C(roles) folder are looked for.
        role_folders: Ansible's own folders of roles.
    """

    folders: tuple[Path, ...]
    role_folders: tuple[Path, ...] = ()

    @classmethod
    def of_definition(
        cls, definition: t.Any, task_vars: t.Mapping[str, t.Any], role_folders: t.Iterable[str]
    ) -> SearchPath:
        """The search path of an image whose untemplated C(bake_provision) is given."""
        origin = defined_in(definition)
        candidates = [
            str(Path(origin).parent) if origin and Path(origin).is_absolute() else None,
            task_vars.get("playbook_dir"),
            task_vars.get("inventory_dir"),
        ]
        folders = dict.fromkeys(Path(folder) for folder in candidates if folder)
        return cls(tuple(folders), tuple(Path(folder) for folder in role_folders))

    def role(self, name: str) -> Path | None:
        """The folder of a role, given by name, by path, or as namespace.collection.role."""
        if AnsibleCollectionRef.is_valid_fqcr(name):
            found = _get_collection_role_path(name)
            if found:
                return Path(found[1])
        inside = [folder / sub / name for folder in self.folders for sub in ("roles", "")]
        places = [*inside, *(folder / name for folder in self.role_folders)]
        return next((place.resolve() for place in places if _is_role(place)), None)

    def file(self, name: str, *, subfolder: str = "") -> Path | None:
        """A file or folder by its path, in C(subfolder) of each folder before the folder itself."""
        subfolders = [subfolder, ""] if subfolder else [""]
        places = (folder / sub / Path(name).expanduser() for folder in self.folders for sub in subfolders)
        return next((place.absolute() for place in places if place.exists()), None)

    def __str__(self) -> str:
        return ", ".join(map(str, self.folders)) or "no folder"


def _is_role(folder: Path) -> bool:
    return any((folder / part).is_dir() for part in ("tasks", "meta", "handlers", "defaults", "vars"))


__all__ = ("SearchPath",)
