#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Documentation only: the plugin of the same name in plugins/action does the work, on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: build_summary
short_description: Sum up what became of the images of a run
description:
  - Looks at what the role P(bakehouse.images.bake#role) has left for each image, and puts it in one line each.
  - Where an image has C(bake_summary_file), its result is put into that file on the controller, beside those of
    images that were not part of this run. In check mode no file is written.
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.bookkeeping
attributes:
  idempotent:
    support: full
options:
  images:
    description:
      - The image hosts to sum up.
    type: list
    elements: str
    required: true
seealso:
  - module: bakehouse.images.build_step
"""

EXAMPLES = r"""
---
- name: Sum up
  bakehouse.images.build_summary:
    images: "{{ ansible_play_hosts_all }}"
  run_once: true
  register: summary

- name: Say it
  ansible.builtin.debug:
    msg: "{{ summary.lines }}"
  run_once: true
"""

RETURN = r"""
---
images:
  description: The result of each image, by its host's name.
  returned: success
  type: dict
  sample:
    k8s.qcow2:
      build_host: localhost
      fingerprint: 8c1d5a6b3f9e2704c7b1a09d5e6f3812
      image: k8s.qcow2
      image_id: /srv/forest/images/k8s.qcow2
      reason: ""
      seconds: 43.2
      status: built
      throttled_calls: 0
lines:
  description: The same, for people.
  returned: success
  type: list
  elements: str
  sample:
    - "base.img: cached (the fingerprint is the same)"
    - "k8s.qcow2: built in 43.2 s"
"""
