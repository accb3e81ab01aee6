"""A fitted hierarchy: its posterior, and the draws made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.models.delay.constants import said_of
from odforecast.models.delay.deficit import AGES, Factors, how_warnings, late_draws
from odforecast.models.hierarchy.diagnostics import Convergence, predictive_table
from odforecast.models.hierarchy.draws import MAX_LOG_MEAN, counts, fitted_log_mean, future
from odforecast.models.hierarchy.inputs import REST, Effect, Inputs
from odforecast.months import ONE_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

if TYPE_CHECKING:
    import xarray as xr

#: Dimensions of the variables of the posterior, after chain and draw.
DIMS: Mapping[str, tuple[str, ...]] = {
    "level": ("location",),
    "path": ("location", "knot"),
    "increment": ("location",),
    "scale": ("location",),
    "extra": ("location",),
    "season": ("calendar_month",),
    "season_state": ("location", "calendar_month"),
    "common": ("month",),
    "increment_region": ("region",),
    "late_error": ("location",),
    "revision_error": ("location",),
    "effect": ("effect_name",),
}


@dataclass(frozen=True, eq=False)
class FittedHierarchical:
    """A fitted hierarchy.

    Attributes
    ----------
    model : str
    panel : Panel
    inputs : Inputs
        The padded arrays it was fitted to.
    idata : xarray.DataTree
        ArviZ's container: ``posterior``, ``sample_stats``, ``observed_data``.
    checks : Convergence or None
        R-hat, effective sample sizes, divergences; None for the approximation.
    skipped : mapping of str to str
        Locations left out, and why.
    warnings : tuple of str
        Failed checks, or that this is an approximation. Repeated in every forecast.
    tail : float or None
    effects : tuple of Effect
    """

    model: str
    panel: Panel
    inputs: Inputs
    idata: xr.DataTree
    checks: Convergence | None
    skipped: Mapping[str, str]
    warnings: tuple[str, ...]
    tail: float | None
    effects: tuple[Effect, ...] = ()

    def _rows(self, draws: int, rng: np.random.Generator) -> dict[str, Floats]:
        """Posterior draws, one per path: all different as long as there are enough."""
        posterior = self.idata["posterior"]
        size = posterior.sizes["chain"] * posterior.sizes["draw"]
        rounds = [rng.permutation(size) for _ in range(-(-draws // size))]
        rows = np.concatenate(rounds)[:draws]
        arrays = {str(k): np.asarray(v.values) for k, v in posterior.data_vars.items()}
        return {k: v.reshape(size, *v.shape[2:])[rows] for k, v in arrays.items()}

    def __repr__(self) -> str:
        passed = "approximate" if self.checks is None else f"{len(self.warnings)} failed checks"
        return (
            f"<FittedHierarchical {self.model}: {len(self.inputs.locations)} locations to "
            f"{self.panel.last_month}, {passed}>"
        )

    @property
    def delay_said(self) -> str:
        """What the delay was learned from beside the dated set; empty where nothing was."""
        return "" if self.inputs.missing is None else said_of(self.panel)

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths, joint over locations and months; see
        :class:`odforecast.models.model.Drawer`. The nation, if the panel has it, is the sum of
        its parts. Where counts are not final, the last twelve months are drawn, too.
        """
        panel, missing = self.panel, self.inputs.missing
        rows = self._rows(draws, streams.generator("posterior"))
        paths, stopped = future(rows, self.inputs, self.effects, self.tail, horizon, streams)
        warnings = self.warnings
        if stopped:
            warnings += (f"{stopped:.2%} of the means were stopped at e^{MAX_LOG_MEAN:g} a month",)
        first, earlier = panel.last_month + ONE_MONTH, None
        if missing is not None:
            names = self.inputs.locations
            factors = Factors(rows["late_error"], rows["revision_error"])
            late = late_draws(missing, list(range(len(names))), names, factors, streams)
            paths, below = self._with_nowcast(paths, late)
            if below:
                warnings += (
                    f"{below:,} of {paths.size:,} drawn months were below zero and set to 0",
                )
            first = first - AGES * ONE_MONTH
            earlier = late[..., -2 * AGES + 1 : -AGES]
        states = [s for s in panel.locations if s in self.inputs.locations or s == NATION]
        states = [s for s in states if s not in self.skipped]
        if missing is not None:
            warnings += tuple(how_warnings(missing.how, tuple(states)))
        out = [self._of(s, paths, shifted=True) for s in states]
        result = Forecast.from_panel(
            panel,
            np.stack(out, axis=1),
            states,
            first_month=first,
            late=None
            if earlier is None
            else np.stack([self._of(s, earlier, shifted=False) for s in states], axis=1),
            skipped=dict(self.skipped),
            warnings=warnings,
        )
        if not (self._whole and REST in self.inputs.locations):
            return result
        # The parts do not quite add up to the nation: its months are theirs and the rest's.
        stop = panel.monthly.shape[1] - (0 if missing is None else AGES)
        known = np.array(result.known)
        whole = self._recovered(self._parts)[:, stop - 11 : stop].sum(axis=0)
        if earlier is not None and known.ndim > 2:
            whole = whole + earlier[:, self._parts].sum(axis=1)
        known[..., states.index(NATION), :] = whole
        return replace(result, known=known)

    def _recovered(self, rows: list[int]) -> Floats:
        """Months of some of the inputs' rows as the panel has them, shape (n, T)."""
        names = self.inputs.locations
        months = self.panel.monthly
        out = []
        for i in rows:
            if names[i] == REST:
                parts = [self.panel.locations.index(names[k]) for k in self._parts if k != i]
                out.append(months[self.panel.index(NATION)] - months[parts].sum(axis=0))
            else:
                out.append(months[self.panel.locations.index(names[i])])
        return np.stack(out)

    def _with_nowcast(self, future: Floats, late: Floats) -> tuple[Floats, int]:
        """The last twelve months before the ``future``, all on the panel's pins; how many drawn
        months were below zero.

        The completed months that were fitted were recovered afresh, and so differ from the
        panel's with the late arrivals added by a constant for each calendar month.
        """
        inputs, missing = self.inputs, self.inputs.missing
        assert missing is not None
        reported = self._recovered(list(range(len(inputs.locations))))[:, -AGES:]
        shift = reported + missing.months[:, -AGES:] - inputs.counts[:, -AGES:]
        moved = future + shift[:, np.arange(future.shape[2]) % AGES]
        paths = np.concatenate([reported + late[..., -AGES:], moved], axis=2)
        return np.maximum(paths, 0.0), int((paths < 0).sum())

    def _of(self, state: str, paths: Floats, *, shifted: bool) -> Floats:
        """Paths of one of the panel's locations, shape (D, M)."""
        names = self.inputs.locations
        if state in names:
            return np.asarray(paths[:, names.index(state)])
        return self._nation(paths) if shifted else np.asarray(paths[:, self._parts].sum(axis=1))

    @property
    def _whole(self) -> bool:
        """Whether the nation is forecast together with every jurisdiction."""
        shown = set(self.panel.locations) - set(self.skipped)
        return {NATION, *JURISDICTIONS} <= shown

    @property
    def _parts(self) -> list[int]:
        """Rows of the inputs that add up to the nation."""
        return [i for i, s in enumerate(self.inputs.locations) if s != "PR"]

    def _nation(self, paths: Floats) -> Floats:
        """The sum of the parts, shape (D, M).

        Months are known up to a constant per calendar month, and the nation's constants are
        not the sum of its parts'. Where all parts are there, known months and forecast ones
        are both the parts' sums; else the forecast is shifted by the difference to the
        nation's own known months. Either way every 12-month sum is exact.
        """
        total = np.asarray(paths[:, self._parts].sum(axis=1))
        if self._whole or self.inputs.missing is not None:
            return total
        known = self.inputs.counts[self._parts, -12:].sum(axis=0)
        shift = self.panel.monthly[self.panel.index(NATION), -12:] - known
        ahead = np.arange(paths.shape[2]) % 12
        return np.asarray(total + shift[ahead])

    def posterior_predictive(self, draws: int = 500, seed: int = 0) -> pd.DataFrame:
        """Statistics of the months fitted, observed and replicated.

        Returns
        -------
        DataFrame
            See :func:`odforecast.models.hierarchy.diagnostics.predictive_table`.
        """
        rng = fit_streams(self.panel, seed).generator("replicated")
        rows = self._rows(draws, rng)
        fake = counts(fitted_log_mean(rows, self.inputs), rows["extra"], rng)
        n = fake.shape[2]
        observed, seen = self.inputs.counts[:, -n:], self.inputs.seen[:, -n:]
        return predictive_table(observed, seen, fake, self.inputs.locations)


