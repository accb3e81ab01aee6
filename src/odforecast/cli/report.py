"""``odforecast report``: a page, or a site of pages, of a forecast and of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.options import check_outputs, command, horizon, option, out, refuse
from odforecast.cli.source import COUNTS, PUBLISH, Request, check_local, how, request_options, there

if TYPE_CHECKING:
    from odforecast.backtesting import Results
    from odforecast.forecast import Forecast
    from odforecast.panel import Panel
    from odforecast.vintage import Vintage

#: Options that say how a forecast is made: of no use where one is given.
_MAKING = ("as_of", "model", "indicator", "draws", "seed", "horizon", "until", "counts")
_WHY = "says how to make a forecast, and this report makes none"
_FOLDER = click.Path(path_type=Path)


@command()
@click.argument("folders", nargs=-1, type=_FOLDER, metavar="[FORECAST|RESULTS]...")
@request_options(opt.LOCATIONS)
@COUNTS
@horizon("to the end of the year after next")
@option("--results", type=_FOLDER, metavar="DIR", group=opt.WHAT,
        help="Show this backtest beside the new forecast.")  # fmt: skip
@out("Page to write, in one file.  [default: report.html]", opt.PAGES)
@option("--site", type=opt.FOLDER, metavar="DIR", writes=(), group=opt.OUTPUT,
        help="Write a folder of pages instead: one for each place.")  # fmt: skip
@opt.REPLACE
@PUBLISH
@click.pass_context
def report(
    ctx: click.Context, folders: tuple[Path, ...], request: Request, results: Path | None,
    out: Path | None, site: Path | None, replace: bool, publish: bool,
) -> Answer:  # fmt: skip
    """Write a web page of a forecast, of a backtest, or of both; or a site with a page per place.

    A folder is a forecast from `odforecast forecast --save`, or results from `odforecast backtest
    --out`. Without a saved forecast, a new one is made with the default model, unless the page is
    only about results. For counties: `odforecast forecast --dataset counties --html FILE`.
    """
    from odforecast.forecast.tables import refuse_counties
    from odforecast.geography import resolve
    from odforecast.report.folder import check_folder
    from odforecast.report.site import write_report, write_site

    if out is not None and site is not None:
        raise click.UsageError("give --out FILE for a page, or --site DIR for a site of pages")
    if site is None and replace:
        raise click.UsageError("--replace is about --site DIR; a page is replaced as a whole")
    page = out or Path("report.html")
    check_local(request.counts, publish, ("--out", None if site else page), ("--site", site))
    if site is None:
        check_outputs(("--out", page, opt.PAGES))
    else:
        check_folder(site, replace)
    forecast, scored = _open(folders, results)
    places: Sequence[str] | None = None
    later = None
    notes = []
    if forecast is not None:
        refuse_counties(forecast, "reports")
        refuse(ctx, _WHY, *_MAKING)
        if request.archive is not None or request.source is not None:
            later = _later(forecast, request.releases.as_of())
        if request.locations != "all":
            places = resolve(request.locations, forecast.locations)
    elif site is None and scored is not None and results is None:
        refuse(ctx, _WHY, *_MAKING, "archive", "source")
        if request.locations != "all":
            scored = scored.select(
                resolve(request.locations, sorted(set(scored.scores["location"])))
            )
    else:
        forecast, places, note = _made(request)
        notes = [note]
        later = _later(forecast, request.releases.as_of())
    common: dict[str, Any] = {
        "results": scored,
        "later": later,
        "locations": places,
        "own": publish,
    }
    if site is None:
        write_report(page, forecast=forecast, replace=True, **common)
        return Answer(f"page: {page}", notes=notes)
    assert forecast is not None
    files = write_site(site, forecast, replace=replace, **common)
    return Answer(f"site: {files[0]} ({len(files)} files)", notes=notes)


def _open(folders: Sequence[Path], results: Path | None) -> tuple[Forecast | None, Results | None]:
    """The forecast and the backtest among some folders, each known by what is in it."""
    from odforecast.backtesting import Results
    from odforecast.forecast import load_forecast
    from odforecast.forecast.file import INDEX

    found: dict[str, Path] = {}
    for folder in (*folders, *([] if results is None else [results])):
        # A backtest was begun here; one that did not end says so when it is opened.
        begun = any(
            (folder / name).exists() for name in ("manifest.json", "units", "scores.parquet")
        )
        saved = (folder / INDEX).is_file() and folder is not results
        kind = "forecast" if saved else "backtest" if begun else ""
        if not folder.is_dir():
            what = "is a file; give the folder" if folder.exists() else "is not a folder"
            raise click.UsageError(f"{folder} {what}. For a page of one place: --state PLACE")
        if not kind:
            neither = "no backtest" if folder is results else "neither a forecast nor a backtest"
            index = "" if folder is results else f"no {INDEX} from odforecast forecast --save, and "
            raise click.UsageError(
                f"{folder} holds {neither}: there is {index}no manifest.json from odforecast "
                "backtest --out"
            )
        if kind in found:
            raise click.UsageError(f"two {kind}s: {found[kind]} and {folder}; give one")
        found[kind] = folder
    return (
        load_forecast(found["forecast"]) if "forecast" in found else None,
        Results.load(found["backtest"]) if "backtest" in found else None,
    )


def _made(request: Request) -> tuple[Forecast, Sequence[str], str]:
    """A forecast, up to the end of the year after next where no end is given; and how."""
    from odforecast.models import get_model

    model = get_model(request.model)
    panel, states = request.panel()
    until = None
    if request.horizon is None and request.until is None:
        until = f"{panel.last_month.astype(object).year + 2}-12"
    made = request.forecast(model, panel, states, until=until)
    return made, there(made, states) or list(states), how(made, model, request.seed)


def _later(forecast: Forecast, newest: Vintage) -> Panel | None:
    """The same counts in the newest release in hand, where it is younger than the forecast's."""
    panel = forecast.panel
    if panel is None or newest.date <= panel.release:
        return None
    return newest.panel(panel.indicator)
