#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: oci_image_pull
short_description: Have the disk images of an OCI image
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Downloads an image from a registry, and puts the disk images in it into a folder, as C(lvh images pull) does. They
    are the files below C(/data/images) of the image. Those that end in C(.zst) are decompressed.
  - Files are put into C(images) below O(directory), sparse, and only when all of them are whole. Before that they are
    in a hidden folder there, which the next run removes if one is killed.
  - The digests of manifest, configuration and layers are compared with what was downloaded. Images are refused that
    hold anything but folders and files below C(/data/images), names that lead out of it, or qcow2 files that refer to
    other files.
  - Each file says in its attributes from which image it comes. As long as all are there and nobody has written to them,
    nothing but manifest and configuration is downloaded.
options:
  name:
    description:
      - The image, such as V(quay.io/lvh-images/kind:main). Without a tag it is C(latest).
      - With a digest, as in V(quay.io/lvh-images/kind@sha256:...), it is that image and no other. A tag beside it then
        decides nothing.
    type: str
    required: true
  digest:
    description:
      - The digest that the image, or the index that it is chosen from, must have. The same as a digest in O(name).
    type: str
  directory:
    description:
      - The folder that C(images) is in, or will be.
      - It may be a link, but nothing below it may be one that a file would be written through.
    type: path
    required: true
  platform:
    description:
      - Which image of those that an index holds, such as V(linux/arm64). By default the one for this machine.
      - Where it is given, an image for another platform is an error, also one that stands alone.
    type: str
  cache:
    description:
      - Keep compressed files beside those made from them.
    type: bool
    default: false
  overwrite:
    description:
      - Replace files of this collection that are other ones than the image has, or that someone has written to.
        Otherwise such a file is an error.
      - A file that the collection has not made is an error in any case, unless it is empty.
    type: bool
    default: false
  max_unpacked_size:
    description:
      - How much may come out of the image at most, with its layers and the compressed files in them together, such as
        V(200GiB), or in bytes. What would be more is an error, and nothing of it is kept. Holes in disk images count.
      - A small file can hold more than any disk has room for. Without a limit, whoever can write to the registry could
        fill the disk.
    type: str
    default: 64GiB
attributes:
  check_mode:
    support: full
    details:
      - The registry is asked which image there is. What it holds is not known before it is downloaded.
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._registry
seealso:
  - module: bakehouse.images.oci_image_push
  - module: bakehouse.images.image_file
"""

EXAMPLES = r"""
---
- name: Pull the disk image that others are made from
  bakehouse.images.oci_image_pull:
    name: quay.io/lvh-images/kind:main
    directory: /srv/vm

- name: Pull exactly this one, for another platform
  bakehouse.images.oci_image_pull:
    name: registry.example.com/images/base
    digest: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    platform: linux/arm64
    directory: /srv/arm64
    username: builder
    password: "{{ registry_password }}"
  register: base

- name: Make a larger copy of it
  bakehouse.images.image_file:
    path: /srv/arm64/web.raw
    source: "{{ base.images[0].path }}"
    size: 20GiB
"""

RETURN = r"""
reference:
  description: The image that was found, by its digest. As O(name) it leads to the same one for ever.
  returned: success
  type: str
  sample: quay.io/lvh-images/kind@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
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
images:
  description: The files, as they are afterwards. Empty in check mode when they have yet to be downloaded.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The path.
      returned: success
      type: str
      sample: /srv/vm/images/kind.qcow2
    format:
      description: V(raw) or V(qcow2).
      returned: success
      type: str
      sample: qcow2
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
      sample: 412090368
    fingerprint:
      description: What images made from it have in their own fingerprint. It follows from the image's digest.
      returned: success
      type: str
      sample: 7d0c5b3f2a9e4c1d8b6a0f1e2d3c4b5a
    tags:
      description: All that the file says of itself.
      returned: success
      type: dict
      sample:
        bakehouse:oci-name: quay.io/lvh-images/kind
compressed:
  description: The compressed files that were kept.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._oci.limits import DEFAULT_UNPACKED
from ansible_collections.bakehouse.images.plugins.module_utils._oci.progress import Progress
from ansible_collections.bakehouse.images.plugins.module_utils._oci.pull import PullRequest, plan_pull, pulled_images
from ansible_collections.bakehouse.images.plugins.module_utils._oci.registry import Access, access_argument_spec
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

RESULT_KEYS = ("path", "format", "size_bytes", "disk_bytes", "file_bytes", "fingerprint", "tags")


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    return {
        "name": {"type": "str", "required": True},
        "digest": {"type": "str"},
        "directory": {"type": "path", "required": True},
        "platform": {"type": "str"},
        "cache": {"type": "bool", "default": False},
        "overwrite": {"type": "bool", "default": False},
        "max_unpacked_size": {"type": "str", "default": DEFAULT_UNPACKED},
        "progress_interval": {"type": "float", "default": 30},
        "progress_file": {"type": "path"},
        **access_argument_spec(),
    }


def request_from_params(params: t.Mapping[str, t.Any]) -> PullRequest:
    """The request in the module's parameters."""
    given = {name: params[name] for name in PullRequest.__dataclass_fields__ if name in params}
    return PullRequest(access=Access.from_params(params), **given)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    runner = LocalRunner()
    try:
        request = request_from_params(module.params)
        plan = plan_pull(runner, request, Progress(module.params["progress_file"]))
        if plan.operations and not module.check_mode:
            apply_plan(plan.operations)
            plan = pulled_images(runner, request, plan)
    except BuildError as exc:
        fail(module, exc)
    images = [image.to_ansible() for image in plan.images]
    module.exit_json(
        changed=bool(plan.operations),
        reference=str(plan.pinned),
        digest=plan.pinned.digest,
        platform=plan.platform,
        images=[{key: image[key] for key in RESULT_KEYS} for image in images],
        compressed=plan.compressed,
        diff=plan_diff(plan.before, plan.operations),
    )


if __name__ == "__main__":
    main()
