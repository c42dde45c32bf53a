# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Calling EC2: the client, its retries, and botocore's errors in our own words.

The only file that knows amazon.aws. boto3 comes through its public module_utils, which also give
the options for credentials, region and endpoint that every AWS module has.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.botocore import boto3_conn, get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule as AmazonModule
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    boto3_tag_list_to_ansible_dict,
    boto3_tag_specifications,
    compare_aws_tags,
)
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.shared_looks import SharedLooks, shared_folder
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.throttling import ThrottlingModule
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import retry_missing
from ansible_collections.bakehouse.images.plugins.module_utils._ec2 import sessions
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.access import ACCESS_SPEC, Access
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.errors import (
    OutcomeUnknown,
    encoded_message,
    error_code,
    translate_client_error,
    translate_transport_error,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.retries import (
    ATTEMPTS,
    be_patient,
    count_throttled,
    limit_retries,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Invalid, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, SystemClock

with contextlib.suppress(ImportError):  # AnsibleAWSModule says what is missing before anything here is called
    import botocore.exceptions as botocore_errors

# An endpoint that nobody listens on will not appear: say so after a few seconds.
CONNECT_TIMEOUT_SECONDS = 10
# A block of 512 KiB that has not come by then is stalled: ask again.
BLOCK_TIMEOUT_SECONDS = 20
# As many as may be asked for at the same time.
BLOCK_CONNECTIONS = 64

# How botocore calls what amazon.aws's options are called.
_KEYS = {"access_key_id": "access_key", "secret_access_key": "secret_key", "session_token": "session_token"}

# Variables of the environment that are nobody's business.
_SECRET = re.compile(r"SECRET|TOKEN\Z")

# How long an id that a create call has just returned may be unknown elsewhere in EC2. AWS speaks of
# "a few minutes" and wants the waits to grow:
# https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
NEW_ID_SECONDS = 180.0
# The same for an id that a user gave: long enough for one retry on another of EC2's servers.
KNOWN_ID_SECONDS = 4.0


class Ec2Api:
    """EC2's API in one region: one boto3 client, and the clock for what is waited for.

    Args:
        client: a boto3 client for C(ec2).
        clock: lets tests wait without waiting.
        new_id_seconds: how long an id just made may stay unknown, see C(NEW_ID_SECONDS).
        decode: makes readable what EC2 says in code where something is not allowed; None leaves it out.
        caller: what tells this one from others who call EC2 on this machine; None shares no looks with anybody.
    """

    def __init__(
        self,
        client: t.Any,
        *,
        clock: t.Optional[Clock] = None,
        new_id_seconds: float = NEW_ID_SECONDS,
        decode: t.Optional[t.Callable[[str], str]] = None,
        caller: t.Optional[t.Sequence[str]] = None,
    ) -> None:
        self.client = client
        self.caller = caller
        self.decode = decode
        self.clock: Clock = clock or SystemClock()
        self.new_id_seconds = new_id_seconds
        limit_retries(client)

    @property
    def region(self) -> str:
        """The region that is called."""
        return str(self.client.meta.region_name)

    @property
    def service(self) -> str:
        """The service, as IAM names it before the colon of an action."""
        return str(self.client.meta.service_model.service_name)

    def call(self, method: str, doing: str, **params: t.Any) -> t.Dict[str, t.Any]:
        """Call one API action and return its answer.

        Args:
            method: the client's method, such as C(create_volume).
            doing: completes "Cannot ...", such as "create the volume".
            params: the action's parameters; those that are None are left out.

        Raises:
            BuildError: the call failed; C(facts) has C(error_code) and C(operation).
        """
        given = {key: value for key, value in params.items() if value is not None}
        try:
            return t.cast("t.Dict[str, t.Any]", getattr(self.client, method)(**given))
        except botocore_errors.ClientError as exc:
            encoded = encoded_message(exc) if self.decode else None
            decoded = self.decode(encoded) if self.decode and encoded else None
            raise translate_client_error(exc, doing, self.service, decoded) from exc
        except botocore_errors.BotoCoreError as exc:
            raise translate_transport_error(exc, doing, str(self.client.meta.endpoint_url)) from exc

    def find(self, method: str, key: str, doing: str, **params: t.Any) -> t.List[t.Dict[str, t.Any]]:
        """Call a describe action, all pages of it, and return the list under C(key)."""
        found: t.List[t.Dict[str, t.Any]] = []
        token = None
        while True:
            answer = self.call(method, doing, NextToken=token, **params)
            found.extend(answer.get(key) or [])
            token = answer.get("NextToken")
            if not token:
                return found

    def shared_looks(self, method: str) -> t.Optional[SharedLooks]:
        """Where processes that call the same share what a describe action has answered; None where they do not."""
        folder = shared_folder(method, *self.caller) if self.caller else None
        return SharedLooks(folder, self.clock) if folder else None

    def retry_missing(self, attempt: t.Callable[[], t.Any], *, new: bool) -> t.Any:
        """Call C(attempt) again while it raises NotFound, for as long as the id may not have arrived.

        Args:
            new: the id comes from a create call of this build, see C(NEW_ID_SECONDS); else it came
                from a user and is either there or mistaken.
        """
        seconds = self.new_id_seconds if new else min(KNOWN_ID_SECONDS, self.new_id_seconds)
        return retry_missing(attempt, timeout_seconds=seconds, clock=self.clock)


class AnsibleAWSModule(ThrottlingModule, AmazonModule):  # type: ignore[misc]
    """A module with amazon.aws's common options, and with C(access), which those have no words for.

    Its result says how many calls were throttled.
    """

    def __init__(self, **settings: t.Any) -> None:
        spec = dict(settings.pop("argument_spec"), access=ACCESS_SPEC)
        super().__init__(argument_spec=spec, **settings)


class _Unconnected:
    """What amazon.aws's connection functions take for a module; it raises instead of exiting."""

    def __init__(self, module: t.Any, params: t.Mapping[str, t.Any]) -> None:
        self.params = params
        self._name = module._name

    def fail_json(self, msg: str = "", **_result: t.Any) -> t.NoReturn:
        """Called by amazon.aws when there can be no client."""
        raise Refused(msg.rstrip(".") + ".")


def connect(module: AnsibleAWSModule, *, service: str = "ec2", region: t.Optional[str] = None) -> Ec2Api:
    """The API with the module's credentials, region and endpoint.

    Args:
        service: C(ec2), C(ebs) for the EBS direct APIs, or C(ssm) for Systems Manager.
        region: another region than the module's.

    Raises:
        Invalid: C(access) contradicts itself.
        Refused: there is no region, no such profile, no role, or another setting that cannot be used.
    """
    access = Access.from_params(module.params.get("access"))
    problems = access.problems()
    if problems:
        raise Invalid(["access: " + problem for problem in problems])
    connection = _Connection(module, access, region)
    # botocore reads a model of several MiB: a fifth of that time would go into looking for garbage in it.
    gc.disable()
    try:
        client = connection.client(service)
        count_throttled(client, module.throttled)
        if access.max_retries is None:
            be_patient(client)
    finally:
        gc.enable()
    decode = connection.decode if access.decode_authorization_messages else None
    return Ec2Api(client, decode=decode, caller=connection.caller(client))


class _Connection:
    """Where and how a module calls AWS."""

    def __init__(self, module: AnsibleAWSModule, access: Access, region: t.Optional[str]) -> None:
        self.access = access
        params = access.over(module.params)
        source: t.Any = None
        if access.needs_session:
            keys = {"aws_" + name: params.get(old) or None for name, old in _KEYS.items()}
            source = sessions.source_session(access, dict(keys, profile_name=params.get("profile") or None))
            params["region"] = params.get("region") or source.get_config_variable("region")
            # They are the session's by now, and amazon.aws need not find a profile of another file.
            params.update(dict.fromkeys(("access_key", "secret_key", "session_token", "profile")))
        self.unconnected = _Unconnected(module, params)
        own_region, self.endpoint, self.settings = get_aws_connection_info(self.unconnected)
        self.region = region or own_region
        if not self.region:
            raise Refused(
                "No AWS region is given.",
                hint="Set region, AWS_REGION or AWS_DEFAULT_REGION, or a region in the profile.",
            )
        self.session = (
            sessions.assumed_session(access, source, region=self.region, verify=self.settings.get("verify"))
            if source
            else None
        )

    def client(self, service: str) -> t.Any:
        """A client for a service."""
        config = _config(service, self.access.max_retries)
        # An endpoint of EC2 alone is none of the others'; STS is never asked at that of another service.
        endpoint = None if service == "sts" or (self.access.endpoint_url and service != "ec2") else self.endpoint
        if self.session is None:
            return boto3_conn(
                self.unconnected,
                conn_type="client",
                resource=service,
                region=self.region,
                endpoint=endpoint,
                config=config,
                **self.settings,
            )
        return self.session.create_client(
            service,
            region_name=self.region,
            endpoint_url=endpoint,
            verify=self.settings.get("verify"),
            config=sessions.merged_config(config, self.settings.get("aws_config")),
        )

    def caller(self, client: t.Any) -> t.List[str]:
        """Who calls, as far as settings say it: what is asked for in the same words is answered in the same way."""
        names = [name for name in os.environ if name == "HOME" or name.startswith("AWS_")]
        told = ["%s=%s" % (name, os.environ[name]) for name in sorted(names) if not _SECRET.search(name)]
        given = [str(self.unconnected.params.get(key)) for key in ("access_key", "profile")]
        return [str(client.meta.endpoint_url), str(self.region), str(self.access), *given, *told]

    def decode(self, encoded: str) -> str:
        """What an encoded message says, as JSON; or why it cannot be had."""
        try:
            answer = self.client("sts").decode_authorization_message(EncodedMessage=encoded)
        except (botocore_errors.ClientError, botocore_errors.BotoCoreError, BuildError) as exc:
            return "It was not decoded: %s" % " ".join(str(exc).split())
        return str(answer.get("DecodedMessage") or "")


def _config(service: str, max_retries: t.Optional[int] = None) -> t.Dict[str, t.Any]:
    """Settings for botocore; the user's C(aws_config) is merged over them, the environment is respected."""
    retries: t.Dict[str, t.Any] = {}
    if "AWS_RETRY_MODE" not in os.environ:
        retries["mode"] = "standard"
    if max_retries is not None:
        retries["total_max_attempts"] = max_retries + 1
    elif "AWS_MAX_ATTEMPTS" not in os.environ:
        retries["total_max_attempts"] = ATTEMPTS
    config: t.Dict[str, t.Any] = {"retries": retries, "connect_timeout": CONNECT_TIMEOUT_SECONDS}
    if service == "ebs":
        config["read_timeout"] = BLOCK_TIMEOUT_SECONDS
        config["max_pool_connections"] = BLOCK_CONNECTIONS
    return config


def tags_of(resource: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    """The tags of a described resource."""
    return dict(boto3_tag_list_to_ansible_dict(resource.get("Tags") or []))


def tag_specifications(tags: t.Mapping[str, str], kind: str) -> t.Optional[t.List[t.Dict[str, t.Any]]]:
    """The TagSpecifications parameter of a create call; None without tags."""
    specifications: t.Optional[t.List[t.Dict[str, t.Any]]] = boto3_tag_specifications(dict(tags), types=[kind])
    return specifications


def tags_to_set(current: t.Mapping[str, str], wanted: t.Mapping[str, str]) -> t.Dict[str, str]:
    """The wanted tags that are missing or differ. Other tags are left alone."""
    to_set, _to_unset = compare_aws_tags(dict(current), dict(wanted), purge_tags=False)
    return dict(to_set)


def timestamp(moment: t.Any) -> t.Optional[str]:
    """A moment as ISO 8601 text: botocore gives a datetime, some answers hold text already."""
    if moment is None or isinstance(moment, str):
        return moment
    return str(moment.isoformat())


def filter_list(filters: t.Mapping[str, t.Union[str, t.Sequence[str]]]) -> t.List[t.Dict[str, t.Any]]:
    """The Filters parameter of a describe call."""
    return [
        {"Name": name, "Values": [values] if isinstance(values, str) else list(values)}
        for name, values in filters.items()
    ]


__all__ = (
    "NEW_ID_SECONDS",
    "AnsibleAWSModule",
    "Ec2Api",
    "OutcomeUnknown",
    "connect",
    "error_code",
    "filter_list",
    "tag_specifications",
    "tags_of",
    "tags_to_set",
    "timestamp",
)
