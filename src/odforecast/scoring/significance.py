"""Is one model better than another, or lucky? Diebold-Mariano over origins.

Twelve-month-ahead errors of neighbouring months share eleven of their twelve months. The usual
test divides the mean by an estimated standard error and takes the estimate for the truth; with
five years of such errors there are five that do not overlap, and it rejects a true hypothesis two
to four times too often. Fixed-smoothing asymptotics take the estimate as the random number that
it is: critical values are wider (Kiefer and Vogelsang 2005; for forecasts Coroneo and Iacone 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from odforecast.errors import ScoringError, one_of, proportion
from odforecast.scoring.columns import columns_of, table_of, with_groups
from odforecast.scoring.pairs import common_units, origin_level

Floats = NDArray[np.float64]

#: How the variance of a mean difference is estimated.
METHODS: Final = ("auto", "overlap", "cosine", "fixed-b")
#: From this horizon on, forecasts overlap too much for the usual test.
_LONG: Final = 7
#: Fewest origins of a test that does not rest on the overlap.
_FEWEST: Final = 8


def diebold_mariano(
    scores: pd.DataFrame,
    model: str,
    baseline: str = "hub-baseline",
    metric: str = "wis",
    by: str | Sequence[str] = ("horizon",),
    method: str = "auto",
    b: float = 1.0,
) -> pd.DataFrame:
    """Diebold-Mariano test of equal mean scores, with the small-sample correction.

    The score differences (model minus baseline) on common units are averaged within each
    origin, for errors of one origin move together; the series over origins is what is
    tested. Forecasts h months ahead overlap when their origins lie less than h months
    apart (h is the longest horizon of the group).

    **Up to six months ahead** (``"overlap"``) pairs of origins that overlap enter the variance of
    the mean; Harvey, Leybourne and Newbold's correction and a t distribution with n - 1 degrees of
    freedom follow. **From seven months on** that test rejects too often: with 64 monthly
    origins and 12-month-ahead errors a true hypothesis 13 times in a hundred where 5 were
    asked for, 20 times with normal critical values. There the variance is estimated from slow
    cosines and its uncertainty is in the critical value (``"cosine"``, 7 in a hundred); or a
    Bartlett kernel with fixed-b critical values is taken (``"fixed-b"``, 10).

    Parameters
    ----------
    scores : DataFrame or Results
        Unit-level scores of both models, or the results that hold them.
    model, baseline : str
        The two models.
    metric : str
        Which score.
    by : str or sequence of str
        Groups tested separately. Several tests at 5 % find something by luck: count them.
    method : {"auto", "overlap", "cosine", "fixed-b"}
        How the variance of the mean is estimated, and with which critical values; ``"auto"`` is
        ``"overlap"`` up to a horizon of six months and ``"cosine"`` from seven on.
    b : float
        Bandwidth of ``"fixed-b"`` as a share of the sample, in (0, 1].

    Returns
    -------
    DataFrame
        ``by``, ``n_units``, ``n_origins``, ``overlap`` (origins within one horizon, the
        origin itself included), ``difference`` (mean score difference; negative: the model
        is better), ``statistic``, ``p_value`` (two-sided; of ``"fixed-b"`` there is none),
        ``method``, ``df`` (degrees of freedom of the t distribution), ``critical`` (the
        difference is significant at 5 % where the statistic lies beyond it) and ``note`` (why
        there is no test, or ``bartlett`` where tapered weights were needed for a positive
        variance).

    Raises
    ------
    ScoringError
        If a model or column is missing, both models are one, no unit is common, or the method or
        ``b`` is none of those allowed.

    References
    ----------
    Diebold and Mariano 1995, JBES 13:253; Harvey, Leybourne and Newbold 1997, Int. J. Forecasting
    13:281; Kiefer and Vogelsang 2005, Econometric Theory 21:1130; Lazarus, Lewis, Stock and Watson
    2018, JBES 36:541; Coroneo and Iacone 2020, J. Applied Econometrics 35:391.
    """
    if method not in METHODS:
        raise ScoringError(f"unknown method {method!r}", hint=one_of(method, METHODS))
    b, keys, scores = proportion("b", b, ScoringError, most=True), columns_of(by), table_of(scores)
    models = set(scores["model"].astype(str)) if "model" in scores else set()
    for name in (model, baseline):
        if name not in models:
            raise ScoringError(
                f"no scores of {name!r}", hint=f"models: {', '.join(sorted(models))}"
            )
    if model == baseline:
        raise ScoringError(
            f"{model} cannot be tested against itself", hint="give another baseline="
        )
    table = with_groups(scores, [*keys, "horizon"])
    table = table[table["model"].astype(str).isin([model, baseline])]
    parts = table.groupby(keys, observed=True, sort=True, dropna=False) if keys else [((), table)]
    rows = []
    for values, part in parts:
        wide = common_units(part, metric, [model, baseline]).dropna()
        if wide.empty:
            continue
        gap = (wide[model] - wide[baseline]).groupby(level=origin_level(wide)).mean().sort_index()
        months = pd.DatetimeIndex(gap.index).to_numpy().astype("datetime64[M]").astype(int)
        horizon = max(1, int(part["horizon"].max()))
        result = _test(gap.to_numpy(dtype=float), months, horizon, method, b)
        rows.append(dict(zip(keys, values)) | {"n_units": len(wide)} | result)
    if not rows:
        raise ScoringError(f"{model} and {baseline} have no scorable unit in common")
    return pd.DataFrame(rows)


def _test(
    gap: Floats, months: NDArray[np.int64], horizon: int, method: str, b: float
) -> dict[str, object]:
    """The test of one series of differences, one per origin, at these months."""
    n = gap.size
    if method == "auto":
        method = "overlap" if horizon < _LONG else "cosine"
    spacing = float(np.median(np.diff(months))) if n > 1 else 1.0
    overlap = 1 + int((horizon - 1) // max(spacing, 1.0))
    out: dict[str, object] = {
        "n_origins": n,
        "overlap": overlap,
        "difference": float(gap.mean()),
        "statistic": np.nan,
        "p_value": np.nan,
        "method": method,
        "df": np.nan,
        "critical": np.nan,
        "note": "",
    }
    if few := _too_few(months, overlap, horizon, method):
        return out | {"note": few}
    if np.abs(gap - gap.mean()).max() <= 1e-12 * max(1.0, abs(float(gap.mean()))):
        return out | {"note": "the difference is the same at every origin"}
    if method == "overlap":
        return out | _overlapping(gap, months, horizon, overlap)
    test = cosine_test(gap, months, horizon) if method == "cosine" else fixed_b_test(gap, months, b)
    return out | test._asdict()


def _too_few(months: NDArray[np.int64], overlap: int, horizon: int, method: str) -> str:
    """Why there is no test of so many origins; empty if there is."""
    n = months.size
    correction = n + 1 - 2 * overlap + overlap * (overlap - 1) / n
    if method == "overlap":
        few = n < 2 * overlap + 1 or correction <= 0
        return f"{n} origins are too few: {2 * overlap + 1} needed" if few else ""
    needed = int(np.ceil(SHORTEST * horizon))
    stretch = int(months[-1] - months[0]) + 1
    if n < _FEWEST:
        return f"{n} origins are too few: {_FEWEST} needed"
    return (
        f"{n} origins within {stretch} months are too few: {needed} months needed"
        if stretch < needed
        else ""
    )


def _overlapping(
    gap: Floats, months: NDArray[np.int64], horizon: int, overlap: int
) -> dict[str, object]:
    """Harvey, Leybourne and Newbold's test."""
    n, mean = gap.size, float(gap.mean())
    apart = np.abs(months[:, None] - months[None, :])
    products = np.outer(gap - mean, gap - mean)
    variance, note = float(products[apart < horizon].sum()) / n**2, ""
    if variance <= 0:
        variance = float((products * np.maximum(1.0 - apart / horizon, 0.0)).sum()) / n**2
        note = "bartlett"
        if variance <= 0:
            return {"note": "no positive variance"}
    correction = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n
    statistic = mean / np.sqrt(variance) * np.sqrt(correction)
    return {
        "statistic": float(statistic),
        "p_value": float(2.0 * stdtr(n - 1, -abs(statistic))),
        "df": float(n - 1),
        "critical": float(stdtrit(n - 1, 0.975)),
        "note": note,
    }


