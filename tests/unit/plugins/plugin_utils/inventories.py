# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's own inventory and variables, for plugins that read those of other hosts."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager


def variables_of(folder: Path, inventory: dict[str, t.Any]) -> dict[str, t.Any]:
    """The variables C(groups) and C(hostvars) that each task has, on an inventory in YAML's structure."""
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[str(path)])
    variables = VariableManager(loader=loader, inventory=manager)
    hostvars = HostVars(inventory=manager, variable_manager=variables, loader=loader)
    return {"groups": manager.get_groups_dict(), "hostvars": hostvars}


__all__ = ("variables_of",)
