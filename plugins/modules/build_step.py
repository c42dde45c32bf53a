#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: build_step
short_description: Keep the record of a build
description:
  - Notes that a step of a build has ended, with its seconds, and writes the manifest with what is known by then.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.bookkeeping
attributes:
  check_mode:
    support: full
    details:
      - Writes no manifest in check mode.
  idempotent:
    support: none
    details:
      - Each call adds a step.
options:
  step:
    description:
      - The step that has ended.
    type: str
    required: true
  record:
    description:
      - The record so far. Without it, a new one begins.
    type: dict
    default: {}
  manifest:
    description:
      - Path of the manifest on the controller. It is replaced as a whole, from this step on after each. Empty writes
        none, unless an earlier step of the record has given a path.
    type: str
    default: ""
  details:
    description:
      - What to keep in the record and the manifest.
    type: dict
    default: {}
seealso:
  - module: bakehouse.images.build_identity
"""

EXAMPLES = r"""
---
- name: Begin a record
  bakehouse.images.build_step:
    step: begin
  register: progress

- name: Note the end of a step
  bakehouse.images.build_step:
    step: volume
    record: "{{ progress.record }}"
  register: progress
"""

RETURN = r"""
---
record:
  description: The record.
  returned: success
  type: dict
  contains:
    began:
      description: When the build began, in seconds since 1970.
      returned: success
      type: float
      sample: 1792430000.25
    ended:
      description: When the last step ended, in seconds since 1970.
      returned: success
      type: float
      sample: 1792430003.5
    steps:
      description: The steps, in order.
      returned: success
      type: list
      elements: dict
      contains:
        step:
          description: Its name.
          returned: success
          type: str
          sample: volume
        seconds:
          description: How long it took.
          returned: success
          type: float
          sample: 0.75
    throttled_calls:
      description: How many answers to calls of the build said so far that there were too many. Those calls were sent
        again.
      returned: success
      type: int
      sample: 0
    manifest:
      description: The manifest's path.
      returned: success
      type: str
      sample: /srv/images/web.json
    details:
      description: What was kept.
      returned: success
      type: dict
      sample: {}
manifest_error:
  description: Why the manifest could not be written. A warning says the same, and the task does not fail.
  returned: success
  type: str
  sample: ""
"""
