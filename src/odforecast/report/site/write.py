"""Pages on disk: a report in one file, a site in a folder; whole, or as it was before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from odforecast.backtesting import Results
from odforecast.errors import DataError
from odforecast.forecast import Forecast
from odforecast.forecast.tables import published_on, refuse_counties
from odforecast.forecast.text import beyond_validated, keep_local, place_name
from odforecast.geography import NATION, called
from odforecast.io import replacing
from odforecast.panel import Panel
from odforecast.report.brief import made as made_with
from odforecast.report.page import render
from odforecast.report.site.blocks import (
    Block,
    Numbers,
    forecast_blocks,
    manifest,
    place_blocks,
    skill_blocks,
)
from odforecast.report.site.county_skill import county_skill_blocks
from odforecast.report.site.deaths import check_deaths
from odforecast.report.site.folder import (
    BOARD,
    INDEX,
    check_folder,
    check_page,
    file_names,
    write_folder,
)
from odforecast.report.site.parts import Section
from odforecast.report.site.past import PastForecasts, by_place, past_forecasts
from odforecast.report.site.skill import Skill
from odforecast.report.site.tables import place_numbers
from odforecast.report.spreadsheet import for_spreadsheets
from odforecast.say import day_name, deaths_of, month_name, shown_warnings
from odforecast.scoring.summary import is_of_counties
from odforecast.version import __version__

FORECAST_CSV, TREND_CSV = "forecast.csv", "trend.csv"


def write_report(
    path: str | os.PathLike[str],
    *,
    forecast: Forecast | None = None,
    results: Results | None = None,
    later: Panel | None = None,
    locations: str | Iterable[str] | None = None,
    sections: Sequence[Section] = (),
    title: str = "",
    paper: str = "letter",
    replace: bool = False,
    own: bool = False,
) -> Path:
    """Write a report: one page that needs nothing beside it.

    It shows what it is given: of a forecast the table and map by place, calendar years, kinds of
    change and what is still to be counted; of a backtest the leaderboard, skill, coverage and PIT.

    Parameters
    ----------
    path : path
        The file, ``report.html``. Its folder is made if it is absent.
    forecast : Forecast, optional
    results : Results, optional
        Of a backtest. Its scores of the forecast's model are what the text says of past errors.
    later : Panel, optional
        A later release of the same counts, drawn in grey beside those of the forecast.
    locations : str or iterable of str, optional
        Places that are shown, by any of their names; default: all of the forecast. They are chosen
        last: New York has a rate where the city is forecast with it.
    sections : sequence of Section
        Put before the rest: what changed since last month.
    title : str
        Default: what is shown, and the day.
    paper : {"letter", "a4"}
        What it is printed on.
    replace : bool
        Take the place of a page of ours that is there.
    own : bool
        Also where the forecast rests on a state's own counts, which are not shown unasked.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If there is nothing to show, something is there already, the forecast is of counties, or
        the results or the later release are of other deaths than the forecast.
    ForecastError
        If the forecast rests on own counts.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> from odforecast.report.site import write_report
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("naive").fit(panel).forecast(draws=50).select(["US", "OH"])
    >>> page = write_report(tempfile.mkdtemp() + "/report.html", forecast=made)
    >>> "United States" in page.read_text(encoding="utf-8")
    True
    """
    target = Path(path)
    check_page(target, replace)
    if forecast is not None:
        _no_counties(forecast)
        keep_local(forecast, "a page", own)
    if forecast is None and results is None and not sections:
        raise DataError(
            "a report of nothing", hint="give forecast=, results= of a backtest, or sections="
        )
    blocks: list[Block] = []
    lead: tuple[str, ...] = ()
    skill = None if results is None else Skill(results)
    subtitle = "How good the forecasts were."
    if skill is not None:
        subtitle = f"How good forecasts of {skill.deaths} were."
    if forecast is not None:
        check_deaths(forecast, later, results=results)
        numbers = Numbers.of(forecast, locations)
        forecast = numbers.forecast
        blocks += forecast_blocks(numbers, {}, later)
        first = _first(forecast)
        lead = (forecast.text(first, by_place(_record(forecast, results))(first)),)
        subtitle = _subtitle(forecast)
    if skill is not None:
        counties = is_of_counties(skill.results.scores)
        blocks += county_skill_blocks(skill.results) if counties else skill_blocks(skill)
    blocks.append(manifest(forecast, results))
    page = _page(
        {
            "title": title or _title(forecast),
            "subtitle": subtitle,
            "warnings": _warnings(forecast),
            "lead": lead,
            "sections": list(sections),
            "blocks": blocks,
            "made": _made(forecast),
        },
        paper,
        contents=True,
    )
    with replacing(target) as part:
        part.write_text(page, encoding="utf-8")
    return target


def write_site(
    folder: str | os.PathLike[str],
    forecast: Forecast,
    *,
    results: Results | None = None,
    later: Panel | None = None,
    record: Results | None = None,
    locations: str | Iterable[str] | None = None,
    sections: Sequence[Section] = (),
    paper: str = "letter",
    replace: bool = False,
    own: bool = False,
) -> list[Path]:
    """Write a site: an index, a page per place, the leaderboard, and the tables as CSV.

    All pages are made before the folder appears; one that is there is replaced as a whole.

    Parameters
    ----------
    folder : path
    forecast : Forecast
    results : Results, optional
        Of a backtest: gives the leaderboard, and on the pages of places what was said before.
    later : Panel, optional
        A later release of the same counts, drawn in grey beside those of the forecast.
    record : Results, optional
        Whose scores the texts and tables of past errors are of. Default: ``results`` where they
        hold the forecast's model, else what ships of the default model.
    locations : str or iterable of str, optional
        As in :func:`write_report`.
    sections : sequence of Section
        Put first on the index.
    paper : {"letter", "a4"}
    replace : bool
        Take the place of a site that the folder holds.
    own : bool
        As in :func:`write_report`.

    Returns
    -------
    list of Path
        The files, ``index.html`` first.

    Raises
    ------
    DataError
        If the folder holds something else, or a site and ``replace`` is not given; if the forecast
        is of counties; or if the results, the record or the later release are of other deaths than
        the forecast.
    ForecastError
        If ``record`` holds no scores of the forecast's model, or the forecast rests on own counts.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> from odforecast.report.site import write_site
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("naive").fit(panel).forecast(draws=50).select(["US", "OH"])
    >>> files = write_site(tempfile.mkdtemp() + "/site", made)
    >>> sorted(p.name for p in files)
    ['forecast.csv', 'index.html', 'ohio.html', 'site.json', 'trend.csv', 'united-states.html']
    """
    out = Path(folder)
    _no_counties(forecast)
    keep_local(forecast, "a page", own)
    check_folder(out, replace)
    check_deaths(forecast, later, results=results, record=record)
    texts = _site(Numbers.of(forecast, locations), results, later, record, sections, paper)
    return write_folder(out, texts)


def _site(
    numbers: Numbers,
    results: Results | None,
    later: Panel | None,
    record: Results | None,
    sections: Sequence[Section],
    paper: str,
) -> dict[str, str]:
    """Every file of a site, by name."""
    forecast = numbers.forecast
    scored = by_place(_record(forecast, results) if record is None else record)
    links = file_names(forecast.locations)
    skill = None if results is None else Skill(results)
    bars = [("Forecast", INDEX), *([("Leaderboard", BOARD)] if skill else [])]
    past: Mapping[str, PastForecasts] = {}
    if results is not None and skill is not None:
        through = forecast.last_month if later is None else later.last_month
        past = past_forecasts(results, _drawn(forecast, skill), through)

    def page(here: str, context: Mapping[str, object], contents: bool = False) -> str:
        places = sorted((called(s), to, to == here) for s, to in links.items())
        pages = [(name, to, to == here) for name, to in bars]
        return _page(
            {"made": _made(forecast), "links": pages, "places": places, **context}, paper, contents
        )

    files = [("The table as CSV", FORECAST_CSV)]
    tables = {FORECAST_CSV: numbers.summary}
    if numbers.trend is not None:
        tables[TREND_CSV] = numbers.trend
        files.append(("The kinds of change as CSV", TREND_CSV))
    out = {
        INDEX: page(
            INDEX,
            {
                "title": _title(forecast),
                "subtitle": _subtitle(forecast),
                "warnings": _warnings(forecast),
                "lead": (forecast.text(_first(forecast), scored(_first(forecast))),),
                "sections": list(sections),
                "blocks": [*forecast_blocks(numbers, links, later), manifest(forecast, results)],
                "files": files,
            },
            contents=True,
        )
    }
    if skill is not None:
        context = {
            "title": "How good the forecasts were",
            "subtitle": _subtitle(forecast),
            "blocks": [*skill_blocks(skill), manifest(None, results)],
        }
        out[BOARD] = page(BOARD, context, contents=True)
    ahead = {r["location"]: r for r in numbers.ahead().to_dict("records")}
    month = month_name(next(iter(ahead.values()))["month"].to_datetime64())
    for code, name in links.items():
        context = {
            "title": f"{called(code)}: 12 months to {month}",
            "subtitle": _subtitle(forecast),
            "lead": (forecast.text(code, scored(code)),),
            "numbers": place_numbers(ahead[code], numbers.known.get(code, {})),
            "blocks": place_blocks(numbers, code, past.get(code), later, scored(code)),
            "files": files[:1],
        }
        out[name] = page(name, context)
    return out | {name: _csv(table) for name, table in tables.items()}


def _no_counties(forecast: Forecast) -> None:
    """Refuse counties: these pages show numbers below 10."""
    refuse_counties(forecast, "reports")


def _page(context: Mapping[str, object], paper: str, contents: bool = False) -> str:
    """One page; what it does not have is empty."""
    empty: dict[str, object] = {
        "warnings": (), "lead": (), "numbers": (), "sections": (), "blocks": (), "files": (),
        "links": (), "places": (), "contents": contents,
    }  # fmt: skip
    return render("site-page", {**empty, **context}, paper=paper, script="sort")


def _csv(table: pd.DataFrame) -> str:
    plain = table.assign(month=table["month"].dt.strftime("%Y-%m"))
    text: str = for_spreadsheets(plain).to_csv(
        index=False, float_format="%.10g", lineterminator="\n"
    )
    return text


def _first(forecast: Forecast) -> str:
    return NATION if NATION in forecast.locations else forecast.locations[0]


def _record(forecast: Forecast, results: Results | None) -> Results | None:
    """The results, where they hold scores of the model that made the forecast."""
    if results is None:
        return None
    spec = forecast.provenance.get("spec_hash")
    return results if spec in set(results.scores["spec_hash"]) else None


def _drawn(forecast: Forecast, skill: Skill) -> str:
    """The model whose past forecasts are drawn: the forecast's own, else the first."""
    spec = forecast.provenance.get("spec_hash")
    mine = skill.scores.loc[skill.scores["spec_hash"] == spec, "model"]
    return str(mine.iloc[0]) if len(mine) else skill.model


def _title(forecast: Forecast | None) -> str:
    if forecast is None:
        return "How good the forecasts were"
    what = "deaths" if forecast.panel is None else deaths_of(forecast.panel.indicator)
    where = place_name(forecast.locations[0])
    many = len(forecast.locations) > 1
    place = "the United States, by state" if many and NATION in forecast.locations else where
    if many and NATION not in forecast.locations:
        place = f"{len(forecast.locations)} places"
    return f"{what[:1].upper()}{what[1:]} in {place}: what is known and what to expect"


def _subtitle(forecast: Forecast) -> str:
    return (
        f"Counts as published by {day_name(published_on(forecast))}, up to the 12 months ending in "
        f"{month_name(forecast.last_month)}."
    )


def _warnings(forecast: Forecast | None) -> list[str]:
    if forecast is None:
        return []
    said = [*shown_warnings(forecast.warnings), beyond_validated(forecast)]
    if forecast.panel is not None:
        said += forecast.panel.notes
    return [f"{t[:1].upper()}{t[1:].rstrip('.')}." for t in said if t]


def _made(forecast: Forecast | None) -> str:
    if forecast is None:
        return f"Made with odforecast {__version__} from CDC's provisional counts."
    return made_with(forecast)
