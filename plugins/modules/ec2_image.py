# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ec2_image
short_description: Register an image from a build's snapshot, keep its attributes, or deregister it
version_added: 0.1.0
description:
  - Registers an image and sets its attributes, or changes the attributes of an image that is there.
  - What is not set is taken from O(source_image), the return value of M(bakehouse.images.ec2_source_image_info). Its
    mappings of other volumes keep their snapshots.
  - All mistakes that can be seen beforehand are reported together, before anything is registered.
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
  state:
    description:
      - V(present) has the image. An image of the same O(name) and O(fingerprint) is left as it is, but for tags and the
        attributes that can be changed. One of another fingerprint is an error, or is replaced with O(replace=true).
      - V(absent) deregisters the image O(image_id), or the one of this O(name) that a build made. With a O(build_id),
        an image that carries another build's tag, or none, is refused.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: The name. EC2 allows one image of a name for an account and region.
    type: str
  image_id:
    description: An image that exists, to change or to deregister.
    type: str
  build_id:
    description: The build that the image belongs to, 16 hexadecimal digits. Required to register an image.
    type: str
  fingerprint:
    description: The fingerprint of the image's definition. Without it, images of one build are the same.
    type: str
  replace:
    description:
      - Replace an image of the same name that has another fingerprint. An image that no build made is never replaced.
      - EC2 can neither rename images nor have two of one name. The new image is registered on trial under another
        name first, to be sure that EC2 takes it. Then the old one is deregistered and the new one registered. For the
        moment between the two, no image has the name. When the last step fails, the old image is registered again
        from its snapshots; it has a new id then. The old image's snapshots are deleted at the end.
    type: bool
    default: false
  snapshot_id:
    description: The snapshot for the root device. Required to register an image.
    type: str
  source_image:
    description: The image that the build started from, to take over what is not set here.
    type: dict
    default: {}
  description:
    description: The description.
    type: str
  architecture:
    description: The architecture. From scratch, V(x86_64).
    type: str
    choices: [arm64, arm64_mac, i386, x86_64, x86_64_mac]
  virtualization_type:
    description: The virtualization type. From scratch, V(hvm).
    type: str
    choices: [hvm, paravirtual]
  root_device_name:
    description: The device name of the root device. From scratch, C(/dev/xvda). There must be a mapping for it.
    type: str
  root_volume:
    description: What the root volume of instances shall be, where it differs from the mapping.
    type: dict
    suboptions:
      size_gib:
        description: The size in GiB. Unset, the snapshot's size.
        type: int
      volume_type:
        description: The volume type. From scratch, V(gp3).
        type: str
        choices: [gp2, gp3, io1, io2, sc1, st1, standard]
      iops:
        description: I/O operations per second.
        type: int
      throughput:
        description: Throughput in MiB/s.
        type: int
      delete_on_termination:
        description: Whether the volume is deleted with its instance. From scratch, it is.
        type: bool
  block_device_mappings:
    description:
      - The mappings. They take the place of all mappings of the source image. The mapping of O(root_device_name) gets
        O(snapshot_id). Where none is given for it, it is as without this option.
    type: list
    elements: dict
    suboptions:
      device_name:
        description: The device name.
        type: str
        required: true
      snapshot_id:
        description: The snapshot.
        type: str
      size_gib:
        description: The size in GiB.
        type: int
      volume_type:
        description: The volume type.
        type: str
        choices: [gp2, gp3, io1, io2, sc1, st1, standard]
      iops:
        description: I/O operations per second.
        type: int
      throughput:
        description: Throughput in MiB/s.
        type: int
      encrypted:
        description: Whether a volume without a snapshot is encrypted. A snapshot decides by itself.
        type: bool
      kms_key_id:
        description: Accepted for descriptions that have it; RegisterImage takes no key, and a warning says so.
        type: str
      delete_on_termination:
        description: Whether the volume is deleted with its instance.
        type: bool
      virtual_name:
        description: An instance store volume, V(ephemeral0) and on.
        type: str
      no_device:
        description: Suppress a device.
        type: bool
        default: false
  boot_mode:
    description: How the image boots.
    type: str
    choices: [legacy-bios, uefi, uefi-preferred]
  ena_support:
    description: Enhanced networking with ENA. From scratch, it is on for V(hvm).
    type: bool
  sriov_net_support:
    description: Enhanced networking by SR-IOV. V(none) does not take over the source image's.
    type: str
    choices: [simple, none]
  tpm_support:
    description: NitroTPM. V(none) does not take over the source image's.
    type: str
    choices: [v2.0, none]
  imds_support:
    description:
      - V(v2.0) makes instances require version 2 of the metadata service; it is what a new image gets when this is
        not set.
      - EC2 cannot take it back from an image that has it.
    type: str
    choices: [v2.0, none]
  uefi_data:
    description: The UEFI variables, in base64.
    type: str
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
    description: Protection against deregistration.
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
    description: Further tags of the image, set in the create call. Tags that are there already stay.
    type: dict
    default: {}
  snapshot_tags:
    description: Tags for the snapshots of the image that a build made, where they are missing.
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
  delete_snapshots:
    description:
      - With O(state=absent), delete the image's snapshots that a build made and that no other image uses.
      - The others stay and are returned as RV(kept_snapshots).
    type: bool
    default: true
  wait:
    description: Whether to wait until the image is available.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait at most.
    type: int
    default: 1800
  wait_delay:
    description: How many seconds to let pass before EC2 is asked again, at first; the delay doubles up to 15 seconds.
    type: float
    default: 0.25
