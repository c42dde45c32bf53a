# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: osc_leftovers_info
short_description: Find what builds have made at Outscale that is no image
version_added: 0.1.0
description:
  - Lists volumes of builds, attached or not; snapshots of builds that no finished image of the account uses; and
    images of builds that have failed, or were only for the time of a build. A build that runs has such things, too.
    M(bakehouse.images.build_life_info) tells whether it does.
  - Nothing without a mark of this collection is ever listed.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.info
  - bakehouse.images._outscale
author: bakehouse.images maintainers (@bakehouse)
options:
  build_ids:
    description: Only what is of these builds, 16 hexadecimal digits each. Empty for all.
    type: list
    elements: str
    default: []
seealso:
  - module: bakehouse.images.osc_build
  - module: bakehouse.images.build_life_info
"""

EXAMPLES = r"""
---
- name: See what builds have left in a region
  bakehouse.images.osc_leftovers_info:
    region: eu-west-2
  register: found
"""

RETURN = r"""
leftovers:
  description: What there is.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: V(volume), V(snapshot) or V(image).
      returned: always
      type: str
      sample: volume
    id:
      description: Its id, name or path.
      returned: always
      type: str
      sample: vol-049df611
    build_id:
      description: The build that it is of. Empty for what is of none.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
    owner:
      description: The owner of that build, as M(bakehouse.images.build_life_info) takes it. Empty where none is noted.
      returned: always
      type: str
      sample: host=ci-1 boot=0a0b4a0e-3c8f-4a6f-9a53-1c54d8f0a1b2 ns=4026531836.4026531834 pid=4711 start=123456
    image:
      description: The name of the image that it was made for. Empty where that is not noted.
      returned: always
      type: str
      sample: web
    expires:
      description: Until when it is kept, in seconds since 1970. Null when it was not kept.
      returned: always
      type: int
      sample: null
    age_seconds:
      description: How long ago it was made, or last changed. Null where that is not known.
      returned: always
      type: float
      sample: 86400.0
    size_gib:
      description: Its size in GiB. Null for what has none.
      returned: always
      type: float
      sample: 8
    price:
      description: What is paid for, which is C(outscale) and the type of a volume, or C(snapshot). Empty where
        nothing is.
      returned: always
      type: str
      sample: outscale gp2
    state:
      description: How it is, in words.
      returned: always
      type: str
      sample: in-use (i-12345678 as /dev/xvdb)
    ended:
      description: Whether it shows by itself that nobody uses it any more, such as a sandbox whose process has died.
      returned: always
      type: bool
      sample: false
region:
  description: The region that was asked.
  returned: success
  type: str
  sample: eu-west-2
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import argument_spec, connect
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.leftovers import find_leftovers
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule
from ansible_collections.bakehouse.images.plugins.module_utils._tags import build_id_problems


def main() -> None:
    """Run the module."""
    module = OutscaleModule(
        argument_spec=argument_spec(build_ids={"type": "list", "elements": "str", "default": []}),
        supports_check_mode=True,
    )
    build_ids = module.params["build_ids"]
    try:
        problems = [problem for one in build_ids for problem in build_id_problems(one)]
        if problems:
            raise Invalid(problems)
        api = connect(module)
        found = find_leftovers(api, build_ids)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(changed=False, leftovers=[one.to_ansible() for one in found], region=api.region)


if __name__ == "__main__":
    main()