def fit_streams(panel: Panel, seed: int = 1) -> Streams:
    """Streams of what is drawn when the model is fitted; the posterior does not hang on a run."""
    return Streams(seed, panel.dataset, panel.indicator, str(panel.last_month))


def container(
    inputs: Inputs,
    effects: Sequence[Effect],
    posterior: Mapping[str, Floats],
    stats: Mapping[str, Floats] | None,
) -> xr.DataTree:
    """ArviZ's container, with names on every dimension.

    Parameters
    ----------
    inputs : Inputs
    effects : sequence of Effect
    posterior : mapping of str to ndarray, shape (chain, draw, ...)
    stats : mapping of str to ndarray, shape (chain, draw), optional
    """
    import xarray as xr

    begin = inputs.begin
    months = inputs.months[begin:]
    n_knots = inputs.weights.shape[1] - inputs.first
    back = inputs.every * np.arange(n_knots - 1, -1, -1)
    knots = inputs.months[-1] - back.astype("timedelta64[M]")
    coords: dict[str, Any] = {
        "location": list(inputs.locations),
        "knot": knots.astype("datetime64[ns]"),
        "month": months.astype("datetime64[ns]"),
        "calendar_month": np.arange(1, 13),
        "region": list(inputs.regions),
        "effect_name": [e.name for e in effects],
    }

    def dataset(arrays: Mapping[str, Floats], lead: tuple[str, ...]) -> xr.Dataset:
        variables = {k: ((*lead, *DIMS.get(k, ())), v) for k, v in arrays.items()}
        used = {d for dims, _ in variables.values() for d in dims}
        out = xr.Dataset(variables, coords={k: v for k, v in coords.items() if k in used})
        if "chain" in used:
            out = out.assign_coords(
                chain=np.arange(out.sizes["chain"]), draw=np.arange(out.sizes["draw"])
            )
        return out

    groups = {"posterior": dataset(posterior, ("chain", "draw"))}
    if stats is not None:
        groups["sample_stats"] = dataset(stats, ("chain", "draw"))
    seen = np.where(inputs.seen, inputs.counts, np.nan)[:, begin:]
    groups["observed_data"] = xr.Dataset(
        {"deaths": (("location", "month"), seen)},
        coords={"location": coords["location"], "month": coords["month"]},
    )
    return xr.DataTree.from_dict(groups)
