#!/usr/bin/python
# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: root_filesystem
short_description: Fill freshly made file systems with a root file system
version_added: 0.1.0
author:
  - bakehouse.images maintainers (@bakehouse)
description:
  - Makes a minimal system from a distribution's packages in empty file systems, as M(bakehouse.images.disk_layout)
    makes them, and writes its C(/etc/fstab) by UUID.
  - The file systems are mounted in a mount namespace of the module's own. Nothing of it is visible on the build host,
    and nothing stays mounted or running when the module is killed.
  - The result carries no identity. C(/etc/machine-id) is empty, so that each machine gets its own at first boot,
    C(/etc/hostname) is C(localhost), which lets DHCP name the machine, and C(/etc/resolv.conf) is not the build host's.
  - It has no kernel and no boot loader. For Debian and its relatives the role P(bakehouse.images.boot_loader#role)
    installs both.
  - With O(method=dnf), files have the SELinux labels that the build host gives them, which are none where it does not
    use SELinux. Label an image that enforces it, with C(setfiles -r), when all is in it.
options:
  mounts:
    description:
      - The file systems of the new machine. RV(bakehouse.images.disk_layout#module:mounts) has this form.
      - One of them must have V(/) as its O(mounts[].mount_point).
      - Of an EFI system partition (V(vfat)) only the mount point is made. It takes no packages.
    type: list
    elements: dict
    required: true
    suboptions:
      device:
        description:
          - The block device that holds the file system.
        type: str
        required: true
      mount_point:
        description:
          - Where the new machine mounts it. Not given for swap.
        type: str
      filesystem:
        description:
          - The type of the file system.
        type: str
        required: true
      options:
        description:
          - Mount options, as in C(/etc/fstab), used now and by the new machine.
          - By default an ext4 root has V(errors=remount-ro), V(vfat) has V(umask=0077) and others have V(defaults).
        type: str
      uuid:
        description:
          - The UUID of the file system. By default it is read from the device.
        type: str
  method:
    description:
      - The tool that makes the root file system.
      - V(mmdebstrap) makes Debian, Ubuntu and their relatives, V(dnf) distributions of RPM packages such as Fedora,
        CentOS Stream, Rocky Linux and AlmaLinux.
      - It must be installed on the build host, V(dnf) together with C(rpm). Debian and Ubuntu have all three.
    type: str
    choices: [dnf, mmdebstrap]
    default: mmdebstrap
  suite:
    description:
      - The release of the distribution, such as V(bookworm).
      - With O(method=dnf) its version, such as V(42), which takes the place of C($releasever) in O(repositories).
    type: str
    required: true
  components:
    description:
      - Components of the archive. By default V(main). Only with O(method=mmdebstrap).
    type: list
    elements: str
  repositories:
    description:
      - The repositories that packages come from. Required with O(method=dnf), and only there.
      - The build host's own repositories are not used. Those here do not stay in the image, whose own come with its
        packages.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The repository's id, such as V(baseos).
        type: str
        required: true
      baseurl:
        description:
          - URLs, or folders of the build host, that hold C(repodata). C($releasever) is O(suite), C($basearch) the
            architecture.
          - A repository has one of O(repositories[].baseurl), O(repositories[].metalink) and
            O(repositories[].mirrorlist).
        type: list
        elements: str
      metalink:
        description:
          - URL of a metalink.
        type: str
      mirrorlist:
        description:
          - URL of a list of mirrors.
        type: str
      gpgkey:
        description:
          - URLs, or files of the build host, of the keys that the packages are signed with. Required unless
            O(repositories[].gpgcheck=false). The image's rpm trusts them from then on.
        type: list
        elements: str
      gpgcheck:
        description:
          - Refuse packages that are not signed with these keys.
        type: bool
        default: true
      repo_gpgcheck:
        description:
          - Refuse a list of packages that is not signed with these keys.
        type: bool
        default: false
      priority:
        description:
          - Of several repositories that have a package, the one with the lowest number counts.
        type: int
        default: 99
  groups:
    description:
      - Groups of packages to install, by id, such as V(core), besides O(packages). Only with O(method=dnf).
    type: list
    elements: str
  weak_dependencies:
    description:
      - Install what packages recommend, too. By default not. Only with O(method=dnf).
    type: bool
  mirrors:
    description:
      - Where packages come from, as mmdebstrap takes it. Each is a URI or a whole line of C(sources.list).
      - These stay in the image's C(sources.list).
      - By default the tool's own, which for Debian's releases are Debian's mirrors with updates and security updates.
    type: list
    elements: str
  variant:
    description:
      - How much is installed besides O(packages).
      - V(apt) is the essential packages and apt, V(minbase) adds those of priority C(required), V(important) what
        C(debootstrap) installs, V(standard) what an interactive installation has.
      - By default V(minbase). Only with O(method=mmdebstrap).
    type: str
    choices: [apt, minbase, important, standard]
  packages:
    description:
      - Packages to install, in place of what a machine in a cloud and Ansible need.
      - That is C(ca-certificates), C(dbus), C(iproute2), C(kmod), C(netbase), C(python3), C(python3-apt),
        C(systemd-resolved), C(systemd-sysv) and C(udev) with O(method=mmdebstrap); and with O(method=dnf)
        C(ca-certificates), C(dbus), C(dnf), C(glibc-minimal-langpack), C(iproute), C(kmod), C(python3), C(rpm),
        C(system-release), C(systemd), C(systemd-udev) and C(util-linux).
      - The tools of the file systems in O(mounts) are always installed.
      - Releases before Debian 12 and Ubuntu 23.10 have no package C(systemd-resolved). Give a list without it there.
      - With O(method=dnf) a list must bring the C(os-release) of the distribution, which C(system-release) does.
    type: list
    elements: str
  architecture:
    description:
      - The architecture of the new system, by its EC2 or its Debian name. By default the build host's.
      - Another one than the build host's needs an emulator registered with C(binfmt_misc).
    type: str
    choices: [x86_64, amd64, arm64, aarch64]
  keyring:
    description:
      - A file or folder of keys on the build host that the archive must be signed with. Only with O(method=mmdebstrap).
      - By default the keys that the build host's apt trusts, and the distribution's keyring package where there is one.
    type: path
  wait_timeout:
    description:
      - How long the tool may take, in seconds.
    type: int
    default: 1800
attributes:
  check_mode:
    support: full
    details:
      - Devices that do not exist yet are taken for empty ones in check mode.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A root that holds a system already, by its C(os-release), is left alone, whatever O(suite) and O(packages) are.
extends_documentation_fragment:
  - bakehouse.images._attributes
  - bakehouse.images._attributes.build_host
seealso:
  - module: bakehouse.images.disk_layout
  - name: dnf
    description: The tool's manual.
    link: https://dnf.readthedocs.io/
  - name: mmdebstrap
    description: The tool's manual.
    link: https://manpages.debian.org/mmdebstrap
"""

EXAMPLES = r"""
---
- name: Partition the volume
  bakehouse.images.disk_layout:
    device: "{{ device.path }}"
    table: gpt
    partitions:
      - {name: bios, size: 1MiB, type: bios_boot}
      - {name: esp, size: 64MiB, type: esp, filesystem: vfat, mount_point: /boot/efi}
      - {name: root, type: linux, filesystem: ext4, mount_point: /}
  become: true
  register: disk

- name: Install Debian 12 on it
  bakehouse.images.root_filesystem:
    mounts: "{{ disk.mounts }}"
    suite: bookworm
  become: true

- name: Install Ubuntu 24.04 on another one, from a mirror nearby
  bakehouse.images.root_filesystem:
    mounts: "{{ other_disk.mounts }}"
    suite: noble
    components: [main, universe]
    mirrors:
      - http://mirror.example.com/ubuntu
    keyring: /usr/share/keyrings/ubuntu-archive-keyring.gpg
  become: true

- name: Install Rocky Linux 9 on a third one
  bakehouse.images.root_filesystem:
    mounts: "{{ third_disk.mounts }}"
    method: dnf
    suite: "9"
    repositories:
      - name: baseos
        baseurl: https://dl.rockylinux.org/pub/rocky/$releasever/BaseOS/$basearch/os/
        gpgkey: https://dl.rockylinux.org/pub/rocky/RPM-GPG-KEY-Rocky-9
      - name: appstream
        baseurl: https://dl.rockylinux.org/pub/rocky/$releasever/AppStream/$basearch/os/
        gpgkey: https://dl.rockylinux.org/pub/rocky/RPM-GPG-KEY-Rocky-9
  become: true
"""

RETURN = r"""
operations:
  description: What was done, or would be done in check mode, one line each.
  returned: success
  type: list
  elements: str
  sample: [fill /dev/nvme1n1p3 with bookworm by mmdebstrap]
os_release:
  description: The keys of the new system's C(os-release). Empty in check mode when there is none yet.
  returned: success
  type: dict
  sample: {ID: debian, VERSION_ID: "12", VERSION_CODENAME: bookworm}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.request import (
    request_from_params,
)
from ansible_collections.bakehouse.images.plugins.module_utils._bootstrap.rootfs import (
    METHODS,
    make_root,
)
from ansible_collections.bakehouse.images.plugins.module_utils._errors import BuildError
from ansible_collections.bakehouse.images.plugins.module_utils._module import fail
from ansible_collections.bakehouse.images.plugins.module_utils._run import LocalRunner

REPOSITORY = {
    "name": {"type": "str", "required": True},
    "baseurl": {"type": "list", "elements": "str"},
    "metalink": {"type": "str"},
    "mirrorlist": {"type": "str"},
    "gpgkey": {"type": "list", "elements": "str", "no_log": False},
    "gpgcheck": {"type": "bool", "default": True},
    "repo_gpgcheck": {"type": "bool", "default": False},
    "priority": {"type": "int", "default": 99},
}


def argument_spec() -> t.Dict[str, t.Any]:
    """The module's options."""
    mount = {
        "device": {"type": "str", "required": True},
        "mount_point": {"type": "str"},
        "filesystem": {"type": "str", "required": True},
        "options": {"type": "str"},
        "uuid": {"type": "str"},
    }
    return {
        "mounts": {"type": "list", "elements": "dict", "required": True, "options": mount},
        "method": {"type": "str", "choices": sorted(METHODS), "default": "mmdebstrap"},
        "suite": {"type": "str", "required": True},
        "components": {"type": "list", "elements": "str"},
        "mirrors": {"type": "list", "elements": "str"},
        "variant": {"type": "str", "choices": ["apt", "minbase", "important", "standard"]},
        "repositories": {"type": "list", "elements": "dict", "options": REPOSITORY},
        "groups": {"type": "list", "elements": "str"},
        "weak_dependencies": {"type": "bool"},
        "packages": {"type": "list", "elements": "str"},
        "architecture": {"type": "str", "choices": ["x86_64", "amd64", "arm64", "aarch64"]},
        "keyring": {"type": "path"},
        "wait_timeout": {"type": "int", "default": 1800},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        outcome = make_root(
            LocalRunner(),
            request_from_params(module.params),
            METHODS[module.params["method"]](),
            check_mode=module.check_mode,
            parent=module.tmpdir,
        )
    except BuildError as exc:
        fail(module, exc)
    for remark in outcome.remarks:
        module.warn(remark)
    module.exit_json(**outcome.to_ansible())


if __name__ == "__main__":
    main()
