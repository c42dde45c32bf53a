# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors as EC2 words them (Amazon EC2 API Reference, "Error codes for the Amazon EC2 API")."""

from __future__ import annotations


class Ec2Error(Exception):
    """An error answer of the EC2 API."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid_value(message: str) -> Ec2Error:
    return Ec2Error("InvalidParameterValue", message)


def invalid_combination(message: str) -> Ec2Error:
    return Ec2Error("InvalidParameterCombination", message)


def missing(parameter: str) -> Ec2Error:
    return Ec2Error("MissingParameter", f"The request must contain the parameter {parameter}")


def volume_not_found(volume_id: str) -> Ec2Error:
    return Ec2Error("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")


def snapshot_not_found(snapshot_id: str) -> Ec2Error:
    return Ec2Error("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def image_not_found(image_id: str) -> Ec2Error:
    return Ec2Error("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")


def image_unavailable(image_id: str) -> Ec2Error:
    return Ec2Error("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")


def wrong_state(message: str) -> Ec2Error:
    return Ec2Error("IncorrectState", message)


def dry_run() -> Ec2Error:
    return Ec2Error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)


def malformed(kind: str, value: str, prefix: str) -> Ec2Error:
    return Ec2Error(f"{kind}.Malformed", f'Invalid id: "{value}" (expecting "{prefix}-...")')
