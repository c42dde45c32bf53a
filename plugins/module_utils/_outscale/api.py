# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Calling Outscale's API: its retries, its pages, and the options that all modules have for it."""

from __future__ import annotations

import os
import random
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.throttling import ThrottledCalls
from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import retry_missing
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.errors import (
    OutcomeUnknown,
    is_throttled,
    translate,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.settings import resolve
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.transport import (
    IMPORT_ERROR,
    Answer,
    Lost,
    NotSent,
    SdkTransport,
    Transport,
)
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, SystemClock

if t.TYPE_CHECKING:
    from ansible_collections.bakehouse.images.plugins.module_utils._outscale.module import OutscaleModule

ATTEMPTS = 10
# An endpoint that nobody listens on will not appear: say so after a few seconds.
CONNECT_ATTEMPTS = 3
MAX_DELAY_SECONDS = 20.0
PAGE = 1000

# How long an id that a create call has just returned may be unknown elsewhere, and one that a user gave.
NEW_ID_SECONDS = 120.0
KNOWN_ID_SECONDS = 4.0

# The one create call without a token: sent twice, it could make two images.
ONCE_ONLY = frozenset(["CreateImage"])
# Those whose answers come in pages.
PAGED = frozenset(["ReadImages", "ReadSnapshots", "ReadVms", "ReadVolumes"])


class OutscaleApi:
    """Outscale's API in one region.

    Args:
        transport: what sends the calls.
        attempts: how often a call is tried that was throttled, or failed on the other side.
        clock: lets tests wait without waiting.
        throttled: where throttled calls are counted.
    """

    def __init__(
        self,
        transport: Transport,
        region: str,
        *,
        attempts: int = ATTEMPTS,
        clock: t.Optional[Clock] = None,
        new_id_seconds: float = NEW_ID_SECONDS,
        throttled: t.Optional[ThrottledCalls] = None,
    ) -> None:
        self.transport = transport
        self.region = region
        self.attempts = attempts
        self.clock: Clock = clock or SystemClock()
        self.new_id_seconds = new_id_seconds
        self.throttled = throttled or ThrottledCalls()

    def call(self, action: str, doing: str, **params: t.Any) -> t.Dict[str, t.Any]:
        """Call one action and return its answer.

        Args:
            doing: completes "Cannot ...", such as "create the volume".
            params: the action's parameters; those that are None are left out.

        Raises:
            BuildError: the call failed; C(facts) has C(error_code) and C(operation).
            OutcomeUnknown: it may have been carried out, and must not be sent again.
        """
        given = {key: value for key, value in params.items() if value is not None}
        unreachable = 0
        for number in range(1, self.attempts + 1):
            is_last = number == self.attempts
            try:
                answer = self.transport.send(action, given)
            except NotSent as exc:
                unreachable += 1
                if is_last or unreachable == CONNECT_ATTEMPTS:
                    raise self._unreachable(doing, exc) from exc
            except Lost as exc:
                if action in ONCE_ONLY:
                    raise OutcomeUnknown("%s was sent, but its outcome is not known: %s." % (action, exc)) from exc
                if is_last:
                    raise BuildError("Cannot %s: Outscale's API gave no answer: %s." % (doing, exc)) from exc
            else:
                if not self._is_worth_another(action, answer):
                    return self._read(action, answer, doing)
                if is_last:
                    raise translate(action, answer.status, answer.body, doing)
            self.clock.sleep(min(0.5 * 2.0 ** (number - 1), MAX_DELAY_SECONDS) * random.uniform(0.5, 1.0))  # noqa: S311
        raise AssertionError("The last attempt returns or raises.")

    def _is_worth_another(self, action: str, answer: Answer) -> bool:
        if is_throttled(answer.status, answer.body):
            self.throttled.add()
            return True
        if answer.status < 500:
            return False
        if action in ONCE_ONLY:
            raise OutcomeUnknown(
                "%s was sent, but its outcome is not known: status %d." % (action, answer.status), operation=action
            )
        return True

    def _read(self, action: str, answer: Answer, doing: str) -> t.Dict[str, t.Any]:
        if answer.status != 200 or not isinstance(answer.body, dict):
            raise translate(action, answer.status, answer.body, doing)
        return answer.body

    def _unreachable(self, doing: str, exc: NotSent) -> BuildError:
        return BuildError(
            "Cannot %s: Outscale's API cannot be reached: %s." % (doing, exc),
            hint="Check the region and the endpoint (OSC_REGION, OSC_ENDPOINT_API), and proxies on the way.",
        )

    def find(self, action: str, key: str, doing: str, **filters: t.Any) -> t.List[t.Dict[str, t.Any]]:
        """Call a reading action, all pages of it, and return the list under C(key)."""
        given = {name: value for name, value in filters.items() if value is not None}
        found: t.List[t.Dict[str, t.Any]] = []
        token = None
        while True:
            more = {"NextPageToken": token, "ResultsPerPage": PAGE} if action in PAGED else {}
            answer = self.call(action, doing, Filters=given or None, **more)
            found.extend(answer.get(key) or [])
            token = answer.get("NextPageToken")
            if not token:
                return found

    def retry_missing(self, attempt: t.Callable[[], t.Any], *, new: bool) -> t.Any:
        """Call C(attempt) again while it raises NotFound, for as long as the id may not have arrived.

        Args:
            new: the id comes from a create call of this build; else a user gave it, and it is there or mistaken.
        """
        seconds = self.new_id_seconds if new else min(KNOWN_ID_SECONDS, self.new_id_seconds)
        return retry_missing(attempt, timeout_seconds=seconds, clock=self.clock)

    def own_account(self) -> str:
        """The id of the account that the keys are of."""
        accounts = self.call("ReadAccounts", "find out whose the access key is").get("Accounts") or []
        if not accounts or not accounts[0].get("AccountId"):
            raise NotFound("Outscale does not say whose the access key is.")
        return str(accounts[0]["AccountId"])


def access_argument_spec() -> t.Dict[str, t.Any]:
    """The options for access that all modules have, in Ansible's terms."""
    return {
        "access_key": {"type": "str", "no_log": False},
        "secret_key": {"type": "str", "no_log": True},
        "region": {"type": "str"},
        "profile": {"type": "str"},
        "config_file": {"type": "path"},
        "endpoint_url": {"type": "str"},
        "validate_certs": {"type": "bool"},
        "client_certificate": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "max_attempts": {"type": "int"},
    }


def argument_spec(**own: t.Any) -> t.Dict[str, t.Any]:
    """A module's options, with those for access: each by itself, and all in one."""
    access = {"type": "dict", "options": access_argument_spec()}
    return dict(access_argument_spec(), access=access, **own)


def connect(module: OutscaleModule) -> OutscaleApi:
    """The API with the module's keys, region and endpoint. Ends the module where the SDK is missing.

    Raises:
        Refused: there are no keys or no region, or a setting that cannot be used.
    """
    if IMPORT_ERROR is not None:
        from ansible.module_utils.basic import missing_required_lib

        module.fail_json(
            msg=missing_required_lib("osc-sdk-python", url="https://pypi.org/project/osc-sdk-python/"),
            exception=IMPORT_ERROR,
        )
    given = {key: value for key, value in (module.params.get("access") or {}).items() if value is not None}
    settings = resolve(dict(module.params, **given), os.environ)
    transport = SdkTransport(settings)
    return OutscaleApi(transport, settings.region, attempts=settings.max_attempts, throttled=module.throttled)


__all__ = ("NEW_ID_SECONDS", "OutscaleApi", "access_argument_spec", "argument_spec", "connect")
