# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Who else may use an image or a snapshot."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

_ACCOUNT = re.compile(r"\d{12}\Z")


@dataclass(frozen=True)
class Permissions:
    """Accounts that may use something, and whether all may."""

    account_ids: t.FrozenSet[str] = frozenset()
    global_permission: bool = False

    @classmethod
    def from_api(cls, found: t.Optional[t.Mapping[str, t.Any]]) -> Permissions:
        """From PermissionsToLaunch or PermissionsToCreateVolume."""
        found = found or {}
        return cls(frozenset(map(str, found.get("AccountIds") or [])), bool(found.get("GlobalPermission")))

    def to_ansible(self) -> t.Dict[str, t.Any]:
        """As modules return it."""
        return {"account_ids": sorted(self.account_ids), "global_permission": self.global_permission}

    def changes(
        self, account_ids: t.Optional[t.Sequence[str]], global_permission: t.Optional[bool]
    ) -> t.List[t.Dict[str, t.Any]]:
        """The parameters of the calls, at most two, that make these permissions those wanted; None is left alone.

        A call either adds or removes, never both.
        """
        added: t.Dict[str, t.Any] = {}
        removed: t.Dict[str, t.Any] = {}
        if account_ids is not None:
            wanted = frozenset(account_ids)
            if wanted - self.account_ids:
                added["AccountIds"] = sorted(wanted - self.account_ids)
            if self.account_ids - wanted:
                removed["AccountIds"] = sorted(self.account_ids - wanted)
        if global_permission is not None and global_permission != self.global_permission:
            (added if global_permission else removed)["GlobalPermission"] = True
        pairs = (("Additions", added), ("Removals", removed))
        return [{name: change} for name, change in pairs if change]


def account_problems(option: str, account_ids: t.Optional[t.Sequence[str]]) -> t.List[str]:
    """What is wrong with ids of accounts: they have twelve digits."""
    return [
        "%s: %r is not the id of an account, which has 12 digits." % (option, one)
        for one in account_ids or ()
        if not _ACCOUNT.match(str(one))
    ]


__all__ = ("Permissions", "account_problems")
