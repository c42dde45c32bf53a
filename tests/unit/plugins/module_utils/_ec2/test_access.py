# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose credentials a call is made with, and how: real clients, made as a module makes them."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import Throttled
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.throttling import ThrottledCalls
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.access import Access
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, connect
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.retries import ATTEMPTS, THROTTLED_ATTEMPTS
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid, Refused
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/builder"
KEYS = {"access_key": "AKIATESTTESTTESTTEST", "secret_key": "secret-of-the-user"}


class Module:
    """A module's parameters: amazon.aws's common ones, from an environment that has other keys, and access."""

    _name = "ec2_volume"

    def __init__(self, access: dict[str, t.Any], **params: t.Any) -> None:
        given = {"access_key": "AKIAOTHER", "secret_key": "other", "region": "us-east-1", **params}
        names = ("profile", "session_token", "endpoint_url", "aws_ca_bundle", "aws_config")
        self.throttled = ThrottledCalls()
        self.params = {**dict.fromkeys(names), "validate_certs": True, **given, "access": access}


@pytest.fixture(autouse=True)
def _away_from_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mocked: t.Any) -> None:
    """Nothing of the machine's own AWS settings, nor of what botocore caches there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("botocore.utils.JSONFileCache.CACHE_DIR", str(tmp_path / "cache"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


def caller(api: Ec2Api) -> str:
    """Who the calls of this client are made as."""
    keys = api.client._request_signer._credentials.get_frozen_credentials()
    sts: t.Any = boto3.client(
        "sts",
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
    )
    return str(sts.get_caller_identity()["Arn"])


def key_of(api: Ec2Api) -> str:
    return str(api.client._request_signer._credentials.get_frozen_credentials().access_key)


def test_without_access_the_common_options_count() -> None:
    assert key_of(connect(t.cast(t.Any, Module({})))) == "AKIAOTHER"


def test_keys_of_access_are_stronger_than_those_of_the_environment() -> None:
    assert key_of(connect(t.cast(t.Any, Module(KEYS)))) == KEYS["access_key"]


def test_a_profile_of_a_file_of_its_own_gives_keys_and_region(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("[ci]\naws_access_key_id = AKIACI\naws_secret_access_key = x\nregion = eu-west-3\n")
    access = {"profile": "ci", "shared_credentials_file": "~/mine"}
    api = connect(t.cast(t.Any, Module(access, region=None)))
    assert (key_of(api), api.region) == ("AKIACI", "eu-west-3")
    other = connect(t.cast(t.Any, Module(access, region="us-west-2")), region="eu-central-1", service="ssm")
    assert (other.region, other.service) == ("eu-central-1", "ssm")


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"shared_credentials_file": "/none/such"}, "There is no shared_credentials_file /none/such on this host."),
        ({"profile": "nobody", "mfa_code": "123456"}, "nobody"),
        ({"profile": "nobody"}, "nobody"),
    ],
)
def test_what_is_not_there_is_said(access: dict[str, t.Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        connect(t.cast(t.Any, Module(access)))


def test_a_role_is_assumed_with_all_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, t.Any]] = []
    from botocore.client import BaseClient

    client: t.Any = BaseClient
    original = client._make_api_call

    def noted(self: t.Any, name: str, params: dict[str, t.Any]) -> t.Any:
        if name == "AssumeRole":
            asked.append(params)
        return original(self, name, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = {
        "role_arn": ROLE,
        "session_name": "build",
        "duration_seconds": 3600,
        "external_id": "ours",
        "policy": policy,
        "policy_arns": ["arn:aws:iam::aws:policy/AmazonEC2FullAccess"],
        "tags": {"team": "web"},
        "transitive_tag_keys": ["team"],
    }
    api = connect(t.cast(t.Any, Module({**KEYS, "assume_role": role, "max_retries": 4})))
    assert caller(api) == "arn:aws:sts::123456789012:assumed-role/builder/build"
    assert asked[0] == {
        "RoleArn": ROLE,
        "RoleSessionName": "build",
        "DurationSeconds": 3600,
        "ExternalId": "ours",
        "Policy": policy,
        "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/AmazonEC2FullAccess"}],
        "Tags": [{"Key": "team", "Value": "web"}],
        "TransitiveTagKeys": ["team"],
    }
    assert len(asked) == 1, "the role is kept as long as it is valid"
    assert api.client.meta.config.retries["total_max_attempts"] == 5


def test_a_role_with_a_profile_that_the_environment_names_and_only_the_file_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_text("[ci]\naws_access_key_id = AKIACI\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_PROFILE", "ci")
    access = {"shared_credentials_file": "~/mine", "assume_role": {"role_arn": ROLE}}
    api = connect(t.cast(t.Any, Module(access, access_key=None, secret_key=None, profile="ci")))
    monkeypatch.delenv("AWS_PROFILE")  # the test's own client has no such file
    assert caller(api).startswith("arn:aws:sts::123456789012:assumed-role/builder/")


def test_a_role_that_cannot_be_assumed_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", denied)
    with pytest.raises(Refused, match="Cannot assume the role .*role/builder: User x is not authorized \\(AccessDeni"):
        connect(t.cast(t.Any, Module({**KEYS, "assume_role": {"role_arn": ROLE}})))


def test_one_code_of_an_mfa_device_is_enough_for_a_whole_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text(
        f"[profile ci]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n"
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = x\n"
    )
    asked: list[str] = []
    from botocore.client import BaseClient

    client: t.Any = BaseClient
    original = client._make_api_call

    def noted(self: t.Any, name: str, params: dict[str, t.Any]) -> t.Any:
        if name == "AssumeRole":
            asked.append(params["TokenCode"])
        return original(self, name, params)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    for _module in range(2):
        api = connect(t.cast(t.Any, Module({"profile": "ci", "mfa_code": "123456"})))
        assert caller(api).startswith("arn:aws:sts::123456789012:assumed-role/builder/")
    assert asked == ["123456"]
    assert [path.stat().st_mode & 0o077 for path in (tmp_path / "cache").iterdir()] == [0, 0]


def test_an_endpoint_of_ec2_is_ec2s_alone() -> None:
    access = {**KEYS, "endpoint_url": "https://ec2.example.org", "validate_certs": False}
    assert connect(t.cast(t.Any, Module(access))).client.meta.endpoint_url == "https://ec2.example.org"
    assert "example" not in connect(t.cast(t.Any, Module(access)), service="ssm").client.meta.endpoint_url
    assert "example" not in connect(t.cast(t.Any, Module(access)), service="ebs").client.meta.endpoint_url


def test_retries_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_MAX_ATTEMPTS", raising=False)
    assert connect(t.cast(t.Any, Module(KEYS))).client.meta.config.retries["total_max_attempts"] == ATTEMPTS
    api = connect(t.cast(t.Any, Module({**KEYS, "max_retries": 0})))
    assert api.client.meta.config.retries["total_max_attempts"] == 1


@pytest.mark.parametrize(
    ("access", "environment", "attempts"),
    [({}, {}, THROTTLED_ATTEMPTS), ({"max_retries": 9}, {}, 10), ({"max_retries": 2}, {}, 3)]
    + [({}, {"AWS_MAX_ATTEMPTS": "4"}, 4)],
)
def test_throttled_calls_are_sent_for_longer_unless_somebody_says_how_often(
    monkeypatch: pytest.MonkeyPatch, access: dict[str, t.Any], environment: dict[str, str], attempts: int
) -> None:
    monkeypatch.delenv("AWS_MAX_ATTEMPTS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    module = Module({**KEYS, **access})
    api = connect(t.cast(t.Any, module))
    body = b"<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>"
    raw = t.cast(t.Any, SimpleNamespace(stream=lambda **_settings: [body]))
    api.client.meta.events.register_first(
        "before-send.ec2", lambda **_event: AWSResponse("http://test", 503, HTTPHeaders(), raw)
    )
    with pytest.raises(Throttled):
        api.find("describe_volumes", "Volumes", "list volumes")
    assert module.throttled.count == attempts


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"access_key": "a"}, "access_key is given without secret_key."),
        ({"secret_key": "hidden"}, "secret_key is given without access_key."),
        ({"session_token": "hidden"}, "session_token goes with access_key and secret_key."),
        ({**KEYS, "profile": "x"}, "profile does not go together with access_key and secret_key."),
        ({"mfa_code": "hidden"}, "mfa_code is not six digits."),
        ({"endpoint_url": "ec2"}, "endpoint_url 'ec2' does not begin with http"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"assume_role": {"session_name": "x"}}, "assume_role: role_arn '' is not the ARN of a role."),
        ({"assume_role": {"role_arn": "arn:aws:iam::1:user/x"}}, "is not the ARN of a role."),
        ({"assume_role": {"role_arn": ROLE, "session_name": "x"}}, "assume_role: session_name has 2 to 64"),
        ({"assume_role": {"role_arn": ROLE, "duration_seconds": 60}}, "must be from 900 to 43200"),
        ({"assume_role": {"role_arn": ROLE, "external_id": "a b"}}, "external_id has 2 to 1224"),
        ({"assume_role": {"role_arn": ROLE, "policy": "[]"}}, "policy is not a JSON object."),
        ({"assume_role": {"role_arn": ROLE, "policy": "{"}}, "policy is not a JSON object."),
        ({"assume_role": {"role_arn": ROLE, "policy_arns": ["a"] * 11}}, "policy_arns has 11"),
        ({"assume_role": {"role_arn": ROLE, "transitive_tag_keys": ["a"]}}, "transitive_tag_keys names a"),
    ],
)
def test_mistakes_are_said_without_secrets(access: dict[str, t.Any], said: str) -> None:
    found = Access.from_params(access)
    assert [problem for problem in found.problems() if said in problem], found.problems()
    assert "hidden" not in str(found.problems()) + repr(found)
    with pytest.raises(Invalid, match="^access: "):
        connect(t.cast(t.Any, Module(access)))


def test_what_ec2_says_in_code_is_decoded(ec2: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "allowed": False,
        "explicitDeny": True,
        "matchedStatements": {"items": [{"statementId": "NoVolumes"}]},
        "context": {
            "principal": {"arn": "arn:aws:iam::123456789012:user/ci"},
            "action": "ec2:CreateTags",
            "resource": "arn:aws:ec2:us-east-1:123456789012:volume/*",
        },
    }
    coded = "You are not authorized to perform this operation. Encoded authorization failure message: abc-1"
    asked: list[str] = []

    def decode(text: str) -> str:
        asked.append(text)
        return json.dumps(told)

    ec2.refuse("CreateVolume", "UnauthorizedOperation", coded, times=2)
    ec2.api.decode = decode
    with pytest.raises(Refused) as caught:
        ec2.api.call("create_volume", "create a volume", AvailabilityZone="us-east-1a", Size=1)
    assert asked == ["abc-1"]
    assert caught.value.facts["missing_permission"] == "ec2:CreateTags"
    assert str(caught.value) == (
        "Cannot create a volume: arn:aws:iam::123456789012:user/ci may not do ec2:CreateTags. EC2 said: You are not "
        "authorized to perform this operation. Decoded: a statement denies it (NoVolumes), on "
        "arn:aws:ec2:us-east-1:123456789012:volume/*. Allow ec2:CreateTags in the IAM policies that apply."
    )
    ec2.api.decode = lambda _text: "It was not decoded: no."
    with pytest.raises(Refused, match="ec2:CreateVolume. EC2 said: .* It was not decoded: no. Allow"):
        ec2.api.call("create_volume", "create a volume", AvailabilityZone="us-east-1a", Size=1)


def test_a_message_that_cannot_be_decoded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", denied)
    api = connect(t.cast(t.Any, Module({**KEYS, "decode_authorization_messages": True})))
    assert api.decode is not None
    assert api.decode("abc").startswith("It was not decoded: ")


def denied(_client: t.Any, name: str, _params: dict[str, t.Any]) -> t.Any:
    """What every call is answered."""
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "User x is not authorized."}}, name)
