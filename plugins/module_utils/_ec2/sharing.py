# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whom images and snapshots are shared with, and until when an image is good: forms, comparisons, mistakes.

Nothing here asks EC2, so that whoever wants to know of mistakes beforehand can use it without boto3.
"""

from __future__ import annotations

import datetime
import re
import typing as t

# Our option, EC2's key in a launch permission.
PERMISSION_KINDS = {
    "user_ids": "UserId",
    "group_names": "Group",
    "organization_arns": "OrganizationArn",
    "organizational_unit_arns": "OrganizationalUnitArn",
}
NEVER = "never"
_ACCOUNT = re.compile(r"\d{12}\Z")
_ARNS = {
    "organization_arns": re.compile(r"arn:aws[a-z-]*:organizations::\d{12}:organization/o-\S+\Z"),
    "organizational_unit_arns": re.compile(r"arn:aws[a-z-]*:organizations::\d{12}:ou/o-\S+/ou-\S+\Z"),
}


def permission_problems(option: str, permissions: t.Mapping[str, t.Optional[t.Sequence[str]]]) -> t.List[str]:
    """What EC2 would refuse in these permissions, one sentence for each mistake."""
    problems = []
    for account in permissions.get("user_ids") or []:
        if not _ACCOUNT.match(account):
            problems.append("%s.user_ids: %r is not an account id of 12 digits; quote it in YAML." % (option, account))
    for group in permissions.get("group_names") or []:
        if group != "all":
            problems.append("%s.group_names: EC2 knows only the group 'all', not %r." % (option, group))
    for kind, form in _ARNS.items():
        problems += [
            "%s.%s: %r is not such an ARN." % (option, kind, arn)
            for arn in permissions.get(kind) or []
            if not form.match(arn)
        ]
    return problems


def deprecation_problems(option: str, text: t.Optional[str]) -> t.List[str]:
    """What is wrong with the time at which an image is to be deprecated."""
    if text in (None, NEVER) or parse_time(str(text)) is not None:
        return []
    return [
        "%s %r is neither %r nor a time with a zone, such as 2027-01-31T00:00:00Z." % (option, text, NEVER),
    ]


def parse_time(text: str) -> t.Optional[datetime.datetime]:
    """A moment in RFC 3339 form, rounded to the minute as EC2 does; None when it is none."""
    try:
        moment = datetime.datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text.strip()))
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    moment = moment.astimezone(datetime.timezone.utc) + datetime.timedelta(seconds=30)
    return moment.replace(second=0, microsecond=0)


def read_permissions(found: t.Iterable[t.Mapping[str, str]]) -> t.Dict[str, t.List[str]]:
    """EC2's list of permissions by our kinds."""
    permissions: t.Dict[str, t.List[str]] = {kind: [] for kind in PERMISSION_KINDS}
    for one in found:
        for kind, key in PERMISSION_KINDS.items():
            if one.get(key):
                permissions[kind].append(one[key])
    return {kind: sorted(values) for kind, values in permissions.items()}


class PermissionChange(t.NamedTuple):
    """What to add and to remove, in EC2's form, and what is there afterwards, in ours."""

    add: t.List[t.Dict[str, str]]
    remove: t.List[t.Dict[str, str]]
    after: t.Dict[str, t.List[str]]


def compare_permissions(
    current: t.Mapping[str, t.Sequence[str]], wanted: t.Mapping[str, t.Optional[t.Sequence[str]]]
) -> PermissionChange:
    """Compare permissions; a kind that is not given stays, one that is given is made equal."""
    add, remove = [], []
    after = {kind: list(values) for kind, values in current.items()}
    for kind, key in PERMISSION_KINDS.items():
        values = wanted.get(kind)
        if values is None:
            continue
        there = current.get(kind) or ()
        add += [{key: value} for value in sorted(set(values) - set(there))]
        remove += [{key: value} for value in sorted(set(there) - set(values))]
        after[kind] = sorted(set(values))
    return PermissionChange(add, remove, after)


__all__ = (
    "NEVER",
    "PERMISSION_KINDS",
    "PermissionChange",
    "compare_permissions",
    "deprecation_problems",
    "parse_time",
    "permission_problems",
    "read_permissions",
)
