"""The unit-level score table: its columns, and the groups its rows are summarised by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from odforecast.errors import ScoringError, near, short
from odforecast.geography import NATION, REGIONS, find
from odforecast.months import ONE_MONTH
from odforecast.names import SCENARIO_ID
from odforecast.panel import ERAS, Panel, era_of
from odforecast.scoring.rules import HIDDEN_MOST, Floats

#: Who forecast what, from which data, scored against which truth; added by the backtest.
PROVENANCE_COLUMNS: Final = (
    "model",
    "model_version",
    "as_of",
    "last_month",
    "vintage",
    "donor",
    "donor_distance",
    "truth",
    "truth_release",
    "data_hash",
    "spec_hash",
    "seed",
)

#: What :func:`odforecast.scoring.score_units` says about each unit, apart from its scores.
UNIT_COLUMNS: Final = (
    "location",
    "target",
    "horizon",
    "month",
    "horizon_from_origin",
    "regime",
    "observed",
    "scorable",
    "reason",
    "n_draws",
)

#: The scores of a unit; all NaN where it is not scorable.
METRIC_COLUMNS: Final = (
    "wis",
    "wis_spread",
    "wis_over",
    "wis_under",
    "log_wis",
    "crps",
    "log_score",
    "ae",
    "ape",
    "bias",
    "pit",
    "cover_50",
    "cover_80",
    "cover_90",
    "cover_95",
)

#: Every column of the unit-level table (``median`` is known for units without truth, too).
SCORE_COLUMNS: Final = (*PROVENANCE_COLUMNS, *UNIT_COLUMNS, "median", *METRIC_COLUMNS)

#: Columns in deaths, which become deaths per 100,000 residents on the rate scale.
COUNT_COLUMNS: Final = (
    "observed",
    "median",
    "wis",
    "wis_spread",
    "wis_over",
    "wis_under",
    "crps",
    "ae",
)


#: What makes two rows the same forecast made by two models: those of these that a table has.
#: An origin is its last known month as well as its day: CDC published three months at once
#: in February 2022. And it is the donor of its delay: a month has several.
UNIT_KEYS: Final = (
    "as_of",
    "last_month",
    SCENARIO_ID,
    "vintage",
    "donor",
    "location",
    "target",
    "month",
    "truth",
    "truth_release",
    "scale",
)

#: Groups of horizons (months after the panel's last month), in order.
HORIZON_GROUPS: Final = ("nowcast", "1-3", "4-6", "7-12", "13+")

#: The rise (2020-21) and the fall (2023-24) of deaths, by the month that is forecast.
REGIMES: Final = ("rise", "fall", "other")

#: The US row, and all others.
LEVELS: Final = ("nation", "jurisdictions")

#: Last horizon of each group but the last.
_LAST_OF: Final = (0, 3, 6, 12)


def horizon_group(horizon: int) -> str:
    """Group of a horizon; 0 and below revise months already published.

    Parameters
    ----------
    horizon : int
        Months after the panel's last month.

    Examples
    --------
    >>> import odforecast as od
    >>> [od.scoring.horizon_group(h) for h in (-2, 1, 6, 7, 24)]
    ['nowcast', '1-3', '4-6', '7-12', '13+']
    """
    return HORIZON_GROUPS[int(np.searchsorted(_LAST_OF, horizon))]


def regimes(months: NDArray[np.datetime64]) -> NDArray[np.object_]:
    """Regime of each target month: ``rise`` (2020-21), ``fall`` (2023-24) or ``other``.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> od.scoring.regimes(np.array(["2019-12", "2021-03", "2024-12"], "M8[M]")).tolist()
    ['other', 'rise', 'fall']
    """
    years = np.asarray(months).astype("datetime64[Y]").astype(int) + 1970
    picks = [(years == 2020) | (years == 2021), (years == 2023) | (years == 2024)]
    return np.select(picks, ["rise", "fall"], "other").astype(object)


def eras(
    as_of: NDArray[np.datetime64], last_month: NDArray[np.datetime64]
) -> NDArray[np.object_]:
    """Era of each origin by the days from the end of its last month: see :func:`era_of`."""
    ends = (last_month.astype("datetime64[M]") + ONE_MONTH).astype("datetime64[D]")
    ages = (as_of.astype("datetime64[D]") - ends).astype(int) + 1
    different, index = np.unique(ages, return_inverse=True)
    return np.array([era_of(int(age)) for age in different], dtype=object)[index]


def need(scores: pd.DataFrame, names: Iterable[str]) -> None:
    """Refuse a table that lacks a column."""
    if missing := [name for name in names if name not in scores]:
        names_of_table = list(map(str, scores.columns))
        meant = near(missing[0], [*DERIVED, *names_of_table])
        raise ScoringError(
            f"the score table has no column {missing[0]!r}",
            hint=(f"did you mean {meant[0]!r}? " if meant else "")
            + f"it has: {', '.join(names_of_table)}",
        )


def refuse_twice(scores: pd.DataFrame, keys: Sequence[str]) -> None:
    """Refuse a table in which a model has two rows of one unit."""
    twice = scores.duplicated([*keys, "model"])
    if twice.any():
        first = scores.loc[twice, [*keys, "model"]].iloc[0]
        raise ScoringError(
            f"{int(twice.sum())} rows repeat a unit, for example "
            + ", ".join(f"{k}={v}" for k, v in first.items()),
            hint="score each forecast once, or compare one model version at a time",
        )


def groups_of(
    scores: pd.DataFrame, by: Sequence[str]
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The scores by the values of columns, in order; without any, all of them."""
    if not by:
        yield {}, scores
        return
    for values, part in scores.groupby(
        list(by),
        observed=True,
        sort=True,
        dropna=False,
    ):
        yield dict(zip(by, values)), part


