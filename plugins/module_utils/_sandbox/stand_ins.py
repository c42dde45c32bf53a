# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Stand-ins for commands that change a running machine, such as C(sysctl -w), C(modprobe) and C(systemctl start).

Roles write a configuration file, and then have the machine take it up at once. In an image the file is what counts,
and the second part cannot be done: the kernel is the build host's, and no service manager runs. The stand-ins come
first in C(PATH). They end well, or badly where the user wants that, for what only a running machine can do, say so,
and note it; what can be done in the image's files instead, they do; and all else is handed to the command itself.
They are in the sandbox's own C(/run), so the image never has them.

Scripts of services are often run by their paths, by Ansible's own modules too. What all of them pass through is lent
to the image in its place: C(openrc-run), which is the interpreter of OpenRC's scripts, and a file that LSB's
C(init-functions) read.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.bakehouse.images.plugins.module_utils import _inside as paths
from ansible_collections.bakehouse.images.plugins.module_utils._sandbox.lending import KEPT_SUFFIX, LentFile

FOLDER = "/run/bakehouse/bin"
NOTES = "/run/bakehouse/not-done"

# What the stand-ins do is said by this variable of the environment: C(ignore) what cannot be done, or C(fail). With
# C(no) the commands themselves run.
VARIABLE = "BAKEHOUSE_STAND_INS"
IGNORE = "ignore"
FAIL = "fail"

COMMANDS = (
    *("sysctl", "modprobe", "insmod", "rmmod", "swapon", "swapoff"),
    *("service", "hostnamectl", "timedatectl", "localectl", "loginctl"),
)
# Who finds these concludes that the image has systemd, or OpenRC: they stand in only where that is so.
ONLY_WHERE_PRESENT = ("systemctl", "openrc-run")
PLACES = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Called by what is lent, for a script of a service.
INIT_SCRIPT = "init.d"

# No more than anybody reads: an image may write there what it likes.
MAX_NOTES = 200
MAX_NOTE_LENGTH = 300

SCRIPT = """#!/bin/sh
# Stands in for a command that changes a running machine. An image is not running.
# BAKEHOUSE_STAND_INS in the environment: "fail" has it fail, "no" has the command itself run.
name=${0##*/}
: "${BAKEHOUSE_STAND_INS:=@POLICY@}"
real=$(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; command -v "$name")
[ ! -x "$real@KEPT@" ] || real=$real@KEPT@
if [ -z "$real" ] && [ "$name" != init.d ]; then
  echo "$name: not found in the image" >&2
  exit 127
fi
if [ "$BAKEHOUSE_STAND_INS" = no ]; then
  # Debian's service(8) clears the environment for the script, and this variable with it.
  if [ "$name" = service ] && [ -x "/etc/init.d/$1" ]; then real=/etc/init.d/$1 && shift; fi
  exec "$real" "$@"
fi

not_done() {
  echo "$*" >> /run/bakehouse/not-done
  if [ "$BAKEHOUSE_STAND_INS" = fail ]; then
    echo "$*: cannot be done: an image is not running. Its configuration is what counts when it boots" >&2
    exit 1
  fi
  echo "$*: not done: an image is not running. Its configuration is what counts when it boots" >&2
}

done_in_files() {
  echo "$name: done in the files of the image, which is not running" >&2
  exit 0
}

asks_systemctl() {
  verb='' units='' now='' quiet=''
  for word; do
    case $word in
      --now) now=yes ;;
      -q | --quiet) quiet=yes ;;
      -H* | -M* | --host* | --machine* | --root* | --image*) return 1 ;;
      -*) ;;
      *) if [ -z "$verb" ]; then verb=$word; else units="$units $word"; fi ;;
    esac
  done
  [ -n "$units" ] || return 1
  case $verb in
    start | *restart | reload | *-reload | reload-or-try-restart | isolate) return 0 ;;
    enable | reenable | preset | disable | mask)
      [ -n "$now" ] || return 1
      # With --now it wants to reach systemd, and fails.
      for word; do
        shift
        [ "$word" = --now ] || set -- "$@" "$word"
      done
      "$real" "$@" || exit
      case $verb in disable | mask) ;; *) not_done systemctl start$units ;; esac
      exit 0
      ;;
    is-active | is-failed)
      for word in $units; do [ -n "$quiet" ] || echo inactive; done
      [ "$verb" = is-failed ] && exit 1
      exit 3
      ;;
    status)
      echo "systemctl: nothing is active: an image is not running" >&2
      exit 3
      ;;
  esac
  return 1
}

asks_openrc() {
  script=''
  for word; do
    case $word in
      -*) ;;
      */*) script=${script:-$word} ;;
      start | restart | reload | *-reload)
        not_done rc-service "${script##*/}" "$word"
        exit 0
        ;;
      status)
        echo " * status: stopped"
        exit 3
        ;;
      stop) exit 0 ;;
    esac
  done
  return 1
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
    systemctl) asks_systemctl "$@" || return 1 ;;
    openrc-run) asks_openrc "$@" || return 1 ;;
    init.d)
      not_done "$@"
      exit 0
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
      [ "$one${verb:-status}" = yesstatus ] || [ "$verb" = hostname ] || return 1
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
    localectl)
      [ "$1" = set-locale ] && [ $# -gt 1 ] || return 1
      shift
      file=/etc/locale.conf
      [ ! -f /etc/debian_version ] || file=/etc/default/locale
      for word; do
        case $word in *=*) echo "$word" ;; *) echo "LANG=$word" ;; esac
      done > "$file" || exit 1
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
not_done "$name" "$@"
if [ "$name" = sysctl ]; then
  for word; do
    case $word in [!-]*=*) echo "${word%%=*} = ${word#*=}" ;; esac
  done
fi
exit 0
""".replace("@KEPT@", KEPT_SUFFIX)