seealso:
  - module: bakehouse.images.ec2_snapshot
  - module: bakehouse.images.ec2_source_image_info
  - module: bakehouse.images.ec2_build
"""

EXAMPLES = r"""
---
- name: Register the image
  bakehouse.images.ec2_image:
    name: web-2026-03
    build_id: 3f9c0a71d2b84e65
    fingerprint: 9b74c9897bac770ffc029102a200c5de
    snapshot_id: "{{ taken.snapshot.snapshot_id }}"
    source_image: "{{ source.image }}"
    tags:
      Team: web
  register: registered

- name: Share it with another account, and deprecate it in a year
  bakehouse.images.ec2_image:
    image_id: "{{ registered.image.image_id }}"
    launch_permissions:
      user_ids: ["123456789012"]
    deprecate_at: "2027-03-01T00:00:00Z"

- name: Remove an image with its snapshots
  bakehouse.images.ec2_image:
    state: absent
    name: web-2025-11
"""

RETURN = r"""
image:
  description: The image. With O(state=absent), as it was before; null when there was none.
  returned: success
  type: dict
  contains:
    image_id:
      description: The id of the image; null in check mode for an image that would be registered.
      returned: always
      type: str
      sample: ami-0fcdc40338ee0eaf3
    name:
      description: The name.
      returned: always
      type: str
      sample: web-2026-03
    state:
      description: The state, such as V(available).
      returned: always
      type: str
      sample: available
    state_reason:
      description: EC2's explanation of the state.
      returned: always
      type: str
      sample: null
    creation_date:
      description: When it was registered.
      returned: always
      type: str
      sample: "2026-03-01T10:20:00.000Z"
    owner_id:
      description: The account that owns it.
      returned: always
      type: str
      sample: "123456789012"
    owner_alias:
      description: The alias of the account that owns it, such as V(amazon). Null when it has none.
      returned: always
      type: str
      sample: amazon
    description:
      description: The description.
      returned: always
      type: str
      sample: Web server
    architecture:
      description: The architecture.
      returned: always
      type: str
      sample: x86_64
    virtualization_type:
      description: V(hvm) or V(paravirtual).
      returned: always
      type: str
      sample: hvm
    root_device_name:
      description: The device name of the root device.
      returned: always
      type: str
      sample: /dev/xvda
    root_device_type:
      description: V(ebs) or V(instance-store).
      returned: always
      type: str
      sample: ebs
    root_device:
      description: The mapping of the root device, with the keys of RV(image.block_device_mappings).
      returned: always
      type: dict
      sample:
        device_name: /dev/xvda
        snapshot_id: snap-066877671789bd71b
        size_gib: 8
        volume_type: gp3
        iops: null
        throughput: null
        encrypted: false
        delete_on_termination: true
        virtual_name: null
        no_device: false
    block_device_mappings:
      description: All mappings.
      returned: always
      type: list
      elements: dict
      contains:
        device_name:
          description: The device name.
          returned: always
          type: str
          sample: /dev/xvda
        snapshot_id:
          description: The snapshot.
          returned: always
          type: str
          sample: snap-066877671789bd71b
        size_gib:
          description: The size in GiB.
          returned: always
          type: int
          sample: 8
        volume_type:
          description: The volume type.
          returned: always
          type: str
          sample: gp3
        iops:
          description: I/O operations per second.
          returned: always
          type: int
          sample: null
        throughput:
          description: Throughput in MiB/s.
          returned: always
          type: int
          sample: null
        encrypted:
          description: Whether it is encrypted.
          returned: always
          type: bool
          sample: false
        delete_on_termination:
          description: Whether the volume is deleted with its instance.
          returned: always
          type: bool
          sample: true
        virtual_name:
          description: The name of an instance store volume.
          returned: always
          type: str
          sample: null
        no_device:
          description: Whether the mapping suppresses a device.
          returned: always
          type: bool
          sample: false
    boot_mode:
      description: How it boots; null when EC2 leaves that to the instance type.
      returned: always
      type: str
      sample: uefi-preferred
    ena_support:
      description: Whether enhanced networking with ENA is on.
      returned: always
      type: bool
      sample: true
    sriov_net_support:
      description: V(simple) when enhanced networking by SR-IOV is on.
      returned: always
      type: str
      sample: null
    tpm_support:
      description: V(v2.0) when the image has NitroTPM.
      returned: always
      type: str
      sample: null
    imds_support:
      description: V(v2.0) when its instances require version 2 of the metadata service.
      returned: always
      type: str
      sample: v2.0
    uefi_data:
      description: The UEFI variables in base64, where they may be read and were asked for.
      returned: always
      type: str
      sample: null
    kernel_id:
      description: The kernel of a paravirtual image.
      returned: always
      type: str
      sample: null
    ramdisk_id:
      description: The RAM disk of a paravirtual image.
      returned: always
      type: str
      sample: null
    platform_details:
      description: The platform that is billed.
      returned: always
      type: str
      sample: Linux/UNIX
    usage_operation:
      description: The billing code.
      returned: always
      type: str
      sample: RunInstances
    product_codes:
      description: The product codes.
      returned: always
      type: list
      elements: str
      sample: []
    deprecation_time:
      description: When it is, or was, deprecated.
      returned: always
      type: str
      sample: "2027-03-01T00:00:00.000Z"
    deregistration_protection:
      description: Whether it is protected against deregistration, in EC2's words.
      returned: always
      type: str
      sample: disabled
    build_id:
      description: The build that made it; null for another's image.
      returned: always
      type: str
      sample: 3f9c0a71d2b84e65
    fingerprint:
      description: The fingerprint of its definition; null for another's image.
      returned: always
      type: str
      sample: 9b74c9897bac770ffc029102a200c5de
    tags:
      description: The tags.
      returned: always
      type: dict
      sample:
        "bakehouse:build-id": 3f9c0a71d2b84e65
