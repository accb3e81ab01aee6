"""What changed since the last forecast, and why: revisions, new months, the model.

Four forecasts of the same month are put in a row, each with one thing more than the one before:

1. **said**: the forecast as it was recorded, from the release before;
2. **again**: from that release, by today's model and settings;
3. **revised**: from the new release without the months that the release before did not have;
4. **now**: from the new release.

The change of the median from 1 to 2 is due to the model (numbers, settings, libraries), from 2 to 3
to revisions, and from 3 to 4 to the new months. The three add up to the whole change, exactly.

2 and 3 end in one month, so their draws are paired by their streams. 3 and 4 are not paired: with
few draws, chance alone moves the median. So each part has a standard error, from the medians of 20
batches of the draws, and a part within two of them cannot be told from none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import OdforecastError
from odforecast.forecast import Forecast
from odforecast.geography import called
from odforecast.models import Model
from odforecast.months import Months, to_month
from odforecast.panel import LAYERS, Floats, Panel
from odforecast.updating.record import FORECAST

#: Columns of :attr:`Change.revised`.
REVISED = ("location", "name", "month", "reported_before", "reported_now", "revision")
#: Batches of draws whose medians say how far chance moves the median of all.
BATCHES = 20
_SIDES = [0.05, 0.5, 0.95]
_BEFORE = {"low_90": "before_low", "median": "before", "high_90": "before_high"}
#: Settings that a recorded forecast names, and what a change of them is called.
SETTINGS = {
    "model": "model", "spec": "specification", "version": "version of odforecast",
    "seed": "seed", "draws": "number of draws",
    "data": "what the archive holds of that release or the ones before",
}  # fmt: skip
_COLUMNS = [
    "location", "name", "month", "horizon", "before", "before_low", "before_high", "now", "low",
    "high", "change", "change_error", "model", "revisions", "revisions_error", "new_months",
    "new_months_error",
]  # fmt: skip


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
        ``revisions``, ``revisions_error``, ``new_months``, ``new_months_error``. Errors are
        standard errors from the number of draws. NaN where a part cannot be told.
    new_months : ndarray of datetime64[M]
        Months that the release before did not have.
    counts : dict of str to int
        ``new`` (published counts of those months), ``common`` (counts that both releases have),
        ``revised`` (how many of these differ).
    revised : DataFrame
        One row per location: ``location``, ``name``, ``month`` (last month of the release before),
        ``reported_before``, ``reported_now``, ``revision`` (deaths).
    final : datetime64[M] or None
        Last month whose counts have become final since; None if that is as it was.
    settings : tuple of str
        What was recorded differently from now: ``"model: drift, now dlm"``.
    lost : tuple of str
        Locations forecast before and not now.
    why_not : str
        Why the change is not split, or not known; else empty.
    """

    before: dt.date | None = None
    recorded: bool = False
    table: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=_COLUMNS))
    new_months: Months = field(default_factory=lambda: np.empty(0, "datetime64[M]"))
    counts: dict[str, int] = field(default_factory=dict)
    revised: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=list(REVISED)))
    final: np.datetime64 | None = None
    settings: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    why_not: str = ""


def compared(
    now: Forecast,
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
        "settings": _settings(recorded, now, earlier),
        "lost": tuple(str(s) for s in before if s not in now.locations),
    }
    if earlier is None:
        why = f"the archive does not hold release {release}, so the change is not split"
        return Change(**facts, table=_table(recorded, now), why_not=why)
    facts |= {
        "new_months": panel.months[panel.months > earlier.last_month],
        "counts": _counts(panel, earlier),
        "revised": _revised(panel, earlier, now.locations),
        "final": panel.final_through if panel.final_through > earlier.final_through else None,
    }
    how = (int(now.horizons[-1]), len(now.draws), int(now.provenance["seed"]))
    try:
        again, left = forecast_from(model, earlier, locations, *how), without_newest(panel, earlier)
        revised = now if left is panel else forecast_from(model, left, locations, *how)
    except OdforecastError as error:
        why = f"release {release} cannot be forecast again: {error.message}"
        return Change(**facts, table=_table(recorded, now), why_not=why)
    return Change(**facts, table=_table(recorded, now, again, revised))


# ------------------------------------------------------------------------------------- forecasts


def whole_forecast(
    model: Model, panel: Panel, locations: tuple[str, ...], horizon: int, draws: int, seed: int
) -> Forecast:
    """A forecast of the locations asked for, among all that the model forecasts with them."""
    whole = panel if model.spec.by is None else panel.select(locations)
    return model.fit(whole).forecast(horizon, draws=draws, seed=seed)


def chosen(made: Forecast, locations: tuple[str, ...]) -> Forecast:
    """Of a forecast, the locations asked for that are in it; refused if none is."""
    return made.select([s for s in locations if s in made.locations] or locations)


def forecast_from(
    model: Model, panel: Panel, locations: tuple[str, ...], horizon: int, draws: int, seed: int
) -> Forecast:
    """A forecast of those of some locations that a release has and a model forecasts."""
    there = tuple(s for s in locations if s in panel.locations) or locations
    return chosen(whole_forecast(model, panel, there, horizon, draws, seed), there)


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

    def until(one: Panel, month: np.datetime64) -> Panel:
        """One count of the release, up to a month."""
        stop = min(max(int((month - one.months[0]).astype(int)) + 1, 1), one.months.size)
        triangle = None if one.triangle is None else one.triangle.cells(slice(stop))
        layers = {name: getattr(one, name)[:, :stop] for name in LAYERS}
        return replace(one, months=one.months[:stop], triangle=triangle, **layers)

    ends = {name: other.last_month for name, other in like.beside.items()}
    beside = {n: until(p, ends.get(n, like.last_month)) for n, p in panel.beside.items()}
    left = f"months after {like.last_month} were left out"
    return replace(until(panel, like.last_month), beside=beside, notes=(*panel.notes, left))


