# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the parts of the lab together and serves until told to stop."""

from __future__ import annotations

import logging
import os
import signal
import time
import types
import typing as t
from collections.abc import Callable

from lab.config import ACCESS_KEY_ID, ACCOUNT, SECRET_ACCESS_KEY, LabConfig, LabFiles

# Before moto is imported: 1301 images of others would make every DescribeImages take a second.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server  # noqa: E402

from lab.admin import Admin  # noqa: E402
from lab.calls import CallLog  # noqa: E402
from lab.ebs import EbsDirect  # noqa: E402
from lab.ec2 import backend  # noqa: E402
from lab.ec2.cloud import Cloud  # noqa: E402
from lab.imds import Metadata  # noqa: E402
from lab.oapi.metadata import OscMetadata  # noqa: E402
from lab.oapi.server import Oapi  # noqa: E402
from lab.oapi.state import World  # noqa: E402
from lab.plane.devices import Devices  # noqa: E402
from lab.plane.files import VolumeFiles  # noqa: E402
from lab.plane.names import is_nitro  # noqa: E402
from lab.plane.pool import open_data  # noqa: E402
from lab.server import Front  # noqa: E402
from lab.settings import Settings, SettingsStore  # noqa: E402

LOG = logging.getLogger(__name__)


class QuietHandler(WSGIRequestHandler):
    """HTTP/1.1 with kept connections; the log of calls says what was asked."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: requests are not logged one by one."""


class Lab:
    """One running lab."""

    def __init__(self, config: LabConfig) -> None:
        files = LabFiles(config.folder)
        self._config = config
        self._settings = SettingsStore(Settings(**config.settings))
        self._log = CallLog()
        volume_files = VolumeFiles(open_data(files.data, files.pool) if config.pool else files.data)
        devices = Devices(volume_files, files.records)
        self._cloud = Cloud(
            settings=self._settings,
            files=volume_files,
            devices=devices,
            nitro=is_nitro(config.instance_type),
            regions=backend.regions,
            region=backend.region,
        )
        self._ec2 = backend.install(self._cloud)
        self._started = time.time()
        self._make_build_host()
        self._ec2.attachments.start()
        self._oapi = Oapi(World(self._settings, volume_files, devices))
        self._oapi.links.start()
        self.server = self._make_server()

    def _make_build_host(self) -> None:
        config = self._config
        reservation = t.cast(backend.LabBackend, backend.region(ACCOUNT, config.region)).run_instances(
            "ami-0bakehouselabhost00",
            1,
            None,
            [],
            instance_type=config.instance_type,
            is_instance_type_default=False,
            placement=config.zone,
            region_name=config.region,
            tags={"instance": {"Name": "lab-build-host"}},
        )
        instance = reservation.instances[0]
        instance.virtualization_type = "hvm"
        instance.root_device_name = "/dev/sda1"
        self._cloud.build_host_id = instance.id

    def _make_server(self) -> BaseWSGIServer:
        credentials = (ACCESS_KEY_ID, SECRET_ACCESS_KEY)
        front = Front(
            settings=self._settings,
            log=self._log,
            metadata=Metadata(self._cloud, ACCOUNT, self._config.region, credentials),
            admin=Admin(self._settings, self._log, self.facts, self._release),
            ebs=EbsDirect(self._ec2),
            oapi=self._oapi,
            osc_metadata=OscMetadata(self._oapi.world),
            apis=DomainDispatcherApplication(create_backend_app),
            account=ACCOUNT,
        )
        return make_server("127.0.0.1", self._config.port, front, threaded=True, request_handler=QuietHandler)

    def _release(self) -> None:
        self._cloud.release()
        self._oapi.world.release()

    def facts(self) -> dict[str, t.Any]:
        """What C(lab status) shows."""
        with self._cloud.lock:
            where = backend.region(ACCOUNT, self._config.region)
            volumes = [
                {
                    "id": volume.id,
                    "state": volume.state,
                    "size_gib": volume.size_gib,
                    "device": self._cloud.devices.path(volume.id),
                }
                for volume in where.volumes.values()
            ]
            return {
                "folder": str(self._config.folder),
                "pid": os.getpid(),
                "port": self.server.server_port,
                "region": self._config.region,
                "zone": self._config.zone,
                "account": ACCOUNT,
                "instance_id": self._cloud.build_host_id,
                "instance_type": self._config.instance_type,
                "nitro": self._cloud.nitro,
                "uptime_seconds": round(time.time() - self._started, 1),
                "volumes": volumes,
                "snapshots": len(where.snapshots),
                "images": len(where.amis),
                "outscale": {
                    "endpoint": f"http://127.0.0.1:{self.server.server_port}/api/v1",
                    **self._oapi.world.facts(),
                },
            }


def serve(config: LabConfig, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT. Devices are left to the caller to free.

    Args:
        ready: called once with the port, when requests are answered.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    lab = Lab(config)

    def stop(_signal: int, _frame: types.FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    ready(lab.server.server_port)
    LOG.info("serving on port %s", lab.server.server_port)
    try:
        lab.server.serve_forever()
    finally:
        lab.server.server_close()
