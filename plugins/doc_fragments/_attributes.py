# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names and contents here may change in any release.

from __future__ import annotations


class ModuleDocFragment:
    """What modules have in common: attributes, and where a module runs."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would change without changing anything.
  diff_mode:
    description: Returns details on what has changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description: When run again with the same arguments, it changes nothing.
  platform:
    description: The platforms that the module can run on.
    platforms: posix
"""

    # Readers: they change nothing, so check mode and idempotence are trivially there.
    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing.
"""

    # Steps of a build's bookkeeping: action plugins, which return what later tasks use.
    BOOKKEEPING = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details:
      - There is no state to compare.
  platform:
    support: full
"""

    # Modules that call EC2's API.
    API = r"""
options:
  access:
    description:
      - How AWS is called, where AWS's usual settings and the common options O(profile), O(access_key) and so on do not
        say it. What is given here is stronger than those, and than the environment.
      - Called for an image, in a task that is delegated to the API host, modules take the image's variable
        C(bake_aws_access) for it.
    type: dict
    suboptions:
      access_key:
        description: The access key. Goes together with O(access.secret_key).
        type: str
      secret_key:
        description: The secret key.
        type: str
      session_token:
        description: The session token of temporary keys.
        type: str
      profile:
        description: A profile of the shared configuration and credentials files.
        type: str
      shared_credentials_file:
        description: The credentials file, in place of C(~/.aws/credentials). On the host that the module runs on.
        type: path
      mfa_code:
        description:
          - The code of an MFA device, for a profile with C(role_arn) and C(mfa_serial). Six digits; quote them.
          - A code counts once. The credentials that it gave are kept in C(~/.aws/boto/cache), for this user only, until
            they expire.
        type: str
      assume_role:
        description: The role to make the calls in. It is assumed with the credentials above, before all else.
        type: dict
        suboptions:
          role_arn:
            description: Its ARN.
            type: str
            required: true
          session_name:
            description: The name of the session, V(bakehouse) when not given.
            type: str
          duration_seconds:
            description: How long its credentials are valid, V(900) to V(43200). They are renewed when they expire.
            type: int
          external_id:
            description: What the role's trust policy asks for.
            type: str
          policy:
            description: A policy, as JSON, that limits what the session may do.
            type: str
          policy_arns:
            description: ARNs of policies that limit it, at most 10.
            type: list
            elements: str
          tags:
            description: Tags of the session.
            type: dict
          transitive_tag_keys:
            description: Those of O(access.assume_role.tags) that further roles inherit.
            type: list
            elements: str
      endpoint_url:
        description: EC2's endpoint. Other services keep theirs.
        type: str
      validate_certs:
        description: V(false) does not look at certificates.
        type: bool
      max_retries:
        description:
          - How often a call that fails for a passing reason is made again, with growing pauses. When not given, 9
            times, and up to 39 times where calls are throttled.
        type: int
      poll_delay:
        description:
          - How many seconds to let pass at most before something that is waited for is looked at again. Looks begin
            often and get rarer up to this. When not given, they do so up to 15 seconds, and 30 for snapshots.
        type: float
      decode_authorization_messages:
        description:
          - Have STS decode what EC2 says when something is not allowed, and put it into the error. That takes the right
            C(sts:DecodeAuthorizationMessage); without it, the error says so.
        type: bool
        default: false
attributes:
  action_group:
    description: >-
      Belongs to the action group C(group/bakehouse.images.aws), which extends C(group/amazon.aws.aws), so that
      C(module_defaults) for either reach it.
    support: full
    membership:
      - bakehouse.images.aws
  platform:
    support: full
    details:
      - Runs wherever the credentials and boto3 are, usually the controller. It touches no device.
"""

    # Modules that touch devices, mounts and namespaces.
    BUILD_HOST = r"""
options: {}
attributes:
  platform:
    support: full
    platforms: linux
    details:
      - Runs on the build host, as root.
"""
