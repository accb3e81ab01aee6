"""Tables of county scores: the leaderboard, coverage, and chances of 10 and more.

The headline is the threshold-weighted CRPS over **all** counties. Standard errors are over
counties, clustered by state: counties of a state share its path. Nothing is claimed of other
times: there is one plateau in the file, one release, and provisional truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScoringError
from odforecast.names import COVERAGE_LEVELS
from odforecast.scoring.columns import UNIT_KEYS, with_groups
from odforecast.scoring.county_columns import SIZES
from odforecast.scoring.rules import Floats

#: Model that county scores are related to.
COUNTY_BASELINE: Final = "county-hub-baseline"
#: What every table of county scores is to be called with.
COUNTY_TITLE: Final = "one plateau, one release, provisional truth"


def is_of_counties(scores: pd.DataFrame) -> bool:
    """Whether a score table has the columns of counties."""
    return {"twcrps", "size", "observed_low"} <= set(scores.columns)


def county_leaderboard(
    scores: pd.DataFrame,
    by: str | Sequence[str] = ("horizon",),
    baseline: str | None = COUNTY_BASELINE,
) -> pd.DataFrame:
    """Scores of counties per model and group, best threshold-weighted CRPS first.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores of counties.
    by : str or sequence of str
        Columns to split by: ``horizon``, ``size``, ``urban``, ``visible``, ``as_of`` …
    baseline : str or None
        Model to relate scores to, on the units both have; if it was not scored, ratios are NaN.

    Returns
    -------
    DataFrame
        ``by``, ``model``; ``n_units`` of which the count is known or known to be 9 or less,
        ``n_counties``, ``n_states``, ``n_unknown`` (no count, or lost by the release). Over
        **all** of these ``twcrps``, ``rel_twcrps`` and ``se_twcrps`` (standard error of the ratio,
        over states), ``rps``, ``rel_rps``, ``se_rps`` (0, 1 to 9, 10 and more). Over counties
        **visible at the origin**: ``n_visible``; ``twwis``, ``rel_twwis``, ``se_twwis`` (WIS of
        counts and quantiles of at least 9: all of them, also those that have become hidden
        since); ``n_wis`` with an exact count, ``wis``, ``rel_wis``, ``se_wis``, ``coverage_50``,
        ``coverage_90`` and ``se_coverage_90``. In ``attrs["title"]`` what the table must be
        called with.

    Raises
    ------
    ScoringError
        If these are no scores of counties, a column is missing, or two rows are the same unit.

    Examples
    --------
    >>> import pandas as pd
    >>> from odforecast.scoring import county_leaderboard
    >>> rows = dict(as_of="2022-11-15", location=["39001", "54001"] * 2, month="2022-09",
    ...     horizon=3, observed_low=[12, 1] * 2, observed_high=[12, 9] * 2, bounded=True,
    ...     scorable=[True, False] * 2, visible=True, size="10-19", rps_bands=[0.1, 0.2] * 2,
    ...     model=["a", "a", "county-hub-baseline", "county-hub-baseline"],
    ...     twcrps=[1.0, 0.5, 2.0, 1.0], twwis=1.0, wis=1.0, cover_50=1.0, cover_90=1.0)
    >>> county_leaderboard(pd.DataFrame(rows))[["model", "n_units", "rel_twcrps", "se_twcrps"]]
                     model  n_units  rel_twcrps  se_twcrps
    0                    a        2         0.5        0.0
    1  county-hub-baseline        2         1.0        0.0
    """
    groups = [by] if isinstance(by, str) else [name for name in by if name != "model"]
    out = []
    for labels, part in groups_of(scores, groups):
        whole = by_model(part)
        base = whole.get(baseline) if baseline is not None else None
        for model, rows in whole.items():
            out.append(labels | {"model": model} | _line(rows, base))
    order = [*groups, "twcrps", "model"]
    return titled(out).sort_values(order, kind="stable", ignore_index=True)


def county_coverage(
    scores: pd.DataFrame, by: str | Sequence[str] = ("horizon", "size")
) -> pd.DataFrame:
    """How often intervals hold the count, and how PIT values are spread, per model and group.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores of counties.
    by : str or sequence of str

    Returns
    -------
    DataFrame
        ``by``, ``model``; ``n_exact`` units with a known count, and of those the shares within the
        intervals, ``coverage_50`` … ``coverage_95``, with ``se_coverage_90`` over states;
        ``n_bounded`` units of which anything is known (hidden and lost ones too), and of their
        randomised PIT the share in the middle 90 %, ``pit_90`` (.90 if calibrated, whatever is
        hidden), ``pit_mean`` and ``pit_spread`` (1 if calibrated, above: too narrow). Counts
        known to be exact are a selection where others are hidden: ``pit_90`` is over all.
    """
    groups = [by] if isinstance(by, str) else list(by)
    out = []
    for labels, part in groups_of(scores, groups):
        for model, rows in by_model(part).items():
            exact = rows[rows["scorable"]]
            pit = rows["pit"].dropna()
            line: dict[str, object] = {"n_exact": len(exact)}
            for level in COVERAGE_LEVELS:
                name = f"{round(100 * level)}"
                line[f"coverage_{name}"] = exact[f"cover_{name}"].mean()
            line["se_coverage_90"] = _mean_error(exact["cover_90"], exact["location"])
            line["n_bounded"] = len(pit)
            line["pit_90"] = float(((pit >= 0.05) & (pit < 0.95)).mean()) if len(pit) else np.nan
            line["pit_mean"] = pit.mean()
            line["pit_spread"] = pit.std(ddof=0) * np.sqrt(12.0)
            out.append(labels | {"model": model} | line)
    return titled(out)


def ten_or_more(
    scores: pd.DataFrame, by: str | Sequence[str] = ("horizon",), bins: int = 10
) -> pd.DataFrame:
    """Chances given to 10 and more deaths against how often they came, per model and group.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores of counties; every county counts of which it is known whether it had 10.
    by : str or sequence of str
    bins : int
        Equal classes of the chance.

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``left``, ``right`` (the class), ``n``, ``given`` (mean chance),
        ``came`` (share with 10 and more), ``gap`` (came less given), ``se`` (of the gap, over
        states). Classes without units are left out.

    Raises
    ------
    ScoringError
        If there are no bins.
    """
    if bins < 1:
        raise ScoringError(f"bins is {bins}, at least 1 is needed")
    groups = [by] if isinstance(by, str) else list(by)
    out = []
    for labels, part in groups_of(scores, groups):
        sure = (part["observed_low"] >= 10) | (part["observed_high"] < 10)
        for model, rows in by_model(part[sure]).items():
            chance = rows["p_ten"].to_numpy(dtype=float)
            came = (rows["observed_low"] >= 10).to_numpy(dtype=float)
            at = np.minimum((chance * bins).astype(int), bins - 1)
            for i in np.unique(at):
                here = at == i
                gap = pd.Series(came[here] - chance[here])
                line = {
                    "left": i / bins,
                    "right": (i + 1) / bins,
                    "n": int(here.sum()),
                    "given": float(chance[here].mean()),
                    "came": float(came[here].mean()),
                    "gap": float(gap.mean()),
                    "se": _mean_error(gap, rows["location"][here]),
                }
                out.append(labels | {"model": model} | line)
    return titled(out)


def _line(rows: pd.DataFrame, base: pd.DataFrame | None) -> dict[str, object]:
    """One line of the leaderboard: a model's units, and the baseline's."""
    bounded = rows[rows["bounded"]]
    seen = bounded[bounded["visible"]]
    exact = seen[seen["scorable"]]
    line: dict[str, object] = {
        "n_units": len(bounded),
        "n_counties": bounded["location"].nunique(),
        "n_states": len(set(states_of(bounded["location"]))),
        "n_unknown": len(rows) - len(bounded),
    }
    for name, column, part in (("twcrps", "twcrps", bounded), ("rps", "rps_bands", bounded)):
        line |= _related(name, column, part, base)
    line["n_visible"] = len(seen)
    line |= _related("twwis", "twwis", seen, base)
    line["n_wis"] = len(exact)
    line |= _related("wis", "wis", exact, base)
    line["coverage_50"] = exact["cover_50"].mean()
    line["coverage_90"] = exact["cover_90"].mean()
    line["se_coverage_90"] = _mean_error(exact["cover_90"], exact["location"])
    return line


def _related(
    name: str, column: str, rows: pd.DataFrame, base: pd.DataFrame | None
) -> dict[str, object]:
    """Mean of a score, its ratio to the baseline's on common units, and that one's error."""
    out: dict[str, object] = {name: rows[column].mean(), f"rel_{name}": np.nan}
    ratio, error = np.nan, np.nan
    if base is not None:
        other = base[column].reindex(rows.index)
        both = (rows[column].notna() & other.notna()).to_numpy()
        mine, theirs = rows[column].to_numpy(float)[both], other.to_numpy(float)[both]
        ratio, error = ratio_error(mine, theirs, states_of(rows["location"][both]))
    return out | {f"rel_{name}": ratio, f"se_{name}": error}


def ratio_error(mine: Floats, theirs: Floats, clusters: NDArray[np.object_]) -> tuple[float, float]:
    """A ratio of sums and its standard error, clusters drawn as wholes (linearised).

    ``G/(G-1) sum_g (a_g - r b_g)^2 / (sum b)^2`` with a_g, b_g the sums in cluster g of G.

    Parameters
    ----------
    mine, theirs : ndarray, shape (n,)
        Scores of the same units.
    clusters : ndarray, shape (n,)
        What each unit belongs to.

    Returns
    -------
    ratio, error : float
        NaN without units; the error with fewer than two clusters.

    Examples
    --------
    >>> a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    >>> ratio, error = ratio_error(a, b, np.array(["x", "y", "z"], dtype=object))
    >>> ratio, round(error, 4)
    (1.0, 0.2887)
    """
    total = float(theirs.sum())
    if not mine.size or total == 0.0:
        return float("nan"), float("nan")
    ratio = float(mine.sum()) / total
    _, at = np.unique(clusters.astype(str), return_inverse=True)
    n = int(at.max()) + 1
    if n < 2:
        return ratio, float("nan")
    gap = np.bincount(at, weights=mine - ratio * theirs, minlength=n)
    return ratio, float(np.sqrt(n / (n - 1) * (gap**2).sum()) / total)


def _mean_error(values: pd.Series, locations: pd.Series) -> float:
    """Standard error of a mean, over states."""
    given = values.to_numpy(dtype=float)
    return ratio_error(given, np.ones(given.size), states_of(locations))[1]


def states_of(locations: pd.Series) -> NDArray[np.object_]:
    """State of each county, the first two digits of its FIPS code."""
    return locations.astype(str).str[:2].to_numpy(dtype=object)


def groups_of(
    scores: pd.DataFrame, by: Sequence[str]
) -> Iterator[tuple[dict[str, object], pd.DataFrame]]:
    """The score table in groups, those of size in their order."""
    if not is_of_counties(scores):
        raise ScoringError(
            "these are no scores of counties", hint="od.score of a forecast of counties makes them"
        )
    if scores.empty:
        raise ScoringError("the score table is empty", hint="did every forecast fail?")
    table = with_groups(scores, by)
    if "size" in by:
        classes = [s for s in (*SIZES, "") if s in set(table["size"])]
        table = table.assign(size=pd.Categorical(table["size"].astype(str), classes, ordered=True))
    if not by:
        yield {}, table
        return
    for values, part in table.groupby(list(by), observed=True, sort=True, dropna=False):
        yield dict(zip(by, values)), part


def by_model(part: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of each model, indexed by unit, so that models are compared on the same ones."""
    keys = [k for k in UNIT_KEYS if k in part]
    unit = part.groupby(keys, observed=True, dropna=False, sort=False).ngroup()
    out = {}
    for model, rows in part.set_index(unit).groupby(part["model"].astype(str).to_numpy()):
        if rows.index.has_duplicates:
            first = rows[rows.index.duplicated()].iloc[0]
            raise ScoringError(
                f"{model} has two rows of one unit, for example "
                + ", ".join(f"{k}={first[k]}" for k in keys),
                hint="score each forecast once, or compare one model version at a time",
            )
        out[str(model)] = rows
    return out


def titled(lines: list[dict[str, object]]) -> pd.DataFrame:
    """A table of lines that says what it must be called with; classes of size in their order."""
    table = pd.DataFrame(lines)
    if "size" in table:
        table["size"] = pd.Categorical(table["size"].astype(str), (*SIZES, ""), ordered=True)
    table.attrs["title"] = COUNTY_TITLE
    return table
