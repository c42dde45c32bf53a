# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a build knows of itself when it runs: Packer's names for it, and where the role keeps it."""

from __future__ import annotations

# Names of Packer, each with an expression of Jinja. Known while the image is provisioned, and afterwards.
BUILD_DATA = {
    "BuildRegion": "__bake_host.region",
    "PackerRunUUID": "__bake_build_id",
    "SourceAMI": "__bake_source_image.image_id",
    "SourceAMIName": "__bake_source_image.name",
    "SourceAMICreationDate": "__bake_source_image.creation_date",
    "SourceAMIOwner": "__bake_source_image.owner_id",
    "SourceAMIOwnerName": "__bake_source_image.owner_alias | default('', true)",
    "SourceAMITags": "__bake_source_image.tags",
    # As Outscale's builder calls them.
    "SourceOMI": "__bake_source_image.image_id",
    "SourceOMIName": "__bake_source_image.name",
    "SourceOMITags": "__bake_source_image.tags",
}

# Known only while the volume is attached.
DEVICE_DATA = {
    "Device": "__bake_device.device.path",
    "MountPath": "__bake_sandbox.host_path",
}

# What the role's lists of commands are given.
COMMAND_DATA = {
    "Device": "bake_device",
    "MountPath": "bake_mount_path",
}

# What Packer fills with a text that says it has no value, in a chroot.
WITHOUT_VALUE = frozenset(
    {
        "ID",
        "Host",
        "Port",
        "User",
        "Password",
        "ConnType",
        "PackerHTTPIP",
        "PackerHTTPPort",
        "PackerHTTPAddr",
        "SSHPublicKey",
        "SSHPrivateKey",
        "WinRMPassword",
    }
)


__all__ = ("BUILD_DATA", "COMMAND_DATA", "DEVICE_DATA", "WITHOUT_VALUE")