#: Classes of size by the 12-month count, in order; the nation is a class of its own.
SIZES: Final = ("under 500", "500-1,999", "2,000 or more", "nation")
#: Census regions, in order; the nation, and what lies in none (Puerto Rico), stand apart.
REGION_GROUPS: Final = (*REGIONS, "nation", "none")


def size_classes(counts: ArrayLike, locations: ArrayLike) -> NDArray[np.object_]:
    """Class of each place by its 12-month count **as known at the origin**: of :data:`SIZES`."""
    n = np.asarray(counts, dtype=float)
    place = np.asarray(locations, dtype=str)
    index = np.searchsorted([500.0, 2000.0], n, side="right")
    out = np.array(SIZES, dtype=object)[np.where(place == NATION, 3, index)]
    out[np.isnan(n) & (place != NATION)] = None
    return np.asarray(out)


def regions(locations: ArrayLike) -> NDArray[np.object_]:
    """Census region of each place: a state's, or that of the state a county lies in."""
    codes, index = np.unique(np.asarray(locations, dtype=str), return_inverse=True)
    region_of = {NATION: "nation"} | {
        name: name for name in REGIONS
    }  # sums of states' draws
    for code in map(str, codes):
        if code not in region_of:
            place = find(code)
            region = getattr(place, "region", None) or getattr(
                find(place.state), "region", None
            )
            region_of[code] = region or "none"
    return np.array([region_of[str(code)] for code in codes], dtype=object)[index]


#: Groups that follow from other columns: these, the groups in their order, and how they follow.
_GROUPS: Final[
    dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[..., Any]]]
] = {
    "horizon_group": (
        ("horizon",),
        HORIZON_GROUPS,
        lambda h: np.array(HORIZON_GROUPS)[np.searchsorted(_LAST_OF, h)],
    ),
    "regime": (("month",), REGIMES, regimes),
    "level": (
        ("location",),
        LEVELS,
        lambda s: np.where(s.astype(str) == NATION, *LEVELS),
    ),
    "era": (("as_of", "last_month"), ERAS, eras),
    "size": (("last_reported", "location"), SIZES, size_classes),
    "region": (("location",), REGION_GROUPS, regions),
}
#: Columns that :func:`with_groups` adds.
DERIVED: Final = tuple(_GROUPS)


