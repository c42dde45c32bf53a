# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names and contents here may change in any release.

from __future__ import annotations


class ModuleDocFragment:
    """Access to Outscale's API."""

    # A profile that is named counts more than the environment, and the profile "default" less.
    DOCUMENTATION = r"""
options:
  access_key:
    description:
      - The access key. Goes together with O(secret_key).
      - Unset, that of the profile, else E(OSC_ACCESS_KEY) or E(OUTSCALE_ACCESSKEYID).
    type: str
  secret_key:
    description: The secret key. Unset, from where the access key is, E(OSC_SECRET_KEY) or E(OUTSCALE_SECRETKEYID).
    type: str
  region:
    description: The region. Unset, that of the profile, else E(OSC_REGION) or E(OUTSCALE_REGION).
    type: str
  profile:
    description:
      - The profile of O(config_file) to use, as E(OSC_PROFILE) names it. It counts more than the other variables of the
        environment.
      - Unset, what no option and no variable gives is taken from the profile V(default), if there is one.
    type: str
  config_file:
    description: The file of profiles. Unset, E(OSC_CONFIG_FILE), else C(~/.osc/config.json).
    type: path
  endpoint_url:
    description:
      - The API's URL, with its path. Unset, that of the profile, else E(OSC_ENDPOINT_API) or E(OUTSCALE_OAPI_URL),
        else that of the region.
    type: str
  validate_certs:
    description: Whether the API's certificate must be valid. Unset, yes, unless E(OSC_TLS_SKIP_VERIFY) is V(true).
    type: bool
  client_certificate:
    description:
      - The path of a client certificate. Goes together with O(client_key).
      - Unset, that of the profile, else E(OSC_X509_CLIENT_CERT) or E(OUTSCALE_X509CERT).
    type: path
  client_key:
    description: The path of its key. Unset, from where the certificate is, E(OSC_X509_CLIENT_KEY) or
      E(OUTSCALE_X509KEY).
    type: path
  max_attempts:
    description:
      - How often a call is tried that was refused because there were too many, or that failed on the other side. The
        time between two tries grows to 20 seconds. Unset, 10 times.
    type: int
  access:
    description:
      - The options above in one, for those who have them in one variable. What it has counts more than an option.
    type: dict
    suboptions:
      access_key:
        description: As O(access_key).
        type: str
      secret_key:
        description: As O(secret_key).
        type: str
      region:
        description: As O(region).
        type: str
      profile:
        description: As O(profile).
        type: str
      config_file:
        description: As O(config_file).
        type: path
      endpoint_url:
        description: As O(endpoint_url).
        type: str
      validate_certs:
        description: As O(validate_certs).
        type: bool
      client_certificate:
        description: As O(client_certificate).
        type: path
      client_key:
        description: As O(client_key).
        type: path
      max_attempts:
        description: As O(max_attempts).
        type: int
attributes:
  action_group:
    description: >-
      Belongs to the action group C(group/bakehouse.images.outscale), so that C(module_defaults) for it reach it.
    support: full
    membership:
      - bakehouse.images.outscale
  platform:
    support: full
    details:
      - Runs wherever the keys and osc-sdk-python are, usually the controller. It touches no device.
requirements:
  - osc-sdk-python 0.42
"""
