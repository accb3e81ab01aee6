"""Leave one episode out: would the others have told us about it?"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import t as student

from odforecast.errors import ScenarioError
from odforecast.evidence.check import CheckResult
from odforecast.panel import Floats, Panel
from odforecast.plot import checks
from odforecast.scenario.catalogue import events
from odforecast.scenario.intervention import NATION

#: The episode of which the user's own counts tell, and the years whose change it was.
OWN, OWN_YEARS = "supply-shock-2023", ("2023-12", "2024-12")


def check_leave_one_out(level: float = 0.9, panel: Panel | None = None) -> CheckResult:
    """Predict each measured episode from the others alone."""
    library = events()
    chosen = library[library["episode"]].reset_index(drop=True)
    effects = chosen["log_rr"].to_numpy(dtype=float)
    table = predict_each(chosen["event"].tolist(), effects, level)
    missed = table.loc[~table["covered"], "episode"].tolist()
    leading = table.iloc[int(table["mean_shift"].abs().to_numpy().argmax())]
    text = (
        f"Of {len(table)} measured episodes, {int(table['covered'].sum())} lie inside the "
        f"{100 * level:g}% prediction from the others"
        f"{' (outside: ' + ', '.join(missed) + ')' if missed else ''}. Mean log rate ratio "
        f"{effects.mean():+.2f}; leaving out {leading['episode']!r} moves it most, by "
        f"{leading['mean_shift']:+.2f}. Episodes were not chosen at random: large ones are "
        "published."
    )
    if panel is not None:
        text += _own(panel, chosen, table)
    name = "leave-one-episode-out"
    return CheckResult(name, len(missed) <= 1, table, text, {name: partial(checks.episodes, table)})


def _own(panel: Panel, chosen: pd.DataFrame, table: pd.DataFrame) -> str:
    """What the data at hand say about the last episode."""
    here = np.flatnonzero(chosen["id"] == OWN)
    months = panel.months.astype(str).tolist()
    if not here.size or NATION not in panel.locations or not set(OWN_YEARS) <= set(months):
        return ""
    counts = panel.reported[panel.index(NATION)]
    first, last = (float(counts[months.index(m)]) for m in OWN_YEARS)
    row = table.iloc[int(here[0])]
    return (
        f" In these data deaths of {panel.indicator!r} changed by {np.log(last / first):+.3f} on "
        f"the log scale from 2023 to 2024, a raw change; the other episodes predict "
        f"{row['low']:+.2f} to {row['high']:+.2f}."
    )


def prior_from_episodes(before: str = "2023-01") -> tuple[float, float, list[str]]:
    """Mean and sd of one more effect, from the episodes that ended before a month."""
    library = events()
    old = library["episode"] & (library["last_month"] < np.datetime64(before, "s"))
    chosen = library[old & library["log_rr"].notna()]
    if len(chosen) < 4:
        raise ScenarioError(f"{len(chosen)} episodes ended before {before}, allowed: 4 or more")
    effects = chosen["log_rr"].to_numpy(dtype=float)
    sd = float(effects.std(ddof=1) * np.sqrt(1.0 + 1.0 / effects.size))
    return float(effects.mean()), sd, chosen["event"].tolist()


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
    n = effects.size - 1
    others = np.stack([np.delete(effects, i) for i in range(effects.size)])
    middle = others.mean(axis=1)
    half = student.ppf(0.5 + level / 2, n - 1) * others.std(axis=1, ddof=1) * np.sqrt(1.0 + 1.0 / n)
    return pd.DataFrame(
        {
            "episode": names,
            "log_rr": effects,
            "predicted": middle,
            "low": middle - half,
            "high": middle + half,
            "covered": np.abs(effects - middle) <= half,
            "mean_shift": middle - effects.mean(),
        }
    )
