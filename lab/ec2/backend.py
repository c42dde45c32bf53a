# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hooks into moto: its EC2 backend and responses, with volumes, snapshots and images replaced by the lab's.

Everything here leans on moto's private parts, which hold within moto 5.2 (README.md, "moto").
"""

from __future__ import annotations

import logging
import re
import typing as t
from collections.abc import Callable, Iterator

from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ec2 import urls as ec2_urls
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.responses import EC2Response

from lab.ec2 import errors
from lab.ec2.attachments import Attachments
from lab.ec2.cloud import Action, Answer, Cloud, Region, Request, check_tags
from lab.ec2.errors import Ec2Error
from lab.ec2.fast_restore import FastRestores
from lab.ec2.image_attributes import ImageAttributes
from lab.ec2.image_views import ImageViews
from lab.ec2.images import Images
from lab.ec2.snapshot_attributes import SnapshotAttributes
from lab.ec2.snapshots import Snapshots
from lab.ec2.tokens import ClientTokens, TokenMismatch
from lab.ec2.volumes import VolumeRequest, Volumes
from lab.settings import Fault

LOG = logging.getLogger(__name__)
#: In a WSGI environment: the Fault that hit this call and is carried out while it is served.
FAULT_KEY = "lab.fault"


class Ec2:
    """All EC2 actions of the lab's own, and the parts that moto's code needs to reach."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.volumes = Volumes(cloud)
        self.attachments = Attachments(cloud)
        self.snapshots = Snapshots(cloud)
        self.tokens = ClientTokens()
        parts = (
            self.volumes,
            self.attachments,
            self.snapshots,
            Images(cloud, self.snapshots),
            ImageViews(cloud),
            ImageAttributes(cloud),
            SnapshotAttributes(cloud),
            FastRestores(cloud),
        )
        self.actions: dict[str, Action] = {name: act for part in parts for name, act in part.actions().items()}

    def call(self, request: Request) -> Answer:
        """Serve one of the lab's own actions.

        Raises:
            Ec2Error: the error answer.
        """
        if request.params.get("DryRun"):
            raise errors.dry_run()
        return self.actions[request.action](request)


