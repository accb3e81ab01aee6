"""The likelihood of what releases missed: normal tables with factors of rows and of the whole."""

from __future__ import annotations

import numpy as np

from odforecast.panel import Floats


def normal_loss(
    left: Floats,
    variance: Floats,
    expected: Floats,
    profile: Floats,
    mine: tuple[float, float],
    ours: Floats,
) -> Floats:
    """Minus the log density of R tables (L, n) of normal values, but for a constant.

    Parameters
    ----------
    left, variance : ndarray, shape (R, L, n)
        Values, of mean 0, and the variance of each by itself. A cell that is not there has value
        and columns 0 and variance 1.
    expected, profile : ndarray, shape (R, L, n)
        The columns that factors load on.
    mine, ours : pair of float
        Loadings, on ``expected`` and on ``profile``, of each row's and the whole table's factors.

    Returns
    -------
    ndarray, shape (R,)

    Notes
    -----
    Each row has two factors, with loadings ``mine[0] * expected`` and ``mine[1] * profile``, and
    the whole table two more, ``ours[0] * expected`` and ``ours[1] * profile``; all independent, as
    are the values otherwise. All that is needed are products of the three columns.

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> float(normal_loss(2 * one, one, one, one, (0.0, 0.0), np.zeros(2))[0])
    2.0
    """
    weight = 1.0 / variance

    def product(x: Floats, y: Floats) -> Floats:
        return np.asarray((x * y * weight).sum(axis=-1))

    ee, ep, pp = product(expected, expected), product(expected, profile), product(profile, profile)
    el, pl, ll = product(expected, left), product(profile, left), product(left, left)
    a, b, d = 1.0 + mine[0] ** 2 * ee, mine[0] * mine[1] * ep, 1.0 + mine[1] ** 2 * pp
    det = a * d - b * b

    def within(xy: Floats, xe: Floats, xp: Floats, ye: Floats, yp: Floats) -> Floats:
        # The same product once the row's factors are integrated out, summed over the rows.
        up, down = mine[0] * xe, mine[1] * xp
        left_up, left_down = mine[0] * ye, mine[1] * yp
        taken = d * up * left_up - b * (up * left_down + down * left_up) + a * down * left_down
        return np.asarray((xy - taken / det).sum(axis=-1))

    s, t = ours
    one = 1.0 + s * s * within(ee, ee, ep, ee, ep)
    two = 1.0 + t * t * within(pp, ep, pp, ep, pp)
    both = s * t * within(ep, ee, ep, ep, pp)
    right, below = s * within(el, ee, ep, el, pl), t * within(pl, ep, pp, el, pl)
    outer = one * two - both * both
    fitted = (two * right**2 - 2.0 * both * right * below + one * below**2) / outer
    quadratic = within(ll, el, pl, el, pl) - fitted
    logs = np.log(variance).sum(axis=(-2, -1)) + np.log(det).sum(axis=-1) + np.log(outer)
    return np.asarray(0.5 * (logs + quadratic))
