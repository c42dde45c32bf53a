# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Sessions of botocore for credentials that take a call to get: an assumed role, a profile that asks for an MFA code.

Both are kept fresh by botocore: a wait can last longer than the credentials.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._ec2.access import Access
from ansible_collections.bakehouse.images.plugins.module_utils._errors import Refused

with contextlib.suppress(ImportError):  # AnsibleAWSModule says what is missing before anything here is called
    import botocore.config as botocore_config
    import botocore.credentials as botocore_credentials
    import botocore.exceptions as botocore_errors
    import botocore.session as botocore_session
    import botocore.utils as botocore_utils

NO_CREDENTIALS = "Give profile, or access_key and secret_key, or AWS's usual settings in the environment."


class _Ready:
    """A provider of credentials that are there, as botocore's resolver takes one."""

    METHOD = CANONICAL_NAME = "bakehouse"

    def __init__(self, credentials: t.Any) -> None:
        self._credentials = credentials

    def load(self) -> t.Any:
        return self._credentials


def source_session(access: Access, settings: t.Mapping[str, t.Any]) -> t.Any:
    """The session with the credentials of the user, before any role is assumed.

    Args:
        settings: C(profile_name) and C(aws_access_key_id), C(aws_secret_access_key), C(aws_session_token).

    Raises:
        Refused: there is no such file or profile.
    """
    path = access.shared_credentials_file
    if path and not os.path.isfile(path):
        raise Refused("There is no shared_credentials_file %s on this host." % path)
    session = _session(access, settings.get("profile_name"))
    if settings.get("aws_access_key_id"):
        session.set_credentials(
            settings["aws_access_key_id"], settings["aws_secret_access_key"], settings.get("aws_session_token")
        )
    return session


def _session(access: Access, profile: t.Optional[str]) -> t.Any:
    session = botocore_session.Session(profile=profile)
    if access.shared_credentials_file:
        session.set_config_variable("credentials_file", access.shared_credentials_file)
    return session


def assumed_session(access: Access, source: t.Any, *, region: str, verify: t.Any) -> t.Any:
    """The session that API calls are made with: in the role, where there is one.

    Raises:
        Refused: there are no credentials, or the role cannot be assumed.
    """
    credentials = _source_credentials(access, source)
    if access.assume_role is None:
        return source
    role = access.assume_role

    def creator(service: str, **keys: t.Any) -> t.Any:
        return source.create_client(service, region_name=region, verify=verify, **keys)

    fetcher = botocore_credentials.AssumeRoleCredentialFetcher(
        creator, credentials, role.role_arn, extra_args=role.to_api()
    )
    assumed = botocore_credentials.DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    _load(lambda: assumed, "Cannot assume the role %s" % role.role_arn)
    ready: t.Any = _Ready(assumed)
    # With the same profile, which AWS_PROFILE may name, and which may be in the access's file only.
    session = _session(access, source.profile)
    session.register_component("credential_provider", botocore_credentials.CredentialResolver([ready]))
    return session


def _source_credentials(access: Access, source: t.Any) -> t.Any:
    if not access.mfa_code:
        return _load(lambda: _found(source), "Cannot get credentials")
    with _locked(botocore_utils.JSONFileCache.CACHE_DIR):
        return _load(lambda: _found(_answering(source, access.mfa_code)), "Cannot get credentials with the mfa_code")


def _answering(source: t.Any, code: t.Optional[str]) -> t.Any:
    """The session, which gives the code where a profile asks for one.

    A code counts once. What it gave is kept where boto3's users keep such, for this user only.
    """
    provider = source.get_component("credential_provider").get_provider("assume-role")
    provider.cache = botocore_utils.JSONFileCache(botocore_utils.JSONFileCache.CACHE_DIR)
    provider._prompter = lambda _question: code
    return source


@contextlib.contextmanager
def _locked(folder: str) -> t.Iterator[None]:
    """One at a time: of several builds that start with the same code, one gets credentials for all."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = os.open(os.path.join(folder, "bakehouse.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _found(source: t.Any) -> t.Any:
    credentials = source.get_credentials()
    if credentials is None:
        raise Refused("There are no AWS credentials on this host.", hint=NO_CREDENTIALS)
    return credentials


def _load(find: t.Callable[[], t.Any], doing: str) -> t.Any:
    """The credentials, once it is sure that they can be had: one clear error now, not one in each later call."""
    try:
        credentials = find()
        credentials.get_frozen_credentials()
    except botocore_errors.ClientError as exc:
        error = exc.response.get("Error", {})
        raise Refused(
            "%s: %s (%s)." % (doing, str(error.get("Message") or "").rstrip("."), error.get("Code")),
            hint="AWS's %s said so." % exc.operation_name,
            error_code=str(error.get("Code") or ""),
            operation=exc.operation_name,
        ) from exc
    except botocore_errors.BotoCoreError as exc:
        raise Refused("%s: %s." % (doing, str(exc).rstrip("."))) from exc
    return credentials


def merged_config(*parts: t.Any) -> t.Any:
    """Settings of botocore, the later ones over the earlier."""
    config = botocore_config.Config()
    for part in parts:
        if part:
            config = config.merge(part if isinstance(part, botocore_config.Config) else botocore_config.Config(**part))
    return config


__all__ = ("assumed_session", "merged_config", "source_session")
