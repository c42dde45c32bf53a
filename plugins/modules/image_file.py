#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_file
short_description: Make a disk image file, from nothing or from another one
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Makes a raw or qcow2 file, blank or with the contents of another image file.
  - A raw file from a raw file shares its blocks where the file system can (reflink), and is a sparse copy elsewhere.
    C(qemu-img) does everything that has to do with qcow2.
  - The file is written beside its place, under a hidden name that ends in C(.part), and gets its name when it is whole
    and on the disk. No half-written file ever has the final name.
  - Whose the file is stands in its extended attributes C(user.bakehouse.*), or in a hidden file beside it where the
    file system has none. A file without them is never changed or removed, unless it is empty.
options:
  state:
    description:
      - V(absent) removes a file that this collection has made.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - The file. Folders above it are made.
    type: path
    required: true
  format:
    description:
      - The format of the file.
    type: str
    choices: [raw, qcow2]
    default: raw
  size:
    description:
      - The size of the disk, a number with V(KiB), V(MiB), V(GiB) or V(TiB). By default that of O(source) or
        O(backing_file).
      - The file systems in it are not grown. See M(bakehouse.images.filesystem_grow).
    type: str
  source:
    description:
      - The image file to take the contents from. Without it, and without O(backing_file), the disk is blank.
    type: path
  source_format:
    description:
      - The format of O(source). By default its first bytes tell.
    type: str
    choices: [raw, qcow2]
  remove_source:
    description:
      - Remove O(source) afterwards. Where no other format is asked for, it is renamed, not copied.
    type: bool
    default: false
  backing_file:
    description:
      - Write only what differs from this image file, which the new file then refers to. Needs V(qcow2).
      - The backing file must not change any more. It is referred to by its name alone when it lies in the same folder.
    type: path
  compress:
    description:
      - Compress the contents. Needs V(qcow2).
    type: bool
    default: false
  checksum:
    description:
      - Note the SHA-256 of the file in its attributes.
    type: bool
    default: false
  overwrite:
    description:
      - Replace a file of this collection that is another one than asked for. Otherwise such a file is an error.
      - A file that the collection has not made is an error in any case.
    type: bool
    default: false
  tags:
    description:
      - What the file says of itself, for example C(bakehouse:build-id).
      - Where C(bakehouse:fingerprint) is given, it decides whether a file that is there is the one asked for; where
        only C(bakehouse:build-id) is, that does. Without both, a hash of options and contents does.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.image_file_info
  - module: bakehouse.images.loop_device
  - module: bakehouse.images.local_build
"""

EXAMPLES = r"""
---
- name: Make a blank disk
  bakehouse.images.image_file:
    path: /srv/images/blank.raw
    size: 8GiB

- name: Make a larger copy of an image
  bakehouse.images.image_file:
    path: /srv/images/web.raw
    source: /srv/images/base.raw
    size: 12GiB
  register: copy

- name: Convert it for another tool
  bakehouse.images.image_file:
    path: /srv/images/web.qcow2
    format: qcow2
    source: "{{ copy.image.path }}"
    compress: true
"""

RETURN = r"""
image:
  description: The file, as it is afterwards. In check mode, as far as it is known. Null when it is absent.
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
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._disk.sizes import parse_size
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.looking import FORMATS, look
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.removal import plan_absent
from ansible_collections.bakehouse.images.plugins.module_utils._image_file.writing import FileRequest, plan_present
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._tags import text_tags


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "path": {"type": "path", "required": True},
        "format": {"type": "str", "choices": list(FORMATS), "default": "raw"},
        "size": {"type": "str"},
        "source": {"type": "path"},
        "source_format": {"type": "str", "choices": list(FORMATS)},
        "remove_source": {"type": "bool", "default": False},
        "backing_file": {"type": "path"},
        "compress": {"type": "bool", "default": False},
        "checksum": {"type": "bool", "default": False},
        "overwrite": {"type": "bool", "default": False},
        "tags": {"type": "dict", "default": {}},
    }


def request_from_params(params: t.Mapping[str, t.Any]) -> FileRequest:
    """The request in the module's parameters."""
    size = params["size"]
    size_bytes = parse_size(size) if size else None
    if size and not size_bytes:
        raise Invalid(["size is %r. Write it as a number with KiB, MiB, GiB or TiB, such as 8GiB." % size])
    given = {name: params[name] for name in FileRequest.__dataclass_fields__ if name in params and name != "tags"}
    return FileRequest(size_bytes=size_bytes, tags=text_tags(params["tags"]), **given)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    runner = LocalRunner()
    path = module.params["path"]
    try:
        if module.params["state"] == "present":
            plan = plan_present(runner, request_from_params(module.params))
        else:
            plan = plan_absent(runner, path)
        image = plan.image
        if plan.operations and not module.check_mode:
            apply_plan(plan.operations)
            image = look(runner, path)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(
        changed=bool(plan.operations),
        image=image.to_ansible() if image else None,
        diff=plan_diff(plan.before, plan.operations),
    )


if __name__ == "__main__":
    main()
