"""Pages on disk: a report in one file, a site in a folder; whole, or as it was before."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.errors import DataError
from odforecast.forecast import Forecast
from odforecast.forecast.record import Scored
from odforecast.forecast.tables import refuse_counties
from odforecast.forecast.text import keep_local
from odforecast.geography import NATION, called
from odforecast.io import replacing
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel
from odforecast.publication import SETTLED
from odforecast.report.brief import made as made_with
from odforecast.report.site import drawings
from odforecast.report.site.blocks import (
    Section,
    csv_of,
    made_of_results,
    manifest,
    page,
    stale,
    warnings_of,
)
from odforecast.report.site.folder import (
    BOARD,
    INDEX,
    check_folder,
    check_page,
    file_names,
    write_folder,
)
from odforecast.report.site.national import (
    description_of,
    lead,
    national_blocks,
    subtitle_of,
    title_of,
)
from odforecast.report.site.numbers import Numbers
from odforecast.report.site.skill import TITLE, Skill, county_skill_blocks, skill_blocks
from odforecast.report.site.state import cards, state_blocks
from odforecast.scoring.summary import is_of_counties

FORECAST_CSV, TREND_CSV = "forecast.csv", "trend.csv"
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
    title: str = "",
    paper: str = "letter",
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
        refuse_counties(forecast, "reports")
        keep_local(forecast, "a page", own)
    if forecast is None and results is None and not sections:
        raise DataError(
            "a report of nothing", hint="give forecast=, results= of a backtest, or sections="
        )
    context: dict[str, Any]
    if forecast is not None:
        check_deaths(forecast, later, results=results)
        numbers = Numbers.of(forecast, locations)
        context = _national(numbers, {}, later, _by_place(_record(numbers.forecast, results)))
    else:
        context = {"title": TITLE, "blocks": [], "made": made_of_results(), "contents": True}
    if results is not None:
        if is_of_counties(results.scores):
            scored = county_skill_blocks(results)
        else:
            scored = skill_blocks(results, folded=forecast is not None)
            if forecast is None:
                context["subtitle"] = f"How good forecasts of {Skill(results).deaths} were"
        context["blocks"] += scored
    context["blocks"].append(manifest(forecast, results, folded=forecast is not None))
    context |= {"sections": list(sections)} | ({"title": title} if title else {})
    text = page(paper, **context)
    with replacing(target) as part:
        part.write_text(text, encoding="utf-8")
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
        Of a backtest: gives the leaderboard, and on the pages of places past forecasts.
    later : Panel, optional
        A later release of the same counts, drawn in gray beside those of the forecast.
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
    refuse_counties(forecast, "reports")
    keep_local(forecast, "a page", own)
    check_folder(out, replace)
    check_deaths(forecast, later, results=results, record=record)
    numbers = Numbers.of(forecast, locations)
    links = file_names(numbers.forecast.locations)
    scored = _by_place(_record(numbers.forecast, results) if record is None else record)
    bars = [("United States", INDEX), *([("Accuracy", BOARD)] if results is not None else [])]

    def framed(here: str, **context: Any) -> str:
        """A page with links to the others."""
        places = sorted((called(s), to, to == here) for s, to in links.items())
        pages = [(name, to, to == here) for name, to in bars]
        return page(paper, **{"links": pages, "places": places, **context})

    tables = {FORECAST_CSV: numbers.summary}
    if numbers.trend is not None:
        tables[TREND_CSV] = numbers.trend
    files = [("Forecast of all states (CSV)", FORECAST_CSV), ("Kinds of change (CSV)", TREND_CSV)]
    files = files[: len(tables)]
    first = _national(numbers, links, later, scored)
    first["blocks"].append(manifest(forecast, results))
    texts = {INDEX: framed(INDEX, **first, sections=list(sections), files=files)}
    past: Mapping[str, Results] = {}
    model = ""
    if results is not None:
        skill = Skill(results)
        model = _drawn(forecast, skill)
        past = _past(skill, model, forecast, later)
        blocks = [*skill_blocks(results), manifest(None, results, folded=False)]
        texts[BOARD] = framed(
            BOARD, title=TITLE, subtitle=subtitle_of(forecast), blocks=blocks, contents=True,
            made=made_with(forecast),
        )  # fmt: skip
    for code, name in links.items():
        texts[name] = framed(
            name,
            **_state(numbers, code, later, scored(code), past.get(code), model),
            files=files[:1],
        )
    return write_folder(out, texts | {name: csv_of(table) for name, table in tables.items()})


def _national(
    numbers: Numbers,
    links: Mapping[str, str],
    later: Panel | None,
    scored: Callable[[str], Scored | None],
) -> dict[str, Any]:
    """The page of all states: sentences, map, fan, table."""
    code = numbers.first
    record = scored(code)
    made = numbers.forecast
    tiles = drawings.tiles(numbers, links)
    sizes = [drawings.WIDE if tiles is None else drawings.BESIDE, drawings.PHONE]
    return {
        **_words(numbers, None if len(made.locations) > 1 else code, code),
        "lead": [lead(numbers, code, record, error=len(made.locations) == 1)],
        "map": tiles,
        "fan": drawings.fan(numbers, code, later, sizes),
        "blocks": national_blocks(numbers, links, record),
        "methods": [("How the forecast is made", "#methods"),
                    ("What a 90% interval is", "#interval")],
    }  # fmt: skip


def _words(numbers: Numbers, place: str | None, code: str) -> dict[str, Any]:
    """What every page of a forecast says of it."""
    made = numbers.forecast
    return {
        "title": title_of(numbers, place), "subtitle": subtitle_of(made),
        "description": description_of(numbers, code), "stale": stale(made),
        "warnings": warnings_of(made), "made": made_with(made),
    }  # fmt: skip


def _state(
    numbers: Numbers,
    code: str,
    later: Panel | None,
    record: Scored | None,
    past: Results | None,
    model: str,
) -> dict[str, Any]:
    """The page of one place."""
    figures = [] if past is None else drawings.past(past, code, model)
    beside, folded = state_blocks(numbers, code, record, figures)
    return {
        **_words(numbers, code, code),
        "warnings": (),
        "crumb": INDEX if code != NATION else "", "place": called(code),
        "lead": [lead(numbers, code, record, error=True)],
        "cards": cards(numbers, code),
        "fan": drawings.fan(numbers, code, later, [drawings.WIDE, drawings.PHONE]),
        "pair": beside if len(beside) > 1 else (),
        "blocks": [*(beside if len(beside) == 1 else ()), *folded],
        "related": [
            ("All states", f"{INDEX}#forecast", "One sortable table, with the United States"),
            ("How the forecast is made", f"{INDEX}#methods", "Model, data, how to reproduce it"),
            ("What a 90% interval is", f"{INDEX}#interval", "How to read a range"),
        ],
        "methods": [("How the forecast is made", f"{INDEX}#methods"),
                    ("What a 90% interval is", f"{INDEX}#interval")],
    }  # fmt: skip


def check_deaths(forecast: Forecast, later: Panel | None, **given: Results | None) -> None:
    """Refuse scores, or a later release, of other deaths than a forecast's."""
    panel = forecast.panel
    for name, results in given.items():
        if results is None:
            continue
        if panel is None:
            raise DataError(
                f"{name}: the forecast holds no counts, so it is not known which deaths it is of",
                hint=f"leave {name} out",
            )
        for key in _KEYS:
            if key not in results.manifest:
                raise DataError(
                    f"{name}: the manifest has no {key!r}, so it is not known which deaths were "
                    "scored: an earlier version of odforecast wrote it",
                    hint="run the backtest again",
                )
            if results.manifest[key] != getattr(panel, key):
                raise DataError(
                    f"{name}: of {key} {results.manifest[key]!r}, and the forecast is of "
                    f"{getattr(panel, key)!r}",
                    hint="score the same deaths: odforecast backtest --indicator",
                )
    for key in _KEYS:
        if panel is not None and later is not None and getattr(later, key) != getattr(panel, key):
            raise DataError(
                f"later: of {key} {getattr(later, key)!r}, and the forecast is of "
                f"{getattr(panel, key)!r}",
                hint="give a later release of the same counts",
            )


def _by_place(record: Scored | None) -> Callable[[str], Scored | None]:
    """Scores of one place at a time, so that fifty pages do not search all of them fifty times.

    Of a place without scores none are given: what ships of the default model is then shown.
    """
    if record is None:
        return lambda _: None
    return {
        str(s): Results({"scores": rows}, record.manifest)
        for s, rows in record.scores.groupby("location", observed=True)
    }.get


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


def _past(skill: Skill, model: str, forecast: Forecast, later: Panel | None) -> dict[str, Results]:
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
            (quantiles["model"] == model) & (quantiles["target"] == TARGET_12MO)
            & quantiles["level"].isin((0.05, 0.95))
        ]  # fmt: skip
        ends = {str(s): q for s, q in quantiles.groupby("location", observed=True)}
    return {
        str(s): Results(
            {"scores": part, "quantiles": ends.get(str(s), quantiles[:0])}, skill.results.manifest
        )
        for s, part in rows.groupby("location", observed=True)
    }
