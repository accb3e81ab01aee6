"""``odforecast forecast``: from what was known on a day to tables, files and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.made import (
    about,
    fit,
    forecast_of,
    keep,
    made_options,
    open_panel,
    said_of,
    say_how,
    there,
)
from odforecast.cli.meant import Choice
from odforecast.cli.options import (
    FIGURES,
    HUB_FILES,
    PAGES,
    TABLES,
    check_ending,
    horizon_option,
    html_option,
    json_option,
    level_option,
    out_option,
    plot_option,
    replace_option,
    rows_option,
    table_option,
    target_option,
    together,
    until_option,
)
from odforecast.cli.screen import note, say
from odforecast.cli.source import open_source
from odforecast.names import TARGET_12MO, TARGETS

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast import Forecast
    from odforecast.panel import Panel

__all__ = ["fit", "forecast", "keep", "made_options", "open_panel", "said_of", "say_how"]


@click.command()
@made_options
@together(horizon_option(), until_option, level_option, rows_option)
@click.option("--trend", is_flag=True, help="Also the chances of five kinds of change.")
@together(json_option, table_option, plot_option, html_option)
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Folder for all of it, draws too: od.load_forecast reads it.")  # fmt: skip
@replace_option
@out_option(f"Hub file to write: {', '.join(HUB_FILES)}.")
@target_option
@click.option("--output-type", type=Choice(["quantile", "sample", "pmf"]), default="quantile",
              show_default=True, help="Of the hub file: 23 quantiles, the draws, or the chances of "
              "the trend.")  # fmt: skip
def forecast(
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    model: str,
    horizon: int | None,
    until: str | None,
    locations: str,
    indicator: str,
    target: str,
    output_type: str,
    draws: int,
    seed: int,
    level: float,
    rows: int,
    trend: bool,
    as_json: bool,
    table: Path | None,
    plot: Path | None,
    html: Path | None,
    save: Path | None,
    replace: bool,
    out: Path | None,
    quiet: bool,
) -> None:
    """Forecast from what CDC had published by a day.

    Places are chosen on the forecast: a model of the whole panel is fitted to all of it. The
    screen shows 12-month-ending deaths: the median and, in brackets, the interval.
    """
    from odforecast.hub import to_hub, write_hub
    from odforecast.models import get_model

    # Before the work, not after it.
    check_ending(out, "--out", HUB_FILES)
    check_ending(table, "--table", TABLES)
    check_ending(plot, "--plot", FIGURES)
    check_ending(html, "--html", PAGES)
    if save is not None:
        check_folder(save, replace)
    elif replace:
        raise click.UsageError("--replace is about --save DIR")
    forecaster = get_model(model)
    panel, states = open_panel(open_source(archive, source), as_of, indicator, locations)
    whole = forecast_of(forecaster, panel, states, horizon, until, draws, seed, quiet)
    kept = there(whole, states) or list(states)
    made = whole.select(kept)
    chosen = [t for t in TARGETS if t in made.targets] if target == "both" else [target]
    hub = to_hub(made, targets=chosen, output_type=output_type)
    for lacking in set(TARGETS) - set(chosen) if target == "both" else ():
        note(f"{model} does not forecast {lacking}")
    yearly = chosen[0] == TARGET_12MO
    # A rate of New York needs the city's draws: tables are of the whole, places chosen last.
    summary = whole.summary(level, kept) if yearly or as_json or table is not None else None
    if as_json:
        _print_json(whole, kept, level, summary, about(made, panel, forecaster, seed))
    elif summary is not None and yearly:
        _show(whole, made, panel, summary, level, rows, trend)
    else:
        _show_months(made, panel, level, rows)
    if not forecaster.spec.corrects_delay:
        note(
            "the last months are incomplete when published (nationally 0.3 to 3.3 % too low "
            f"at first); {model} takes them as reported, so it leans low"
        )
    say_how(made, forecaster, seed, err=as_json)
    written = []
    if table is not None and summary is not None:
        from odforecast.cli.written import write_table

        write_table(summary, table)
        written.append(f"{len(summary):,} rows: {table}")
    if plot is not None:
        import odforecast.plot as plots

        plots.save(made.plot(), plot)
        written.append(f"picture: {plot}")
    if html is not None:
        from odforecast.report.site import write_report

        write_report(
            html, forecast=whole, locations=None if locations == "all" else kept, replace=True
        )
        written.append(f"page: {html}")
    if save is not None:
        made.save(save, overwrite=replace)
        written.append(f"forecast: {save}/")
    if out is not None:
        write_hub(hub, out)
        written.append(f"{len(hub):,} rows: {out}")
    for line in written:
        click.echo(line, err=as_json)
    if not written and not as_json:
        say(
            "nothing written; --out forecasts.csv keeps all locations, months and quantiles, "
            "--table, --plot, --html and --save other things"
        )


def check_folder(folder: Path, replace: bool) -> None:
    """Refuse a folder that holds a forecast, before the work and not after it."""
    from odforecast.forecast.file import INDEX

    if (folder / INDEX).exists() and not replace:
        raise click.UsageError(
            f"--save {folder} holds a forecast already; --replace takes its place"
        )


def _print_json(
    whole: Forecast,
    kept: list[str],
    level: float,
    summary: pd.DataFrame | None,
    meta: dict[str, object],
) -> None:
    from odforecast.cli.written import print_json, records

    years, trend = _years(whole, kept, level), _trend(whole, kept)
    print_json(
        {
            "meta": meta | {"level": level},
            "summary": [] if summary is None else records(summary),
            "years": [] if years is None else records(years),
            "trend": [] if trend is None else records(trend),
        }
    )


def _years(whole: Forecast, kept: list[str], level: float) -> pd.DataFrame | None:
    """Calendar years, where a December lies in the forecast."""
    if not (whole.months.astype(int) % 12 == 11).any():
        return None
    return whole.years(level, kept)


def _trend(whole: Forecast, kept: list[str]) -> pd.DataFrame | None:
    """The trend, where a month lies within a year of the last count."""
    return whole.trend(kept) if (whole.horizons <= 12).any() else None


def _show(
    whole: Forecast,
    made: Forecast,
    panel: Panel,
    summary: pd.DataFrame,
    level: float,
    rows: int,
    trend: bool,
) -> None:
    """Text of the nation or the first place, the four columns, calendar years, the trend."""
    from odforecast.cli import forecast_tables as tables
    from odforecast.forecast.trend import CATEGORIES

    say(said_of(made, panel))
    first = "US" if "US" in made.locations else made.locations[0]
    say(whole.text(first))
    click.echo(f"\n12-month-ending deaths: median and {100 * level:g} % interval\n")
    click.echo(tables.main_table(summary, panel, rows))
    if (more := len(made.locations) - rows) > 0 and rows:
        say(f"… and {more} more locations (--rows 0 shows all)")
    notes = ["change: of the 12-month count on that of 12 months before, both as once final",
             "fall: chance that it is lower"]  # fmt: skip
    if summary["rate_of"].str.contains("+", regex=False).any():
        notes.append("*: New York and New York City together, in the rate alone")
    say("; ".join(notes))
    years = _years(whole, list(made.locations), level)
    if years is not None:
        click.echo("\nCalendar years\n")
        click.echo("\n\n".join(tables.years_tables(years, rows)))
    kinds = _trend(whole, list(made.locations)) if trend else None
    if kinds is not None:
        click.echo("\nTrend: chances in percent\n")
        click.echo(tables.trend_table(kinds, rows, CATEGORIES))
    click.echo()


def _show_months(made: Forecast, panel: Panel, level: float, rows: int) -> None:
    """Single months at two horizons."""
    import numpy as np

    from odforecast.cli.forecast_tables import count
    from odforecast.cli.screen import grid
    from odforecast.names import TARGET_MONTH

    ahead = np.flatnonzero(made.horizons >= 1)
    picks = sorted({int(ahead[max(1, ahead.size // 2) - 1]), int(ahead[-1])})
    low, middle, high = made.quantiles([(1 - level) / 2, 0.5, (1 + level) / 2], TARGET_MONTH)
    say(f"{said_of(made, panel)}, in the month shown:")
    click.echo(f"median and {100 * level:g} % interval\n")
    heads = [""]
    for m in picks:
        far = int(made.horizons[m])
        heads.append(f"{far} month{'s' * (far > 1)} ahead\n{made.months[m]}")
    shown = made.locations[:rows] if rows else made.locations
    lines = [
        [s, *(count(low[i, m], middle[i, m], high[i, m]) for m in picks)]
        for i, s in enumerate(shown)
    ]
    click.echo(grid(heads, lines))
    if (more := len(made.locations) - len(shown)) > 0:
        say(f"… and {more} more locations (--rows 0 shows all)")
