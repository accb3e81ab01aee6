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

from odforecast.errors import ScenarioError
from odforecast.evidence.detect import power_text
from odforecast.forecasts import Forecast
from odforecast.forecasts.tables import published_on, refuse_counties
from odforecast.forecasts.text import beyond_validated, keep_local, own_of, place_name, text
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
from odforecast.scenario import CAVEAT, Projection, Scenario, Track
from odforecast.scenario.answer import (
    CLASS_WARNING,
    Answer,
    answers,
    assumed,
    begun_text,
    judged,
    outcomes_of,
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

#: The brief of all places, and what it leaves out.
BRIEF = "brief.html"
ANNEX = "brief-annex.html"
_NUMBERS = dict(enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine"), 2))
#: A scenario shows in the counts once this share of the courses in which it works lies below (or
#: above) what one course in twenty without it does.
SHOWN = 0.8
FALSE_ALARMS = 0.05
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
        Of scenarios that have begun: a line each, and the first month in which the scenario would
        show.
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
    asked = next((s.question for s in chosen if s.question), "")
    dates = {when(x) for s in chosen for x in s.interventions}
    begins = f"in {dates.pop()}" if len(dates) == 1 else "on different dates"
    what = "Options begin" if len(chosen) > 1 else "It begins"
    places = []
    for code in codes:
        one = projection.select([code])
        key = re.sub(r"[^A-Za-z0-9]+", "-", code).strip("-") or "place"
        here = {"key": key, "place": place_name(code)}
        clock = [t for t in clocks if t.location == code]
        places.append(
            here | first_page(one, chosen, panel=panel, clocks=clock) | of_place(one, chosen)
        )
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
    asked = projection.baseline.locations if locations is None else locations
    look: dict[str, Any] = {"stylesheet": stylesheet, "paper": paper}
    page = write_brief(projection, panel=panel, location=asked, clocks=clocks, own=own, **look)
    chosen = _chosen(projection)
    codes = _codes(projection, asked)
    context = annex(projection, codes, waiting=waiting)
    head = {"title": f"Technical annex: {_title(chosen, codes, projection.baseline)}"}
    of_class = any(x.scope != ALL for s in chosen for x in s.interventions)
    caveat = f"{CAVEAT} {CLASS_WARNING}" if of_class else CAVEAT  # CDC's, of classes of drugs
    head |= {"subtitle": made(projection.baseline), "caveat": caveat}
    apart = render("annex", {**head, **context}, **look)
    out = Path(folder)
    write_page(out / ANNEX, apart)
    written = write_page(out / BRIEF, page)
    for old in sorted(out.glob("brief-*.html")):
        if old.name != ANNEX and is_page(old):
            old.unlink()
    return [written, out / ANNEX]


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


# Page one


@dataclass(frozen=True)
class Option:
    """One scenario in one place: a row of the figure and of the table of decisions."""

    scenario: Scenario
    answer: Answer
    numbers: dict[str, Any]
    shown: str
    marks: tuple[float, float, float]

    @property
    def what_if(self) -> bool:
        """Whether nobody says how likely it is."""
        return not self.answer.owner

    @property
    def begins(self) -> str:
        """From when on it acts."""
        return "; ".join(dict.fromkeys(f"from {when(x)}" for x in self.scenario.interventions))

    @property
    def grade(self) -> str:
        """How good the evidence is."""
        grades = dict.fromkeys(x.grade for x in self.scenario.interventions)
        return ", ".join("none, an assumption" if g == "user" else g for g in grades)

    @property
    def likely(self) -> tuple[str, str]:
        """How likely it is to work with whose judgement that is, and what else may come of it."""
        if self.what_if:
            return "No chance given", "a what-if: it shows a size only"
        (label, p, *_), *others = self.answer.outcomes
        owner = self.answer.owner[:1].lower() + self.answer.owner[1:]
        named = "" if self.answer.single and label == "works" else f" {label}"
        rest = [f"{name.removeprefix('does ')} {q}" for name, q, *_ in others if q != "0%"]
        return f"{p}{named}, {owner}", ", ".join(rest)

    def text(self, key: str) -> str:
        """What its interventions say of a decision."""
        said = (getattr(x, key) for x in self.scenario.interventions)
        return "; ".join(dict.fromkeys(filter(None, said)))


def first_page(
    one: Projection,
    chosen: Sequence[Scenario],
    panel: Panel | None,
    clocks: Sequence[Track],
) -> dict[str, object]:
    """What page one shows of the one place of a projection."""
    baseline = one.baseline
    panel = baseline.panel if panel is None else panel
    deaths = deaths_of(ALL_DRUGS if panel is None else panel.indicator)
    found = options(one, clocks)
    scale, rows = strips(found)
    answer, more = lead(found, deaths)
    them = "them" if len(found) > 1 else "it"
    a = found[0].answer
    return {
        "until": month_name(baseline.months[-1]),
        "answer": answer,
        "more": " ".join([more + begun_text(chosen, baseline), *(t.brief_line() for t in clocks)]),
        "scale": scale,
        "dates": len({o.begins for o in found}) > 1,
        "options": list(zip(found, rows)),
        "reading": f"Without {them} we expect about {a.baseline} {deaths} from {a.period}. "
        "Percentages count from the month in which an option begins.",
        "owners": owners(found),
        "bridge": bridge(one, found),
        # What each option needs, its first sign, and when to stop; nothing of what-ifs alone.
        "decisions": [o for o in found if not o.what_if or any(map(o.text, DECISION))],
        "needed": [key for key in DECISION if any(o.text(key) for o in found)],
    }


def owners(found: Sequence[Option]) -> list[str]:
    """Whose judgements the chances are, and of when: a sentence for each that needs one."""
    said = []
    for x in (x for o in found for x in judged(o.scenario)):
        if x.owner == OURS:
            said.append(f"Our judgment: that of {prior_judges()}.")
        elif x.owner == ASKED:
            said.append(f"{ASKED}: the author of the scenario file, which names nobody.")
        elif not x.belief and x.judgements is not None:
            days = sorted(dt.date.fromisoformat(p.date) for p in x.judgements.people)
            ends = " to ".join(dict.fromkeys(map(day_name, (days[0], days[-1]))))
            said.append(f"{x.owner}: given {ends}.")
    return list(dict.fromkeys(said))


def options(one: Projection, clocks: Sequence[Track]) -> list[Option]:
    """Every scenario of a projection of one place, in its order."""
    numbers = one.answer().to_dict("records")
    parts = one.outcomes()
    out = []
    for row, found in zip(numbers, answers(one)):
        scenario = one.scenario(str(row["scenario_id"]))
        first = parts[parts["scenario_id"] == scenario.name].iloc[0]
        marks = tuple(float(first[f"averted_{key}"]) for key in ("q05", "mean", "q95"))
        clock = next((t for t in clocks if t.scenario == scenario.name), None)
        said = _shown(one, scenario)
        if clock is not None:
            month = clock.sure_month
            said = "Not within five years" if month is None else month_name(month)
        out.append(Option(scenario, found, numbers=row, shown=said, marks=marks))  # type: ignore[arg-type]
    return out


def _shown(one: Projection, scenario: Scenario) -> str:
    """The first month whose 12-month count would show that it works."""
    draws = len(one.baseline.draws)
    works = outcomes_of(scenario, draws, seed=one.seed)[0].draws
    base = one.counted_against(scenario.name).samples()[:, 0]
    path = one.forecast(scenario.name).samples()[:, 0]
    rises = all(x.rises for x in scenario.interventions)
    sign = 1 if rises else -1
    limit = np.quantile(sign * base, 1 - FALSE_ALARMS, axis=0)
    there = one.since_onset(scenario.name)
    share = (sign * path[works] > limit).mean(axis=0) if works.any() else np.zeros(there.size)
    months = one.baseline.months[there & (share >= SHOWN)]
    return month_name(months[0]) if months.size else f"Not by {month_name(one.baseline.months[-1])}"


def strips(found: Sequence[Option]) -> tuple[Scale, list[Strip | None]]:
    """The figure: a scale for all options, and the marks of each; none of too few draws."""
    whole = [float(o.numbers["averted_mean"]) for o in found]
    scale = Scale.over([*whole, *(v for o in found for v in o.marks if np.isfinite(v))])
    rows = []
    for o, mean in zip(found, whole):
        low, middle, high = map(scale.at, o.marks)
        marks = Strip(low, middle, high=high, diamond=None if o.what_if else scale.at(mean))
        rows.append(marks if np.isfinite(o.marks).all() else None)
    return scale, rows


def lead(found: Sequence[Option], deaths: str) -> tuple[str, str]:
    """The answer of the first option that somebody judged, and what else must be said at once."""
    first = next((o for o in found if not o.what_if), found[0])
    a = first.answer
    label, p, works, _ = a.outcomes[0]
    expected = f"of the {a.baseline} {deaths} expected in {a.place} from {a.period}"
    if first.what_if:
        answer = f"{a.title}: if it {label}, {works} on average, {expected}."
    elif a.single:
        who = f"{DEVELOPERS} judge" if a.owner == OURS else "was judged"
        answer = (
            f"{a.title}: {a.combined} on average, {expected}. "
            f"If it {label}, which {who} {p} likely: {works}."
        )
    else:
        answer = f"{a.title}: {a.combined} on average, {expected}. If {label} ({p}): {works}."
    more = []
    if others := [o for o in found if o is not first and not o.what_if]:
        means = sorted((o.numbers["averted_mean"], o.answer.combined) for o in others)
        ends = list(dict.fromkeys(text for _, text in (means[0], means[-1])))
        named = "The other option" if len(others) == 1 else f"The other {len(others)} options"
        more.append(f"{named}: {' to '.join(ends)} on average.")
    what_ifs = [o for o in found if o is not first and o.what_if]
    more += [f"{o.answer.title}, a what-if: {o.answer.outcomes[0][2]}." for o in what_ifs[:2]]
    if all(o.shown.startswith("Not ") for o in found):
        until = found[0].shown.removeprefix("Not ")
        which = "whether it works" if len(found) == 1 else "whether any of them works"
        more.append(f"Death counts alone would not show {until} {which}.")
    return answer, " ".join(more)


def bridge(one: Projection, found: Sequence[Option]) -> tuple[str, list[tuple[str, str]]] | None:
    """From the change of one class at full strength to that of all deaths over all outcomes.

    Of the first option of one intervention that lowers deaths and that somebody judged, else of
    the first what-if; None where there is no such option. Means, given that it works.
    """
    single = [o for o in found if o.answer.single and o.numbers["averted_if_works_mean"] > 0]
    option = next((o for o in single if not o.what_if), single[0] if single else None)
    if option is None:
        return None
    (x,) = option.scenario.interventions
    sizes = full_strength(x)
    change = float(sizes.mean())
    whose = deaths_of(x.scope).removeprefix("drug overdose ")
    steps = [(change, f"{whose}, at full strength")]
    felt = float(one.exposures[option.scenario.name, x.name].iloc[0])
    if np.isfinite(felt) and felt != 1:
        change = 100 * float(np.expm1(felt * np.log1p(change / 100)))
        steps.append((change, f"{100 * felt:.0f}% of the effect is felt in {option.answer.place}"))
    if x.scope in one.baseline.beside:
        months = one.since_onset(option.scenario.name)
        part, whole = (
            float(f.samples(TARGET_MONTH)[:, 0, months].sum(axis=1).mean())
            for f in (one.baseline.part(x.scope), one.baseline)
        )
        change *= part / whole
        steps.append((change, f"of all deaths: these are {100 * part / whole:.0f}% of them"))
        if x.replaced.mean > 0:
            change *= 1 - x.replaced.mean
            replaced = f"{100 * x.replaced.mean:.0f}%"
            steps.append((change, f"other drugs replace {replaced} of the deaths prevented"))
    row = option.numbers
    works = -100 * row["averted_if_works_mean"] / row["baseline"]
    fades = "builds, then fades" if x.half_life is not None else "builds, then stays"
    steps.append((works, f"mean of {option.answer.period}: the effect {fades}"))
    p = option.answer.outcomes[0][1]
    if not option.what_if:
        steps.append((row["percent_mean"], f"over all outcomes: {p} likely to work"))
    exact = min(abs(value) for value, _ in steps) < 1.5
    said = [(minus(f"{value:+.1f}%") if exact else percent(value), text) for value, text in steps]
    of = "Why" if len(found) == 1 else f"{option.answer.title}: why"
    last = said[len(steps) - 1][0]
    if option.what_if:
        said.append((option.answer.outcomes[0][2], f"of {option.answer.baseline} expected"))
    return f"{of} {said[0][0]} becomes {last}", said


# Page two


def second_page(projection: Projection, chosen: Sequence[Scenario]) -> dict[str, object]:
    """What page two shows for all places; its fixed sentences are the template's."""
    baseline = projection.baseline
    parts = [x for _, x in _each(chosen)]
    sources, references = sources_of(chosen)
    panel = baseline.panel
    last = baseline.last_month
    own_class = panel is not None and panel.indicator.startswith("Synthetic")
    of_class = own_class or any(x.scope != ALL for x in parts)
    return {
        "assumptions": assumptions(chosen),
        "sources": sources,
        "references": references,
        "grades": list(dict.fromkeys(x.grade for x in parts)),
        "far": int(baseline.horizons[-1]) if beyond_validated(baseline) else 0,
        "demand": on_demand(chosen),
        "backfire": next((x.backfire for x in parts if x.backfire), ""),
        "several": len(chosen) > 1,
        "begun": month_name(last) if any(x.onset[0] <= last for x in parts) else "",
        "class_warning": CLASS_WARNING if of_class else "",
    }


def of_place(one: Projection, chosen: Sequence[Scenario]) -> dict[str, object]:
    """What page two shows of the one place of a projection."""
    (code,), baseline = one.baseline.locations, one.baseline
    said, table = past_record(baseline, code) or ("", None)
    return {
        "baseline": f"{baseline_text(one, chosen)} {text(baseline, code, errors=False)}",
        "skill_text": said,
        "skill_table": table if table is None else Table.of(table),
        "own": bool(own_of(baseline)),
        "code": code,
        "mind": mind(one, chosen),
        "power": "" if on_demand(chosen) else power_text(one, location=code),
    }


def _each(chosen: Sequence[Scenario]) -> Iterator[tuple[str, Intervention]]:
    """Every intervention, with the name of its row."""
    for s in chosen:
        title = scenario_title(s)
        for x in s.interventions:
            one = len(s.interventions) == 1
            yield title if one else f"{title} ({x.name.replace('-', ' ')})", x


def assumptions(chosen: Sequence[Scenario]) -> dict[str, object]:
    """What was assumed of each option: rows, and whose deaths change."""
    scopes = {x.scope for _, x in _each(chosen)}
    rows = []
    for title, x in _each(chosen):
        size, *rest = assumption(x)
        whose = "" if len(scopes) == 1 else f"{deaths_of(x.scope)}: "
        rows.append([title, f"{whose}{size}", *rest])
    return {"rows": rows, "whose": deaths_of(scopes.pop()) if len(scopes) == 1 else "deaths"}


def baseline_text(one: Projection, chosen: Sequence[Scenario]) -> str:
    """Deaths by calendar year if nothing changes, and how uncertain they are."""
    table = one.averted()
    table = table[(table["scenario_id"] == chosen[0].name) & (table["kind"] == "year")]
    begins = min(str(x.onset[0]) for _, x in _each(chosen))
    table = table[table["last_month"] >= begins]  # nothing changes before it begins
    base = one.counted_against(chosen[0].name)
    years = []
    for r in table.to_dict("records"):
        first, last = (np.datetime64(r[key]) for key in ("first_month", "last_month"))
        there = (base.months >= first) & (base.months <= last)
        # The median, as in every table of a forecast.
        median = float(np.median(base.draws[:, 0, there].sum(axis=1)))
        years.append(f"{about(median)} in {r['period']}")
    low, high = (float(v) for v in np.quantile(one.baseline.samples()[:, 0, -1], [0.05, 0.95]))
    return (
        f"If none of this happens, the forecast is {', '.join(years)} (medians: they add up to "
        f"less than the mean on page one). The 90% interval "
        f"for the 12 months ending in {month_name(one.baseline.months[-1])} is "
        f"{between(low, high)}."
    )


def sources_of(chosen: Sequence[Scenario]) -> tuple[list[list[str]], list[str]]:
    """What each assumption rests on, with its grade, and the works cited, numbered."""
    works: dict[str, int] = {}
    rows: dict[tuple[str, str], list[str]] = {}
    for s in chosen:
        for x in s.interventions:
            cited = [works.setdefault(r, len(works) + 1) for r in x.references]
            mark = f" [{', '.join(map(str, cited))}]" if cited else ""
            stated = plain_reason(x.source, x.note).rstrip(".")
            why = f"{stated or 'Assumed by the user'}{mark}."
            titles = rows.setdefault((capital(x.grade), why), [])
            if scenario_title(s) not in titles:
                titles.append(scenario_title(s))
    return [["; ".join(titles), *rest] for rest, titles in rows.items()], list(works)


def mind(one: Projection, chosen: Sequence[Scenario]) -> list[str]:
    """Counts that the baseline would not explain."""
    base = one.baseline
    items = []
    last = int(base.horizons[-1])
    for h in dict.fromkeys((12, last) if len(chosen) < 3 else (last,)):
        if h not in base.horizons:
            continue
        j = int((base.horizons == h).argmax())
        counts = base.samples()[:, 0, j]
        low, high = (float(v) for v in np.quantile(counts, [0.05, 0.95]))
        # The chances are those of the limits that are printed.
        step = step_of(low, high)
        low, high = (round(x / step) * step for x in (low, high))
        under, over = (float(p) for p in ((counts < low).mean(), (counts > high).mean()))
        below = [
            (one.forecast(s.name).samples()[one.counted(s.name), 0, j] < low).mean() for s in chosen
        ]
        if all(abs(p - under) < 0.01 for p in below):
            continue  # a count that cannot tell one from the other
        said = [chance(float(p)) for p in below]
        inside = said[0]
        if len(set(said)) > 1:
            ends = sorted(zip(below, said, map(scenario_title, chosen)))
            inside = f"{ends[0][1]} ({ends[0][2]}) to {ends[-1][1]} ({ends[-1][2]})"
        them = "the option" if len(chosen) == 1 else "the options"
        items.append(
            f"A final count for the 12 months ending in {month_name(base.months[j])} below "
            f"{rounded(low, step)} or above {rounded(high, step)}. If nothing changes, the chance "
            f"of one below is {chance(under)} and of one above {chance(over)}. With "
            f"{them} the chance of one below is {inside}."
        )
    return items


def on_demand(chosen: Sequence[Scenario]) -> bool:
    """Whether every intervention rests on the evidence of a demand-side prior."""
    sources = {prior_table(name)["source"] for name in prior_names("demand")}
    return all(x.source in sources for _, x in _each(chosen))


# The words of assumptions


def full_strength(x: Intervention) -> Floats:
    """Change of the scope's deaths at full strength if it works, in percent: on a grid."""
    size = x.size.ppf(_GRID)
    meant = size > 0 if x.rises else size < 0
    size = size[meant] if meant.any() else size
    share = x.share.ppf(_GRID) if x.share.sd > 0 else np.array([x.share.mean])
    return np.asarray(100 * np.expm1(np.multiply.outer(size, share).ravel()))


def when(x: Intervention) -> str:
    """When it begins."""
    first, last = map(month_name, x.onset)
    return first if first == last else f"a month between {first} and {last}"


def assumption(x: Intervention) -> list[str]:
    """One assumption as cells: size, when it is full, what follows, and what other drugs replace.

    The size is the mean given that it works, with its 90% interval.

    >>> from odforecast.scenario.distributions import Fixed, Normal, Uniform
    >>> shock = Intervention("shock", Normal(-0.45, 0.2), onset="2026-03", ramp=Uniform(9, 15))
    >>> assumption(shock)
    ['−35% (−54% to −13%)', '12 months', 'Lasts', 'none']
    """
    sizes = full_strength(x)
    low, high = np.quantile(sizes, [0.05, 0.95])
    size = percent(float(sizes.mean()))
    if high - low >= 1:
        size += f" ({percent(low)} to {percent(high)})"
    full = _median(x.lag) + _median(x.ramp)
    return [
        f"{size}{_felt(x)}",
        "At once" if full < 0.5 else _months(full),
        f"{_after(x)}{_back(x)}",
        _of_ten(x),
    ]


def _felt(x: Intervention) -> str:
    """Who feels how much of it; nothing where all feel all of it."""
    if isinstance(x.exposure, str):
        return "; each state in proportion to its share of fentanyl"
    if isinstance(x.exposure, Mapping):
        table = dict(x.exposure)
        rest = table.pop("default", None)
        if not table:
            return f"; {100 * float(rest or 0):.0f}% of it everywhere"
        named = [f"{100 * v:.0f}% of it in {place_name(s)}" for s, v in table.items()]
        if len(named) > 4:
            return "; state by state, by a table"
        elsewhere = "" if rest is None else f", {100 * rest:.0f}% elsewhere"
        return f"; {', '.join(named)}{elsewhere}"
    return "" if x.exposure == 1 else f"; {100 * x.exposure:.0f}% of it is felt"


def _after(x: Intervention) -> str:
    if x.half_life is None:
        return "Lasts"
    stays = (
        f"Full for {_months(_median(x.plateau))}, then half" if _median(x.plateau) >= 0.5 else ""
    )
    faded = f"{stays or 'Half'} gone after {_months(_median(x.half_life))}"
    left = x.residue.interval(0.9)[1] > 0
    return f"{faded}; {_share(x.residue)} of it lasts" if left else faded


def _back(x: Intervention) -> str:
    if x.rebound is None:
        return ""
    taken = _share(x.rebound.fraction)
    p = assumed(1 - x.rebound.p_null)
    return f"; if it works, {taken} of the reduction is later lost to other drugs ({p} likely)"


def _of_ten(x: Intervention) -> str:
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
