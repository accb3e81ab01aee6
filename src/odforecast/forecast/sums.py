"""12-month-ending counts of a forecast's draws: added up once, and kept while they are wanted."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import ForecastError, OdforecastError, proportion, short
from odforecast.panel import Floats

if TYPE_CHECKING:
    from odforecast.forecast.forecast import Forecast

#: Draws are added up in blocks of so many values, which stay in a core's own memory.
_BLOCK = 1 << 15
#: Bytes of sums that are kept, at most; larger ones are worked out each time.
KEPT = 1 << 26


def added(known: Floats, draws: Floats) -> Floats:
    """12-month-ending sums of months, those known put before those drawn.

    Bit for bit :func:`odforecast.monthly.sums.rolling_sums` of the joined months, but in one go
    over all places and draws: the 12 months are added in the order in which numpy adds up 12
    numbers that lie side by side, ``((0+1)+(2+3))+((4+5)+(6+7))``, then 8 to 11 in turn.

    Parameters
    ----------
    known : ndarray, shape (L, 11) or (D, L, 11)
        Months before the first that is drawn.
    draws : ndarray, shape (D, L, M)

    Returns
    -------
    ndarray, shape (D, L, M)
        NaN where any of the 12 months is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> added(np.arange(11.0)[None], np.full((1, 1, 2), 100.0)).tolist()
    [[[155.0, 255.0]]]
    """
    n, places, months = draws.shape
    width = months + 11
    out = np.empty((n, places, months))
    step = max(1, _BLOCK // (places * width))
    joined = np.empty((min(step, n), places, width))
    total = np.zeros(joined.size)
    for start in range(0, n, step):
        stop = min(n, start + step)
        block = joined[: stop - start]
        block[:, :, :11] = known if known.ndim == 2 else known[start:stop]
        block[:, :, 11:] = draws[start:stop]
        # All rows as one: what reaches from a row into the next is thrown away below.
        x, size = block.reshape(-1), block.size - 11
        two = x[:-1] + x[1:]
        four = two[:-2] + two[2:]
        sums = total[:size]
        np.add(four[:-4][:size], four[4:][:size], out=sums)
        for k in range(8, 12):
            sums += x[k : k + size]
        out[start:stop] = total[: block.size].reshape(block.shape)[:, :, :months]
    return out


#: The forecast whose sums were asked for last, and these; no more than one is ever kept.
_latest: tuple[weakref.ref[Forecast], Floats] | None = None


def sums_of(forecast: Forecast) -> Floats:
    """12-month-ending counts of a forecast of months, shape (D, L, M), read-only.

    Those of the forecast asked for last are kept until another is asked for or it is gone. They
    belong to that very object: whatever is made from it has its own.

    Parameters
    ----------
    forecast : Forecast
        Of months, joint over them.
    """
    global _latest
    held = _latest
    if held is not None and held[0]() is forecast:
        return held[1]
    made = added(forecast.known, forecast.draws)
    made.flags.writeable = False
    if made.nbytes <= KEPT:
        _latest = weakref.ref(forecast, _forget), made
    return made


def _forget(gone: weakref.ref[Forecast]) -> None:
    global _latest
    if _latest is not None and _latest[0] is gone:
        _latest = None


def in_order(samples: Floats) -> Floats:
    """Draws (D, ...) as a new array (..., D), sorted along the last axis."""
    flat = samples.reshape(len(samples), -1)
    out = np.empty((flat.shape[1], len(flat)))
    # A few draws at a time: whole columns of a large array are slow to read.
    for start in range(0, len(flat), 64):
        out[:, start : start + 64] = flat[start : start + 64].T
    out.sort(axis=1)
    return out.reshape(*samples.shape[1:], len(flat))


def quantile_levels(
    levels: Sequence[float] | Floats, error: type[OdforecastError] = ForecastError
) -> Floats:
    """Levels that a person asked for, each above 0 and below 1; there is one at least."""
    try:
        asked = np.ravel(np.asarray(levels)).tolist()
    except ValueError:  # lists within lists, of different lengths
        raise error(f"levels is {short(levels)}, allowed: a list of numbers") from None
    if not asked:
        raise error("no quantile level is named", hint="name one, such as 0.5")
    return np.array([proportion("a quantile level", x, error) for x in asked])


def between(ordered: Floats, levels: Sequence[float] | Floats) -> Floats:
    """Quantiles (Q, ...) of sorted draws (..., D), interpolated as numpy does by default."""
    position = np.asarray(levels, dtype=float) * (ordered.shape[-1] - 1)
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, ordered.shape[-1] - 1)
    share = position - low
    values = ordered[..., low] * (1.0 - share) + ordered[..., high] * share
    return np.ascontiguousarray(np.moveaxis(values, -1, 0))


def count_last(held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many are true along the last axis."""
    bits = np.bitwise_count(np.packbits(held, axis=-1))
    return np.asarray(bits.sum(axis=-1, dtype=np.int64))
