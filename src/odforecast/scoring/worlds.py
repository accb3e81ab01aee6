"""Draws of places as joint scores take them, with what came; and the control, shuffled draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from odforecast.forecast import Forecast
from odforecast.geography import NATION, REGIONS, parts_of
from odforecast.months import ONE_MONTH
from odforecast.names import LOCATION, STATES, TARGET_12MO
from odforecast.scoring.joint_rows import Row
from odforecast.scoring.turning import drawn_changes
from odforecast.seeds import Streams

if TYPE_CHECKING:
    from odforecast.scoring.truth import Truth

Floats = NDArray[np.float64]

NOT_PLACES: Final = "the draws are not joint over places"
NOT_MONTHS: Final = "the draws are not joint over months"


@dataclass(frozen=True)
class World:
    """One set of draws, of places but the nation, with what came; the control is another.

    ``first`` and ``later`` are changes on a year earlier, at the last known month and after it.
    """

    forecast: Forecast
    control: bool
    key: tuple[object, ...]
    places: tuple[str, ...]
    horizons: NDArray[np.int64]
    months: NDArray[np.datetime64]
    draws: Floats
    order: NDArray[np.intp]
    observed: Floats
    first: Floats
    later: Floats
    came: Floats
    why: NDArray[np.object_]

    def joint(self, axis: str) -> bool:
        """Whether the draws are joint over an axis."""
        return axis in self.forecast.joint

    def row(self, statistic: str, place: str) -> partial[Row]:
        """A row of the table, still without its scores."""
        return partial(Row, statistic, place, self.control, len(self.draws), (*self.key, statistic))


def worlds_of(
    forecast: Forecast,
    truth: Truth,
    seed: int,
    target: str,
    rows: list[int],
    months: NDArray[np.intp],
) -> list[World]:
    """The draws of these places and months; where places are joined, the control after them."""
    places = tuple(forecast.locations[i] for i in rows)
    samples = forecast.samples(target)
    at = forecast.months[months]
    observed, why = truth.observed(places, at, target)
    shape = (len(samples), len(rows))
    first, later = np.full(shape, np.nan), np.full((*shape, months.size), np.nan)
    came = np.full((len(rows), 1 + months.size), np.nan)
    if target == TARGET_12MO:
        start, changes = drawn_changes(forecast, samples)
        first, later = start[:, rows], changes[:, rows][:, :, months]
        last, _ = truth.observed(places, np.array([forecast.last_month]))
        earlier = np.append(np.datetime64(forecast.last_month, "M"), at)
        before, _ = truth.observed(places, earlier - 12 * ONE_MONTH)
        came = np.concatenate([last, observed], axis=1) - before
    panel = forecast.panel
    streams = Streams(
        seed,
        STATES,
        panel.indicator if panel is not None else "",
        str(np.datetime64(forecast.last_month, "M")),
    )
    key = (seed, forecast.provenance.get("model", ""), forecast.as_of, target)
    draws = np.ascontiguousarray(samples[:, rows][:, :, months])
    # Pairs of draws are drawn from here on: neighbours may be alike, in a blend of models are.
    order = streams.generator("pairs").permutation(len(draws))
    plain = World(forecast, False, key, places, forecast.horizons[months], at, draws, order,
                   observed, first, later, came, why)  # fmt: skip
    if LOCATION not in forecast.joint or len(places) < 2:
        return [plain]
    mix = partial(shuffled, places=places, streams=streams)
    control = World(forecast, True, (*key, "control"), places, plain.horizons, at, mix(draws),
                     order, observed, mix(first), mix(later), came, why)  # fmt: skip
    return [plain, control]


def shuffled(draws: Floats, places: Sequence[str], streams: Streams) -> Floats:
    """Draws with each place's paths in an order of its own: the control.

    Parameters
    ----------
    draws : ndarray, shape (D, L, ...)
    places : sequence of str
        The L places: each has its own stream, whichever others are there.
    streams : Streams

    Returns
    -------
    ndarray, shape (D, L, ...)
        Each place's paths are the same ones, whole; no two places' hang together.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.seeds import Streams
    >>> draws = np.tile(np.arange(4.0)[:, None], (1, 2))
    >>> made = shuffled(draws, ["OH", "WV"], Streams(1, "states", "all-drugs", "2024-07"))
    >>> np.array_equal(np.sort(made, axis=0), draws), np.array_equal(made, draws)
    (True, False)
    """
    out = np.empty_like(draws)
    for i, place in enumerate(places):
        out[:, i] = draws[streams.generator("control", place).permutation(len(draws)), i]
    return out


@dataclass(frozen=True)
class Sum:
    """A sum of places: which, and why it cannot be taken."""

    name: str
    parts: list[int]
    n_parts: int
    reason: str


def sums_of(world: World) -> list[Sum]:
    """Each census region and the nation, as sums of places."""
    row = {place: i for i, place in enumerate(world.places)}
    out = []
    for name in (NATION, *REGIONS):
        parts = parts_of(name)
        there = [row[s] for s in parts if s in row]
        why = "" if world.joint(LOCATION) else NOT_PLACES
        if not why and len(there) < len(parts):
            why = f"{len(parts) - len(there)} of its {len(parts)} parts are not forecast"
        out.append(Sum(name, there, len(parts), why))
    return out


def first_reason(why: NDArray[np.object_]) -> str:
    """The first reason there is; empty if all can be scored."""
    return next((str(x) for x in why.ravel() if x), "")
