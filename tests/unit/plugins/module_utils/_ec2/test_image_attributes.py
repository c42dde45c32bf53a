# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sharing and deprecation: what is compared, and what is wrong."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import (
    Attributes,
    compare_permissions,
    parse_time,
    read_permissions,
)

ORGANIZATION = "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"
UNIT = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-cd34ef56"


def test_a_kind_that_is_given_is_made_equal_and_the_others_stay() -> None:
    current = read_permissions([{"UserId": "111111111111"}, {"UserId": "222222222222"}, {"Group": "all"}])
    change = compare_permissions(
        current, {"user_ids": ["222222222222", "333333333333"], "organization_arns": [ORGANIZATION]}
    )
    assert change.add == [{"UserId": "333333333333"}, {"OrganizationArn": ORGANIZATION}]
    assert change.remove == [{"UserId": "111111111111"}]
    assert change.after["group_names"] == ["all"]
    assert change.after["user_ids"] == ["222222222222", "333333333333"]


def test_an_empty_list_takes_everything_back() -> None:
    change = compare_permissions(read_permissions([{"Group": "all"}]), {"group_names": [], "user_ids": None})
    assert change.remove == [{"Group": "all"}]
    assert change.add == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"launch_permissions": {"user_ids": ["1234"]}}, "launch_permissions.user_ids: '1234' is not an account id"),
        ({"snapshot_permissions": {"group_names": ["everyone"]}}, "EC2 knows only the group 'all', not 'everyone'."),
        ({"launch_permissions": {"organization_arns": [UNIT]}}, "organization_arns"),
        ({"launch_permissions": {"organizational_unit_arns": [ORGANIZATION]}}, "organizational_unit_arns"),
        ({"deprecate_at": "tomorrow"}, "deprecate_at 'tomorrow'"),
        ({"deprecate_at": "2027-01-01T00:00:00"}, "a time with a zone"),
        ({"snapshot_tags": {"aws:x": "y"}}, "snapshot_tags: the key 'aws:x' starts with aws:"),
    ],
)
def test_mistakes_are_explained(values: dict[str, t.Any], problem: str) -> None:
    (found,) = Attributes(**values).problems()
    assert problem in found


def test_good_values_have_no_problems() -> None:
    attributes = Attributes(
        launch_permissions={
            "user_ids": ["123456789012"],
            "organization_arns": [ORGANIZATION],
            "organizational_unit_arns": [UNIT],
        },
        deprecate_at="never",
    )
    assert attributes.problems() == []


def test_times_are_compared_as_ec2_keeps_them_rounded_to_the_minute() -> None:
    assert parse_time("2027-01-01T01:00:29+01:00") == parse_time("2027-01-01T00:00:00.000Z")
    assert parse_time("2027-01-01T00:00:30Z") == parse_time("2027-01-01T00:01:00Z")
