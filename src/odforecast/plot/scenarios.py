"""Scenarios beside the status quo. Lines are means.

What a scenario changes is a mixture of working and doing nothing; its median would say neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import UnknownNameError
from odforecast.geography import called
from odforecast.months import ONE_MONTH
from odforecast.names import SCENARIO_ID, TARGET_12MO
from odforecast.plot.inputs import (
    as_of_in,
    indicator_in,
    months_in,
    place_of,
    reported_of,
    table_of,
)
from odforecast.plot.output import describe
from odforecast.plot.style import (
    BLACK,
    GREY,
    PALETTE,
    days,
    drawn_on,
    heading,
    legend,
    of_counts,
    of_time,
)
from odforecast.plot.words import (
    as_of_words,
    between,
    capital,
    deaths_of,
    in_place,
    joined,
    literal,
    month_name,
    rounded,
    step_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Interval of every band and bar.
TAILS = (0.05, 0.95)
#: Months of history before the projection.
MONTHS = 72
_PATHS = (SCENARIO_ID, "location", "month", "mean", "low", "high")


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
        A mean and a band of 90% of the draws for each; the status quo is grey and dashed, an
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
    'Ohio: what if?'
    """
    paths, null, held, onsets = _paths(projection, location)
    titles = {**held, **(titles or {})}
    place = str(paths["location"].iloc[0])
    colours = colours_of(list(held), null)
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
        drawn.plot(days(months_in(known)), known["reported"], color=BLACK, lw=1.8, label="reported",
                   zorder=3)  # fmt: skip
    said = []
    for name in ([null] if null else []) + named:
        rows = paths[paths[SCENARIO_ID] == name].sort_values("month")
        if name != null and last is not None:
            # What a nowcast revises is the same in all scenarios: the status quo's.
            rows = rows[months_in(rows) > last]
        when = days(months_in(rows))
        drawn.fill_between(when, rows["low"], rows["high"], color=colours[name], alpha=0.2, lw=0)
        drawn.plot(when, rows["mean"], color=colours[name], lw=1.8, label=literal(titles[name]),
                   ls="--" if name == null else "-")  # fmt: skip
        end = rows.iloc[-1]
        said.append(
            f"{titles[name]} {rounded(end['mean'], step_of(end['low'], end['high']))} (90% of the "
            f"draws {between(end['low'], end['high'])})"
        )
    for name in named:
        for onset in onsets.get(name, ()):
            drawn.axvline(days([onset])[0], color=colours[name], lw=0.9, ls=":")
    of_counts(drawn)
    of_time(drawn)
    what, seen = deaths_of(indicator_in(baseline)), as_of_words(as_of_in(baseline))
    below = joined(capital(what), "12 months ending", seen, "means and 90% of the draws")
    heading(drawn, literal(f"{called(place)}: what if?"), literal(below))
    legend(drawn)
    lead = joined(f"{capital(what)} in {in_place(place)}", "12 months ending", seen)
    describe(drawn, f"{lead}, mean for {month_name(paths['month'].max())}: {'; '.join(said)}.")
    axes_out: Axes = drawn
    return axes_out


def colours_of(names: Sequence[str], null: str | None) -> dict[str, str]:
    """One colour per scenario; grey for the status quo.

    Examples
    --------
    >>> colours_of(["null", "a"], "null")
    {'null': '#6b7280', 'a': '#0072b2'}
    """
    others = [n for n in names if n != null]
    shades = dict(zip(others, PALETTE * (1 + len(others) // len(PALETTE))))
    return {n: GREY if n == null else shades[n] for n in names}


def _title(scenario: Any) -> str:
    """A scenario's title, or the words of its name."""
    if getattr(scenario, "is_null", False):
        return "Status quo"
    words = str(scenario.name).replace("-", " ").replace("_", " ")
    return str(getattr(scenario, "title", "") or words[:1].upper() + words[1:])


def titles_of(projection: Any) -> dict[str, str]:
    """Names of the scenarios and what people call them, the status quo first."""
    if isinstance(projection, pd.DataFrame):
        table = table_of(projection, (SCENARIO_ID,), "the projection")
        names = [str(n) for n in dict.fromkeys(table[SCENARIO_ID])]
        return {n: "Status quo" if n == "null" else n for n in names}
    return {s.name: _title(s) for s in projection.scenarios}


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
        stamps = forecast.months.astype("datetime64[s]")
        parts.append(
            pd.DataFrame(
                {SCENARIO_ID: name, "location": place, "month": stamps, "mean": draws.mean(axis=0),
                 "low": low, "high": high}
            )
        )  # fmt: skip
    null = next((s.name for s in projection.scenarios if s.is_null), None)
    onsets = {s.name: sorted({x.onset[0] for x in s.interventions}) for s in projection.scenarios}
    return pd.concat(parts, ignore_index=True), null, titles, onsets


def _chosen(scenarios: str | Sequence[str] | None, names: list[str], null: str | None) -> list[str]:
    others = [n for n in names if n != null]
    if scenarios is None:
        return others
    asked = [scenarios] if isinstance(scenarios, str) else list(scenarios)
    if absent := [n for n in asked if n not in names]:
        raise UnknownNameError(
            f"no scenario {absent[0]!r} in this projection", hint=f"it has: {', '.join(names)}"
        )
    return [n for n in asked if n != null]
