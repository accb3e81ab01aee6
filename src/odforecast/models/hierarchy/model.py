"""The full Bayesian hierarchy: nation, census regions, states; sampled with NUTS.

``hierarchical`` is the audited reference; ``hierarchical-quick`` replaces NUTS by a Gaussian
approximation at estimated scales and says so in every forecast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS
from odforecast.models.hierarchy.diagnostics import (
    Convergence,
    Limits,
    convergence,
    predictive_table,
)
from odforecast.models.hierarchy.draws import MAX_LOG_MEAN, counts, fitted_log_mean, future, past
from odforecast.models.hierarchy.inputs import MIN_MONTHS, Bools, Effect, Inputs, from_panel
from odforecast.models.hierarchy.laplace import approximate
from odforecast.models.spec import Spec, as_parameters
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
    "shock": ("month",),
    "scale_group": ("group_level",),
    "damping_group": ("group_level",),
    "increment_0": ("group_0",),
    "increment_1": ("group_1",),
    "effect": ("effect_name",),
}

APPROXIMATE = (
    "approximate: a Gaussian approximation at estimated scales, not a sample of the posterior"
)


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

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths, joint over locations and months; see
        :class:`odforecast.models.model.Drawer`. The nation, if the panel has it, is the sum of
        its parts.
        """
        rows = self._rows(draws, streams.generator("posterior"))
        paths, stopped = future(rows, self.inputs, self.effects, self.tail, horizon, streams)
        warnings = self.warnings
        if stopped:
            warnings += (f"{stopped:.2%} of the means were stopped at e^{MAX_LOG_MEAN:g} a month",)
        names = self.inputs.locations
        states, out = [], []
        for state in self.panel.locations:
            if state in names:
                states.append(state)
                out.append(paths[:, names.index(state)])
            elif state == "US" and state not in self.skipped:
                states.append(state)
                out.append(self._nation(paths))
        result = Forecast.from_panel(
            self.panel,
            np.stack(out, axis=1),
            states,
            skipped=dict(self.skipped),
            warnings=warnings,
        )
        if not self._whole:
            return result
        known = result.known.copy()
        known[states.index("US")] = self._parts_known[-11:]
        return replace(result, known=known)

    @property
    def _whole(self) -> bool:
        """Whether the nation is forecast together with every jurisdiction."""
        shown = set(self.panel.locations) - set(self.skipped)
        return {"US", *JURISDICTIONS} <= shown

    @property
    def _parts_known(self) -> Floats:
        """Last twelve months of the sum of the nation's parts."""
        keep = [i for i, s in enumerate(self.inputs.locations) if s != "PR"]
        return np.asarray(self.inputs.counts[keep, -12:].sum(axis=0))

    def _nation(self, paths: Floats) -> Floats:
        """The sum of the parts, shape (D, H).

        Months are known up to a constant per calendar month, and the nation's constants are
        not the sum of its parts'. Where all parts are there, known months and forecast ones
        are both the parts' sums; else the forecast is shifted by the difference to the
        nation's own known months. Either way every 12-month sum is exact.
        """
        keep = [i for i, s in enumerate(self.inputs.locations) if s != "PR"]
        total = np.asarray(paths[:, keep].sum(axis=1))
        if self._whole:
            return total
        known = self._parts_known
        shift = self.panel.monthly[self.panel.index("US"), -12:] - known
        ahead = np.arange(paths.shape[2]) % 12
        return np.asarray(total + shift[ahead])

    def posterior_predictive(self, draws: int = 500, seed: int = 0) -> pd.DataFrame:
        """Statistics of the months fitted, observed and replicated.

        Returns
        -------
        DataFrame
            See :func:`odforecast.models.hierarchy.diagnostics.predictive_table`.
        """
        rng = _streams(self.panel, seed).generator("replicated")
        rows = self._rows(draws, rng)
        fake = counts(fitted_log_mean(rows, self.inputs), rows["extra"], rng)
        n = fake.shape[2]
        observed, seen = self.inputs.counts[:, -n:], self.inputs.seen[:, -n:]
        return predictive_table(observed, seen, fake, self.inputs.locations)


