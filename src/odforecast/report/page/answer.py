"""Page one of a brief: the answer, the figure, the arithmetic, and what a decision needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from odforecast.names import ALL_DRUGS, TARGET_MONTH
from odforecast.panel import Panel
from odforecast.report.page.parts import Table
from odforecast.report.words import full_strength, when
from odforecast.say import deaths_of, month_name, percent
from odforecast.scenario import Projection, Scenario, Track
from odforecast.scenario.answer import Answer, answers, begun_text, outcomes_of

#: A scenario shows in the counts once this share of the courses in which it works lies below (or
#: above) what one course in twenty without it does.
SHOWN, FALSE_ALARMS = 0.8, 0.05
#: Room at both ends of the figure's scale, and how many ticks it has at most.
_ROOM, _TICKS = 0.03, 3


@dataclass(frozen=True)
class Strip:
    """Marks of one row, in percent of the width: an interval, a dot, a diamond, an outer line."""

    low: float
    mean: float
    high: float
    diamond: float | None = None
    outer: tuple[float, float] | None = None


@dataclass(frozen=True)
class Scale:
    """Where numbers stand on a strip."""

    low: float
    high: float
    ticks: list[tuple[float, str]] = field(default_factory=list)

    @classmethod
    def over(cls, values: Sequence[float], unit: str = "") -> Scale:
        """A scale that holds all of these numbers and zero."""
        low, high = min(0.0, *values), max(0.0, *values)
        span = (high - low) or 1.0
        low, high = low - _ROOM * span, high + _ROOM * span
        power = 10.0 ** np.floor(np.log10(span / _TICKS))
        step = next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= _TICKS)
        made = cls(low, high)
        marks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
        made.ticks.extend(
            (made.at(x), f"{x:z,.{0 if step >= 1 else 2}f}{unit}".replace("-", "−")) for x in marks
        )
        return made

    def at(self, value: float) -> float:
        """Percent of the width."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)


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
    one: Projection, chosen: Sequence[Scenario], panel: Panel | None, clocks: Sequence[Track]
) -> dict[str, object]:
    """What page one shows of the one place of a projection."""
    baseline = one.baseline
    panel = baseline.panel if panel is None else panel
    deaths = deaths_of(ALL_DRUGS if panel is None else panel.indicator)
    found = options(one, clocks)
    scale, rows = strips(found)
    answer, more = lead(found, deaths)
    them, a = "them" if len(found) > 1 else "it", found[0].answer
    return {
        "until": month_name(baseline.months[-1]),
        "answer": answer,
        "more": " ".join([more + begun_text(chosen, baseline), *(t.brief_line() for t in clocks)]),
        "scale": scale,
        "dates": len({o.begins for o in found}) > 1,
        "options": list(zip(found, rows)),
        "reading": f"Without {them} we expect about {a.baseline} {deaths} from {a.period}. "
        "Percentages count from the month in which an option begins.",
        "bridge": bridge(one, found),
        "decisions": decisions(found),
    }


def options(one: Projection, clocks: Sequence[Track]) -> list[Option]:
    """Every scenario of a projection of one place, in its order."""
    numbers = one.answer().to_dict("records")
    parts = one.outcomes()
    made = []
    for row, found in zip(numbers, answers(one)):
        scenario = one.scenario(str(row["scenario_id"]))
        first = parts[parts["scenario_id"] == scenario.name].iloc[0]
        marks = tuple(float(first[f"averted_{key}"]) for key in ("q05", "mean", "q95"))
        clock = next((t for t in clocks if t.scenario == scenario.name), None)
        said = _shown(one, scenario) if clock is None else _by_clock(clock)
        made.append(Option(scenario, found, row, said, marks))  # type: ignore[arg-type]
    return made


def _by_clock(clock: Track) -> str:
    month = clock.sure_month
    return "Not within five years" if month is None else month_name(month)


def _shown(one: Projection, scenario: Scenario) -> str:
    """The first month whose 12-month count would show that it works."""
    draws = len(one.baseline.draws)
    works = outcomes_of(scenario, draws, one.seed)[0].draws
    base = one.counted_against(scenario.name, None).samples()[:, 0]
    path = one.forecast(scenario.name).samples()[:, 0]
    rises = all(x.direction == "rise" for x in scenario.interventions)
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
        marks = Strip(low, middle, high, None if o.what_if else scale.at(mean))
        rows.append(marks if np.isfinite(o.marks).all() else None)
    return scale, rows


def lead(found: Sequence[Option], deaths: str) -> tuple[str, str]:
    """The answer of the first option that somebody judged, and what else must be said at once."""
    first = next((o for o in found if not o.what_if), found[0])
    a = first.answer
    label, p, works, _ = a.outcomes[0]
    expected = f"of the {a.baseline} {deaths} expected in {a.place} from {a.period}"
    if first.what_if:
        answer = f"{a.title}: if it works, {works} on average, {expected}."
    elif a.single:
        who = "we judge" if a.owner == "Our judgement" else "was judged"
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


def decisions(found: Sequence[Option]) -> Table | None:
    """What each option needs, its first sign, and when to stop; None of what-ifs alone."""
    texts = {"needs": "Needs what from whom", "sign": "Earliest sign", "stop": "Stop if"}
    shown = [o for o in found if not o.what_if or any(map(o.text, texts))]
    if not shown:
        return None
    columns = [key for key in texts if any(o.text(key) for o in shown)]
    rows = []
    for o in shown:
        a = o.answer
        rows.append([
            a.title,
            f"{a.combined}\n{a.combined_range}" if a.owner else f"{a.outcomes[0][2]}\nif it works",
            o.likely[0].partition(",")[0],
            *(o.text(key) for key in columns),
        ])  # fmt: skip
    head = ["Option", "Could prevent (mean over all outcomes)", "How likely"]
    return Table([*head, *(texts[key] for key in columns)], rows)


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
    felt = float(one.exposures[option.scenario.name][x.name][0])
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
    said = [
        (f"{value:+.1f}%".replace("-", "−") if exact else percent(value), text)
        for value, text in steps
    ]
    of = "Why" if len(found) == 1 else f"{option.answer.title}: why"
    last = said[len(steps) - 1][0]
    if option.what_if:
        said.append((option.answer.outcomes[0][2], f"of {option.answer.baseline} expected"))
    return f"{of} {said[0][0]} becomes {last}", said