def with_groups(scores: pd.DataFrame, by: str | Sequence[str]) -> pd.DataFrame:
    """The scores with the grouping columns of ``by`` that can be derived, in their order."""
    by = [by] if isinstance(by, str) else by
    groups = {}
    for name, (needed, order, function) in _GROUPS.items():
        has_its_own = (
            name in ("size", "region") and name in scores
        )  # counties have their own
        if name in by and not has_its_own and set(needed) <= set(scores):
            values = function(*(scores[column].to_numpy() for column in needed))
            groups[name] = pd.Categorical(values, order, ordered=True)
    out = scores.assign(**groups) if groups else scores
    need(out, by)
    return out


#: Columns that the score table of counties has beside those of every score table.
COUNTY_COLUMNS: Final = (
    "observed_low",
    "observed_high",
    "bounded",
    "twcrps",
    "twwis",
    "rps_bands",
    "p_zero",
    "p_hidden",
    "p_ten",
    "mean",
    "size",
    "visible",
    "urban",
)

#: Classes of size, by the count of the last month known at the origin.
COUNTY_SIZES: Final = ("hidden", "0", "10-19", "20-49", "50-199", "200+")
_FIRST_OF = (10, 20, 50, 200)


def county_size_classes(panel: Panel) -> NDArray[np.object_]:
    """Class of size of each location by its last count, shape (L,): one of :data:`COUNTY_SIZES`."""
    low = panel.low[:, -1]
    shown = np.array(COUNTY_SIZES[2:], dtype=object)
    at = np.clip(np.searchsorted(_FIRST_OF, low, side="right") - 1, 0, len(shown) - 1)
    picks = [np.isnan(low), low == 0, low >= _FIRST_OF[0]]
    return np.select(picks, ["", "0", shown[at]], "hidden").astype(object)


def county_columns(
    columns: dict[str, Any],
    panel: Panel | None,
    places: Sequence[str],
    low: Floats,
    high: Floats,
) -> dict[str, Any]:
    """Columns of scores with those that depend on bounds and on what was known at the origin."""
    n_loc, n_months = low.shape
    size, urban = np.full((2, n_loc), "", dtype=object)
    if panel is not None:
        classes = dict(zip(panel.locations, county_size_classes(panel)))
        size[:] = [classes.get(s, "") for s in places]
        urban[:] = [panel.urban.get(s, "") for s in places]
    out = columns | {
        "observed_low": low.ravel(),
        "observed_high": high.ravel(),
        "bounded": ((low == high) | (high <= HIDDEN_MOST)).ravel(),
        "size": np.repeat(size, n_months),
        "visible": np.repeat(np.isin(size, COUNTY_SIZES[2:]), n_months),
        "urban": np.repeat(urban, n_months),
    }
    return {
        c: out[c]
        for c in (*(c for c in out if c not in COUNTY_COLUMNS), *COUNTY_COLUMNS)
    }


def table_of(scores: Any, name: str = "scores") -> pd.DataFrame:
    """A table of scores: itself, or, by its name, that of a backtest's results."""
    table = scores if isinstance(scores, pd.DataFrame) else getattr(scores, name, None)
    if isinstance(table, pd.DataFrame):
        return table
    raise ScoringError(
        f"{name} is {short(scores)}, no table",
        hint=f"give a DataFrame, as results.{name} is",
    )


def columns_of(by: str | Iterable[str], name: str = "by") -> list[str]:
    """Names of columns; a string is one name, not its letters."""
    if isinstance(by, str):
        return [by]
    names_given = list(by) if isinstance(by, Iterable) else [None]
    if all(isinstance(x, str) for x in names_given):
        return [str(x) for x in names_given]
    raise ScoringError(
        f"{name} is {short(by)}", hint="give names of columns, as ('level',)"
    )