@dataclass(frozen=True)
class Hierarchical:
    """Negative-binomial hierarchy with local trends at knots.

    Parameters
    ----------
    name : {"hierarchical", "hierarchical-quick"}
        NUTS, or the Gaussian approximation.
    draws, tune, chains : int
        NUTS draws per chain, tuning steps, chains.
    cores : int, optional
        Chains run at a time; default: as many as there are processors.
    every : int
        Months between knots.
    window : int, optional
        Fit only the last so many months.
    tail : float or None
        Degrees of freedom of the innovations (Student's t); None to estimate them.
    season_state : bool
        Whether every state has its own season on top of the common one.
    effects : tuple of Effect
        Intervention terms.
    censored : callable, optional
        Takes the panel; returns the mask of months known only to lie in 1..9.
    limits : Limits
        What the sample must reach; otherwise the forecast carries a warning.

    Examples
    --------
    >>> Hierarchical("hierarchical-quick").name
    'hierarchical-quick'
    """

    name: str = "hierarchical"
    draws: int = 2500
    tune: int = 500
    chains: int = 4
    cores: int | None = None
    every: int = 3
    window: int | None = None
    tail: float | None = 5.0
    season_state: bool = False
    effects: tuple[Effect, ...] = ()
    censored: Callable[[Panel], Bools] | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def spec(self) -> Spec:
        """What the model is; effects and masks given as functions count by their names."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "cores"}
        shown["effects"] = [(e.name, e.scale, e.mean) for e in self.effects]
        shown["censored"] = getattr(self.censored, "__qualname__", None)
        return Spec(self.name, "2", min_months=MIN_MONTHS, parameters=as_parameters(**shown))

    def inputs(self, panel: Panel) -> tuple[Inputs, dict[str, str]]:
        """Arrays the model would be fitted to, and the locations left out with the reason."""
        return from_panel(
            panel,
            self.name,
            every=self.every,
            window=self.window,
            effects=self.effects,
            censored=self.censored,
        )

    def prior_predictive(self, panel: Panel, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
        """What the priors say about data like the panel's, next to the data.

        Returns
        -------
        DataFrame
            See :func:`odforecast.models.hierarchy.prior.prior_predictive`.
        """
        from odforecast.models.hierarchy.prior import prior_predictive

        return prior_predictive(self.inputs(panel)[0], draws, seed, tail=self.tail)

    def fit(self, panel: Panel) -> FittedHierarchical:
        """Sample the posterior (or approximate it).

        Raises
        ------
        PanelError
            If no location can be used, the approximation cannot do what is asked, or the sampler
            finds no place to start.
        """
        inputs, skipped = self.inputs(panel)
        streams = _streams(panel)
        guide = approximate(inputs, self.tail or 6.0)
        checks, stats = None, None
        if self.name.endswith("-quick"):
            if self.season_state or self.censored is not None or self.effects:
                raise PanelError(
                    f"{self.name} has no state seasons, censored counts or effects",
                    hint="use the model 'hierarchical'",
                )
            drawn = past(guide, inputs, 1000, streams)
            arrays = {k: v[None] for k, v in drawn.items()}
            warnings: tuple[str, ...] = (APPROXIMATE,)
        else:
            arrays, stats = self._sample(inputs, guide, streams.number("posterior") % 2**31)
            warnings = ()
        idata = container(inputs, self.effects, arrays, stats)
        if stats is not None:
            checks = convergence(idata, self.limits)
            warnings = checks.warnings
        return FittedHierarchical(
            self.name,
            panel,
            inputs,
            idata,
            checks,
            skipped,
            warnings,
            self.tail or (guide.scales.tail if checks is None else None),
            self.effects,
        )

    def _sample(
        self, inputs: Inputs, guide: Any, seed: int
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        import nutpie  # type: ignore[import-untyped]

        from odforecast.models.hierarchy.graph import KEPT, compiled, graph_data, shape_of

        shape = shape_of(inputs, tail=self.tail, season_state=self.season_state)
        graph = compiled(shape, graph_data(inputs, guide))
        try:
            trace = nutpie.sample(
                graph,
                draws=self.draws,
                tune=self.tune,
                chains=self.chains,
                cores=self.cores,
                seed=seed,
                save_warmup=False,
                progress_bar=False,
            )
        except RuntimeError as error:
            raise PanelError(
                f"{self.name} could not be sampled: {str(error).splitlines()[0]}",
                hint="look for counts out of line in the panel, or use hierarchical-quick",
            ) from error
        found = trace["posterior"]
        posterior = {k: np.asarray(found[k].values) for k in KEPT if k in found}
        begin = int(np.argmax((inputs.seen | inputs.censored).any(axis=0)))
        posterior["path"] = posterior["path"][..., inputs.first :]
        if "shock" in posterior:
            posterior["shock"] = posterior["shock"][..., begin:]
        stats = trace["sample_stats"]
        keep = ("diverging", "n_steps", "step_size", "depth", "energy", "logp")
        return posterior, {k: np.asarray(stats[k].values) for k in keep if k in stats}


def _streams(panel: Panel, seed: int = 1) -> Streams:
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

    begin = int(np.argmax((inputs.seen | inputs.censored).any(axis=0)))
    months = inputs.months[begin:]
    n_knots = inputs.weights.shape[1] - inputs.first
    back = inputs.every * np.arange(n_knots - 1, -1, -1)
    knots = inputs.months[-1] - back.astype("timedelta64[M]")
    coords: dict[str, Any] = {
        "location": list(inputs.locations),
        "knot": knots.astype("datetime64[ns]"),
        "month": months.astype("datetime64[ns]"),
        "calendar_month": np.arange(1, 13),
        "group_level": [(), ("nation",), ("region", "nation")][len(inputs.members)],
        "effect_name": [e.name for e in effects],
    }
    for g, names in enumerate(inputs.group_names):
        coords[f"group_{g}"] = list(names)
    coords["group_level"] = list(coords["group_level"])

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