kept_snapshots:
  description: The snapshots of a deregistered image that were not deleted.
  returned: O(state=absent)
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
      sample: no build of this collection made it
actions:
  description: What was done, or would be in check mode, in words.
  returned: success
  type: list
  elements: str
  sample: ["register image web-2026-03 from snap-066877671789bd71b"]
throttled_calls:
  description: How many answers said that there were too many calls. Those calls were sent again.
  returned: when the options are valid
  type: int
  sample: 0
"""

import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import AnsibleAWSModule, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.block_devices import VOLUME_TYPES
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import ARCHITECTURES
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_plans import apply_present, plan_present
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_removal import plan_absent
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_requests import ImageRequest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._plan import apply_plan, plan_diff

STRINGS = {"type": "list", "elements": "str"}


def volume_options() -> t.Dict[str, t.Any]:
    """What describes a volume of instances."""
    return {
        "size_gib": {"type": "int"},
        "volume_type": {"type": "str", "choices": sorted(VOLUME_TYPES)},
        "iops": {"type": "int"},
        "throughput": {"type": "int"},
        "delete_on_termination": {"type": "bool"},
    }


def mapping_options() -> t.Dict[str, t.Any]:
    """What describes a block device mapping."""
    return dict(
        volume_options(),
        device_name={"type": "str", "required": True},
        snapshot_id={"type": "str"},
        encrypted={"type": "bool"},
        kms_key_id={"type": "str", "no_log": False},
        virtual_name={"type": "str"},
        no_device={"type": "bool", "default": False},
    )


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's own options."""
    users = {"user_ids": STRINGS, "group_names": STRINGS}
    organizations = {"organization_arns": STRINGS, "organizational_unit_arns": STRINGS}
    protection = {"enabled": {"type": "bool"}, "with_cooldown": {"type": "bool", "default": False}}
    return {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "name": {"type": "str"},
        "image_id": {"type": "str"},
        "build_id": {"type": "str"},
        "fingerprint": {"type": "str"},
        "replace": {"type": "bool", "default": False},
        "snapshot_id": {"type": "str"},
        "source_image": {"type": "dict", "default": {}},
        "description": {"type": "str"},
        "architecture": {"type": "str", "choices": list(ARCHITECTURES)},
        "virtualization_type": {"type": "str", "choices": ["hvm", "paravirtual"]},
        "root_device_name": {"type": "str"},
        "root_volume": {"type": "dict", "options": volume_options()},
        "block_device_mappings": {"type": "list", "elements": "dict", "options": mapping_options()},
        "boot_mode": {"type": "str", "choices": ["legacy-bios", "uefi", "uefi-preferred"]},
        "ena_support": {"type": "bool"},
        "sriov_net_support": {"type": "str", "choices": ["simple", "none"]},
        "tpm_support": {"type": "str", "choices": ["v2.0", "none"]},
        "imds_support": {"type": "str", "choices": ["v2.0", "none"]},
        "uefi_data": {"type": "str"},
        "launch_permissions": {"type": "dict", "options": dict(users, **organizations)},
        "product_codes": STRINGS,
        "deprecate_at": {"type": "str"},
        "deregistration_protection": {"type": "dict", "options": protection},
        "tags": {"type": "dict", "default": {}},
        "snapshot_tags": {"type": "dict", "default": {}},
        "snapshot_permissions": {"type": "dict", "options": users},
        "delete_snapshots": {"type": "bool", "default": True},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 1800},
        "wait_delay": {"type": "float", "default": 0.25},
    }


