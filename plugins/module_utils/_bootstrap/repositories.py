# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""Repositories of RPM packages, as a user gives them and as dnf.conf(5) has them."""

from __future__ import annotations

import dataclasses
import re
import typing as t

# dnf takes it as the name of a section and of files.
NAME = re.compile(r"[A-Za-z0-9_.:-]+")

PLACES = ("baseurl", "metalink", "mirrorlist")


@dataclasses.dataclass(frozen=True)
class Repository:
    """One repository.

    Args:
        name: its id.
        baseurl: URLs of the folder that holds C(repodata).
        metalink: URL of a list of such folders with checksums of what they have.
        mirrorlist: URL of a list of such folders.
        gpgkey: URLs, or paths on the build host, of the keys that its packages are signed with.
        gpgcheck: whether packages without a good signature are refused.
        repo_gpgcheck: whether its list of packages must be signed too.
        priority: of several that have a package, that with the lowest number counts.
    """

    name: str
    baseurl: t.Tuple[str, ...] = ()
    metalink: str = ""
    mirrorlist: str = ""
    gpgkey: t.Tuple[str, ...] = ()
    gpgcheck: bool = True
    repo_gpgcheck: bool = False
    priority: int = 99


def repository(item: t.Mapping[str, t.Any]) -> Repository:
    """One entry of the option C(repositories)."""
    return Repository(
        name=item["name"],
        baseurl=_listed(item.get("baseurl")),
        metalink=item.get("metalink") or "",
        mirrorlist=item.get("mirrorlist") or "",
        gpgkey=_listed(item.get("gpgkey")),
        gpgcheck=item.get("gpgcheck", True) is not False,
        repo_gpgcheck=bool(item.get("repo_gpgcheck")),
        priority=item.get("priority") or Repository.priority,
    )


def _listed(value: t.Any) -> t.Tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def repository_problems(repositories: t.Sequence[Repository]) -> t.List[str]:
    """What is wrong with them, one sentence each."""
    names = [given.name for given in repositories]
    problems = ["The repository %s is given twice." % name for name in sorted({n for n in names if names.count(n) > 1})]
    for given in repositories:
        places = [name for name in PLACES if getattr(given, name)]
        if not NAME.fullmatch(given.name) or given.name == "main":
            problems.append(
                "%r is no name of a repository: use letters, digits and - _ . :, and not main." % given.name
            )
        if len(places) != 1:
            found = "and has %s" % " and ".join(places) if places else "and has none"
            problems.append("The repository %s needs one of %s, %s." % (given.name, ", ".join(PLACES), found))
        if (given.gpgcheck or given.repo_gpgcheck) and not given.gpgkey:
            problems.append(
                "The repository %s has no gpgkey, so nothing could say whether its packages are genuine. Name the key,"
                " or set gpgcheck: false." % given.name
            )
        values = given.baseurl + given.gpgkey + (given.metalink, given.mirrorlist)
        if any(re.search(r"\s", value) for value in values):
            problems.append("The repository %s has a URL with a space or a line break in it." % given.name)
    return problems


def configuration(main: t.Mapping[str, str], repositories: t.Sequence[Repository]) -> str:
    """The text of a dnf.conf."""
    return "\n".join([_section("main", main)] + [_section(given.name, _values(given)) for given in repositories])


def _values(given: Repository) -> t.Dict[str, str]:
    found = {
        "name": given.name,
        "gpgcheck": _flag(given.gpgcheck),
        "repo_gpgcheck": _flag(given.repo_gpgcheck),
        "priority": str(given.priority),
        "skip_if_unavailable": "0",
    }
    if given.gpgkey:
        found["gpgkey"] = " ".join(_url(key) for key in given.gpgkey)
    if given.baseurl:
        found["baseurl"] = " ".join(_url(place) for place in given.baseurl)
    if given.metalink:
        found["metalink"] = given.metalink
    if given.mirrorlist:
        found["mirrorlist"] = given.mirrorlist
    return found


def _url(place: str) -> str:
    return "file://" + place if place.startswith("/") else place


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _section(name: str, values: t.Mapping[str, str]) -> str:
    return "".join(["[%s]\n" % name] + ["%s=%s\n" % item for item in values.items()])


__all__ = ("Repository", "configuration", "repository", "repository_problems")
