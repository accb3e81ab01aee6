"""Placebos: would the same test have found an effect where there can be none?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.geography import JURISDICTIONS, lookup
from odforecast.months import to_month
from odforecast.panel import Floats, Panel
from odforecast.plot import checks
from odforecast.scenario.catalogue import events
from odforecast.scenario.intervention import NATION
from odforecast.scenario.past import YEAR, growth_changes, settled_through

#: The year of the fall.
FALL = ("2023-08", "2024-08")
#: Calendar years without a turn of the nation: neither the rise of 2020–21 nor the fall.
ORDINARY = (
    ("2017-12", "2018-12"),
    ("2018-12", "2019-12"),
    ("2021-12", "2022-12"),
    ("2022-12", "2023-12"),
)
#: Counts of 2023 that CDC knows to be wrong.
WRONG = "NC"


def state_spreads(panel: Panel) -> pd.DataFrame:
    """Log change of 12-month-ending deaths over a year, across jurisdictions.

    Parameters
    ----------
    panel : Panel
        Counts of one release. Years whose end is not settled are left out.

    Returns
    -------
    DataFrame
        One row per year: ``since, until, year`` (``fall`` or ``ordinary``), ``jurisdictions``
        with both counts, ``mean, sd`` (n − 1), ``sd_without_nc`` (its counts of 2023 are wrong),
        ``lowest_state, lowest, highest_state, highest``.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.evidence.placebo import state_spreads
    >>> table = state_spreads(od.bundled().as_of().panel())
    >>> table.loc[table["year"] == "fall", ["mean", "sd"]].round(3).values.tolist()
    [[-0.177, 0.136]]
    """
    states = _jurisdictions(panel)
    last = settled_through(panel)
    rows = []
    for since, until in (FALL, *ORDINARY):
        if to_month(until) > last or to_month(since) < panel.months[0]:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            changes = np.log(
                _at(panel, states, month=until) / _at(panel, states, month=since)
            )
        is_counted = np.isfinite(changes)
        if is_counted.sum() < 2:
            continue
        names = np.array(states)[is_counted]
        changes = changes[is_counted]
        rows.append(
            {
                "since": since,
                "until": until,
                "year": "fall" if (since, until) == FALL else "ordinary",
                "jurisdictions": len(names),
                "mean": float(changes.mean()),
                "sd": float(changes.std(ddof=1)),
                "sd_without_nc": float(changes[names != WRONG].std(ddof=1)),
                "lowest_state": str(names[changes.argmin()]),
                "lowest": float(changes.min()),
                "highest_state": str(names[changes.argmax()]),
                "highest": float(changes.max()),
            }
        )
    if not rows:
        raise ScenarioError("no year with settled counts of two jurisdictions or more")
    return pd.DataFrame(rows)


def regional_peaks(panel: Panel) -> pd.DataFrame:
    """Month in which each region's 12-month-ending count was highest, on settled counts.

    Parameters
    ----------
    panel : Panel
        Counts of one release.

    Returns
    -------
    DataFrame
        ``region, month, deaths, jurisdictions``, in order of month.
    """
    states = _jurisdictions(panel)
    settled = panel.months <= settled_through(panel)
    rows = []
    for region in sorted({str(lookup(s).region) for s in states}):
        members = [panel.index(s) for s in states if lookup(s).region == region]
        total = panel.reported[members][:, settled].sum(axis=0)
        if np.isfinite(total).any():
            peak = int(np.nanargmax(total))
            month = str(panel.months[settled][peak])
            rows.append((region, month, float(total[peak]), len(members)))
    table = pd.DataFrame(rows, columns=["region", "month", "deaths", "jurisdictions"])
    return table.sort_values("month", kind="stable", ignore_index=True)


def effect_spread(spreads: pd.DataFrame) -> float:
    """Sd across jurisdictions that the year of the fall has beyond an ordinary one; 0 at least."""
    variance = spreads["sd"] ** 2
    fall, ordinary = (
        variance[spreads["year"] == name].mean() for name in ("fall", "ordinary")
    )
    return float(np.sqrt(np.maximum(fall - ordinary, 0.0)))


def spreads_text(panel: Panel) -> str:
    """Both tables and what is left for an effect, as lines to print."""
    table = state_spreads(panel)
    lines = [
        "Log change of the 12-month-ending count by jurisdiction, settled counts of release "
        f"{panel.release}:"
    ]
    for r in table.to_dict("records"):
        lines.append(
            f"  {r['since']} to {r['until']}  n {r['jurisdictions']}  mean {r['mean']:+.3f}  "
            f"sd {r['sd']:.3f} (without {WRONG} {r['sd_without_nc']:.3f})  "
            f"{r['lowest_state']} {r['lowest']:+.2f} to {r['highest_state']} {r['highest']:+.2f}"
        )
    excess = effect_spread(table)
    if np.isfinite(excess):
        mean = table.loc[table["year"] == "fall", "mean"].item()
        lines.append(
            f"The first is the year of the fall, the others are ordinary: beyond their spread its "
            f"own has an sd of {excess:.3f}, on a mean of {mean:+.3f}."
        )
    peaks = ", ".join(
        f"{r.region} {r.month}" for r in regional_peaks(panel).itertuples()
    )
    return "\n".join([*lines, f"Peak of the 12-month-ending count: {peaks}."])


def _jurisdictions(panel: Panel) -> list[str]:
    return [s for s in panel.locations if s in JURISDICTIONS]


def _at(panel: Panel, states: list[str], month: str) -> Floats:
    rows = [panel.index(s) for s in states]
    values: Floats = panel.reported[
        rows, int((to_month(month) - panel.months[0]).astype(int))
    ]
    return values


#: Events dated by the fall they are to explain: a rank would only say that there was a fall.
CHOSEN = ("supply-shock-2023",)

#: Months from the first to the last count of a window: a year before a date and one after.
WINDOW = 24


def placebo_folds(changes: pd.DataFrame, window: int = WINDOW) -> pd.DataFrame:
    """The null distribution: changes at dates so far apart that their windows do not overlap.

    Neighboring months share most of their deaths, so their changes are far from independent.
    Every ``window``-th month is, from each of the first ``window`` months on, one fold.

    Parameters
    ----------
    changes : DataFrame
        From :func:`growth_changes`.
    window : int
        Months between dates. 24: windows meet in one count. 36: no death is in two of them.

    Returns
    -------
    DataFrame
        One row per fold: ``first, last`` (month), ``windows``, ``lowest_rank`` (the lowest that
        they can give, in percent), ``mean, sd, lowest, highest`` of the change.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.evidence.placebo import placebo_folds
    >>> from odforecast.scenario.past import growth_changes, settled_through
    >>> panel = od.bundled().as_of().panel()
    >>> changes = growth_changes(panel, until=settled_through(panel))
    >>> placebo_folds(changes)["windows"].value_counts().to_dict()
    {4: 23, 5: 1}
    """
    number = _numbers(changes["month"])
    folds = changes.groupby((number - number[0]) % window)
    table = folds["month"].agg(first="first", last="last", windows="size")
    table["lowest_rank"] = 100.0 / table["windows"]
    moments = folds["change"].agg(mean="mean", sd="std", lowest="min", highest="max")
    return pd.concat([table, moments], axis=1).reset_index(drop=True)


def event_ranks(changes: pd.DataFrame) -> pd.DataFrame:
    """Ranks at the months of the event calendar, in order of date.

    Parameters
    ----------
    changes : DataFrame
        From :func:`growth_changes`, up to :func:`settled_through` for ranks to be printed.

    Returns
    -------
    DataFrame
        ``id, event, month, chosen``; ``change``, NaN where a year of counts on either side is not
        there; ``percentile`` among all ``months``, which overlap; ``place``, the event's among the
        disjoint ``windows`` of its own fold (1: the largest fall), and ``lowest_rank``, the lowest
        they can give, in percent; ``p_low, p_high``, the lowest and the highest share of changes as
        low as its own, over the folds of all phases, windows that overlap the event's left out. A
        date chosen because of the fall has its change and no rank.
    """
    calendar = events()
    calendar = calendar[calendar["placebo_month"] != ""]
    number = _numbers(changes["month"])
    values = changes["change"].to_numpy()
    rows = []
    for event, name, month in calendar[["id", "event", "placebo_month"]].itertuples(
        index=False
    ):
        row = {"id": event, "event": name, "month": month, "chosen": event in CHOSEN}
        for i in np.flatnonzero(changes["month"] == month):
            row["change"] = values[i]
            if row["chosen"]:
                continue
            gap = number - number[i]
            is_low = values <= values[i]
            is_disjoint = np.abs(gap) >= WINDOW
            fold = gap % WINDOW == 0
            shares = []
            for phase in range(WINDOW):
                windows = is_disjoint & (gap % WINDOW == phase)
                shares.append((1 + (is_low & windows).sum()) / (1 + windows.sum()))
            row["percentile"] = changes["percentile"][i]
            row["place"] = (is_low & fold).sum()
            row["windows"] = fold.sum()
            row["lowest_rank"] = 100.0 / fold.sum()
            row["p_low"] = min(shares)
            row["p_high"] = max(shares)
        rows.append(row)
    table = pd.DataFrame(rows, columns=_RANK_COLUMNS)
    ranks = table.columns[table.columns.get_loc("change") :]
    table[ranks] = table[ranks].astype(float)
    table["months"] = len(changes)
    return table.sort_values("month", kind="stable", ignore_index=True)


_RANK_COLUMNS = [
    "id",
    "event",
    "month",
    "chosen",
    "change",
    "percentile",
    "months",
    "place",
    "windows",
    "lowest_rank",
    "p_low",
    "p_high",
]


def check_placebo_time(panel: Panel, until: object | None = None) -> CheckResult:
    """Placebo in time: the change at each event among those at **all** months up to ``until``.

    By default that is the last month that is settled (12 months old in the panel's release). The
    one place that computes placebo ranks and state spreads.
    """
    last = str(settled_through(panel) if until is None else to_month(until))
    changes = growth_changes(panel, until=last)
    folds = placebo_folds(changes)
    wider_folds = placebo_folds(changes, WINDOW + YEAR)
    table = event_ranks(changes)
    disjoint = _range(folds["windows"])
    without_shared_deaths = _range(wider_folds["windows"])
    paragraphs = (
        f"{panel.indicator}, {NATION}, release {panel.release}, "
        f"{'settled ' if until is None else ''}counts {panel.months[0]} to {last}.",
        f"Change in 12-month growth after each of {len(changes)} dates, "
        f"{changes['month'].iloc[0]} to {changes['month'].iloc[-1]}, and its rank among them. "
        f"Their windows overlap: by the month they start from, {disjoint} windows "
        f"of {WINDOW} months are disjoint ({without_shared_deaths} where no death may be in "
        f"two), so the lowest rank they can give is {folds['lowest_rank'].min():.0f}%, and no p "
        f"is lower. The sd of the change over them is {folds['sd'].min():.2f} to "
        f"{folds['sd'].max():.2f}.",
    )
    text = [
        *paragraphs,
        *(_line(row) for row in table.to_dict("records")),
        "p: share of disjoint windows that fell as much, over their 24 phases. A date inside "
        "a fall that had begun ranks low whatever happened that day, so a low rank is no "
        "evidence for its event; a middling or high one says that nothing visible followed.",
    ]
    if any(s in JURISDICTIONS for s in panel.locations):
        try:
            text.append(spreads_text(panel))
        except ScenarioError as error:
            text.append(f"Spread between jurisdictions: {error}.")
    figures = {"placebo-time": partial(checks.ranks, changes, table, paragraphs[0])}
    return CheckResult(
        "placebo-time", None, table=table, text="\n".join(text), figures=figures
    )


def _line(row: Mapping[Any, Any]) -> str:
    if not np.isfinite(row["change"]):
        rank = "   –   no rank: a settled count a year later is not there"
    elif row["chosen"]:
        rank = f"{row['change']:+.2f}  no rank: the date was chosen because of the fall"
    else:
        rank = (
            f"{row['change']:+.2f}  percentile {row['percentile']:.0f}, place "
            f"{row['place']:.0f} of {row['windows']:.0f} (lowest rank "
            f"{row['lowest_rank']:.0f}%), p {row['p_low']:.2f} to {row['p_high']:.2f}"
        )
    return f"  {row['month']}  {row['event']}\n           {rank}"


def _range(numbers: pd.Series[int]) -> str:
    low = numbers.min()
    high = numbers.max()
    if low == high:
        return f"{low}"
    return f"{low} or {high}" if high == low + 1 else f"{low}–{high}"


def _numbers(months: pd.Series[str]) -> NDArray[np.int64]:
    return months.to_numpy(dtype="datetime64[M]").astype(np.int64)


def check_placebo_outcome(panel: Panel, placebo: Panel) -> CheckResult:
    """Placebo outcome: the same ranks for deaths that fentanyl supply should not touch.

    ``placebo`` is for example psychostimulants (T43.6), US, of the same release. Deaths may involve
    both: it can only show that a change is **not** specific to fentanyl.
    """
    last = str(min(settled_through(panel), settled_through(placebo)))
    all_ranks, placebo_ranks = (
        event_ranks(growth_changes(p, until=last)) for p in (panel, placebo)
    )
    table = all_ranks.merge(
        placebo_ranks[["event", "change", "percentile"]],
        on="event",
        suffixes=("", "_placebo"),
    )
    table["placebo"] = placebo.indicator
    ranked = table.dropna(subset=["percentile", "percentile_placebo"])
    unspecific = ranked[
        (ranked["percentile"] <= 10) & (ranked["percentile_placebo"] <= 10)
    ]
    names = ", ".join(unspecific["event"]) or "none"
    lines = [
        f"Change in 12-month growth after each event, all drugs and {placebo.indicator}, release "
        f"{panel.release}, settled counts to {last} ({table['windows'].max():.0f} disjoint "
        f"windows, lowest rank {table['lowest_rank'].min():.0f}%):"
    ]
    for row in table.dropna(subset=["change", "change_placebo"]).to_dict("records"):
        ranks = (
            f"percentiles {row['percentile']:.0f} and {row['percentile_placebo']:.0f} "
            f"among {row['months']} dates"
        )
        if row["chosen"]:
            ranks = "no rank, the date was chosen because of the fall"
        lines.append(
            f"  {row['month']}  {row['event']}: {row['change']:+.2f} and "
            f"{row['change_placebo']:+.2f}; {ranks}"
        )
    lines.append(
        f"Unusual falls (10th percentile or lower) in both alike: {names}. Where both fall, "
        "fentanyl supply alone does not explain it, though many deaths involve both."
    )
    figures = {"placebo-outcome": partial(checks.rank_pairs, table)}
    return CheckResult(
        "placebo-outcome", None, table=table, text="\n".join(lines), figures=figures
    )


def check_placebo_units(
    panel: Panel,
    shares: Mapping[str, float],
    *,
    permutations: int = 2000,
    seed: int = 1,
) -> CheckResult:
    """Placebo units: do locations with little fentanyl change less?

    The change in 12-month growth after July 2023 is compared between the third of locations with
    the least and the third with the most exposure (``shares``, as known then), by a permutation
    test.
    """
    stamp = "2023-07"
    rows = []
    for state in panel.locations:
        if state == NATION or state not in shares:
            continue
        changes = growth_changes(panel, state)
        change_there = changes.loc[changes["month"] == stamp, "change"].to_numpy()
        if change_there.size:
            rows.append(
                {
                    "location": state,
                    "exposure": shares[state],
                    "change": change_there[0],
                }
            )
    if len(rows) < 6:
        raise ScenarioError(
            f"{len(rows)} locations have counts around {stamp} and an exposure, allowed: 6 or more"
        )
    table = pd.DataFrame(rows).sort_values("exposure", ignore_index=True)
    third = len(table) // 3
    change = table["change"].to_numpy()
    table["group"] = "middle"
    table.loc[: third - 1, "group"] = "low"
    table.loc[len(table) - third :, "group"] = "high"
    gap = _gap(change, third)
    rng = np.random.default_rng(seed)
    null = np.array([_gap(rng.permutation(change), third) for _ in range(permutations)])
    p = float((1 + (null <= gap).sum()) / (1 + permutations))
    low = change[:third].mean()
    high = change[len(change) - third :].mean()
    text = (
        f"Mean change in 12-month growth after {stamp}, {panel.indicator}, release "
        f"{panel.release}: {low:+.3f} in the {third} locations with "
        f"the least exposure, {high:+.3f} in the {third} with the most (permutation p = {p:.4f} "
        "that the exposed fell more). A fall in the least exposed is what anything but "
        "fentanyl supply would leave too."
    )
    figures = {"placebo-units": partial(checks.exposure_scatter, table)}
    return CheckResult("placebo-units", None, table=table, text=text, figures=figures)


def _gap(change: Floats, third: int) -> float:
    return float(change[change.size - third :].mean() - change[:third].mean())
