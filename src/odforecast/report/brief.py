"""The brief for decision-makers: two printed pages for one place, a technical annex apart.

Page one has the answer, the figure, the arithmetic, and what a decision needs; page two what was
assumed, what the evidence is, and what would change our mind.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScenarioError
from odforecast.forecasts import Forecast
from odforecast.forecasts.tables import published_on, refuse_counties
from odforecast.forecasts.text import (
    beyond_validated,
    keep_local,
    own_of,
    place_name,
    text,
)
from odforecast.names import ALL_DRUGS, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.report.annex import annex
from odforecast.report.blocks import Scale, Strip, made
from odforecast.report.numbers import past_record
from odforecast.report.page import Table, is_page, render, write_page
from odforecast.say import (
    about,
    between,
    capital,
    chance,
    day_name,
    deaths_of,
    minus,
    month_name,
    number_of,
    old_data,
    percent,
    rounded,
    step_of,
)
from odforecast.scenario import Projection, Scenario, Track
from odforecast.scenario.answer import (
    CLASS_WARNING,
    Answer,
    assumed,
    judged,
    scenario_title,
)
from odforecast.scenario.catalogue import (
    DEVELOPERS,
    plain_reason,
    prior_judges,
    prior_names,
    prior_table,
)
from odforecast.scenario.distributions import Prior
from odforecast.scenario.grammar import ALL
from odforecast.scenario.intervention import ASKED, NATION, OURS, Intervention
from odforecast.scenario.mechanism import causes, caveat, signs

#: The brief of all places, and what it leaves out.
BRIEF = "brief.html"
ANNEX = "brief-annex.html"
_NUMBERS = dict(
    enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine"), 2)
)
#: What an intervention may say of a decision.
DECISION = ("needs", "sign", "stop")
#: Grid on which a product of two uncertain numbers is worked out.
_GRID = (np.arange(400) + 0.5) / 400


def write_brief(
    projection: Projection,
    *,
    panel: Panel | None = None,
    location: str | Iterable[str] = NATION,
    clocks: Sequence[Track] = (),
    stylesheet: str | os.PathLike[str] | None = None,
    paper: str = "letter",
    own: bool = False,
) -> str:
    """HTML of the brief: the answer for each place on a page, and why to believe it on another.

    Printed, that is two pages for one place and up to five options. Figures are inside, and its
    Content-Security-Policy lets nothing else in. It links to the annex, ``brief-annex.html``.

    Parameters
    ----------
    projection : Projection
        Of more than the null scenario.
    panel : Panel, optional
        Whose deaths are counted; default: the forecast's own.
    location : str or iterable of str
        Whose numbers the brief gives, by any of their names.
    clocks : sequence of Track
        Of scenarios that have begun: a line each.
    stylesheet : path, optional
        A style sheet instead of the library's own.
    paper : {"letter", "a4"}
    own : bool
        Also where the forecast rests on a state's own counts, which are not shown unasked.
    """
    refuse_counties(projection.baseline, "briefs")
    keep_local(projection.baseline, "a page", own=own)
    chosen = _chosen(projection)
    codes = _codes(projection, location)
    title = _title(chosen, codes, baseline=projection.baseline)
    questions = [scenario.question for scenario in chosen if scenario.question]
    question = questions[0] if questions else ""
    dates = {when(x) for _, x in _interventions(chosen)}
    begins = f"in {dates.pop()}" if len(dates) == 1 else "on different dates"
    subject = "Options begin" if len(chosen) > 1 else "It begins"
    last_month = projection.baseline.last_month
    if all(x.onset[1] <= last_month for _, x in _interventions(chosen)):
        subject = "Options began" if len(chosen) > 1 else "It began"
    places = []
    for code in codes:
        part = projection.select([code])
        key = re.sub(r"[^A-Za-z0-9]+", "-", code).strip("-") or "place"
        mine = [clock for clock in clocks if clock.location == code]
        place: dict[str, object] = {"key": key, "place": place_name(code)}
        place |= first_page(part, chosen, panel=panel, clocks=mine)
        place |= of_place(part, chosen)
        places.append(place)
    released = published_on(projection.baseline)
    context: dict[str, object] = {
        "title": title,
        "old": old_data(released, dt.date.today()),
        "subtitle": f"{subject} {begins}. CDC data of {day_name(released)}.",
        "question": "" if question == title else question,
        "caveat": caveat(chosen),
        "places": places,
        "made": made(projection.baseline),
        "annex": ANNEX,
    }
    context |= second_page(projection, chosen)
    return render("brief", context, stylesheet=stylesheet, paper=paper)


def write_briefs(
    projection: Projection,
    folder: str | os.PathLike[str],
    locations: str | Iterable[str] | None = None,
    *,
    panel: Panel | None = None,
    waiting: pd.DataFrame | None = None,
    clocks: Sequence[Track] = (),
    stylesheet: str | os.PathLike[str] | None = None,
    paper: str = "letter",
    own: bool = False,
) -> list[Path]:
    """Write ``brief.html`` with all places, and its technical annex, into a folder; both paths.

    All is computed before anything is written; pages that an earlier run left there are removed.

    Parameters
    ----------
    projection : Projection
    folder : path
        Made if it is absent.
    locations : str or iterable of str, optional
        Places by any of their names. Default: all of the projection.
    panel, clocks, stylesheet, paper, own
        As in :func:`write_brief`.
    waiting : DataFrame, optional
        What waiting costs, by scenario and place: rows of
        :func:`odforecast.scenario.cost_of_delay`.
    """
    names = projection.baseline.locations if locations is None else locations
    layout: dict[str, Any] = {"stylesheet": stylesheet, "paper": paper}
    page = write_brief(
        projection, panel=panel, location=names, clocks=clocks, own=own, **layout
    )
    chosen = _chosen(projection)
    codes = _codes(projection, names)
    context = annex(projection, codes, waiting=waiting)
    head = {"title": f"Technical annex: {_title(chosen, codes, projection.baseline)}"}
    by_class = any(x.scope != ALL for _, x in _interventions(chosen))
    warning = caveat(chosen)
    if by_class:  # CDC's, of classes of drugs
        warning += f" {CLASS_WARNING}"
    head |= {"subtitle": made(projection.baseline), "caveat": warning}
    technical = render("annex", {**head, **context}, **layout)
    out = Path(folder)
    write_page(out / ANNEX, technical)
    written = write_page(out / BRIEF, page)
    for old in sorted(out.glob("brief-*.html")):
        if old.name != ANNEX and is_page(old):
            old.unlink()
    return [written, out / ANNEX]


def _chosen(projection: Projection) -> list[Scenario]:
    chosen = [s for s in projection.scenarios if not s.is_null]
    if not chosen:
        raise ScenarioError(
            "a brief compares scenarios with the status quo, and none is there"
        )
    return chosen


def _codes(projection: Projection, locations: str | Iterable[str]) -> list[str]:
    """Codes of the places asked for, each once."""
    names = [locations] if isinstance(locations, str) else locations
    codes = list(dict.fromkeys(projection.place(s) for s in names))
    if not codes:
        raise ScenarioError("no location is named", hint="name one, such as US")
    return codes


def _title(chosen: Sequence[Scenario], codes: Sequence[str], baseline: Forecast) -> str:
    """What the brief is of: the scenario, or how many, the places, and the years."""
    n = len(chosen)
    if n > 1:
        subject = f"What {_NUMBERS.get(n, n)} options"
    else:
        subject = f"{scenario_title(chosen[0])}: what it"
    places = [place_name(code) for code in codes[:3]]
    area = places[-1]
    if len(codes) > len(places):
        area = f"{len(codes)} places"
    elif len(places) > 1:
        area = f"{', '.join(places[:-1])} and {area}"
    onset = min(x.onset[0] for _, x in _interventions(chosen))
    years = str(onset.astype("datetime64[Y]"))
    last_year = str(baseline.months[-1].astype("datetime64[Y]"))
    if last_year != years:
        years = f"{years}–{last_year}"
    return f"{subject} could mean for overdose deaths in {area}, {years}"


# Page one


@dataclass(frozen=True)
class Option:
    """One scenario in one place: a row of the figure and of the table of decisions."""

    answer: Answer

    @property
    def scenario(self) -> Scenario:
        """What is assumed."""
        return self.answer.scenario

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The row of :meth:`Projection.answer`."""
        return self.answer.numbers

    @property
    def marks(self) -> tuple[float, float, float]:
        """Deaths prevented if it works: low, mean, high."""
        case = self.answer.cases[0]
        return case["averted_q05"], case["averted_mean"], case["averted_q95"]

    @property
    def shown(self) -> str:
        """The first month that would show that it works, or that none would."""
        if self.answer.detection is None:
            several = len(self.scenario.interventions) > 1
            return "Counts cannot tell its parts apart" if several else "Too few counts"
        return self.answer.detection.short

    @property
    def what_if(self) -> bool:
        """Whether nobody says how likely it is."""
        return not self.answer.owner

    @property
    def begins(self) -> str:
        """From when on it acts."""
        return "; ".join(
            dict.fromkeys(f"from {when(x)}" for x in self.scenario.interventions)
        )

    @property
    def grade(self) -> str:
        """How good the evidence is."""
        grades = dict.fromkeys(x.grade for x in self.scenario.interventions)
        return ", ".join("none, an assumption" if g == "user" else g for g in grades)

    @property
    def likely(self) -> tuple[str, str]:
        """How likely it is to work with whose judgement that is, and what else may come of it."""
        if self.what_if:
            return "No probability attached", "a what-if: it shows a size only"
        (label, p, *_), *alternatives = self.answer.outcomes
        owner = self.answer.owner[:1].lower() + self.answer.owner[1:]
        outcome = "" if self.answer.single and label == "works" else f" {label}"
        rest = []
        for name, q, *_ in alternatives:
            if q != "0%":
                rest.append(f"{name.removeprefix('does ')} {q}")
        return f"{p}{outcome}, {owner}", ", ".join(rest)

    def text(self, key: str) -> str:
        """What its interventions say of a decision."""
        texts = (getattr(x, key) for x in self.scenario.interventions)
        return "; ".join(dict.fromkeys(filter(None, texts)))


