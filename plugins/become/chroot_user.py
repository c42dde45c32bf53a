# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: chroot_user
short_description: Become another user of an image that is being built
version_added: 0.1.0
author: bakehouse.images maintainers (@bakehouse)
description:
  - Runs a task as another user of the image behind P(bakehouse.images.chroot#connection).
  - The side that enters the image switches to the user before the image runs anything. The image needs no
    C(sudo), no C(su), no ACL tools; the user needs no password, no login shell and no home directory.
  - User and groups are those of the image's own C(/etc/passwd) and C(/etc/group).
options:
  become_user:
    description: User of the image, by name.
    type: str
    default: root
    ini:
      - section: privilege_escalation
        key: become_user
    vars:
      - name: ansible_become_user
    env:
      - name: ANSIBLE_BECOME_USER
    keyword:
      - name: become_user
notes:
  - Works with P(bakehouse.images.chroot#connection) only. Over any other connection the command fails, and says why.
  - Ansible's default method C(sudo) means this plugin there, so it seldom has to be named.
    See O(bakehouse.images.chroot#connection:use_image_sudo).
seealso:
  - plugin: bakehouse.images.chroot
    plugin_type: connection
"""

EXAMPLES = r"""
---
- name: Create the schema as the database's own user
  hosts: images
  gather_facts: false
  tasks:
    - name: Create the schema
      ansible.builtin.command: initdb -D /var/lib/postgresql/data
      become: true
      become_method: bakehouse.images.chroot_user
      become_user: postgres
"""

import typing as t

from ansible.plugins.become import BecomeBase

if t.TYPE_CHECKING:
    from ansible.plugins.shell import ShellBase

# A command name that exists nowhere, made of characters that no quoting changes. The chroot connection takes it
# out; everywhere else the shell cannot find it, prints it, and the command behind it is never reached.
_SENTENCE = "become-method-bakehouse.images.chroot_user-needs-connection-bakehouse.images.chroot"


class BecomeModule(BecomeBase):
    """Marks commands for the connection, which enters the image as the user."""

    name = "bakehouse.images.chroot_user"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._mark = ""

    def build_become_command(self, cmd: str, shell: ShellBase) -> str:
        """The command behind a mark that only the connection takes away."""
        super().build_become_command(cmd, shell)  # type: ignore[no-untyped-call]
        if not cmd:
            return cmd
        # The random part keeps text inside the command from being taken for the mark.
        self._mark = f"{_SENTENCE}-{self._id} || exit 127; "
        return self._mark + cmd

    def unmarked(self, command: str) -> str | None:
        """The command as it is to run for the other user; None when it was not meant for another user."""
        if not self._mark or self._mark not in command:
            return None
        return command.replace(self._mark, "", 1)
