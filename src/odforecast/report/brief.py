"""The brief for people who decide: two printed pages, a technical annex apart."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.forecast import Forecast
from odforecast.forecast.tables import of_counties, published_on, refuse_counties
from odforecast.forecast.text import keep_local, own_counts, place_name, text
from odforecast.io import replacing
from odforecast.panel import Panel
from odforecast.report.page import picture, render
from odforecast.report.page.annex import annex
from odforecast.report.page.answer import (
    answer_table,
    assumed,
    chances,
    reading,
    scope_of,
    sure,
    years,
)
from odforecast.report.page.believe import limits, mind, skill_table, sources_of
from odforecast.report.page.render import GENERATOR
from odforecast.report.record import past_record
from odforecast.report.words import GRADES
from odforecast.say import day_name
from odforecast.scenario import CAVEAT, Projection, Scenario, Track
from odforecast.scenario.answer import (
    CLASS_WARNING,
    NEVER,
    answers,
    begun_text,
    located,
    scenario_title,
)
from odforecast.scenario.intervention import ALL, NATION
from odforecast.version import __version__

#: The brief of the only place, or the list of the places' briefs.
BRIEF = "brief.html"
ANNEX = "brief-annex.html"

Skill = str | pd.DataFrame

_FIGURE = (
    "Black: counted. Grey, dashed: if nothing changes. Colour: with what is assumed, from the "
    "dotted line on. Averages, and bands of 90 %."
)


def write_brief(
    projection: Projection,
    *,
    panel: Panel | None = None,
    location: str = NATION,
    skill: Skill | None = None,
    clocks: Sequence[Track] = (),
    stylesheet: str | os.PathLike[str] | None = None,
    paper: str = "letter",
    own: bool = False,
) -> str:
    """HTML of the brief on one place: the answer on a page, and why to believe it on another.

    Printed, that is two pages for up to three scenarios; more of them make it longer.

    Parameters
    ----------
    projection : Projection
        With the location in it.
    panel : Panel, optional
        Reported counts, drawn before the fans; default: the forecast's own.
    location : str
        Whose numbers the brief gives, by any of its names.
    skill : str or DataFrame, optional
        How good the forecasts of this place were so far: a sentence, or a table to be shown as
        it is. Default: the record of the default model that ships; for another model one line
        says how to find out.
    stylesheet : path, optional
        A style sheet instead of the library's own.
    paper : {"letter", "a4"}
    own : bool
        Also where the forecast rests on a state's own counts, which are not shown unasked.

    Returns
    -------
    str
        A complete HTML document; figures are inside, and its Content-Security-Policy lets
        nothing else in. It links to the annex, ``brief-annex.html``.

    Raises
    ------
    ScenarioError
        If nothing but the null scenario was projected.
    DataError
        If the style sheet or the paper is refused, or the forecast is of counties.
    ForecastError
        If the forecast rests on own counts.
    """
    from odforecast.report import scenario_figures as draw

    refuse_counties(projection.baseline, "briefs")
    keep_local(projection.baseline, "a page", own)
    chosen = _chosen(projection)
    code = located(projection, location)
    one = projection.select([code])
    baseline, place = one.baseline, place_name(code)
    panel = baseline.panel if panel is None else panel
    found = answers(one, code)
    title = _question(chosen, place)
    sources, references = sources_of(chosen)
    said, shown = _skill(skill, baseline, code)
    context = {
        "title": title,
        "subtitle": f"{_capital(place)}. Data as published by {day_name(published_on(baseline))}.",
        "standing": text(baseline, code, errors=False),  # they have a table below
        "scope": scope_of(chosen),
        "assumptions": [assumed(s, x, chosen) for s in chosen for x in s.interventions],
        "place": place,
        "period": found[0].period,
        "answers": found,
        "answer_table": answer_table(found),
        "reading": reading(found)
        + begun_text(chosen, baseline)
        + "".join(f" {t.brief_line()}" for t in clocks if t.location == code),
        "never": NEVER,
        "caveat": CAVEAT,
        "figure": picture(
            partial(draw.fan_figure, one, code, panel),
            f"Deaths in 12 months in {place}, with and without what is assumed",
            _FIGURE,
        ),
        "years": years(one, chosen, code),
        "sure": sure(baseline, len(chosen)),
        "skill_text": said,
        "skill_table": None if shown is None else skill_table(shown),
        "skill_command": f"odforecast backtest --locations {code} --out results",
        "sources": sources,
        "references": references,
        "grades": GRADES[0].upper() + GRADES[1:],
        "mind": mind(one, chosen),
        "limits": limits(one, chosen),
        "made": made(baseline),
        "annex": ANNEX,
    }
    return render("brief", context, stylesheet=stylesheet, paper=paper)


def _caveat(chosen: Sequence[Scenario]) -> str:
    """What must stand on every page; CDC's warning on those about a class."""
    of_class = any(x.scope != ALL for s in chosen for x in s.interventions)
    return f"{CAVEAT} {CLASS_WARNING}" if of_class else CAVEAT


def _skill(given: Skill | None, baseline: Forecast, code: str) -> tuple[str, pd.DataFrame | None]:
    """Words and a table on past errors, either of which may be empty."""
    if isinstance(given, str):
        return given, None
    if given is not None:
        return "", given
    return past_record(baseline, code) or ("", None)


