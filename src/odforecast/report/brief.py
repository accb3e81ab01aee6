"""The brief for decision-makers: two printed pages, a technical annex apart."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.forecast import Forecast
from odforecast.forecast.tables import of_counties, published_on, refuse_counties
from odforecast.forecast.text import keep_local, own_counts, place_name
from odforecast.io import replacing
from odforecast.panel import Panel
from odforecast.report.page import render
from odforecast.report.page.annex import annex
from odforecast.report.page.answer import first_page
from odforecast.report.page.believe import Skill, of_place, second_page
from odforecast.report.page.render import GENERATOR
from odforecast.report.words import when
from odforecast.say import day_name, old_data
from odforecast.scenario import CAVEAT, Projection, Scenario, Track
from odforecast.scenario.answer import CLASS_WARNING, scenario_title
from odforecast.scenario.intervention import ALL, NATION
from odforecast.version import __version__

#: The brief of all places, and what it leaves out.
BRIEF = "brief.html"
ANNEX = "brief-annex.html"


def write_brief(
    projection: Projection,
    *,
    panel: Panel | None = None,
    location: str | Iterable[str] = NATION,
    skill: Skill | Mapping[str, Skill] | None = None,
    clocks: Sequence[Track] = (),
    stylesheet: str | os.PathLike[str] | None = None,
    paper: str = "letter",
    own: bool = False,
) -> str:
    """HTML of the brief: the answer for each place on a page, and why to believe it on another.

    Printed, that is two pages for one place and up to five options; more of them make it longer.

    Parameters
    ----------
    projection : Projection
        With the location in it.
    panel : Panel, optional
        Whose deaths are counted; default: the forecast's own.
    location : str or iterable of str
        Whose numbers the brief gives, by any of their names.
    skill : str, DataFrame, or mapping of location to one, optional
        How good the forecasts of a place were so far: a sentence, or a table to be shown as
        it is. Default: the record of the default model that ships; for another model one line
        says how to find out.
    clocks : sequence of Track
        Of scenarios that have begun: a line each, on the page of their location, and the first
        month in which the scenario would show.
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
        If nothing but the null scenario was projected, or no location is named.
    DataError
        If the style sheet or the paper is refused, or the forecast is of counties.
    ForecastError
        If the forecast rests on own counts.
    """
    refuse_counties(projection.baseline, "briefs")
    keep_local(projection.baseline, "a page", own)
    chosen, codes = _chosen(projection), _codes(projection, location)
    title = _title(chosen, codes, projection.baseline)
    asked = next((s.question for s in chosen if s.question), "")
    dates = {when(x) for s in chosen for x in s.interventions}
    begins = f"in {dates.pop()}" if len(dates) == 1 else "on different dates"
    what = "Options begin" if len(chosen) > 1 else "It begins"
    places = []
    for code in codes:
        one = projection.select([code])
        given = skill.get(code) if isinstance(skill, Mapping) else skill
        here = {"key": _slug(code), "place": place_name(code)}
        clock = [t for t in clocks if t.location == code]
        places.append(here | first_page(one, chosen, panel, clock) | of_place(one, chosen, given))
    released = published_on(projection.baseline)
    context: dict[str, object] = {
        "title": title,
        "old": old_data(released, dt.date.today()),
        "subtitle": f"{what} {begins}. CDC data of {day_name(released)}.",
        "question": "" if asked == title else asked,
        "caveat": CAVEAT,
        "places": places,
        "made": made(projection.baseline),
        "annex": ANNEX,
    }
    context |= second_page(projection, chosen)
    return render("brief", context, stylesheet=stylesheet, paper=paper)


def _caveat(chosen: Sequence[Scenario]) -> str:
    """What must stand on every page; CDC's warning on those about a class."""
    of_class = any(x.scope != ALL for s in chosen for x in s.interventions)
    return f"{CAVEAT} {CLASS_WARNING}" if of_class else CAVEAT


def write_briefs(
    projection: Projection,
    folder: str | os.PathLike[str],
    locations: str | Iterable[str] | None = None,
    *,
    panel: Panel | None = None,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
    posterior_sds: Mapping[str, float] | None = None,
    waiting: pd.DataFrame | None = None,
    skill: Skill | Mapping[str, Skill] | None = None,
    clocks: Sequence[Track] = (),
    stylesheet: str | os.PathLike[str] | None = None,
    paper: str = "letter",
    own: bool = False,
) -> list[Path]:
    """Write the brief of a projection and its technical annex into a folder.

    ``brief.html`` holds all places. All is computed before anything is written; pages that an
    earlier run left there and this one does not write are removed.

    Parameters
    ----------
    projection : Projection
    folder : path
        Made if it is absent.
    locations : str or iterable of str, optional
        Places by any of their names. Default: all of the projection.
    panel, clocks, stylesheet, paper, own, skill
        As in :func:`write_brief`.
    exposures : mapping, optional
        As given to :func:`odforecast.scenario.project`; for the sensitivity in the annex.
    posterior_sds : mapping of str to float, optional
        Posterior sd of an intervention's size where data were used; without it the size is
        the prior's, and the annex says so.
    waiting : DataFrame, optional
        What waiting costs, by scenario (``scenario_id``) and place, for the annex: rows of
        :func:`odforecast.scenario.cost_of_delay`.

    Returns
    -------
    list of Path
        ``brief.html`` and the annex.

    Raises
    ------
    ScenarioError
        If nothing but the null scenario was projected, or no location is named.
    DataError
        If the style sheet or the paper is refused, or the forecast is of counties.
    ForecastError
        If the forecast rests on own counts.
    """
    asked = projection.baseline.locations if locations is None else locations
    look: dict[str, Any] = {"stylesheet": stylesheet, "paper": paper}
    page = write_brief(
        projection, panel=panel, location=asked, skill=skill, clocks=clocks, own=own, **look
    )
    chosen, codes = _chosen(projection), _codes(projection, asked)
    context = annex(projection, codes, exposures, posterior_sds or {}, waiting)
    head = {"title": f"Technical annex: {_title(chosen, codes, projection.baseline)}"}
    head |= {"subtitle": made(projection.baseline), "caveat": _caveat(chosen)}
    return _write(Path(folder), {BRIEF: page, ANNEX: render("annex", {**head, **context}, **look)})


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


def _codes(projection: Projection, locations: str | Iterable[str]) -> list[str]:
    """Codes of the places asked for, each once."""
    asked = [locations] if isinstance(locations, str) else locations
    codes = list(dict.fromkeys(projection.place(s) for s in asked))
    if not codes:
        raise ScenarioError("no location is named", hint="name one, such as US")
    return codes


def _slug(code: str) -> str:
    """A part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", code).strip("-") or "place"


def _title(chosen: Sequence[Scenario], codes: Sequence[str], baseline: Forecast) -> str:
    """What the brief is of: the scenario, or how many, the places, and the years."""
    many = len(chosen)
    what = f"What {_NUMBERS.get(many, many)} options" if many > 1 else scenario_title(chosen[0])
    places = [place_name(code) for code in codes[:3]]
    where = " and ".join(filter(None, [", ".join(places[:-1]), places[-1]]))
    if len(codes) > len(places):
        where = f"{len(codes)} places"
    first = min(x.onset[0] for s in chosen for x in s.interventions).astype("datetime64[Y]")
    years = dict.fromkeys(map(str, (first, baseline.months[-1].astype("datetime64[Y]"))))
    return (
        f"{what}{'' if many > 1 else ': what it'} could mean for overdose deaths in {where}, "
        f"{'–'.join(years)}"
    )


_NUMBERS = dict(enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine"), 2))
