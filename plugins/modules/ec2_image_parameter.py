# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_image_parameter
short_description: Publish the id of an image in a parameter of Systems Manager
version_added: 0.1.0
description:
  - Has a parameter of AWS Systems Manager name an image, in each region that region's own. Launch templates take such
    a parameter as C(resolve:ssm:NAME), so that those who start instances need not know ids.
  - The parameter has the data type C(aws:ec2:image), with which Systems Manager refuses what is no image. The module
    waits until it has taken the value.
  - When a region refuses it, those that were changed before get their former values again.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.api
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
author: bakehouse.images maintainers (@bakehouse)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: The parameter's name, the same in every region.
    type: str
    required: true
  images:
    description: The image's id in each region.
    type: dict
    required: true
  description:
    description: The parameter's description, set together with its value.
    type: str
seealso:
  - module: bakehouse.images.ec2_image_distribution
"""

EXAMPLES = r"""
---
- name: Let everyone start instances of the newest image
  bakehouse.images.ec2_image_parameter:
    name: /images/web
    images:
      eu-west-1: ami-0fcdc40338ee0eaf3
      us-east-1: ami-0b1c2d3e4f5061728
  register: published

- name: Have the one before again
  bakehouse.images.ec2_image_parameter:
    name: /images/web
    images: "{{ published.former }}"
  when: published.former | length > 0
"""

RETURN = r"""
former:
  description: What the parameter was before, in the regions where it was changed and was there.
  returned: success
  type: dict
  sample:
    eu-west-1: ami-00a1b2c3d4e5f6071
actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["eu-west-1: set parameter /images/web to ami-0fcdc40338ee0eaf3"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.parameters import (
    ParameterRequest,
    apply_parameter,
    plan_parameter,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's own options."""
    return {
        "name": {"type": "str", "required": True},
        "images": {"type": "dict", "required": True},
        "description": {"type": "str"},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    request = ParameterRequest(**{name: module.params[name] for name in argument_spec()})
    try:
        changes = plan_parameter(lambda region: connect(module, service="ssm", region=region), request)
        if not module.check_mode:
            apply_parameter(changes)
    except BuildError as exc:
        fail(module, exc)
    former = {change.api.region: change.former for change in changes}
    module.exit_json(
        changed=bool(changes),
        former={region: value for region, value in former.items() if value},
        actions=[change.describe() for change in changes],
        diff={"before": former, "after": {change.api.region: change.image_id for change in changes}},
    )


if __name__ == "__main__":
    main()
