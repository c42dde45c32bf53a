# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.


"""Removing what a build has made, as far as it is the same in all clouds."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError, WaitTimeout
from ansible_collections.bakehouse.images.plugins.module_utils._plan import Operation
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG
from ansible_collections.bakehouse.images.plugins.module_utils._wait import Clock, poll

# How long a resource whose id is known may take to appear in lists.
KNOWN_SECONDS = 20.0


@dataclass(frozen=True)
class RemovalRequest:
    """A build that shall leave nothing, but for one image.

    The ids are what the caller knows to exist: lists may not show it yet. With C(keep_images), every image stays that
    is finished, and with it its snapshots.
    """

    build_id: str
    keep_image_id: t.Optional[str] = None
    image_id: t.Optional[str] = None
    snapshot_id: t.Optional[str] = None
    volume_id: t.Optional[str] = None
    keep_images: bool = False
    waiting: Waiting = field(default_factory=Waiting)

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> RemovalRequest:
        """From a module's options."""
        names = ("build_id", "keep_image_id", "image_id", "snapshot_id", "volume_id", "keep_images")
        waiting = Waiting(True, params["wait_timeout"], params["wait_delay"])
        return cls(waiting=waiting, **{name: params[name] for name in names})


class Removal(t.NamedTuple):
    """One thing to remove."""

    kind: str
    resource_id: str
    operation: Operation

    def to_ansible(self) -> t.Dict[str, str]:
        """As modules return it."""
        return {"type": self.kind, "id": self.resource_id}


class Known(t.NamedTuple):
    """A resource that the caller knows to exist.

    Args:
        found: resources of its kind by their ids; it is added there.
        resource_id: None when nothing is known.
        search: what the list of its kind shows under an id.
    """

    found: t.Dict[str, t.Any]
    resource_id: t.Optional[str]
    search: t.Callable[[str], t.Sequence[t.Any]]

    def is_missing(self) -> bool:
        """Look for it, unless it was found."""
        if self.resource_id and self.resource_id not in self.found:
            for resource in self.search(self.resource_id):
                self.found[self.resource_id] = resource
        return bool(self.resource_id) and self.resource_id not in self.found


def add_known(wanted: t.Sequence[Known], *, timeout_seconds: float, clock: t.Optional[Clock]) -> None:
    """Add what the caller knows and lists do not show yet. What does not appear by then was removed before."""

    def probe() -> t.Optional[bool]:
        missing = [one.is_missing() for one in wanted]
        return None if any(missing) else True

    with contextlib.suppress(WaitTimeout):
        poll(
            probe,
            timeout_seconds=timeout_seconds,
            delay_seconds=2,
            on_timeout=lambda waited: WaitTimeout("Not everything that is known was found."),
            clock=clock,
        )


def remove(removals: t.Sequence[Removal]) -> t.List[Removal]:
    """Try every removal, whatever becomes of the others.

    Raises:
        BuildError: some failed; C(removed) and C(left) of its facts say which.
    """
    done: t.List[Removal] = []
    errors: t.List[t.Tuple[Removal, BuildError]] = []
    for removal in removals:
        try:
            removal.operation.execute()
            done.append(removal)
        except BuildError as exc:
            errors.append((removal, exc))
    if errors:
        lines = ["- %s %s: %s" % (removal.kind, removal.resource_id, exc) for removal, exc in errors]
        raise BuildError(
            "%d of %d resources of the build could not be removed.\n%s"
            % (len(errors), len(removals), "\n".join(lines)),
            hint="They carry the tag %s and can be removed by running this again." % BUILD_ID_TAG,
            removed=[removal.to_ansible() for removal in done],
            left=[dict(removal.to_ansible(), error=str(exc)) for removal, exc in errors],
        )
    return done


__all__ = ("KNOWN_SECONDS", "Known", "Removal", "RemovalRequest", "add_known", "remove")
