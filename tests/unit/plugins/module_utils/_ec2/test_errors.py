# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users read when EC2 refuses a call, or cannot be reached."""

from __future__ import annotations

import pytest
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import Throttled
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.errors import (
    error_code,
    translate_client_error,
    translate_transport_error,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
)
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError


def refused(code: str, message: str = "Because.", operation: str = "CreateVolume") -> BuildError:
    error = ClientError({"Error": {"Code": code, "Message": message}}, operation)
    return translate_client_error(error, "create a volume")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidVolume.NotFound", NotFound),
        ("InvalidAMIID.Unavailable", NotFound),
        ("InvalidSnapshot.InUse", Busy),
        ("VolumeInUse", Busy),
        ("RequestLimitExceeded", Throttled),
        ("ThrottlingException", Throttled),
        ("VolumeLimitExceeded", Refused),
        ("AttachmentLimitExceeded", Refused),
        ("InvalidParameterValue", Invalid),
        ("InvalidAMIID.Malformed", Invalid),
        ("InvalidAMIName.Duplicate", Conflict),
        ("IdempotentParameterMismatch", Conflict),
        ("AuthFailure", Refused),
        ("UnheardOf", BuildError),
    ],
)
def test_codes_become_errors_by_what_the_caller_can_do(code: str, kind: type[BuildError]) -> None:
    error = refused(code)
    assert type(error) is kind
    assert str(error).startswith(f"Cannot create a volume: Because ({code}).")
    assert error_code(error) == code
    assert error.facts["operation"] == "CreateVolume"


def test_a_missing_permission_is_named_with_the_principal_that_lacks_it() -> None:
    error = refused(
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ci is not authorized "
        "to perform: ec2:CreateTags on resource: arn:aws:ec2:eu-west-1:123456789012:volume/* because no "
        "identity-based policy allows the ec2:CreateTags action. Encoded authorization failure message: 6xcs3ds...",
    )
    assert isinstance(error, Refused)
    assert str(error).startswith("Cannot create a volume: arn:aws:iam::123456789012:user/ci may not do ec2:CreateTags.")
    assert str(error).endswith("Allow ec2:CreateTags in the IAM policies that apply.")
    assert "6xcs3ds" not in str(error)
    assert error.facts["missing_permission"] == "ec2:CreateTags"


def test_a_missing_permission_that_ec2_does_not_name_is_that_of_the_call() -> None:
    error = refused("UnauthorizedOperation", "You are not authorized to perform this operation.")
    assert error.facts["missing_permission"] == "ec2:CreateVolume"
    assert "the credentials in use may not do ec2:CreateVolume" in str(error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError(), "no usable AWS credentials on this host"),
        (EndpointConnectionError(endpoint_url="http://ec2"), "EC2's endpoint http://ec2 cannot be reached"),
        (ConnectTimeoutError(endpoint_url="http://ec2"), "EC2's endpoint http://ec2 cannot be reached"),
        (ResponseParserError("invalid XML"), "does not speak EC2's protocol"),
        (ParamValidationError(report="Unknown parameter"), "Unknown parameter"),
        (ProfileNotFound(profile="nonesuch"), "nonesuch"),
    ],
)
def test_errors_before_an_answer_say_what_is_wrong(error: Exception, said: str) -> None:
    translated = translate_transport_error(error, "create a volume", "http://ec2")
    assert str(translated).startswith("Cannot create a volume: ")
    assert said in str(translated)