def first_page(
    projection: Projection,
    chosen: Sequence[Scenario],
    panel: Panel | None,
    clocks: Sequence[Track] = (),
) -> dict[str, object]:
    """What page one shows of the one place of a projection."""
    baseline = projection.baseline
    panel = baseline.panel if panel is None else panel
    deaths = deaths_of(ALL_DRUGS if panel is None else panel.indicator)
    choices = [Option(answer) for answer in projection.answers]
    scale, rows = strips(choices)
    answer, more = lead(choices, deaths)
    them = "them" if len(choices) > 1 else "it"
    a = choices[0].answer
    until = month_name(baseline.months[-1])
    each = "each" if len(choices) > 1 else "the"
    heading = f"Deaths that {each} option would prevent in {a.place} by {until}"
    works = "If it works"
    reading = (
        f"Without {them} we expect about {a.baseline} {deaths} from {a.period}. "
        "Percentages count from the month in which an option begins."
    )
    if all(o.answer.begun for o in choices):
        last = month_name(baseline.last_month)
        heading = f"Deaths prevented or added in {a.place} after {last}, by {until}"
        works = "If it worked"
        reading = (
            f"If the effect until {last} lasts, we expect about {a.baseline} {deaths} from "
            f"{a.period}."
        )
    return {
        "heading": heading,
        "works": works,
        "answer": answer,
        "more": " ".join([more, *(clock.brief_line() for clock in clocks)]),
        "scale": scale,
        "dates": len({o.begins for o in choices}) > 1,
        "options": list(zip(choices, rows)),
        "reading": reading,
        "owners": owners(choices),
        "bridge": bridge(projection, choices),
        # What each option needs, its first sign, and when to stop; nothing of what-ifs alone.
        "decisions": [
            o for o in choices if not o.what_if or any(map(o.text, DECISION))
        ],
        "needed": [key for key in DECISION if any(o.text(key) for o in choices)],
        "rules": rules_text(chosen),
    }


