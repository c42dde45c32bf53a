# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_build_info
short_description: Find what builds of an image have made at Outscale, and whose an image's name is
version_added: 0.1.0
description:
  - Tells what is needed to decide whether an image has to be built. Is the name free in the own account, is there an
    image of the same fingerprint, or have unfinished builds left something.
  - With O(vm_id), looks at the build host first. Keys that are not accepted show there, before anything is made.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._outscale
author: bakehouse.images maintainers (@bakehouse)
options:
  image_name:
    description:
      - The image. Without O(build_id), returns the account's own images of this name, whoever made them, and the
        snapshots and volumes that builds of it have tagged.
    type: str
  build_id:
    description: The build, 16 hexadecimal digits. Returns what carries its mark.
    type: str
  vm_id:
    description: The VM that is the build host. It must be there, and running.
    type: str
  source:
    description: The image that a build would start from. It is looked for first, and must be exactly one.
    type: dict
    suboptions:
      image_id:
        description: As O(bakehouse.images.osc_source_image_info#module:image_id).
        type: str
      filters:
        description: As O(bakehouse.images.osc_source_image_info#module:filters).
        type: dict
      owners:
        description: As O(bakehouse.images.osc_source_image_info#module:owners).
        type: list
        elements: str
      most_recent:
        description: As O(bakehouse.images.osc_source_image_info#module:most_recent).
        type: bool
        default: false
seealso:
  - module: bakehouse.images.osc_build
  - module: bakehouse.images.osc_source_image_info
"""

EXAMPLES = r"""
---
- name: See what there is of an image
  bakehouse.images.osc_build_info:
    image_name: web-2026-03
  register: there

- name: Refuse a name that is somebody else's
  ansible.builtin.assert:
    that: there.images | rejectattr('ours') | length == 0
"""

RETURN = r"""
source_image:
  description: The source image, as RV(bakehouse.images.osc_source_image_info#module:image).
  returned: when O(source) is given
  type: dict
  sample:
    image_id: ami-0fcdc403
vm:
  description:
    - The build host.
  returned: when O(vm_id) is given
  type: dict
  contains:
    vm_id:
      description: The id.
      returned: always
      type: str
      sample: i-12345678
    state:
      description: The state.
      returned: always
      type: str
      sample: running
    subregion:
      description: The subregion.
      returned: always
      type: str
      sample: eu-west-2a
    vm_type:
      description: The type.
      returned: always
      type: str
      sample: tinav5.c2r4p1
    architecture:
      description: The architecture.
      returned: always
      type: str
      sample: x86_64
    devices:
      description: The volumes by device names.
      returned: always
      type: dict
      sample: {/dev/sda1: vol-049df611}
region:
  description: The region that was asked.
  returned: success
  type: str
  sample: eu-west-2
account_id:
  description: The account that the keys are of.
  returned: success
  type: str
  sample: "123456789012"
images:
  description: The images.
  returned: success
  type: list
  elements: dict
  contains:
    image_id:
      description: The id.
      returned: always
      type: str
      sample: ami-0fcdc403
    name:
      description: The name.
      returned: always
      type: str
      sample: web-2026-03
    state:
      description: The state.
      returned: always
      type: str
      sample: available
    build_id:
      description: The build that made it; null for what no build made.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
    fingerprint:
      description: The fingerprint of the image's definition.
      returned: always
      type: str
      sample: 9b74c9897bac770ffc029102a200c5de
    host:
      description: The host that the build ran for.
      returned: always
      type: str
      sample: web
    image_name:
      description: The image that it was made for.
      returned: always
      type: str
      sample: web-2026-03
    ours:
      description: Whether a build of this image made it.
      returned: always
      type: bool
      sample: true
    created:
      description: When it was created.
      returned: always
      type: str
      sample: "2026-03-01T10:20:00.000Z"
    tags:
      description: The tags.
      returned: always
      type: dict
      sample: {"bakehouse:build-id": 3f9c0a71d2b84e65}
snapshots:
  description: The snapshots.
  returned: success
  type: list
  elements: dict
  contains:
    snapshot_id:
      description: The id.
      returned: always
      type: str
      sample: snap-06687767
    progress:
      description: How much is done, in percent.
      returned: always
      type: int
      sample: 100
    state:
      description: The state.
      returned: always
      type: str
      sample: available
    build_id:
      description: The build that made it; null for what no build made.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
    fingerprint:
      description: The fingerprint of the image's definition.
      returned: always
      type: str
      sample: 9b74c9897bac770ffc029102a200c5de
    host:
      description: The host that the build ran for.
      returned: always
      type: str
      sample: web
    image_name:
      description: The image that it was made for.
      returned: always
      type: str
      sample: web-2026-03
    ours:
      description: Whether a build of this image made it.
      returned: always
      type: bool
      sample: true
    created:
      description: When it was created.
      returned: always
      type: str
      sample: "2026-03-01T10:20:00.000Z"
    tags:
      description: The tags.
      returned: always
      type: dict
      sample: {"bakehouse:build-id": 3f9c0a71d2b84e65}
volumes:
  description: The volumes.
  returned: success
  type: list
  elements: dict
  contains:
    volume_id:
      description: The id.
      returned: always
      type: str
      sample: vol-049df611
    attachments:
      description: Where it is attached, as RV(bakehouse.images.osc_volume#module:volume.attachments).
      returned: always
      type: list
      elements: dict
      sample: []
    state:
      description: The state.
      returned: always
      type: str
      sample: available
    build_id:
      description: The build that made it; null for what no build made.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
    fingerprint:
      description: The fingerprint of the image's definition.
      returned: always
      type: str
      sample: 9b74c9897bac770ffc029102a200c5de
    host:
      description: The host that the build ran for.
      returned: always
      type: str
      sample: web
    image_name:
      description: The image that it was made for.
      returned: always
      type: str
      sample: web-2026-03
    ours:
      description: Whether a build of this image made it.
      returned: always
      type: bool
      sample: true
    created:
      description: When it was created.
      returned: always
      type: str
      sample: "2026-03-01T10:20:00.000Z"
    tags:
      description: The tags.
      returned: always
      type: dict
      sample: {"bakehouse:build-id": 3f9c0a71d2b84e65}
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi, argument_spec, connect
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.attachments import read_vm
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.builds import find_build
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.sources import (
    SourceRequest,
    find_source,
    source_argument_spec,
)


def look(api: OutscaleApi, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """What there is."""
    result: t.Dict[str, t.Any] = {"region": api.region}
    if params["vm_id"]:
        vm = read_vm(api, params["vm_id"])
        if vm.state != "running":
            raise Refused("VM %s, the build host, is %s, not running." % (vm.vm_id, vm.state), vm_id=vm.vm_id)
        result["vm"] = vm.to_ansible()
    if params["source"] is not None:
        result["source_image"] = find_source(api, SourceRequest.from_params(params["source"])).to_ansible()
    image_name = params["image_name"]
    result["account_id"] = api.own_account()
    result.update(find_build(api, image_name=image_name, build_id=params["build_id"]).to_ansible(image_name))
    return result


def main() -> None:
    """Run the module."""
    module = OutscaleModule(
        argument_spec=argument_spec(
            image_name={"type": "str"},
            build_id={"type": "str"},
            vm_id={"type": "str"},
            source={"type": "dict", "options": source_argument_spec()},
        ),
        supports_check_mode=True,
        required_one_of=[("image_name", "build_id")],
    )
    try:
        result = look(connect(module), module.params)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
