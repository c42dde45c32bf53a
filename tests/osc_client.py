# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of the lab's Outscale for tests: the requests of Outscale's SDK, without its start-up and its retries."""

from __future__ import annotations

import typing as t

import requests
from osc_sdk_python.call import Call
from osc_sdk_python.credentials import Endpoint

from lab.config import OSC_ACCOUNT, OSC_REGION, OSC_SECRET_KEY, osc_access_key


class OscRefused(Exception):
    """An error answer.

    Attributes:
        status: of HTTP.
        codes: of the errors, as Outscale numbers them.
    """

    def __init__(self, response: requests.Response) -> None:
        errors = response.json()["Errors"]
        super().__init__(f"{response.status_code}: {errors}")
        self.status = response.status_code
        self.codes = [str(one["Code"]) for one in errors]


class OscClient:
    """Calls as one account, whatever the environment says.

    Args:
        endpoint: as in OSC_ENDPOINT_API.
        account: twelve digits; every number is an account of the lab.
    """

    def __init__(self, endpoint: str, account: str = OSC_ACCOUNT) -> None:
        self._call = Call(
            access_key=osc_access_key(account),
            secret_key=OSC_SECRET_KEY,
            region=OSC_REGION,
            endpoints=Endpoint(api=endpoint),
            max_retries=0,
        )

    def call(self, action: str, /, **params: t.Any) -> dict[str, t.Any]:
        """The answer of a call.

        Raises:
            OscRefused: it is an error.
            requests.ConnectionError: there is none.
        """
        try:
            return t.cast("dict[str, t.Any]", self._call.api(action, **params))
        except requests.HTTPError as exc:
            if exc.response is None:
                raise
            raise OscRefused(exc.response) from exc


__all__ = ("OscClient", "OscRefused")
