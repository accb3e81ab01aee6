"""Estimate every constant of the ``dlm`` and of the delay again: ``make constants``.

The ``dlm``'s come from the bundled release, the delay's from the donors that ship. Those of the
share of T40.4 (``share_*``) come from the bundled release, and its late arrivals from the real
releases in ../shared/data (or where ODFORECAST_SHARED points): without them, those rows stay.
Writes src/odforecast/models/constants.csv and models/delay/delay.csv, or with ``--check`` compares
with them.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from delay_constants import TABLE as DELAY_TABLE
from delay_constants import compared_delay, estimated_delay, printed_delay, written_delay

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.geography import NATION
from odforecast.geography.places import JURISDICTIONS, REGIONS, lookup
from odforecast.models.constants import COLUMNS, SCALES, SHARE, all_constants, read_rows
from odforecast.models.statespace.estimate import NAMES, Counts, estimate_all
from odforecast.models.statespace.filter import filtered
from odforecast.models.statespace.model import of_the_constants
from odforecast.models.statespace.share_estimate import estimate_late, estimate_share
from odforecast.models.statespace.share_inputs import share_inputs
from odforecast.models.statespace.tail import Number
from odforecast.months import month_lengths
from odforecast.panel import Panel
from odforecast.publication import publication_date
from odforecast.seeds import content_hash
from odforecast.vintage.bundle import BUNDLED_RELEASE

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "src" / "odforecast" / "models" / "constants.csv"
RELEASES = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
NOTE = f"""\
# Constants of the dlm, estimated by `make constants`; do not edit.
# last_month is the last month CDC had published by the cut-off. The counts up to it are those
# of the release of {BUNDLED_RELEASE}, as revised since: only the span is what was known. The newest
# set ends with the last month whose count was a year old in that release.
# low and high are a 90 % interval; inf: as far as a normal.
"""
#: Last day on which what a set rests on was published; the last is the bundled release's.
CUTOFFS = ("2018-12-31", "2020-12-31", "2022-12-31", BUNDLED_RELEASE)
#: A count this old is settled.
SETTLED = 12
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
        len(REGIONS),
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


def estimated_shares() -> list[dict[str, str]]:
    """Rows of the share of T40.4, every cut-off; those of its late arrivals where releases are."""
    whole = od.bundled().as_of(BUNDLED_RELEASE).panel()
    scales = of_the_constants(all_constants()[0])
    releases = [*read_releases(), (BUNDLED_RELEASE, whole)]
    rows: list[dict[str, str]] = []
    for cutoff in CUTOFFS:
        part = span(cutoff, whole)
        cut = whole.cut(part.last_month)
        states = [filtered(cut, JURISDICTIONS, scales)]
        found = share_inputs(cut, "T40.4", states, True, None, 1.0)
        assert found is not None
        numbers = estimate_share(found[0])
        known = [(day, panel) for day, panel in releases if day <= cutoff]
        if len(known) > 1:
            numbers |= estimate_late(*late_of_parts(known))
        digest = content_hash(part.data_hash, np.array(cut.beside["T40.4"].reported))
        named = {f"share_{name}": number for name, number in numbers.items()}
        rows += as_rows(replace(part, data_hash=digest), named)
    return rows


def read_releases() -> list[tuple[str, Panel]]:
    """Real releases of all drugs that have T40.4 beside them, oldest first."""
    found = []
    for file in sorted(RELEASES.glob("20*")):
        try:
            panel = od.read(file).panel()
        except OdforecastError:
            continue
        if "T40.4" in panel.beside:
            found.append((str(panel.release), panel))
    return found


def late_of_parts(
    known: list[tuple[str, Panel]],
) -> tuple[list[float], list[tuple[np.ndarray, np.ndarray]]]:
    """What the last counts of T40.4 missed, seen from the last of some releases.

    Returns
    -------
    nation : list of float
        Per release: late share of T40.4 over that of all drugs, in the nation.
    own : list of (late, expected)
        By location: deaths of T40.4 that came, and its share of those of all drugs that came.
    """
    day, truth = known[-1]
    nation, own = [], []
    for _, panel in known[:-1]:
        part, last = panel.beside["T40.4"], panel.last_month
        if part.last_month != last or int((np.datetime64(day, "M") - last).astype(int)) <= SETTLED:
            continue
        late, expected = [], []
        for s in part.locations:
            then, now = (count_at(p, s, last) for p in (panel, truth))
            y, later = (count_at(p.beside["T40.4"], s, last) for p in (panel, truth))
            if not np.isfinite(then + now + y + later) or then <= 0 or y <= 0:
                continue
            if s == NATION:
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


def merged(shipped: list[dict[str, str]], rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The table with some of its rows estimated anew, set by set, in the order of the names."""
    names = [*dict.fromkeys(r["name"] for r in shipped if not r["name"].startswith("share_"))]
    names += [n for n in dict.fromkeys(r["name"] for r in rows) if n not in (*names, *SHARE)]
    held = {(r["cutoff"], r["name"]): r for r in [*shipped, *rows]}
    order = [(cutoff, name) for cutoff in CUTOFFS for name in (*names, *SHARE)]
    return [held[key] for key in order if key in held]


def compared(rows: list[dict[str, str]], shipped: list[dict[str, str]]) -> list[str]:
    """Lines that name what differs between two tables."""
    ships = {(r["cutoff"], r["name"]): r for r in shipped}
    lines = []
    for row in rows:
        old = ships.pop((row["cutoff"], row["name"]), None)
        if differs(row, old):
            lines.append(f"ships: {','.join(old.values()) if old else 'nothing'}")
            lines.append(f"  now: {','.join(row.values())}")
    return lines + [f"ships: {','.join(old.values())}\n  now: nothing" for old in ships.values()]


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
    assert NAMES == SCALES
    shipped = read_rows(TABLE.read_text(encoding="utf-8"))
    dlm = estimated_dlm() if arguments.only in (None, "dlm") else None
    delay = estimated_delay(CUTOFFS) if arguments.only in (None, "delay") else None
    if arguments.only in (None, "share"):
        dlm = (dlm or []) + estimated_shares()
    if dlm is not None:
        print(printed(dlm))
        print("\n".join(line[2:] for line in NOTE.splitlines()[1:]))
    if delay is not None:
        print(printed_delay(delay))
    if not arguments.check:
        if dlm is not None:
            TABLE.write_text(written(merged(shipped, dlm)), encoding="utf-8")
        if delay is not None:
            DELAY_TABLE.write_text(written_delay(delay), encoding="utf-8")
        return 0
    if arguments.only is not None or not read_releases():
        # Rows that were not estimated now are not compared.
        now = {(r["cutoff"], r["name"]) for r in dlm or []}
        shipped = [r for r in shipped if (r["cutoff"], r["name"]) in now]
    lines = [] if dlm is None else compared(dlm, shipped)
    lines += [] if delay is None else compared_delay(delay)
    what = " and ".join(n for n, r in (("dlm", dlm), ("delay", delay)) if r is not None)
    print("\n".join(lines) if lines else f"{what}: as estimated now")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