# Read by scripts of services of Debian before they look at what they are asked for.
LSB_FOLDER = "/lib/lsb/init-functions.d"
LSB_HOOK = b"""# For the time that the image is built: services are not started by their scripts either.
case ${__init_d_script_name:-$0} in
  */init-d-script) _bakehouse_script=${1:-} _bakehouse_verb=${2:-} ;;
  *) _bakehouse_script=${__init_d_script_name:-$0} _bakehouse_verb=${1:-} ;;
esac
case ${BAKEHOUSE_STAND_INS:-}:$_bakehouse_script:$_bakehouse_verb in
  no:*) ;;
  *:*/init.d/*:*start | *:*/init.d/*:*reload)
    /run/bakehouse/bin/init.d "$_bakehouse_script" "$_bakehouse_verb"
    exit $?
    ;;
esac
"""
OPENRC_RUN = "/sbin/openrc-run"


def files_to_lend(root: str) -> t.Tuple[LentFile, ...]:
    """What has to be in the place of the image's own files, so that its services are not started by their scripts."""
    lent = []
    if paths.status(root, LSB_FOLDER):
        lent.append(LentFile(LSB_FOLDER + "/00-bakehouse", LSB_HOOK))
    if paths.status(root, OPENRC_RUN):
        program = '#!/bin/sh\nexec %s/openrc-run "$@"\n' % FOLDER
        lent.append(LentFile(OPENRC_RUN, program.encode("ascii"), 0o755))
    return tuple(lent)


def put_in_place(root: str, on_not_done: str = IGNORE) -> None:
    """Write the stand-ins into the sandbox's own C(/run) of the image at C(root).

    Args:
        on_not_done: what they do where no variable says it. Ansible's own module for OpenRC hands none on.
    """
    paths.make_directory(root, FOLDER)
    folder = paths.open_in_root(root, FOLDER, os.O_PATH | os.O_DIRECTORY)
    try:
        handle = os.open("stand-in", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755, dir_fd=folder)
        with open(handle, "w", encoding="ascii") as stream:
            stream.write(SCRIPT.replace("@POLICY@", on_not_done))
            os.fchmod(stream.fileno(), 0o755)
        for name in stand_ins_for(root):
            os.symlink("stand-in", name, dir_fd=folder)
        notes = os.open("../" + os.path.basename(NOTES), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666, dir_fd=folder)
        os.fchmod(notes, 0o666)
        os.close(notes)
    finally:
        os.close(folder)


def stand_ins_for(root: str) -> t.Tuple[str, ...]:
    """The names that stand-ins have in this image."""
    present = (name for name in ONLY_WHERE_PRESENT if any(paths.status(root, "%s/%s" % (at, name)) for at in PLACES))
    return (*COMMANDS, INIT_SCRIPT, *present)


def read_notes(root: str) -> t.Tuple[str, ...]:
    """The commands that were not done, each once, in their order."""
    lines = (paths.read_text(root, NOTES) or "").splitlines()
    shown = (line[:MAX_NOTE_LENGTH] for line in lines if line.isprintable() and line.strip())
    return tuple(dict.fromkeys(shown))[:MAX_NOTES]


__all__ = (
    "FAIL",
    "FOLDER",
    "IGNORE",
    "NOTES",
    "VARIABLE",
    "files_to_lend",
    "put_in_place",
    "read_notes",
    "stand_ins_for",
)
