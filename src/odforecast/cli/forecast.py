"""``odforecast forecast``: from what was known on a day to tables, files and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.counties import Asked, forecast_counties, model_of
from odforecast.cli.forecast_months import months_grid, months_table
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
    dataset_option,
    horizon_option,
    html_option,
    json_option,
    level_option,
    out_option,
    plot_option,
    population_option,
    replace_option,
    rows_option,
    table_option,
    target_option,
    together,
    until_option,
)
from odforecast.cli.outputs import check_apart, check_outputs, check_save, check_yearly
from odforecast.cli.own_counts import (
    check_local,
    counts_option,
    file_of,
    months_ahead,
    publish_option,
    with_counts,
)
from odforecast.cli.screen import note, say
from odforecast.cli.source import open_source
from odforecast.names import ALL_DRUGS, COUNTIES, TARGET_12MO, TARGET_MONTH, TARGETS, indicator_name

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast import Forecast
    from odforecast.panel import Panel

__all__ = ["fit", "forecast", "keep", "made_options", "open_panel", "said_of", "say_how"]


@click.command()
@made_options
@dataset_option
@counts_option
@together(horizon_option(), until_option, level_option, rows_option)
@click.option("--trend", is_flag=True, help="Also the chances of five kinds of change.")
@population_option
@click.option("--rank", metavar="K", type=click.IntRange(min=1),
              help="Of counties, also the chance of being among the K highest: counts, or rates "
              "with --population.")  # fmt: skip
@click.option("--exact", is_flag=True,
              help="Of counties, numbers below 10 too: not for publication.")  # fmt: skip
@together(json_option, table_option, plot_option, html_option)
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Folder for all of it, draws too: od.load_forecast reads it.")  # fmt: skip
@replace_option
@out_option(f"Hub file to write: {', '.join(HUB_FILES)}.")
@publish_option
@target_option
@click.option("--output-type", type=Choice(["quantile", "sample", "pmf"]), default="quantile",
              show_default=True, help="Of the hub file: 23 quantiles, the draws, or the chances of "
              "the trend.")  # fmt: skip
@click.pass_context
def forecast(
    ctx: click.Context,
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
    counts: Path | None,
    publish: bool,
    dataset: str,
    population: Path | None,
    rank: int | None,
    exact: bool,
) -> None:
    """Forecast from what CDC had published by a day.

    Places are chosen on the forecast: a model of the whole panel is fitted to all of it. The
    screen shows 12-month-ending deaths: the median and, in brackets, the interval. Of counties
    (--dataset counties) it shows counts below 10 as ranges.
    """
    from odforecast.forecast.text import LEVEL
    from odforecast.models import get_model

    if dataset == COUNTIES:
        _check_counties(indicator, target, output_type, trend=trend, out=out, counts=counts)
        forecast_counties(
            Asked(
                archive, source, as_of, model_of(ctx, model), horizon, until, locations, draws,
                seed, level, rows, population, rank, exact, as_json, table, plot, html, save,
                replace, quiet,
            )
        )  # fmt: skip
        return
    for name, given in (("population", population), ("rank", rank), ("exact", exact)):
        if given not in (None, False):
            raise click.UsageError(f"--{name} is about counties: add --dataset counties")
    # Before the work, not after it.
    files = (
        ("--out", out, HUB_FILES), ("--table", table, TABLES), ("--plot", plot, FIGURES),
        ("--html", html, PAGES),
    )  # fmt: skip
    check_outputs(*files, read=(source, counts and file_of(counts)))
    check_local(counts, publish, ("--out", out), ("--html", html))
    if save is not None:
        check_save(save, replace)
        check_apart(("--save", save), *((name, path) for name, path, _ in files))
    elif replace:
        raise click.UsageError("--replace is about --save DIR")
    check_yearly(target, trend=trend, plot=plot, html=html)
    _check_target(target, output_type, table, out)
    if html is not None and level != LEVEL:
        raise click.UsageError(
            f"--html has intervals of {100 * LEVEL:g}% only: leave --level {level:g} out, or make "
            "the page in a run of its own"
        )
    forecaster = get_model(model)
    if forecaster.spec.dataset == COUNTIES:
        raise click.UsageError(f"--model {model} is about counties: add --dataset counties")
    panel, states = open_panel(open_source(archive, source), as_of, indicator, locations)
    panel = with_counts(panel, counts)
    horizon = months_ahead(panel, horizon, until)
    whole = forecast_of(forecaster, panel, states, horizon, until, draws, seed, quiet)
    kept = there(whole, states) or list(states)
    made = whole.select(kept)
    chosen = [t for t in TARGETS if t in made.targets] if target == "both" else [target]
    if out is not None:
        from odforecast.hub import to_hub, write_hub

        hub = to_hub(made, targets=chosen, output_type=output_type, own=True)
    for lacking in set(TARGETS) - set(chosen) if target == "both" else ():
        note(f"{model} does not forecast {lacking}")
    # A rate of New York needs the city's draws: tables are of the whole, places chosen last.
    summary = whole.summary(kept, level) if TARGET_12MO in chosen else None
    months = months_table(made, level) if TARGET_MONTH in chosen else None
    if as_json:
        said = chosen[0] if len(chosen) == 1 else "both"
        meta = about(made, panel, forecaster, seed, said) | {"level": level}
        _print_json(whole, kept, level, summary, months, meta)
    elif summary is not None:
        _show(whole, made, panel, summary, level, rows, trend)
    else:
        assert months is not None
        _show_months(made, panel, months, level, rows)
    if not forecaster.spec.corrects_delay:
        note(
            "the last months are incomplete when published (nationally 0.3 to 3.3% too low "
            f"at first); {model} takes them as reported, so it leans low"
        )
    say_how(made, forecaster, seed, err=as_json)
    written = []
    if table is not None:
        from odforecast.cli.written import write_table

        shown = months if summary is None else summary
        assert shown is not None
        write_table(shown, table)
        written.append(f"{len(shown):,} rows: {table}")
    if plot is not None:
        import odforecast.plot as plots

        plots.save(made.plot(bands=(0.5, level) if level > 0.5 else (level,)), plot)
        written.append(f"picture: {plot}")
    if html is not None:
        from odforecast.report.site import write_report

        write_report(
            html,
            forecast=whole,
            locations=None if locations == "all" else kept,
            replace=True,
            own=publish,
        )
        written.append(f"page: {html}")
    if save is not None:
        made.save(save, overwrite=replace)
        if summary is not None and set(made.summary()["rate_of"]) != set(summary["rate_of"]):
            note(
                f"{save} holds the places asked for alone: the rate of New York and New York City "
                "together cannot be made from it; for that, save both (--locations NY,NYC)"
            )
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


def _check_counties(indicator: str, target: str, output_type: str, **given: object) -> None:
    """Refuse what there is of states alone.

    Raises
    ------
    click.UsageError
        With what to do instead.
    """
    if indicator_name(indicator) != ALL_DRUGS:
        raise click.UsageError("counties are counted for all drugs together: leave --indicator out")
    if target != TARGET_12MO or output_type != "quantile":
        raise click.UsageError(
            "counties have 12-month counts alone, and no hub file: leave --target and "
            "--output-type out"
        )
    why = {
        "trend": "--trend is of states; --dataset counties shows the chance of more deaths",
        "out": "hub files hold states; --table FILE keeps counties",
        "counts": "--counts is about states",
    }
    for name, value in given.items():
        if value not in (None, False):
            raise click.UsageError(why[name])


def _check_target(target: str, output_type: str, table: Path | None, out: Path | None) -> None:
    """Refuse a file that would hold another target than the one asked for, or nothing.

    Raises
    ------
    click.UsageError
        With what to do instead.
    """
    other = f"leave --target {target} out"
    if target == TARGET_MONTH and output_type == "pmf":
        raise click.UsageError(f"--output-type pmf is of 12-month counts: {other}")
    if target == "both" and table is not None:
        raise click.UsageError(
            f"--table holds one target: {other}, or ask for {TARGET_MONTH} in a run of its own; "
            "--json and --out hold both"
        )
    if output_type != "quantile" and out is None:
        raise click.UsageError(f"--output-type {output_type} is about --out FILE")


def _print_json(
    whole: Forecast,
    kept: list[str],
    level: float,
    summary: pd.DataFrame | None,
    months: pd.DataFrame | None,
    meta: dict[str, object],
) -> None:
    from odforecast.cli.written import print_json, records

    said: dict[str, object] = {"meta": meta}
    if summary is not None:
        years, trend = _years(whole, kept, level), _trend(whole, kept)
        said["summary"] = records(summary)
        said["years"] = [] if years is None else records(years)
        said["trend"] = [] if trend is None else records(trend)
    if months is not None:
        said["months"] = records(months)
    print_json(said)


def _years(whole: Forecast, kept: list[str], level: float) -> pd.DataFrame | None:
    """Calendar years, where a December lies in the forecast."""
    if not (whole.months.astype(int) % 12 == 11).any():
        return None
    return whole.years(kept, level)


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
    from odforecast.forecast.text import text
    from odforecast.forecast.trend import CATEGORIES

    say(said_of(made, panel))
    first = "US" if "US" in made.locations else made.locations[0]
    # With own counts the year ahead may end later than twelve months after CDC's last.
    say(whole.text(first) if panel.own is None else text(whole, first, month=made.months[-1]))
    click.echo(f"\n12-month-ending deaths: median and {100 * level:g}% interval\n")
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


def _show_months(
    made: Forecast, panel: Panel, table: pd.DataFrame, level: float, rows: int
) -> None:
    """Single months at two horizons."""
    say(f"{said_of(made, panel)}, in the month shown:")
    click.echo(f"median and {100 * level:g}% interval\n")
    click.echo(months_grid(table, rows))
    if (more := len(made.locations) - rows) > 0 and rows:
        say(f"… and {more} more locations (--rows 0 shows all)")