class LabBackend(EC2Backend):
    """moto's EC2 of one account and region. Its volumes, snapshots and images are the lab's models."""

    __module__ = "moto.ec2.models"  # moto finds a backend's URLs by its module
    ec2: t.ClassVar[Ec2]

    def zone_ids(self) -> dict[str, str]:
        """Names of the availability zones, with their ids."""
        return {zone.name: zone.zone_id for zone in self.describe_availability_zones()}

    def kms_key_arn(self, key_id: str | None) -> str:
        if not key_id:
            return str(self.default_kms_key_id or self._create_default_encryption_key())
        from moto.kms.models import kms_backends

        try:
            return str(kms_backends[self.account_id][self.region_name].describe_key(key_id).arn)
        except Exception as exc:
            raise errors.invalid_value(f"The KMS key '{key_id}' does not exist or cannot be used.") from exc

    def create_tags(self, resource_ids: list[str], tags: dict[str, str]) -> bool:
        if not any(key.startswith("aws:ec2launchtemplate:") for key in tags):
            check_tags(tags)
        return bool(super().create_tags(resource_ids, tags))

    # What moto's own code calls when it runs, shows and terminates instances.

    def run_instances(self, image_id: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
        tags = dict(kwargs.get("tags") or {})
        volume_tags = tags.pop("volume", {})
        image: t.Any = self.amis.get(image_id) if image_id else None
        mappings = kwargs.pop("block_device_mappings", None) or []
        if image is not None:
            mappings = _merged(image.mappings, mappings)
        if mappings:
            kwargs["block_device_mappings"] = mappings
        reservation = super().run_instances(image_id, *args, **{**kwargs, "tags": tags})
        for instance in reservation.instances:
            for block in instance.block_device_mapping.values():
                if volume_tags:
                    self.create_tags([block.volume_id], volume_tags)
        return reservation

    def create_volume(self, size: int | None, zone_name: str, **more: t.Any) -> t.Any:  # type: ignore[override]
        wanted = VolumeRequest(
            zone=zone_name,
            size_gib=size,
            snapshot_id=more.get("snapshot_id"),
            volume_type=more.get("volume_type") or "gp2",
            iops=more.get("iops") or (3000 if more.get("volume_type") in ("io1", "io2") else None),
            encrypted=bool(more.get("encrypted")),
            kms_key_id=more.get("kms_key_id") if more.get("encrypted") else None,
        )
        region = t.cast(Region, self)
        volume = self.ec2.volumes.plan(region, wanted)
        volume.timeline.hidden_seconds = volume.timeline.seconds = 0
        self.ec2.volumes.enter(region, volume, {})
        self.ec2.volumes.fill(volume)
        return volume

    def delete_volume(self, volume_id: str) -> t.Any:
        volume = self.get_volume(volume_id)
        self.ec2.volumes.remove(t.cast(Region, self), volume)
        return volume

    def attach_volume(
        self, volume_id: str, instance_id: str, device_path: str, delete_on_termination: bool = False
    ) -> t.Any:
        volume = self.get_volume(volume_id)
        attachment = self.ec2.attachments.enter(t.cast(Region, self), volume, instance_id, device_path)
        attachment.block.delete_on_termination = delete_on_termination
        return attachment

    def detach_volume(self, volume_id: str, instance_id: str, device_path: str) -> t.Any:
        volume = self.get_volume(volume_id)
        attachment = volume.attachment
        self.ec2.cloud.devices.detach(volume_id)
        self.ec2.attachments.forget(t.cast(Region, self), volume)
        return attachment

    def get_volume(self, volume_id: str) -> t.Any:
        return self.ec2.cloud.volume(t.cast(Region, self), volume_id)

    def describe_volumes(self, volume_ids: list[str] | None = None, filters: t.Any = None) -> list[t.Any]:
        # Asked for by moto only to tag the volumes of new instances, which run_instances has done.
        return []

    def get_snapshot(self, snapshot_id: str) -> t.Any:
        return self.ec2.cloud.snapshot(t.cast(Region, self), snapshot_id)

    def describe_images(
        self,
        ami_ids: list[str] | None = None,
        filters: dict[str, t.Any] | None = None,
        exec_users: list[str] | None = None,
        owners: list[str] | None = None,
    ) -> list[t.Any]:
        wanted = ami_ids or (filters or {}).get("image-id") or []
        wanted = [wanted] if isinstance(wanted, str) else wanted
        region = t.cast(Region, self)
        if ami_ids:
            return [self.ec2.cloud.image(region, image_id) for image_id in ami_ids]
        return [image for image in self.ec2.cloud.images_seen_from(region) if image.id in wanted]


class LabResponse(EC2Response):
    """moto's parsing and answering of EC2 calls around the lab's actions; errors are always EC2's XML."""

    # The lab's answers say what they mean: moto's own rewriting of them is left out.
    RESPONSE_KEY_PATH_TO_TRANSFORMER = {
        key: change
        for key, change in EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER.items()
        if not key.startswith(("CreateVolumeResponse", "ModifyVolumeResponse", "Volume"))
    }

    def _dispatch(self, request: t.Any, full_url: str | None = None, headers: t.Any = None) -> t.Any:
        try:
            return super()._dispatch(request, full_url, headers)
        except OperationNotFoundError:
            action = request.values.get("Action", "")
            return error_answer(Ec2Error("InvalidAction", f"The action {action} is not valid for this web service."))
        except Ec2Error as exc:
            return error_answer(exc)

    def call_action(self) -> t.Any:
        action = str(self._get_action())
        try:
            answer = self._call(action)
        except Ec2Error as exc:
            return error_answer(exc)
        except ServiceException as exc:
            return error_answer(_worded(exc))
        except NotImplementedError as exc:
            return error_answer(_unknown(action, exc))
        except Exception as exc:
            LOG.exception("%s", action)
            return error_answer(Ec2Error("InternalError", f"The lab failed: {type(exc).__name__}: {exc}", 500))
        return answer

    def _call(self, action: str) -> t.Any:
        ec2 = LabBackend.ec2
        params: dict[str, t.Any] = self.params
        if action in ec2.actions:
            fault = self.normalized_request.environ.get(FAULT_KEY)
            request = Request(action, params, self.ec2_backend, fault if isinstance(fault, Fault) else None)
            result = self._once(action, params, lambda: ec2.call(request))
            return self.serialized(ActionResult(result or None))
        with ec2.cloud.lock:
            return (
                self._once(action, params, super().call_action) if action == "RunInstances" else super().call_action()
            )

    def _parse_block_device_mapping(self) -> list[dict[str, t.Any]]:
        # moto fills in what the call left out, and so hides what is to come from the image.
        return [dict(mapping) for mapping in self._get_param("BlockDeviceMappings", [])]

    def _once(self, action: str, params: dict[str, t.Any], work: Callable[[], t.Any]) -> t.Any:
        token = params.get("ClientToken")
        if not token:
            return work()
        key = (self.current_account, self.region, action, str(token))
        try:
            return LabBackend.ec2.tokens.once(key, params, work)
        except TokenMismatch:
            raise Ec2Error(
                "IdempotentParameterMismatch",
                "The client token you have provided has already been used with different parameters.",
            ) from None


def _merged(of_image: list[dict[str, t.Any]], given: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """The mappings of a launch: the image's, overridden by device name."""
    merged = {mapping["DeviceName"]: dict(mapping) for mapping in of_image if "Ebs" in mapping}
    for mapping in given:
        if mapping.get("NoDevice") == "":
            merged.pop(mapping["DeviceName"], None)
            continue
        own = {key: value for key, value in (mapping.get("Ebs") or {}).items() if value is not None}
        kept = merged.get(mapping["DeviceName"], {}).get("Ebs", {})
        merged[mapping["DeviceName"]] = {**mapping, "Ebs": {**kept, **own}}
    return [mapping for mapping in merged.values() if mapping.get("Ebs")]


def _unknown(action: str, exc: NotImplementedError) -> Ec2Error:
    text = str(exc)
    quoted = re.search(r"'([^']+)'", text)
    if "filter" in text.lower() and quoted:
        return errors.invalid_value(f"The filter '{quoted.group(1)}' is invalid")
    return Ec2Error("UnsupportedOperation", f"The lab does not know the action {action}. ({text})")


def _worded(exc: ServiceException) -> Ec2Error:
    return Ec2Error(exc.code, exc.message, 412 if exc.code == "DryRunOperation" else 400)


def error_answer(error: Ec2Error) -> tuple[int, dict[str, str], str]:
    """An error in EC2's XML ("Troubleshooting API request errors")."""
    from lab.answers import ec2_error

    status, headers, body = ec2_error(error.code, error.message, error.status)
    return status, {**headers, "status": str(status)}, body


def regions() -> Iterator[Region]:
    """Every account's EC2 of every region that has been used so far."""
    for account in list(ec2_backends.values()):
        for backend in list(account.values()):
            yield t.cast(Region, backend)


def region(account: str, name: str) -> Region:
    """EC2 of one account and region.

    Raises:
        Ec2Error: no such region.
    """
    try:
        return t.cast(Region, ec2_backends[account][name])
    except KeyError:
        raise errors.invalid_value(f"Invalid region: '{name}'") from None


def install(cloud: Cloud) -> Ec2:
    """Put the lab's EC2 into moto. Before the first request, once in a process."""
    ec2 = Ec2(cloud)
    LabBackend.ec2 = ec2
    ec2_backends.backend = LabBackend
    ec2_urls.url_paths = {"{0}/": LabResponse.dispatch}
    return ec2


__all__ = ("FAULT_KEY", "Ec2", "LabBackend", "install", "region", "regions")