def owners(choices: Sequence[Option]) -> list[str]:
    """Whose judgements the chances are, and of when: a sentence for each that needs one."""
    sentences = []
    for x in (x for choice in choices for x in judged(choice.scenario)):
        if x.owner == OURS:
            sentences.append(f"Our judgment: that of {prior_judges()}.")
        elif x.owner == ASKED:
            sentences.append(
                f"{ASKED}: the author of the scenario file, which names nobody."
            )
        elif not x.belief and x.judgements is not None:
            days = sorted(dt.date.fromisoformat(p.date) for p in x.judgements.people)
            period = day_name(days[0])
            if days[-1] != days[0]:
                period += f" to {day_name(days[-1])}"
            sentences.append(f"{x.owner}: given {period}.")
    return list(dict.fromkeys(sentences))


def rules_text(chosen: Sequence[Scenario]) -> str:
    """Whose judgments the signs and stop rules are, which nobody has tested."""
    tables = [prior_table(name) for name in prior_names()]
    ours = {table.get(key) for table in tables for key in ("sign", "stop")}
    authors = []
    for _, x in _interventions(chosen):
        for rule in filter(None, (x.sign, x.stop)):
            is_ours = rule in ours
            authors.append(
                prior_judges() if is_ours else "the author of the scenario file"
            )
    if not authors:
        return ""
    return (
        f"Signs and stop rules are the judgment of {' and of '.join(dict.fromkeys(authors))}. "
        "No source measures how often they would be right."
    )


