#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The plugin of the same name in plugins/action runs on the controller, and runs this for each step on the host.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: directory_transfer
short_description: Upload a directory to a host or an image, or download one from there
description:
  - Makes a directory of the host like one of the controller (O(mode=push)), or one of the controller like one of the
    host (O(mode=pull)). Only what differs is transferred.
  - It works through the host's own connection, whatever that is, so it needs neither rsync nor an SSH login, and works
    in an image that is being built.
  - Files, directories and symbolic links are transferred, with their permissions, hidden ones too. Links are
    transferred as they are and never followed. Hard links become files of their own. Devices, sockets and pipes are
    skipped, and returned in RV(skipped_names).
  - An empty directory is no error.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff is a list of names, C(+) added, C(~) changed, C(-) removed. It does not show contents.
  idempotent:
    support: full
  platform:
    support: full
    details:
      - The host needs Python, as for other modules.
options:
  src:
    description:
      - The directory to transfer, on the controller for O(mode=push), where a relative path is looked for as
        M(ansible.builtin.copy) does, and on the host for O(mode=pull).
      - With a slash at the end, what is in the directory goes into O(dest). Without, the directory itself does, as
        O(dest)/name. It does not matter whether O(dest) is there already.
    type: str
    required: true
  dest:
    description:
      - The directory to transfer to, on the other side. It is made, with its parents, when it is not there.
      - On the host it must be an absolute path. On the controller a relative one begins at the playbook's directory.
    type: str
    required: true
  mode:
    description:
      - V(push) uploads from the controller to the host, V(pull) downloads from the host to the controller.
    type: str
    choices: [push, pull]
    default: push
  delete:
    description:
      - Remove what is in the destination and not in the source. What O(exclude) names is left alone.
    type: bool
    default: false
  exclude:
    description:
      - Names to leave alone on both sides, as patterns of a shell. V(*) and V(?) match a slash too.
      - A pattern without a slash is compared with the last part of each name, and one with a slash with the whole name
        below the directory, such as V(cache/*.tmp) or V(/cache). One that ends with a slash is for directories only.
      - With a directory, all that is in it is left alone.
    type: list
    elements: str
    default: []
  compare:
    description:
      - How files are found to be the same. V(content) reads them on both sides. V(time) takes files of the same size
        and time of change for the same, which is quicker for large trees.
      - Times of change are always transferred with a file's contents.
    type: str
    choices: [content, time]
    default: content
  preserve_owner:
    description:
      - Give files the user and group they have at the source, by number, which needs root at the destination.
        Otherwise they belong to who writes them, that is the task's C(become_user) on the host.
    type: bool
    default: false
  transfer_step:
    description:
      - What the plugin on the controller asks of this module on the host. Tasks cannot set it.
    type: dict
notes:
  - What is transferred is for its time in one archive in C(/var/tmp) on the host, and in one on the controller, as
    large as the contents of the files that differ. Memory does not grow with the size of files, but with their number.
  - What comes from a host is written below O(dest) only, whatever that host sends.
seealso:
  - module: ansible.builtin.copy
  - module: ansible.builtin.fetch
  - module: ansible.posix.synchronize
"""

EXAMPLES = r"""
---
- name: Upload what is in site/ to /srv/www
  bakehouse.images.directory_transfer:
    src: site/
    dest: /srv/www
    delete: true
    exclude: [".git/", "*.swp", uploads]

- name: Upload the directory app to /opt/app, for the user app
  bakehouse.images.directory_transfer:
    src: app
    dest: /opt
  become: true
  become_user: app

- name: Download the package manager's logs
  bakehouse.images.directory_transfer:
    mode: pull
    src: /var/log/apt/
    dest: "records/{{ inventory_hostname }}/apt"
"""

RETURN = r"""
---
src:
  description: The source directory.
  returned: success
  type: str
  sample: /home/user/site
dest:
  description: The directory that was made like it.
  returned: success
  type: str
  sample: /srv/www
added:
  description: Names below RV(dest) that are new.
  returned: success
  type: list
  elements: str
  sample: [css/site.css]
changed_names:
  description: Names that were there and differed.
  returned: success
  type: list
  elements: str
  sample: [index.html]
removed:
  description: Names that are gone.
  returned: success
  type: list
  elements: str
  sample: []
skipped_names:
  description: Names of the source that were not transferred, because they are devices, sockets or pipes.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._tree.steps import ARGUMENT_SPEC, run_step


def argument_spec() -> t.Dict[str, t.Any]:
    """The options, and what the action says besides."""
    return dict(ARGUMENT_SPEC, transfer_step={"type": "dict"})


def main() -> None:
    """Run one step."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    asked = module.params["transfer_step"] or {}
    try:
        found = run_step(asked["step"], asked["path"], dict(module.params, **asked["given"]))
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
