"""What changed since the last forecast, and why: revisions, new months, places, the model.

Forecasts of the same month are put in a row, each with one thing more than the one before:

1. **said**: the forecast as it was recorded, from the release before;
2. **again**: from that release, by today's model and settings;
3. **common**: from that release, without the places that the new one lacks;
4. **revised**: from the new release, of these places, without the months that are new;
5. **longer**: from the new release, of these places, with the new months;
6. **now**: from the new release.

The change of the median from 1 to 2 is due to the model (numbers, settings, libraries), from 3 to 4
to revisions, from 4 to 5 to the new months, and from 2 to 3 and from 5 to 6 to the places: a model
that learns from all of them together moves each one where another is missing. The four add up to
the whole change, exactly. Where both releases have the same places, 2 is 3 and 5 is 6.

2 to 4 end in one month, and so do 5 and 6, so their draws are paired by their streams. 4 and 5 are
not paired: with few draws, chance alone moves the median. So each part has a standard error, from
the medians of 20 batches of the draws, and a part within two of them cannot be told from none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import OdforecastError
from odforecast.forecasts import Forecast
from odforecast.forecasts.text import place_name
from odforecast.geography import NATION, called
from odforecast.models import Model
from odforecast.months import Months, to_month
from odforecast.panel import LAYERS, Floats, Panel
from odforecast.report.page import Table
from odforecast.say import (
    between,
    day_name,
    listed,
    month_name,
    number_of,
    rounded,
    step_of,
)
from odforecast.updating.record import FORECAST, made_by

#: Columns of :attr:`Change.revised`.
REVISED = (
    "location",
    "name",
    "month",
    "reported_before",
    "reported_now",
    "revision",
    "nowcast_before",
    "nowcast_now",
)
HEAD = (
    "Place",
    "Before",
    "Now",
    "Change",
    "From revisions",
    "From new months",
    "From places",
    "From the model",
)
#: Places besides the first in the table on the screen, and on the page; the file has them all.
SHOWN = 5
ON_PAGE = 15
#: Below the table.
NOTE = "±: two standard errors, from the number of draws"
_DEFINITION = (
    "Revisions: what the new release says differently about months known before (counts, how "
    "complete they are, what CDC predicts, which are final). New months: months that the previous "
    "release did not have. Places: what the model learns from states that only one of the two "
    "releases has. Model: other settings or another version of the model. The parts add up to the "
    "change."
)
#: Batches of draws whose medians say how far chance moves the median of all.
BATCHES = 20
_SIDES = [0.05, 0.5, 0.95]
_BEFORE = {"low_90": "before_low", "median": "before", "high_90": "before_high"}
#: Settings that a recorded forecast names, and what a change of them is called.
SETTINGS = {
    "model": "model",
    "spec": "specification",
    "version": "version of odforecast",
    "seed": "seed",
    "draws": "number of draws",
    "data": "what the archive holds of that release or the ones before",
}
_COLUMNS = [
    "location",
    "name",
    "month",
    "horizon",
    "before",
    "before_low",
    "before_high",
    "now",
    "low",
    "high",
    "change",
    "change_error",
    "model",
    "revisions",
    "revisions_error",
    "new_months",
    "new_months_error",
    "places",
    "places_error",
]


@dataclass(frozen=True, eq=False)
class Change:
    """The forecast against the one before it.

    Attributes
    ----------
    before : datetime.date or None
        The release before; None if there is no other forecast or release to compare with.
    recorded : bool
        Whether the forecast from it is in the record; else it was made now, from the archive.
    table : DataFrame
        One row per location and month that both forecast: ``location``, ``name``, ``month``,
        ``horizon`` (from the new release's last month), ``before``, ``before_low``,
        ``before_high``, ``now``, ``low``, ``high`` (deaths in the 12 months: median and 90%
        interval), ``change`` (of the median), ``change_error``, and its parts ``model``,
        ``revisions``, ``revisions_error``, ``new_months``, ``new_months_error``, ``places``,
        ``places_error``. Errors are standard errors from the number of draws. NaN where a part
        cannot be told.
    new_months : ndarray of datetime64[M]
        Months that the release before did not have.
    counts : dict of str to int
        ``new`` (published counts of those months), ``common`` (counts that both releases have),
        ``revised`` (how many of these differ).
    revised : DataFrame
        One row per location: ``location``, ``name``, ``month`` (last month of the release before),
        ``reported_before``, ``reported_now``, ``revision`` (deaths), ``nowcast_before``,
        ``nowcast_now`` (median estimate of the final count; NaN where the change is not split).
    final : datetime64[M] or None
        Last month whose counts have become final since; None if that is as it was.
    settings : tuple of str
        What was recorded differently from now: ``"model: drift, now dlm"``.
    lost : tuple of str
        Locations forecast before and not now.
    places : tuple of str
        Locations that only one of the two releases has.
    why_not : str
        Why the change is not split, or not known; else empty.
    """

    before: dt.date | None = None
    recorded: bool = False
    table: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=_COLUMNS))
    new_months: Months = field(default_factory=lambda: np.empty(0, "datetime64[M]"))
    counts: dict[str, int] = field(default_factory=dict)
    revised: pd.DataFrame = field(
        default_factory=partial(pd.DataFrame, columns=list(REVISED))
    )
    final: np.datetime64 | None = None
    settings: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    why_not: str = ""


def compared(
    current: Forecast,
    panel: Panel,
    earlier: Panel | None,
    model: Model,
    recorded: pd.DataFrame,
    locations: tuple[str, ...],
) -> Change:
    """Compare a forecast from a release with the one before it.

    ``earlier`` is the release before, if the archive holds it; ``recorded`` are the lines of the
    record with the forecast from it, if there are any; ``locations`` are those asked for.
    """
    if earlier is None and recorded.empty:
        return Change(why_not="there is no earlier release or forecast to compare with")
    release = recorded["release"].iloc[0].date() if earlier is None else earlier.release
    before = locations
    if not recorded.empty:
        before = tuple(recorded["location"].unique())
    elif earlier is not None and set(locations) == set(panel.locations):
        before = earlier.locations
    facts: dict[str, Any] = {
        "before": release,
        "recorded": not recorded.empty,
        "settings": _settings(recorded, current, earlier=earlier),
        "lost": tuple(str(s) for s in before if s not in current.locations),
    }
    if earlier is None:
        reason = (
            f"the archive does not hold release {release}, so the change is not split"
        )
        return Change(**facts, table=_table(recorded, current), why_not=reason)
    facts |= {
        "new_months": panel.months[panel.months > earlier.last_month],
        "counts": _counts(panel, earlier),
        "revised": _revised(panel, earlier, locations=current.locations),
        "final": panel.final_through
        if panel.final_through > earlier.final_through
        else None,
        "places": tuple(sorted(set(panel.locations) ^ set(earlier.locations))),
    }
    make = partial(
        forecast_from,
        model,
        locations=locations,
        horizon=int(current.horizons[-1]),
        draws=len(current.draws),
        seed=int(current.provenance["seed"]),
    )
    try:
        chain = _chain(make, current, panel, earlier=earlier)
    except OdforecastError as error:
        reason = f"release {release} cannot be forecast again: {error.message}"
        return Change(**facts, table=_table(recorded, current), why_not=reason)
    facts["revised"] = _with_nowcasts(facts["revised"], chain)
    return Change(**facts, table=_table(recorded, current, chain=chain))


# ------------------------------------------------------------------------------------- forecasts


@dataclass(frozen=True)
class Chain:
    """The forecasts between the recorded one and the present one; see the top of this file."""

    again: Forecast
    common: Forecast
    revised: Forecast
    longer: Forecast


def _chain(
    make: Callable[[Panel], Forecast], current: Forecast, panel: Panel, earlier: Panel
) -> Chain:
    """Make the forecasts between; one whose panel is that of its neighbor is its neighbor."""
    earlier_common = _with_places_of(earlier, panel)
    panel_common = _with_places_of(panel, earlier)
    without_new = without_newest(panel_common, earlier)
    again = make(earlier)
    longer = current if panel_common is panel else make(panel_common)
    return Chain(
        again=again,
        common=again if earlier_common is earlier else make(earlier_common),
        revised=longer if without_new is panel_common else make(without_new),
        longer=longer,
    )


def _with_places_of(panel: Panel, other: Panel) -> Panel:
    """A panel of only those places that another one has too."""
    common = [s for s in panel.locations if s in other.locations]
    if len(common) == len(panel.locations):
        return panel
    return replace(panel.select(common), selected=panel.selected)


def whole_forecast(
    model: Model,
    panel: Panel,
    locations: tuple[str, ...],
    horizon: int,
    draws: int,
    seed: int,
) -> Forecast:
    """A forecast of the locations asked for, among all that the model forecasts with them."""
    whole = panel if model.spec.by is None else panel.select(locations)
    return model.fit(whole).forecast(horizon, draws=draws, seed=seed)


def chosen(forecast: Forecast, locations: tuple[str, ...]) -> Forecast:
    """Of a forecast, the locations asked for that are in it; refused if none is."""
    return forecast.select(
        [s for s in locations if s in forecast.locations] or locations
    )


def forecast_from(
    model: Model,
    panel: Panel,
    locations: tuple[str, ...],
    horizon: int,
    draws: int,
    seed: int,
) -> Forecast:
    """A forecast of those of some locations that a release has and a model forecasts."""
    available = tuple(s for s in locations if s in panel.locations) or locations
    return chosen(
        whole_forecast(
            model, panel, locations=available, horizon=horizon, draws=draws, seed=seed
        ),
        available,
    )


def without_newest(panel: Panel, like: Panel) -> Panel:
    """A release without the months that an earlier one did not have; all else as it is.

    Unlike :meth:`odforecast.Panel.cut` this is no pseudo-vintage: what the release says of the
    months that stay (how complete they are, what CDC predicts, which are final) is kept, and it
    is seen from its own day. So the months that stay are one release older than they were.

    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> without_newest(panel, panel.cut("2024-12")).last_month, panel.last_month
    (np.datetime64('2024-12'), np.datetime64('2025-08'))
    """
    if like.last_month >= panel.last_month:
        return panel

    def until(target: Panel, month: np.datetime64) -> Panel:
        """One count of the release, up to a month."""
        stop = min(
            max(int((month - target.months[0]).astype(int)) + 1, 1), target.months.size
        )
        triangle = (
            None if target.triangle is None else target.triangle.cells(slice(stop))
        )
        layers = {name: getattr(target, name)[:, :stop] for name in LAYERS}
        return replace(target, months=target.months[:stop], triangle=triangle, **layers)

    ends = {name: panel_beside.last_month for name, panel_beside in like.beside.items()}
    panels_beside = {}
    for name, target in panel.beside.items():
        panels_beside[name] = until(target, ends.get(name, like.last_month))
    left_out = f"months after {like.last_month} were left out"
    return replace(
        until(panel, like.last_month),
        beside=panels_beside,
        notes=(*panel.notes, left_out),
    )


# ---------------------------------------------------------------------------------------- counts


def _reported(panel: Panel) -> pd.DataFrame:
    """Reported counts, by location and month."""
    months = panel.months.astype("datetime64[s]")
    return pd.DataFrame(panel.reported, list(panel.locations), pd.DatetimeIndex(months))


def _counts(panel: Panel, earlier: Panel) -> dict[str, int]:
    """How many counts are new, and how many of those in both releases differ."""
    new = panel.reported[:, panel.months > earlier.last_month]
    a, b = _reported(earlier).align(_reported(panel), join="inner")
    in_both = a.notna() & b.notna()
    return {
        "new": int(np.isfinite(new).sum()),
        "common": int(in_both.to_numpy().sum()),
        "revised": int((in_both & (a != b)).to_numpy().sum()),
    }


def _revised(panel: Panel, earlier: Panel, locations: Sequence[str]) -> pd.DataFrame:
    """What became of the counts that were last before."""
    month = pd.Timestamp(str(earlier.last_month))
    current = _reported(panel)
    before = _reported(earlier).reindex(
        index=[s for s in locations if s in earlier.locations]
    )
    if month not in current:
        return pd.DataFrame(columns=list(REVISED))
    table = pd.DataFrame(
        {
            "name": [called(s) for s in before.index],
            "month": month,
            "reported_before": before[month],
            "reported_now": current[month].reindex(before.index),
        },
        before.index,
    )
    revision = table["reported_now"] - table["reported_before"]
    table = table.assign(revision=revision).rename_axis("location").reset_index()
    return table.reindex(columns=list(REVISED))


def _with_nowcasts(revised: pd.DataFrame, chain: Chain) -> pd.DataFrame:
    """The estimates of the counts that were last before, before and after the revision."""
    if revised.empty:
        return revised
    month = chain.common.last_month
    places = list(revised["location"])
    before, now = (_at(f, places, month=month) for f in (chain.common, chain.revised))
    return revised.assign(
        nowcast_before=np.median(before, axis=0), nowcast_now=np.median(now, axis=0)
    )


def _settings(
    recorded: pd.DataFrame, current: Forecast, earlier: Panel | None
) -> tuple[str, ...]:
    """Settings of the recorded forecast that are others now."""
    if recorded.empty:
        return ()
    old = recorded[recorded["kind"] == FORECAST].iloc[0]
    new = made_by(current)
    if earlier is not None:
        new["data"] = earlier.data_hash
    return tuple(
        f"{SETTINGS[name]}: {old[name]}, now {value}"
        for name, value in new.items()
        if str(old[name]) != str(value)
    )


# ------------------------------------------------------------------------------ table of a change


def _table(
    recorded: pd.DataFrame, current: Forecast, chain: Chain | None = None
) -> pd.DataFrame:
    """The table of a :class:`Change`; without the forecasts between, the change is not split."""
    old = recorded[
        (recorded["horizon"] >= 1) & recorded["location"].isin(current.locations)
    ]
    if chain is None:
        months = [to_month(m) for m in sorted(old["month"].unique())]
        places = list(current.locations)
    else:
        again = chain.again
        months = list(again.months[again.months > again.last_month])
        places = [s for s in current.locations if s in again.locations]
    parts = []
    for month in months if places else []:
        if month > current.months[-1]:
            continue
        now = _at(
            current, places, month=month
        )  # shape (D, L); NaN where it is not known
        part: dict[str, Any] = {
            "location": places,
            "month": month.astype("datetime64[s]"),
            "horizon": int((month - current.last_month).astype(int)),
            **dict(zip(("low", "now", "high"), np.quantile(now, _SIDES, axis=0))),
        }
        if chain is not None:
            part |= _parts(chain, current, places, month=month)
        parts.append(pd.DataFrame(part))
    if not parts:
        return pd.DataFrame(columns=_COLUMNS)
    table = pd.concat(parts, ignore_index=True).reindex(columns=[*_COLUMNS, "again"])
    numbers = [*_COLUMNS[4:], "again"]
    table[numbers] = table[numbers].astype(float)
    if not recorded.empty:
        keys = ["location", "month"]
        medians = old.set_index(keys)[list(_BEFORE)].rename(columns=_BEFORE)
        table = table.drop(columns=list(medians)).join(medians, on=keys)
        # The record has a tenth of a death: where no more is between them, they are the same.
        equal = (table["again"] - table["before"]).abs() < 0.051
        table.loc[equal, "before"] = table.loc[equal, "again"]
        table["model"] = table["again"] - table["before"]
    table["change"] = table["now"] - table["before"]
    table["name"] = [called(str(s)) for s in table["location"]]
    kept = ["before", "now"] if chain is None else ["before", "now", "again"]
    table = table[table[kept].notna().all(axis=1)]
    # Of each place, months as they come.
    order = table["location"].map(current.locations.index)
    table = table.loc[order.sort_values(kind="stable").index]
    return table[_COLUMNS].reset_index(drop=True)


def _parts(
    chain: Chain, current: Forecast, places: list[str], month: np.datetime64
) -> dict[str, Floats]:
    """The medians and intervals before, and the parts of a change that need no record."""
    forecasts = (chain.again, chain.common, chain.revised, chain.longer, current)
    draws = [_at(forecast, places, month=month) for forecast in forecasts]
    medians = [np.median(values, axis=0) for values in draws]

    def error(first: int, second: int) -> Floats:
        """Standard error of the difference of two medians of the chain."""
        if forecasts[first] is forecasts[second]:
            return np.zeros(len(places))
        paired = forecasts[first].last_month == forecasts[second].last_month
        return _error(draws[first], draws[second], paired=paired)

    before = np.quantile(draws[0], _SIDES, axis=0)
    return {
        **dict(zip(_BEFORE.values(), before)),
        "again": medians[0],
        "change_error": error(0, 4),
        "revisions": medians[2] - medians[1],
        "revisions_error": error(1, 2),
        "new_months": medians[3] - medians[2],
        "new_months_error": error(2, 3),
        "places": (medians[1] - medians[0]) + (medians[4] - medians[3]),
        "places_error": np.hypot(error(0, 1), error(3, 4)),
    }


def _at(forecast: Forecast, places: list[str], month: np.datetime64) -> Floats:
    """Draws of a count, shape (D, L); NaN where it is not forecast or not known."""
    out = np.full((len(forecast.draws), len(places)), np.nan)
    present = [i for i, place in enumerate(places) if place in forecast.locations]
    rows = [forecast.locations.index(places[i]) for i in present]
    out[:, present] = forecast.count_at(month)[:, rows]
    return out


def _error(a: Floats, b: Floats, paired: bool) -> Floats:
    """Standard errors, from the number of draws, of the difference of two medians; shape (L,)."""
    batches = min(BATCHES, len(a) // 2)
    if batches < 2:
        return np.full(a.shape[1], np.nan)
    first, second = (
        np.array([np.median(values[i::batches], axis=0) for i in range(batches)])
        for values in (a, b)
    )
    spread = first.var(axis=0, ddof=1) + second.var(axis=0, ddof=1)
    if paired:
        spread = (second - first).var(axis=0, ddof=1)
    return np.asarray(np.sqrt(spread / batches))


# ------------------------------------------------------------------------------ what is said of it


def month_of(change: Change) -> pd.Timestamp | None:
    """The month whose forecasts are compared in words: the last one that both have."""
    return None if change.table.empty else change.table["month"].max()


def _of_month(change: Change) -> pd.DataFrame:
    return change.table[change.table["month"] == month_of(change)]


def sentences(change: Change, place: str = NATION) -> list[str]:
    """What changed, and why, in paragraphs; numbers are of one place alone."""
    why_not = f"{change.why_not[:1].upper()}{change.why_not[1:]}."
    if change.before is None:
        return [why_not]
    texts = [_data(change, place)]
    table = _of_month(change)
    mine = table[table["location"] == place]
    comparable = change.recorded or not change.why_not
    if table.empty:
        if comparable:
            texts.append("The two forecasts have no month in common.")
    elif mine.empty:
        texts.append(
            f"There is no earlier forecast of {place_name(place)} to compare with."
        )
    else:
        texts.append(_moved(mine.iloc[0]))
        if not change.why_not:
            texts.append(_reasons(change, mine.iloc[0]))
    if change.why_not:
        texts.append(why_not)
    if change.lost:
        texts.append(
            f"Forecast before but not now: {', '.join(map(called, change.lost))}."
        )
    return texts


def _data(change: Change, place: str) -> str:
    """The release before, the new months, and what was revised."""
    assert change.before is not None
    day = day_name(change.before)
    texts = [f"The previous forecast was made from the release of {day}."]
    if not change.recorded:
        remade = "" if change.why_not else ", so one was made now"
        texts = [
            f"The previous release is that of {day}.",
            f"The record has no forecast from it{remade}.",
        ]
    if not change.counts:
        return texts[0]
    n = change.new_months.size
    months = listed([month_name(m) for m in change.new_months], 1)
    if n > 1:
        months = " to ".join(month_name(change.new_months[i]) for i in (0, -1))
    added = f"{number_of(n, 'new month')} ({months}: {change.counts['new']:,} counts)"
    texts.append(
        f"The new release adds {added if n else 'no new month'}. Of the "
        f"{change.counts['common']:,} counts in both releases, {change.counts['revised']:,} "
        "differ."
    )
    for row in change.revised[change.revised["location"] == place].to_dict("records"):
        if np.isfinite(row["revision"]):
            went = (
                f"went from {row['reported_before']:,.0f} to {row['reported_now']:,.0f}"
            )
            if row["revision"] == 0:
                went = f"is still {row['reported_now']:,.0f}"
            texts.append(
                f"In {place_name(row['location'])} the reported count for the 12 months ending in "
                f"{month_name(row['month'])}, the newest one then, {went}."
            )
    if change.final is not None:
        texts.append(f"Counts through {month_name(change.final)} are now final.")
    return " ".join(texts)


def _moved(row: pd.Series) -> str:
    """The medians before and now."""
    step = _step(row["change_error"])
    before = round(row["before"] / step) * step
    current = round(row["now"] / step) * step
    size = rounded(abs(current - before), step)  # of the numbers as they are read
    way = f"about {size} {'fewer' if current < before else 'more'}"
    inside = (
        "inside" if row["before_low"] <= row["now"] <= row["before_high"] else "outside"
    )
    return (
        f"For the 12 months ending in {month_name(row['month'])} in {place_name(row['location'])}, "
        f"the median was about {rounded(before, step)} and is now about "
        f"{rounded(current, step)}, {'no change' if size == '0' else way}. The new median is "
        f"{inside} the previous 90% interval, {between(row['before_low'], row['before_high'])}."
    )


def _reasons(change: Change, row: pd.Series) -> str:
    """The parts of a change."""
    parts = [("revisions of earlier months", "revisions")]
    if change.new_months.size:
        parts.append(
            ("the new month" + "s" * (change.new_months.size > 1), "new_months")
        )
    if change.places and (change.table["places"] != 0).any():
        names = listed([called(s) for s in change.places], 3)
        parts.append((f"places that only one of the releases has ({names})", "places"))
    words = []
    step = _step(row["change_error"])
    for name, key in parts:
        error = row[f"{key}_error"]
        text = f"{signed(row[key], step)} from {name}"
        if error > 0:
            small = "less than 1" if error < 1 else rounded(error, _step(error))
            chance = ", so it may be chance" if abs(row[key]) < 2 * error else ""
            text += f" (standard error {small}{chance})"
        words.append(text)
    model = row["model"]
    settings = "; ".join(change.settings)
    if np.isfinite(model) and model != 0:
        reason = settings or "the same settings give other numbers now: libraries?"
        words.append(f"{signed(model, step)} from the model ({reason})")
    text = f"The change is the sum of {', '.join(words[:-1])} and {words[-1]}."
    if len(words) == 1:
        text = f"The change is {words[0]}."
    if change.recorded and model == 0:
        if settings:
            text += f" Different now, without effect here: {settings}."
        else:
            text += " The model and its settings are the same."
    return text + _revision_parts(change, row, step=step)


def _revision_parts(change: Change, row: pd.Series, step: float) -> str:
    """What revisions did where they moved the forecast more than the reported count; else empty."""
    revised = change.revised[change.revised["location"] == row["location"]]
    effect = row["revisions"]
    if revised.empty or abs(effect) < 2 * row["revisions_error"]:
        return ""
    counts = revised.iloc[0]
    reported = counts["revision"]
    unreported = counts["nowcast_now"] - counts["nowcast_before"] - reported
    if not np.isfinite(unreported) or abs(effect) <= abs(reported) + step:
        return ""
    month = month_name(counts["month"])
    at_the_end = round(reported / step) + round(unreported / step)
    ahead = (round(effect / step) - at_the_end) * step
    return (
        f" Of the {signed(effect, step)} from revisions, {signed(reported, step)} is the reported "
        f"count for {month}, {signed(unreported, step)} is the estimate of deaths not yet reported "
        f"then, and {signed(ahead, step)} is the change that the model expects after {month}."
    )


def table_of(
    change: Change, place: str = NATION, most: int | None = None
) -> list[list[str]]:
    """The change in the last month that both have: the heads, and a row for each place.

    The place comes first, then ``most`` others by the size of their change beside the interval that
    was given before. Columns that say nothing are left out: a change that is not split has four.
    """
    table = _of_month(change)
    size = (table["change"] / (table["before_high"] - table["before_low"])).abs()
    order = table.assign(first=table["location"] != place, size=-size.fillna(0.0))
    order = order.sort_values(["first", "size"], kind="stable")
    rows = []
    for row in order.to_dict("records"):
        step = _step(row["change_error"])
        names = ("change", "revisions", "new_months", "places")
        parts = [with_error(row[key], row[f"{key}_error"]) for key in names]
        model = "–" if np.isnan(row["model"]) else signed(row["model"], step)
        medians = [rounded(row[key], step) for key in ("before", "now")]
        rows.append([row["name"], *medians, *parts, model])
    shown = list(range(4 if change.why_not else len(HEAD)))
    for column in (HEAD.index("From the model"), HEAD.index("From places")):
        if column in shown and all(row[column] in ("–", "0") for row in rows):
            shown.remove(column)
    rows = rows if most is None else rows[: 1 + most]
    return [[row[column] for column in shown] for row in ([*HEAD], *rows)]


def on_page(
    change: Change, place: str, all_of_it: str
) -> tuple[list[str], list[Table]]:
    """What the page says: paragraphs, and the table of the places whose change is largest."""
    texts = sentences(change, place)
    tables = []
    if places := len(_of_month(change)):
        heads, *rows = table_of(change, place, most=ON_PAGE)
        caption = (
            f"Medians for the 12 months ending in {month_of(change):%B %Y}. {NOTE}."
        )
        if places > 1 + ON_PAGE:
            caption += (
                f" Shown are the {ON_PAGE} places whose change is largest relative to the previous "
                f"interval; {all_of_it}"
            )
        texts.append(_DEFINITION)
        tables = [Table(heads, rows, numbers=len(heads) - 1, caption=caption)]
    return texts, tables


def signed(value: float, step: float = 1.0) -> str:
    """A change with its sign.

    >>> signed(-154.0, 10), signed(3.2), signed(0.2)
    ('−150', '+3', '0')
    """
    size = rounded(abs(value), step)
    return size if size == "0" else f"{'−' if value < 0 else '+'}{size}"


def with_error(value: float, error: float) -> str:
    """A change, and twice its standard error.

    >>> with_error(-154.0, 12.0), with_error(3.0, 0.0), with_error(float("nan"), 1.0)
    ('−154 ± 24', '+3', '–')
    """
    if np.isnan(value):
        return "–"
    if not error > 0:
        return signed(value)
    step = _step(error)
    return f"{signed(value, step)} ± {rounded(2 * error, step) if 2 * error >= 1 else '<1'}"


def _step(error: float) -> float:
    return 1.0 if not np.isfinite(error) else step_of(-2 * error, 2 * error)
