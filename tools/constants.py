"""Estimate every constant of the ``dlm`` and of the delay again: ``make constants``.

The ``dlm``'s come from the newest bundled release, the delay's from the donors that ship, those of
each drug class's share from that release and from real ones (see ``share_constants.py``). Writes
src/odforecast/models/constants.csv, models/delay/delay.csv and models/statespace/shares.csv, or
with ``--check`` compares with them.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from delay_constants import TABLE as DELAY_TABLE
from delay_constants import compared_delay, estimated_delay, printed_delay, written_delay
from dlm_estimate import Counts, Number, estimate_all
from share_constants import TABLE as SHARE_TABLE
from share_constants import (
    estimated_shares,
    merged_shares,
    printed_shares,
    shipped_shares,
    written_shares,
)

import odforecast as od
from odforecast.geography.places import JURISDICTIONS, REGIONS, lookup
from odforecast.models.constants import read_rows
from odforecast.months import month_lengths
from odforecast.panel import Panel
from odforecast.publication import publication_date
from odforecast.seeds import content_hash
from odforecast.vintage.bundle import BUNDLED_RELEASE

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "src" / "odforecast" / "models" / "constants.csv"
NOTE = f"""\
# Constants of the dlm, estimated by `make constants`; do not edit.
# last_month is the last month CDC had published by the cut-off. The counts up to it are those
# of the release of {BUNDLED_RELEASE}, as revised since: only the span is what was known. The newest
# set ends with the last month whose count was a year old in that release.
# low and high are a 90% interval; inf: as far as a normal.
"""
#: Columns of the table.
COLUMNS = (
    "cutoff",
    "last_month",
    "name",
    "value",
    "low",
    "high",
    "how",
    "data_hash",
    "method",
)
#: Last day on which what a set rests on was published; the last is the bundled release's.
CUTOFFS = ("2018-12-31", "2020-12-31", "2022-12-31", "2024-12-31", BUNDLED_RELEASE)
#: A count this old is settled.
SETTLED = 12
#: What names a row: of the table, and of that of the drug classes.
KEY, SHARE_KEY = ("cutoff", "name"), ("cutoff", "class", "name")
#: Relative difference that counts as the same, and the same as a share of the interval.
SAME, SAME_IN_INTERVAL = 0.02, 0.1


@dataclass(frozen=True)
class Span:
    """What a set rests on."""

    cutoff: str
    last_month: np.datetime64
    counts: Counts
    data_hash: str


def span(cutoff: str, panel: Panel | None = None) -> Span:
    """The months of the bundled release that were published by a cut-off."""
    if panel is None:
        panel = od.bundled().as_of(BUNDLED_RELEASE).panel()
    known = [m for m in panel.months if str(publication_date(m)) <= cutoff]
    settled = np.datetime64(BUNDLED_RELEASE, "M") - np.timedelta64(SETTLED, "M")
    last = min(known[-1], settled)
    cut = panel.select(JURISDICTIONS).cut(last)
    region = [REGIONS.index(lookup(s).region or "") for s in cut.locations]
    counts = Counts(
        np.array(cut.monthly),
        np.array(region, dtype=np.int64),
        month_lengths(cut.month_grid),
    )
    digest = content_hash(cut.locations, [str(m) for m in cut.months], np.array(cut.reported))
    return Span(cutoff, last, counts, digest)


def estimated(part: Span) -> list[dict[str, str]]:
    """Rows of one set."""
    return as_rows(part, estimate_all(part.counts))


def as_rows(part: Span, numbers: dict[str, Number]) -> list[dict[str, str]]:
    """Numbers as rows of a set."""
    return [
        dict(
            zip(
                COLUMNS,
                (
                    part.cutoff,
                    str(part.last_month),
                    name,
                    f"{number.value:.4g}",
                    "" if np.isnan(number.low) else f"{number.low:.4g}",
                    "" if np.isnan(number.high) else f"{number.high:.4g}",
                    number.how,
                    part.data_hash,
                    number.method,
                ),
                strict=True,
            )
        )
        for name, number in numbers.items()
    ]


def differs(new: dict[str, str], old: dict[str, str] | None) -> bool:
    """Whether a row says something else than the one that ships."""
    if old is None or any(new[k] != old[k] for k in ("last_month", "how", "data_hash")):
        return True
    was = float(old["value"])
    wide = float(old["high"]) - float(old["low"]) if old["low"] and old["high"] != "inf" else 0.0
    allowed = max(SAME * abs(was), SAME_IN_INTERVAL * wide)
    return abs(float(new["value"]) - was) > allowed


def written(rows: list[dict[str, str]]) -> str:
    """The file's text."""
    out = io.StringIO()
    out.write(NOTE)
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def printed(rows: list[dict[str, str]]) -> str:
    """One line per constant, one column per cut-off."""
    sets = list(dict.fromkeys((r["cutoff"], r["last_month"]) for r in rows))
    lines = ["| cut-off (last month) | " + " | ".join(f"{c} ({m})" for c, m in sets) + " |"]
    lines.append("|---" * (len(sets) + 1) + "|")
    for name in dict.fromkeys(r["name"] for r in rows):
        cells = []
        for r in (r for r in rows if r["name"] == name):
            bounds = f" [{r['low']}, {r['high']}]" if r["low"] else ""
            cells.append(r["value"] + bounds + (" *" if r["how"] == "assumed" else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "* assumed, not estimated"])