def write_briefs(
    projection: Projection,
    folder: str | os.PathLike[str],
    locations: str | Iterable[str] | None = None,
    *,
    panel: Panel | None = None,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
    posterior_sds: Mapping[str, float] | None = None,
    skill: Skill | Mapping[str, Skill] | None = None,
    clocks: Sequence[Track] = (),
    stylesheet: str | os.PathLike[str] | None = None,
    paper: str = "letter",
    own: bool = False,
) -> list[Path]:
    """Write the briefs of a projection and their technical annex into a folder.

    Of one place the brief is ``brief.html``. Of several, each has its own, ``brief-OH.html``, and
    ``brief.html`` lists them with the answer for each. All is computed before anything is
    written; pages that an earlier run left there and this one does not write are removed.

    Parameters
    ----------
    projection : Projection
    folder : path
        Made if it is absent.
    locations : str or iterable of str, optional
        Places by any of their names. Default: all of the projection.
    panel, clocks, stylesheet, paper, own
        As in :func:`write_brief`.
    exposures : mapping, optional
        As given to :func:`odforecast.scenario.project`; for the sensitivity in the annex.
    posterior_sds : mapping of str to float, optional
        Posterior sd of an intervention's size where data were used; without it the size is
        the prior's, and the annex says so.
    skill : str, DataFrame, or mapping of location to one, optional
        As in :func:`write_brief`.

    Returns
    -------
    list of Path
        The files, ``brief.html`` first and the annex last.

    Raises
    ------
    ScenarioError
        If nothing but the null scenario was projected, or no location is named.
    DataError
        If the style sheet or the paper is refused, or the forecast is of counties.
    ForecastError
        If the forecast rests on own counts.
    """
    refuse_counties(projection.baseline, "briefs")
    chosen = _chosen(projection)
    asked = [locations] if isinstance(locations, str) else locations
    given = projection.baseline.locations if asked is None else asked
    codes = list(dict.fromkeys(located(projection, s) for s in given))
    if not codes:
        raise ScenarioError("no location is named", hint="name one, such as US")
    look: dict[str, Any] = {"stylesheet": stylesheet, "paper": paper}
    keep_local(projection.baseline, "a page", own)
    names = {code: BRIEF if len(codes) == 1 else f"brief-{_slug(code)}.html" for code in codes}
    pages: dict[str, str] = {}
    for code in codes:
        seen = skill.get(code) if isinstance(skill, Mapping) else skill
        pages[names[code]] = write_brief(
            projection, panel=panel, location=code, skill=seen, clocks=clocks, own=own, **look
        )
    if len(codes) > 1:
        pages = {BRIEF: _index(projection, chosen, names, look), **pages}
    context = annex(projection, codes, exposures, posterior_sds or {})
    head = {"title": f"Technical annex: {_question(chosen, place_name(codes[0]))}"}
    head |= {"subtitle": made(projection.baseline), "caveat": _caveat(chosen)}
    pages[ANNEX] = render("annex", {**head, **context}, **look)
    return _write(Path(folder), pages)


def _write(folder: Path, pages: Mapping[str, str]) -> list[Path]:
    """Write pages, the first of them last, then remove the library's own stale ones."""
    for name in reversed(list(pages)):
        with replacing(folder / name) as part:
            part.write_text(pages[name], encoding="utf-8")
    mark = f'<meta name="generator" content="{GENERATOR} '
    for old in sorted(folder.glob("brief-*.html")):
        if old.name not in pages and old.is_file() and not old.is_symlink():
            with old.open(encoding="utf-8", errors="replace") as lines:
                if mark in lines.read(4_000):
                    old.unlink()
    return [folder / name for name in pages]


def _index(
    projection: Projection,
    chosen: Sequence[Scenario],
    names: Mapping[str, str],
    look: Mapping[str, Any],
) -> str:
    found = {code: answers(projection.select([code]), code) for code in names}
    blocks = [
        (scenario_title(s), [(names[code], found[code][i]) for code in names])
        for i, s in enumerate(chosen)
    ]
    first = found[next(iter(names))][0]
    context = {
        "title": _question(chosen, f"{len(names)} places"),
        "subtitle": f"Deaths from {first.period} against those if nothing changes. Each place has "
        "its own brief.",
        "caveat": _caveat(chosen),
        "blocks": blocks,
        "lines": chances,
        "never": NEVER,
        "made": made(projection.baseline),
        "annex": ANNEX,
    }
    return render("index", context, **look)


def made(baseline: Forecast) -> str:
    """Where a page comes from, in a sentence."""
    basis = "where they occurred" if baseline.basis == "occurrence" else "where people lived"
    own = ", and from own counts of states" if own_counts(baseline) else ""
    day = day_name(published_on(baseline))
    seen = f", release of {day}" if of_counties(baseline) else f" as published by {day}"
    return (
        f"Made with odforecast {__version__} from CDC's provisional counts of overdose deaths "
        f"(VSRR; deaths {basis}){seen}{own}."
    )


def _chosen(projection: Projection) -> list[Scenario]:
    chosen = [s for s in projection.scenarios if not s.is_null]
    if not chosen:
        raise ScenarioError("a brief compares scenarios with the status quo, and none is there")
    return chosen


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _slug(code: str) -> str:
    """A part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", code).strip("-") or "place"


def _question(chosen: Sequence[Scenario], place: str) -> str:
    asked = next((s.question for s in chosen if s.question), "")
    if len(chosen) > 1:
        return asked or f"What would each of {len(chosen)} assumptions change in {place}?"
    return asked or f"{scenario_title(chosen[0])}: what would it change in {place}?"
