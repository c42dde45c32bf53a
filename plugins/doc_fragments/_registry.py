# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names and contents here may change in any release.

from __future__ import annotations


class ModuleDocFragment:
    """How modules reach a registry of OCI images."""

    DOCUMENTATION = r"""
options:
  username:
    description:
      - Whom to log in to the registry as. Needs O(password).
      - Without O(username) and O(authfile), what C(skopeo login) or C(docker login) has stored counts.
    type: str
  password:
    description:
      - The password, or token. It is handed to C(skopeo) in memory, and is neither in a file nor in a command line.
    type: str
  authfile:
    description:
      - A file with credentials, as C(skopeo login --authfile) writes it.
    type: path
  validate_certs:
    description:
      - Whether the registry must be reached by TLS, with a certificate that can be trusted.
    type: bool
    default: true
  cert_dir:
    description:
      - A folder with the certificate of the registry's authority (C(ca.crt)), and with C(client.cert) and C(client.key)
        for registries that want one.
    type: path
  retries:
    description:
      - How often something is tried again that has failed on the way to the registry.
    type: int
    default: 3
  progress_interval:
    description:
      - Every how many seconds a line says how far it has come. With V(0) none does.
      - Bytes are known where the task runs on the controller or goes over ssh. Elsewhere the line says how long it has
        taken.
    type: float
    default: 30
  progress_file:
    description:
      - Where the plugin on the controller reads how far it has come. Tasks cannot set it.
    type: path
requirements:
  - skopeo
  - zstd
attributes:
  platform:
    support: full
    platforms: linux
    details:
      - Runs wherever the images shall be, or are. It needs no root.
      - C(skopeo) brings the machine's settings of registries with it, its trust policy (C(/etc/containers/policy.json))
        and its mirrors among them.
"""
