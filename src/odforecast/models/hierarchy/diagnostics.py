"""Did the sampler work, and does the model look like the data? Stated limits, visible warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.panel import Floats

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Limits:
    """What a sample of a posterior must reach.

    Attributes
    ----------
    r_hat : float
        Largest rank-normalised split R-hat of any quantity kept.
    ess_bulk, ess_tail : float
        Smallest effective sample sizes.
    divergences : int
        Divergent transitions after tuning.
    """

    r_hat: float = 1.01
    ess_bulk: float = 400.0
    ess_tail: float = 400.0
    divergences: int = 0


@dataclass(frozen=True, eq=False)
class Convergence:
    """Outcome of :func:`convergence`.

    Attributes
    ----------
    table : DataFrame
        One row per variable: its worst ``r_hat``, ``ess_bulk``, ``ess_tail``.
    divergences : int
    warnings : tuple of str
        One sentence per failed check; empty when all passed.
    """

    table: pd.DataFrame
    divergences: int
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not self.warnings


def convergence(idata: xr.DataTree, limits: Limits | None = None) -> Convergence:
    """Check a posterior sample against limits.

    A quantity that never changes (or is not finite) in the sample fails: nothing was sampled.

    Parameters
    ----------
    idata : DataTree
        With ``posterior`` (at least two chains) and ``sample_stats``.
    limits : Limits, optional

    Examples
    --------
    >>> import arviz_base as az
    >>> rng = np.random.default_rng(0)
    >>> good = az.from_dict({"posterior": {"x": rng.normal(size=(4, 1000))}})
    >>> convergence(good).passed
    True
    """
    import arviz_stats

    az: Any = arviz_stats

    limits = limits or Limits()
    posterior = idata["posterior"].to_dataset()
    sets = {
        "r_hat": az.rhat(posterior),
        "ess_bulk": az.ess(posterior, method="bulk"),
        "ess_tail": az.ess(posterior, method="tail"),
    }
    worst = {"r_hat": np.max, "ess_bulk": np.min, "ess_tail": np.min}
    names = [str(v) for v in posterior.data_vars]
    table = pd.DataFrame(
        {key: [float(worst[key](found[v].values)) for v in names] for key, found in sets.items()},
        index=pd.Index(names, name="variable"),
    )
    divergent = 0
    if "sample_stats" in idata.children and "diverging" in idata["sample_stats"]:
        divergent = int(np.asarray(idata["sample_stats"]["diverging"]).sum())
    warnings = []
    for key, limit, sign in (
        ("r_hat", limits.r_hat, 1.0),
        ("ess_bulk", limits.ess_bulk, -1.0),
        ("ess_tail", limits.ess_tail, -1.0),
    ):
        # NaN (nothing moved) fails as well.
        bad = table.index[~(sign * table[key] <= sign * limit)]
        if len(bad):
            value = table[key].max() if sign > 0 else table[key].min()
            above = "above" if sign > 0 else "below"
            warnings.append(
                f"not converged: {key} {value:.4g} is {above} {limit:g} ({', '.join(bad[:4])}"
                f"{' …' if len(bad) > 4 else ''}); sample longer"
            )
    if divergent > limits.divergences:
        warnings.append(
            f"{divergent} divergent transitions: the draws may miss part of the posterior"
        )
    return Convergence(table, divergent, tuple(warnings))


def predictive_table(
    observed: Floats, seen: NDArray[np.bool_], replicated: Floats, locations: tuple[str, ...]
) -> pd.DataFrame:
    """Statistics of the observed months against those of replicated ones.

    Parameters
    ----------
    observed : ndarray, shape (S, n)
        Monthly deaths.
    seen : ndarray of bool, shape (S, n)
        Which of them count.
    replicated : ndarray, shape (D, S, n)
        The same months drawn from the model.
    locations : tuple of str

    Returns
    -------
    DataFrame
        One row per location and statistic: ``observed``, the predictive ``q05``, ``q50``,
        ``q95``, and ``p``, the share of draws above the observed (ties count half). A ``p``
        near 0 or 1 says that the model does not produce data like these.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y = rng.poisson(50.0, size=(201, 1, 40)).astype(float)
    >>> table = predictive_table(y[0], np.ones((1, 40), bool), y[1:], ("OH",))
    >>> table["p"].between(0.01, 0.99).all()
    np.True_
    """
    rows = []
    for i, state in enumerate(locations):
        keep = np.asarray(seen[i], dtype=bool)
        real, fake = _statistics(observed[i, keep]), _statistics(replicated[:, i, keep])
        for name, value in real.items():
            draws = fake[name]
            low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
            share = float((draws > value).mean() + 0.5 * (draws == value).mean())
            rows.append((state, name, float(value), low, middle, high, share))
    columns = ["location", "statistic", "observed", "q05", "q50", "q95", "p"]
    return pd.DataFrame(rows, columns=columns)


def _statistics(y: Floats) -> Mapping[str, Floats]:
    """Statistics over the last axis."""
    logs = np.log(y + 0.5)
    step = np.diff(logs, axis=-1)
    centred = step - step.mean(axis=-1, keepdims=True)
    square = (centred**2).sum(axis=-1)
    echo = (centred[..., 1:] * centred[..., :-1]).sum(axis=-1)
    return {
        "mean": y.mean(axis=-1),
        "largest": y.max(axis=-1),
        "smallest": y.min(axis=-1),
        "sd of monthly log change": step.std(axis=-1),
        "largest monthly log change": np.abs(step).max(axis=-1),
        "lag-1 correlation of changes": np.divide(
            echo, square, out=np.zeros_like(echo), where=square > 0
        ),
    }