def strips(choices: Sequence[Option]) -> tuple[Scale, list[Strip | None]]:
    """The figure: a scale for all options, and the marks of each; none of too few draws."""
    means = [float(o.numbers["averted_mean"]) for o in choices]
    marks = [
        value for choice in choices for value in choice.marks if np.isfinite(value)
    ]
    scale = Scale.over([*means, *marks])
    rows: list[Strip | None] = []
    for choice, mean in zip(choices, means):
        if not np.isfinite(choice.marks).all():
            rows.append(None)
            continue
        low, middle, high = map(scale.at, choice.marks)
        diamond = None if choice.what_if else scale.at(mean)
        rows.append(Strip(low, middle, high=high, diamond=diamond))
    return scale, rows


def lead(choices: Sequence[Option], deaths: str) -> tuple[str, str]:
    """The answer of the first option that somebody judged, and what else must be said at once."""
    first = next((o for o in choices if not o.what_if), choices[0])
    a = first.answer
    label, p, works, _ = a.outcomes[0]
    expected = f"of the {a.baseline} {deaths} expected in {a.place} from {a.period}"
    if a.begun:
        answer = f"{a.title}. {a.begun}"
        if a.owner:
            answer += f" Over all outcomes: {a.combined} on average."
    elif first.what_if:
        answer = f"{a.title}: if it {label}, {works} on average, {expected}."
    elif a.single:
        who = f"{DEVELOPERS} judge" if a.owner == OURS else "was judged"
        answer = (
            f"{a.title}: {a.combined} on average, {expected}. "
            f"If it {label}, which {who} {p} likely: {works}."
        )
    else:
        answer = f"{a.title}: {a.combined} on average, {expected}. If {label} ({p}): {works}."
    sentences = []
    rest = [choice for choice in choices if choice is not first]
    options = [choice for choice in rest if not choice.what_if]
    if options:
        means = sorted((o.numbers["averted_mean"], o.answer.combined) for o in options)
        ends = list(dict.fromkeys([means[0][1], means[-1][1]]))
        subject = (
            "The other option"
            if len(options) == 1
            else f"The other {len(options)} options"
        )
        sentences.append(f"{subject}: {' to '.join(ends)} on average.")
    for choice in rest:
        if choice.answer.begun:
            sentences.append(f"{choice.answer.title}: {choice.answer.begun}")
    what_ifs = [choice for choice in rest if choice.what_if]
    for choice in what_ifs[:2]:
        effect = choice.answer.outcomes[0][2]
        sentences.append(f"{choice.answer.title}, a what-if: {effect}.")
    dates = [o.answer.detection for o in choices if o.answer.detection is not None]
    if dates and all(known.month is None for known in dates):
        effect = "it works" if len(choices) == 1 else "any of them works"
        sentences.append(
            f"Death counts alone would not show within five years whether {effect}."
        )
    return answer, " ".join(sentences)