# ---------------------------------------------------------------------------------------- counts


def _reported(panel: Panel) -> pd.DataFrame:
    """Reported counts, by location and month."""
    months = panel.months.astype("datetime64[s]")
    return pd.DataFrame(panel.reported, list(panel.locations), pd.DatetimeIndex(months))


def _counts(panel: Panel, earlier: Panel) -> dict[str, int]:
    """How many counts are new, and how many of those in both releases differ."""
    new = panel.reported[:, panel.months > earlier.last_month]
    a, b = _reported(earlier).align(_reported(panel), join="inner")
    both = a.notna() & b.notna()
    return {
        "new": int(np.isfinite(new).sum()),
        "common": int(both.to_numpy().sum()),
        "revised": int((both & (a != b)).to_numpy().sum()),
    }


def _revised(panel: Panel, earlier: Panel, locations: Sequence[str]) -> pd.DataFrame:
    """What became of the counts that were last before."""
    month, now = pd.Timestamp(str(earlier.last_month)), _reported(panel)
    before = _reported(earlier).reindex(index=[s for s in locations if s in earlier.locations])
    if month not in now:
        return pd.DataFrame(columns=list(REVISED))
    table = pd.DataFrame(
        {"name": [called(s) for s in before.index], "month": month,
         "reported_before": before[month], "reported_now": now[month].reindex(before.index)},
        before.index,
    )  # fmt: skip
    revision = table["reported_now"] - table["reported_before"]
    return table.assign(revision=revision).rename_axis("location").reset_index()


def _settings(recorded: pd.DataFrame, now: Forecast, earlier: Panel | None) -> tuple[str, ...]:
    """Settings of the recorded forecast that are others now."""
    if recorded.empty:
        return ()
    old, said = recorded[recorded["kind"] == FORECAST].iloc[0], now.provenance
    new = {
        "model": said["label"], "spec": said["spec_hash"], "version": said["odforecast"],
        "seed": said["seed"], "draws": len(now.draws),
    }  # fmt: skip
    if earlier is not None:
        new["data"] = earlier.data_hash
    return tuple(
        f"{SETTINGS[name]}: {old[name]}, now {value}"
        for name, value in new.items()
        if str(old[name]) != str(value)
    )


# ------------------------------------------------------------------------------ table of a change


def _table(
    recorded: pd.DataFrame,
    now: Forecast,
    again: Forecast | None = None,
    revised: Forecast | None = None,
) -> pd.DataFrame:
    """The table of a :class:`Change`; without the forecasts between, the change is not split."""
    old = recorded[(recorded["horizon"] >= 1) & recorded["location"].isin(now.locations)]
    if again is None or revised is None:
        months, places = [to_month(m) for m in sorted(old["month"].unique())], list(now.locations)
    else:
        months = list(again.months[again.months > again.last_month])
        places = [s for s in now.locations if s in again.locations]
    parts = []
    for month in months if places else []:
        if month > now.months[-1]:
            continue
        c = _at(now, places, month)  # shape (D, L); NaN where a count is not known
        part: dict[str, Any] = {
            "location": places,
            "month": month.astype("datetime64[s]"),
            "horizon": int((month - now.last_month).astype(int)),
            **dict(zip(("low", "now", "high"), np.quantile(c, _SIDES, axis=0))),
        }
        if again is not None and revised is not None:
            a, b = _at(again, places, month), _at(revised, places, month)
            part |= dict(zip(_BEFORE.values(), np.quantile(a, _SIDES, axis=0)))
            middle, same = np.median(b, axis=0), revised is now
            paired = revised.last_month == again.last_month
            part |= {
                "again": part["before"],
                "revisions": middle - part["before"],
                "revisions_error": _error(a, b, paired),
                "new_months": part["now"] - middle,
                "new_months_error": 0.0 if same else _error(b, c, False),
                "change_error": _error(a, c, paired and same),
            }
        parts.append(pd.DataFrame(part))
    if not parts:
        return pd.DataFrame(columns=_COLUMNS)
    table = pd.concat(parts, ignore_index=True).reindex(columns=[*_COLUMNS, "again"])
    numbers = [*_COLUMNS[4:], "again"]
    table[numbers] = table[numbers].astype(float)
    if not recorded.empty:
        keys = ["location", "month"]
        held = old.set_index(keys)[list(_BEFORE)].rename(columns=_BEFORE)
        table = table.drop(columns=list(held)).join(held, on=keys)
        # The record has a tenth of a death: where no more is between them, they are the same.
        equal = (table["again"] - table["before"]).abs() < 0.051
        table.loc[equal, "before"] = table.loc[equal, "again"]
        table["model"] = table["again"] - table["before"]
    table["change"] = table["now"] - table["before"]
    table["name"] = [called(str(s)) for s in table["location"]]
    kept = ["before", "now"] if again is None else ["before", "now", "again"]
    table = table[table[kept].notna().all(axis=1)]
    order = {s: i for i, s in enumerate(now.locations)}
    table = table.sort_values(
        ["location", "month"], key=lambda c: c.map(order) if c.name == "location" else c
    )
    return table[_COLUMNS].reset_index(drop=True)


def _at(forecast: Forecast, places: list[str], month: np.datetime64) -> Floats:
    """Draws of a count, shape (D, L); NaN where it is not forecast or not known."""
    out = np.full((len(forecast.draws), len(places)), np.nan)
    there = [i for i, place in enumerate(places) if place in forecast.locations]
    rows = [forecast.locations.index(places[i]) for i in there]
    out[:, there] = forecast.count_at(month)[:, rows]
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
