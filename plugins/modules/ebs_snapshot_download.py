#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ebs_snapshot_download
short_description: Download the contents of an EBS snapshot to a file
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Reads a snapshot through the EBS direct APIs and writes it to a raw disk image. No instance and no volume is needed.
  - Only blocks that were ever written are downloaded. Each is checked against the SHA-256 that the API gives for it.
  - The file appears under its name when it is whole. Until then it is beside it, with C(.part) added to its name.
options:
  snapshot_id:
    description:
      - The snapshot to read. It must be complete.
      - Reading it needs the permissions C(ebs:ListSnapshotBlocks) and C(ebs:GetSnapshotBlock).
    type: str
    required: true
  path:
    description:
      - The file to write. Its folder must exist.
      - The file carries the snapshot's id in the extended attribute C(user.bakehouse.snapshot-id), or, where its file
        system keeps none, in a file beside it with C(.bakehouse.json) added to its name.
    type: path
    required: true
  sparse:
    description:
      - Leave holes where nothing was ever written. Otherwise the file takes the whole size of the volume on the disk.
    type: bool
    default: true
  workers:
    description:
      - How many blocks are asked for at the same time.
    type: int
    default: 4
  force:
    description:
      - Replace a file at O(path) that does not hold this snapshot. Without it, such a file is an error.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details:
      - The snapshot is not looked at in check mode.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A file that carries the id of the snapshot is left alone. Its contents are not compared.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.api
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
seealso:
  - module: bakehouse.images.image_boot
"""

EXAMPLES = r"""
---
- name: Get the disk of an image
  bakehouse.images.ebs_snapshot_download:
    snapshot_id: snap-0c5a1b2d3e4f56789
    path: /var/tmp/web.raw
  register: disk

- name: See whether it boots
  bakehouse.images.image_boot:
    path: "{{ disk.path }}"
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /var/tmp/web.raw
snapshot_id:
  description: The snapshot that the file holds.
  returned: success
  type: str
  sample: snap-0c5a1b2d3e4f56789
size_bytes:
  description: The size of the volume and so of the file, in bytes. 0 in check mode when there is no file yet.
  returned: success
  type: int
  sample: 8589934592
blocks:
  description: How many blocks were downloaded. 0 when the file was there already.
  returned: success
  type: int
  sample: 1874
bytes_downloaded:
  description: How many bytes were downloaded.
  returned: success
  type: int
  sample: 982515712
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ebs.download import DownloadRequest, download_snapshot
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's own options."""
    return {
        "snapshot_id": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
        "sparse": {"type": "bool", "default": True},
        "workers": {"type": "int", "default": 4},
        "force": {"type": "bool", "default": False},
    }


def request_from_params(params: t.Mapping[str, t.Any]) -> DownloadRequest:
    """The request in the module's parameters."""
    if not 1 <= params["workers"] <= 64:
        raise Invalid(["workers is %d; it must be from 1 to 64." % params["workers"]])
    return DownloadRequest(
        snapshot_id=params["snapshot_id"],
        path=params["path"],
        sparse=params["sparse"],
        workers=params["workers"],
        force=params["force"],
    )


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        outcome = download_snapshot(
            connect(module, service="ebs"), request_from_params(module.params), check_mode=module.check_mode
        )
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(**outcome.to_ansible())


if __name__ == "__main__":
    main()
