"""``odforecast forecast --dataset counties``: counties, their small counts as ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.made import about, say_how, there
from odforecast.cli.options import FIGURES, PAGES, TABLES
from odforecast.cli.outputs import check_apart, check_outputs, check_save
from odforecast.cli.progress import working
from odforecast.cli.screen import note, say
from odforecast.cli.source import BUNDLED, open_source, say_age, say_release
from odforecast.names import COUNTIES, DEFAULT_COUNTY_MODEL, STATES, TARGET_12MO

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.forecast import Forecast
    from odforecast.forecast.tables import By
    from odforecast.models import Model
    from odforecast.panel import Panel


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line."""

    archive: Path | None
    source: str | None
    as_of: str | None
    model: str
    horizon: int | None
    until: str | None
    locations: str
    draws: int
    seed: int
    level: float
    rows: int
    population: Path | None
    rank: int | None
    exact: bool
    as_json: bool
    table: Path | None
    plot: Path | None
    html: Path | None
    save: Path | None
    replace: bool
    quiet: bool


def forecast_counties(asked: Asked) -> None:
    """Forecast counties: table, ranking, map, and files."""
    from odforecast.models import get_model

    files = (
        ("--table", asked.table, TABLES), ("--plot", asked.plot, FIGURES),
        ("--html", asked.html, PAGES),
    )  # fmt: skip
    check_outputs(*files, read=(asked.source, asked.population))
    if asked.save is not None:
        if not asked.exact:
            raise click.UsageError(
                "--save keeps the draws, and with them numbers below 10, which are not for "
                "publication: add --exact if the folder stays with you"
            )
        check_save(asked.save, asked.replace)
        check_apart(("--save", asked.save), *((name, path) for name, path, _ in files))
    elif asked.replace:
        raise click.UsageError("--replace is about --save DIR")
    if asked.horizon is not None and asked.until is not None:
        raise click.UsageError("give --horizon or --until, not both")
    forecaster = get_model(asked.model)
    if forecaster.spec.dataset != COUNTIES:
        raise click.UsageError(
            f"--model {asked.model} is not of counties: odforecast models lists those that are"
        )
    panel, places = open_counties(asked.archive, asked.source, asked.as_of, asked.locations)
    part = to_fit(forecaster, panel, places)
    if asked.population is not None:
        # Of those that are fitted: nobody asked for whom the others lack.
        part = with_population(part, asked.population)
    with working(f"fitting {forecaster.label}", asked.quiet):
        whole = forecaster.fit(part).forecast(
            asked.horizon, until=asked.until, draws=asked.draws, seed=asked.seed
        )
    made = whole.select(there(whole, places) or list(places))
    table = made.counties(level=asked.level, exact=asked.exact)
    hot = None if asked.rank is None else _ranked(made, asked)
    if asked.as_json:
        _print_json(made, part, forecaster, asked, table, hot)
    else:
        _show(made, part, asked, table, hot)
    say_how(made, forecaster, asked.seed, err=asked.as_json)
    written = _write(made, asked, table)
    for line in written:
        click.echo(line, err=asked.as_json)
    if not written and not asked.as_json:
        say("nothing written; --table counties.csv keeps all counties and months, --plot a map")


def open_counties(
    archive: Path | None, source: str | None, as_of: str | None, locations: str
) -> tuple[Panel, tuple[str, ...]]:
    """The panel of counties of a day, and the counties asked for.

    A file of counties has no states in it: those of the day come from the reader's own releases,
    with the bundled ones beneath.

    Raises
    ------
    DataError, ArchiveError
        If the file is none of counties, or no release of them is known.
    UnknownNameError
        If a place is not a county.
    """
    from odforecast.geography import resolve

    if source in (None, BUNDLED):
        vintage = open_source(archive, source).as_of(as_of, COUNTIES)
        panel = vintage.panel(dataset=COUNTIES)
        click.echo(f"release {panel.release} of counties, through {panel.last_month}", err=True)
        say_age(panel.release, as_of, COUNTIES)
        for text in panel.notes:
            note(text)
    else:
        panel = _of_file(source, archive, as_of)
    states = panel.beside[STATES]
    if states.last_month > panel.last_month:
        note(
            f"the states' counts are known to {states.last_month} (release {states.release}), and "
            "counties follow them"
        )
    return panel, resolve(locations, panel.locations)


