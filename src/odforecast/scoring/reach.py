"""Best possible reach: what is reached by going where a forecast says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from odforecast.errors import ScoringError
from odforecast.scoring.columns import UNIT_KEYS
from odforecast.scoring.summary import by_model, groups_of, titled


def bpr(scores: pd.DataFrame, k: int = 100, by: str | Sequence[str] = ("horizon",)) -> pd.DataFrame:
    """Best possible reach: deaths in the k counties named, over those in the best k.

    As county studies of the overdose crisis use it (Heuton et al. 2024, American Journal of
    Epidemiology): a programme that can go to k counties goes to the k with the highest expected
    count (``mean``); of the deaths it would have reached with hindsight, how many does it reach?
    It is taken at each origin and month, and averaged. Counts here, not rates.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores of counties.
    k : int
        Counties named.
    by : str or sequence of str

    Returns
    -------
    DataFrame
        ``by``, ``model``, ``k``, ``n`` (origins and months averaged: those of which some county's
        count can be scored; without any, the rest is NaN), ``reach_low`` and
        ``reach_high``, and ``n_left_out``. A hidden count is 1 to 9: the reach lies between the two
        bounds, taken with all hidden counts of the named counties at 1 and all others at 9, and
        the other way round; they are equal where all k of both lists have 10 and more. Counties
        whose count is unknown or was lost (1,000 and more) are left out on both sides,
        ``n_left_out`` of them on average.

    Raises
    ------
    ScoringError
        If k is not positive, or fewer counties can be scored.

    Examples
    --------
    >>> import pandas as pd
    >>> from odforecast.scoring import bpr
    >>> rows = dict(model="a", as_of="2022-11-15", month="2022-09", horizon=3, size="10-19",
    ...     location=["39001", "39003", "39005"], mean=[30.0, 20.0, 5.0], twcrps=1.0,
    ...     observed_low=[30, 1, 15], observed_high=[30, 9, 15], bounded=True)
    >>> bpr(pd.DataFrame(rows), k=2)[["reach_low", "reach_high"]].round(3).values.tolist()
    [[0.689, 0.867]]
    """
    if k < 1:
        raise ScoringError(f"k is {k}, at least one county must be named")
    groups = [by] if isinstance(by, str) else list(by)
    cells = [c for c in UNIT_KEYS if c in scores and c not in ("location", "scale")]
    out = []
    for labels, part in groups_of(scores, groups):
        for model, rows in by_model(part).items():
            reached = []
            for _, cell in rows.groupby(cells, observed=True, dropna=False, sort=False):
                known = cell[cell["bounded"]]
                if known.empty:  # a month that is too young, or not in the release
                    continue
                if len(known) < k:
                    raise ScoringError(
                        f"k is {k}, and {len(known)} counties have a count", hint="take a smaller k"
                    )
                reached.append((*_reach(known, k), len(cell) - len(known)))
            low, high, left = np.mean(reached, axis=0) if reached else np.full(3, np.nan)
            line = {
                "k": k,
                "n": len(reached),
                "reach_low": low,
                "reach_high": high,
                "n_left_out": left,
            }
            out.append(labels | {"model": model} | line)
    return titled(out)


def _reach(known: pd.DataFrame, k: int) -> tuple[float, float]:
    """Least and greatest reach of the k counties with the highest expected counts."""
    ranked = known.sort_values(["mean", "location"], ascending=[False, True], kind="stable")
    low = ranked["observed_low"].to_numpy(dtype=float)
    high = ranked["observed_high"].to_numpy(dtype=float)
    named = np.arange(len(ranked)) < k
    out = []
    for mine, other in ((low, high), (high, low)):
        # A death more in a named county adds to both sides, one elsewhere to the best k only.
        value = np.where(named, mine, other)
        best = np.sort(value)[-k:].sum()
        out.append(float(value[named].sum() / best) if best > 0 else 1.0)
    return out[0], out[1]
