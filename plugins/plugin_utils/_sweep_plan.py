# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: names, arguments and results here may change
# in any release.

"""What a sweep removes, and what it leaves alone, and why.

Whether a build is alive is asked of machines (C(_life.py)); here it is only decided what follows from the answers. What
is not known to be dead stays, but for an age that the user has named.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.bakehouse.images.plugins.module_utils._life import Life, Verdict, merge

Values = Mapping[str, t.Any]

HEADINGS = ("BUILD", "SWEEP", "TYPE", "ID", "WHERE", "AGE", "GIB", "PER MONTH", "STATE")
NUMBERS = ("AGE", "GIB", "PER MONTH")


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the user wants swept.

    Attributes:
        older_than: of builds that are dead, only what is so many seconds old.
        unknown_older_than: of builds of which nothing is known, what is so many seconds old; None for nothing.
        build_ids: only these builds; empty for all.
        prices: for each kind of what is paid for, what a GiB costs in a month.
        now: seconds since 1970.
    """

    older_than: float = 0
    unknown_older_than: float | None = None
    build_ids: frozenset[str] = frozenset()
    prices: Mapping[str, float] = dataclasses.field(default_factory=dict)
    now: float = 0


@dataclasses.dataclass(frozen=True)
class Item:
    """One thing that was found, and where."""

    where: str
    facts: Values

    def monthly_cost(self, prices: Mapping[str, float]) -> float | None:
        """What it costs in a month; None where nothing is paid, or the price is not known."""
        price = prices.get(self.facts["price"])
        return None if price is None or self.facts["size_gib"] is None else self.facts["size_gib"] * price


@dataclasses.dataclass(frozen=True)
class Decision:
    """What becomes of all that is of one build, or of what is of none."""

    build_id: str
    items: Sequence[Item]
    remove: bool
    life: str
    reason: str


def decide(found: Iterable[Item], lives: Iterable[Values], wish: Wish) -> list[Decision]:
    """A decision for each build that has anything, by its id."""
    told: dict[str, list[Verdict]] = {}
    for one in lives:
        told.setdefault(one["owner"], []).append(Verdict(Life(one["life"]), one["reason"]))
    builds: dict[str, list[Item]] = {}
    for item in found:
        builds.setdefault(item.facts["build_id"], []).append(item)
    wanted = wish.build_ids or builds.keys()
    return [_decide(name, builds[name], told, wish) for name in sorted(builds) if name in wanted]


def _decide(build_id: str, items: list[Item], told: Mapping[str, list[Verdict]], wish: Wish) -> Decision:
    def decision(remove: bool, life: Life, reason: str) -> Decision:
        return Decision(build_id, items, remove, life.value, reason)

    verdict = _life_of(items, told)
    if verdict.life is Life.ALIVE:
        return decision(False, verdict.life, f"its build is alive: {verdict.reason}")
    expires = max((item.facts["expires"] or 0 for item in items), default=0)
    if expires > wish.now:
        until = datetime.datetime.fromtimestamp(expires, datetime.UTC)
        return decision(False, verdict.life, f"its build is kept until {until:%Y-%m-%d %H:%M} UTC")
    age = min((item.facts["age_seconds"] for item in items if item.facts["age_seconds"] is not None), default=0.0)
    if expires:
        return decision(True, verdict.life, "its build was kept, and that time is over")
    limit = wish.older_than if verdict.life is Life.DEAD else wish.unknown_older_than
    if limit is None:
        return decision(False, verdict.life, f"whether its build is alive is not known: {verdict.reason}")
    if age < limit:
        return decision(False, verdict.life, f"{verdict.reason}, and the newest of it is only {show_age(age)} old")
    return decision(True, verdict.life, verdict.reason)


def _life_of(items: Iterable[Item], told: Mapping[str, list[Verdict]]) -> Verdict:
    """Of several owners, which no build should have, one that lives or may live decides."""
    items = list(items)
    owners = {item.facts["owner"] for item in items if item.facts["owner"]}
    if not owners and all(item.facts["ended"] for item in items):
        return Verdict(Life.DEAD, "it has ended")
    verdicts = [merge(told.get(owner, [])) for owner in sorted(owners)]
    for life in (Life.ALIVE, Life.UNKNOWN, Life.DEAD):
        for verdict in verdicts:
            if verdict.life is life:
                return verdict
    return Verdict(Life.UNKNOWN, "no owner is noted")


def table(decisions: Iterable[Decision], prices: Mapping[str, float]) -> list[str]:
    """All that was found, a line each; then why what stays does, and what all that goes costs in a month."""
    decisions = list(decisions)
    rows = [_row(decision, item, prices) for decision in decisions for item in decision.items]
    if not rows:
        return ["Nothing was found that builds have left."]
    lines = _aligned([HEADINGS, *rows])
    for decision in decisions:
        verb = "Removes" if decision.remove else "Leaves"
        lines.append(f"{verb} {decision.build_id or 'what is of no build'}: {decision.reason}.")
    cost = monthly_cost((item for one in decisions if one.remove for item in one.items), prices)
    lines.append(f"What goes costs {cost:.2f} a month.")
    return lines


def monthly_cost(items: Iterable[Item], prices: Mapping[str, float]) -> float:
    """What all of these cost in a month."""
    return round(sum(item.monthly_cost(prices) or 0 for item in items), 4)


def _row(decision: Decision, item: Item, prices: Mapping[str, float]) -> tuple[str, ...]:
    facts = item.facts
    cost = item.monthly_cost(prices)
    return (
        decision.build_id or "-",
        "remove" if decision.remove else decision.life,
        facts["type"],
        facts["id"],
        item.where,
        "-" if facts["age_seconds"] is None else show_age(facts["age_seconds"]),
        "-" if facts["size_gib"] is None else f"{facts['size_gib']:g}",
        "-" if cost is None else f"{cost:.2f}",
        facts["state"],
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if heading in NUMBERS else cell.ljust(width)
            for cell, width, heading in zip(row, widths, HEADINGS, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def show_age(seconds: float) -> str:
    """An age in its two largest units."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{int(seconds)}s"
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days}d{hours}h"
    return f"{hours}h{minutes % 60}m" if hours else f"{minutes}m"


__all__ = ("Decision", "Item", "Wish", "decide", "monthly_cost", "show_age", "table")
