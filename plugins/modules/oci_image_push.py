#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_image_push
short_description: Have disk images in a registry, as an OCI image
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Makes an OCI image of disk images and puts it into a registry. M(bakehouse.images.oci_image_pull) and
    C(lvh images pull) take them out again. They are below C(/data/images) of the image, each a layer of its own, and
    compressed with zstd, so that their names there end in C(.zst).
  - The same files make the same image, with the same digest, wherever and whenever it is made with the same version of
    zstd. When the tag has that digest already, nothing is sent.
  - The image is made in any case, also in check mode, because its digest is not known otherwise.
options:
  name:
    description:
      - The image, with its tag, such as V(registry.example.com/images/web:1.4). Without a tag it is C(latest).
    type: str
    required: true
  images:
    description:
      - The disk images in it.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - The file. A qcow2 file that refers to another one is an error.
        type: path
        required: true
      name:
        description:
          - What it is called in the image, without C(.zst). By default the last part of O(images[].path).
        type: str
  platform:
    description:
      - What the image is for, such as V(linux/arm64). By default what this machine is.
    type: str
  annotations:
    description:
      - What the image says of itself, for example C(org.opencontainers.image.version).
    type: dict
    default: {}
  compression:
    description:
      - V(none) takes the files as they are, holes as zeros. Files that end in C(.zst), and are compressed so, are taken
        as they are in any case.
    type: str
    choices: [zstd, none]
    default: zstd
  compression_level:
    description:
      - From 1, which is fast, to 19, which is slow and makes the least of it.
    type: int
    default: 3
  work_directory:
    description:
      - Where the image is made, in a hidden folder. It takes as much as the compressed files.
    type: path
    default: /var/tmp
  overwrite:
    description:
      - Let a tag that is another image become this one. Otherwise that is an error.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._registry
seealso:
  - module: bakehouse.images.oci_image_pull
  - module: bakehouse.images.image_file
"""

EXAMPLES = r"""
---
- name: Publish a disk image
  bakehouse.images.oci_image_push:
    name: registry.example.com/images/web:1.4
    images:
      - path: /srv/images/web.qcow2
    annotations:
      org.opencontainers.image.version: "1.4"
    username: builder
    password: "{{ registry_password }}"
  register: pushed

- name: Pull exactly this image elsewhere
  bakehouse.images.oci_image_pull:
    name: "{{ pushed.reference }}"
    directory: /srv/vm
"""

RETURN = r"""
reference:
  description: The image by its digest. As a name it leads to the same one for ever.
  returned: success
  type: str
  sample: registry.example.com/images/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
digest:
  description: The digest of its manifest.
  returned: success
  type: str
  sample: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
platform:
  description: What it is for.
  returned: success
  type: str
  sample: linux/amd64
layers:
  description: What it consists of.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The file in it, below C(/data/images).
      returned: success
      type: str
      sample: web.qcow2.zst
    digest:
      description: The layer's digest.
      returned: success
      type: str
      sample: sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752
    size_bytes:
      description: The layer's size in bytes.
      returned: success
      type: int
      sample: 184549376
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._oci.progress import Progress
from ansible_collections.bakehouse.images.plugins.module_utils._oci.push import COMPRESSIONS, PushRequest, plan_push
from ansible_collections.bakehouse.images.plugins.module_utils._oci.registry import Access, access_argument_spec
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner
from ansible_collections.bakehouse.images.plugins.module_utils._tags import text_tags


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "name": {"type": "str", "required": True},
        "images": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {"path": {"type": "path", "required": True}, "name": {"type": "str"}},
        },
        "platform": {"type": "str"},
        "annotations": {"type": "dict", "default": {}},
        "compression": {"type": "str", "choices": list(COMPRESSIONS), "default": "zstd"},
        "compression_level": {"type": "int", "default": 3},
        "work_directory": {"type": "path", "default": "/var/tmp"},  # noqa: S108 - a folder of its own is made in it
        "overwrite": {"type": "bool", "default": False},
        "progress_interval": {"type": "float", "default": 30},
        "progress_file": {"type": "path"},
        **access_argument_spec(),
    }


def request_from_params(params: t.Mapping[str, t.Any]) -> PushRequest:
    """The request in the module's parameters."""
    fields = [name for name in PushRequest.__dataclass_fields__ if name in params and name != "annotations"]
    return PushRequest(
        access=Access.from_params(params),
        annotations=text_tags(params["annotations"]),
        **{name: params[name] for name in fields},
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    progress = Progress(module.params["progress_file"])
    try:
        with plan_push(LocalRunner(), request_from_params(module.params), progress) as plan:
            if not module.check_mode:
                apply_plan(plan.operations)
    except BuildError as exc:
        fail(module, exc)
    digest = plan.image.digest
    module.exit_json(
        changed=bool(plan.operations),
        reference=str(plan.reference.pinned(digest)),
        digest=digest,
        platform=plan.platform,
        layers=[layer.to_ansible() for layer in plan.image.layers],
        diff=plan_diff(plan.before, plan.operations),
    )


if __name__ == "__main__":
    main()
