"""Published forecasts against what came, and models of this package beside them: the whole table.

    python benchmarks/bench_published.py                     the bundled release alone; 10 seconds
    python benchmarks/bench_published.py --vsrr DIR          also releases in a folder of files
    python benchmarks/bench_published.py --markdown          as docs/published-forecasts.md has it
    python benchmarks/bench_published.py --figure FILE.svg   the figure of that page

With releases at hand, what came of opioids is read off the newest, and what was known on a day off
that day's. Exploratory: the delay rules of the models were made on releases of the same years.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.evidence.yardstick import rows_of
from odforecast.plot.published_forecasts import published_forecasts
from odforecast.sources.vsrr import read_vsrr

MODELS = ("hub-baseline", "naive+delay", "dlm")


def releases_in(folder: Path) -> od.Archive:
    """Releases of a folder that can be read, the bundled one last; in memory."""
    bundled = od.bundled().as_of()
    tables = {}
    for path in sorted(folder.iterdir()):
        try:
            loaded = read_vsrr(path)
        except OdforecastError as error:
            print(f"left out: {error}")
            continue
        tables[loaded.release] = loaded.table
    tables.setdefault(bundled.date, bundled.table)
    return od.Archive.in_memory(tables)


def number(value: float, form: str = ",.0f") -> str:
    """A number, or a dash."""
    return "–" if pd.isna(value) else f"{value:{form}}"


def said(row: dict[str, float], before: str = "") -> str:
    """A median, and its interval where there is one."""
    middle = row["said"] if not before else row[f"{before}_median"]
    low, high = (row[f"{before}_{s}" if before else s] for s in ("low", "high"))
    text = number(middle)
    return text if pd.isna(low) else f"{text} ({number(low)}–{number(high)})"


def years_of(row: dict[str, str]) -> str:
    """The years of a projection."""
    first, last = row["first"][:4], row["last"][:4]
    return first if first == last else f"{first}–{last}"


def lines(table: pd.DataFrame) -> list[list[str]]:
    """Rows as they are printed."""
    out = []
    for row in rows_of(table):
        cells = [
            str(row["forecast"]), str(row["published"]), str(row["counts"]),
            str(row["last"]) if row["kind"] == "predicted value" else years_of(row),
            said(row), number(row["known_then"]), number(row["came"]),
            number(row["error_percent"], "+.1f"), number(row["held"]),
            number(row["interval_score"]), number(row["wis"]), str(row["beside"]),
        ]  # fmt: skip
        for model in MODELS:
            cells += [
                said(row, model), number(row[f"{model}_error_percent"], "+.1f"),
                number(row[f"{model}_held"]), number(row[f"{model}_wis"]),
            ]  # fmt: skip
        out.append(cells)
    return out


HEADS = [
    "forecast", "published", "counts", "period", "said", "known then", "came", "off %", "held",
    "interval score", "WIS", "beside",
    *(f"{m}{x}" for m in MODELS for x in ("", " off %", " held", " WIS")),
]  # fmt: skip


def markdown(table: pd.DataFrame) -> str:
    """The two tables of the page."""
    kept = table[table["beside"].isin(["same count", "all drugs, same years"])]
    text = []
    for kind in ("projection", "predicted value"):
        rows = [
            f"| published | {' | '.join(f'`{m}`' for m in MODELS)} |",
            "|---" * (1 + len(MODELS)) + "|",
        ]
        for row in rows_of(kept[kept["kind"] == kind]):
            what = (
                f"{row['forecast']}, {years_of(row)}"
                if kind == "projection"
                else f"{row['published']}, 12 months to {row['last']}"
            )
            cells = [f"{what}: {row['error_percent']:+.1f} %"]
            for model in MODELS:
                off, held = row[f"{model}_error_percent"], row[f"{model}_held"]
                inside = "" if pd.isna(held) else ", held" if held else ", missed"
                cells.append(f"{number(off, '+.1f')} %{inside}")
            rows.append(f"| {' | '.join(cells)} |")
        text.append("\n".join(rows))
    return "\n\n".join(text)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vsrr", type=Path, help="folder of CDC's files")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    args = parser.parse_args()
    archive = None if args.vsrr is None else releases_in(args.vsrr)
    table = od.evidence.published(archive, models=MODELS, draws=args.draws)
    if args.figure is not None:
        od.plot.save(published_forecasts(table), args.figure)
    if args.markdown:
        print(markdown(table))
        return
    for cells in [HEADS, *lines(table)]:
        print("\t".join(cells))
    values = table[(table["kind"] == "predicted value") & (table["beside"] == "same count")]
    print(f"\nmean absolute error, percent, {len(values)} predicted values of all drugs")
    print(f"CDC\t{values['error_percent'].abs().mean():.2f}")
    for model in MODELS:
        part = values[f"{model}_error_percent"].abs().mean()
        print(f"{model}\t{part:.2f}\theld {number(values[f'{model}_held'].mean(), '.2f')} of 0.95")


if __name__ == "__main__":
    main()
