# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_image_distribution
short_description: Have an image in many regions, everywhere with the same attributes
version_added: 0.1.0
description:
  - Copies an image to where it is missing, to all regions at once, and gives it everywhere what it shall have. What is
    there already is changed only where it differs, so running this again does only what is missing.
  - In each region the image is known by its name, its owner, and the tags that its build has set. A copy and its
    snapshots carry their tags from the call on that starts it.
  - What forbids the image in some region, such as a name that is another image's, is reported for all regions together,
    before any copy is started.
  - When a copy fails, it is removed with its snapshots, the other regions go on, and the error says where it failed.
  - A region that makes as many copies at a time as it may is asked again until the others have ended.
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
    description: The image's name in every region.
    type: str
    required: true
  image_id:
    description: The image to copy. It may be the one that already has the name.
    type: str
    required: true
  source_region:
    description: The region of O(image_id). By default the one that this module is called for.
    type: str
  regions:
    description: Where the image shall be. The region of O(image_id) is one of them if the image shall be there, too.
    type: list
    elements: str
    required: true
  exclude_regions:
    description: Those of O(regions) to leave alone this time.
    type: list
    elements: str
    default: []
  replace:
    description:
      - Replace an image of this name that was made from another definition. One that no build made is never
        replaced, nor one that is protected against deregistration.
      - The old image stays until the copy is complete, which has another name until then. For the moment between
        deregistering the one and registering the other, no image has the name.
    type: bool
    default: false
  encrypted:
    description: V(true) encrypts copies, V(false) asks for copies that are not. Without it, copies are as the source.
    type: bool
  kms_key_id:
    description: The key for the copy in the region of O(image_id). By default that region's default key.
    type: str
  region_kms_key_ids:
    description: Keys for copies, by region. By default each region's default key.
    type: dict
    default: {}
  copy_duration_minutes:
    description:
      - Have EC2 complete the copies in this time, a multiple of 15 up to 2880, which costs more. By default they
        take the time that they take.
    type: int
  description:
    description: The description, everywhere. By default a copy has that of the source, and others keep theirs.
    type: str
  imds_support:
    description: V(v2.0) makes instances require version 2 of the metadata service. By default as the source.
    type: str
    choices: [v2.0]
  launch_permissions:
    description: Who may launch the image. A kind that is given is made equal to the list; one that is not stays as it
      is.
    type: dict
    suboptions:
      user_ids:
        description: Account ids. Quote them in YAML.
        type: list
        elements: str
      group_names:
        description: Groups; EC2 knows V(all), everyone.
        type: list
        elements: str
      organization_arns:
        description: ARNs of organizations.
        type: list
        elements: str
      organizational_unit_arns:
        description: ARNs of organizational units.
        type: list
        elements: str
  product_codes:
    description: Product codes to have. EC2 cannot take any back.
    type: list
    elements: str
  deprecate_at:
    description: When the image is deprecated, in RFC 3339 form and rounded to the minute; V(never) takes that back.
    type: str
  deregistration_protection:
    description: Protection against deregistration. It is set last.
    type: dict
    suboptions:
      enabled:
        description: Whether it is on.
        type: bool
      with_cooldown:
        description: Whether it lasts for 24 hours after it is switched off. Switches it on.
        type: bool
        default: false
  tags:
    description: Further tags of the image and of its copied snapshots. Tags that are there already stay.
    type: dict
    default: {}
  snapshot_tags:
    description: Further tags of the snapshots of the image that a build made.
    type: dict
    default: {}
  snapshot_permissions:
    description: Who may make volumes from those snapshots. A kind that is given is made equal to the list.
    type: dict
    suboptions:
      user_ids:
        description: Account ids. Quote them in YAML.
        type: list
        elements: str
      group_names:
        description: Groups; EC2 knows V(all), everyone.
        type: list
        elements: str
  fast_restore_zones:
    description:
      - Availability zones in which volumes made from the image's snapshots have their full speed at once, which EC2
        bills by the hour. In other zones it is switched off. Without it, nothing is changed.
      - EC2 needs up to an hour for each TiB to get there; that is not waited for.
    type: list
    elements: str
  on_timeout:
    description:
      - What becomes of copies that are not complete when O(wait_timeout) is over. V(keep) leaves them, so that
        running this again goes on waiting for them. V(remove) removes them.
      - In a play, where progress is shown between times, it means the end of the whole time.
    type: str
    choices: [keep, remove]
    default: keep
  wait_timeout:
    description: How many seconds to wait for copies at most.
    type: int
    default: 21600
  wait_delay:
    description: How many seconds to let pass before EC2 is asked again, at first; the delay doubles up to 15 seconds.
    type: float
    default: 1
