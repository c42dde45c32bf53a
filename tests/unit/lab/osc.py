# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's Outscale without devices and without a port: calls go straight to it, signed by Outscale's SDK."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from osc_sdk_python.authentication import Authentication
from osc_sdk_python.credentials import Profile

from lab.config import OSC_ACCOUNT, OSC_REGION, OSC_SECRET_KEY, osc_access_key
from lab.ec2.models import Snapshot, Timeline, Volume
from lab.oapi.server import Oapi
from lab.oapi.state import ROOT_DEVICE, OscImage, Placement, Vm, World
from lab.plane.devices import Devices
from lab.plane.files import VolumeFiles
from lab.settings import Fault, Settings, SettingsStore

HOST = "api.eu-west-2.outscale.com"
ZONE = f"{OSC_REGION}a"


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, answer: dict[str, t.Any]) -> None:
        super().__init__(f"{status}: {answer['Errors']}")
        self.status = status
        self.codes = [one["Code"] for one in answer["Errors"]]
        self.types = [one["Type"] for one in answer["Errors"]]
        self.text = " ".join(one["Details"] for one in answer["Errors"])


class Osc:
    """One Outscale of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.settings = SettingsStore(Settings())
        files = VolumeFiles(folder)
        self.world = World(self.settings, files, Devices(files, folder / "records"))
        self.oapi = Oapi(self.world)
        # Volumes linked to it make no devices: it is not this machine.
        self.vm = Vm("i-12345678", Placement(ZONE))
        self.world.account(OSC_ACCOUNT).vms[self.vm.id] = self.vm

    def call(
        self, action: str, /, account: str = OSC_ACCOUNT, fault: Fault | None = None, **params: t.Any
    ) -> dict[str, t.Any]:
        """The answer of a call.

        Raises:
            Refused: it is an error.
        """
        return self.send(action, json.dumps(params), self.signed(action, json.dumps(params), account), fault)

    def signed(self, action: str, body: str, account: str = OSC_ACCOUNT, **more: str) -> dict[str, str]:
        """The headers that the SDK sends."""
        profile = Profile(
            **{
                "access_key": osc_access_key(account),
                "secret_key": OSC_SECRET_KEY,
                "region": OSC_REGION,
                "protocol": "https",
                **more,
            }
        )
        return dict(Authentication(profile, HOST).forge_headers_signed(f"/api/v1/{action}", body))

    def send(
        self, action: str, body: str, headers: dict[str, str], fault: Fault | None = None, host: str = f"{HOST}:8080"
    ) -> dict[str, t.Any]:
        """As C(call), with headers as they come."""
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/api/v1/{action}",
            "HTTP_HOST": host,
            "CONTENT_TYPE": headers.get("Content-Type", ""),
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        }
        reply = self.oapi.serve(environ, body.encode(), fault)
        answer = t.cast("dict[str, t.Any]", json.loads(reply.body))
        if reply.status != 200:
            raise Refused(reply.status, answer)
        return answer

    def volume(self, **params: t.Any) -> str:
        """A new volume's id."""
        if "SnapshotId" not in params:
            params.setdefault("Size", 1)
        return str(self.call("CreateVolume", **{"SubregionName": ZONE, **params})["Volume"]["VolumeId"])

    def snapshot(self, **params: t.Any) -> str:
        """A new snapshot's id, of a volume of its own unless another source is named."""
        params = params or {"VolumeId": self.volume()}
        return str(self.call("CreateSnapshot", **params)["Snapshot"]["SnapshotId"])

    def image(self, name: str = "an image", **params: t.Any) -> str:
        """A new image's id, of a snapshot of its own unless another source is named."""
        if not params:
            params = self.registering(self.snapshot())
        return str(self.call("CreateImage", ImageName=name, **params)["Image"]["ImageId"])

    @staticmethod
    def registering(snapshot_id: str, **bsu: t.Any) -> dict[str, t.Any]:
        """The parameters that register an image of one snapshot."""
        mapping = {"DeviceName": ROOT_DEVICE, "Bsu": {"SnapshotId": snapshot_id, **bsu}}
        return {"BlockDeviceMappings": [mapping], "RootDeviceName": ROOT_DEVICE}

    def fill_as_in_examples(self) -> None:
        """Resources with the ids that the examples of Outscale's description use."""
        where = self.world.account(OSC_ACCOUNT)
        root = self.volume(Size=10)
        self.call("LinkVolume", VolumeId=root, VmId=self.vm.id, DeviceName=ROOT_DEVICE)
        files = self.world.cloud.files
        files.make_volume("vol-12345678", 10)
        here: dict[str, t.Any] = {"account": OSC_ACCOUNT, "region": OSC_REGION, "size_gib": 10}
        where.volumes["vol-12345678"] = Volume(
            **here, id="vol-12345678", zone=ZONE, volume_type="gp2", timeline=Timeline(), iops=100, filled=True
        )
        files.freeze_volume("vol-12345678", "snap-12345678")
        where.snapshots["snap-12345678"] = Snapshot(
            **here, id="snap-12345678", volume_id="vol-12345678", timeline=Timeline(), sealed=True
        )
        source = where.images[self.image(**self.registering(self.snapshot(VolumeId="vol-12345678")))]
        where.images["ami-12345678"] = OscImage(
            "ami-12345678", OSC_ACCOUNT, "as in the examples", Timeline(), source.mappings, ROOT_DEVICE
        )
