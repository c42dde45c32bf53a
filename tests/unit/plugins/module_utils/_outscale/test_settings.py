# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the API's settings come from, and which place counts more."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.settings import Settings, resolve

KEYS = {"OSC_ACCESS_KEY": "env-ak", "OSC_SECRET_KEY": "env-sk", "OSC_REGION": "eu-west-2"}
PROFILES = {
    "default": {"access_key": "default-ak", "secret_key": "default-sk", "region": "us-east-2"},
    "ci": {
        "access_key": "ci-ak",
        "secret_key": "ci-sk",
        "region": "us-west-1",
        "endpoints": {"api": "https://ci.example/api/v1"},
    },
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(PROFILES))
    return str(path)


def find(environment: dict[str, str] | None = None, **params: t.Any) -> Settings:
    return resolve({"config_file": "/nonexistent", **params}, environment or {})


def test_the_environment_by_itself() -> None:
    found = find(KEYS)
    assert (found.access_key, found.secret_key, found.region) == ("env-ak", "env-sk", "eu-west-2")
    assert found.endpoint_url == "https://api.eu-west-2.outscale.com/api/v1"
    assert found.validate_certs


def test_the_older_names_of_the_environment() -> None:
    older = {"OUTSCALE_ACCESSKEYID": "o", "OUTSCALE_SECRETKEYID": "s", "OUTSCALE_REGION": "us-east-2"}
    assert find(older).access_key == "o"
    assert find({**older, "OUTSCALE_OAPI_URL": "api.example"}).endpoint_url == "https://api.example/api/v1"
    assert find({**older, **KEYS}).access_key == "env-ak"


def test_a_named_profile_counts_more_than_the_environment_and_the_default_less(config: str) -> None:
    assert find({**KEYS, "OSC_CONFIG_FILE": config}, config_file=None).access_key == "env-ak"
    assert find({"OSC_CONFIG_FILE": config}, config_file=None).access_key == "default-ak"
    named = find({**KEYS, "OSC_PROFILE": "ci"}, config_file=config)
    assert (named.access_key, named.region, named.endpoint_url) == ("ci-ak", "us-west-1", "https://ci.example/api/v1")


def test_options_count_most_and_a_secret_is_of_its_own_key(config: str) -> None:
    found = find(KEYS, config_file=config, profile="ci", access_key="ak", secret_key="sk", region="eu-west-2")
    assert (found.access_key, found.secret_key, found.region) == ("ak", "sk", "eu-west-2")
    with pytest.raises(Refused, match="no keys"):
        find({"OSC_ACCESS_KEY": "ak", "OSC_REGION": "eu-west-2"})


def test_a_secret_is_never_taken_from_another_place(config: str) -> None:
    with pytest.raises(Refused, match="There are no keys"):
        find({"OSC_ACCESS_KEY": "env-ak", "OSC_CONFIG_FILE": config}, config_file=None)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"access_key": "x"}, "access_key and secret_key go together"),
        ({"client_key": "x"}, "client_certificate and client_key go together"),
        ({"max_attempts": 0}, "must be at least 1"),
    ],
)
def test_mistakes(params: dict[str, t.Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        find(KEYS, **params)


def test_no_region_is_an_error_and_no_guess() -> None:
    keys = {name: KEYS[name] for name in ("OSC_ACCESS_KEY", "OSC_SECRET_KEY")}
    with pytest.raises(Refused, match="No region of Outscale"):
        find(keys)
    assert find({**keys, "OSC_ENDPOINT_API": "https://api.us-east-2.outscale.com/api/v1"}).region == "us-east-2"


def test_profiles_that_are_not_there(config: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no profile other"):
        find(KEYS, config_file=config, profile="other")
    with pytest.raises(Refused, match="cannot be read"):
        find(KEYS, profile="other")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(Refused, match="is no file of profiles"):
        find(KEYS, config_file=str(broken), profile="ci")


def test_certificates_are_checked_unless_asked_otherwise() -> None:
    assert not find({**KEYS, "OSC_TLS_SKIP_VERIFY": "true"}).validate_certs
    assert find({**KEYS, "OSC_TLS_SKIP_VERIFY": "true"}, validate_certs=True).validate_certs
    assert not find(KEYS, validate_certs=False).validate_certs


def test_a_secret_is_in_no_representation() -> None:
    assert "env-sk" not in repr(find(KEYS))
