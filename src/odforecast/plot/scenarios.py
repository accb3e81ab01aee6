"""Scenarios beside the status quo: deaths with and without them, deaths averted, and their clock.

Lines and dots are means: what a scenario changes is a mixture of working and doing nothing, and
its median would say neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.months import ONE_MONTH
from odforecast.names import SCENARIO_ID, TARGET_12MO, TARGET_MONTH
from odforecast.plot.files import finish
from odforecast.plot.frame import (
    about,
    capital,
    in_place,
    joined,
    months_in,
    one_of,
    place_of,
    reported_of,
    table_of,
)
from odforecast.plot.style import (
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
from odforecast.say import between, chance, month_name, rounded, step_of, two_digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Interval of every band and bar; months of history; pixels of a direct label.
TAILS, MONTHS, _WIDE = (0.05, 0.95), 72, 130.0
_PATHS = (SCENARIO_ID, "location", "month", "mean", "low", "high")
_AVERTED = (SCENARIO_ID, "location", "kind", "period", "averted_mean", "averted_q05", "averted_q95")
_NOTHING = "nothing but the status quo was projected: nothing is averted"
#: Points for the title of a row.
_ROW = 170.0


def overlay(
    projection: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
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
    drawn = drawn_on(axes)
    baseline = getattr(projection, "baseline", None)
    last = None if baseline is None else baseline.last_month
    panel = getattr(baseline, "panel", None) if history is None else history
    known = panel if panel is None else reported_of(panel, place, getattr(baseline, "parts", None))
    if known is not None:
        when = months_in(known)
        last = when.max() if last is None else last
        shown = (when > last - months * ONE_MONTH) & (when <= last)
        drawn.plot(days(when[shown]), known["reported"][shown], color=INK, lw=2, label="reported",
                   zorder=3)  # fmt: skip
    said, ends = [], []
    for name in sorted(held, key=lambda n: n != null):
        rows = paths[paths[SCENARIO_ID] == name].sort_values("month")
        if name != null and last is not None:
            # What a nowcast revises is the same in all scenarios: the status quo's.
            rows = rows[months_in(rows) > last]
        when, line = days(months_in(rows)), "--" if name == null else "-"
        drawn.fill_between(when, rows["low"], rows["high"], color=colors[name], alpha=0.12, lw=0)
        drawn.plot(when, rows["mean"], color=colors[name], lw=2, ls=line,
                   label=literal(titles[name]))  # fmt: skip
        number, interval = _numbers(*rows.iloc[-1][["mean", "low", "high"]])
        said.append(f"{titles[name]} {number} ({interval})")
        ends.append(_named(rows["mean"].iloc[-1], titles[name], colors[name], number))
        for onset in onsets.get(name, ()) if name != null else ():
            drawn.axvline(days([onset])[0], color=colors[name], lw=0.9, ls=DOTTED)
    levels(drawn)
    of = about(baseline)
    title = f"{capital(of.deaths)} with and without each scenario, {called(place)}"
    below = "12 months ending each month. Lines: means. Bands: 90% of the draws. Dotted: its start."
    lead = joined(f"{capital(of.deaths)} in {in_place(place)}", "12 months ending", of.seen)
    sentence = f"{lead}, mean for {month_name(paths['month'].max())}: {'; '.join(said)}."
    return finish(drawn, Head(title, below, of.source), sentence, ends, time=True)


def _numbers(mean: float, low: float, high: float) -> tuple[str, str]:
    """A mean and 90% of the draws, in words."""
    return rounded(mean, step_of(low, high)), f"90% of the draws {between(low, high)}"


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
    by : {"year", "month"}
        A bar for each year and for all months; or the sum up to each month, of a projection only.
    against : str, optional
        Another scenario to count against; default: the status quo.
    titles : mapping of str to str, optional
        What to call the scenarios; default: their titles, or the words of their names.

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
    one_of(by, ("year", "month"), "by")
    titles = {**titles_of(projection), **(titles or {})}
    baseline = getattr(projection, "baseline", None)
    drawn = drawn_on(axes)
    draw = _by_month if by == "month" else _by_year
    place, said, ends = draw(drawn, projection, location, titles, against)
    drawn.axhline(0, color=INK, lw=0.8)
    levels(drawn)
    of = about(baseline)
    marks = "Line: mean. Band" if by == "month" else "Dot: mean. Bar"
    title = f"{capital(of.deaths)} prevented, {called(place)}"
    head = Head(title, f"{marks}: 90% of the draws.", of.source)
    sentence = f"{joined(f'Deaths averted in {in_place(place)}', of.seen)}: {'; '.join(said)}."
    return finish(drawn, head, sentence, ends, time=by == "month")


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
        mean, *sides = (float(mine[f"averted_{c}"].iloc[-1]) for c in ("mean", "q05", "q95"))
        number, interval = _numbers(mean, *sides)
        said.append(f"{title}, {mine.index[-1]}: mean {number}, {interval}")
        ends.append(_named(mean, title, colors[name], number))
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
        number, interval = _numbers(float(mean[-1]), low[-1], high[-1])
        said.append(f"{titles[name]}, {until}: mean {number}, {interval}")
        ends.append(_named(mean[-1], titles[name], colors[name], number))
    return place, said, ends


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
    projection : Projection
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
    titles : mapping of str to str, optional
        What to call the scenarios; default: their titles, or the words of their names.

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
    place = place_of(projection.baseline.locations, location, "this projection")
    one = projection.select([place])
    table = one.answer()
    if table.empty:
        raise DataError("nothing but the status quo was projected: nothing is prevented",
                        hint="project a scenario")  # fmt: skip
    first = one.outcomes().drop_duplicates(SCENARIO_ID).set_index(SCENARIO_ID)
    titles = {**titles_of(one), **(titles or {})}
    drawn = drawn_on(axes, height=1.3 + 0.55 * len(table))
    names, said = [], []
    for y, row in enumerate(table.to_dict("records")):
        name = str(row[SCENARIO_ID])
        low, mean, high = (float(first.loc[name, f"averted_{k}"]) for k in ("q05", "mean", "q95"))
        what_if = bool(np.isnan(first.loc[name, "chance"]))
        if np.isfinite(low):
            look = {"color": GRID, "edgecolor": MUTED} if what_if else {"color": BLUE, "alpha": 0.4}
            drawn.barh(y, high - low, left=low, height=0.4, lw=0.8, ls="--", **look,
                       label="90% interval if it works")  # fmt: skip
            drawn.plot(mean, y, "o", ms=8, color=INK if what_if else BLUE,
                       label="mean if it works")  # fmt: skip
        likely = "a what-if, no chance" if what_if else f"{first.loc[name, 'chance']:.0%} likely"
        if not what_if:
            drawn.plot(row["averted_mean"], y, "D", ms=7, mfc="white", mec=INK, mew=1.3,
                       label="mean over all outcomes")  # fmt: skip
        names.append(f"{wrapped(literal(titles[name]), _ROW, SMALL)}\n{likely}")
        numbers = ", 90% interval ".join([_said(mean), f"{_said(low)} to {_said(high)}"])
        said.append(f"{titles[name]} ({likely}): {numbers} if it works")
    drawn.axvline(0, color=INK, lw=0.8)
    drawn.set_yticks(range(len(names)), names, fontsize=SMALL)
    drawn.set_ylim(len(names) - 0.5, -0.5)
    thousands(drawn.xaxis)
    seen = about(one.baseline).seen
    until = month_name(one.baseline.months[-1])
    lead = joined(f"Deaths prevented in {in_place(place)} by {until}", seen)
    head = Head(f"{called(place)}: deaths prevented by {until}", seen)
    done = finish(drawn, head, f"{lead}: {'; '.join(said)}.")
    legend(drawn)
    return done


def _said(count: float) -> str:
    """Deaths prevented, with the sign of what is below zero."""
    if np.isnan(count):
        return "unknown"
    return f"{'−' if count < 0 else ''}{two_digits(count)}"


def chances(track: Any, *, axes: Axes | None = None) -> Axes:
    """The chance that a scenario works: so far, and as expected if it does and if it does not.

    Parameters
    ----------
    track : Track
        From :func:`odforecast.scenario.track`.
    axes : Axes, optional

    Returns
    -------
    Axes
        Percent; the bands contain 80% of the simulated worlds.

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
    below = (
        f"{capital(about(track).deaths)}. Any change after {month_name(track.onset)} "
        "counts, whatever its cause. Dashed: expected. Bands: 80% of simulated worlds."
    )
    head = Head(f"Chance that {track.scenario} works, {called(track.location)}", below)
    sentence = f"Chances that {track.scenario} works: {'; '.join(said)}."
    return finish(drawn, head, sentence, ends, time=True)
