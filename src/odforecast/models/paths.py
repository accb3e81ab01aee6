"""What the simple forecasters share: checks, trailing months, sums back to months, quantiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from odforecast.errors import OdforecastError, PanelError
from odforecast.models.spec import MIN_MONTHS
from odforecast.panel import Floats, Panel

#: Fewest past errors a spread is read from.
MIN_ERRORS = 8


def usable_locations(
    panel: Panel, model: str, min_months: int = MIN_MONTHS
) -> tuple[list[str], dict[str, str]]:
    """Locations with enough months, and why the others are left out; refused if none is left."""
    states, skipped = panel.usable(min_months)
    require_some(states, skipped, panel=panel, model=model)
    return list(states), skipped


def require_some(
    states: tuple[str, ...] | list[str],
    skipped: Mapping[str, str],
    panel: Panel,
    model: str,
) -> None:
    """Refuse a panel of which no location could be used, with the first reasons."""
    if states:
        return
    first = list(skipped.items())[:3]
    reasons = "; ".join(f"{state}: {reason}" for state, reason in first)
    raise PanelError(
        f"{model} can use none of the {len(panel.locations)} locations as of {panel.as_of} "
        f"({reasons})",
        hint="take a later date, a longer history, or other locations",
    )


def one_line(error: Exception) -> str:
    """Why one series failed, in one line: of an error that is not ours its class too."""
    if isinstance(error, OdforecastError):
        text = error.message
        kind = ""
    else:
        text = str(error)
        kind = type(error).__name__
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    parts = [part for part in (kind, *lines[:1]) if part]
    text = ": ".join(parts)
    return text if len(text) <= 200 else text[:199] + "…"


def trailing_months(panel: Panel, state: str) -> Floats:
    """Months of a location since its last gap, oldest first, shape (n,)."""
    return since_last_gap(panel.monthly[panel.index(state)])


def since_last_gap(row: Floats) -> Floats:
    """The end of a row after its last NaN, shape (n,)."""
    gaps = np.flatnonzero(np.isnan(row))
    return row[gaps[-1] + 1 :] if gaps.size else row


def months_from_sums(sums: Floats, last_sum: float | Floats, months: Floats) -> Floats:
    """Monthly paths whose 12-month-ending sums are the given paths, (D, H) or (D, L, H)."""
    # `m[T+h] = S[T+h] - S[T+h-1] + m[T+h-12]`: exact, whatever the months before. `last_sum` is
    # the sum just before, and `months` those up to then: the last 12 add up to it.
    horizon = sums.shape[-1]
    out = np.empty((*sums.shape[:-1], 12 + horizon))
    out[..., :12] = months[..., -12:]
    np.subtract(sums[..., 0], last_sum, out=out[..., 12])
    np.subtract(sums[..., 1:], sums[..., :-1], out=out[..., 13:])
    for h in range(12, 12 + horizon):
        out[..., h] += out[..., h - 12]
    return np.asarray(out[..., 12:])


def below_zero(count: int, size: int, what: str = "months") -> list[str]:
    """What to say about draws below zero; nothing where there were none."""
    if not count:
        return []
    return [f"{count:,} of {size:,} drawn {what} were below zero and set to 0"]


def floor_at_zero(
    draws: Floats, states: list[str], what: str
) -> tuple[Floats, tuple[str, ...]]:
    """Set negative draws (D, L, M) to zero, and say about ``what`` and where there were some."""
    below = draws < 0
    if not below.any():
        return draws, ()
    affected = np.flatnonzero(below.any(axis=(0, 2)))
    names = ", ".join(states[i] for i in affected)
    (text,) = below_zero(int(below.sum()), draws.size, what=what)
    return np.where(below, 0.0, draws), (f"{text} ({names})",)


def symmetric_quantiles(errors: Floats, levels: Floats) -> Floats:
    """Quantiles of the errors and their mirror images: zero at 0.5, odd around it."""
    return np.asarray(np.quantile(np.concatenate([errors, -errors]), levels))


def shuffled_levels(draws: int, rng: np.random.Generator) -> Floats:
    """One level in the middle of each of ``draws`` equal strata of (0, 1), in random order."""
    return np.asarray((rng.permutation(draws) + 0.5) / draws)
