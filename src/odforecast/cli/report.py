"""``odforecast report``: a page, or a site of pages, of a forecast and of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.made import forecast_of, made_options, open_panel, say_how, there
from odforecast.cli.options import (
    PAGES,
    horizon_option,
    out_option,
    replace_option,
    together,
    until_option,
)
from odforecast.cli.outputs import check_outputs
from odforecast.cli.own_counts import (
    check_local,
    counts_option,
    file_of,
    publish_option,
    with_counts,
)
from odforecast.cli.screen import say
from odforecast.cli.source import open_source

if TYPE_CHECKING:
    from odforecast.backtesting import Results
    from odforecast.forecast import Forecast
    from odforecast.panel import Panel
    from odforecast.vintage import Archive, Vintage

#: Options that say how a forecast is made: of no use where one is given.
_MAKING = ("as_of", "model", "indicator", "draws", "seed", "horizon", "until", "counts")
_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("folders", nargs=-1, type=_FOLDER, metavar="[FORECAST|RESULTS]...")
@out_option("Page to write, whole in one file: report.html.")
@click.option("--site", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Instead of a page, a folder of pages: one for each place.")  # fmt: skip
@replace_option
@click.option("--results", type=_FOLDER, metavar="DIR",
              help="A backtest, shown beside the forecast that is made.")  # fmt: skip
@together(
    made_options,
    counts_option,
    publish_option,
    horizon_option("to the end of the year after next"),
    until_option,
)
@click.pass_context
def report(
    ctx: click.Context,
    folders: tuple[Path, ...],
    out: Path | None,
    site: Path | None,
    replace: bool,
    results: Path | None,
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    model: str,
    horizon: int | None,
    until: str | None,
    locations: str,
    indicator: str,
    draws: int,
    seed: int,
    quiet: bool,
    counts: Path | None,
    publish: bool,
) -> None:
    """Write a page of a forecast, of a backtest, or of both; or a site with a page per place.

    A folder is a forecast that `odforecast forecast --save` wrote, or results of `odforecast
    backtest --out`. Without a forecast one is made, from the last release by the default model,
    unless a page of results alone is asked for. Forecasts of counties have a page of their own:
    `odforecast forecast --dataset counties --html FILE`.
    """
    from odforecast.forecast.tables import refuse_counties
    from odforecast.report.site import write_report, write_site
    from odforecast.report.site.folder import check_folder

    target = _target(out, site, replace)
    # Before the work, not after it.
    check_outputs(
        ("--out", out, PAGES), ("--site", site, ()), read=(source, counts and file_of(counts))
    )
    if counts is not None:
        check_local(counts, publish, ("--out", out), ("--site", site))
    if site is not None:
        check_folder(site, replace)
    forecast, scored = _open(folders, results)
    if forecast is not None:
        refuse_counties(forecast, "reports")
    places: Sequence[str] | None = None
    if forecast is not None:
        _refuse(ctx, _MAKING)
        releases = None if archive is None and source is None else open_source(archive, source)
        later = None if releases is None else _later(forecast, releases.as_of())
        if locations != "all":
            from odforecast.geography import resolve

            places = resolve(locations, forecast.locations)
    elif site is None and scored is not None and results is None:
        later = None
        _refuse(ctx, (*_MAKING, "archive", "source"))
        if locations != "all":
            from odforecast.geography import resolve

            scored = scored.select(resolve(locations, sorted(set(scored.scores["location"]))))
    else:
        releases = open_source(archive, source)
        forecast, places = _made(
            releases, as_of, model, indicator, locations, horizon, until, draws, seed, quiet, counts
        )
        later = _later(forecast, releases.as_of())
    if site is not None:
        assert forecast is not None
        files = write_site(
            site, forecast, results=scored, later=later, locations=places, replace=replace,
            own=publish,
        )  # fmt: skip
        say(f"{len(files)} files, the first of them {files[0]}")
        return
    write_report(
        target, forecast=forecast, results=scored, later=later, locations=places, replace=True,
        own=publish,
    )  # fmt: skip
    say(f"page: {target}")


def _target(out: Path | None, site: Path | None, replace: bool) -> Path:
    """What is written.

    Raises
    ------
    click.UsageError
        If it is not one thing.
    """
    if (out is None) == (site is None):
        raise click.UsageError("give --out FILE for a page, or --site DIR for a site of pages")
    if out is not None and replace:
        raise click.UsageError("--replace is about --site DIR; a page is replaced whole")
    target = site if out is None else out
    assert target is not None
    return target


def _open(folders: Sequence[Path], results: Path | None) -> tuple[Forecast | None, Results | None]:
    """The forecast and the backtest among some folders, each known by what is in it.

    Raises
    ------
    click.UsageError
        If a folder is neither, or there are two of a kind.
    """
    from odforecast.backtesting import Results
    from odforecast.forecast import load_forecast
    from odforecast.forecast.file import INDEX

    forecast: tuple[Path, Forecast] | None = None
    scored: tuple[Path, Results] | None = None
    for folder in (*folders, *([] if results is None else [results])):
        if (folder / INDEX).is_file() and folder is not results:
            if forecast is not None:
                raise click.UsageError(f"two forecasts: {forecast[0]} and {folder}; give one")
            forecast = (folder, load_forecast(folder))
        elif _is_backtest(folder):
            if scored is not None:
                raise click.UsageError(f"two backtests: {scored[0]} and {folder}; give one")
            scored = (folder, Results.load(folder))
        elif not folder.is_dir():
            what = "is a file, give the folder" if folder.exists() else "is not there"
            raise click.UsageError(f"{folder} {what}")
        elif folder is results:
            raise click.UsageError(
                f"{folder} holds no backtest: there is no manifest.json of odforecast "
                "backtest --out"
            )
        else:
            raise click.UsageError(
                f"{folder} holds neither a forecast nor a backtest: there is no {INDEX} of "
                "odforecast forecast --save, and no manifest.json of odforecast backtest --out"
            )
    return (None if forecast is None else forecast[1]), (None if scored is None else scored[1])


def _is_backtest(folder: Path) -> bool:
    """Whether a backtest was begun here; one that did not end says so when it is opened."""
    names = ("manifest.json", "units", "scores.parquet")
    return folder.is_dir() and any((folder / name).exists() for name in names)


def _refuse(ctx: click.Context, names: Sequence[str]) -> None:
    """Options that would change nothing are an error, not ignored.

    Raises
    ------
    click.UsageError
        If one of them was given.
    """
    for name in names:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name.replace('_', '-')} says how a forecast is made, and none is made here"
            )


def _made(
    releases: Archive, as_of: str | None, model: str, indicator: str, locations: str,
    horizon: int | None, until: str | None, draws: int, seed: int, quiet: bool, counts: Path | None,
) -> tuple[Forecast, Sequence[str]]:  # fmt: skip
    """A forecast, up to the end of the year after next where no end is given."""
    from odforecast.models import get_model

    forecaster = get_model(model)
    panel, states = open_panel(releases, as_of, indicator, locations)
    panel = with_counts(panel, counts)
    if horizon is None and until is None:
        until = f"{panel.last_month.astype(object).year + 2}-12"
    made = forecast_of(forecaster, panel, states, horizon, until, draws, seed, quiet)
    kept = there(made, states) or list(states)
    say_how(made, forecaster, seed, err=True)
    return made, kept


def _later(forecast: Forecast, newest: Vintage) -> Panel | None:
    """The same counts in the newest release in hand, where it is younger than the forecast's."""
    panel = forecast.panel
    if panel is None or newest.date <= panel.release:
        return None
    return newest.panel(panel.indicator)
