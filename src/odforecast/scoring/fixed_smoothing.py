"""Tests of a mean of an overlapping series that hold their size in short samples.

Twelve-month-ahead errors of neighbouring months share eleven of their twelve months. The usual
test divides the mean by an estimated standard error and takes the estimate for the truth; with
five years of such errors there are five that do not overlap, and it rejects a true hypothesis two
to four times too often. Fixed-smoothing asymptotics take the estimate as the random number that
it is: critical values are wider (Kiefer and Vogelsang 2005; for forecasts Coroneo and Iacone 2020).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from odforecast.errors import ScoringError

Floats = NDArray[np.float64]

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
