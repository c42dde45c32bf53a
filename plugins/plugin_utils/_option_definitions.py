# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The options of a plugin, read from its documentation once for a run.

Ansible reads them in each worker, which lives for one task, and to parse the YAML of a long documentation takes half as
long as a module. It does not where they are known. So the first worker notes what Ansible has read.
"""

from __future__ import annotations

import json
import typing as t

from ansible import constants as C
from ansible_collections.bakehouse.images.plugins.plugin_utils._run_notes import note_age, read_note, write_note

# An attribute that Ansible makes when it starts, which no type checker sees.
_CONFIG: t.Any = C.config


def know_options(plugin_type: str, module: str) -> None:
    """While a plugin is imported: let Ansible know its options, if a worker of this run has noted them."""
    noted = read_note("options", plugin_type, module)
    if noted:
        name, definitions = json.loads(noted)
        if not _CONFIG.has_configuration_definition(plugin_type, name):
            _CONFIG.initialize_plugin_configuration_definitions(plugin_type, name, definitions)


def note_options(plugin_type: str, module: str, name: str) -> None:
    """When the plugin is loaded: note them for the others.

    Args:
        name: as Ansible knows the plugin.
    """
    if note_age("options", plugin_type, module) is None:
        definitions = _CONFIG.get_configuration_definitions(plugin_type, name)
        write_note(json.dumps([name, definitions]), "options", plugin_type, module)


__all__ = ("know_options", "note_options")
