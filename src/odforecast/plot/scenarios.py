"""Scenarios beside the status quo: deaths with and without them, deaths averted, and their clock.

Lines and dots are means: what a scenario changes is a mixture of working and doing nothing, and
its median would say neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError, UnknownNameError
from odforecast.geography import called
from odforecast.months import ONE_MONTH
from odforecast.names import SCENARIO_ID, TARGET_12MO, TARGET_MONTH
from odforecast.plot.frame import (
    as_of_in,
    as_of_words,
    capital,
    in_place,
    indicator_in,
    joined,
    months_in,
    one_of,
    place_of,
    reported_of,
    source_of,
    table_of,
)
from odforecast.plot.output import finish
from odforecast.plot.style import (
    BLUE,
    DOTTED,
    INK,
    MUTED,
    ORANGE,
    PALETTE,
    TEXT,
    Head,
    Label,
    Line,
    days,
    drawn_on,
    label,
    levels,
    literal,
    text_width,
    width_of,
    wrapped,
)
from odforecast.say import between, chance, deaths_of, month_name, rounded, step_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Interval of every band and bar; months of history; pixels of a direct label.
TAILS, MONTHS, _WIDE = (0.05, 0.95), 72, 130.0
_PATHS = (SCENARIO_ID, "location", "month", "mean", "low", "high")
_AVERTED = (SCENARIO_ID, "location", "kind", "period", "averted_mean", "averted_q05", "averted_q95")
_NOTHING = "nothing but the status quo was projected: nothing is averted"


def overlay(
    projection: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    scenarios: str | Sequence[str] | None = None,
    history: Any = None,
    months: int = MONTHS,
    titles: Mapping[str, str] | None = None,
) -> Axes:
    """Deaths with and without what each scenario assumes, after what is known.

    Parameters
    ----------
    projection : Projection or DataFrame
        A projection; or a table ``scenario_id``, ``location``, ``month``, ``mean``, ``low``,
        ``high`` (deaths in the 12 months ending; the status quo is called ``null``).
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    scenarios : str or sequence of str, optional
        Names of those to draw beside the status quo; default: all.
    history : Panel or DataFrame, optional
        Reported counts before. Default: the projection's panel; a table has none.
    months : int
        Months of history shown.
    titles : mapping of str to str, optional
        What to call the scenarios; default: their titles, or the words of their names.

    Returns
    -------
    Axes
        A mean and a band of 90% of the draws for each; the status quo is gray and dashed, an
        onset dotted.

    Raises
    ------
    UnknownNameError
        If the place or a scenario is not in the projection.
    DataError
        If a column is missing.

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
    paths, null, held, onsets = _paths(projection, location)
    titles = {**held, **(titles or {})}
    place = str(paths["location"].iloc[0])
    colors = colors_of(list(held), null)
    named = _chosen(scenarios, list(held), null)
    drawn = drawn_on(axes)
    baseline = getattr(projection, "baseline", None)
    last = None if baseline is None else baseline.last_month
    panel = getattr(baseline, "panel", None) if history is None else history
    parts = getattr(baseline, "parts", None)
    known = None if panel is None else reported_of(panel, place, parts)
    if known is not None:
        last = months_in(known).max() if last is None else last
        known = known[(months_in(known) > last - months * ONE_MONTH) & (months_in(known) <= last)]
        drawn.plot(days(months_in(known)), known["reported"], color=INK, lw=2, label="reported",
                   zorder=3)  # fmt: skip
    said, ends = [], []
    for name in ([null] if null else []) + named:
        rows = paths[paths[SCENARIO_ID] == name].sort_values("month")
        if name != null and last is not None:
            # What a nowcast revises is the same in all scenarios: the status quo's.
            rows = rows[months_in(rows) > last]
        when, line = days(months_in(rows)), "--" if name == null else "-"
        drawn.fill_between(when, rows["low"], rows["high"], color=colors[name], alpha=0.12, lw=0)
        drawn.plot(when, rows["mean"], color=colors[name], lw=2, ls=line,
                   label=literal(titles[name]))  # fmt: skip
        end = rows.iloc[-1]
        number = rounded(end["mean"], step_of(end["low"], end["high"]))
        interval = f"90% of the draws {between(end['low'], end['high'])}"
        said.append(f"{titles[name]} {number} ({interval})")
        ends.append(_named(end["mean"], titles[name], colors[name], number))
        for onset in onsets.get(name, ()) if name != null else ():
            drawn.axvline(days([onset])[0], color=colors[name], lw=0.9, ls=DOTTED)
    levels(drawn)
    what, seen = deaths_of(indicator_in(baseline)), as_of_words(as_of_in(baseline))
    title = f"{capital(what)} with and without each scenario, {called(place)}"
    below = "12 months ending each month. Lines: means. Bands: 90% of the draws. Dotted: its start."
    lead = joined(f"{capital(what)} in {in_place(place)}", "12 months ending", seen)
    sentence = f"{lead}, mean for {month_name(paths['month'].max())}: {'; '.join(said)}."
    return finish(drawn, Head(title, below, source_of(baseline)), sentence, ends, time=True)


