# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Where an image shall be, and with which keys: the mistakes that can be seen without asking EC2.

The rules are EC2's own: the API references of CopyImage and ModifyImageAttribute, and "Share an encrypted AMI" of the
user guide, read in 2026.
"""

from __future__ import annotations

import re
import typing as t

KMS_KEY = re.compile(
    r"(arn:aws[a-z-]*:kms:[a-z0-9-]*:[0-9]{12}:)?"
    r"(key/)?((mrk-)?[a-f0-9-]{8,}|alias/[A-Za-z0-9:/_-]+)\Z"
)
REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+\Z")
# A region's name, then a letter, or a local zone's own words and a letter: eu-west-1a, us-west-2-lax-1a.
ZONE = re.compile(r"([a-z]{2,}(?:-[a-z]+)+-[0-9]+)(?:[a-z]|-[a-z0-9]+-[0-9]+[a-z])\Z")

# EC2 takes the time of a copy in steps, and up to 48 hours.
COPY_STEP_MINUTES = 15
COPY_MAX_MINUTES = 48 * 60


def region_problems(option: str, regions: t.Iterable[str]) -> t.List[str]:
    """What is no name of a region."""
    return [
        "%s: %r is not the name of a region, such as eu-west-1." % (option, one)
        for one in regions
        if not REGION.match(str(one))
    ]


def zone_problems(option: str, zones: t.Iterable[str], regions: t.Optional[t.Collection[str]]) -> t.List[str]:
    """What is no zone, or one of a region where the image will not be.

    Args:
        regions: where it will be; None when that is not known yet.
    """
    problems = []
    for zone in zones:
        region = region_of_zone(zone)
        if region is None:
            problems.append("%s: %r is not the name of an availability zone, such as eu-west-1a." % (option, zone))
        elif regions is not None and region not in regions:
            problems.append(
                "%s: %s is in %s, where the image will not be; it will be in %s."
                % (option, zone, region, ", ".join(sorted(regions)))
            )
    return problems


def region_of_zone(zone: str) -> t.Optional[str]:
    """The region of an availability or local zone; None for what is none."""
    found = ZONE.match(str(zone))
    return found.group(1) if found else None


def key_problems(option: str, key: t.Optional[str]) -> t.List[str]:
    """What is no KMS key."""
    if not key or KMS_KEY.match(str(key)):
        return []
    return ["%s %r is not a key id, an alias (alias/name) or the ARN of either." % (option, key)]


def duration_problems(option: str, minutes: t.Optional[int]) -> t.List[str]:
    """Which times EC2 does not take for a copy."""
    if minutes is None or (minutes % COPY_STEP_MINUTES == 0 and COPY_STEP_MINUTES <= minutes <= COPY_MAX_MINUTES):
        return []
    return [
        "%s must be a multiple of %d, up to %d, and is %s." % (option, COPY_STEP_MINUTES, COPY_MAX_MINUTES, minutes)
    ]


def copy_name(name: str, build_id: str, purpose: str) -> str:
    """The name of an image that exists only until another takes its place; EC2 has names once in a region."""
    return "%s %s %s" % (name[:100].rstrip(), purpose, build_id)


__all__ = (
    "copy_name",
    "duration_problems",
    "key_problems",
    "region_of_zone",
    "region_problems",
    "zone_problems",
)
