# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""The fingerprint: a hash of everything that decides what an image holds.

It says whether an image that is there is the one that would be built. It covers the definition as
written, the files behind its steps, the source, and this collection's version. It covers no rendered
secret: vaulted values count by their ciphertext.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.bakehouse.images.plugins.plugin_utils._boot_check import NOT_SHOWN, boot_check

# Options that say where, when and how carefully to build, or that are changed on an image that is there.
NOT_CONTENT = frozenset(
    {
        "bake_api_host",
        "bake_aws_access",
        "bake_build_host",
        "bake_cache",
        "bake_build_hosts",
        "bake_build_instance",
        "bake_build_vm",
        "bake_command_wrapper",
        "bake_device_name",
        "bake_cancel_timeout",
        "bake_device_timeout",
        "bake_fingerprint_vars",
        "bake_force",
        "bake_image_copy_minutes",
        "bake_image_deprecate_at",
        "bake_image_deregistration_protection",
        "bake_image_description",
        "bake_image_family",
        "bake_image_fast_restore_zones",
        "bake_image_in_build_region",
        "bake_image_keep",
        "bake_image_launch_permissions",
        "bake_image_parameter",
        "bake_image_product_codes",
        "bake_image_region_kms_key_ids",
        "bake_image_regions",
        "bake_image_tags",
        "bake_keep_hours",
        "bake_manifest",
        "bake_merge_actions",
        "bake_on_error",
        "bake_on_not_done",
        "bake_outscale_access",
        "bake_output_checksum",
        "bake_output_directory",
        "bake_output_file",
        "bake_replace",
        "bake_resume",
        "bake_snapshot_permissions",
        "bake_snapshot_tags",
        "bake_snapshot_timeout",
        "bake_summary_file",
        "bake_volume_tags",
        "bake_wait_timeout",
    }
)

LENGTH = 32

# Molecule skips one tag more when it looks whether a second run changes anything
# (https://ansible.readthedocs.io/projects/molecule/configuration/).
MOLECULE_TAGS = ("molecule-notest", "notest", "molecule-idempotence-notest")


def chosen_tags(variables: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """What the command line says of tags, if anything: with steps left out, it is another image."""
    run, skip = (
        sorted(tag for tag in variables.get(name) or () if tag not in MOLECULE_TAGS)
        for name in ("ansible_run_tags", "ansible_skip_tags")
    )
    return {**({"--tags": run} if run not in ([], ["all"]) else {}), **({"--skip-tags": skip} if skip else {})}


def definition_digest(
    *,
    definition: t.Mapping[str, t.Any],
    files: t.Mapping[str, str],
    variables: t.Mapping[str, t.Any],
    version: str,
) -> str:
    """What the fingerprint covers beside the source, as hexadecimal digits.

    Args:
        definition: the options as written, plain.
        files: label and digest of each file behind the steps.
        variables: the values of the variables that the image's author listed, plain and untemplated.
        version: this collection's version.
    """
    content = {
        "definition": {
            name: _without_place(value) if name == "bake_source" else value
            for name, value in definition.items()
            if name not in (*NOT_CONTENT, "bake_boot")
        },
        **_shown(definition.get("bake_boot")),
        "files": dict(files),
        "variables": dict(variables),
        "version": version,
    }
    text = json.dumps(content, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _without_place(source: t.Any) -> t.Any:
    """A source without where it is found: what it holds is the other half of the fingerprint."""
    if isinstance(source, str):
        return None
    return {key: value for key, value in source.items() if key != "path"} if isinstance(source, dict) else source


def _shown(boot: t.Any) -> dict[str, t.Any]:
    """What the image has to show when it is booted: one that has not shown it is not the image wanted."""
    check = boot_check(boot)
    return {"boot": {key: value for key, value in check.items() if key not in NOT_SHOWN}} if check else {}


def fingerprint(digest: str, source: str) -> str:
    """The fingerprint of an image, as 32 hexadecimal digits.

    Args:
        digest: as C(definition_digest) made it.
        source: the id of the source image, the parent's fingerprint, or empty from scratch.
    """
    return hashlib.sha256(f"{digest} {source}".encode()).hexdigest()[:LENGTH]


__all__ = ("NOT_CONTENT", "chosen_tags", "definition_digest", "fingerprint")
