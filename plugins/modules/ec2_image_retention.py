# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_image_retention
short_description: Keep the newest images of a family, and remove the others with their snapshots
version_added: 0.1.0
description:
  - Looks at the images that builds of this collection have made and that are of a kind, by O(family) or O(name).
    The newest O(keep) in each region stay. The others are deregistered, and their snapshots deleted.
  - What is used stays, with the reason. That is an image that an instance was started of, that the default or the
    latest version of a launch template starts instances of (also through a parameter, as C(resolve:ssm:NAME)), that
    others may launch, or that is protected against deregistration. A snapshot stays that another image uses, or that
    no build made.
  - Images without the tags of a build are not even looked at.
  - Check mode shows what would be removed, and why the others stay.
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
  keep:
    description: How many of the newest available images stay, in each region. At least 1.
    type: int
    required: true
  family:
    description: The value of the tag C(bakehouse:family). One of this and O(name) is required.
    type: str
  name:
    description: What the names are like, with V(*) and V(?). Together with O(family), both must match.
    type: str
  regions:
    description: The regions to look at. By default the one that this module is called for.
    type: list
    elements: str
    default: []
  keep_image_ids:
    description: Images that stay, whatever their age.
    type: list
    elements: str
    default: []
  older_than_days:
    description: Younger images stay, too.
    type: float
    default: 0
  remove_protected:
    description:
      - Remove images that are protected against deregistration, too. The protection is switched off before.
      - One with a cool-down lasts for 24 hours more, in which EC2 refuses to deregister the image.
    type: bool
    default: false
  remove_shared:
    description: Remove images that others may launch, too.
    type: bool
    default: false
seealso:
  - module: bakehouse.images.ec2_image
"""

EXAMPLES = r"""
---
- name: Keep the last five of the family, in two regions
  bakehouse.images.ec2_image_retention:
    family: web
    keep: 5
    regions: [eu-west-1, us-east-1]
  register: retention

- name: Say why the others are still there
  ansible.builtin.debug:
    msg: "{{ item.name }} in {{ item.region }}: {{ item.reason }}"
  loop: "{{ retention.kept }}"
  loop_control:
    label: "{{ item.image_id }}"
"""

RETURN = r"""
removed:
  description: The images that were removed, or would be in check mode.
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
      sample: web-2025-11
    region:
      description: The region.
      returned: always
      type: str
      sample: eu-west-1
    creation_date:
      description: When it was registered.
      returned: always
      type: str
      sample: "2025-11-01T10:20:00.000Z"
    snapshot_ids:
      description: Its snapshots.
      returned: always
      type: list
      elements: str
      sample: [snap-066877671789bd71b]
kept:
  description: The images that stay.
  returned: success
  type: list
  elements: dict
  contains:
    image_id:
      description: The id.
      returned: always
      type: str
      sample: ami-0b1c2d3e4f5061728
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
    creation_date:
      description: When it was registered.
      returned: always
      type: str
      sample: "2026-03-01T10:20:00.000Z"
    snapshot_ids:
      description: Its snapshots.
      returned: always
      type: list
      elements: str
      sample: [snap-066877671789bd71b]
    reason:
      description: Why it stays.
      returned: always
      type: str
      sample: it is one of the newest 5
kept_snapshots:
  description: Snapshots of images that were removed that stay.
  returned: success
  type: list
  elements: dict
  contains:
    snapshot_id:
      description: The snapshot.
      returned: always
      type: str
      sample: snap-066877671789bd71b
    reason:
      description: Why it stays.
      returned: always
      type: str
      sample: another image uses it
actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["eu-west-1: deregister image ami-0fcdc40338ee0eaf3 (web-2025-11)"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.retention import (
    RetentionPlan,
    RetentionRequest,
    apply_retention,
    plan_retention,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail

STRINGS = {"type": "list", "elements": "str", "default": []}


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's own options."""
    return {
        "keep": {"type": "int", "required": True},
        "family": {"type": "str"},
        "name": {"type": "str"},
        "regions": STRINGS,
        "keep_image_ids": STRINGS,
        "older_than_days": {"type": "float", "default": 0},
        "remove_protected": {"type": "bool", "default": False},
        "remove_shared": {"type": "bool", "default": False},
    }


def ensure(module: AnsibleAWSModule) -> t.List[RetentionPlan]:
    """Plan for every region, and apply the plans unless in check mode."""
    request = RetentionRequest(**{name: module.params[name] for name in argument_spec() if name != "regions"})

    def ssm(region: str) -> t.Any:
        return connect(module, service="ssm", region=region)

    regions = list(dict.fromkeys(module.params["regions"])) or [None]
    plans = [plan_retention(connect(module, region=region), request, ssm) for region in regions]
    if not module.check_mode:
        apply_retention(plans)
    return plans


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec=argument_spec(), supports_check_mode=True, required_one_of=[("family", "name")]
    )
    try:
        plans = ensure(module)
    except BuildError as exc:
        fail(module, exc)
    removed = [one for plan in plans for one in plan.removed()]
    kept = [one for plan in plans for one in plan.kept()]
    names = ["%s %s (%s)" % (one["region"], one["image_id"], one["name"]) for one in kept]
    going = ["%s %s (%s)" % (one["region"], one["image_id"], one["name"]) for one in removed]
    module.exit_json(
        changed=bool(removed),
        removed=removed,
        kept=kept,
        kept_snapshots=[one for plan in plans for one in plan.kept_snapshots],
        actions=[line for plan in plans for line in plan.actions()],
        diff={"before": {"images": sorted(names + going)}, "after": {"images": sorted(names)}},
    )


if __name__ == "__main__":
    main()