def bridge(
    projection: Projection, choices: Sequence[Option]
) -> tuple[str, list[tuple[str, str]]] | None:
    """From the change of one class at full strength to that of all deaths over all outcomes.

    Of the first option of one intervention that has not begun, lowers deaths and that somebody
    judged, else of the first what-if; None where there is no such option. Means, given that it
    works.
    """
    single = [
        choice
        for choice in choices
        if choice.answer.single
        and not choice.answer.begun
        and choice.numbers["averted_if_works_mean"] > 0
    ]
    option = next((o for o in single if not o.what_if), single[0] if single else None)
    if option is None:
        return None
    (x,) = option.scenario.interventions
    sizes = full_strength(x)
    change = float(sizes.mean())
    scope = deaths_of(x.scope).removeprefix("drug overdose ")
    steps = [(change, f"{scope}, at full strength{_median_text(sizes)}")]
    exposure = float(projection.exposures[option.scenario.name, x.name].iloc[0])
    if np.isfinite(exposure) and exposure != 1:
        change = 100 * float(np.expm1(exposure * np.log1p(change / 100)))
        share = f"{100 * exposure:.0f}%"
        steps.append(
            (change, f"{share} of the effect is felt in {option.answer.place}")
        )
    if x.scope in projection.baseline.beside:
        months = projection.since_onset(option.scenario.name)
        part = _mean_deaths(projection.baseline.part(x.scope), months)
        whole = _mean_deaths(projection.baseline, months)
        change *= part / whole
        steps.append(
            (change, f"of all deaths: these are {100 * part / whole:.0f}% of them")
        )
        if x.replaced.mean > 0:
            change *= 1 - x.replaced.mean
            replaced = f"{100 * x.replaced.mean:.0f}%"
            steps.append(
                (change, f"other drugs replace {replaced} of the deaths prevented")
            )
    row = option.numbers
    works = -100 * row["averted_if_works_mean"] / row["baseline"]
    fades = "builds, then fades" if x.half_life is not None else "builds, then stays"
    steps.append((works, f"mean of {option.answer.period}: the effect {fades}"))
    p = option.answer.outcomes[0][1]
    if not option.what_if:
        steps.append((row["percent_mean"], f"over all outcomes: {p} likely to work"))
    exact = min(abs(value) for value, _ in steps) < 1.5
    lines = []
    for value, words in steps:
        lines.append((minus(f"{value:+.1f}%") if exact else percent(value), words))
    question = "Why" if len(choices) == 1 else f"{option.answer.title}: why"
    last = lines[-1][0]
    if option.what_if:
        lines.append(
            (option.answer.outcomes[0][2], f"of {option.answer.baseline} expected")
        )
    return f"{question} {lines[0][0]} becomes {last}", lines


def _median_text(sizes: Floats) -> str:
    """The median of sizes in percent, where it is not as good as their mean."""
    median = percent(float(np.median(sizes)))
    if median == percent(float(sizes.mean())):
        return ""
    return f" (mean; the median is {median})"