def _of_file(source: str, archive: Path | None, as_of: str | None) -> Panel:
    from odforecast.errors import DataError
    from odforecast.sources.county import read_county
    from odforecast.vintage import archive as own
    from odforecast.vintage.vintage import county_panel

    if archive is not None:
        raise click.UsageError("give --archive or --source, not both")
    loaded = read_county(source)
    releases = own()
    last = max(releases.last_seen or loaded.release, loaded.release)
    vintage = releases.as_of(as_of or last)
    if loaded.release > vintage.as_of:
        raise DataError(
            f"{source} was released on {loaded.release}, after {vintage.as_of}",
            hint="give a later --as-of, or an earlier file",
        )
    say_release(vintage, as_of)
    click.echo(f"release {loaded.release} of counties, from {source}", err=True)
    for text in loaded.notes:
        note(text)
    return county_panel(loaded.table, vintage.as_of, vintage.panel())


def with_population(panel: Panel, file: Path) -> Panel:
    """The panel with people by county, from the Census Bureau's file."""
    from odforecast.sources.census import read_population

    return panel.with_population(read_population(file))


def to_fit(model: Model, panel: Panel, places: Sequence[str]) -> Panel:
    """What a model is fitted to: all counties, the states asked for whole, or those asked for."""
    from odforecast.geography.places import by_fips

    if model.spec.by is None or set(places) == set(panel.locations):
        return panel
    if model.spec.by == "state":
        states = {by_fips()[s].state for s in places}
        places = [s for s in panel.locations if by_fips()[s].state in states]
    return panel.select(places)


def _ranked(made: Forecast, asked: Asked) -> pd.DataFrame:
    assert asked.rank is not None
    by: By = "deaths" if asked.population is None else "rate"
    return made.ranking(asked.rank, by=by, month=made.months[-1], exact=asked.exact)


def _print_json(
    made: Forecast,
    panel: Panel,
    forecaster: Model,
    asked: Asked,
    table: pd.DataFrame,
    hot: pd.DataFrame | None,
) -> None:
    from odforecast.cli.written import print_json, records

    meta = about(made, panel, forecaster, asked.seed, TARGET_12MO)
    meta |= {"dataset": COUNTIES, "level": asked.level, "exact": asked.exact}
    said: dict[str, object] = {"meta": meta, "counties": records(table)}
    if hot is not None:
        said["ranking"] = records(hot)
    print_json(said)


def _show(
    made: Forecast, panel: Panel, asked: Asked, table: pd.DataFrame, hot: pd.DataFrame | None
) -> None:
    from odforecast.cli import county_tables as tables
    from odforecast.forecast.tables import published_on
    from odforecast.forecast.text import place_name, text
    from odforecast.say import day_name, deaths_of

    rates = bool(table["rate"].notna().any())
    what = deaths_of(panel.indicator)
    day = day_name(published_on(made))
    say(f"{what[:1].upper()}{what[1:]} by county of residence, release of {day}")
    shown = tables.largest_first(table)
    first = str(shown["location"].iloc[0])
    if len(shown) > 1:
        say(f"Of {len(shown):,} counties, {place_name(first)} has the highest forecast.")
    say(text(made, first, month=shown["month"].iloc[0]))
    click.echo()
    click.echo(tables.county_table(shown, panel, asked.rows, asked.level, rates, asked.exact))
    if (more := len(shown) - asked.rows) > 0 and asked.rows:
        say(f"… and {more:,} more counties (--rows 0 shows all)")
    say(tables.notes(shown.head(asked.rows or len(shown)), asked.exact, rates))
    if hot is not None:
        click.echo(f"\n{tables.ranking_title(hot)}\n")
        click.echo(tables.ranking_table(hot, asked.rank or 0))
    click.echo()


def _write(made: Forecast, asked: Asked, table: pd.DataFrame) -> list[str]:
    written = []
    if asked.table is not None:
        from odforecast.cli.written import write_table

        write_table(table, asked.table)
        written.append(f"{len(table):,} rows: {asked.table}")
    if asked.plot is not None:
        import odforecast.plot as plots

        # Of the month that the table shows, however far ahead.
        drawn = made.plot(**({"month": made.months[-1]} if len(made.locations) > 1 else {}))
        plots.save(drawn, asked.plot)
        written.append(f"picture: {asked.plot}")
    if asked.html is not None:
        from odforecast.report.site.counties import write_county_page

        write_county_page(asked.html, made, k=asked.rank or 10, month=made.months[-1], replace=True)
        written.append(f"page: {asked.html}")
    if asked.save is not None:
        made.save(asked.save, overwrite=asked.replace)
        written.append(f"forecast: {asked.save}/")
    return written


def model_of(ctx: click.Context, model: str) -> str:
    """The model named, or the default of counties."""
    given = ctx.get_parameter_source("model")
    default = click.core.ParameterSource.DEFAULT
    return DEFAULT_COUNTY_MODEL if given in (None, default) else model
