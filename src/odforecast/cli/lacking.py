"""What models did not forecast: a mean over fewer counts is no fair one, and says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console

from odforecast.backtesting import Results
from odforecast.backtesting.results import BASELINE
from odforecast.backtesting.unit import on_screen
from odforecast.cli.screen import plain_table, print_whole


def print_lacking(screen: Console, results: Results) -> None:
    """Print forecasts that are missing and failures, per model; one line where there are none."""
    table = lacking(results)
    named = f"; n: counts in common with {BASELINE}" if BASELINE in set(table["model"]) else ""
    short = table[(table["missing"] > 0) | (table["failures"] > 0)]
    if short.empty:
        n = table.groupby("vintage", sort=False)["asked"].first()
        said = ", ".join(f"{int(k):,} ({kind})" for kind, k in n.items())
        screen.print(f"missing: none; every model made all forecasts: {said}", highlight=False)
        return
    grid = plain_table()
    grid.add_column("model", overflow="fold")
    grid.add_column("vintages", overflow="fold")
    for name in ("asked", "missing", "failures", *(["n"] if named else [])):
        grid.add_column(name, justify="right", no_wrap=True)
    for row in short.to_dict("records"):
        cells = [f"{row[k]:,}" for k in ("asked", "missing", "failures")]
        grid.add_row(row["model"], row["vintage"], *cells, *([f"{row['n']:,}"] if named else []))
    screen.print("missing forecasts", style="bold", highlight=False)
    print_whole(screen, grid)
    for row in short[short["failures"] > 0].to_dict("records"):
        screen.print(f"  {row['model']}: {on_screen(row['reason'])}", highlight=False)
    screen.print(
        f"missing: of the forecasts asked for; the others made all{named}. Ratios are of counts "
        "that both models have.",
        highlight=False,
    )


def lacking(results: Results) -> pd.DataFrame:
    """Forecasts asked for, missing, and failures, per model and kind of vintage.

    Returns
    -------
    DataFrame
        ``vintage``, ``model``, ``asked``, ``missing``, ``failures``, ``reason`` (the commonest),
        ``n`` (counts scored that the hub baseline has as well; 0 without it).
    """
    scores, failures, says = results.scores, results.failures, results.manifest
    ahead = scores.loc[
        scores["horizon"] >= 1,
        ["model", "vintage", "as_of", "donor", "location", "target", "month", "scorable"],
    ]
    rows = []
    for kind, asked in _asked(says).items():
        mine = ahead[ahead["vintage"].astype(str) == kind]
        failed = failures[failures["vintage"].astype(str) == kind]
        base = mine[(mine["model"] == BASELINE) & mine["scorable"].astype(bool)]
        there = pd.MultiIndex.from_frame(base[_KEYS].astype(str))
        for model in dict.fromkeys([*mine["model"].astype(str), *failed["model"].astype(str)]):
            part = mine[mine["model"] == model]
            why = failed.loc[failed["model"] == model, "reason"].astype(str).value_counts()
            scored = part[part["scorable"].astype(bool)]
            missing = max(asked - len(part), 0)
            n = len(scored)
            if missing and len(there):  # else it has what the baseline has
                n = int(pd.MultiIndex.from_frame(scored[_KEYS].astype(str)).isin(there).sum())
            rows.append(
                {
                    "vintage": kind,
                    "model": model,
                    "asked": asked,
                    "missing": missing,
                    "failures": int(why.sum()),
                    "reason": str(why.index[0]) if len(why) else "",
                    "n": min(n, len(base)),
                }
            )
    columns = ["vintage", "model", "asked", "missing", "failures", "reason", "n"]
    return pd.DataFrame(rows, columns=columns)


_KEYS = ["as_of", "donor", "location", "target", "month"]


def _asked(says: Mapping[str, Any]) -> dict[str, int]:
    """Forecasts that were asked for of a model, by kind of vintage."""
    horizons: str | Sequence[int] = says["horizons"]
    n_ahead = int(says["horizon"]) if isinstance(horizons, str) else len(horizons)
    each = len(says["locations"]) * len(says["targets"]) * n_ahead
    out: dict[str, int] = {}
    for origin in says["origins"]:
        usable = origin["data_hash"] is not None
        out[origin["vintage"]] = out.get(origin["vintage"], 0) + each * usable
    return out
