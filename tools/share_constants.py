"""Estimate the numbers of each drug class's share again: part of ``make constants``.

The scales come from the bundled release; what arrives late of each class from the real releases in
../shared/data (or where ODFORECAST_SHARED points) too: without them, those rows stay.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from dlm_estimate import Number
from releases import release_files
from share_estimate import estimate_late, estimate_share, filled, pooled

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.geography import NATION
from odforecast.geography.places import JURISDICTIONS
from odforecast.models.constants import all_constants, read_rows
from odforecast.models.statespace.kalman import filtered
from odforecast.models.statespace.model import CLASSES, of_the_constants
from odforecast.models.statespace.share import ShareScales, share_inputs
from odforecast.panel import Panel
from odforecast.seeds import content_hash
from odforecast.vintage.bundle import BUNDLED_RELEASE
from odforecast.vintage.vintage import Vintage

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "src" / "odforecast" / "models" / "statespace" / "shares.csv"
NOTE = f"""\
# Numbers of each drug class's share of all drugs, estimated by `make constants ONLY=share`; do not
# edit. last_month is the last month CDC had published by the cut-off, and at least a year old in
# the release of {BUNDLED_RELEASE}, which the counts are from. As revised since: only the span is
# what was known. late, late_shared and late_own rest on real releases whose last count was a year
# old by the cut-off.
# low and high are a 90% interval. pooled: a mean over the classes. assumed: that of the others.
"""
#: Columns of the table.
COLUMNS = (
    "cutoff",
    "class",
    "last_month",
    "name",
    "value",
    "low",
    "high",
    "how",
    "data_hash",
    "method",
)
#: Names of the numbers: those of the filter, then of what arrives late.
SHARE = tuple(f.name for f in fields(ShareScales))
#: How a printed number is marked.
MARKS = {"estimated": "", "pooled": " °", "assumed": " *"}
#: A count this many months old is settled. What arrives late of a class is read off those that are
#: older still: the delay of all drugs takes twelve months as enough, a class a month more.
SETTLED = 12
#: Releases by day: all drugs, with every class of the release beside it.
Releases = list[tuple[str, Panel]]


def read_releases() -> Releases:
    """Real releases older than the bundled one, oldest first; see :func:`with_classes`."""
    found = []
    for file in release_files():
        try:
            day, whole = with_classes(od.read(file))
        except OdforecastError:
            continue
        if day < BUNDLED_RELEASE and set(CLASSES) & set(whole.beside):
            found.append((day, whole))
    return found


def with_classes(vintage: Vintage) -> tuple[str, Panel]:
    """A release of all drugs with the drug classes that it holds beside them, and its day."""
    whole, beside = vintage.panel(), {}
    for short in CLASSES:
        try:
            part = vintage.panel(short)
        except OdforecastError:
            continue
        if part.last_month == whole.last_month:
            beside[short] = replace(part, beside={}, triangle=None, notes=())
    return str(whole.release), replace(whole, beside={**whole.beside, **beside})


def estimated_shares(last_months: Mapping[str, np.datetime64]) -> list[dict[str, str]]:
    """Rows of every class and cut-off, as far as the releases at hand tell.

    Parameters
    ----------
    last_months : mapping of str to numpy.datetime64
        The last month of each cut-off's set, by the bundled release.
    """
    real = read_releases()
    releases = [*real, with_classes(od.bundled().as_of(BUNDLED_RELEASE))]
    rows: list[dict[str, str]] = []
    for cutoff, last in last_months.items():
        found: dict[str, dict[str, Number]] = {}
        spans: dict[str, tuple[str, str]] = {}
        for short in CLASSES:
            of_class = [r for r in releases if short in r[1].beside]
            numbers, month, digest = scales_of(of_class[-1], short, last)
            known = [(day, panel) for day, panel in of_class if day <= cutoff]
            if real:
                numbers |= estimate_late(*late_of_parts(known, short))
            found[short], spans[short] = numbers, (month, digest)
        for short, numbers in filled(pooled(found)).items():
            rows += as_rows(cutoff, short, *spans[short], numbers)
    return rows


def scales_of(
    release: tuple[str, Panel], short: str, last: np.datetime64
) -> tuple[dict[str, Number], str, str]:
    """Scales of a class by the months up to the last that a set knew; that month, and a hash."""
    day, whole = release
    settled = np.datetime64(day, "M") - np.timedelta64(SETTLED, "M")
    cut = whole.cut(min(last, settled))
    only = replace(cut, beside={short: cut.beside[short]})
    states = [filtered(cut, JURISDICTIONS, of_the_constants(all_constants()[0]))]
    inputs = share_inputs(short, only, states, True, None, 1.0)
    here = cut.select(JURISDICTIONS)
    digest = content_hash(here.locations, [str(m) for m in here.months], np.array(here.reported))
    digest = content_hash(digest, np.array(cut.beside[short].reported))
    return {} if inputs is None else estimate_share(inputs), str(cut.last_month), digest


def late_of_parts(
    known: Releases, short: str
) -> tuple[list[float], list[tuple[np.ndarray, np.ndarray]]]:
    """What the last counts of a class missed, seen from the last of some releases.

    Returns
    -------
    nation : list of float
        Per release: late share of the class over that of all drugs, in the nation.
    own : list of (late, expected)
        By location: deaths of the class that came, and its share of those of all drugs that came.
    """
    nation: list[float] = []
    own: list[tuple[np.ndarray, np.ndarray]] = []
    if not known:
        return nation, own
    day, truth = known[-1]
    for _, panel in known[:-1]:
        part, last = panel.beside[short], panel.last_month
        if part.last_month != last or int((np.datetime64(day, "M") - last).astype(int)) <= SETTLED:
            continue
        late, expected = [], []
        for s in part.locations:
            then, now = (count_at(p, s, last) for p in (panel, truth))
            y, later = (count_at(p.beside[short], s, last) for p in (panel, truth))
            if not np.isfinite(then + now + y + later) or then <= 0 or y <= 0:
                continue
            if s == NATION:
                if now != then:  # else nothing arrived that the class could have a share of
                    nation.append((later - y) / y / ((now - then) / then))
            else:
                late.append(later - y)
                expected.append((now - then) * y / then)
        own.append((np.array(late), np.array(expected)))
    return nation, own


def count_at(panel: Panel, location: str, month: np.datetime64) -> float:
    """A reported count; NaN where there is none."""
    if location not in panel.locations or month not in panel.months:
        return float("nan")
    column = int((month - panel.months[0]).astype(int))
    return float(panel.reported[panel.locations.index(location), column])


def as_rows(
    cutoff: str, short: str, last_month: str, data_hash: str, numbers: Mapping[str, Number]
) -> list[dict[str, str]]:
    """Numbers as rows of a set, in the order of the names."""
    rows = []
    for name in (n for n in SHARE if n in numbers):
        number = numbers[name]
        low, high = ("" if np.isnan(x) else f"{x:.4g}" for x in (number.low, number.high))
        cells = (
            cutoff, short, last_month, name, f"{number.value:.4g}", low, high, number.how,
            data_hash, number.method,
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
    return rows


def shipped_shares() -> list[dict[str, str]]:
    """The rows that ship."""
    return read_rows(TABLE.read_text(encoding="utf-8"))


def merged_shares(
    shipped: list[dict[str, str]], rows: list[dict[str, str]]
) -> list[dict[str, str]]:
    """The table with some of its rows estimated anew, set by set, class by class."""
    held = {(r["cutoff"], r["class"], r["name"]): r for r in [*shipped, *rows]}
    cutoffs = sorted({r["cutoff"] for r in held.values()})
    order = [(cutoff, short, name) for cutoff in cutoffs for short in CLASSES for name in SHARE]
    return [held[key] for key in order if key in held]


def written_shares(rows: list[dict[str, str]]) -> str:
    """The file's text."""
    out = io.StringIO()
    out.write(NOTE)
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def printed_shares(rows: list[dict[str, str]]) -> str:
    """One table per class: a line per number, a column per cut-off."""
    lines = []
    for short in dict.fromkeys(r["class"] for r in rows):
        mine = [r for r in rows if r["class"] == short]
        sets = list(dict.fromkeys((r["cutoff"], r["last_month"]) for r in mine))
        lines.append(f"| {short} | " + " | ".join(f"{c} ({m})" for c, m in sets) + " |")
        lines.append("|---" * (len(sets) + 1) + "|")
        for name in dict.fromkeys(r["name"] for r in mine):
            cells = []
            for r in (r for r in mine if r["name"] == name):
                bounds = f" [{r['low']}, {r['high']}]" if r["low"] else ""
                cells.append(r["value"] + bounds + MARKS[r["how"]])
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join([*lines, "* assumed: the mean of the other classes; ° pooled over classes"])
