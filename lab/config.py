# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lab is started with, and the files in its folder."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

#: Accepted for every call. Long and unlike any word: Ansible masks secrets wherever their text occurs.
ACCESS_KEY_ID = "AKIALABLABLABLABLAB0"
SECRET_ACCESS_KEY = "labsecretlabsecretlabsecretlabsecret0000"  # noqa: S105
ACCOUNT = "123456789012"
#: Outscale's side of the lab: its Region, the account that the variables below are of, and another one, with a name.
OSC_REGION = "eu-west-2"
OSC_ACCOUNT = "210987654321"
OSC_VENDOR_ACCOUNT = "100000000000"
#: Of every account. Signatures are checked with it.
OSC_SECRET_KEY = "oscsecretoscsecretoscsecretoscsecret0000"  # noqa: S105


def osc_access_key(account: str) -> str:
    """The access key of an account on the lab's Outscale. Every number of twelve digits is one."""
    return f"OSCLABAK{account}"


@dataclass(frozen=True)
class LabConfig:
    """Everything C(lab up) can be told.

    Args:
        folder: absolute; holds all files of the lab and nothing else.
        port: 0 for any free one.
        instance_type: of the build host; decides how volumes appear.
        pool: whether volumes may live on a file system made for them, where the folder's own cannot share extents.
        settings: first values of lab.settings.Settings.
    """

    folder: Path
    port: int = 0
    region: str = "eu-west-1"
    zone: str = "eu-west-1a"
    instance_type: str = "m5.large"
    pool: bool = True
    settings: dict[str, t.Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        values = {**dataclasses.asdict(self), "folder": str(self.folder)}
        path.write_text(json.dumps(values, indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> LabConfig:
        values = json.loads(path.read_text())
        return cls(**{**values, "folder": Path(values["folder"])})


@dataclass(frozen=True)
class LabFiles:
    """The files in a lab's folder. C(marker) says that the folder is a lab's, and may be removed."""

    folder: Path

    @property
    def marker(self) -> Path:
        return self.folder / "lab.json"

    @property
    def pid(self) -> Path:
        return self.folder / "pid"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def env(self) -> Path:
        return self.folder / "env"

    @property
    def data(self) -> Path:
        """The volumes' and snapshots' bytes."""
        return self.folder / "data"

    @property
    def pool(self) -> Path:
        """The file with the file system that the bytes may really be in (lab.plane.pool)."""
        return self.folder / "pool"

    @property
    def records(self) -> Path:
        """What must be known of attached devices when the server is gone."""
        return self.folder / "devices"


def environment(port: int, region: str) -> dict[str, str]:
    """The variables that make any tool for AWS or Outscale talk to the lab."""
    url = f"http://127.0.0.1:{port}"
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{url}/",
        "OSC_ACCESS_KEY": osc_access_key(OSC_ACCOUNT),
        "OSC_SECRET_KEY": OSC_SECRET_KEY,
        "OSC_REGION": OSC_REGION,
        "OSC_ENDPOINT_API": f"{url}/api/v1",
        # No variable of Outscale's own: its tools know one address only.
        "OSC_METADATA_ENDPOINT": f"{url}/outscale",
    }


#: Variables that would lead tools away from the lab.
UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "OSC_PROFILE", "OSC_LOGIN", "OSC_PASSWORD")


def shell_lines(variables: dict[str, str]) -> str:
    """Lines for a shell to source."""
    exports = [f"export {name}='{value}'" for name, value in variables.items()]
    return "\n".join([*exports, f"unset {' '.join(UNSET)}"]) + "\n"
