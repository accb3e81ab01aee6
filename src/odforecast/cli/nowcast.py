"""``odforecast nowcast``: what the last published counts will be once final."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.forecast import fit, keep, made_options, open_panel, said_of, say_how
from odforecast.cli.source import open_source
from odforecast.io import replacing
from odforecast.names import DEFAULT_HORIZON

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Endings of ``--out`` and of ``--plot``.
FILES = (".csv", ".csv.gz", ".json", ".parquet")
FIGURES = (".png", ".svg", ".pdf")


@click.command()
@made_options
@click.option("--level", default=0.9, show_default=True, help="Probability of the interval.",
              type=click.FloatRange(0, 1, min_open=True, max_open=True))  # fmt: skip
@click.option("--months", default=1, show_default=True, type=click.IntRange(1, 12),
              help="How many of the last twelve counts are shown.")  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Figure to write: .png, .svg or .pdf.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help=f"Table to write, all twelve counts: {', '.join(FILES)}.")  # fmt: skip
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
    plot: Path | None,
    out: Path | None,
) -> None:
    """Complete the counts published last: what they will be once final.

    The last counts of a release are too low, for deaths are still to be reported. Shown are
    12-month-ending deaths: as reported, the median once final with its interval, and CDC's own
    predicted value.
    """
    from odforecast.errors import DataError
    from odforecast.models import get_model

    # Before the work, not after it.
    if out is not None and not out.name.lower().endswith(FILES):
        raise DataError(f"{out}: unknown file type {out.suffix!r}", hint=f"use {', '.join(FILES)}")
    if plot is not None and plot.suffix.lower() not in FIGURES:
        raise DataError(
            f"{plot}: unknown kind of figure {plot.suffix!r}", hint=f"use {', '.join(FIGURES)}"
        )
    forecaster = get_model(model)
    panel, states = open_panel(open_source(archive, source), as_of, indicator, locations)
    # As far ahead as the forecast command: the same draws, so both say the same of these months.
    made = fit(forecaster, panel, states).forecast(DEFAULT_HORIZON, draws=draws, seed=seed)
    made = keep(made, states)
    table = made.nowcast(level)
    click.echo(f"{said_of(made, panel)}, 12 months to the month shown")
    _say(table[table["horizon"] == 0])
    _show(table[table["horizon"] > -months])
    click.echo(
        "once final: when the count is settled, 12 months later or more\n"
        "CDC: its predicted value; cleared: that without its usual excess"
    )
    say_how(made, forecaster, seed)
    if plot is not None:
        from odforecast.plot.nowcast import nowcast_figure

        _draw(nowcast_figure(table, panel.to_frame()), plot)
        click.echo(f"figure: {plot}")
    if out is not None:
        _write(table, out)
        click.echo(f"{len(table):,} rows: {out}")


def _say(last: pd.DataFrame) -> None:
    """The last count in one sentence: the nation's, or the first place's."""
    from odforecast.geography import NATION

    if last.empty:
        return
    us = last[last["location"] == NATION]
    row = (us if len(us) else last).iloc[0]
    reported = _count(row["reported"]).replace("–", "nothing")
    click.echo(
        f"{row['location']} {row['month']:%Y-%m}: {reported} reported, {_count(row['median'])} "
        f"({_count(row['low'])} to {_count(row['high'])}) once final"
    )


def _show(table: pd.DataFrame) -> None:
    """A row per place and month; columns of which nothing is published are left out."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from odforecast.cli.screen import print_whole

    many = bool((table["horizon"] < 0).any())
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown.add_column("", no_wrap=True, min_width=3)
    level = float(table["level"].iloc[0])
    titles = [
        "reported" if many else f"reported\n{table['month'].iloc[0]:%Y-%m}",
        "once\nfinal",
        f"{100 * level:g} %\ninterval",
        "revised\nby",
    ]
    extra = {"predicted": "CDC", "predicted_unbiased": "CDC,\ncleared"}
    if not many:  # 80 columns hold no more
        extra["complete"] = "complete\n%"
    extra = {name: title for name, title in extra.items() if table[name].notna().any()}
    if many:
        titles.insert(0, "12 months\nto")
    for title in (*titles, *extra.values()):
        shown.add_column(title, justify="right", no_wrap=True)
    for place, rows in table.groupby("location", sort=False):
        for i, row in enumerate(rows.to_dict("records")):
            cells = [str(place) if i == 0 else ""]
            cells += [f"{row['month']:%Y-%m}"] if many else []
            cells += [
                _count(row["reported"]),
                _count(row["median"]),
                f"{_count(row['low'])}–{_count(row['high'])}",
                _count(row["revision"], "+z,.0f"),
            ]
            cells += [
                _count(row[name], "z,.1f" if name == "complete" else "z,.0f") for name in extra
            ]
            shown.add_row(*cells, end_section=many and i == len(rows) - 1)
    print_whole(Console(markup=False, emoji=False), shown)


def _count(value: float, form: str = "z,.0f") -> str:
    """A number, or a dash where there is none."""
    return "–" if value != value else format(value, form)


def _draw(figure: Figure, path: Path) -> None:
    kind = path.suffix.lower().lstrip(".")
    with replacing(path) as part:
        figure.savefig(part, format=kind, dpi=150, metadata=None if kind == "png" else {
            "Date" if kind == "svg" else "CreationDate": None
        })  # fmt: skip


def _write(table: pd.DataFrame, path: Path) -> None:
    import gzip

    from odforecast.cli.spreadsheet import for_spreadsheets

    name = path.name.lower()
    with replacing(path) as part:
        if name.endswith(".parquet"):
            table.to_parquet(part, index=False)
            return
        plain = table.assign(month=table["month"].dt.strftime("%Y-%m"))
        if name.endswith(".json"):
            plain.to_json(part, orient="records", indent=1, double_precision=6)
            return
        data = for_spreadsheets(plain).to_csv(index=False, float_format="%.10g").encode()
        part.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
