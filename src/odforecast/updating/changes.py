"""What changed since the last forecast, and why: revisions, new months, the model.

Four forecasts of one and the same month are put in a row, each with one thing more than the one
before:

1. **said**: the forecast as it was recorded, from the release before;
2. **again**: from that release, by today's model and settings;
3. **revised**: from the new release without the months that the release before did not have;
4. **now**: from the new release.

The change of the median from 1 to 2 is due to the model (its numbers, its settings, the libraries
beneath), from 2 to 3 to revisions (all that the new release says otherwise of months known
before: counts, completeness, CDC's predicted values, which counts are final), and from 3 to 4 to
the new months. The three add up to the whole change, exactly. The order is a choice: new months
are read beside revised counts, as they are published.

2 and 3 end in one month, so their draws are paired by their streams, and most of the chance in
them cancels. 3 and 4 end in different months and are not paired: with few draws, chance alone
moves the median. So each part has a standard error, from the medians of 20 batches of the draws,
and a part within two of them is not told apart from none.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import OdforecastError
from odforecast.forecast import Forecast
from odforecast.geography import called
from odforecast.models import Model
from odforecast.months import ONE_MONTH, Months, to_month
from odforecast.panel import LAYERS, Floats, Panel
from odforecast.updating.record import FORECAST

#: Columns of :func:`revised_counts`.
REVISED = ("location", "name", "month", "reported_before", "reported_now", "revision")


def without_newest(panel: Panel, like: Panel) -> Panel:
    """A release without the months that an earlier one did not have; all else as it is.

    Unlike :meth:`odforecast.Panel.cut` this is no pseudo-vintage: what the release says of the
    months that stay (how complete they are, what CDC predicts, which are final) is kept, and it
    is seen from its own day. So the months that stay are one release older than they were.

    Parameters
    ----------
    panel : Panel
        Of the new release.
    like : Panel
        Of the earlier one: the last month kept is its last.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> without_newest(panel, panel.cut("2024-12")).last_month, panel.last_month
    (np.datetime64('2024-12'), np.datetime64('2025-08'))
    """
    if like.last_month >= panel.last_month:
        return panel
    ends = {name: other.last_month for name, other in like.beside.items()}
    beside = {
        name: _until(other, ends.get(name, like.last_month)) for name, other in panel.beside.items()
    }
    left = f"months after {like.last_month} were left out"
    return replace(_until(panel, like.last_month), beside=beside, notes=(*panel.notes, left))


def _until(panel: Panel, month: np.datetime64) -> Panel:
    stop = min(max(int((month - panel.months[0]).astype(int)) + 1, 1), panel.months.size)
    triangle = None if panel.triangle is None else panel.triangle.cells(slice(stop))
    layers = {name: getattr(panel, name)[:, :stop] for name in LAYERS}
    return replace(panel, months=panel.months[:stop], triangle=triangle, **layers)


def counts_of(panel: Panel, earlier: Panel) -> dict[str, int]:
    """How many counts are new, and how many of those in both releases differ.

    Parameters
    ----------
    panel, earlier : Panel
        Of the new release and the one before.

    Returns
    -------
    dict of str to int
        ``new``, ``common``, ``revised``: see :class:`odforecast.updating.changes.Change`.
    """
    new = panel.reported[:, panel.months > earlier.last_month]
    a, b = _aligned(earlier, panel)
    both = np.isfinite(a) & np.isfinite(b)
    return {
        "new": int(np.isfinite(new).sum()),
        "common": int(both.sum()),
        "revised": int((both & (a != b)).sum()),
    }


def _aligned(earlier: Panel, panel: Panel) -> tuple[Floats, Floats]:
    """Reported counts of both at the places and months that both have."""
    places = [s for s in earlier.locations if s in panel.locations]
    first = max(earlier.months[0], panel.months[0])
    stop = min(earlier.last_month, panel.last_month) + ONE_MONTH
    out = []
    for one in (earlier, panel):
        columns = slice(*(int((m - one.months[0]).astype(int)) for m in (first, stop)))
        out.append(one.reported[[one.locations.index(s) for s in places], columns])
    return out[0], out[1]


def revised_counts(panel: Panel, earlier: Panel, locations: tuple[str, ...]) -> pd.DataFrame:
    """What became of the counts that were last before.

    Parameters
    ----------
    panel, earlier : Panel
        Of the new release and the one before.
    locations : tuple of str
        CDC codes.

    Returns
    -------
    DataFrame
        See :class:`odforecast.updating.changes.Change`.
    """
    month = earlier.last_month
    rows = []
    for place in locations:
        if place not in earlier.locations or month > panel.last_month or month < panel.months[0]:
            continue
        was = float(earlier.reported[earlier.locations.index(place), -1])
        column = int((month - panel.months[0]).astype(int))
        is_now = float(panel.reported[panel.locations.index(place), column])
        stamp = pd.Timestamp(str(month))
        rows.append((place, called(place), stamp, was, is_now, is_now - was))
    return pd.DataFrame(rows, columns=list(REVISED))


def forecast_from(
    model: Model, panel: Panel, locations: tuple[str, ...], horizon: int, draws: int, seed: int
) -> Forecast:
    """A forecast of those of some locations that a release has and a model forecasts.

    Raises
    ------
    OdforecastError
        If none can be made.
    """
    there = tuple(s for s in locations if s in panel.locations) or locations
    return chosen(whole_forecast(model, panel, there, horizon, draws, seed), there)


def whole_forecast(
    model: Model, panel: Panel, locations: tuple[str, ...], horizon: int, draws: int, seed: int
) -> Forecast:
    """A forecast of the locations asked for, among all that the model forecasts with them.

    Raises
    ------
    OdforecastError
        If none can be made.
    """
    whole = panel if model.spec.by is None else panel.select(locations)
    return model.fit(whole).forecast(horizon, draws=draws, seed=seed)


def chosen(made: Forecast, locations: tuple[str, ...]) -> Forecast:
    """Of a forecast, the locations asked for that are in it.

    Raises
    ------
    OdforecastError
        If none is.
    """
    kept = [s for s in locations if s in made.locations]
    return made.select(kept or locations)


#: Batches of draws whose medians say how far chance moves the median of all.
BATCHES = 20
_SIDES = [0.05, 0.5, 0.95]
#: Settings that a recorded forecast names, and what a change of them is called.
_SETTINGS = {
    "model": "model", "spec": "specification", "version": "version of odforecast",
    "seed": "seed", "draws": "number of draws", "data": "what the archive holds of that release "
    "or the ones before",
}  # fmt: skip


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
        ``revised`` (of these, how many differ).
    revised : DataFrame
        One row per location: ``location``, ``name``, ``month`` (last month of the release before),
        ``reported_before``, ``reported_now``, ``revision`` (deaths).
    final : datetime64[M] or None
        Last month whose counts have become final since; None if that is as it was.
    settings : tuple of str
        What was recorded otherwise than it is now: ``"model: drift, now dlm"``.
    lost : tuple of str
        Locations forecast before and not now.
    why_not : str
        Why the change is not split, or not known; else empty.
    """

    before: dt.date | None
    recorded: bool
    table: pd.DataFrame
    new_months: Months
    counts: dict[str, int]
    revised: pd.DataFrame
    final: np.datetime64 | None = None
    settings: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    why_not: str = ""


