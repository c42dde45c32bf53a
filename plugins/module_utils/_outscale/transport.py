# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Sending a call to Outscale's API through its own SDK, C(osc-sdk-python).

The SDK signs. Three things that it does not do are done here: a limit for how long an answer may take, leaving
certificates unchecked when asked to, and sending a client certificate with its key. Its class C(Gateway) would read the
description of the whole API with each start, for two seconds; what is beneath it does not.
"""

from __future__ import annotations

import traceback
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, Refused
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.settings import Settings

# The module says what is missing before anything here is called.
IMPORT_ERROR: t.Optional[str] = None
try:
    import requests
    import urllib3
    from osc_sdk_python.call import Call
    from osc_sdk_python.credentials import Endpoint, Profile
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60


class Answer(t.NamedTuple):
    """What came back."""

    status: int
    body: t.Any


class NotSent(Exception):
    """No connection was made, so nothing was done."""


class Lost(Exception):
    """The call was sent, and no answer came: it may have been carried out."""


class Transport(t.Protocol):
    """What sends calls. Tests have their own."""

    def send(self, action: str, params: t.Mapping[str, t.Any]) -> Answer:
        """Send one call, once.

        Raises:
            NotSent: there was no connection.
            Lost: there was no answer.
        """
        raise NotImplementedError


class SdkTransport:
    """Calls through the SDK."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._call = _make_call(settings)

    def send(self, action: str, params: t.Mapping[str, t.Any]) -> Answer:
        """See Transport.send."""
        try:
            return Answer(200, self._call.api(action, **params))
        except requests.exceptions.HTTPError as exc:
            if exc.response is None:
                raise Lost(str(exc)) from exc
            return Answer(exc.response.status_code, _json_of(exc.response))
        except requests.exceptions.SSLError as exc:
            # Somebody on the way has hung up, which says nothing of certificates.
            if "EOF occurred" in str(exc):
                raise Lost(_reason(exc)) from exc
            raise Refused(
                "The certificate of %s is not accepted: %s" % (self.settings.endpoint_url, exc),
                hint="Have its authority in REQUESTS_CA_BUNDLE, or give validate_certs: false.",
            ) from exc
        except requests.exceptions.ConnectTimeout as exc:
            raise NotSent("no connection within %d seconds" % CONNECT_SECONDS) from exc
        except requests.exceptions.ConnectionError as exc:
            if "NewConnectionError" in repr(exc) or "NameResolutionError" in repr(exc):
                raise NotSent(_reason(exc)) from exc
            raise Lost(_reason(exc)) from exc
        except requests.exceptions.JSONDecodeError as exc:
            raise BuildError(
                "What answers at %s is not Outscale's API: %s." % (self.settings.endpoint_url, exc),
                hint="Check the endpoint; it ends in /api/v1.",
            ) from exc
        except requests.exceptions.RequestException as exc:
            raise Lost(_reason(exc)) from exc


def _make_call(settings: Settings) -> t.Any:
    # What the SDK has is without types.
    profile: t.Any = Profile
    endpoint: t.Any = Endpoint

    class Session(requests.Session):  # type: ignore[misc,unused-ignore]
        """A session with what the SDK leaves out."""

        def request(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
            kwargs["timeout"] = (CONNECT_SECONDS, ANSWER_SECONDS)
            if not settings.validate_certs:
                kwargs["verify"] = False
            if settings.client_certificate:
                kwargs["cert"] = (settings.client_certificate, settings.client_key)
            return super().request(*args, **kwargs)

    class Caller(Call):  # type: ignore[misc,unused-ignore]
        """The SDK's calls, with our settings in place of those that it would look for itself."""

        def update_profile(self, **kwargs: t.Any) -> t.Any:
            self.profile = profile(
                access_key=settings.access_key,
                secret_key=settings.secret_key,
                region=settings.region,
                protocol="https",
                endpoints=endpoint(api=settings.endpoint_url),
            )
            return kwargs

    make: t.Any = Caller
    caller = make(max_retries=0)
    caller.session = Session()
    if not settings.validate_certs:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return caller


def _json_of(response: t.Any) -> t.Any:
    try:
        return response.json()
    except ValueError:
        return {}


def _reason(exc: BaseException) -> str:
    return str(exc).rstrip(".") or type(exc).__name__


__all__ = ("IMPORT_ERROR", "Answer", "Lost", "NotSent", "SdkTransport", "Transport")
