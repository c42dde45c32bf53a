# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Whose credentials API calls are made with, and how: the option C(access), and its mistakes.

Plain values, read on the controller too, where boto3 need not be. What comes of them is in sessions.py.
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from dataclasses import dataclass, field

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+\Z", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}\Z", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}\Z", re.ASCII)
_MFA_CODE = re.compile(r"\d{6}\Z", re.ASCII)
_DURATION = (900, 43200)
_MOST_POLICIES = 10
DEFAULT_SESSION_NAME = "bakehouse"

_STRINGS: t.Dict[str, t.Any] = {"type": "list", "elements": "str"}

ROLE_SPEC: t.Dict[str, t.Any] = {
    "role_arn": {"type": "str", "required": True},
    "session_name": {"type": "str"},
    "duration_seconds": {"type": "int"},
    "external_id": {"type": "str"},
    "policy": {"type": "str"},
    "policy_arns": _STRINGS,
    "tags": {"type": "dict"},
    "transitive_tag_keys": dict(_STRINGS, no_log=False),
}

ACCESS_SPEC: t.Dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "access_key": {"type": "str", "no_log": False},
        "secret_key": {"type": "str", "no_log": True},
        "session_token": {"type": "str", "no_log": True},
        "profile": {"type": "str"},
        "shared_credentials_file": {"type": "path"},
        "mfa_code": {"type": "str", "no_log": True},
        "assume_role": {"type": "dict", "options": ROLE_SPEC},
        "endpoint_url": {"type": "str"},
        "validate_certs": {"type": "bool"},
        "max_retries": {"type": "int"},
        "poll_delay": {"type": "float"},
        "decode_authorization_messages": {"type": "bool", "default": False},
    },
}


@dataclass(frozen=True)
class AssumedRole:
    """The role that calls are made in."""

    role_arn: str
    session_name: t.Optional[str] = None
    duration_seconds: t.Optional[int] = None
    external_id: t.Optional[str] = None
    policy: t.Optional[str] = None
    policy_arns: t.Tuple[str, ...] = ()
    tags: t.Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: t.Tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> AssumedRole:
        """From the option C(access.assume_role)."""
        given = {name: params[name] for name in cls.__dataclass_fields__ if params.get(name)}
        for name in ("policy_arns", "transitive_tag_keys"):
            given[name] = tuple(given.get(name, ()))
        given["tags"] = {str(key): str(value) for key, value in (given.get("tags") or {}).items()}
        return cls(**dict({"role_arn": ""}, **given))

    def to_api(self) -> t.Dict[str, t.Any]:
        """The parameters of AssumeRole beside C(RoleArn)."""
        given = {
            "RoleSessionName": self.session_name or DEFAULT_SESSION_NAME,
            "DurationSeconds": self.duration_seconds,
            "ExternalId": self.external_id,
            "Policy": self.policy,
            "PolicyArns": [{"arn": arn} for arn in self.policy_arns],
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
            "TransitiveTagKeys": list(self.transitive_tag_keys),
        }
        return {key: value for key, value in given.items() if value}

    def problems(self) -> t.List[str]:
        """A sentence for each mistake."""
        problems = []
        if not _ROLE_ARN.match(self.role_arn):
            problems.append("role_arn %r is not the ARN of a role." % self.role_arn)
        if self.session_name and not _SESSION_NAME.match(self.session_name):
            problems.append("session_name has 2 to 64 letters, digits and _ + = , . @ - only.")
        if self.duration_seconds is not None and not _DURATION[0] <= int(self.duration_seconds) <= _DURATION[1]:
            problems.append("duration_seconds is %s, and must be from %d to %d." % (self.duration_seconds, *_DURATION))
        if self.external_id and not _EXTERNAL_ID.match(self.external_id):
            problems.append("external_id has 2 to 1224 letters, digits and _ + = , . @ : / - only.")
        if len(self.policy_arns) > _MOST_POLICIES:
            problems.append("policy_arns has %d, and at most %d can be." % (len(self.policy_arns), _MOST_POLICIES))
        missing = [key for key in self.transitive_tag_keys if key not in self.tags]
        if missing:
            problems.append("transitive_tag_keys names %s, and tags has none of that name." % ", ".join(missing))
        return problems + self._policy_problems()

    def _policy_problems(self) -> t.List[str]:
        if not self.policy:
            return []
        try:
            is_object = isinstance(json.loads(self.policy), dict)
        except ValueError:
            is_object = False
        return [] if is_object else ["policy is not a JSON object."]


