"""Estimate the delay's constants again, from the donors that ship: part of ``make constants``.

Each dated set rests on the releases whose last count was a year old by its cut-off, and comes once
more without each of them: a panel that is delayed by a release is completed without it.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from scipy.stats import t as student

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.models.constants import read_rows
from odforecast.models.delay.constants import (
    SHIPPED,
    SettledRelease,
    estimate,
    settle_release,
    settled_by,
)
from odforecast.models.delay.deficit import NAMES, SPAN, Delays
from odforecast.vintage.bundle import BUNDLED_RELEASE
from odforecast.vintage.donors import shipped

TABLE = (
    Path(__file__).resolve().parents[1] / "src" / "odforecast" / "models" / "delay" / "delay.csv"
)
#: What the releases turned out to miss, beside it: an archive's own are added to them.
SEEN = TABLE.with_name(SHIPPED)
ABOUT = (
    "What releases turned out to miss, by month of death, the last first; do not edit.",
    "From the donors that ship (vintage/bundled/donors.csv.gz), by `make constants`.",
)
NOTE = f"""\
# Constants of the reporting delay, estimated by `make constants`; do not edit.
# From the donors that ship (vintage/bundled/donors.csv.gz): what real releases turned out to miss.
# A set rests on the releases whose last count was a year old by the cut-off. What they missed is
# that of the release of {BUNDLED_RELEASE}: only the span is what was known.
# without: a release left out, for panels that are delayed by it.
# low and high are a 90% interval by the jackknife over releases, which overlap: rather too narrow.
"""
#: Columns of the table: ``without`` is the release left out, or empty.
COLUMNS = ("cutoff", "without", "name", "value", "low", "high", "how", "method")
#: Columns and significant digits of what releases missed.
SEEN_COLUMNS = ("release", "n_open", "closing", "newest", "location", "quantity", "values")
DIGITS = 6
#: Relative difference that counts as the same: optima differ between machines.
SAME = 0.02


@cache
def observations() -> tuple[SettledRelease, ...]:
    """What every donor turned out to miss, oldest first."""
    truth = od.bundled().as_of(BUNDLED_RELEASE).panel()
    found = (settle_release(truth.delayed(d.last_month, d), truth) for d in shipped())
    return tuple(s for s in found if s is not None)


def delay_rows(cutoff: str, found: Sequence[SettledRelease]) -> list[dict[str, str]]:
    """Rows of one set, and of the same without each release."""
    known = settled_by(cutoff, found)
    whole, how = estimate(known)
    without: dict[str, Delays] = {}
    if len(known) > 2:
        for left_out in known:
            rest = [s for s in known if s is not left_out]
            without[left_out.release] = estimate(rest)[0]
    span = f"{len(known)} releases {known[0].release} to {known[-1].release}"
    rows = []
    for name in NAMES:
        low = high = ""
        value = getattr(whole, name)
        if how[name] == "estimated" and without:
            n = len(without)
            others = np.array([getattr(each, name) for each in without.values()])
            sd = np.sqrt((n - 1) / n * np.square(others - others.mean()).sum())
            half = float(student.ppf(0.95, n - 1) * sd)
            low, high = f"{max(value - half, 0.0):.4g}", f"{value + half:.4g}"
        cells = (cutoff, "", name, f"{value:.4g}", low, high, how[name], span)
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
    for release, constants in without.items():
        for name in NAMES:
            value = getattr(constants, name)
            cells = (cutoff, release, name, f"{value:.4g}", "", "", how[name], "")
            rows.append(dict(zip(COLUMNS, cells, strict=True)))
    return rows


def estimated_delay(cutoffs: Sequence[str]) -> list[dict[str, str]]:
    """Rows of every cut-off."""
    found = observations()
    return [row for cutoff in cutoffs for row in delay_rows(cutoff, found)]


def compared_delay(rows: list[dict[str, str]]) -> list[str]:
    """Lines that name what differs from the table that ships."""
    ships = {
        (r["cutoff"], r["without"], r["name"]): r
        for r in read_rows(TABLE.read_text(encoding="utf-8"))
    }
    lines = []
    for row in rows:
        key = (row["cutoff"], row["without"], row["name"])
        old = ships.pop(key, None)
        new = float(row["value"])
        if old is None or abs(new - float(old["value"])) > SAME * max(abs(new), 1e-4):
            lines += [f"ships: {','.join(old.values()) if old else 'nothing'}"]
            lines += [f"  now: {','.join(row.values())}"]
    if written(observations(), ABOUT) != gzip.decompress(SEEN.read_bytes()).decode():
        lines += [f"ships: another {SHIPPED}", f"  now: {len(observations())} releases"]
    return lines + [f"ships: {','.join(old.values())}\n  now: nothing" for old in ships.values()]


def written_delay(rows: list[dict[str, str]]) -> str:
    """The text of the table of constants; what they rest on is written beside it."""
    write_seen()
    out = io.StringIO()
    out.write(NOTE)
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_seen() -> None:
    """Write what the releases turned out to miss, the same bytes for the same content."""
    text = written(observations(), ABOUT)
    SEEN.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def written(found: Sequence[SettledRelease], about: Sequence[str] = ()) -> str:
    """What releases missed as text: a line per release, jurisdiction and quantity, the last month
    first; ``about`` are lines of the header.
    """
    lines = [*(f"# {line}" for line in about), ",".join(SEEN_COLUMNS)]
    for s in found:
        n = min(s.n_open, 12)
        tables = {
            "pending": s.pending,
            "predicted": s.predicted,
            "late": s.late[:, : min(s.n_open + 12, SPAN)],  # the open months and the closed year
            "months": s.months[:, :n],
            "counts": np.column_stack([s.last, s.year]),
        }
        for row, state in enumerate(JURISDICTIONS):
            head = f"{s.release},{s.n_open},{s.closing:.{DIGITS}g},{s.newest},{state}"
            for name, table in tables.items():
                values = ("-" if np.isnan(x) else f"{x + 0.0:.{DIGITS}g}" for x in table[row])
                lines.append(f"{head},{name},{' '.join(values)}")
    return "\n".join(lines) + "\n"


def printed_delay(rows: list[dict[str, str]]) -> str:
    """One line per constant, one column per cut-off."""
    whole = [r for r in rows if not r["without"]]
    cutoffs = list(dict.fromkeys(r["cutoff"] for r in whole))
    lines = ["| delay: cut-off | " + " | ".join(cutoffs) + " |", "|---" * (len(cutoffs) + 1) + "|"]
    for name in NAMES:
        cells = []
        for r in (r for r in whole if r["name"] == name):
            bounds = f" [{r['low']}, {r['high']}]" if r["low"] else ""
            cells.append(r["value"] + bounds + (" *" if r["how"] == "assumed" else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "* assumed, not estimated"])
