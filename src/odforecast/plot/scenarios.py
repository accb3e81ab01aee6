"""Scenarios beside the status quo: deaths with and without them, deaths averted, and their clock.

Lines and dots are means: what a scenario changes is a mixture of working and doing nothing, and
its median would say neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.months import ONE_MONTH
from odforecast.names import SCENARIO_ID, TARGET_12MO
from odforecast.plot.files import finish
from odforecast.plot.frame import (
    about,
    in_place,
    joined,
    months_in,
    place_of,
    reported_of,
)
from odforecast.plot.style import (
    BAND90,
    BLUE,
    DOTTED,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PALETTE,
    SMALL,
    TEXT,
    Head,
    Label,
    Line,
    days,
    drawn_on,
    label,
    legend,
    levels,
    literal,
    text_width,
    thousands,
    width_of,
    wrapped,
)
from odforecast.say import (
    between,
    capital,
    chance,
    month_name,
    rounded,
    step_of,
    two_digits,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["averted", "chances", "onset", "overlay", "prevented"]

#: Interval of every band and bar; months of history; pixels of a direct label.
TAILS = (0.05, 0.95)
MONTHS = 72
_WIDE = 130.0
_NOTHING = "nothing but the status quo was projected: nothing is prevented"
#: Points for the title of a row.
_ROW = 170.0
#: Dates that are named in a figure of an onset.
_MARKED = {
    "cooperation-suspended": "suspended",
    "cooperation-resumed": "resumed",
}


def overlay(
    projection: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    history: Any = None,
    titles: Mapping[str, str] | None = None,
) -> Axes:
    """Deaths with and without what each scenario assumes, after what is known.

    Parameters
    ----------
    projection : Projection
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
    history : Panel or DataFrame, optional
        Reported counts before. Default: the projection's panel.
    titles : mapping of str to str, optional
        What to call the scenarios; default: their titles, or the words of their names.

    Returns
    -------
    Axes
        A mean and a band of 90% of the draws for each; the status quo is gray and dashed, an
        onset dotted.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(until="2027-12", draws=100, seed=1)
    >>> shock = od.scenario.named("supply-shock-2023-like", onset="2026-01")
    >>> axes = od.plot.overlay(od.project(forecast, [shock]), "Ohio")
    >>> axes.get_title(loc="left")
    'Drug overdose deaths with and without each scenario, Ohio'
    """
    baseline = projection.baseline
    place = place_of(baseline.locations, location, name="this projection")
    titles = {**titles_of(projection), **(titles or {})}
    scenarios = sorted(projection.scenarios, key=lambda s: not s.is_null)
    colors = colors_of([s.name for s in scenarios if not s.is_null])
    ax = drawn_on(axes)
    last = baseline.last_month
    row = baseline.locations.index(place)
    panel = baseline.panel if history is None else history
    reported = (
        panel if panel is None else reported_of(panel, place, parts=baseline.parts)
    )
    if reported is not None:
        when = months_in(reported)
        recent = (when > last - MONTHS * ONE_MONTH) & (when <= last)
        ax.plot(
            days(when[recent]),
            reported["reported"][recent],
            color=INK,
            lw=2,
            label="reported",
            zorder=3,
        )
    texts = []
    ends = []
    for s in scenarios:
        forecast = projection.forecast(s.name)
        name = titles[s.name]
        # What a nowcast revises is the same in all scenarios: the status quo's.
        ahead = (forecast.months > last) | s.is_null
        draws = forecast.samples(TARGET_12MO)[projection.counted(s.name), row][:, ahead]
        mean = draws.mean(axis=0)
        low, high = np.quantile(draws, TAILS, axis=0)
        look = {"color": colors.get(s.name, MUTED)}
        when = days(forecast.months[ahead])
        ax.fill_between(when, low, high, alpha=0.12, lw=0, **look)
        ax.plot(
            when, mean, lw=2, ls="--" if s.is_null else "-", label=literal(name), **look
        )
        number, interval = _numbers(mean[-1], low[-1], high=high[-1])
        texts.append(f"{name} {number} ({interval})")
        ends.append(_named(mean[-1], name, color=look["color"], number=number))
        for onset in sorted({x.onset[0] for x in s.interventions}):
            ax.axvline(days([onset])[0], lw=0.9, ls=DOTTED, **look)
    levels(ax)
    counted = about(baseline)
    title = f"{capital(counted.deaths)} with and without each scenario, {called(place)}"
    below = "12 months ending each month. Lines: means. Bands: 90% of the draws. Dotted: its start."
    lead = joined(
        f"{capital(counted.deaths)} in {in_place(place)}",
        "12 months ending",
        counted.day,
    )
    sentence = (
        f"{lead}, mean for {month_name(baseline.months[-1])}: {'; '.join(texts)}."
    )
    return finish(
        ax,
        Head(title, below, source=counted.source),
        said=sentence,
        labels=ends,
        time=True,
    )


def _numbers(mean: float, low: float, high: float) -> tuple[str, str]:
    """A mean and 90% of the draws, in words."""
    return rounded(mean, step_of(low, high)), f"90% of the draws {between(low, high)}"


def _named(value: float, title: str, color: str, number: str) -> Label:
    """A direct label: the title of a scenario in lines, and its number."""
    lines = [
        Line(x, color, bold=True)
        for x in wrapped(title, _WIDE, size=TEXT, bold=True).split("\n")
    ]
    return float(value), [*lines, Line(number, color)], 0


def colors_of(names: Sequence[str]) -> dict[str, str]:
    """One color per scenario; the status quo is gray."""
    return dict(zip(names, PALETTE * (1 + len(names) // len(PALETTE))))


def titles_of(projection: Any) -> dict[str, str]:
    """Names of the scenarios and what people call them, the status quo first."""
    titles = {}
    for scenario in projection.scenarios:
        words = capital(scenario.name.replace("-", " ").replace("_", " "))
        titles[scenario.name] = (
            "Status quo" if scenario.is_null else scenario.title or words
        )
    return titles


def averted(
    projection: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    titles: Mapping[str, str] | None = None,
) -> Axes:
    """Deaths averted against the status quo, by calendar year and in all.

    Parameters
    ----------
    projection, location, axes, titles
        As for :func:`overlay`.

    Returns
    -------
    Axes
        Means, and 90% of the draws; below zero: more deaths.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(until="2027-12", draws=100, seed=1)
    >>> shock = od.scenario.named("supply-shock-2023-like", onset="2026-01")
    >>> axes = od.plot.averted(od.project(forecast, [shock]), "Ohio")
    >>> axes.get_title(loc="left")
    'Drug overdose deaths prevented, Ohio'
    """
    place = place_of(projection.baseline.locations, location, name="this projection")
    table = projection.averted()
    rows = table[(table["location"] == place) & table["kind"].isin(["year", "all"])]
    if rows.empty:
        raise DataError(_NOTHING, hint="project a scenario")
    titles = {**titles_of(projection), **(titles or {})}
    names = list(dict.fromkeys(rows[SCENARIO_ID]))
    periods = list(dict.fromkeys(rows["period"]))
    ax = drawn_on(axes)
    texts = []
    ends = []
    for i, (name, color) in enumerate(colors_of(names).items()):
        outcomes = rows[rows[SCENARIO_ID] == name]
        title = titles[name]
        mean, low, high = (
            outcomes[f"averted_{c}"].to_numpy() for c in ("mean", "q05", "q95")
        )
        at = np.array([periods.index(p) for p in outcomes["period"]])
        x = at + (i - (len(names) - 1) / 2) * 0.8 / len(names)
        ax.vlines(
            x,
            low,
            high,
            color=color,
            lw=6,
            alpha=0.35,
        )
        ax.plot(
            x,
            mean,
            "o",
            color=color,
            ms=7,
            label=literal(title),
        )
        number, interval = _numbers(mean[-1], low[-1], high=high[-1])
        texts.append(f"{title}, {periods[at[-1]]}: mean {number}, {interval}")
        ends.append(_named(mean[-1], title, color=color, number=number))
    room = (width_of(ax) - _WIDE) / len(periods)
    # In two lines where one would touch the next.
    too_wide = [text_width(p, TEXT) >= room for p in periods]
    labels = [
        literal(p.replace(" (", "\n(", 1) if w else p)
        for p, w in zip(periods, too_wide)
    ]
    ax.set_xticks(range(len(periods)), labels)
    ax.set_xlim(-0.6, len(periods) - 0.4)
    ax.axhline(0, color=INK, lw=0.8)
    levels(ax)
    counted = about(projection.baseline)
    title = f"{capital(counted.deaths)} prevented, {called(place)}"
    head = Head(title, "Dot: mean. Bar: 90% of the draws.", source=counted.source)
    sentence = f"{joined(f'Deaths averted in {in_place(place)}', counted.day)}: {'; '.join(texts)}."
    return finish(ax, head, said=sentence, labels=ends)


def prevented(
    projection: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    titles: Mapping[str, str] | None = None,
) -> Axes:
    """Deaths that each scenario would prevent by the last month, if it works and over all outcomes.

    Parameters
    ----------
    projection, location, axes, titles
        As for :func:`overlay`.

    Returns
    -------
    Axes
        A row for each scenario. A what-if is gray and dashed, and has no diamond.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(until="2027-12", draws=100, seed=1)
    >>> shock = od.scenario.named("supply-shock-2023-like", onset="2026-01")
    >>> axes = od.plot.prevented(od.project(forecast, [shock]), "Ohio")
    >>> axes.get_title(loc="left")
    'Ohio: deaths prevented by December 2027'
    """
    place = place_of(projection.baseline.locations, location, name="this projection")
    local = projection.select([place])
    table = local.answer()
    if table.empty:
        raise DataError(_NOTHING, hint="project a scenario")
    first = local.outcomes().drop_duplicates(SCENARIO_ID).set_index(SCENARIO_ID)
    titles = {**titles_of(local), **(titles or {})}
    ax = drawn_on(axes, height=1.3 + 0.55 * len(table))
    names = []
    texts = []
    for y, row in enumerate(table.to_dict("records")):
        name = str(row[SCENARIO_ID])
        low, mean, high = (
            float(first.loc[name, f"averted_{k}"]) for k in ("q05", "mean", "q95")
        )
        what_if = bool(np.isnan(first.loc[name, "chance"]))
        if np.isfinite(low):
            look = (
                {"color": GRID, "edgecolor": MUTED}
                if what_if
                else {"color": BLUE, "alpha": 0.4}
            )
            ax.barh(
                y,
                high - low,
                left=low,
                height=0.4,
                lw=0.8,
                ls="--",
                **look,
                label="90% interval if it works",
            )
            ax.plot(
                mean,
                y,
                "o",
                ms=8,
                color=INK if what_if else BLUE,
                label="mean if it works",
            )
        likely = (
            "a what-if, no probability"
            if what_if
            else f"{first.loc[name, 'chance']:.0%} likely"
        )
        if not what_if:
            ax.plot(
                row["averted_mean"],
                y,
                "D",
                ms=7,
                mfc="white",
                mec=INK,
                mew=1.3,
                label="mean over all outcomes",
            )
        names.append(f"{wrapped(literal(titles[name]), _ROW, SMALL)}\n{likely}")
        numbers = ", 90% interval ".join(
            [_deaths_text(mean), f"{_deaths_text(low)} to {_deaths_text(high)}"]
        )
        texts.append(f"{titles[name]} ({likely}): {numbers} if it works")
    ax.axvline(0, color=INK, lw=0.8)
    ax.set_yticks(range(len(names)), names, fontsize=SMALL)
    ax.set_ylim(len(names) - 0.5, -0.5)
    thousands(ax.xaxis)
    known_on = about(local.baseline).day
    until = month_name(local.baseline.months[-1])
    lead = joined(f"Deaths prevented in {in_place(place)} by {until}", known_on)
    head = Head(f"{called(place)}: deaths prevented by {until}", known_on)
    figure = finish(ax, head, said=f"{lead}: {'; '.join(texts)}.")
    legend(ax)
    return figure


def _deaths_text(count: float) -> str:
    """Deaths prevented, with the sign of what is below zero."""
    if np.isnan(count):
        return "unknown"
    return f"{'−' if count < 0 else ''}{two_digits(count)}"


def chances(track: Any, *, axes: Axes | None = None) -> Axes:
    """The chance that a scenario works: so far, at other dates, and as expected.

    Parameters
    ----------
    track : Track
        From :func:`odforecast.scenario.track`.
    axes : Axes, optional

    Returns
    -------
    Axes
        Percent. Gray: the same for onsets up to a year earlier and later, on the newest counts.
        The bands contain 80% of the simulated worlds.

    Examples
    --------
    >>> import odforecast as od
    >>> again = od.scenario.named("cooperation-resumed", onset="2025-03")
    >>> found = od.scenario.track(again, od.bundled(), draws=2, placebo=False)
    >>> od.plot.chances(found).get_title(loc="left")
    'Chance that cooperation-resumed works, United States'
    """
    if not all(hasattr(track, name) for name in ("chances", "expected", "placebo")):
        raise DataError(
            "a figure of chances needs a track", hint="od.scenario.track(...)"
        )
    ax = drawn_on(axes)
    aim = track.aim
    verb = track.does
    so_far = track.chances
    start = 100 * float(so_far[aim].iloc[0])
    latest = so_far.iloc[-1]
    for date, rows in track.placebo.groupby("onset"):
        before = np.datetime64(str(date)) - ONE_MONTH
        at = days(np.array([before, *rows["month"]], dtype="datetime64[M]"))
        own = bool(rows["event"].all())
        style = {"color": INK, "ls": DOTTED} if own else {"color": MUTED, "alpha": 0.45}
        ax.plot(
            at, [start, *100 * rows[aim]], lw=1.5 if own else 0.8, zorder=1, **style
        )
    when = days(np.array(so_far["month"], dtype="datetime64[M]"))
    ax.plot(when, 100 * so_far[aim], "o-", color=INK, lw=2, ms=5)
    at = when[-1], 100 * float(latest[aim])
    label(ax, capital(verb), at=at, shift=(6, 5), color=INK, bold=True)
    sentences = [
        f"with counts to {month_name(latest['month'])} it works with {chance(latest['works'])}, "
        f"does nothing with {chance(latest['nothing'])}, backfires with "
        f"{chance(latest['backfires'])}"
    ]
    if track.rank is not None:
        sentences.append(f"rank {track.rank[0]} of {track.rank[1]} dates")
    ends: list[Label] = []
    for world, color, words in (
        ("works", BLUE, f"if it {verb}"),
        ("does not work", ORANGE, "if it does not"),
    ):
        rows = track.expected[track.expected["world"] == world]
        if rows.empty:
            continue
        ahead = days(np.array([latest["month"], *rows["month"]], dtype="datetime64[M]"))
        middle, low, high = (
            100 * np.array([latest[aim], *rows[c]])
            for c in (aim, "works_q10", "works_q90")
        )
        ax.fill_between(ahead, low, high, color=color, alpha=0.15, lw=0)
        ax.plot(ahead, middle, color=color, lw=1.8, ls="--")
        ends.append((middle[-1], [Line("Expected", color), Line(words, color)], 0))
        last = rows.iloc[-1]
        month = month_name(last["month"])
        sentences.append(
            f"{words}, {chance(last[aim])} is expected with counts to {month}"
        )
    levels(ax, "{:g}%".format, unit="chance", at=[0, 20, 50, 80, 100])
    odds = " from even odds" if track.intervention.is_what_if else ""
    gray = ""
    if len(track.placebo):
        gray = (
            "Gray: the same for an event up to a year earlier or later, on the newest counts "
            "(dotted: this event). "
        )
    below = (
        f"{capital(about(track).deaths)}. Any change after {month_name(track.onset)} "
        f"counts, whatever its cause. {gray}Dashed: expected. Bands: 80% of simulated worlds."
    )
    head = Head(
        f"Chance{odds} that {track.scenario} {verb}, {called(track.location)}", below
    )
    sentence = f"{head.title}: {'; '.join(sentences)}."
    return finish(ax, head, said=sentence, labels=ends, time=True)


def onset(onset: Any, *, axes: Axes | None = None) -> Axes:
    """How much the counts speak for a change that began in each month, and dated events.

    Parameters
    ----------
    onset : Onset
        From :func:`odforecast.scenario.when`.
    axes : Axes, optional

    Returns
    -------
    Axes
        The Bayes factor against no change; 1 is no evidence either way.

    Examples
    --------
    >>> import odforecast as od
    >>> found = od.scenario.when("T40.4", archive=od.bundled())
    >>> od.plot.onset(found).get_title(loc="left")
    'When the change began, United States'
    """
    if not hasattr(onset, "bayes_factors"):
        raise DataError("a figure of an onset needs one", hint="od.scenario.when(...)")
    ax = drawn_on(axes)
    when = days(onset.months)
    factors = onset.bayes_factors
    interval = onset.interval()
    ax.axvspan(*days(interval), color=BAND90, alpha=0.5, lw=0)
    ax.plot(when, factors, "o-", color=BLUE, lw=1.5, ms=4)
    levels(ax, "{:g}".format, unit="Bayes factor")
    ax.axhline(1, color=INK, lw=1)
    label(ax, "1: no evidence either way", at=(when[0], 1), shift=(16, 4))
    top = ax.get_ylim()[1]
    texts: list[str] = []
    for row in onset.events().to_dict("records"):
        day = days([row["month"]])[0]
        ax.axvline(day, ymax=0.04, color=MUTED, lw=1.5)
        if row["id"] in _MARKED:
            ax.axvline(day, color=ORANGE, lw=1.2, ls=DOTTED)
            text = f"{_MARKED[row['id']]}: {chance(row['before'])} before"
            # In lines of their own, for a narrow figure.
            shift = -5, -30 + 16 * len(texts)
            label(ax, text, at=(day, top), shift=shift, color=ORANGE, ha="right")
            texts.append(f"; cooperation {text} {month_name(row['month'])}")
    first, last = map(month_name, interval)
    strongest = month_name(onset.months[factors.argmax()])
    counted = about(onset).deaths
    below = (
        f"{capital(counted)}. Shaded: 90% interval. Ticks: dated events. Dotted: "
        "cooperation suspended and resumed. A month is when deaths changed, whatever the cause."
    )
    title = f"When the {onset.noun} began, {called(onset.location)}"
    sentence = (
        f"{title}, {counted}: 90% interval {first} to {last}, largest Bayes factor "
        f"{factors.max():.1f} in {strongest}{''.join(texts)}."
    )
    return finish(ax, Head(title, below), said=sentence, time=True)
