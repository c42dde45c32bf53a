# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Stand-ins for commands that change a running machine, such as C(sysctl -w) and C(modprobe).

Roles write a configuration file, and then have the machine take it up at once. In an image the file is what counts,
and the second part cannot be done: the kernel is the build host's. The stand-ins come first in C(PATH). They end well
for what only a running machine can do, say so, and note it; what can be done in the image's files instead, they do;
and all else is handed to the command itself. They are in the sandbox's own C(/run), so the image never has them.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside as paths

FOLDER = "/run/bakehouse/bin"
NOTES = "/run/bakehouse/not-done"

COMMANDS = (
    *("sysctl", "modprobe", "insmod", "rmmod", "swapon", "swapoff"),
    *("service", "hostnamectl", "timedatectl", "loginctl"),
)

# No more than anybody reads: an image may write there what it likes.
MAX_NOTES = 200
MAX_NOTE_LENGTH = 300

SCRIPT = """#!/bin/sh
# Stands in for a command that changes a running machine. An image is not running.
# BAKEHOUSE_STAND_INS=no in the environment has the command itself run.
name=${0##*/}
real=$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; command -v "$name")
if [ -z "$real" ]; then
  echo "$name: not found in the image" >&2
  exit 127
fi
[ "$BAKEHOUSE_STAND_INS" != no ] || exec "$real" "$@"

done_in_files() {
  echo "$name: done in the files of the image, which is not running" >&2
  exit 0
}

changes_the_machine() {
  [ $# -gt 0 ] || return 1
  case $name in
    sysctl)
      for word; do
        case $word in --write | --load* | --system | -[!-]*[wpf]* | -[wpf]* | [!-]*=*) return 0 ;; esac
      done
      return 1
      ;;
    modprobe)
      for word; do
        case $word in
          --dry-run | --show* | --dump* | --resolve-alias | --version | --help) return 1 ;;
          -[nDcRVh] | -[!-]*[nDcRVh]*) return 1 ;;
        esac
      done
      ;;
    swapon | swapoff)
      for word; do
        case $word in --summary | --show* | --version | --help | -[sVh]) return 1 ;; esac
      done
      ;;
    service)
      case $2 in *start | *reload) ;; *) return 1 ;; esac
      ;;
    hostnamectl)
      verb='' value='' one=''
      for word; do
        case $word in --static | --transient | --pretty) one=yes ;; -*) ;; *) verb=${verb:-$word} value=$word ;; esac
      done
      case ${verb:-status} in
        set-hostname | hostname | status) ;;
        *) return 1 ;;
      esac
      if [ "$verb" != "$value" ]; then
        echo "$value" > /etc/hostname && hostname "$value" && done_in_files
        exit 1
      fi
      [ "$one$verb" = yesstatus ] || [ "$verb" = hostname ] || return 1
      [ ! -f /etc/hostname ] || cat /etc/hostname
      exit 0
      ;;
    timedatectl)
      case $1 in set-timezone) ;; set-*) return 0 ;; *) return 1 ;; esac
      if [ ! -f "/usr/share/zoneinfo/$2" ]; then
        echo "timedatectl: the image has no time zone '$2'" >&2
        exit 1
      fi
      ln -sfn "../usr/share/zoneinfo/$2" /etc/localtime || exit 1
      [ ! -f /etc/timezone ] || echo "$2" > /etc/timezone
      done_in_files
      ;;
    loginctl)
      case $1 in enable-linger | disable-linger) ;; *) return 1 ;; esac
      [ -n "$2" ] || return 1
      mkdir -p /var/lib/systemd/linger || exit 1
      if [ "$1" = enable-linger ]; then : > "/var/lib/systemd/linger/$2"; else rm -f "/var/lib/systemd/linger/$2"; fi
      done_in_files
      ;;
  esac
}

changes_the_machine "$@" || exec "$real" "$@"
echo "$name $*" >> /run/bakehouse/not-done
echo "$name: not done: an image is not running. Its configuration is what counts when it boots" >&2
if [ "$name" = sysctl ]; then
  for word; do
    case $word in [!-]*=*) echo "${word%%=*} = ${word#*=}" ;; esac
  done
fi
exit 0
"""


def put_in_place(root: str) -> None:
    """Write the stand-ins into the sandbox's own C(/run) of the image at C(root)."""
    paths.make_directory(root, FOLDER)
    folder = paths.open_in_root(root, FOLDER, os.O_PATH | os.O_DIRECTORY)
    try:
        handle = os.open("stand-in", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755, dir_fd=folder)
        with open(handle, "w", encoding="ascii") as stream:
            stream.write(SCRIPT)
            os.fchmod(stream.fileno(), 0o755)
        for name in COMMANDS:
            os.symlink("stand-in", name, dir_fd=folder)
        notes = os.open("../" + os.path.basename(NOTES), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666, dir_fd=folder)
        os.fchmod(notes, 0o666)
        os.close(notes)
    finally:
        os.close(folder)


def read_notes(root: str) -> t.Tuple[str, ...]:
    """The commands that were not done, each once, in their order."""
    lines = (paths.read_text(root, NOTES) or "").splitlines()
    shown = (line[:MAX_NOTE_LENGTH] for line in lines if line.isprintable() and line.strip())
    return tuple(dict.fromkeys(shown))[:MAX_NOTES]


__all__ = ("COMMANDS", "FOLDER", "NOTES", "put_in_place", "read_notes")
