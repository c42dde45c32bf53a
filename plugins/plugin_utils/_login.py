# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a login does around a command in an image."""

from __future__ import annotations

import typing as t

# In the words of the smallest shell, by the image's own data: who the user is, a file mode mask that is not the
# controller's, and a directory to stand in. A home directory need not exist.
LOGIN = """
user=$1
shift
SHELL=/bin/sh
if [ -r /etc/passwd ]; then
  while IFS=: read -r name _ uid _ _ home shell; do
    if [ "$name" = "$user" ] || [ "$uid" = "$user" ]; then
      user=$name
      HOME=${home:-/}
      SHELL=${shell:-/bin/sh}
      break
    fi
  done < /etc/passwd
fi
export HOME SHELL USER="$user" LOGNAME="$user"
umask 022
cd "$HOME" 2> /dev/null || cd /
unset OLDPWD
exec "$@"
"""


def logged_in(user: str, argv: t.Sequence[str]) -> list[str]:
    """The command that runs C(argv) as after a login, for whoever is that user already."""
    return ["/bin/sh", "-c", LOGIN, "sh", user, *argv]


__all__ = ("logged_in",)
