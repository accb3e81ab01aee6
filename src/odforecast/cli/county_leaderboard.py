"""The tables that ``odforecast backtest --dataset counties`` prints: models, per horizon."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from odforecast.backtesting import Results
from odforecast.cli.written import form_of
from odforecast.say import number_of
from odforecast.scoring.summary import COUNTY_BASELINE, COUNTY_TITLE


def county_leaderboard(screen: Console, results: Results, extra: list[str]) -> None:
    """One table per horizon and what else is asked for: a row a model, the best first."""
    keys = ["vintage", *extra, "horizon"]
    board = results.leaderboard(by=keys)
    if "target" in board and "target" not in keys:
        keys = ["vintage", "target", *keys[1:]]
    screen.print(f"Counties: {COUNTY_TITLE}", style="bold", highlight=False)
    related = board["rel_twcrps"].notna().any()
    for head, part in board.groupby(keys, sort=False, observed=True):
        labels: dict[str, Any] = dict(zip(keys, head, strict=True))
        ahead = labels.pop("horizon")
        named = [_said(k, v) for k, v in labels.items() if k != "vintage" or len(extra) == 0]
        months = f"{number_of(int(ahead), 'month')} ahead"
        first = part.iloc[0]
        if not part["n_units"].any():
            screen.print(f"{', '.join([months, *named])}: nothing can be scored", highlight=False)
            continue
        screen.print(
            f"{', '.join([months, *named])} ({part['n_units'].max():,} forecasts a model, "
            f"{number_of(int(first['n_counties']), 'county', 'counties')} in "
            f"{number_of(int(first['n_states']), 'state')})",
            style="bold",
            highlight=False,
        )
        table = Table(padding=(0, 1, 0, 0), box=SIMPLE_HEAD)
        table.add_column("", overflow="fold")
        shown = ["twCRPS", *(["rel", "bands\nrel"] if related else ["bands\nRPS"]), "WIS"]
        for name in (*shown, *(["rel"] if related else []), "cov90"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in part.to_dict("records"):
            cells = [_number(row["twcrps"], "{:.2f}")]
            if related:
                cells += [_ratio(row, "twcrps"), _number(row["rel_rps"], "{:.2f}")]
            else:
                cells.append(_number(row["rps"], "{:.3f}"))
            cells.append(_number(row["wis"], "{:.1f}"))
            if related:
                cells.append(_ratio(row, "wis"))
            table.add_row(str(row["model"]), *cells, _number(row["coverage_90"], "{:.2f}"))
        screen.print(table)
    rel = (
        f" rel: as a share of {COUNTY_BASELINE}'s on the same units, ± its standard error over "
        "states;"
        if related
        else ""
    )
    screen.print(
        "twCRPS: mean CRPS of max(deaths, 9), over all counties, whose hidden counts are 9 or less;"
        f"{rel} bands: ranked probability score of 0, 1 to 9, 10 and more; WIS, cov90 (share of "
        "truths inside the 90% interval): counties visible at the origin with a known count. "
        "Lower is better.",
        highlight=False,
    )


def _said(key: str, value: object) -> str:
    if key == "visible":
        return "visible at the origin" if value else "hidden at the origin"
    if isinstance(value, pd.Timestamp):
        return f"{value:{form_of(key)}}"
    return f"{key} {value}" if key in ("size", "urban") else str(value)


def _ratio(row: Mapping[Hashable, Any], name: str) -> str:
    ratio, error = row[f"rel_{name}"], row[f"se_{name}"]
    if pd.isna(ratio):
        return "–"
    return f"{ratio:.2f}" if pd.isna(error) or error == 0.0 else f"{ratio:.2f} ±{error:.3f}"


def _number(value: object, form: str) -> str:
    return "–" if pd.isna(value) else form.format(value)  # type: ignore[call-overload]
