# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""How a template calls AWS, as the role's C(bake_aws_access). Secrets stay in the template, to be looked up there."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import late
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import Template

FIELDS = {
    "access_key": "access_key",
    "secret_key": "secret_key",
    "token": "session_token",
    "profile": "profile",
    "shared_credentials_file": "shared_credentials_file",
    "mfa_code": "mfa_code",
    "assume_role": "assume_role",
    "custom_endpoint_ec2": "endpoint_url",
    "max_retries": "max_retries",
    "decode_authorization_messages": "decode_authorization_messages",
}
# They would be shown by ansible-inventory, also where the template does not say that they are sensitive.
SECRET = ("access_key", "secret_key", "token", "mfa_code")
# What the lookup is asked for in their place.
OPTION = re.compile(rf"({'|'.join(SECRET)})@(.+)")
POLLING = {"max_attempts": "AWS_MAX_ATTEMPTS", "delay_seconds": "AWS_POLL_DELAY_SECONDS"}
# As with Packer, for attempts whose delay is not given.
DELAY = 15


def access_variables(
    values: Mapping[str, t.Any], environment: Mapping[str, str], *, build_name: str, lookup: t.Callable[[str], str]
) -> dict[str, t.Any]:
    """The variables that the options become.

    Args:
        values: the options that are set, with their types.
        environment: of this process.
        build_name: of the image.
        lookup: makes an expression of Jinja that gives the value of a term.
    """
    access = {
        variable: late(lookup(f"{name}@{build_name}")) if name in SECRET else values[name]
        for name, variable in FIELDS.items()
        if values.get(name)
    }
    if "role_arn" not in access.get("assume_role", {"role_arn": ""}):
        del access["assume_role"]  # it is off without, as with Packer
    if values.get("insecure_skip_tls_verify"):
        access["validate_certs"] = False
    found, delay = _polling(values.get("aws_polling") or {}, environment)
    if delay:
        access["poll_delay"] = delay
    return {**found, **({"bake_aws_access": access} if access else {})}


def _polling(given: Mapping[str, t.Any], environment: Mapping[str, str]) -> tuple[dict[str, t.Any], int]:
    """How long to wait, where that is said, and how often to look."""
    numbers: dict[str, int] = {}
    for name, variable in (*POLLING.items(), ("timeout", "AWS_TIMEOUT_SECONDS")):
        text = str(given.get(name) or environment.get(variable) or "0")
        numbers[name] = int(text) if text.isdigit() else 0
    attempts = numbers["max_attempts"]
    seconds = attempts * (numbers["delay_seconds"] or DELAY) if attempts else numbers["timeout"]
    limits = {"bake_wait_timeout": seconds, "bake_snapshot_timeout": seconds} if seconds else {}
    return limits, numbers["delay_seconds"]


def lookup_term(option: str) -> tuple[str, str] | None:
    """The option and the build of a term that access_variables made; None for any other."""
    found = OPTION.fullmatch(option)
    return (found[1], found[2]) if found else None


def secret_option(template: Template, name: str, build_name: str) -> tuple[t.Any, t.Any]:
    """The value of an option as written, and the build that it is of.

    Raises:
        KeyError: there is no such build, or it does not have the option.
    """
    build = next((build for build in template.builds if build.name == build_name), None)
    if build is None:
        raise KeyError(build_name)
    return build.source.values[name], build


__all__ = ("access_variables", "lookup_term", "secret_option")
