"""Intervention: an assumed effect on log monthly deaths, with priors for all it depends on.

In state *s* of region *r* and month *t*, with ``x = t - onset - lag_r`` in months,

    delta_s(t) = b_s shape(x) + fraction (-b_s)+ rebound shape(x - ramp - after)
    b_s        = c beta u_s exposure_s,    u_s ~ LogNormal(-tau^2 / 2, tau)
    shape(x)   = ramp(x / ramp) * (residue + (1 - residue) 2^(-(x - ramp - plateau)+ / half_life))

and monthly deaths of the scope are multiplied by ``exp(delta)``. Every state keeps the sign of
beta, and ``c`` makes the nation's deaths over the months ahead change by ``exp(beta)`` at full
strength in every draw (with exposures that differ, c is 1 and the nation's effect is an output).
A rebound is a fraction of the success that it follows. The counts cannot identify "cooperation":
the size is an assumption with a source and a grade, never an estimate from a step at a diplomatic
date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.months import Months
from odforecast.panel import Floats
from odforecast.scenario import drawing, limits
from odforecast.scenario.limits import ALL
from odforecast.scenario.limits import NATION as NATION
from odforecast.scenario.priors import Beta, Fixed, Prior, SpikeSlab
from odforecast.scenario.shape import rise_and_fade as rise_and_fade

Exposure = float | str | Mapping[str, float]

_ZERO, _ONE, _HALF_YEAR, _YEAR = Fixed(0), Fixed(1), Fixed(6), Fixed(12)


@dataclass(frozen=True)
class Rebound:
    """Substitution after a success: other drugs or makers fill the gap.

    It happens only where the intervention did lower deaths, and in proportion to that.

    Attributes
    ----------
    fraction : Prior
        Part of the full effect that the rebound takes back, 0 to 1.
    p_null : float
        Probability of no rebound.
    after : Prior
        Months from the full effect (onset + lag + ramp) to the start of the rebound.
    ramp : Prior
        Months until it is full.
    half_life : Prior or None
        Months until half of it is gone; None: it stays.
    """

    fraction: Prior
    p_null: float = 0.0
    after: Prior = _YEAR
    ramp: Prior = _HALF_YEAR
    half_life: Prior | None = None

    def __post_init__(self) -> None:
        SpikeSlab(self.fraction, self.p_null)
        limits.within("rebound.fraction", self.fraction, 0.0, 1.0)
        for key in ("after", "ramp", "half_life"):
            limits.within(f"rebound.{key}", getattr(self, key))


@dataclass(frozen=True)
class Intervention:
    """One thing that may happen, and what it would do.

    Attributes
    ----------
    name : str
        Interventions of one name share their random numbers in all scenarios, so that two
        scenarios differ only by what they assume.
    size : Prior
        Log rate ratio of the scope's monthly deaths at full strength, given that there is an
        effect.
    onset : tuple of two months, or None
        First and last month in which it may begin, each equally likely. None is left open: the
        month after the as-of date of the forecast that it is projected on.
    scope : str
        Whose deaths it changes: ``"all-drugs"``, or a class such as ``"T40.4"``. Of a class,
        each draw's own deaths of that class change, and all deaths by as many.
    probability : float
        Probability that it happens at all.
    p_null : float
        Probability that it does nothing although it happens.
    direction : {"either", "fall", "rise"}
        With ``"fall"`` or ``"rise"`` the other tail of the size is nothing.
    lag, ramp, plateau : Prior
        Months until the effect begins, until it is full, and until it begins to fade.
    lag_spread : Prior
        Sd of the log of a census region's own lag, around the nation's.
    half_life : Prior or None
        Months until half of it is gone; None: it stays.
    residue : Prior
        Share of the effect that never fades.
    rebound : Rebound or None
        Substitution after a success.
    exposure : float, str or mapping
        Share of the effect a location feels: one number, one of :data:`NAMED_EXPOSURES`, or
        location to number, with ``"default"`` for the rest.
    spread : Prior, optional
        Sd of the log of a state's own factor. Default: Uniform(0, 0.5); 0 for a fixed size.
    share : Prior
        The size is multiplied by it: the share of an episode that is credited to the policy.
    replaced : Prior
        Part of a class's averted deaths that come all the same, from another drug.
    backfire : str
        By what mechanism it could raise deaths.
    source, grade, note : str
        Where the assumption comes from, and how good the evidence is.
    references : tuple of str
        The works cited, in full.

    Examples
    --------
    >>> import numpy as np
    >>> from odforecast.scenario import Fixed, Intervention, Normal
    >>> half = Intervention("shock", Normal(-0.45, 0.2), onset="2026-03", ramp=Fixed(12))
    >>> half.onset
    (np.datetime64('2026-03'), np.datetime64('2026-03'))
    >>> half.curve(np.arange("2026-03", "2027-06", dtype="datetime64[M]"))[[0, 6, 12, 14]].tolist()
    [0.0, 0.5, 1.0, 1.0]
    >>> tuple(round(x, 2) for x in half.chances())  # works, nothing, backfires
    (0.99, 0.0, 0.01)
    """

    name: str
    size: Prior
    onset: Any = None
    scope: str = ALL
    probability: float = 1.0
    p_null: float = 0.0
    direction: str = "either"
    lag: Prior = _ZERO
    lag_spread: Prior = _ZERO
    ramp: Prior = _ZERO
    plateau: Prior = _ZERO
    half_life: Prior | None = None
    residue: Prior = _ZERO
    rebound: Rebound | None = None
    exposure: Exposure = 1.0
    spread: Any = None
    share: Prior = _ONE
    replaced: Prior = _ZERO
    backfire: str = ""
    source: str = ""
    grade: str = "user"
    note: str = ""
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        limits.fill(self)
        limits.check(self)

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
        held = {**self.__dict__}
        if isinstance(self.exposure, Mapping):
            held["exposure"] = tuple(sorted(self.exposure.items()))
        return hash(tuple(held.values()))

    def at(self, onset: object) -> Intervention:
        """The same, beginning then, if it was left open."""
        return replace(self, onset=onset) if self.onset is None else self

    @property
    def national(self) -> bool:
        """Whether all locations feel it alike, so that its size is the nation's effect."""
        return isinstance(self.exposure, int | float)

    @property
    def prior(self) -> SpikeSlab:
        """Prior of the effect, the possibility of none included."""
        return SpikeSlab(self.size, self.p_null)

    def chances(self) -> tuple[float, float, float]:
        """Probability that it works, does nothing, and backfires.

        It works where it averts deaths over the 36 months from its onset, whatever horizon is
        shown, and backfires where it adds some.
        """
        return drawing.chances(self)

    def scaled(self, share: float | Prior) -> Intervention:
        """The same, working only ``share`` as well: 0.5 for half, 0 for not at all."""
        prior = share if isinstance(share, Prior) else Fixed(float(share))
        return replace(self, share=prior)

    def curve(self, months: Months) -> Floats:
        """Share of the full effect in each month, every prior at its median, shape (M,)."""
        return drawing.curve(self, months)

    def draw(
        self,
        months: Months,
        locations: Sequence[str],
        exposure: Floats,
        draws: int,
        seed: int,
        weights: Mapping[str, Floats] | None = None,
    ) -> Floats:
        """Draws of the log rate ratio.

        Parameters
        ----------
        months : ndarray of datetime64[M], shape (M,)
            Months.
        locations : sequence of str
            L locations. ``US``, and any other sum, has the mean effect.
        exposure : ndarray, shape (L,)
            Share of the effect each location feels.
        draws : int
            How many, D.
        seed : int
            The same seed and name give the same draws, whatever the locations' order.
        weights : mapping of str to ndarray, shape () or (D,), optional
            Deaths of the scope in each of the 52 jurisdictions without the effect: expected, or in
            every draw. Without them, or with exposures that differ, the nation's effect falls
            where the states' factors put it.

        Returns
        -------
        ndarray, shape (D, L, M)
        """
        return drawing.draw(self, months, locations, exposure, draws, seed, weights)

    def to_pymc(self, months: Months) -> Any:
        """The national log rate ratio as a term of a PyMC model, shape (M,).

        Call it inside a model context, for a **past** event whose onset is one known month.
        Variables are named ``<name>.size``, ``<name>.lag`` and so on. The slab alone enters:
        samplers of continuous parameters cannot switch an effect off, so weigh the result by
        the evidence for no effect, and report :func:`odforecast.scenario.identifiability`.

        Raises
        ------
        ScenarioError
            If the onset is open or a range, one tail counts for nothing, or there is a rebound.
        """
        import pymc as pm  # type: ignore[import-untyped,unused-ignore]

        if self.onset is None or self.onset[0] != self.onset[1]:
            raise ScenarioError(
                f"{self.name}: onset is open or a range, allowed in a likelihood: one month"
            )
        if self.rebound is not None or self.direction != "either":
            raise ScenarioError(
                f"{self.name}: a rebound, or a direction other than either, cannot enter a "
                "likelihood"
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
            left = pm.math.exp(-np.log(2.0) * faded / half)
            residue = self.residue.to_pymc(f"{self.name}.residue")
            risen = risen * (residue + (1.0 - residue) * left)
        return pm.Deterministic(f"{self.name}.effect", size * share * risen)


#: Share of the 2023–24 fall that may be credited to cooperation: a judgement.
ATTRIBUTION = Beta(1.5, 4)