def ensure_absent(module: AnsibleAWSModule) -> t.Dict[str, t.Any]:
    """Plan, and apply the plan unless in check mode."""
    names = ("image_id", "name", "build_id", "delete_snapshots")
    plan = plan_absent(connect(module), **{name: module.params[name] for name in names})
    if not module.check_mode:
        apply_plan(plan.operations)
    before = [plan.image.summary()] if plan.image else []
    return {
        "changed": bool(plan.operations),
        "image": plan.image.to_ansible() if plan.image else None,
        "kept_snapshots": plan.kept_snapshots,
        "actions": [operation.describe() for operation in plan.operations],
        "diff": plan_diff(before, plan.operations),
    }


def ensure_present(module: AnsibleAWSModule) -> t.Dict[str, t.Any]:
    """Plan, and apply the plan unless in check mode."""
    request = ImageRequest.from_params(module.params)
    api = connect(module)
    plan = plan_present(api, request)
    for warning in plan.warnings:
        module.warn(warning)
    actions = [operation.describe() for operation in plan.operations]
    diff = plan.diff()
    image = plan.image if module.check_mode else apply_present(plan, api, request)
    return {"changed": bool(actions), "image": image.to_ansible(), "actions": actions, "diff": diff}


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec=argument_spec(), supports_check_mode=True, required_one_of=[("name", "image_id")]
    )
    try:
        result = ensure_absent(module) if module.params["state"] == "absent" else ensure_present(module)
    except BuildError as exc:
        fail(module, exc)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
