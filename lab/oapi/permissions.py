# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may use a snapshot or an image: PermissionsToCreateVolume and PermissionsToLaunch."""

from __future__ import annotations

import typing as t

from lab.oapi.errors import bad_combination, error


class Shared(t.Protocol):
    """What can be shared."""

    users: set[str]
    public: bool


def change(resource: Shared, wanted: dict[str, t.Any]) -> None:
    """Add or take away permissions, as UpdateSnapshot and UpdateImage are asked to.

    Raises:
        OapiError: neither or both of Additions and Removals, nothing in them, or an account id that is none.
    """
    parts = [name for name in ("Additions", "Removals") if wanted.get(name)]
    if len(parts) != 1:
        raise bad_combination("Either the parameter 'Additions' or the parameter 'Removals' is required.")
    part = wanted[parts[0]]
    accounts = part.get("AccountIds") or []
    for account in accounts:
        if len(account) != 12 or not account.isdigit():
            raise error("4025", f"The AccountId '{account}' is not of 12 digits.")
    if not accounts and not part.get("GlobalPermission"):
        raise bad_combination(f"The parameter '{parts[0]}' is empty.")
    if parts[0] == "Additions":
        resource.users.update(accounts)
        resource.public = resource.public or bool(part.get("GlobalPermission"))
    else:
        resource.users.difference_update(accounts)
        resource.public = resource.public and not part.get("GlobalPermission")


def view(resource: Shared) -> dict[str, t.Any]:
    return {"AccountIds": sorted(resource.users), "GlobalPermission": resource.public}