seealso:
  - module: bakehouse.images.ec2_image
  - module: bakehouse.images.ec2_image_parameter
"""

EXAMPLES = r"""
---
- name: Have the image in three regions, encrypted, shared with two accounts
  bakehouse.images.ec2_image_distribution:
    name: web-2026-03
    image_id: "{{ registered.image.image_id }}"
    regions: [eu-west-1, us-east-1, ap-southeast-2]
    encrypted: true
    kms_key_id: alias/images
    region_kms_key_ids:
      us-east-1: alias/images
      ap-southeast-2: alias/images
    launch_permissions:
      user_ids: ["111122223333", "444455556666"]
    snapshot_permissions:
      user_ids: ["111122223333", "444455556666"]
    deprecate_at: "2027-03-01T00:00:00Z"
  register: distributed

- name: See what it would change
  ansible.builtin.debug:
    var: distributed.actions
"""

RETURN = r"""
images:
  description: The image in each region, with the keys of RV(bakehouse.images.ec2_image#module:image). In check mode
    only where it is there already. After a failure, what is there nevertheless.
  returned: always
  type: dict
  sample:
    eu-west-1:
      image_id: ami-0fcdc40338ee0eaf3
    us-east-1:
      image_id: ami-0b1c2d3e4f5061728
failed_regions:
  description: What went wrong, by region.
  returned: failure
  type: dict
  sample:
    us-east-1: "Image ami-0b1c2d3e4f5061728 (web-2026-03) is in state failed"
progress:
  description: How much of the image is there, by region.
  returned: when O(wait_timeout) was too short
  type: dict
  sample:
    eu-west-1: all
    us-east-1: 45%
actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["us-east-1: copy image ami-0fcdc40338ee0eaf3 of eu-west-1 to us-east-1"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distribution_requests import DistributionRequest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.distributions import (
    apply_distribution,
    plan_distribution,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail

STRINGS = {"type": "list", "elements": "str"}


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's own options."""
    users = {"user_ids": STRINGS, "group_names": STRINGS}
    organizations = {"organization_arns": STRINGS, "organizational_unit_arns": STRINGS}
    protection = {"enabled": {"type": "bool"}, "with_cooldown": {"type": "bool", "default": False}}
    return {
        "name": {"type": "str", "required": True},
        "image_id": {"type": "str", "required": True},
        "source_region": {"type": "str"},
        "regions": dict(STRINGS, required=True),
        "exclude_regions": dict(STRINGS, default=[]),
        "replace": {"type": "bool", "default": False},
        "encrypted": {"type": "bool"},
        "kms_key_id": {"type": "str", "no_log": False},
        "region_kms_key_ids": {"type": "dict", "default": {}, "no_log": False},
        "copy_duration_minutes": {"type": "int"},
        "description": {"type": "str"},
        "imds_support": {"type": "str", "choices": ["v2.0"]},
        "launch_permissions": {"type": "dict", "options": dict(users, **organizations)},
        "product_codes": STRINGS,
        "deprecate_at": {"type": "str"},
        "deregistration_protection": {"type": "dict", "options": protection},
        "tags": {"type": "dict", "default": {}},
        "snapshot_tags": {"type": "dict", "default": {}},
        "snapshot_permissions": {"type": "dict", "options": users},
        "fast_restore_zones": STRINGS,
        "on_timeout": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
        "wait_timeout": {"type": "int", "default": 21600},
        "wait_delay": {"type": "float", "default": 1},
    }


def ensure(module: AnsibleAWSModule) -> t.Dict[str, t.Any]:
    """Plan, and apply the plan unless in check mode."""
    own = connect(module)
    request = DistributionRequest.from_params(module.params, own.region)
    plan = plan_distribution(lambda region: own if region == own.region else connect(module, region=region), request)
    actions, diff = plan.actions(), plan.diff()
    if not module.check_mode:
        apply_distribution(plan)
    return {"changed": bool(actions), "images": plan.images(), "actions": actions, "diff": diff}


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        result = ensure(module)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
