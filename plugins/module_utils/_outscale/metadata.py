# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a VM's metadata service says of it. Outscale's has the paths of EC2's, and knows no session tokens.

https://docs.outscale.com/en/userguide/Accessing-the-Metadata-and-User-Data-of-a-VM.html
"""

from __future__ import annotations

import typing as t
import urllib.error
import urllib.request

from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, NotFound
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, SystemClock

ENDPOINT = "http://169.254.169.254"
HINT = (
    "Run this on the VM of Outscale that is the build host, or say which VM that is (bake_build_vm: vm_id, subregion)."
)
PATHS = {
    "vm_id": "instance-id",
    "subregion": "placement/availability-zone",
    "image_id": "ami-id",
    "vm_type": "instance-type",
}
REQUIRED = ("vm_id", "subregion")
# The service is restarted like any other.
ATTEMPTS = 3


def read_vm_metadata(
    endpoint: str, *, timeout_seconds: float = 2.0, clock: t.Optional[Clock] = None
) -> t.Dict[str, t.Any]:
    """The VM that this code runs on.

    Raises:
        NotFound: no metadata service answers.
        BuildError: what answers is no metadata service of Outscale.
    """
    base = endpoint.rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise BuildError("The metadata endpoint %r is not an http URL." % endpoint)
    ticking = clock or SystemClock()
    found: t.Dict[str, t.Any] = {
        name: _read(base + "/latest/meta-data/" + path, timeout_seconds, ticking) for name, path in PATHS.items()
    }
    if not str(found["vm_id"] or "").startswith("i-"):
        raise BuildError("What answers at %s is no metadata service of a VM." % base, hint=HINT)
    missing = [name for name in REQUIRED if not found[name]]
    if missing:
        raise BuildError("The metadata service at %s does not say %s." % (base, missing[0]), hint=HINT)
    # A subregion is a region's name and a letter.
    found["region"] = str(found["subregion"])[:-1]
    return found


def _read(url: str, timeout_seconds: float, clock: Clock) -> t.Optional[str]:
    """What stands at an address; None where there is nothing."""
    # The service is on the link: a proxy would answer for another machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with opener.open(url, timeout=timeout_seconds) as answer:
                return str(answer.read().decode("utf-8", "replace")).strip() or None
        except urllib.error.HTTPError as exc:
            if exc.code < 500 or attempt == ATTEMPTS:
                return None
        except (OSError, ValueError) as exc:
            if attempt == ATTEMPTS:
                reason = getattr(exc, "reason", None) or exc
                raise NotFound("No metadata service answers at %s (%s)." % (url, reason), hint=HINT) from exc
        clock.sleep(0.5 * attempt)
    return None


__all__ = ("ENDPOINT", "HINT", "read_vm_metadata")
