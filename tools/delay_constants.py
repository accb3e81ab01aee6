"""Estimate the delay's constants again, from real releases: part of ``make constants``.

The releases are not in the repository. They are looked for where ``--releases`` or
``ODFORECAST_SHARED`` points, else beside the repository.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.errors import DataError, PanelError
from odforecast.models.constants import COLUMNS
from odforecast.models.delay.estimate import (
    DELAY_NAMES,
    USED,
    Settled,
    estimate_delay,
    settled,
)
from odforecast.seeds import content_hash
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import BUNDLED_RELEASE

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = (".csv", ".gz", ".xlsx", ".parquet")


@dataclass(frozen=True)
class DelaySpan:
    """What a set rests on: the releases whose last count had settled by the cut-off."""

    cutoff: str
    truth: str
    seen: tuple[Settled, ...]

    @property
    def last_month(self) -> str:
        """Last month whose count had settled."""
        return max(each.last_month for each in self.seen)

    @property
    def data_hash(self) -> str:
        """Hash of the arrays that the estimates rest on."""
        return content_hash(
            self.truth,
            [each.release for each in self.seen],
            *(np.array([e.pending, e.missed, e.reported]) for e in self.seen),
        )


def releases_folder(given: str | None = None) -> Path:
    """Where releases are looked for; it need not exist."""
    if given:
        folder = Path(given)
    else:
        folder = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data"))
    return folder / "vsrr" if (folder / "vsrr").is_dir() else folder


def read_releases(folder: Path) -> Archive | None:
    """Every release of a folder that can be read, and the bundled one; None without any."""
    tables: dict[str | dt.date, pd.DataFrame] = {}
    for file in sorted(folder.glob("*")) if folder.is_dir() else ():
        if not file.name.endswith(SUFFIXES):
            continue
        try:
            loaded = read_vsrr(file)
        except DataError as error:
            print(f"delay: left out {file.name}: {str(error)[:100]}", file=sys.stderr)
            continue
        tables[str(loaded.release)] = loaded.table
    if not tables:
        return None
    tables.setdefault(BUNDLED_RELEASE, od.bundled().release(BUNDLED_RELEASE))
    return Archive.in_memory(tables)


def delay_span(archive: Archive, cutoff: str) -> DelaySpan:
    """The releases and the truth that were published by a cut-off."""
    known = archive.until(cutoff)
    panels = []
    for date in known.releases():
        try:
            panels.append(known.as_of(date).panel())
        except PanelError as error:  # predicted values only
            print(f"delay: left out {date}: {str(error)[:100]}", file=sys.stderr)
    found = (settled(panel, panels[-1]) for panel in panels) if panels else ()
    truth = str(panels[-1].release) if panels else ""
    return DelaySpan(cutoff, truth, tuple(each for each in found if each is not None))


def delay_rows(part: DelaySpan) -> list[dict[str, str]]:
    """Rows of one set; none from fewer than two releases."""
    if len(part.seen) < 2:
        print(f"delay: {part.cutoff}: fewer than two settled releases, no rows", file=sys.stderr)
        return []
    return [
        dict(
            zip(
                COLUMNS,
                (
                    part.cutoff,
                    part.last_month,
                    name,
                    f"{number.value:.4g}",
                    "" if np.isnan(number.low) else f"{number.low:.4g}",
                    "" if np.isnan(number.high) else f"{number.high:.4g}",
                    number.how,
                    part.data_hash,
                    f"{number.method}; settled in {part.truth}",
                ),
                strict=True,
            )
        )
        for name, number in estimate_delay(part.seen).items()
    ]


def is_delay(row: dict[str, str]) -> bool:
    """Whether a row of the table is one of the delay's."""
    return row["name"] in DELAY_NAMES


def printed_delay(rows: list[dict[str, str]]) -> str:
    """One line per cut-off and constant: what the layer uses beside what was estimated."""
    lines = [
        "| cut-off | constant | used | estimate | 90 % interval | used is | rests on | data hash |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        used = USED[row["name"]]
        if row["how"] == "assumed":
            cells = ("–", "–", "not told")
        else:
            inside = float(row["low"]) <= used <= float(row["high"])
            cells = (
                row["value"],
                f"{row['low']} to {row['high']}",
                "inside" if inside else "OUTSIDE",
            )
        head = f"| {row['cutoff']} | {row['name']} | {used:.4g} | "
        lines.append(head + " | ".join(cells) + f" | {row['method']} | {row['data_hash']} |")
    return "\n".join(lines)
