"""What the data say of the paths, in PyMC: counts, late arrivals, suppressed counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm  # type: ignore[import-untyped]
import pytensor.tensor

from odforecast.models.delay.deficit import SPAN

#: Untyped calls stay untyped.
pt: Any = pytensor.tensor
#: Completed months are kept above zero: below about this, smoothly.
SMALL = 0.1


def log_gamma(a: Any) -> Any:
    """Stirling's series after a shift by four: exact to 4e-8, and cheap to differentiate."""
    b = a + 4.0
    s = 1.0 / (b * b)
    series = (1.0 / 12.0 - s * (1.0 / 360.0 - s / 1260.0)) / b
    shift = pt.log(a * (a + 1.0) * (a + 2.0) * (a + 3.0))
    return (b - 0.5) * pt.log(b) - b + 0.9189385332046727 + series - shift


def negative_binomial(y: Any, eta: Any, alpha: Any) -> Any:
    """Log probability of counts with log mean ``eta`` and variance mu + mu²/alpha, up to
    ``log y!``, which does not depend on parameters.
    """
    mu = pt.exp(eta)
    return (
        log_gamma(y + alpha)
        - log_gamma(alpha)
        + y * eta
        + alpha * pt.log(alpha)
        - (y + alpha) * pt.log(mu + alpha)
    )


def window_chance(counts: Any, mean: Any, alpha: Any) -> Any:
    """Log probability that a count is one of ``counts``, shape (C,).

    Parameters
    ----------
    counts : shape (C, n)
        Below zero: none.
    mean, alpha : shape (C,)
    """
    there = counts >= 0
    y = pt.switch(there, counts, 0.0)
    terms = negative_binomial(y, pt.log(mean)[:, None], alpha[:, None]) - pt.gammaln(y + 1.0)
    return pt.logsumexp(pt.switch(there, terms, -1e30), axis=1)


def student_t(square: Any, scale: Any, tail: Any) -> Any:
    """Log density of Student's t from a square."""
    constant = pt.gammaln((tail + 1) / 2) - pt.gammaln(tail / 2) - 0.5 * pt.log(tail * np.pi)
    return constant - pt.log(scale) - (tail + 1) / 2 * pt.log1p(square / (tail * scale**2))


def likelihood(d: dict[str, Any], eta: Any, extra: Any) -> None:
    """Counts; those of the last months completed by late arrivals that are not known.

    Parameters
    ----------
    d : dict
        Data of the graph, within its model.
    eta : shape (S, T)
        Log means.
    extra : shape (S,)
        Extra coefficient of variation.
    """
    n_states, n_time = d["counts"].get_value().shape
    known = d["seen"] > 0
    log_mean = pt.switch(known, eta, 0.0)
    variance = (extra**2)[:, None]
    ages = min(SPAN, n_time) if "late" in d else 0
    settled = slice(0, n_time - ages)
    terms = negative_binomial(d["counts"][:, settled], log_mean[:, settled], 1.0 / variance)
    pm.Potential("likelihood", (d["seen"][:, settled] * terms).sum())
    if ages:
        completed = d["counts"][:, -ages:]
        for name, unit in (("late", "late"), ("revision", "revised")):
            own = pm.Normal(f"{name}_own_raw", 0.0, 1.0, shape=n_states)
            shared = pm.Normal(f"{name}_shared_raw", 0.0, 1.0)
            error = d[f"{name}_own"] * own + d[f"{name}_shared"] * shared
            error = pm.Deterministic(f"{name}_error", error)
            completed = completed + d[unit] * error[:, None]
        above = 0.5 * (completed + pt.sqrt(completed**2 + SMALL**2))
        changing = (d["late"] > 0) | (d["revised"] > 0)
        y = pt.switch(changing, above, d["counts"][:, -ages:])
        terms = negative_binomial(y, log_mean[:, -ages:], 1.0 / (variance + d["slack"]))
        # Here y! depends on parameters.
        terms = d["seen"][:, -ages:] * (terms - log_gamma(y + 1.0))
        pm.Potential("open_likelihood", terms.sum())
    if "window" in d:
        mu = pt.exp(pt.dot(d["window_state"], pt.clip(eta, -15.0, 16.0)))
        mean = (d["window"] * mu).sum(axis=1)
        square = (d["window"] * mu**2).sum(axis=1)
        alpha = mean**2 / (pt.dot(d["window_state"], extra**2) * square)
        chance = window_chance(d["window_counts"], mean, alpha)
        pm.Potential("window_likelihood", chance.sum())