def _named(value: float, title: str, color: str, number: str = "") -> Label:
    """A direct label: the title of a scenario in lines, and its number."""
    lines = [Line(x, color, True) for x in wrapped(title, _WIDE, TEXT, bold=True).split("\n")]
    return float(value), [*lines, Line(number, color)] if number else lines, 0


def colors_of(names: Sequence[str], null: str | None) -> dict[str, str]:
    """One color per scenario; gray for the status quo.

    >>> colors_of(["null", "a"], "null")
    {'null': '#55606c', 'a': '#0b5cad'}
    """
    others = [n for n in names if n != null]
    shades = dict(zip(others, PALETTE * (1 + len(others) // len(PALETTE))))
    return {n: MUTED if n == null else shades[n] for n in names}


def titles_of(projection: Any) -> dict[str, str]:
    """Names of the scenarios and what people call them, the status quo first."""
    if isinstance(projection, pd.DataFrame):
        table = table_of(projection, (SCENARIO_ID,), "the projection")
        names = [str(n) for n in dict.fromkeys(table[SCENARIO_ID])]
        return {n: "Status quo" if n == "null" else n for n in names}
    return {
        s.name: "Status quo" if getattr(s, "is_null", False)
        else str(getattr(s, "title", "") or capital(s.name.replace("-", " ").replace("_", " ")))
        for s in projection.scenarios
    }  # fmt: skip


def _paths(
    projection: Any, location: str | None
) -> tuple[pd.DataFrame, str | None, dict[str, str], dict[str, list[np.datetime64]]]:
    """Means and ends of 90% of the draws; the null's name, titles and onsets."""
    titles = titles_of(projection)
    if isinstance(projection, pd.DataFrame):
        table = table_of(projection, _PATHS, "the projection")
        place = place_of(table["location"], location, "this projection")
        rows = table[table["location"].astype(str) == place]
        return rows, "null" if "null" in titles else None, titles, {}
    place = place_of(projection.baseline.locations, location, "this projection")
    row = projection.baseline.locations.index(place)
    parts = []
    for name in titles:
        forecast = projection.forecast(name)
        draws = forecast.samples(TARGET_12MO)[projection.counted(name), row]
        low, high = np.quantile(draws, TAILS, axis=0)
        stamps, mean = forecast.months.astype("datetime64[s]"), draws.mean(axis=0)
        columns = dict(zip(_PATHS, (name, place, stamps, mean, low, high)))
        parts.append(pd.DataFrame(columns))
    null = next((s.name for s in projection.scenarios if s.is_null), None)
    onsets = {s.name: sorted({x.onset[0] for x in s.interventions}) for s in projection.scenarios}
    return pd.concat(parts, ignore_index=True), null, titles, onsets


def _chosen(scenarios: str | Sequence[str] | None, names: list[str], null: str | None) -> list[str]:
    asked = [scenarios] if isinstance(scenarios, str) else list(scenarios or names)
    if absent := [n for n in asked if n not in names]:
        raise UnknownNameError(
            f"no scenario {absent[0]!r} in this projection", hint=f"it has: {', '.join(names)}"
        )
    return [n for n in asked if n != null]


def averted(
    projection: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    by: str = "year",
    against: str | None = None,
    titles: Mapping[str, str] | None = None,
) -> Axes:
    """Deaths averted over time: by calendar year and in all, or added up month by month.

    Parameters
    ----------
    projection : Projection or DataFrame
        A projection; or its table (``projection.averted()``), which has no months.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    by : {"year", "month"}
        A bar for each year and for all months; or the sum up to each month.
    against : str, optional
        Another scenario to count against; default: the status quo.
    titles : mapping of str to str, optional
        What to call the scenarios; default: their titles, or the words of their names.

    Returns
    -------
    Axes
        Means, and 90% of the draws; below zero: more deaths.

    Raises
    ------
    UnknownNameError
        If the place is not in the projection, or ``by`` is another word.
    DataError
        If a column is missing, nothing but the status quo was projected, or months are asked of
        a table.

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
    one_of(by, ("year", "month"), "by")
    titles = {**titles_of(projection), **(titles or {})}
    baseline = getattr(projection, "baseline", None)
    drawn = drawn_on(axes)
    draw = _by_month if by == "month" else _by_year
    place, said, ends = draw(drawn, projection, location, titles, against)
    drawn.axhline(0, color=INK, lw=0.8)
    levels(drawn)
    seen, deaths = as_of_words(as_of_in(baseline)), capital(deaths_of(indicator_in(baseline)))
    marks = (
        "Line: mean. Band: 90% of the draws."
        if by == "month"
        else "Dot: mean. Bar: 90% of the draws."
    )
    head = Head(f"{deaths} prevented, {called(place)}", marks, source_of(baseline))
    sentence = f"{joined(f'Deaths averted in {in_place(place)}', seen)}: {'; '.join(said)}."
    return finish(drawn, head, sentence, ends, time=by == "month")


def _mean_said(title: str, when: str, mean: float, low: float, high: float) -> str:
    number = rounded(mean, step_of(low, high))
    return f"{title}, {when}: mean {number}, 90% of the draws {between(low, high)}"


def _by_year(
    axes: Any, projection: Any, location: str | None, titles: dict[str, str], against: str | None
) -> tuple[str, list[str], list[Label]]:
    """A dot and a bar for each year and for all of them."""
    if isinstance(projection, pd.DataFrame):
        given = projection
    else:
        place_of(projection.baseline.locations, location, "this projection")
        given = projection.averted(against=against)
        if given.empty:
            raise DataError(_NOTHING, hint="project a scenario")
    table = table_of(given, _AVERTED, "deaths averted")
    place = place_of(table["location"], location, "this projection")
    rows = table[(table["location"].astype(str) == place) & table["kind"].isin(["year", "all"])]
    if rows.empty:
        raise DataError(f"the table has no years of {called(place)}")
    names = [str(n) for n in dict.fromkeys(rows[SCENARIO_ID])]
    periods = list(dict.fromkeys(rows["period"].astype(str)))
    colors = colors_of([n for n in titles if n in names] or names, None)
    said, ends = [], []
    for i, name in enumerate(names):
        mine = rows[rows[SCENARIO_ID] == name].set_index("period")
        at = np.array([periods.index(str(p)) for p in mine.index])
        x, title = at + (i - (len(names) - 1) / 2) * 0.8 / len(names), titles.get(name, name)
        axes.vlines(
            x, mine["averted_q05"], mine["averted_q95"], color=colors[name], lw=6, alpha=0.35
        )
        axes.plot(x, mine["averted_mean"], "o", color=colors[name], ms=7, label=literal(title))
        mean, low, high = (float(mine[f"averted_{c}"].iloc[-1]) for c in ("mean", "q05", "q95"))
        said.append(_mean_said(title, str(mine.index[-1]), mean, low, high))
        ends.append(_named(mean, title, colors[name], rounded(mean, step_of(low, high))))
    room = (width_of(axes) - _WIDE) / len(periods)
    # In two lines where one would touch the next.
    wide = [text_width(p, TEXT) >= room for p in periods]
    shown = [literal(p.replace(" (", "\n(", 1) if w else p) for p, w in zip(periods, wide)]
    axes.set_xticks(range(len(periods)), shown)
    axes.set_xlim(-0.6, len(periods) - 0.4)
    return place, said, ends


def _by_month(
    axes: Any, projection: Any, location: str | None, titles: dict[str, str], against: str | None
) -> tuple[str, list[str], list[Label]]:
    """The sum up to each month."""
    if isinstance(projection, pd.DataFrame):
        raise DataError("a table of deaths averted has years only: months are asked for",
                        hint="give the projection itself")  # fmt: skip
    baseline = projection.baseline
    place = place_of(baseline.locations, location, "this projection")
    row, ahead = baseline.locations.index(place), projection.ahead
    if TARGET_MONTH not in baseline.targets:
        raise DataError("the model forecasts 12-month counts only: months cannot be added up",
                        hint="project with a model of months, such as dlm")  # fmt: skip
    names = [n for n in titles if n not in (projection.against(against), projection.against(None))]
    if not names:
        raise DataError(_NOTHING, hint="project a scenario")
    colors, when = colors_of(names, None), days(baseline.months[ahead])
    until, said, ends = f"up to {month_name(baseline.months[-1])}", [], []
    for name in names:
        base = projection.counted_against(name, against).samples(TARGET_MONTH)[:, row]
        saved = (base - projection.forecast(name).samples(TARGET_MONTH)[:, row])[:, ahead]
        summed = saved[projection.counted(name)].cumsum(axis=1)
        low, high = np.quantile(summed, TAILS, axis=0)
        mean = summed.mean(axis=0)
        axes.fill_between(when, low, high, color=colors[name], alpha=0.2, lw=0)
        axes.plot(when, mean, color=colors[name], lw=2, label=literal(titles[name]))
        said.append(_mean_said(titles[name], until, float(mean[-1]), low[-1], high[-1]))
        number = rounded(float(mean[-1]), step_of(low[-1], high[-1]))
        ends.append(_named(mean[-1], titles[name], colors[name], number))
    return place, said, ends


def chances(track: Any, *, axes: Axes | None = None) -> Axes:
    """The chance that a scenario works: so far, and as expected if it does and if it does not.

    Parameters
    ----------
    track : Track
        From :func:`odforecast.scenario.track`.
    axes : Axes, optional
        Where to draw; default: a figure of its own.

    Returns
    -------
    Axes
        Percent; the bands contain 80% of the simulated worlds.

    Raises
    ------
    DataError
        If what is given is not a track.

    Examples
    --------
    >>> import odforecast as od
    >>> again = od.scenario.named("cooperation-resumed", onset="2025-03")
    >>> found = od.scenario.track(again, od.bundled(), model=od.get_model("drift"), draws=2)
    >>> od.plot.chances(found).get_title(loc="left")
    'Chance that cooperation-resumed works, United States'
    """
    if not all(hasattr(track, name) for name in ("chances", "expected", "sure_month")):
        raise DataError("a figure of chances needs a track", hint="od.scenario.track(...)")
    drawn = drawn_on(axes)
    so_far = track.chances
    when, now = days(np.array(so_far["month"], dtype="datetime64[M]")), so_far.iloc[-1]
    ends: list[Label] = []
    for name, color, words in (
        ("nothing", MUTED, "Does nothing"),
        ("backfires", ORANGE, "Backfires"),
        ("works", INK, "Works"),
    ):
        style = {"lw": 2, "ms": 5} if name == "works" else {"lw": 1.2, "ms": 3}
        drawn.plot(when, 100 * so_far[name], color=color, marker="o", label=words, **style)
        at = when[-1], 100 * float(now[name])
        label(drawn, words, at, (6, 5), color, bold=name == "works")
    said = [
        f"with counts to {month_name(now['month'])} it works with {chance(now['works'])}, does "
        f"nothing with {chance(now['nothing'])}, backfires with {chance(now['backfires'])}"
    ]
    for world, color, words in (
        ("works", BLUE, "if it works"), ("does not work", ORANGE, "if it does not"),
    ):  # fmt: skip
        rows = track.expected[track.expected["world"] == world]
        if rows.empty:
            continue
        ahead = days(np.array([now["month"], *rows["month"]], dtype="datetime64[M]"))
        middle, low, high = (100 * np.array([now["works"], *rows[c]])
                             for c in ("works", "works_q10", "works_q90"))  # fmt: skip
        drawn.fill_between(ahead, low, high, color=color, alpha=0.15, lw=0)
        drawn.plot(ahead, middle, color=color, lw=1.8, ls="--", label=f"Works, expected {words}")
        ends.append((middle[-1], [Line("Works, expected", color), Line(words, color)], 0))
        last = rows.iloc[-1]
        month = month_name(last["month"])
        said.append(f"{words}, {chance(last['works'])} is expected with counts to {month}")
    levels(drawn, "{:g}%".format, "chance", at=[0, 20, 50, 80, 100])
    about = (
        f"{capital(deaths_of(track.indicator))}. Any change after {month_name(track.onset)} "
        "counts, whatever its cause. Dashed: expected. Bands: 80% of simulated worlds."
    )
    head = Head(f"Chance that {track.scenario} works, {called(track.location)}", about)
    sentence = f"Chances that {track.scenario} works: {'; '.join(said)}."
    return finish(drawn, head, sentence, ends, time=True)
