# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom images and snapshots are shared with: the permission lists of the Modify...Attribute calls."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from lab.ec2.errors import Ec2Error, invalid_combination, missing

Grant = dict[str, str]


def _bad_item(kind: str, value: str) -> Ec2Error:
    return Ec2Error("InvalidAMIAttributeItemValue", f'Invalid attribute item value "{value}" for {kind} item type.')


def check_grant(grant: Mapping[str, str]) -> Grant:
    """One grant, checked: an account of 12 digits, the group C(all), or the ARN of an organization or unit.

    Raises:
        Ec2Error: anything else (InvalidAMIAttributeItemValue).
    """
    checked = {key: str(value) for key, value in grant.items() if value}
    if "UserId" in checked and not re.fullmatch(r"\d{12}", checked["UserId"]):
        raise _bad_item("userId", checked["UserId"])
    if "Group" in checked and checked["Group"] != "all":
        raise _bad_item("userGroup", checked["Group"])
    for key, part in (("OrganizationArn", "organization"), ("OrganizationalUnitArn", "ou")):
        if key in checked and not re.fullmatch(rf"arn:aws[a-z-]*:organizations::\d{{12}}:{part}/.+", checked[key]):
            raise _bad_item(key[0].lower() + key[1:], checked[key])
    return checked


def requested_changes(
    params: Mapping[str, t.Any], structure: str, lists: Mapping[str, str]
) -> tuple[list[Grant], list[Grant]]:
    """What to add and what to remove, from either of the two forms that EC2 takes.

    Args:
        params: the request's.
        structure: the parameter with Add and Remove, such as C(LaunchPermission).
        lists: for the form with OperationType: parameter to the key of a grant.

    Raises:
        Ec2Error: a grant that cannot be, or nothing but lists without OperationType.
    """
    given = params.get(structure) or {}
    add = [check_grant(grant) for grant in given.get("Add") or ()]
    remove = [check_grant(grant) for grant in given.get("Remove") or ()]
    listed = [check_grant({key: value}) for name, key in lists.items() for value in params.get(name) or ()]
    operation = params.get("OperationType")
    # Packer gives users in both forms, and no OperationType: EC2 takes that for the first form.
    if listed and not operation and not (add or remove):
        raise missing("operationType")
    if operation not in (None, "add", "remove"):
        raise invalid_combination(f"Invalid operation type '{operation}'.")
    if operation == "add":
        add += listed
    elif operation == "remove":
        remove += listed
    return add, remove