_COLUMNS = (
    "location", "name", "month", "horizon", "before", "before_low", "before_high", "now", "low",
    "high", "change", "change_error", "model", "revisions", "revisions_error", "new_months",
    "new_months_error",
)  # fmt: skip


def compared(
    now: Forecast,
    panel: Panel,
    earlier: Panel | None,
    model: Model,
    recorded: pd.DataFrame,
    locations: tuple[str, ...],
) -> Change:
    """Compare a forecast with the one before it.

    Parameters
    ----------
    now : Forecast
        From ``panel``, of ``locations``.
    panel : Panel
        The new release, all of its locations.
    earlier : Panel or None
        The release before; None if the archive does not hold it.
    model : Model
    recorded : DataFrame
        Lines of the record: the forecast from the release before; may have no rows.
    locations : tuple of str
        What was asked for.

    Returns
    -------
    Change
    """
    if earlier is None and recorded.empty:
        return _nothing("there is no earlier release or forecast to compare with")
    table = _said(recorded, now) if not recorded.empty else None
    if earlier is None:
        assert table is not None
        release = recorded["release"].iloc[0].date()
        return Change(
            release, True, table, panel.months[:0], {}, pd.DataFrame(columns=list(REVISED)),
            settings=_settings(recorded, now, None),
            lost=_lost(recorded["location"].unique(), now),
            why_not=f"the archive does not hold release {release}, so the change is not split",
        )  # fmt: skip
    new_months = panel.months[panel.months > earlier.last_month]
    facts: dict[str, Any] = {
        "before": earlier.release,
        "recorded": table is not None,
        "new_months": new_months,
        "counts": counts_of(panel, earlier),
        "revised": revised_counts(panel, earlier, now.locations),
        "final": panel.final_through if panel.final_through > earlier.final_through else None,
    }
    draws, seed = len(now.draws), int(now.provenance["seed"])
    horizon = int(now.horizons[-1])
    try:
        again = forecast_from(model, earlier, locations, horizon, draws, seed)
        held = without_newest(panel, earlier)
        revised = (
            now if held is panel else forecast_from(model, held, locations, horizon, draws, seed)
        )
    except OdforecastError as error:
        return Change(
            **facts, table=_said(recorded, now),
            settings=_settings(recorded, now, earlier),
            lost=_lost(_places(recorded, earlier, panel, locations), now),
            why_not=f"release {earlier.release} cannot be forecast again: {error.message}",
        )  # fmt: skip
    return Change(
        **facts,
        table=_split(table, again, revised, now),
        settings=_settings(recorded, now, earlier),
        lost=_lost(_places(recorded, earlier, panel, locations), now),
    )


def _nothing(why: str) -> Change:
    return Change(
        None, False, pd.DataFrame(columns=list(_COLUMNS)), np.empty(0, "datetime64[M]"), {},
        pd.DataFrame(columns=list(REVISED)), why_not=why,
    )  # fmt: skip