def _mean_deaths(forecast: Forecast, months: NDArray[np.bool_]) -> float:
    """Expected deaths of the one place of a forecast in some months."""
    return float(forecast.samples(TARGET_MONTH)[:, 0, months].sum(axis=1).mean())


# Page two


def second_page(
    projection: Projection, chosen: Sequence[Scenario]
) -> dict[str, object]:
    """What page two shows for all places; its fixed sentences are the template's."""
    baseline = projection.baseline
    parts = [x for _, x in _interventions(chosen)]
    sources, references = sources_of(chosen)
    panel = baseline.panel
    last = baseline.last_month
    own_class = panel is not None and panel.indicator.startswith("Synthetic")
    warns = own_class or any(x.scope != ALL for x in parts)
    return {
        "assumptions": assumptions(chosen),
        "sources": sources,
        "references": references,
        "grades": list(dict.fromkeys(x.grade for x in parts)),
        "far": int(baseline.horizons[-1]) if beyond_validated(baseline) else 0,
        "causes": causes(chosen),
        "backfire": next((x.backfire for x in parts if x.backfire), ""),
        "several": len(chosen) > 1,
        "begun": month_name(last) if any(x.onset[0] <= last for x in parts) else "",
        "class_warning": CLASS_WARNING if warns else "",
    }


def of_place(projection: Projection, chosen: Sequence[Scenario]) -> dict[str, object]:
    """What page two shows of the one place of a projection."""
    baseline = projection.baseline
    (code,) = baseline.locations
    sentence, table = past_record(baseline, code) or ("", None)
    return {
        "baseline": f"{baseline_text(projection, chosen)} {text(baseline, code, errors=False)}",
        "skill_text": sentence,
        "skill_table": table if table is None else Table.from_frame(table),
        "own": bool(own_of(baseline)),
        "code": code,
        "mind": [
            *mind(projection, chosen),
            *signs(chosen),
            *shown_by_size(projection.answers),
        ],
    }


def shown_by_size(choices: Sequence[Answer]) -> list[str]:
    """When counts would show each option: the criterion, the series, and how soon by size."""
    sentences = []
    never = []
    dated = [(a.title, a.detection) for a in choices if a.detection is not None]
    for _, known in dated:
        sentences += [known.criterion, f"It is looked for in {known.counted}."]
    for title, known in dated:
        if len(choices) == 1:
            sentences.append(known.by_size())
        elif any(known.soonest.values()):
            sentences.append(f"{title}: {known.by_size()}")
        elif known.soonest:
            never.append(known.highest)
    if never:
        sooner = any(any(known.soonest.values()) for _, known in dated)
        which = "the other" if sooner else "these"
        sentences.append(
            f"Of {which} options, no size of change would show within five years (at most "
            f"{chance(max(never))} likely)."
        )
    return [" ".join(dict.fromkeys(sentences))] if sentences else []


def _interventions(chosen: Sequence[Scenario]) -> Iterator[tuple[str, Intervention]]:
    """Every intervention, with the name of its row."""
    for s in chosen:
        title = scenario_title(s)
        for x in s.interventions:
            name = (
                title
                if len(s.interventions) == 1
                else f"{title} ({x.name.replace('-', ' ')})"
            )
            yield name, x


def assumptions(chosen: Sequence[Scenario]) -> dict[str, object]:
    """What was assumed of each option: rows, and whose deaths change."""
    scopes = {x.scope for _, x in _interventions(chosen)}
    rows = []
    for title, x in _interventions(chosen):
        size, *rest = assumption(x)
        whose = "" if len(scopes) == 1 else f"{deaths_of(x.scope)}: "
        rows.append([title, f"{whose}{size}", *rest])
    return {
        "rows": rows,
        "whose": deaths_of(scopes.pop()) if len(scopes) == 1 else "deaths",
    }


