# Copyright (c) 2026, the bakehouse.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came out, in tables."""

from __future__ import annotations

import dataclasses
import statistics
import typing as t
from collections.abc import Callable, Iterable, Sequence

from tests.benchmarks.contestants import Case, Sample


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two builds of the same image, one straight after the other."""

    ours: Sample
    packer: Sample

    @property
    def ratio(self) -> float:
        """Our seconds for each one of Packer's."""
        return self.ours.seconds / self.packer.seconds


def report(case: Case, pairs: Sequence[Pair]) -> str:
    """The tables of one case."""
    ours = [pair.ours for pair in pairs]
    rows = [
        ["", "min", "median", "max", "processor, median"],
        ["ours", *_spread(ours, _seconds), _median(ours, lambda sample: sample.cpu_seconds)],
        [
            "Packer",
            *_spread([pair.packer for pair in pairs], _seconds),
            _median([pair.packer for pair in pairs], lambda sample: sample.cpu_seconds),
        ],
        ["ours/Packer", *_numbers(pair.ratio for pair in pairs), ""],
    ]
    ratios = ", ".join(f"{pair.ratio:.2f}" for pair in pairs)
    steps = [
        ["our steps", "min", "median", "max"],
        *([step, *_spread(ours, _step(step))] for step in ours[0].steps),
        ["before and after", *_spread(ours, _outside_steps)],
    ]
    title = f"{case.name}: {case.title} (seconds, {len(pairs)} runs)"
    return "\n".join([title, "", *table(rows), "", f"ours/Packer, pair by pair: {ratios}", "", *table(steps), ""])


def as_json(case: Case, pairs: Sequence[Pair]) -> dict[str, t.Any]:
    """The same for programs: every sample."""
    return {"case": case.name, "pairs": [dataclasses.asdict(pair) for pair in pairs]}


def _seconds(sample: Sample) -> float:
    return sample.seconds


def _outside_steps(sample: Sample) -> float:
    """Ansible's own start and end."""
    return sample.seconds - sum(sample.steps.values())


def _step(name: str) -> Callable[[Sample], float]:
    return lambda sample: sample.steps[name]


def _spread(samples: Iterable[Sample], figure: Callable[[Sample], float]) -> list[str]:
    return _numbers(figure(sample) for sample in samples)


def _median(samples: Iterable[Sample], figure: Callable[[Sample], float]) -> str:
    return _spread(samples, figure)[1]


def _numbers(values: Iterable[float]) -> list[str]:
    known = list(values)
    return [f"{value:.2f}" for value in (min(known), statistics.median(known), max(known))]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with their columns aligned, the first to the left."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


__all__ = ("Pair", "as_json", "report", "table")