def _split(
    said: pd.DataFrame | None, again: Forecast, revised: Forecast, now: Forecast
) -> pd.DataFrame:
    """The table of a :class:`Change`, with the parts."""
    paired = revised.last_month == again.last_month
    places = [s for s in now.locations if s in again.locations]
    months = [m for m in again.months if again.last_month < m <= now.months[-1]]
    parts = []
    for month in months if places else []:
        # Shape (D, L); NaN where a count is not known.
        a, b, c = (_at(f, places, month) for f in (again, revised, now))
        part: dict[str, Any] = _where(places, month, now)
        part |= dict(zip(("before_low", "before", "before_high"), np.quantile(a, _SIDES, axis=0)))
        part |= dict(zip(("low", "now", "high"), np.quantile(c, _SIDES, axis=0)))
        middle = np.median(b, axis=0)
        part |= {"again": part["before"], "revisions": middle - part["before"]}
        part["revisions_error"] = _error(a, b, paired)
        part["new_months"] = part["now"] - middle
        same = revised is now
        part["new_months_error"] = 0.0 if same else _error(b, c, False)
        part["change_error"] = _error(a, c, paired and same)
        parts.append(pd.DataFrame(part))
    table = _framed(parts)
    table = table[table[["again", "now"]].notna().all(axis=1)]
    order = {s: i for i, s in enumerate(now.locations)}
    table = table.sort_values(
        ["location", "month"], key=lambda c: c.map(order) if c.name == "location" else c
    ).reset_index(drop=True)
    if said is not None:
        keys = ["location", "month"]
        old = said.set_index(keys)[["before_low", "before", "before_high"]]
        table = table.drop(columns=list(old)).join(old, on=keys)
        table = table[table["before"].notna()].reset_index(drop=True)
        # The record has a tenth of a death: where no more is between them, they are the same.
        equal = (table["again"] - table["before"]).abs() < 0.051
        table.loc[equal, "before"] = table.loc[equal, "again"]
        table["model"] = table["again"] - table["before"]
    else:
        table["model"] = np.nan
    table["change"] = table["now"] - table["before"]
    return table[list(_COLUMNS)]


def _said(recorded: pd.DataFrame, now: Forecast) -> pd.DataFrame:
    """The table of a :class:`Change` without its parts, from the record."""
    old = recorded[(recorded["horizon"] >= 1) & recorded["location"].isin(now.locations)]
    parts = []
    for stamp, rows in old.groupby("month"):
        month = to_month(stamp)
        if month > now.months[-1]:
            continue
        places = list(rows["location"])
        part = _where(places, month, now)
        sides = {"before_low": "low_90", "before": "median", "before_high": "high_90"}
        part |= {name: rows[column].to_numpy() for name, column in sides.items()}
        counts = np.quantile(_at(now, places, month), _SIDES, axis=0)
        part |= dict(zip(("low", "now", "high"), counts))
        parts.append(pd.DataFrame(part))
    table = _framed(parts)
    table["change"] = table["now"] - table["before"]
    return table.loc[table["now"].notna(), list(_COLUMNS)].reset_index(drop=True)


def _framed(parts: list[pd.DataFrame]) -> pd.DataFrame:
    columns = [*_COLUMNS, "again"]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True).reindex(columns=columns)
    table["name"] = [called(str(s)) for s in table["location"]]
    for name in columns[4:]:
        table[name] = table[name].astype(float)
    return table


def _where(places: list[str], month: np.datetime64, now: Forecast) -> dict[str, Any]:
    return {
        "location": places,
        "month": month.astype("datetime64[s]"),
        "horizon": int((month - now.last_month).astype(int)),
    }


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
    if paired:
        spread = (second - first).var(axis=0, ddof=1)
    else:
        spread = first.var(axis=0, ddof=1) + second.var(axis=0, ddof=1)
    return np.asarray(np.sqrt(spread / batches))


def _settings(recorded: pd.DataFrame, now: Forecast, earlier: Panel | None) -> tuple[str, ...]:
    """Settings of the recorded forecast that are others now."""
    if recorded.empty:
        return ()
    old = recorded[recorded["kind"] == FORECAST].iloc[0]
    said = now.provenance
    new = {
        "model": said["label"], "spec": said["spec_hash"], "version": said["odforecast"],
        "seed": said["seed"], "draws": str(len(now.draws)),
    }  # fmt: skip
    if earlier is not None:
        new["data"] = earlier.data_hash
    found = [
        f"{_SETTINGS[name]}: {old[name]}, now {value}"
        for name, value in new.items()
        if str(old[name]) != value
    ]
    return tuple(found)


def _places(
    recorded: pd.DataFrame, earlier: Panel, panel: Panel, locations: tuple[str, ...]
) -> tuple[str, ...]:
    """Locations that were forecast before, or would have been."""
    if not recorded.empty:
        return tuple(recorded["location"].unique())
    return earlier.locations if set(locations) == set(panel.locations) else locations


def _lost(before: object, now: Forecast) -> tuple[str, ...]:
    return tuple(str(s) for s in before if s not in now.locations)  # type: ignore[attr-defined]
