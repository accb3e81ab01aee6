"""Intervention: an assumed effect on log monthly deaths, with priors for all it depends on.

In location *s* and month *t*, with ``x = t - onset - lag`` in months,

    delta_s(t) = exposure_s * beta_s * ramp(x / ramp) * 2^(-(x - ramp - plateau)+ / half_life)
                 + exposure_s * rebound(t),        beta_s ~ Normal(share * size, spread)

and monthly deaths are multiplied by ``exp(delta)``. The counts cannot identify "cooperation":
the size is an assumption with a source and a grade, never an estimate from a step at a
diplomatic date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.months import Months, to_month
from odforecast.panel import Floats
from odforecast.scenario.priors import Beta, Fixed, Prior, SpikeSlab
from odforecast.scenario.wording import shown
from odforecast.seeds import content_hash, seed_from

#: First month behind CDC's counts, and the last month an onset may have.
FIRST_MONTH = np.datetime64("2014-02", "M")
LAST_MONTH = np.datetime64("2099-12", "M")

GRADES = ("high", "medium", "low–medium", "low", "very low", "none", "user")

#: Exposures worked out from data; ``-relative`` divides by the nation's, so that the size is
#: the nation's.
NAMED_EXPOSURES = (
    "fentanyl-share",
    "fentanyl-share-relative",
    "nflis-share",
    "nflis-share-relative",
)

#: Rows that hold other rows: the spread between states averages out in them.
NATION = "US"

Exposure = float | str | Mapping[str, float]

_ZERO, _ONE, _HALF_YEAR, _YEAR = Fixed(0), Fixed(1), Fixed(6), Fixed(12)


@dataclass(frozen=True)
class Rebound:
    """Substitution after a success: other drugs or makers fill the gap.

    It happens only where the intervention did lower deaths (its drawn effect is negative).

    Attributes
    ----------
    size : Prior
        Log rate ratio, usually above 0.
    p_null : float
        Probability of no rebound.
    after : Prior
        Months from the full effect (onset + lag + ramp) to the start of the rebound.
    ramp : Prior
        Months until it is full.
    half_life : Prior or None
        Months until half of it is gone; None: it stays.
    """

    size: Prior
    p_null: float = 0.0
    after: Prior = _YEAR
    ramp: Prior = _HALF_YEAR
    half_life: Prior | None = None

    def __post_init__(self) -> None:
        SpikeSlab(self.size, self.p_null)
        for key in ("after", "ramp", "half_life"):
            _nonnegative(f"rebound.{key}", getattr(self, key))


@dataclass(frozen=True)
class Intervention:
    """One thing that may happen, and what it would do.

    Attributes
    ----------
    name : str
        Interventions of one name share their random numbers in all scenarios, so that two
        scenarios differ only by what they assume.
    size : Prior
        Log rate ratio of monthly deaths at full effect and exposure 1.
    onset : tuple of two months
        First and last month in which it may begin, each equally likely.
    probability : float
        Probability that it happens at all.
    p_null : float
        Probability that it does nothing although it happens.
    lag, ramp, plateau : Prior
        Months until the effect begins, until it is full, and until it begins to fade.
    half_life : Prior or None
        Months until half of it is gone; None: it stays.
    rebound : Rebound or None
        Substitution after a success.
    exposure : float, str or mapping
        Share of the effect a location feels: one number, one of :data:`NAMED_EXPOSURES`, or
        location to number, with ``"default"`` for the rest.
    spread : float
        Standard deviation of the log rate ratio between states.
    share : Prior
        The size is multiplied by it: the share of an episode that is credited to the policy.
    source, grade : str
        Where the assumption comes from, and how good the evidence is.

    Examples
    --------
    >>> from odforecast.scenario.priors import Fixed, Normal
    >>> half = Intervention("shock", Normal(-0.45, 0.2), onset="2026-03", ramp=Fixed(12))
    >>> half.onset
    (np.datetime64('2026-03'), np.datetime64('2026-03'))
    >>> half.curve(np.arange("2026-03", "2027-06", dtype="datetime64[M]"))[[0, 6, 12, 14]].tolist()
    [0.0, 0.5, 1.0, 1.0]
    """

    name: str
    size: Prior
    onset: Any
    probability: float = 1.0
    p_null: float = 0.0
    lag: Prior = _ZERO
    ramp: Prior = _ZERO
    plateau: Prior = _ZERO
    half_life: Prior | None = None
    rebound: Rebound | None = None
    exposure: Exposure = 1.0
    spread: float = 0.15
    share: Prior = _ONE
    source: str = ""
    grade: str = "user"
    note: str = ""

    def __post_init__(self) -> None:
        pair = self.onset if isinstance(self.onset, tuple | list) else (self.onset, self.onset)
        if len(pair) != 2:
            raise ScenarioError(
                f"{self.name}: onset is {shown(self.onset)}, allowed: one or two months"
            )
        onset = (to_month(pair[0]), to_month(pair[1]))
        object.__setattr__(self, "onset", onset)
        if not FIRST_MONTH <= onset[0] <= onset[1] <= LAST_MONTH:
            raise ScenarioError(
                f"{self.name}: onset is {onset[0]}..{onset[1]}, allowed: {FIRST_MONTH} "
                f"(where the data begin) to {LAST_MONTH}, the first not after the last"
            )
        for key in ("probability", "p_null"):
            value = getattr(self, key)
            if not 0.0 <= value <= 1.0:
                raise ScenarioError(f"{self.name}: {key} is {value:g}, allowed: 0 to 1")
        if not 0.0 <= self.spread <= 2.0:
            raise ScenarioError(f"{self.name}: spread is {self.spread:g}, allowed: 0 to 2")
        for key in ("lag", "ramp", "plateau", "half_life", "share"):
            _nonnegative(f"{self.name}: {key}", getattr(self, key))
        if self.grade not in GRADES:
            raise ScenarioError(
                f"{self.name}: grade is {shown(self.grade)}, allowed: {', '.join(GRADES)}"
            )
        if isinstance(self.exposure, Mapping):
            table = {str(k): float(v) for k, v in self.exposure.items()}
            object.__setattr__(self, "exposure", MappingProxyType(table))
            _check_exposure(self.name, table)
        elif isinstance(self.exposure, str):
            if self.exposure not in NAMED_EXPOSURES:
                raise ScenarioError(
                    f"{self.name}: exposure is {shown(self.exposure)}, allowed: a number, a "
                    f"table by location, or {', '.join(NAMED_EXPOSURES)}"
                )
        else:
            _check_exposure(self.name, {"exposure": float(self.exposure)})

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if isinstance(self.exposure, Mapping):
            state["exposure"] = dict(self.exposure)  # a mapping proxy does not pickle
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self.exposure, Mapping):
            object.__setattr__(self, "exposure", MappingProxyType(dict(self.exposure)))

    def __hash__(self) -> int:
        return int(content_hash(repr(self)), 16)

    @property
    def prior(self) -> SpikeSlab:
        """Prior of the effect, the possibility of none included."""
        return SpikeSlab(self.size, self.p_null)

    def scaled(self, share: float | Prior) -> Intervention:
        """The same, working only ``share`` as well: 0.5 for half, 0 for not at all."""
        prior = share if isinstance(share, Prior) else Fixed(float(share))
        return replace(self, share=prior)

    def curve(self, months: Months) -> Floats:
        """Share of the full effect in each month, every prior at its median, shape (M,)."""
        half = {key: np.full(1, 0.5) for key in ("onset", "lag", "ramp", "plateau", "half_life")}
        return np.asarray(self._shape(months, half)[0])

    def draw(
        self, months: Months, locations: Sequence[str], exposure: Floats, draws: int, seed: int
    ) -> Floats:
        """Draws of the log rate ratio.

        Parameters
        ----------
        months : ndarray of datetime64[M], shape (M,)
            Months.
        locations : sequence of str
            L locations. ``US`` has the mean effect: what differs between states averages out.
        exposure : ndarray, shape (L,)
            Share of the effect each location feels.
        draws : int
            How many, D.
        seed : int
            The same seed and name give the same draws, whatever the locations' order.

        Returns
        -------
        ndarray, shape (D, L, M)
        """
        u = {key: self._uniforms(seed, key, draws) for key in _STREAMS}
        happens = u["probability"] < self.probability
        works = happens & (u["p_null"] >= self.p_null)
        beta = np.where(works, self.size.ppf(u["size"]) * self.share.ppf(u["share"]), 0.0)
        shape = self._shape(months, u)
        noise = np.zeros((draws, len(locations)))
        if self.spread > 0:
            for i, state in enumerate(locations):
                if state != NATION:
                    key = seed_from("scenario", seed, self.name, "spread", state)
                    noise[:, i] = np.random.default_rng(key).standard_normal(draws)
            # Without an effect there is nothing that could differ between states.
            noise *= self.spread * np.where(works & (beta != 0.0), 1.0, 0.0)[:, None]
        scale = exposure * (beta[:, None] + noise)
        out: Floats = scale[:, :, None] * shape[:, None, :]
        if self.rebound is not None:
            success = (beta < 0.0) & (u["rebound.p_null"] >= self.rebound.p_null)
            size = np.where(success, self.rebound.size.ppf(u["rebound.size"]), 0.0)
            rebound = size[:, None] * self._rebound_shape(months, u, self.rebound)
            out += exposure[:, None] * rebound[:, None, :]
        return out

    def _uniforms(self, seed: int, key: str, draws: int) -> Floats:
        return np.random.default_rng(seed_from("scenario", seed, self.name, key)).random(draws)

    def _since(self, months: Months, u: Mapping[str, Floats]) -> Floats:
        """Months since the effect began, shape (D, M)."""
        choices = int((self.onset[1] - self.onset[0]).astype(int)) + 1
        offset = np.floor(u["onset"] * choices)
        elapsed = (months - self.onset[0]).astype(float)
        return np.asarray(elapsed[None, :] - (offset + self.lag.ppf(u["lag"]))[:, None])

    def _shape(self, months: Months, u: Mapping[str, Floats]) -> Floats:
        ramp, plateau = self.ramp.ppf(u["ramp"]), self.plateau.ppf(u["plateau"])
        half = None if self.half_life is None else self.half_life.ppf(u["half_life"])
        return rise_and_fade(self._since(months, u), ramp, plateau, half)

    def _rebound_shape(self, months: Months, u: Mapping[str, Floats], rebound: Rebound) -> Floats:
        wait = self.ramp.ppf(u["ramp"]) + rebound.after.ppf(u["rebound.after"])
        half = rebound.half_life
        return rise_and_fade(
            self._since(months, u) - wait[:, None],
            rebound.ramp.ppf(u["rebound.ramp"]),
            np.zeros(wait.size),
            None if half is None else half.ppf(u["rebound.half_life"]),
        )

    def to_pymc(self, months: Months) -> Any:
        """The national log rate ratio as a term of a PyMC model, shape (M,).

        Call it inside a model context, for a **past** event whose onset is one known month.
        Variables are named ``<name>.size``, ``<name>.lag`` and so on. The slab alone enters:
        samplers of continuous parameters cannot switch an effect off, so weigh the result by
        the evidence for no effect, and report :func:`odforecast.scenario.identifiability`.

        Raises
        ------
        ScenarioError
            If the onset is a range.
        """
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        if self.onset[0] != self.onset[1]:
            raise ScenarioError(
                f"{self.name}: onset is a range, allowed in a likelihood: one month"
            )
        size, share, lag, ramp, plateau = (
            getattr(self, key).to_pymc(f"{self.name}.{key}")
            for key in ("size", "share", "lag", "ramp", "plateau")
        )
        since = (months - self.onset[0]).astype(float) - lag
        risen = pm.math.clip(since / pm.math.maximum(ramp, 1e-6), 0.0, 1.0)
        if self.half_life is not None:
            half = self.half_life.to_pymc(f"{self.name}.half_life")
            faded = pm.math.maximum(since - ramp - plateau, 0.0)
            risen = risen * pm.math.exp(-np.log(2.0) * faded / half)
        return pm.Deterministic(f"{self.name}.effect", size * share * risen)


_STREAMS = (
    "probability", "p_null", "size", "share", "onset", "lag", "ramp", "plateau", "half_life",
    "rebound.p_null", "rebound.size", "rebound.after", "rebound.ramp", "rebound.half_life",
)  # fmt: skip

#: Share of the 2023–24 fall that may be credited to cooperation: a judgement.
ATTRIBUTION = Beta(1.5, 4)


def rise_and_fade(since: Floats, ramp: Floats, plateau: Floats, half_life: Floats | None) -> Floats:
    """Share of the full effect: a straight rise, a plateau, an exponential fade.

    Parameters
    ----------
    since : ndarray, shape (D, M)
        Months since the effect began; below 0 before.
    ramp, plateau : ndarray, shape (D,)
        Months of rise and plateau; a ramp of 0 is a step at ``since >= 0``.
    half_life : ndarray, shape (D,), or None
        Months until half is gone; None: it stays.

    Returns
    -------
    ndarray, shape (D, M)

    Examples
    --------
    >>> since = np.array([[-1.0, 0.0, 3.0, 6.0, 18.0]])
    >>> rise_and_fade(since, np.array([6.0]), np.zeros(1), np.array([12.0])).tolist()
    [[0.0, 0.0, 0.5, 1.0, 0.5]]
    """
    step = ramp[:, None] <= 0
    safe = np.where(step, 1.0, ramp[:, None])
    risen = np.where(step, since >= 0, np.clip(since / safe, 0.0, 1.0)).astype(float)
    if half_life is None:
        return risen
    faded = np.maximum(since - (ramp + plateau)[:, None], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.exp2(-faded / half_life[:, None])
    # A half-life of exactly 0 is gone at once.
    return np.asarray(risen * np.where(faded > 0, left, 1.0))


def _nonnegative(key: str, prior: Prior | None) -> None:
    if prior is not None and prior.interval(0.99)[0] < 0:
        raise ScenarioError(f"{key} is {prior}, allowed: 0 or more")


def _check_exposure(name: str, table: Mapping[str, float]) -> None:
    for key, value in table.items():
        if not 0.0 <= value <= 5.0:
            raise ScenarioError(f"{name}: exposure of {key} is {value:g}, allowed: 0 to 5")