def baseline_text(projection: Projection, chosen: Sequence[Scenario]) -> str:
    """Deaths by calendar year if nothing changes, and how uncertain they are."""
    table = projection.averted()
    table = table[(table["scenario_id"] == chosen[0].name) & (table["kind"] == "year")]
    begins = min(str(x.onset[0]) for _, x in _interventions(chosen))
    table = table[table["last_month"] >= begins]  # nothing changes before it begins
    base = projection.counted_against(chosen[0].name)
    years = []
    for r in table.to_dict("records"):
        first, last = (np.datetime64(r[key]) for key in ("first_month", "last_month"))
        in_year = (base.months >= first) & (base.months <= last)
        # The median, as in every table of a forecast.
        median = float(np.median(base.draws[:, 0, in_year].sum(axis=1)))
        years.append(f"{about(median)} in {r['period']}")
    low, high = map(
        float, np.quantile(projection.baseline.samples()[:, 0, -1], [0.05, 0.95])
    )
    begun = all(x.onset[1] <= base.last_month for _, x in _interventions(chosen))
    subject = "If what has begun lasts" if begun else "If none of this happens"
    return (
        f"{subject}, the forecast is {', '.join(years)} (medians: they add up to "
        f"less than the mean on page one). The 90% interval "
        f"for the 12 months ending in {month_name(projection.baseline.months[-1])} is "
        f"{between(low, high)}."
    )


def sources_of(chosen: Sequence[Scenario]) -> tuple[list[list[str]], list[str]]:
    """What each assumption rests on, with its grade, and the works cited, numbered."""
    works: dict[str, int] = {}
    rows: dict[tuple[str, str], list[str]] = {}
    for s in chosen:
        for x in s.interventions:
            numbers = [works.setdefault(r, len(works) + 1) for r in x.references]
            mark = f" [{', '.join(map(str, numbers))}]" if numbers else ""
            source = plain_reason(x.source, x.note).rstrip(".")
            basis = f"{source or 'Assumed by the user'}{mark}."
            titles = rows.setdefault((capital(x.grade), basis), [])
            if scenario_title(s) not in titles:
                titles.append(scenario_title(s))
    return [["; ".join(titles), *rest] for rest, titles in rows.items()], list(works)


def mind(projection: Projection, chosen: Sequence[Scenario]) -> list[str]:
    """Counts that the baseline would not explain."""
    base = projection.baseline
    items = []
    last = int(base.horizons[-1])
    horizons = [12, last] if len(chosen) < 3 else [last]
    for h in dict.fromkeys(horizons):
        if h not in base.horizons:
            continue
        j = int((base.horizons == h).argmax())
        counts = base.samples()[:, 0, j]
        low, high = map(float, np.quantile(counts, [0.05, 0.95]))
        # The chances are those of the limits that are printed.
        step = step_of(low, high)
        low = round(low / step) * step
        high = round(high / step) * step
        under = float((counts < low).mean())
        over = float((counts > high).mean())
        below = []
        for scenario in chosen:
            samples = projection.forecast(scenario.name).samples()
            below.append(
                (samples[projection.counted(scenario.name), 0, j] < low).mean()
            )
        if all(abs(p - under) < 0.01 for p in below):
            continue  # a count that cannot tell one from the other
        chances = [chance(float(p)) for p in below]
        inside = chances[0]
        if len(set(chances)) > 1:
            ends = sorted(zip(below, chances, map(scenario_title, chosen)))
            inside = f"{ends[0][1]} ({ends[0][2]}) to {ends[-1][1]} ({ends[-1][2]})"
        them = "the option" if len(chosen) == 1 else "the options"
        items.append(
            f"A final count for the 12 months ending in {month_name(base.months[j])} below "
            f"{rounded(low, step)} or above {rounded(high, step)}. If nothing changes, the chance "
            f"of one below is {chance(under)} and of one above {chance(over)}. With "
            f"{them} the chance of one below is {inside}."
        )
    return items


# The words of assumptions