def estimated_dlm() -> list[dict[str, str]]:
    """Rows of the ``dlm``, every cut-off; takes minutes."""
    rows: list[dict[str, str]] = []
    panel = od.bundled().as_of(BUNDLED_RELEASE).panel()
    for cutoff in CUTOFFS:
        began = time.perf_counter()
        part = span(cutoff, panel)
        rows += estimated(part)
        took = time.perf_counter() - began
        print(f"{cutoff}: months to {part.last_month}, {took:.0f} s", file=sys.stderr, flush=True)
    return rows


def compared(
    rows: list[dict[str, str]], shipped: list[dict[str, str]], key: tuple[str, ...] = KEY
) -> list[str]:
    """Lines that name what differs between two tables."""
    ships = {tuple(r[k] for k in key): r for r in shipped}
    lines = []
    for row in rows:
        old = ships.pop(tuple(row[k] for k in key), None)
        if differs(row, old):
            lines.append(f"ships: {','.join(old.values()) if old else 'nothing'}")
            lines.append(f"  now: {','.join(row.values())}")
    return lines + [f"ships: {','.join(old.values())}\n  now: nothing" for old in ships.values()]


def compared_shares(rows: list[dict[str, str]]) -> list[str]:
    """The same of the drug classes; rows that could not be estimated here are not compared."""
    now = {tuple(r[k] for k in SHARE_KEY) for r in rows}
    shipped = [r for r in shipped_shares() if tuple(r[k] for k in SHARE_KEY) in now]
    return compared(rows, shipped, SHARE_KEY)


def main(argv: list[str] | None = None) -> int:
    """Estimate, print, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare with what ships, write nothing"
    )
    parser.add_argument(
        "--only", choices=("dlm", "delay", "share"), help="leave the other's rows alone"
    )
    arguments = parser.parse_args(argv)
    dlm = estimated_dlm() if arguments.only in (None, "dlm") else None
    delay = estimated_delay(CUTOFFS) if arguments.only in (None, "delay") else None
    shares = None
    if arguments.only in (None, "share"):
        shares = estimated_shares({cutoff: span(cutoff).last_month for cutoff in CUTOFFS})
    if dlm is not None:
        print(printed(dlm))
        print("\n".join(line[2:] for line in NOTE.splitlines()[1:]))
    if delay is not None:
        print(printed_delay(delay))
    if shares is not None:
        print(printed_shares(shares))
    if not arguments.check:
        if dlm is not None:
            TABLE.write_text(written(dlm), encoding="utf-8")
        if delay is not None:
            DELAY_TABLE.write_text(written_delay(delay), encoding="utf-8")
        if shares is not None:
            old = [r for r in shipped_shares() if r["cutoff"] in CUTOFFS]
            rows = merged_shares(old, shares)
            SHARE_TABLE.write_text(written_shares(rows), encoding="utf-8")
        return 0
    lines = [] if dlm is None else compared(dlm, read_rows(TABLE.read_text(encoding="utf-8")))
    lines += [] if delay is None else compared_delay(delay)
    lines += [] if shares is None else compared_shares(shares)
    done = (("dlm", dlm), ("delay", delay), ("share", shares))
    what = " and ".join(n for n, r in done if r is not None)
    print("\n".join(lines) if lines else f"{what}: as estimated now")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
