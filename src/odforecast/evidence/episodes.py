"""Leave one episode out: would the others have told us about it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import t as student

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.panel import Floats
from odforecast.scenario.catalogue import events

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_leave_one_out(level: float = 0.9) -> CheckResult:
    """Predict each measured episode from the others alone.

    The prediction is the Student interval for one more draw from a normal population of
    effects. Outcomes differ (deaths of one drug, of all, hospital admissions), so the
    population is wide by nature: that is the point.

    Returns
    -------
    CheckResult
        One row per episode: ``log_rr``, mean, low and high of the prediction from the
        others, ``covered``, ``mean_shift`` (what leaving it out does to the mean), and
        ``largest_shift`` marks the most influential. Passed when the intervals cover at
        least all but one episode.
    """
    library = events()
    chosen = library[library["episode"]].reset_index(drop=True)
    effects = chosen["log_rr"].to_numpy(dtype=float)
    table = predict_each(chosen["event"].tolist(), effects, level)
    missed = table.loc[~table["covered"], "episode"].tolist()
    leading = table.iloc[int(table["mean_shift"].abs().to_numpy().argmax())]
    text = (
        f"Of {len(table)} measured episodes, {int(table['covered'].sum())} lie inside the "
        f"{100 * level:g} % prediction from the others"
        f"{' (outside: ' + ', '.join(missed) + ')' if missed else ''}. Mean log rate ratio "
        f"{effects.mean():+.2f}; leaving out {leading['episode']!r} moves it most, by "
        f"{leading['mean_shift']:+.2f}. Episodes were not chosen at random: large ones are "
        "published."
    )
    return CheckResult(
        "leave-one-episode-out",
        len(missed) <= 1,
        table,
        text,
        {"leave-one-episode-out": lambda: _figure(table)},
    )


def predict_each(names: list[str], effects: Floats, level: float = 0.9) -> pd.DataFrame:
    """Each effect against its prediction from the others.

    Raises
    ------
    ScenarioError
        If there are fewer than 4 effects, or one is missing.

    Examples
    --------
    >>> table = predict_each(list("abcd"), np.array([-0.1, 0.0, -0.2, -3.0]))
    >>> table["covered"].tolist()
    [True, True, True, False]
    """
    if len(effects) < 4 or not np.isfinite(effects).all():
        raise ScenarioError(
            f"{len(effects)} episodes, some without an effect: allowed are 4 or more, all measured"
        )
    rows = []
    for i, name in enumerate(names):
        others = np.delete(effects, i)
        n = others.size
        width = others.std(ddof=1) * np.sqrt(1.0 + 1.0 / n)
        half = float(student.ppf(0.5 + level / 2, n - 1)) * width
        middle = float(others.mean())
        rows.append(
            {
                "episode": name,
                "log_rr": effects[i],
                "predicted": middle,
                "low": middle - half,
                "high": middle + half,
                "covered": bool(abs(effects[i] - middle) <= half),
                "mean_shift": middle - float(effects.mean()),
            }
        )
    return pd.DataFrame(rows)


def _figure(table: pd.DataFrame) -> Figure:
    from odforecast.plot.style import episodes

    return episodes(table)
