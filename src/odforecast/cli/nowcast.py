"""``odforecast nowcast``: what the last published counts will be once final."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.made import about, forecast_of, keep, made_options, open_panel, said_of, say_how
from odforecast.cli.options import (
    FIGURES,
    TABLES,
    json_option,
    level_option,
    out_option,
    plot_option,
    rows_option,
    together,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.own_counts import counts_option, file_of, months_ahead, with_counts
from odforecast.cli.screen import grid, say
from odforecast.cli.source import open_source
from odforecast.cli.written import print_json, records, write_table
from odforecast.names import DEFAULT_HORIZON
from odforecast.say import rounded, step_of

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@made_options
@counts_option
@click.option("--months", metavar="N", default=1, show_default=True, type=click.IntRange(1, 12),
              help="How many of the last twelve counts are shown.")  # fmt: skip
@together(level_option, rows_option, json_option, plot_option)
@out_option(f"Table to write, all twelve counts: {', '.join(TABLES)}.")
def nowcast(
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    model: str,
    locations: str,
    indicator: str,
    draws: int,
    seed: int,
    level: float,
    months: int,
    rows: int,
    as_json: bool,
    plot: Path | None,
    out: Path | None,
    quiet: bool,
    counts: Path | None,
) -> None:
    """Complete the counts published last: what they will be once final.

    The last counts of a release are too low, for deaths are still to be reported. Shown are
    12-month-ending deaths: as reported, the median once final with its interval, and CDC's own
    predicted value.
    """
    from odforecast.models import get_model

    # Before the work, not after it.
    check_outputs(
        ("--out", out, TABLES), ("--plot", plot, FIGURES), read=(source, counts and file_of(counts))
    )
    forecaster = get_model(model)
    panel, states = open_panel(open_source(archive, source), as_of, indicator, locations)
    panel = with_counts(panel, counts)
    # As far ahead as the forecast command: the same draws, so both say the same of these months.
    horizon = months_ahead(panel, None, None, said=False) or DEFAULT_HORIZON
    whole = forecast_of(forecaster, panel, states, horizon, None, draws, seed, quiet)
    made = keep(whole, states)
    table = made.nowcast(level=level)
    if as_json:
        print_json(
            {
                "meta": about(made, panel, forecaster, seed) | {"level": level},
                "nowcast": records(table),
            }
        )
    else:
        say(f"{said_of(made, panel)}, 12 months to the month shown")
        _say(table[table["horizon"] == 0])
        click.echo()
        click.echo(_shown(table[table["horizon"] > -months], rows))
        if (more := len(made.locations) - rows) > 0 and rows:
            say(f"… and {more} more locations (--rows 0 shows all)")
        click.echo(
            "once final: when the count is settled, 12 months later or more\n"
            "CDC: its predicted value; cleared: that without its usual excess"
        )
    say_how(made, forecaster, seed, err=as_json)
    if plot is not None:
        import odforecast.plot as plots
        from odforecast.plot.revisions import nowcast_figure

        plots.save(nowcast_figure(table, panel.to_frame(), indicator=panel.indicator), plot)
        click.echo(f"picture: {plot}", err=as_json)
    if out is not None:
        write_table(table, out)
        click.echo(f"{len(table):,} rows: {out}", err=as_json)


def _say(last: pd.DataFrame) -> None:
    """The last count in one sentence: the nation's, or the first place's."""
    from odforecast.geography import NATION

    if last.empty:
        return
    us = last[last["location"] == NATION]
    row = (us if len(us) else last).iloc[0]
    reported = _count(row["reported"]).replace("–", "nothing")
    step = step_of(row["low"], row["high"])
    low, middle, high = (_count(row[name], step) for name in ("low", "median", "high"))
    click.echo(
        f"{row['location']} {row['month']:%Y-%m}: {reported} reported, {middle} ({low} to {high}) "
        "once final"
    )


def _shown(table: pd.DataFrame, rows: int) -> str:
    """A row per place and month; columns of which nothing is published are left out."""
    many = bool((table["horizon"] < 0).any())
    level = float(table["level"].iloc[0])
    heads = [
        "reported" if many else f"reported\n{table['month'].iloc[0]:%Y-%m}",
        "once\nfinal",
        f"{100 * level:g}%\ninterval",
        "revised\nby",
    ]
    extra = {"predicted": "CDC", "predicted_unbiased": "CDC,\ncleared"}
    if not many:  # 80 columns hold no more
        extra["complete"] = "complete\n%"
    extra = {name: title for name, title in extra.items() if table[name].notna().any()}
    if many:
        heads.insert(0, "12 months\nto")
    every = list(dict.fromkeys(table["location"]))
    lines = []
    for place in every[:rows] if rows else every:
        for i, row in enumerate(table[table["location"] == place].to_dict("records")):
            # No finer than the interval, as in the forecast.
            step = step_of(row["low"], row["high"])
            lines.append(
                [
                    place if i == 0 else "",
                    *([f"{row['month']:%Y-%m}"] if many else []),
                    _count(row["reported"]),
                    _count(row["median"], step),
                    f"{_count(row['low'], step)}–{_count(row['high'], step)}",
                    _signed(row["revision"], step),
                    *(
                        "–"
                        if row[name] != row[name]
                        else f"{row[name]:z,.1f}"
                        if name == "complete"
                        else _count(row[name])
                        for name in extra
                    ),
                ]
            )
    return grid(["", *heads, *extra.values()], lines)


def _count(value: float, step: float = 1.0) -> str:
    """A number, or a dash where there is none."""
    return "–" if value != value else rounded(value, step)


def _signed(value: float, step: float) -> str:
    return "–" if value != value else f"{round(value / step) * step:+z,.0f}"
