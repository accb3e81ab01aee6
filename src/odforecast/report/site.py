"""Pages for people who read: a report in one file, and a site with a page per place.

Nothing is fetched and nothing is needed beside the files: figures are SVG inside the pages, and
the one script, which sorts tables and reads charts, is named by its hash in each page's policy.
All numbers are there without it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.errors import DataError
from odforecast.forecasts import Forecast
from odforecast.forecasts.record import Scored
from odforecast.forecasts.tables import refuse_counties
from odforecast.forecasts.text import keep_local
from odforecast.geography import NATION, called
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel
from odforecast.publication import SETTLED
from odforecast.report.blocks import (
    PHONE,
    Section,
    csv_of,
    made,
    manifest,
    page,
    stale,
    warnings_of,
)
from odforecast.report.counties import write_county_page
from odforecast.report.numbers import (
    Numbers,
    description_of,
    lead,
    subtitle_of,
    title_of,
)
from odforecast.report.page import (
    BOARD,
    INDEX,
    check_folder,
    check_page,
    file_names,
    write_folder,
    write_page,
)
from odforecast.report.places import (
    BESIDE,
    WIDE,
    cards,
    fan_figure,
    national_blocks,
    past_figures,
    state_blocks,
    tiles,
    untested,
)
from odforecast.report.skill import TITLE, Skill, county_skill_blocks, skill_blocks
from odforecast.scoring.summary import is_of_counties

__all__ = ["Section", "write_county_page", "write_report", "write_site"]
FORECAST_CSV = "forecast.csv"
TREND_CSV = "trend.csv"
#: What tells deaths apart, of a panel and in the manifest of a backtest.
_KEYS = ("indicator", "dataset", "basis")


def write_report(
    path: str | os.PathLike[str],
    *,
    forecast: Forecast | None = None,
    results: Results | None = None,
    later: Panel | None = None,
    locations: str | Iterable[str] | None = None,
    sections: Sequence[Section] = (),
    replace: bool = False,
    own: bool = False,
) -> Path:
    """Write a report: one page that needs nothing beside it.

    It shows what it is given: of a forecast three sentences, a map, a fan and the table of states,
    and below them calendar years, final counts, rates and kinds of change; of a backtest the
    leaderboard, skill, coverage and PIT.

    Parameters
    ----------
    path : path
        The file, ``report.html``. Its folder is made if it is absent.
    forecast : Forecast, optional
    results : Results, optional
        Of a backtest. Its scores of the forecast's model are what the text says of past errors.
    later : Panel, optional
        A later release of the same counts, drawn in gray beside those of the forecast.
    locations : str or iterable of str, optional
        Places that are shown, by any of their names; default: all of the forecast. They are chosen
        last: New York has a rate where the city is forecast with it.
    sections : sequence of Section
        Put before the figures: what changed since last month.
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
    if forecast is None and results is None and not sections:
        raise DataError(
            "a report of nothing",
            hint="give forecast=, results= of a backtest, or sections=",
        )
    context: dict[str, Any] = {
        "title": TITLE,
        "blocks": [],
        "made": made(),
        "contents": True,
    }
    if forecast is not None:
        refuse_counties(forecast, "reports")
        keep_local(forecast, "a page", own=own)
        _check_deaths(forecast, later, results=results)
        numbers = Numbers.from_forecast(forecast, locations)
        context = _national(
            numbers, {}, later=later, scored=_scored(numbers.forecast, results)
        )
    if results is not None and is_of_counties(results.scores):
        context["blocks"] += county_skill_blocks(results)
    elif results is not None:
        context["blocks"] += skill_blocks(results, folded=forecast is not None)
        if forecast is None:
            context["subtitle"] = (
                f"How accurate forecasts of {Skill(results).deaths} were"
            )
    context["blocks"].append(manifest(forecast, results, folded=forecast is not None))
    return write_page(target, page(**context, sections=list(sections)))