#: Critical values of the t statistic with a Bartlett kernel of bandwidth b times the sample,
#: ``a0 + a1 b + a2 b**2 + a3 b**3``, by its one-sided level (Kiefer and Vogelsang 2005,
#: Econometric Theory 21:1130, table 1). A test simulates them.
_KIEFER_VOGELSANG: Final = {
    0.95: (1.6449, 2.1859, 0.3142, -0.3427),
    0.975: (1.9600, 2.9694, 0.4160, -0.5324),
}
#: Months of the series, per month of the horizon, below which there is no test.
SHORTEST: Final = 2.5
#: Cosines per stretch of one horizon; set by a simulation of the size, see the tests.
_PER_HORIZON: Final = 0.8


class MeanTest(NamedTuple):
    """A test that a mean is 0: statistic, two-sided p-value, degrees of freedom, 5 % critical
    value. What is not known is NaN.
    """

    statistic: float
    p_value: float
    df: float
    critical: float


def bartlett_critical(b: float, level: float = 0.05) -> float:
    """Fixed-b critical value of a two-sided t test with the Bartlett kernel.

    Parameters
    ----------
    b : float
        Bandwidth as a share of the sample, in (0, 1].
    level : {0.05, 0.10}
        Size of the test.

    Returns
    -------
    float
        For b towards 0 that of the normal distribution.

    Raises
    ------
    ScoringError
        If b or the level is outside the table.

    Examples
    --------
    >>> [round(bartlett_critical(b), 2) for b in (0.001, 0.125, 0.5, 1.0)]
    [1.96, 2.34, 3.48, 4.81]
    """
    one_sided = round(1 - level / 2, 6)
    if not 0 < b <= 1 or one_sided not in _KIEFER_VOGELSANG:
        raise ScoringError(
            f"no critical value for b={b:g} at level {level:g}",
            hint="b in (0, 1]; level 0.05 or 0.10",
        )
    return float(sum(a * b**k for k, a in enumerate(_KIEFER_VOGELSANG[one_sided])))


