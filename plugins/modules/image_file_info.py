#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_file_info
short_description: Tell what disk image files are
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Returns format, size and origin of a disk image file, and whether it is one that this collection has made.
  - Something that is there and is not a regular file is an error.
options:
  path:
    description:
      - The file.
    type: path
    required: true
  source:
    description:
      - A second file, that an image is to be made from. It must be there, and hold something.
    type: path
  source_format:
    description:
      - The format of O(source). By default its first bytes tell.
    type: str
    choices: [raw, qcow2]
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.image_file
"""

EXAMPLES = r"""
---
- name: Look at an image
  bakehouse.images.image_file_info:
    path: /srv/images/web.qcow2
  register: found

- name: Say what it takes
  ansible.builtin.debug:
    msg: "{{ found.image.disk_bytes }} of {{ found.image.size_bytes }} bytes"
  when: found.image is not none
"""

RETURN = r"""
image:
  description: The file. Null when there is none.
  returned: success
  type: dict
  contains:
    image_id:
      description: The path, under the name that all providers' images have their id under.
      returned: success
      type: str
      sample: /srv/images/web.raw
    path:
      description: The path.
      returned: success
      type: str
      sample: /srv/images/web.raw
    format:
      description: V(raw) or V(qcow2).
      returned: success
      type: str
      sample: raw
    size_bytes:
      description: Size of the disk in bytes, as a machine sees it.
      returned: success
      type: int
      sample: 8589934592
    disk_bytes:
      description: What the file takes on its file system, in bytes. Holes take nothing.
      returned: success
      type: int
      sample: 412090368
    file_bytes:
      description: Length of the file in bytes.
      returned: success
      type: int
      sample: 8589934592
    backing_file:
      description: The file that holds what this one does not, as this one names it. Null without one.
      returned: success
      type: str
      sample: base.raw
    build_id:
      description: The build that has made it. Null when it is not ours.
      returned: success
      type: str
      sample: 3f9c2a7d51e84b60
    image_name:
      description: The name of the image. Null when it has none.
      returned: success
      type: str
      sample: web
    fingerprint:
      description: The fingerprint that it was made with. Null when it is not ours.
      returned: success
      type: str
      sample: 7d0c5b3f2a9e4c1d8b6a0f1e2d3c4b5a
    checksum:
      description: SHA-256 of the file. Null when it was not noted, or when the file was written to since.
      returned: success
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    modified:
      description: Whether the file was written to after this collection has made it.
      returned: success
      type: bool
      sample: false
    empty:
      description: Whether the file holds nothing.
      returned: success
      type: bool
      sample: false
    tags:
      description: All that the file says of itself.
      returned: success
      type: dict
      sample:
        bakehouse:build-id: 3f9c2a7d51e84b60
source:
  description:
    - The file O(source), with what RV(image) has.
  returned: success, and O(source) is given
  type: dict
  contains:
    identity:
      description:
        - What stands for its contents in a fingerprint, which is its own fingerprint when this collection has made it
          and nobody has written to it since, and a hash of its contents otherwise.
      returned: success
      type: str
      sample: 7d0c5b3f2a9e4c1d8b6a0f1e2d3c4b5a
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import (
    FORMATS,
    look,
    require,
    source_identity,
)
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "path": {"type": "path", "required": True},
        "source": {"type": "path"},
        "source_format": {"type": "str", "choices": list(FORMATS)},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    runner = LocalRunner()
    result: t.Dict[str, t.Any] = {}
    try:
        image = look(runner, params["path"])
        if params["source"]:
            source = require(runner, params["source"], image_format=params["source_format"])
            result["source"] = dict(source.to_ansible(), identity=source_identity(source))
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, image=image.to_ansible() if image else None, **result)


if __name__ == "__main__":
    main()
