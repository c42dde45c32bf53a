# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Which calls botocore makes again, how often, and how many of them were throttled."""

from __future__ import annotations

import contextlib
import os
import random
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.throttling import ThrottledCalls
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.errors import THROTTLED, OutcomeUnknown

with contextlib.suppress(ImportError):  # AnsibleAWSModule says what is missing before anything here is called
    import botocore.exceptions as botocore_errors

# Of a server that fails: about a minute.
ATTEMPTS = 10
# Throttling lasts for as long as the account is busy, perhaps with many builds at once: about six minutes.
THROTTLED_ATTEMPTS = 40
# As in botocore's standard mode: https://docs.aws.amazon.com/boto3/latest/guide/retries.html
MOST_BACKOFF_SECONDS = 20
# Where nobody listens.
CONNECT_ATTEMPTS = 3


def limit_retries(client: t.Any) -> None:
    """Keep botocore from retrying what should not be retried blindly."""
    events = client.meta.events
    for service in ("ec2", "ebs"):
        name = "bakehouse-unreachable-" + service
        events.register_first("needs-retry." + service, _stop_when_unreachable, unique_id=name)
    # The one create call with neither a client token nor a unique name: a second try could make a second snapshot.
    events.register_first("needs-retry.ec2.CreateSnapshot", _stop_when_unknown, unique_id="bakehouse-unknown")


def be_patient(client: t.Any) -> None:
    """Make throttled calls again for longer than others that fail; but not where the environment says how often."""
    attempts = (client.meta.config.retries or {}).get("total_max_attempts")
    if attempts == ATTEMPTS and "AWS_MAX_ATTEMPTS" not in os.environ:
        client.meta.events.register_first("needs-retry", throttled_delay, unique_id="bakehouse-throttled")


def throttled_delay(attempts: int = 0, response: t.Any = None, **_event: t.Any) -> t.Optional[float]:
    """Seconds until a throttled call is made again: at random, so that not all do so at once.

    None leaves the answer to botocore.
    """
    if response is None or response[1].get("Error", {}).get("Code") not in THROTTLED or attempts >= THROTTLED_ATTEMPTS:
        return None
    return random.uniform(0, min(2.0**attempts, MOST_BACKOFF_SECONDS))  # noqa: S311 - spreads load, guards nothing


def count_throttled(client: t.Any, calls: ThrottledCalls) -> None:
    """Count the answers that say that there are too many calls; botocore asks again by itself."""

    def count(response: t.Any = None, **_event: t.Any) -> None:
        if response is not None and response[1].get("Error", {}).get("Code") in THROTTLED:
            calls.add()

    client.meta.events.register_first("needs-retry", count)


def _stop_when_unreachable(attempts: int = 0, caught_exception: t.Any = None, **_event: t.Any) -> None:
    unreachable = (botocore_errors.EndpointConnectionError, botocore_errors.ConnectTimeoutError)
    if isinstance(caught_exception, unreachable) and attempts >= CONNECT_ATTEMPTS:
        raise caught_exception


def _stop_when_unknown(
    response: t.Any = None, caught_exception: t.Any = None, operation: t.Any = None, **_event: t.Any
) -> None:
    refused = (botocore_errors.EndpointConnectionError, botocore_errors.ConnectTimeoutError)
    reason = ""
    if caught_exception is not None and not isinstance(caught_exception, refused):
        reason = str(caught_exception)
    elif response is not None and response[0].status_code >= 500:
        error = response[1].get("Error", {})
        if error.get("Code") not in {*THROTTLED, "Unavailable"}:
            reason = "%s (%s)" % (error.get("Message"), error.get("Code"))
    if reason:
        raise OutcomeUnknown("%s was sent, but its outcome is not known: %s." % (operation.name, reason))


__all__ = (
    "ATTEMPTS",
    "THROTTLED_ATTEMPTS",
    "be_patient",
    "count_throttled",
    "limit_retries",
    "throttled_delay",
)
