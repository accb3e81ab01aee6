"""``odforecast report``: a page, or a site of pages, of a forecast and of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as with_
from pathlib import Path
from typing import Any

import click

import odforecast as od
from odforecast.cli import options as opt
from odforecast.cli import source as sources
from odforecast.cli.answer import Answer
from odforecast.cli.source import Data, OwnCounts, Request, Simulation

#: Options that say how a forecast is made: of no use where one is given.
_MAKING = (
    "--as-of",
    "--model",
    "--indicator",
    "--draws",
    "--seed",
    "--horizon",
    "--until",
    "--counts",
)
_MAKES_NONE = "says how to make a forecast, and this report makes none"


@opt.command()
@click.argument(
    "folders",
    nargs=-1,
    type=opt.PATH,
    metavar="[FORECAST|RESULTS]...",
)
@sources.request_options(opt.LOCATIONS)
@opt.add_options(
    sources.COUNTS,
    opt.horizon("to the end of the year after next"),
    opt.out("Page to write, in one file.  [default: report.html]", opt.PAGES),
    opt.output_option(
        "--site DIR",
        writes=(),
        help="Write a folder of pages instead: one for each place.",
    ),
    opt.replace("site"),
    sources.PUBLISH,
)
def report(
    folders: tuple[Path, ...],
    request: Request,
    data: Data,
    simulation: Simulation,
    own_counts: OwnCounts,
    out: Path | None = None,
    site: Path | None = None,
    replace: bool = False,
    publish: bool = False,
    typed: tuple[str, ...] = (),
) -> Answer:
    """Write a web page of a forecast, of a backtest, or of both; or a site with a page per place.

    A folder is a forecast from `odforecast forecast --save`, or results from `odforecast backtest
    --out`. Without either, a new forecast is made with the default model. For counties:
    `odforecast forecast --dataset counties --html FILE`.
    """
    from odforecast.forecasts.tables import refuse_counties
    from odforecast.geography import resolve
    from odforecast.report.page import check_folder
    from odforecast.report.site import write_report, write_site

    if out is not None and site is not None:
        raise click.UsageError(
            "give --out FILE for a page, or --site DIR for a site of pages"
        )
    page = out or Path("report.html")
    if site is None:
        sources.check_private(own_counts, publish, ("--out", page))
        opt.check_outputs(("--out", page, opt.PAGES))
    else:
        sources.check_private(own_counts, publish, ("--site", site))
        check_folder(site, replace)
    forecast, results = _open(folders)
    places: Sequence[str] | None = None
    later = None
    notes = []
    if forecast is not None:
        refuse_counties(forecast, "reports")
        opt.refuse(typed, _MAKES_NONE, *_MAKING)
        if data.archive or data.source:
            later = _later(forecast, data.open())
        if request.locations != "all":
            places = resolve(request.locations, forecast.locations)
    elif site is None and results is not None:
        opt.refuse(typed, _MAKES_NONE, *_MAKING, "--archive", "--source")
        if request.locations != "all":
            scored = sorted(set(results.scores["location"]))
            results = results.select(resolve(request.locations, scored))
    else:
        model = simulation.find_model()
        releases = data.open()
        panel, chosen = sources.open_panel(releases, request, as_of=data.as_of)
        panel = sources.add_counts(panel, own_counts, as_of=data.as_of, places=chosen)
        if request.horizon is None and request.until is None:
            year = panel.last_month.astype(object).year + 2  # the year after next
            request = with_(request, until=f"{year}-12")
        forecast = sources.make_forecast(
            model,
            panel,
            places=chosen,
            request=request,
            simulation=simulation,
        )
        places = sources.forecast_places(forecast, chosen)
        sources.say_warnings(forecast)
        notes = [sources.model_line(forecast)]
        later = _later(forecast, releases)
    shared: dict[str, Any] = {
        "results": results,
        "later": later,
        "locations": places,
        "own": publish,
    }
    if site is None:
        write_report(page, forecast=forecast, replace=True, **shared)
        return Answer(f"page: {page}", notes=notes)
    assert forecast is not None
    files = write_site(site, forecast, replace=replace, **shared)
    return Answer(f"site: {files[0]} ({len(files)} files)", notes=notes)


def _open(folders: Sequence[Path]) -> tuple[od.Forecast | None, od.Results | None]:
    """The forecast and the backtest among some folders, each known by what is in it."""
    from odforecast.forecasts.file import INDEX

    forecast = None
    backtest = None
    for folder in folders:
        if not folder.is_dir():
            reason = (
                "is a file; give the folder" if folder.exists() else "is not a folder"
            )
            raise click.UsageError(
                f"{folder} {reason}. For a page of one place: --state PLACE"
            )
        if (folder / INDEX).is_file():
            _check_single("forecast", forecast, folder)
            forecast = folder
        # A backtest that did not end says so when it is opened.
        elif any(
            (folder / name).exists()
            for name in ("manifest.json", "units", "scores.parquet")
        ):
            _check_single("backtest", backtest, folder)
            backtest = folder
        else:
            raise click.UsageError(
                f"{folder} holds neither a forecast nor a backtest: there is no {INDEX} from "
                "odforecast forecast --save, and no manifest.json from odforecast backtest --out"
            )
    return (
        None if forecast is None else od.load_forecast(forecast),
        None if backtest is None else od.Results.load(backtest),
    )


def _check_single(kind: str, first: Path | None, second: Path) -> None:
    """Refuse two folders of a kind."""
    if first is not None:
        raise click.UsageError(f"two {kind}s: {first} and {second}; give one")


def _later(forecast: od.Forecast, releases: od.Archive) -> od.Panel | None:
    """The same counts in the newest release in hand, where it is younger than the forecast's."""
    panel = forecast.panel
    newest = releases.as_of()
    if panel is None or newest.date <= panel.release:
        return None
    return newest.panel(panel.indicator)
