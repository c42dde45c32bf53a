# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_build_info
short_description: Find what builds of an image have made, and whose an image's name is
version_added: 0.1.0
description:
  - Tells what is needed to decide whether an image has to be built. Is the name free, is there an image of the same
    fingerprint, or have unfinished builds left something.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._attributes.api
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
author: bakehouse.images maintainers (@bakehouse)
options:
  image_name:
    description:
      - The image. Without O(build_id), returns the account's own image of this name, whoever made it, and the
        snapshots and volumes that builds of it have tagged.
    type: str
  build_id:
    description: The build, 16 hexadecimal digits. Returns what carries its tag.
    type: str
  source:
    description:
      - The image that a build would start from. It is looked for first, and must be exactly one.
      - A build has both questions at the same time; one run of a module answers them in half the time of two.
    type: dict
    suboptions:
      image_id:
        description: As O(bakehouse.images.ec2_source_image_info#module:image_id).
        type: str
      filters:
        description: As O(bakehouse.images.ec2_source_image_info#module:filters).
        type: dict
      owners:
        description: As O(bakehouse.images.ec2_source_image_info#module:owners).
        type: list
        elements: str
      most_recent:
        description: As O(bakehouse.images.ec2_source_image_info#module:most_recent).
        type: bool
        default: false
      include_deprecated:
        description: As O(bakehouse.images.ec2_source_image_info#module:include_deprecated).
        type: bool
        default: false
  block_device_mappings:
    description:
      - Mappings that the image would be registered with, as
        O(bakehouse.images.ec2_image#module:block_device_mappings). They are checked, with the snapshots that they name,
        because EC2 would refuse them only after the build.
    type: list
    elements: dict
    default: []
  root_device_name:
    description: The device among them that gets the build's own snapshot. By default that of O(source).
    type: str
  regions:
    description:
      - Other regions in which images of the name O(image_name) are looked for, too. They follow those of this region in
        RV(images); those that have failed are left out.
      - When some cannot be asked, the error names them all.
    type: list
    elements: str
    default: []
seealso:
  - module: bakehouse.images.ec2_build
  - module: bakehouse.images.ec2_source_image_info
"""

EXAMPLES = r"""
---
- name: See what there is of an image
  bakehouse.images.ec2_build_info:
    image_name: web-2026-03
  register: there

- name: Refuse a name that is somebody else's
  ansible.builtin.assert:
    that: there.images | rejectattr('ours') | length == 0
"""

RETURN = r"""
source_image:
  description: The source image, as RV(bakehouse.images.ec2_source_image_info#module:image).
  returned: when O(source) is given
  type: dict
  sample:
    image_id: ami-0fcdc40338ee0eaf3
region:
  description: The region that was asked.
  returned: success
  type: str
  sample: eu-west-1
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
      sample: ami-0fcdc40338ee0eaf3
    name:
      description: The name.
      returned: always
      type: str
      sample: web-2026-03
    region:
      description: The region.
      returned: always
      type: str
      sample: eu-west-1
    protected:
      description: Whether it is protected against deregistration.
      returned: always
      type: bool
      sample: false
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
      sample:
        "bakehouse:build-id": 3f9c0a71d2b84e65
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
      sample: snap-066877671789bd71b
    volume_id:
      description: The volume that it was taken from, which may be gone.
      returned: always
      type: str
      sample: vol-049df61146c4d7901
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
      sample:
        "bakehouse:build-id": 3f9c0a71d2b84e65
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
      sample: vol-049df61146c4d7901
    size_gib:
      description: The size.
      returned: always
      type: int
      sample: 8
    volume_type:
      description: The type.
      returned: always
      type: str
      sample: gp3
    availability_zone:
      description: The availability zone.
      returned: always
      type: str
      sample: eu-west-1a
    attachments:
      description: Where it is attached, as RV(bakehouse.images.ec2_volume#module:volume.attachments).
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
      sample:
        "bakehouse:build-id": 3f9c0a71d2b84e65
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.builds import find_build
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.elsewhere import find_elsewhere
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.mapping_checks import require_mappings
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.sources import (
    SourceRequest,
    find_source,
    source_argument_spec,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's own options."""
    return {
        "image_name": {"type": "str"},
        "build_id": {"type": "str"},
        "regions": {"type": "list", "elements": "str", "default": []},
        "source": {"type": "dict", "options": source_argument_spec()},
        "block_device_mappings": {"type": "list", "elements": "dict", "default": []},
        "root_device_name": {"type": "str"},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        required_one_of=[("image_name", "build_id")],
    )
    image_name, build_id, source = (module.params[name] for name in ("image_name", "build_id", "source"))
    result: t.Dict[str, t.Any] = {}
    try:
        api = connect(module)
        if source is not None:
            result["source_image"] = find_source(api, SourceRequest.from_params(source)).to_ansible()
        require_mappings(
            api,
            module.params["block_device_mappings"],
            root_device_name=module.params["root_device_name"],
            source_root=result.get("source_image", {}).get("root_device_name"),
        )
        result.update(find_build(api, image_name=image_name, build_id=build_id).to_ansible(image_name))
        others = [one for one in module.params["regions"] if one != api.region]
        here = [dict(one, region=api.region) for one in result["images"]]
        there = find_elsewhere(lambda name: connect(module, region=name), others, image_name) if image_name else []
        result.update(region=api.region, images=here + there)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