@dataclass(frozen=True)
class Access:
    """How API calls are made. What is None is left to AWS's usual settings."""

    access_key: t.Optional[str] = None
    secret_key: t.Optional[str] = field(default=None, repr=False)
    session_token: t.Optional[str] = field(default=None, repr=False)
    profile: t.Optional[str] = None
    shared_credentials_file: t.Optional[str] = None
    mfa_code: t.Optional[str] = field(default=None, repr=False)
    assume_role: t.Optional[AssumedRole] = None
    endpoint_url: t.Optional[str] = None
    validate_certs: t.Optional[bool] = None
    max_retries: t.Optional[int] = None
    poll_delay: t.Optional[float] = None
    decode_authorization_messages: bool = False

    @classmethod
    def from_params(cls, params: t.Optional[t.Mapping[str, t.Any]]) -> Access:
        """From the option C(access); what is empty counts as not given."""
        given = {name: (params or {}).get(name) for name in cls.__dataclass_fields__}
        kept = {name: value for name, value in given.items() if value not in (None, "", {})}
        if "assume_role" in kept:
            kept["assume_role"] = AssumedRole.from_params(kept["assume_role"])
        if "shared_credentials_file" in kept:
            kept["shared_credentials_file"] = os.path.expanduser(str(kept["shared_credentials_file"]))
        return cls(**kept)

    @property
    def needs_session(self) -> bool:
        """Whether the credentials are to be had in a way that amazon.aws's options have no words for."""
        return bool(self.assume_role or self.mfa_code or self.shared_credentials_file)

    def over(self, params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
        """A module's options with this in place of what they say, which may be the environment's."""
        merged = dict(params)
        if self.access_key or self.profile:
            for name in ("access_key", "secret_key", "session_token", "profile"):
                merged[name] = getattr(self, name)
        for name in ("endpoint_url", "validate_certs"):
            if getattr(self, name) is not None:
                merged[name] = getattr(self, name)
        return merged

    def problems(self) -> t.List[str]:
        """A sentence for each mistake. No secret is in them."""
        problems = []
        if bool(self.access_key) != bool(self.secret_key):
            given, missing = ("access_key", "secret_key") if self.access_key else ("secret_key", "access_key")
            problems.append("%s is given without %s." % (given, missing))
        if self.session_token and not self.secret_key:
            problems.append("session_token goes with access_key and secret_key.")
        if self.profile and (self.access_key or self.secret_key):
            problems.append("profile does not go together with access_key and secret_key.")
        if self.mfa_code and not _MFA_CODE.match(str(self.mfa_code)):
            problems.append("mfa_code is not six digits. Quote it in YAML.")
        if self.endpoint_url and not str(self.endpoint_url).startswith(("http://", "https://")):
            problems.append("endpoint_url %r does not begin with http:// or https://." % self.endpoint_url)
        if self.max_retries is not None and int(self.max_retries) < 0:
            problems.append("max_retries is %s, and cannot be less than 0." % self.max_retries)
        if self.poll_delay is not None and float(self.poll_delay) <= 0:
            problems.append("poll_delay is %s, and must be more than 0." % self.poll_delay)
        if self.assume_role:
            problems += ["assume_role: " + problem for problem in self.assume_role.problems()]
        return problems


__all__ = ("ACCESS_SPEC", "Access", "AssumedRole")
