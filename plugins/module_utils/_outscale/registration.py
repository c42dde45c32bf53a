# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Making an image, and putting a new one in the place of an old one."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.bakehouse.images.plugins.module_utils._cloud.waiting import Waiting
from ansible_collections.bakehouse.images.plugins.module_utils._errors import (
    BuildError,
    Conflict,
    NotFound,
    WaitTimeout,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.api import OutscaleApi
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.errors import OutcomeUnknown
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_changes import Target
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_definitions import Registration
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_removal import delete_image
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.image_requests import (
    ImageRequest,
    is_same,
    name_taken,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.images import (
    Image,
    await_image,
    images_named,
)
from ansible_collections.bakehouse.images.plugins.module_utils._outscale.tagging import set_tags
from ansible_collections.bakehouse.images.plugins.module_utils._wait import poll

# How long a name may stay taken after its image was deleted.
NAME_RELEASE_SECONDS = 120.0
# How long an image made by a call whose answer was lost may take to be listed.
LOST_ANSWER_SECONDS = 20.0


def create_image(api: OutscaleApi, registration: Registration, account: str, *, release_seconds: float = 0) -> str:
    """Make an image, tag it, and return its id.

    CreateImage has no token. When its answer is lost, the image is looked for by its name and snapshot before the
    call is sent once more.

    Args:
        release_seconds: how long to try again while the name is taken by an image just deleted.
    """
    last: t.List[Conflict] = []

    def attempt() -> t.Optional[str]:
        try:
            return _create(api, registration)
        except OutcomeUnknown:
            return _look_for_lost(api, registration, account) or _create(api, registration)
        except Conflict as exc:
            last[:] = [exc]
            return None

    image_id = poll(
        attempt,
        timeout_seconds=release_seconds,
        delay_seconds=2,
        max_delay_seconds=10,
        on_timeout=lambda waited: last[0],
        clock=api.clock,
    )
    try:
        set_tags(api, image_id, registration.tags, new=True)
    except BuildError as exc:
        exc.facts.setdefault("image_id", image_id)
        raise
    return image_id


def _create(api: OutscaleApi, registration: Registration) -> str:
    doing = "make the image %s" % registration.name
    answer = api.retry_missing(lambda: api.call("CreateImage", doing, **registration.to_api()), new=True)
    return str(answer["Image"]["ImageId"])


def _look_for_lost(api: OutscaleApi, registration: Registration, account: str) -> t.Optional[str]:
    class NothingYet(Exception):
        pass

    wanted = set(registration.predicted().snapshot_ids)

    def probe() -> t.Optional[str]:
        for image in images_named(api, registration.name, account):
            if set(image.snapshot_ids) == wanted and not image.build_id:
                return image.image_id
        return None

    try:
        return poll(
            probe,
            timeout_seconds=min(LOST_ANSWER_SECONDS, api.new_id_seconds),
            delay_seconds=2,
            on_timeout=lambda waited: NothingYet(),
            clock=api.clock,
        )
    except NothingYet:
        return None


class CreateImage:
    """Make the image, tag it, and wait for it."""

    def __init__(
        self, api: OutscaleApi, request: ImageRequest, registration: Registration, target: Target, account: str
    ) -> None:
        self.api = api
        self.request = request
        self.registration = registration
        self.target = target
        self.account = account

    def describe(self) -> str:
        """See Operation.describe."""
        return "make image %s from %s" % (self.registration.name, self.request.definition.snapshot_id)

    def execute(self) -> None:
        """See Operation.execute."""
        try:
            self.target.image_id = create_image(self.api, self.registration, self.account)
        except Conflict as exc:
            self.target.image_id = self._made_meanwhile(exc)
        finish(self.api, str(self.target.image_id), self.request.waiting)

    def _made_meanwhile(self, exc: Conflict) -> str:
        """A name taken since we looked: by a build like ours, or by another's."""
        existing = images_named(self.api, self.registration.name, self.account)
        if not existing:
            raise exc
        if not is_same(existing[0], self.request):
            raise name_taken(existing[0], self.request) from exc
        return str(existing[0].image_id)


def finish(api: OutscaleApi, image_id: str, waiting: Waiting) -> None:
    """Wait for a new image as asked; an error carries its id, so that it can be undone."""
    if not waiting.enabled:
        return
    try:
        await_image(api, image_id, waiting, new=True)
    except BuildError as exc:
        exc.facts.setdefault("image_id", image_id)
        raise


def trial_name(name: str, build_id: str) -> str:
    """What a build calls an image while one of its real name is still there. Names have at most 128 characters."""
    return "%s trial %s" % (name[:100], build_id)


class ReplaceImage:
    """Put a new image in the place of old ones of the same name.

    A name is an account's only once, and an image cannot be renamed. So the new image is made under a name of its own
    first, which shows that Outscale takes it; then the old one is deleted, the new one made under the real name, and
    the trial removed. When the last call fails, the old image is made again from its snapshots, which are not touched
    before the end; it then has a new id and has lost its sharing.
    """

    def __init__(  # noqa: PLR0913
        self,
        api: OutscaleApi,
        request: ImageRequest,
        registration: Registration,
        old: t.Sequence[Image],
        target: Target,
        account: str,
    ) -> None:
        self.api = api
        self.request = request
        self.registration = registration
        self.old = old
        self.target = target
        self.account = account

    def describe(self) -> str:
        """See Operation.describe."""
        return "replace image %s (%s) by a new one from %s" % (
            ", ".join(str(one.image_id) for one in self.old), self.old[0].name, self.request.definition.snapshot_id,
        )  # fmt: skip

    def execute(self) -> None:
        """See Operation.execute."""
        trial_id = self._make_trial()
        try:
            for one in self.old:
                delete_image(self.api, str(one.image_id))
            self._make()
        finally:
            delete_image(self.api, trial_id)
        finish(self.api, str(self.target.image_id), self.request.waiting)

    def _make_trial(self) -> str:
        name = trial_name(self.registration.name, str(self.request.build_id))
        trial_id = create_image(self.api, replace(self.registration, name=name), self.account)
        waiting = Waiting(True, self.request.waiting.timeout_seconds, self.request.waiting.delay_seconds)
        try:
            await_image(self.api, trial_id, waiting, new=True)
        except (Conflict, WaitTimeout, NotFound):
            delete_image(self.api, trial_id)
            raise
        return trial_id

    def _make(self) -> None:
        try:
            self.target.image_id = create_image(
                self.api,
                self.registration,
                self.account,
                release_seconds=min(NAME_RELEASE_SECONDS, self.api.new_id_seconds),
            )
        except BuildError as exc:
            raise self._restored(exc) from exc

    def _restored(self, cause: BuildError) -> BuildError:
        old = self.old[0]
        lost = "The new image could not be made: %s The old image %s was deleted already" % (cause, old.image_id)
        fields = set(Registration.__dataclass_fields__)
        try:
            restored = create_image(
                self.api, Registration(**{name: getattr(old, name) for name in fields}), self.account
            )
        except BuildError as exc:
            return BuildError(
                "%s and could not be made again: %s Its snapshots %s are kept."
                % (lost, exc, ", ".join(old.snapshot_ids)),
                snapshot_ids=old.snapshot_ids,
            )
        return BuildError(
            "%s and has been made again as %s." % (lost, restored),
            hint="Its launch permissions have to be set again.",
            restored_image_id=restored,
        )


__all__ = ("CreateImage", "ReplaceImage", "create_image", "finish", "trial_name")