def fixed_b_test(series: ArrayLike, months: NDArray[np.int64], b: float = 1.0) -> MeanTest:
    """Test of a zero mean with a Bartlett kernel of fixed bandwidth.

    Parameters
    ----------
    series : array_like, shape (n,)
    months : ndarray of int, shape (n,)
        When each value is of, rising.
    b : float
        Bandwidth as a share of the stretch of months, in (0, 1]. 1 is the safest and has the
        least power (Kiefer, Vogelsang and Bunzel 2000).

    Returns
    -------
    MeanTest
        With the critical value, and no p-value: the table has two levels. With months missing
        from the series, the value of a whole series is taken.

    Examples
    --------
    >>> import numpy as np
    >>> test = fixed_b_test([1.0, 2.0, 0.5, 1.5, 1.0, 2.0], np.arange(6))
    >>> round(test.statistic, 3), round(test.critical, 3)
    (13.668, 4.813)
    """
    x = np.asarray(series, dtype=float)
    stretch = int(months[-1] - months[0]) + max(1, round(_spacing(months)))
    weight = np.maximum(1.0 - np.abs(months[:, None] - months) / (b * stretch), 0.0)
    centred = x - x.mean()
    variance = float(centred @ weight @ centred) / x.size**2
    statistic = float(x.mean() / np.sqrt(variance)) if variance > 0 else float("nan")
    return MeanTest(statistic, float("nan"), float("nan"), bartlett_critical(b))


def cosine_test(series: ArrayLike, months: NDArray[np.int64], horizon: int) -> MeanTest:
    """Test of a zero mean with equally weighted cosines, and Student's t.

    The variance of the mean is estimated by the mean square of B weighted averages of the
    series, with slow cosines as weights (Müller 2007; Lazarus, Lewis, Stock and Watson 2018).
    Under the hypothesis the statistic is t with B degrees of freedom; for white noise exactly,
    at any sample size and with months missing.

    Parameters
    ----------
    series : array_like, shape (n,)
    months : ndarray of int, shape (n,)
        When each value is of, rising.
    horizon : int
        Months over which values overlap. B is 0.8 times the stretch of the series in units of
        the horizon, at least 2, at most 0.4 n^(2/3): faster cosines would lie where overlap has
        smoothed the series away, and find too small a variance.

    Returns
    -------
    MeanTest

    Examples
    --------
    >>> import numpy as np
    >>> wave = np.sin(np.arange(64) / 9) + 0.4
    >>> test = cosine_test(wave, np.arange(64), horizon=12)
    >>> test.df, round(test.statistic, 2), round(test.p_value, 2)
    (4.0, 1.31, 0.26)
    """
    x = np.asarray(series, dtype=float)
    spacing = _spacing(months)
    stretch = float(months[-1] - months[0]) + spacing
    most = min(int(_PER_HORIZON * stretch / horizon), int(0.4 * x.size ** (2 / 3)), x.size - 1)
    df = max(2, most)
    place = (months - months[0] + spacing / 2) / stretch
    waves = np.cos(np.pi * np.outer(place, np.arange(1, df + 1)))
    # Orthogonal to the mean and to each other also where months are missing.
    basis = np.linalg.qr(np.column_stack([np.ones(x.size), waves]))[0][:, 1:]
    variance = float(((x @ basis) ** 2).mean()) / x.size
    statistic = float(x.mean() / np.sqrt(variance)) if variance > 0 else float("nan")
    p_value = float(2.0 * stdtr(df, -abs(statistic)))
    return MeanTest(statistic, p_value, float(df), float(stdtrit(df, 0.975)))


def _spacing(months: NDArray[np.int64]) -> float:
    return float(np.median(np.diff(months))) if months.size > 1 else 1.0
