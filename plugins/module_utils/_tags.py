# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The tags that say whose a resource is, and what a cloud accepts as tags.

Every resource of a build carries them from its create call on: they are how an unfinished build is
found again, and the only reason for which anything is ever deleted.
"""

from __future__ import annotations

import re
import typing as t

BUILD_ID_TAG = "bakehouse:build-id"
IMAGE_TAG = "bakehouse:image"
FINGERPRINT_TAG = "bakehouse:fingerprint"
HOST_TAG = "bakehouse:host"
# The process that the build lives and dies with, see _life.py. On what does not outlive a build.
OWNER_TAG = "bakehouse:owner"
# On the snapshot: what a build that goes on with it has to know of the image.
ARCHITECTURE_TAG = "bakehouse:architecture"
BOOT_MODE_TAG = "bakehouse:boot-mode"
# On images that are made only to make others of them, and removed afterwards.
INTERMEDIARY_TAG = "bakehouse:intermediary"
# What images are made for, by their author: those of a family take one another's place over time.
FAMILY_TAG = "bakehouse:family"
# Of a build that was kept: until when, in seconds since 1970.
EXPIRES_TAG = "bakehouse:expires"

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
MAX_TAGS = 50
MAX_KEY_CHARACTERS = 128
MAX_VALUE_CHARACTERS = 256
RESERVED_PREFIX = "aws:"

_BUILD_ID = re.compile(r"[0-9a-f]{16}\Z")


def is_ours(key: str) -> bool:
    """Whether a tag's key is one of this collection."""
    return key.startswith("bakehouse:")


def build_id_problems(build_id: t.Optional[str]) -> t.List[str]:
    """What is wrong with a build id: it has 16 hexadecimal digits."""
    if build_id is None or _BUILD_ID.match(build_id):
        return []
    return ["build_id is %r; a build id has 16 lower-case hexadecimal digits." % build_id]


def tag_problems(
    tags: t.Mapping[str, str], *, option: str = "tags", ours: t.Optional[t.Mapping[str, str]] = None
) -> t.List[str]:
    """What a cloud would refuse in these tags, one sentence for each mistake.

    Args:
        option: the name of the option the tags came in, for the sentences.
        ours: tags that the collection sets itself; C(tags) may repeat them but not contradict them.
    """
    own = ours or {}
    problems = []
    for key, value in sorted(tags.items()):
        if not key or len(key) > MAX_KEY_CHARACTERS:
            problems.append("%s: the key %r must have 1 to %d characters." % (option, key, MAX_KEY_CHARACTERS))
        if key.lower().startswith(RESERVED_PREFIX):
            problems.append("%s: the key %r starts with %s, which is reserved." % (option, key, RESERVED_PREFIX))
        if len(value) > MAX_VALUE_CHARACTERS:
            problems.append("%s: the value of %r is longer than %d characters." % (option, key, MAX_VALUE_CHARACTERS))
        if own.get(key, value) != value:
            problems.append(
                "%s: %s is %r here, but another option of this task makes it %r." % (option, key, value, own[key])
            )
    if len(set(tags) | set(own)) > MAX_TAGS:
        problems.append("%s: more than %d tags, counting the collection's own." % (option, MAX_TAGS))
    return problems


def ownership_tags(
    *,
    build_id: t.Optional[str] = None,
    image_name: t.Optional[str] = None,
    fingerprint: t.Optional[str] = None,
) -> t.Dict[str, str]:
    """The tags that follow from what is known of the build; what is None is left out."""
    known = {BUILD_ID_TAG: build_id, IMAGE_TAG: image_name, FINGERPRINT_TAG: fingerprint}
    return {key: value for key, value in known.items() if value is not None}


def text_tags(given: t.Mapping[t.Any, t.Any]) -> t.Dict[str, str]:
    """Tags from a module's option: YAML makes numbers and booleans of some values, tags are text."""
    return {str(key): "" if value is None else str(value) for key, value in given.items()}


__all__ = (
    "ARCHITECTURE_TAG",
    "BOOT_MODE_TAG",
    "BUILD_ID_TAG",
    "EXPIRES_TAG",
    "FAMILY_TAG",
    "FINGERPRINT_TAG",
    "HOST_TAG",
    "IMAGE_TAG",
    "INTERMEDIARY_TAG",
    "OWNER_TAG",
    "build_id_problems",
    "is_ours",
    "ownership_tags",
    "tag_problems",
    "text_tags",
)