def full_strength(x: Intervention) -> Floats:
    """Change of the scope's deaths at full strength if it works, in percent: on a grid."""
    size = x.size.ppf(_GRID)
    intended = size > 0 if x.rises else size < 0
    if intended.any():
        size = size[intended]
    share = x.share.ppf(_GRID) if x.share.sd > 0 else np.array([x.share.mean])
    return np.asarray(100 * np.expm1(np.multiply.outer(size, share).ravel()))


def when(x: Intervention) -> str:
    """When it begins."""
    first, last = map(month_name, x.onset)
    return first if first == last else f"a month between {first} and {last}"


def assumption(x: Intervention) -> list[str]:
    """One assumption as cells: size, when it is full, what follows, and what other drugs replace.

    The size is the mean given that it works, with its 90% interval, and the median where that
    differs.

    >>> from odforecast.scenario.distributions import Fixed, Normal, Uniform
    >>> shock = Intervention("shock", Normal(-0.45, 0.2), onset="2026-03", ramp=Uniform(9, 15))
    >>> assumption(shock)
    ['−35% (median −36%; −54% to −13%)', '12 months', 'Lasts', 'none']
    """
    sizes = full_strength(x)
    low, median, high = np.quantile(sizes, [0.05, 0.5, 0.95])
    size = percent(float(sizes.mean()))
    if high - low >= 1:
        middle = "" if percent(median) == size else f"median {percent(median)}; "
        size += f" ({middle}{percent(low)} to {percent(high)})"
    full = _median(x.lag) + _median(x.ramp)
    return [
        f"{size}{_exposure_text(x)}",
        "At once" if full < 0.5 else _months(full),
        f"{_duration_text(x)}{_rebound_text(x)}",
        _replaced_text(x),
    ]


def _exposure_text(x: Intervention) -> str:
    """Who feels how much of it; nothing where all feel all of it."""
    if isinstance(x.exposure, str):
        return "; each state in proportion to its share of fentanyl"
    if isinstance(x.exposure, Mapping):
        table = dict(x.exposure)
        rest = table.pop("default", None)
        if not table:
            return f"; {100 * float(rest or 0):.0f}% of it everywhere"
        shares = [f"{100 * v:.0f}% of it in {place_name(s)}" for s, v in table.items()]
        if len(shares) > 4:
            return "; state by state, by a table"
        elsewhere = "" if rest is None else f", {100 * rest:.0f}% elsewhere"
        return f"; {', '.join(shares)}{elsewhere}"
    return "" if x.exposure == 1 else f"; {100 * x.exposure:.0f}% of it is felt"


def _duration_text(x: Intervention) -> str:
    if x.half_life is None:
        return "Lasts"
    plateau = _median(x.plateau)
    half = f"Full for {_months(plateau)}, then half" if plateau >= 0.5 else "Half"
    text = f"{half} gone after {_months(_median(x.half_life))}"
    if x.residue.interval(0.9)[1] > 0:
        text += f"; {_share(x.residue)} of it lasts"
    return text


def _rebound_text(x: Intervention) -> str:
    if x.rebound is None:
        return ""
    lost = _share(x.rebound.fraction)
    p = assumed(1 - x.rebound.p_null)
    return f"; if it works, {lost} of the reduction is later lost to other drugs ({p} likely)"


def _replaced_text(x: Intervention) -> str:
    """How many of ten deaths prevented other drugs replace."""
    low, high = (round(10 * v) for v in x.replaced.interval(0.99))
    if x.rises or high == 0:
        return "none"
    return f"{low} to {high}" if low < high else f"{high}"


def _median(prior: Prior) -> float:
    return float(prior.ppf(np.array(0.5)))


def _months(value: float) -> str:
    return number_of(round(value), "month")


def _share(prior: Prior) -> str:
    """A share between 0 and 1 in percent, with its range."""
    low, high = (100 * v for v in prior.interval(0.9))
    return f"{low:.0f}%" if high - low < 1 else f"{low:.0f}–{high:.0f}%"
