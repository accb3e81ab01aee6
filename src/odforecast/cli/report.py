"""``odforecast report``: a page, or a site of pages, of a forecast and of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import odforecast as od
from odforecast.cli import options as opt
from odforecast.cli import source
from odforecast.cli.answer import Answer
from odforecast.cli.options import refuse

#: Options that say how a forecast is made: of no use where one is given.
_MAKING = ("as_of", "model", "indicator", "draws", "seed", "horizon", "until", "counts")
_WHY = "says how to make a forecast, and this report makes none"


@opt.command()
@click.argument(
    "folders",
    nargs=-1,
    type=opt.PATH,
    metavar="[FORECAST|RESULTS]...",
)
@source.request_options(opt.LOCATIONS)
@opt.together(
    source.COUNTS,
    opt.horizon("to the end of the year after next"),
    opt.out("Page to write, in one file.  [default: report.html]", opt.PAGES),
    opt.output(
        "--site DIR",
        writes=(),
        help="Write a folder of pages instead: one for each place.",
    ),
    opt.replace("site"),
    source.PUBLISH,
)
def report(
    folders: tuple[Path, ...],
    out: Path | None,
    site: Path | None,
    replace: bool,
    publish: bool,
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

    opt.check(
        (
            out is not None and site is not None,
            "give --out FILE for a page, or --site DIR for a site of pages",
        )
    )
    page = out or Path("report.html")
    asked = opt.given("locations")
    source.check_local(("--out", None if site else page), ("--site", site))
    if site is None:
        opt.check_outputs(("--out", page, opt.PAGES))
    else:
        check_folder(site, replace)
    forecast, scored = _open(folders)
    places: Sequence[str] | None = None
    later = None
    notes = []
    if forecast is not None:
        refuse_counties(forecast, "reports")
        refuse(_WHY, *_MAKING)
        if opt.given("archive") or opt.given("source"):
            later = _later(forecast)
        if asked != "all":
            places = resolve(asked, forecast.locations)
    elif site is None and scored is not None:
        refuse(_WHY, *_MAKING, "archive", "source")
        if asked != "all":
            held = sorted(set(scored.scores["location"]))
            scored = scored.select(resolve(asked, held))
    else:
        panel, states = source.own_panel()
        until = None
        if opt.given("horizon") is None and opt.given("until") is None:
            until = f"{panel.last_month.astype(object).year + 2}-12"  # the year after next
        forecast = source.make(od.get_model(opt.given("model")), panel, states=states, until=until)
        places = source.there(forecast, states)
        notes = [source.how(forecast)]
        later = _later(forecast)
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


def _open(folders: Sequence[Path]) -> tuple[od.Forecast | None, od.Results | None]:
    """The forecast and the backtest among some folders, each known by what is in it."""
    from odforecast.forecasts.file import INDEX

    found: dict[str, Path] = {}
    for folder in folders:
        # A backtest was begun here; one that did not end says so when it is opened.
        begun = any((folder / x).exists() for x in ("manifest.json", "units", "scores.parquet"))
        kind = "forecast" if (folder / INDEX).is_file() else "backtest" if begun else ""
        what = "is a file; give the folder" if folder.exists() else "is not a folder"
        opt.check(
            (not folder.is_dir(), f"{folder} {what}. For a page of one place: --state PLACE"),
            (
                not kind,
                f"{folder} holds neither a forecast nor a backtest: there is no {INDEX} "
                "from odforecast forecast --save, and no manifest.json from odforecast backtest "
                "--out",
            ),
            (kind in found, f"two {kind}s: {found.get(kind)} and {folder}; give one"),
        )
        found[kind] = folder
    return (
        od.load_forecast(found["forecast"]) if "forecast" in found else None,
        od.Results.load(found["backtest"]) if "backtest" in found else None,
    )


def _later(forecast: od.Forecast) -> od.Panel | None:
    """The same counts in the newest release in hand, where it is younger than the forecast's."""
    panel = forecast.panel
    newest = source.open_source().as_of()
    later = panel is not None and newest.date > panel.release
    return newest.panel(panel.indicator) if later and panel is not None else None
