# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""An image of a Packer template as a host: its variables, and its groups."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t
from pathlib import Path

from ansible_collections.bakehouse.images.plugins.module_utils._errors import Invalid
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_access import access_variables
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_amazon_options import OPTIONS
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_amazon_rules import AmazonRules
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_build_data import BUILD_DATA, COMMAND_DATA
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_distribution import distribution_variables
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_go import GoTemplates
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_hcl_data import FoundImage
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_late import late, quoted, without_secrets
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_mappings import Mappings
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_model import ImageBuild, Settings, Template
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_options import TOGETHER, read_options
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_outscale import OutscaleVariables
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_outscale_options import (
    BUILDERS as OUTSCALE_BUILDERS,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_outscale_options import (
    LATE_OPTIONS as OUTSCALE_LATE_OPTIONS,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_outscale_options import (
    OPTIONS as OUTSCALE_OPTIONS,
)
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_outscale_rules import OutscaleRules
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_post import after_steps
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioner import LOOKUP, Surroundings
from ansible_collections.bakehouse.images.plugins.plugin_utils._packer_provisioners import provisioner_steps

# What each option that is rendered when the build runs may use, beside what is known of every build.
LATE_OPTIONS: dict[str, dict[str, str]] = {
    **{
        name: BUILD_DATA
        for name in (
            "ami_description",
            "root_volume_tag",
            "root_volume_tags",
            "snapshot_tag",
            "snapshot_tags",
            "tag",
            "tags",
        )
    },
    "command_wrapper": {"Command": "command"},
    "mount_path": {"Device": "bake_device"},
    "post_mount_commands": {**BUILD_DATA, **COMMAND_DATA},
    "pre_mount_commands": {**BUILD_DATA, "Device": "bake_device"},
}
DEFAULT_MOUNT_PATH = re.compile(r"(/mnt/)?packer-(amazon|outscale)-chroot-volumes/\{\{\s*\.Device\s*\}\}")
OWNER_FILTERS = ("owner-id", "owner-alias")


@dataclasses.dataclass
class Host:
    """What an image is in the inventory."""

    name: str
    variables: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    groups: set[str] = dataclasses.field(default_factory=set)
    problems: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


class HostMaker:
    """Makes hosts of the images of one template.

    Args:
        template: what was read.
        inventory: the file that Ansible was given, from which secrets are looked up.
        settings: what the user gives beside the template.
        began: seconds since 1970.
    """

    def __init__(self, template: Template, inventory: Path, settings: Settings, began: float) -> None:
        self.template = template
        self.settings = settings
        self.began = began
        self.inventory = inventory
        self.secrets = {value: self._lookup(expression) for value, expression in template.secrets.items()}

    def _lookup(self, term: str) -> str:
        return f"{LOOKUP}, {quoted(term)}, inventory={quoted(str(self.inventory))})"

    def make(self, build: ImageBuild) -> Host:
        """The host of one image, with every mistake that was found."""
        host = Host(build.name)
        go = GoTemplates(self.began, self.template.folder, self.template.user, None, build.source_name)
        values = self._options(build, go, host)
        host.variables.update(self._source_variables(build, values, host))
        surroundings = Surroundings(
            go=go,
            secrets=self.secrets,
            folders=(Path(os.getcwd()), Path(self.template.folder)),
            build_name=build.source_name,
            builder_type=build.source.kind,
        )
        found = provisioner_steps(build.provisioners, surroundings)
        host.problems += found.problems
        host.warnings += found.warnings
        if found.steps:
            host.variables["bake_provision"] = found.steps
        host.variables["bake_gather_facts"] = any("playbook" in step for step in found.steps)
        after = after_steps(build.post_processors, surroundings, host.problems, host.warnings)
        if after:
            host.variables["packer_after_build"] = after
        host.groups = {f"source_{_word(build.source_name)}", *found.groups}
        if build.build_name:
            host.groups.add(f"build_{_word(build.build_name)}")
        return host

    def _source_variables(self, build: ImageBuild, values: dict[str, t.Any], host: Host) -> dict[str, t.Any]:
        shared = _Variables(build, values, host)
        if build.source.kind in OUTSCALE_BUILDERS:
            own = OutscaleVariables(build.source, values)
            found = own.all(build.name, self._lookup)
            host.problems += own.problems
            host.warnings += own.warnings
            return {**found, **shared.mounting(), **shared.tags()}
        access = access_variables(values, self.settings.environment, build_name=build.name, lookup=self._lookup)
        return {**shared.all(), **access}

    def _options(self, build: ImageBuild, go: GoTemplates, host: Host) -> dict[str, t.Any]:
        values: dict[str, t.Any] = {}
        is_outscale = build.source.kind in OUTSCALE_BUILDERS
        late_options = OUTSCALE_LATE_OPTIONS if is_outscale else LATE_OPTIONS
        for name, value in build.source.values.items():
            data = {key: late(it) for key, it in late_options.get(name, {}).items()}
            try:
                # The wrapper has a place for the command, which the connection fills.
                if name == "command_wrapper":
                    data["Command"] = "{command}"
                mine = value if name == "mount_path" else go.knowing(**data).render_all(value, build.source.at, (name,))
            except Invalid as exc:
                host.problems += exc.problems
                continue
            values[name] = mine
        table = OUTSCALE_OPTIONS if is_outscale else OPTIONS
        options = read_options(dataclasses.replace(build.source, values=values), table)
        rules = (OutscaleRules if is_outscale else AmazonRules)(build.source, options.values)
        rules.check()
        host.problems += [*options.problems, *rules.problems]
        host.warnings += [*options.warnings, *rules.warnings]
        given = {name: without_secrets(value, self.secrets) for name, value in options.values.items()}
        source_ami = build.source.values.get("source_ami")
        if isinstance(source_ami, FoundImage):
            given["source_ami"] = source_ami
        given["copy_files given"] = "copy_files" in options.given
        return given


def _word(name: str) -> str:
    return re.sub(r"\W", "_", name)


class _Variables:
    """The variables of the role that a source's options become."""

    def __init__(self, build: ImageBuild, values: dict[str, t.Any], host: Host) -> None:
        self.build = build
        self.values = values
        self.host = host

    def _problem(self, option: str, text: str) -> None:
        self.host.problems.append(self.build.source.at(option).says(text))

    def _no_effect(self, option: str, text: str) -> None:
        self.host.warnings.append(self.build.source.at(option).says(f"{option} has no effect: {text}."))

    def all(self) -> dict[str, t.Any]:
        """All of them."""
        values = self.values
        found: dict[str, t.Any] = {"bake_image_name": values.get("ami_name", ""), "bake_source": self._source()}
        for name, row in OPTIONS.items():
            if name in values and row.variable not in ("", TOGETHER):
                found[row.variable] = values[name]
        # Packer changes nothing of what identifies a machine.
        found["bake_generalize"] = False
        found["bake_image_imds_support"] = values.get("imds_support", "inherit")
        found.update(self._image())
        found.update(self.mounting())
        found.update(self.tags())
        found.update(distribution_variables(values))
        mappings = Mappings(self.build.source, values)
        devices = mappings.all()
        if devices:
            found["bake_image_block_device_mappings"] = devices
        self.host.problems += mappings.problems
        self.host.warnings += mappings.warnings
        return found

    def _source(self) -> t.Any:
        values = self.values
        if values.get("from_scratch"):
            return {"scratch": {}}
        source_ami, chosen = values.get("source_ami"), values.get("source_ami_filter")
        if isinstance(source_ami, FoundImage):
            chosen, source_ami = source_ami.filter, None
        if not chosen:
            return source_ami or ""
        filters = chosen.get("filters") or {}
        if not source_ami and not chosen.get("owners") and not set(filters) & set(OWNER_FILTERS):
            self._problem(
                "source_ami_filter", "source_ami_filter has no owners. Without them anyone's image could be found."
            )
        found = {key: chosen[key] for key in ("owners", "most_recent", "include_deprecated") if chosen.get(key)}
        return {**({"image_id": source_ami} if source_ami else {}), "filters": filters, **found}

    def _image(self) -> dict[str, t.Any]:
        values = self.values
        scratch = values.get("from_scratch")
        found: dict[str, t.Any] = {}
        if scratch:
            found["bake_image_architecture"] = values.get("ami_architecture", "x86_64")
            found["bake_volume_type"] = values.get("root_volume_type", "gp2")
        if values.get("ena_support") is not None or scratch:
            found["bake_image_ena_support"] = bool(values.get("ena_support"))
        if values.get("sriov_support"):
            found["bake_image_sriov_support"] = True
        if values.get("root_volume_encrypt_boot"):
            found["bake_volume_encrypted"] = True
        return found

    def mounting(self) -> dict[str, t.Any]:
        """Those of mounting, which are as for every builder."""
        values = self.values
        found: dict[str, t.Any] = {}
        for option, usual in (("mount_command", "mount"), ("unmount_command", "umount")):
            if values.get(option, usual) != usual:
                found[f"bake_{option}"] = values[option]
        path = values.get("mount_path")
        if path and not DEFAULT_MOUNT_PATH.fullmatch(path):
            self._mount_path(path)
        found.update(self._root_partition())
        if values.get("chroot_mounts"):
            found["bake_chroot_mounts"] = values["chroot_mounts"]
        if values.get("copy_files"):
            found["bake_copy_files"] = values["copy_files"]
        elif values["copy_files given"] or values.get("from_scratch"):
            found["bake_copy_files"] = []
        if values.get("command_wrapper", "{command}").strip() != "{command}":
            found["bake_command_wrapper"] = values["command_wrapper"]
        return found

    def _root_partition(self) -> dict[str, t.Any]:
        number = self.values.get("mount_partition") or ""
        if number.isdigit():
            return {"bake_root_partition": int(number)}
        if number:
            self._problem("mount_partition", "mount_partition must be the number of a partition, or 0.")
        elif self.values.get("from_scratch"):  # nothing is there yet to be found
            return {"bake_root_partition": 0 if self.values.get("ami_virtualization_type") == "paravirtual" else 1}
        return {}

    def _mount_path(self, path: str) -> None:
        """A path of one's own is harmless, as long as nothing counts on it."""
        literal = re.split(r"\{\{", path)[0].rstrip("/")
        others = [value for name, value in self.build.source.values.items() if name != "mount_path"]
        others += [component.values for component in self.build.provisioners]
        if literal and literal in str(others):
            self._problem(
                "mount_path",
                f"mount_path is not supported, and {literal} is used elsewhere in the template. There, write "
                "{{.MountPath}}.",
            )
        else:
            self._no_effect(
                "mount_path", "the image is mounted where nothing else can see it, and {{.MountPath}} leads there"
            )

    def tags(self) -> dict[str, t.Any]:
        """Those of tags."""
        found = {}
        for variable, plural, single in (
            ("bake_image_tags", "tags", "tag"),
            ("bake_snapshot_tags", "snapshot_tags", "snapshot_tag"),
            ("bake_volume_tags", "root_volume_tags", "root_volume_tag"),
        ):
            tags = dict(self.values.get(plural) or {})
            tags.update({str(it.get("key")): it.get("value") or "" for it in self.values.get(single) or []})
            if tags:
                found[variable] = tags
        return found


__all__ = ("Host", "HostMaker")
