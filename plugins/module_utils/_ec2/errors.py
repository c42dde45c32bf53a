# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""botocore's errors in our own words: what was tried, what EC2 said, what to do."""

from __future__ import annotations

import contextlib
import json
import re
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.errors import (
    OutcomeUnknown,
    Throttled,
    error_code,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Busy,
    Conflict,
    Invalid,
    NotFound,
    Refused,
)

with contextlib.suppress(ImportError):  # AnsibleAWSModule says what is missing before anything here is called
    import botocore.exceptions as botocore_errors

_CREDENTIALS = {
    "AuthFailure",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
    "OptInRequired",
    "Blocked",
}
_NOT_AUTHORIZED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"}
_MALFORMED = {
    "InvalidParameter",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "MissingParameter",
    "UnknownParameter",
    "ValidationError",
}
_BUSY = {
    "IncorrectState",
    "InvalidSnapshot.InUse",
    "InvalidVolume.InUse",
    "ResourceInUse",
    "VolumeInUse",
}
# What EC2 and the services beside it say; botocore's standard retry mode knows these and more:
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
THROTTLED = {
    "EC2ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
}
_PERMISSION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
_PRINCIPAL = re.compile(r"User: (\S+) is not authorized")
_ENCODED = re.compile(r"\s*Encoded authorization failure message:\s*(.*)", re.DOTALL)


def encoded_message(exc: t.Any) -> t.Optional[str]:
    """What EC2 says in code about something that is not allowed; None when it does not."""
    found = _ENCODED.search(str(exc.response.get("Error", {}).get("Message") or ""))
    return found.group(1).strip() if found else None


def translate_client_error(exc: t.Any, doing: str, service: str = "ec2", decoded: t.Optional[str] = None) -> BuildError:
    """An error answer of EC2 as one of ours: what was tried, what EC2 said, what to do.

    Args:
        service: as IAM names it before the colon of an action.
        decoded: what the encoded part of the answer says, or why that is not known.
    """
    error = exc.response.get("Error", {})
    code = str(error.get("Code") or "")
    said = " ".join(_ENCODED.sub("", str(error.get("Message") or "")).split())
    facts = {"error_code": code, "operation": exc.operation_name}
    if code in _NOT_AUTHORIZED:
        return _not_authorized(doing, said, "%s:%s" % (service, exc.operation_name), code, _Decoded.read(decoded))
    message = "Cannot %s: %s (%s)." % (doing, said.rstrip(".") or "EC2 gave no reason", code or "no code")
    kind, hint = _kind(code)
    if kind is Invalid:
        malformed = Invalid([message])
        malformed.facts.update(facts)
        return malformed
    return kind(message, hint=hint, **facts)


def _kind(code: str) -> t.Tuple[t.Type[BuildError], t.Optional[str]]:
    """Which of our errors a code is, and what to do about it."""
    endings = (
        (".NotFound", NotFound),
        ("ParameterNotFound", NotFound),
        ("NotFoundException", NotFound),
        (".Unavailable", NotFound),
        (".Unknown", NotFound),
        (".Malformed", Invalid),
        (".Duplicate", Conflict),
    )
    kinds: t.Dict[str, t.Type[BuildError]] = dict.fromkeys(_MALFORMED, Invalid)
    kinds.update(dict.fromkeys(_BUSY, Busy), IdempotentParameterMismatch=Conflict)
    kinds.update(dict.fromkeys(THROTTLED, Throttled))
    if code in _CREDENTIALS:
        return Refused, "EC2 does not accept the credentials in use: check the keys, their session token and the clock."
    if code in kinds:
        return kinds[code], None
    if code.endswith("LimitExceeded"):
        return Refused, "Raise this quota, or remove what is no longer needed."
    for ending, kind in endings:
        if code.endswith(ending):
            return kind, None
    return BuildError, None


class _Decoded(t.NamedTuple):
    """What DecodeAuthorizationMessage tells of a refusal."""

    who: str = ""
    permission: str = ""
    sentence: str = ""

    @classmethod
    def read(cls, text: t.Optional[str]) -> _Decoded:
        """From its answer; from any other text, that text."""
        if not text:
            return cls()
        try:
            told = json.loads(text)
            context = told["context"]
            why = "a statement denies it" if told.get("explicitDeny") else "no statement allows it"
            named = [one.get("statementId") for one in told.get("matchedStatements", {}).get("items") or []]
            statements = " (%s)" % ", ".join(map(str, filter(None, named))) if any(named) else ""
            resource = str(context.get("resource") or "")
            sentence = "Decoded: %s%s%s." % (why, statements, ", on " + resource if resource else "")
            return cls(str(context.get("principal", {}).get("arn") or ""), str(context.get("action") or ""), sentence)
        except (ValueError, LookupError, TypeError, AttributeError):
            return cls(sentence=text)


def _not_authorized(doing: str, said: str, action: str, code: str, decoded: _Decoded) -> Refused:
    named = _PERMISSION.search(said)
    permission = named.group(1) if named else decoded.permission or action
    principal = _PRINCIPAL.search(said)
    who = principal.group(1) if principal else decoded.who or "the credentials in use"
    said = "%s %s" % (said, decoded.sentence) if decoded.sentence else said
    return Refused(
        "Cannot %s: %s may not do %s. EC2 said: %s" % (doing, who, permission, said),
        hint="Allow %s in the IAM policies that apply." % permission,
        error_code=code,
        operation=action.split(":")[1],
        missing_permission=permission,
    )


def translate_transport_error(exc: Exception, doing: str, endpoint: str) -> BuildError:
    """An error of botocore itself, before or instead of an answer of EC2."""
    name = type(exc).__name__
    if (
        isinstance(exc, (botocore_errors.NoCredentialsError, botocore_errors.CredentialRetrievalError))
        or "Credentials" in name
        or "Token" in name
    ):
        return Refused(
            "Cannot %s: no usable AWS credentials on this host (%s)." % (doing, exc),
            hint="Give profile, or access_key and secret_key, or AWS_PROFILE or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY in the environment, or an instance role. API modules run on the API host.",
        )
    if isinstance(exc, botocore_errors.ParamValidationError):
        return Invalid(["Cannot %s: %s" % (doing, " ".join(str(exc).split()))])
    if isinstance(exc, (botocore_errors.HTTPClientError, botocore_errors.ConnectionError)):
        return BuildError(
            "Cannot %s: EC2's endpoint %s cannot be reached (%s)." % (doing, endpoint, exc),
            hint="Check the region, endpoint_url, AWS_ENDPOINT_URL, proxies and the network of the API host.",
            error_code=name,
        )
    if name == "ResponseParserError":
        return BuildError(
            "Cannot %s: what answers at %s does not speak EC2's protocol (%s)." % (doing, endpoint, str(exc)[:200]),
            error_code=name,
        )
    return BuildError("Cannot %s: %s" % (doing, exc), error_code=name)


__all__ = (
    "THROTTLED",
    "OutcomeUnknown",
    "encoded_message",
    "error_code",
    "translate_client_error",
    "translate_transport_error",
)
