#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: build_definition
short_description: Read and check the definition of an image
description:
  - Reads every C(bake_*) variable of the host as it was written, without templating what belongs to later steps,
    and the files behind its provisioning steps.
  - Reports every mistake at once, before anything is created. These are wrong types, unknown names (with the
    nearest known one), options that contradict each other, steps that are malformed, files that are missing, and
    tasks that would end a build without cleaning up.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.bookkeeping
attributes:
  idempotent:
    support: full
options: {}
seealso:
  - module: bakehouse.images.build_identity
"""

EXAMPLES = r"""
---
- name: Check the definition of this image
  bakehouse.images.build_definition:
  register: definition
"""

RETURN = r"""
---
build_host:
  description: The inventory name of the machine to build on.
  returned: success
  type: str
  sample: builder-1
digest:
  description: A hash of the definition, the files behind its steps, and the collection's version.
  returned: success
  type: str
  sample: 0c4a5a0b0e9a4f2e8c1d6f7b3a2918475665748392a1b0c9d8e7f60514233241
files:
  description: The files that the digest covers, by labels that do not depend on where they lie.
  returned: success
  type: list
  elements: str
  sample:
    - role/web/tasks/main.yml
problems:
  description: One sentence for each mistake.
  returned: failure
  type: list
  elements: str
  sample:
    - bake_image_nme is not an option. Did you mean bake_image_name?
steps:
  description: The provisioning steps, numbered, by their names.
  returned: success
  type: list
  elements: str
  sample:
    - 1. role web
unknown_yet:
  description: Options that use what only the build will find out, such as facts of the image.
  returned: success
  type: list
  elements: str
  sample:
    - bake_image_tags
"""
