# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Ansible's own sudo, to become root on a build host."""

from __future__ import annotations

import typing as t

from ansible.plugins.loader import become_loader


def sudo_plugin(variables: t.Mapping[str, t.Any], become_exe: str | None, password: str | None) -> t.Any:
    """The plugin with the build host's variables.

    Args:
        become_exe: stronger than the variables.
        password: of C(--ask-become-pass), when the variables have none.
    """
    plugin = become_loader.get("ansible.builtin.sudo")
    plugin.set_options(var_options=dict(variables))
    plugin.set_option("become_user", "root")
    if become_exe:
        plugin.set_option("become_exe", become_exe)
    if password and not plugin.get_option("become_pass"):
        plugin.set_option("become_pass", password)
    return plugin


__all__ = ("sudo_plugin",)
