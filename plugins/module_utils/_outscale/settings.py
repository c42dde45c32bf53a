# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Where Outscale's API is, and with what keys it is called: options, profile file, environment.

The names are those of Outscale's own tools, C(OSC_*), and those that its older ones had, C(OUTSCALE_*):
https://docs.outscale.com/en/userguide/Configuring-the-SDK.html
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, Refused

CONFIG_FILE = os.path.join("~", ".osc", "config.json")
DEFAULT_PROFILE = "default"
API_PATH = "/api/v1"

# Each setting with the variables that give it, the newer one first, and the keys of a profile.
_SOURCES: t.Dict[str, t.Tuple[t.Tuple[str, ...], t.Tuple[str, ...]]] = {
    "access_key": (("OSC_ACCESS_KEY", "OUTSCALE_ACCESSKEYID"), ("access_key",)),
    "secret_key": (("OSC_SECRET_KEY", "OUTSCALE_SECRETKEYID"), ("secret_key",)),
    "region": (("OSC_REGION", "OUTSCALE_REGION"), ("region", "region_name")),
    "endpoint_url": (("OSC_ENDPOINT_API", "OUTSCALE_OAPI_URL"), ("endpoints.api",)),
    "client_certificate": (("OSC_X509_CLIENT_CERT", "OUTSCALE_X509CERT"), ("x509_client_cert", "client_certificate")),
    "client_key": (("OSC_X509_CLIENT_KEY", "OUTSCALE_X509KEY"), ("x509_client_key",)),
}

# A secret is never taken from another place than the key that it is of.
_TOGETHER = (("access_key", "secret_key"), ("client_certificate", "client_key"))

Values = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Settings:
    """How the API is called. C(secret_key) is in no representation of this."""

    access_key: str
    secret_key: str
    region: str
    endpoint_url: str
    client_certificate: t.Optional[str] = None
    client_key: t.Optional[str] = None
    validate_certs: bool = True
    max_attempts: int = 10

    def __repr__(self) -> str:
        return "Settings(%s, %s)" % (self.access_key, self.endpoint_url)


def resolve(params: Values, environment: t.Mapping[str, str]) -> Settings:
    """The settings: an option counts first, then a profile that is named, then the environment, then the profile
    C(default).

    Raises:
        Invalid: one half of a pair is missing.
        Refused: there are no keys or no region, or the profile is not there.
    """
    problems = _problems(params)
    if problems:
        raise Invalid(problems, subject="Outscale's API cannot be called")
    found = _merge(_layers(params, environment))
    region = found.get("region") or _region_of(found.get("endpoint_url"))
    if not (found.get("access_key") and found.get("secret_key")):
        raise Refused(
            "There are no keys for Outscale's API.",
            hint="Set OSC_ACCESS_KEY and OSC_SECRET_KEY, or a profile of %s, or access_key and secret_key."
            % CONFIG_FILE,
        )
    if not region:
        raise Refused(
            "No region of Outscale is given.", hint="Set region, OSC_REGION, or a region in the profile, as eu-west-2."
        )
    return Settings(
        access_key=found["access_key"],
        secret_key=found["secret_key"],
        region=region,
        endpoint_url=_endpoint(found.get("endpoint_url"), region),
        client_certificate=found.get("client_certificate"),
        client_key=found.get("client_key"),
        validate_certs=_validates(params, environment),
        max_attempts=int(params.get("max_attempts") or Settings.max_attempts),
    )


def _problems(params: Values) -> t.List[str]:
    problems = [
        "%s and %s go together: give both, or neither." % (first, second)
        for first, second in _TOGETHER
        if bool(params.get(first)) != bool(params.get(second))
    ]
    attempts = params.get("max_attempts")
    if attempts is not None and int(attempts) < 1:
        problems.append("max_attempts is %s, and must be at least 1." % attempts)
    return problems


def _layers(params: Values, environment: t.Mapping[str, str]) -> t.List[t.Dict[str, str]]:
    """What each place says, the strongest first."""
    options = {name: str(params[name]) for name in _SOURCES if params.get(name)}
    from_environment: t.Dict[str, str] = {}
    for name, (variables, _keys) in _SOURCES.items():
        for variable in reversed(variables):
            if environment.get(variable):
                from_environment[name] = environment[variable]
    named = params.get("profile") or environment.get("OSC_PROFILE")
    path = params.get("config_file") or environment.get("OSC_CONFIG_FILE") or CONFIG_FILE
    profile = _read_profile(str(path), str(named or DEFAULT_PROFILE), is_named=bool(named))
    return [options, profile, from_environment] if named else [options, from_environment, profile]


def _merge(layers: t.Sequence[t.Mapping[str, str]]) -> t.Dict[str, str]:
    merged: t.Dict[str, str] = {}
    for layer in layers:
        fresh = dict(layer)
        for first, second in _TOGETHER:
            if first in merged or second in merged:
                fresh.pop(first, None)
                fresh.pop(second, None)
        merged.update({name: value for name, value in fresh.items() if name not in merged})
    return merged


def _read_profile(path: str, name: str, *, is_named: bool) -> t.Dict[str, str]:
    expanded = os.path.expanduser(path)
    try:
        with open(expanded, encoding="utf-8") as stream:
            profile = json.load(stream).get(name)
    except OSError as exc:
        if not is_named:
            return {}
        raise Refused("The profile %s cannot be read: %s: %s." % (name, expanded, exc.strerror)) from exc
    except (ValueError, AttributeError) as exc:
        raise Refused("%s is no file of profiles: %s." % (expanded, exc)) from exc
    if not isinstance(profile, dict):
        if not is_named:
            return {}
        raise Refused("%s has no profile %s." % (expanded, name))
    endpoints = profile.get("endpoints")
    flat = dict(profile)
    flat["endpoints.api"] = endpoints.get("api") if isinstance(endpoints, dict) else None
    found = {}
    for setting, (_variables, keys) in _SOURCES.items():
        values = [str(flat[key]) for key in keys if flat.get(key)]
        if values:
            found[setting] = values[0]
    return found


def _validates(params: Values, environment: t.Mapping[str, str]) -> bool:
    if params.get("validate_certs") is not None:
        return bool(params["validate_certs"])
    return environment.get("OSC_TLS_SKIP_VERIFY", "").lower() not in ("true", "1", "yes")


def _region_of(endpoint: t.Optional[str]) -> t.Optional[str]:
    found = re.search(r"\bapi\.([a-z0-9-]+)\.outscale\.com\b", endpoint or "")
    return found.group(1) if found else None


def _endpoint(given: t.Optional[str], region: str) -> str:
    if not given:
        return "https://api.%s.outscale.com%s" % (region, API_PATH)
    url = given.rstrip("/") if "://" in given else "https://" + given.rstrip("/")
    has_path = re.match(r"[a-z]+://[^/]+/", url)
    return url if has_path else url + API_PATH


__all__ = ("Settings", "resolve")
