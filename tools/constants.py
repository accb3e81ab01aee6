"""Estimate every constant of the ``dlm`` and of the delay again: ``make constants``.

The ``dlm``'s come from the bundled release, the delay's from real releases, where they can be
found (``--releases``, ``ODFORECAST_SHARED``). Writes src/odforecast/models/constants.csv, or with
``--check`` compares with it.
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
from delay_constants import (
    delay_rows,
    delay_span,
    is_delay,
    printed_delay,
    read_releases,
    releases_folder,
)

import odforecast as od
from odforecast.geography.places import JURISDICTIONS, REGIONS, lookup
from odforecast.models.constants import COLUMNS, SCALES, read_rows
from odforecast.models.statespace.estimate import NAMES, Counts, estimate_all
from odforecast.panel import Panel
from odforecast.publication import publication_date
from odforecast.seeds import content_hash
from odforecast.vintage.bundle import BUNDLED_RELEASE

TABLE = Path(__file__).resolve().parents[1] / "src" / "odforecast" / "models" / "constants.csv"
NOTE = f"""\
# Constants of the dlm and of the delay layer, estimated by `make constants`; do not edit.
# last_month is the last month CDC had published by the cut-off. The counts up to it are those
# of the release of {BUNDLED_RELEASE}, as revised since: only the span is what was known. The newest
# set ends with the last month whose count was a year old in that release.
# low and high are a 90 % interval; inf: as far as a normal.
# delay_* and revision_*: from real releases whose last count was a year old in the newest release
# known by the cut-off; last_month is the last such count. The layer does not use them: its own
# numbers stand in models/delay/layer.py.
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
    counts = Counts(np.array(cut.monthly), np.array(region, dtype=np.int64), len(REGIONS))
    digest = content_hash(cut.locations, [str(m) for m in cut.months], np.array(cut.reported))
    return Span(cutoff, last, counts, digest)


def estimated(part: Span) -> list[dict[str, str]]:
    """Rows of one set."""
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
        for name, number in estimate_all(part.counts).items()
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


def estimated_delay(given: str | None) -> list[dict[str, str]] | None:
    """Rows of the delay, every cut-off; None, and one line that says so, without releases."""
    folder = releases_folder(given)
    archive = read_releases(folder)
    if archive is None:
        print(
            f"delay: skipped, no releases in {folder} (--releases DIR or ODFORECAST_SHARED): its "
            "rows are neither estimated nor compared, and stay as they ship"
        )
        return None
    return [row for cutoff in CUTOFFS for row in delay_rows(delay_span(archive, cutoff))]


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
    parser.add_argument("--releases", metavar="DIR", help="folder of CDC's releases")
    parser.add_argument("--only", choices=("dlm", "delay"), help="leave the other's rows alone")
    arguments = parser.parse_args(argv)
    assert NAMES == SCALES
    shipped = read_rows(TABLE.read_text(encoding="utf-8"))
    dlm = None if arguments.only == "delay" else estimated_dlm()
    delay = None if arguments.only == "dlm" else estimated_delay(arguments.releases)
    if dlm is not None:
        print(printed(dlm))
        print("\n".join(line[2:] for line in NOTE.splitlines()[1:]))
    if delay is not None:
        print(printed_delay(delay))
    if not arguments.check:
        parts = (
            dlm if dlm is not None else [r for r in shipped if not is_delay(r)],
            delay if delay is not None else [r for r in shipped if is_delay(r)],
        )
        # A set's own month and hash are those of its first row, which is one of the dlm's.
        rows = sorted([row for part in parts for row in part], key=lambda r: r["cutoff"])
        TABLE.write_text(written(rows), encoding="utf-8")
        return 0
    lines = []
    if dlm is not None:
        lines += compared(dlm, [r for r in shipped if not is_delay(r)])
    if delay is not None:
        lines += compared(delay, [r for r in shipped if is_delay(r)])
    what = " and ".join(n for n, r in (("dlm", dlm), ("delay", delay)) if r is not None)
    same = f"constants.csv: {what} as estimated now" if what else "constants.csv: nothing compared"
    print("\n".join(lines) if lines else same)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
