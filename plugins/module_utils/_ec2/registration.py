# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Registering images, and replacing one by another of the same name."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.api import Ec2Api, error_code
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_attributes import ImageTarget
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_definitions import Registration
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_removal import deregister
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.image_requests import (
    ImageRequest,
    is_same,
    name_taken,
)
from ansible_collections.bakehouse.images.plugins.module_utils._ec2.images import (
    Image,
    await_image,
    image_named,
    read_uefi_data,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Conflict,
    NotFound,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._tags import BUILD_ID_TAG
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

# How long a name may stay taken after its image was deregistered.
NAME_RELEASE_SECONDS = 120.0
# How long an image may not be listed that EC2 already says has the name.
LISTED_SECONDS = 60.0


def register(
    api: Ec2Api, registration: Registration, *, release_seconds: float = 0, gone: t.Optional[str] = None
) -> str:
    """Register an image and return its id. Where an answer was lost, the image has the name already.

    Args:
        release_seconds: how long to try again while the name is taken by an image just deregistered.
        gone: that image, which may be listed for a while; it never counts as the one that is registered.
    """
    doing = "register the image %s" % registration.name
    last: t.List[Conflict] = []

    def attempt() -> t.Optional[str]:
        try:
            answer = api.retry_missing(lambda: api.call("register_image", doing, **registration.to_api()), new=True)
        except Conflict as exc:
            if error_code(exc) != "InvalidAMIName.Duplicate":
                raise
            existing = image_named(api, registration.name, without=gone)
            if existing and existing.tags.get(BUILD_ID_TAG) == registration.tags.get(BUILD_ID_TAG, ""):
                return str(existing.image_id)
            if existing and not release_seconds:
                raise
            last[:] = [exc]
            return None
        return str(answer["ImageId"])

    return poll(
        attempt,
        timeout_seconds=max(release_seconds, min(LISTED_SECONDS, api.new_id_seconds)),
        delay_seconds=2,
        max_delay_seconds=10,
        on_timeout=lambda waited: last[0],
        clock=api.clock,
    )


class RegisterImage:
    """Register the image, tagged, and wait for it."""

    def __init__(self, api: Ec2Api, request: ImageRequest, registration: Registration, target: ImageTarget) -> None:
        self.api = api
        self.request = request
        self.registration = registration
        self.target = target

    def describe(self) -> str:
        """See Operation.describe."""
        return "register image %s from %s" % (self.registration.name, self.request.definition.snapshot_id)

    def execute(self) -> None:
        """See Operation.execute."""
        try:
            self.target.image_id = register(self.api, self.registration)
        except Conflict as exc:
            self.target.image_id = self._registered_meanwhile(exc)
        finish_registration(self.api, str(self.target.image_id), self.request.waiting)

    def _registered_meanwhile(self, exc: Conflict) -> str:
        """A name taken since we looked: by ourselves, when an answer was lost, or by a build like ours."""
        existing = image_named(self.api, self.registration.name)
        if existing is None:
            raise exc
        if not is_same(existing, self.request):
            raise name_taken(existing, self.request) from exc
        return str(existing.image_id)


def finish_registration(api: Ec2Api, image_id: str, waiting: Waiting) -> None:
    """Wait for a new image as asked; an error carries its id, so that it can be undone."""
    if not waiting.enabled:
        return
    try:
        await_image(api, image_id, waiting, new=True)
    except BuildError as exc:
        exc.facts.setdefault("image_id", image_id)
        raise


class ReplaceImage:
    """Put a new image in the place of an old one of the same name.

    EC2 can neither rename an image nor have two of one name. So the new image is registered under a
    name of its own first, which shows that EC2 takes it; then the old one is deregistered, the new
    one registered under the real name, and the trial removed. Between the two the name exists for
    no image. When the last registration fails, the old image is registered again from its snapshots,
    which are not touched before the end; it then has a new id and has lost its sharing.
    """

    def __init__(
        self, api: Ec2Api, request: ImageRequest, registration: Registration, old: Image, target: ImageTarget
    ) -> None:
        self.api = api
        self.request = request
        self.registration = registration
        self.old = old
        self.target = target

    def describe(self) -> str:
        """See Operation.describe."""
        return "replace image %s (%s) by a new one from %s" % (
            self.old.image_id, self.old.name, self.request.definition.snapshot_id,
        )  # fmt: skip

    def execute(self) -> None:
        """See Operation.execute."""
        restoration = self._restoration()
        trial_id = self._register_trial()
        try:
            deregister(self.api, str(self.old.image_id))
            self._register(restoration)
        finally:
            deregister(self.api, trial_id)
        finish_registration(self.api, str(self.target.image_id), self.request.waiting)

    def _register_trial(self) -> str:
        name = "%s trial %s" % (self.registration.name[:100], self.request.build_id)
        trial_id = register(self.api, replace(self.registration, name=name))
        waiting = Waiting(True, self.request.waiting.timeout_seconds, self.request.waiting.delay_seconds)
        try:
            await_image(self.api, trial_id, waiting, new=True)
        except (Conflict, WaitTimeout, NotFound):
            deregister(self.api, trial_id)
            raise
        return trial_id

    def _register(self, restoration: Registration) -> None:
        try:
            self.target.image_id = register(
                self.api,
                self.registration,
                release_seconds=min(NAME_RELEASE_SECONDS, self.api.new_id_seconds),
                gone=self.old.image_id,
            )
        except BuildError as exc:
            raise self._restored(restoration, exc) from exc

    def _restored(self, restoration: Registration, cause: BuildError) -> BuildError:
        lost = "The new image could not be registered: %s The old image %s was deregistered already" % (
            cause, self.old.image_id,
        )  # fmt: skip
        try:
            restored = register(self.api, restoration, gone=self.old.image_id)
        except BuildError as exc:
            return BuildError(
                "%s and could not be registered again: %s Its snapshots %s are kept."
                % (lost, exc, ", ".join(self.old.snapshot_ids)),
                snapshot_ids=self.old.snapshot_ids,
            )
        return BuildError(
            "%s and has been registered again as %s." % (lost, restored),
            hint="Its launch permissions and deprecation have to be set again.",
            restored_image_id=restored,
        )

    def _restoration(self) -> Registration:
        old = self.old
        fields = set(Registration.__dataclass_fields__) - {"uefi_data"}
        uefi_data = read_uefi_data(self.api, str(old.image_id)) if old.boot_mode else None
        return Registration(uefi_data=uefi_data, **{name: getattr(old, name) for name in fields})


__all__ = ("RegisterImage", "ReplaceImage", "register")