def write_site(
    folder: str | os.PathLike[str],
    forecast: Forecast,
    *,
    results: Results | None = None,
    later: Panel | None = None,
    locations: str | Iterable[str] | None = None,
    sections: Sequence[Section] = (),
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
        Of a backtest: gives the leaderboard, and on the pages of places past forecasts. Texts on
        past errors are of these scores where they hold the forecast's model, else of what ships.
    later : Panel, optional
        A later release of the same counts, drawn in gray beside those of the forecast.
    locations : str or iterable of str, optional
        As in :func:`write_report`.
    sections : sequence of Section
        Put first on the index.
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
        is of counties; or if the results or the later release are of other deaths than the
        forecast.
    ForecastError
        If the forecast rests on own counts.

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
    refuse_counties(forecast, "reports")
    keep_local(forecast, "a page", own=own)
    check_folder(out, replace)
    _check_deaths(forecast, later, results=results)
    numbers = Numbers.from_forecast(forecast, locations)
    links = file_names(numbers.forecast.locations)
    scored = _scored(numbers.forecast, results)
    bars = [
        ("United States", INDEX),
        *([("Accuracy", BOARD)] if results is not None else []),
    ]

    def framed(here: str, **context: Any) -> str:
        """A page with links to the others."""
        places = sorted((called(s), to, to == here) for s, to in links.items())
        pages = [(name, to, to == here) for name, to in bars]
        return page(**{"links": pages, "places": places, **context})

    tables = {FORECAST_CSV: numbers.summary}
    files = [("Forecast of all states (CSV)", FORECAST_CSV)]
    if numbers.trend is not None:
        tables[TREND_CSV] = numbers.trend
        files.append(("Kinds of change (CSV)", TREND_CSV))
    first = _national(numbers, links, later=later, scored=scored)
    first["blocks"].append(manifest(forecast, results))
    texts = {INDEX: framed(INDEX, **first, sections=list(sections), files=files)}
    past: Mapping[str, Results] = {}
    model = ""
    if results is not None:
        skill = Skill(results)
        model = _drawn(forecast, skill)
        past = _past(skill, model, forecast=forecast, later=later)
        blocks = [*skill_blocks(results), manifest(None, results, folded=False)]
        texts[BOARD] = framed(
            BOARD,
            title=TITLE,
            subtitle=subtitle_of(forecast),
            blocks=blocks,
            contents=True,
            made=made(forecast),
        )
    for code, name in links.items():
        of = _state(
            numbers,
            code,
            later=later,
            record=scored.get(code),
            past=past.get(code),
            model=model,
        )
        texts[name] = framed(name, **of, files=files[:1])
    return write_folder(
        out, texts | {name: csv_of(table) for name, table in tables.items()}
    )


def _national(
    numbers: Numbers,
    links: Mapping[str, str],
    later: Panel | None,
    scored: Mapping[str, Scored],
) -> dict[str, Any]:
    """The page of all states: sentences, map, fan, table."""
    code = numbers.first
    one = len(numbers.forecast.locations) == 1
    record = scored.get(code)
    map_of = tiles(numbers, links)
    sizes = [WIDE if map_of is None else BESIDE, PHONE]
    return {
        **_words(numbers, code if one else None, code=code, record=record, error=one),
        "warnings": [*warnings_of(numbers.forecast), *untested(numbers)],
        "map": map_of,
        "fan": fan_figure(numbers, code, later=later, sizes=sizes),
        "blocks": national_blocks(numbers, links, record=record),
    }


def _words(
    numbers: Numbers,
    place: str | None,
    code: str,
    record: Scored | None,
    error: bool,
    index: str = "",
) -> dict[str, Any]:
    """What every page of a forecast says of it."""
    forecast = numbers.forecast
    return {
        "title": title_of(numbers, place),
        "subtitle": subtitle_of(forecast),
        "description": description_of(numbers, code),
        "stale": stale(forecast, numbers.month),
        "made": made(forecast),
        "lead": [lead(numbers, code, record=record, error=error)],
        "methods": [
            ("How the forecast is made", f"{index}#methods"),
            ("What a 90% interval is", f"{index}#interval"),
        ],
    }


def _state(
    numbers: Numbers,
    code: str,
    later: Panel | None,
    record: Scored | None,
    past: Results | None,
    model: str,
) -> dict[str, Any]:
    """The page of one place."""
    drawn = [] if past is None else past_figures(past, code, model=model)
    beside, folded = state_blocks(numbers, code, record=record, drawn=drawn)
    words = _words(numbers, code, code=code, record=record, error=True, index=INDEX)
    abouts = ("Model, data, how to reproduce it", "How to read a range")
    return {
        **words,
        "crumb": INDEX if code != NATION else "",
        "place": called(code),
        "cards": cards(numbers, code),
        "fan": fan_figure(numbers, code, later=later, sizes=[WIDE, PHONE]),
        "pair": beside if len(beside) > 1 else (),
        "blocks": [*(beside if len(beside) == 1 else ()), *folded],
        "related": [
            (
                "All states",
                f"{INDEX}#forecast",
                "One sortable table, with the United States",
            ),
            *((*link, about) for link, about in zip(words["methods"], abouts)),
        ],
    }


def _check_deaths(
    forecast: Forecast, later: Panel | None, results: Results | None
) -> None:
    """Refuse scores, or a later release, of other deaths than a forecast's."""
    panel = forecast.panel
    others: list[tuple[str, Any, str]] = []
    if results is not None:
        if panel is None:
            raise DataError(
                "results: the forecast holds no counts, so it is not known which deaths it is of",
                hint="leave results out",
            )
        if absent := [key for key in _KEYS if key not in results.manifest]:
            raise DataError(
                f"results: the manifest has no {absent[0]!r}, so it is not known which deaths were "
                "scored: an earlier version of odforecast wrote it",
                hint="run the backtest again",
            )
        hint = "score the same deaths: odforecast backtest --indicator"
        others.append(("results", results.manifest.get, hint))
    if later is not None and panel is not None:
        hint = "give a later release of the same counts"
        others.append(("later", partial(getattr, later), hint))
    for name, held, hint in others:
        for key in _KEYS:
            if held(key) != getattr(panel, key):
                raise DataError(
                    f"{name}: of {key} {held(key)!r}, and the forecast is of "
                    f"{getattr(panel, key)!r}",
                    hint=hint,
                )


def _scored(forecast: Forecast, results: Results | None) -> dict[str, Scored]:
    """Scores of the forecast's model by place, so that fifty pages do not search all of them.

    Of a model or a place without scores none are given: what ships of the default model is shown.
    """
    spec = forecast.provenance.get("spec_hash")
    if results is None or spec not in set(results.scores["spec_hash"]):
        return {}
    return {
        str(s): Results({"scores": rows}, results.manifest)
        for s, rows in results.scores.groupby("location", observed=True)
    }


def _drawn(forecast: Forecast, skill: Skill) -> str:
    """The model whose past forecasts are drawn: the forecast's own, else the first."""
    spec = forecast.provenance.get("spec_hash")
    mine = skill.scores.loc[skill.scores["spec_hash"] == spec, "model"]
    return str(mine.iloc[0]) if len(mine) else skill.model


def _past(
    skill: Skill, model: str, forecast: Forecast, later: Panel | None
) -> dict[str, Results]:
    """Past forecasts of a model by place.

    A page of an earlier day must not know later counts: of counts that were not settled on
    that day, only those scored against a release of before.
    """
    day = forecast.as_of if later is None else later.release
    rows = skill.ahead
    rows = rows[rows["model"] == model]
    settled = np.datetime64(day, "M") - SETTLED * ONE_MONTH
    seen = (rows["month"].to_numpy().astype("datetime64[M]") <= settled) | (
        rows["truth_release"].to_numpy().astype("datetime64[D]") <= np.datetime64(day)
    )
    rows = rows[seen]
    quantiles = skill.results.quantiles
    ends: dict[str, pd.DataFrame] = {}
    if len(quantiles):
        quantiles = quantiles[
            (quantiles["model"] == model)
            & (quantiles["target"] == TARGET_12MO)
            & quantiles["level"].isin((0.05, 0.95))
        ]
        ends = {str(s): q for s, q in quantiles.groupby("location", observed=True)}
    return {
        str(s): Results(
            {"scores": part, "quantiles": ends.get(str(s), quantiles[:0])},
            skill.results.manifest,
        )
        for s, part in rows.groupby("location", observed=True)
    }
