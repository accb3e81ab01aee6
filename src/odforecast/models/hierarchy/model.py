"""The full Bayesian hierarchy: nation, census regions, states; sampled with NUTS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.forecasts import Forecast
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.models.delay import deficit
from odforecast.models.delay.constants import missing_from, said_of
from odforecast.models.delay.deficit import AGES, Factors
from odforecast.models.hierarchy import laplace
from odforecast.models.hierarchy.inputs import MIN_MONTHS, REST, Inputs, from_panel
from odforecast.models.model import streams_of, watcher
from odforecast.models.paths import below_zero
from odforecast.models.spec import Spec, as_parameters
from odforecast.months import ONE_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Limits:
    """What a sample of a posterior must reach."""

    r_hat: float = 1.01
    ess_bulk: float = 400.0
    ess_tail: float = 400.0
    divergences: int = 0


@dataclass(frozen=True, eq=False)
class Convergence:
    """Outcome of :func:`convergence`."""

    table: (
        pd.DataFrame
    )  # One row per variable: its worst `r_hat`, `ess_bulk`, `ess_tail`
    divergences: int
    warnings: tuple[str, ...]  # One sentence per failed check; empty when all passed


def convergence(idata: xr.DataTree, limits: Limits | None = None) -> Convergence:
    """Check a posterior sample against limits."""
    # A quantity that never changes (or is not finite) in the sample fails: nothing was sampled.
    import arviz_stats

    az: Any = arviz_stats
    limits = limits or Limits()
    posterior = idata["posterior"].to_dataset()
    names = [str(v) for v in posterior.data_vars]
    table = pd.DataFrame(index=pd.Index(names, name="variable"))
    divergent = 0
    if "sample_stats" in idata.children and "diverging" in idata["sample_stats"]:
        divergent = int(np.asarray(idata["sample_stats"]["diverging"]).sum())
    warnings = []
    for key, found, sign in (
        ("r_hat", az.rhat(posterior), 1.0),
        ("ess_bulk", az.ess(posterior, method="bulk"), -1.0),
        ("ess_tail", az.ess(posterior, method="tail"), -1.0),
    ):
        limit = getattr(limits, key)
        above, worst = ("above", np.max) if sign > 0 else ("below", np.min)
        table[key] = [float(worst(found[v].values)) for v in names]
        # NaN (nothing moved) fails as well.
        bad = table.index[~(sign * table[key] <= sign * limit)]
        if len(bad):
            value = worst(table[key])
            warnings.append(
                f"not converged: {key} {value:.4g} is {above} "
                f"{limit:g} ({', '.join(bad[:4])}{' …' if len(bad) > 4 else ''}); sample longer"
            )
    if divergent > limits.divergences:
        warnings.append(
            f"{divergent} divergent transitions: the draws may miss part of the posterior"
        )
    return Convergence(table, divergent, warnings=tuple(warnings))


def predictive_table(
    observed: Floats,
    seen: NDArray[np.bool_],
    replicated: Floats,
    locations: tuple[str, ...],
) -> pd.DataFrame:
    """Statistics of the observed months against those of replicated ones."""
    # observed (S, n); seen (S, n); replicated (D, S, n)
    rows = []
    for i, state in enumerate(locations):
        keep = np.asarray(seen[i], dtype=bool)
        real = _statistics(observed[i, keep])
        fake = _statistics(replicated[:, i, keep])
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
            echo,
            square,
            out=np.zeros_like(echo),
            where=square > 0,
        ),
    }


#: Dimensions of the variables of the posterior, after chain and draw; and of what was observed.
DIMS: Mapping[str, tuple[str, ...]] = {
    "level": ("location",),
    "path": ("location", "knot"),
    "increment": ("location",),
    "scale": ("location",),
    "extra": ("location",),
    "season": ("calendar_month",),
    "common": ("month",),
    "increment_region": ("region",),
    "late_error": ("location",),
    "revision_error": ("location",),
    "deaths": ("location", "month"),
}


@dataclass(
    frozen=True,
    eq=False,
    repr=False,
)
class FittedHierarchical:
    """A fitted hierarchy."""

    model: str
    panel: Panel
    #: The padded arrays it was fitted to.
    inputs: Inputs
    #: ArviZ's container: `posterior`, `sample_stats`, `observed_data`.
    idata: xr.DataTree
    #: R-hat, effective sample sizes, divergences; None for the approximation.
    checks: Convergence | None
    #: Locations left out, and why.
    skipped: Mapping[str, str]
    #: Failed checks, or that this is an approximation. Repeated in every forecast.
    warnings: tuple[str, ...]
    tail: float

    def _rows(self, draws: int, rng: np.random.Generator) -> dict[str, Floats]:
        """Posterior draws, one per path: all different as long as there are enough."""
        posterior = self.idata["posterior"]
        size = posterior.sizes["chain"] * posterior.sizes["draw"]
        rounds = [rng.permutation(size) for _ in range(-(-draws // size))]
        rows = np.concatenate(rounds)[:draws]
        arrays = {str(k): np.asarray(v.values) for k, v in posterior.data_vars.items()}
        return {k: v.reshape(size, *v.shape[2:])[rows] for k, v in arrays.items()}

    @property
    def delay_said(self) -> str:
        """What the delay was learned from beside the dated set; empty where nothing was."""
        return "" if self.inputs.missing is None else said_of(self.panel)

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths, joint over locations and months."""
        # The nation, if the panel has it, is the sum of its parts. Where counts are not final, the
        # last twelve months are drawn, too.
        panel = self.panel
        missing = self.inputs.missing
        names = self.inputs.locations
        rows = self._rows(draws, streams.generator("posterior"))
        paths, stopped = laplace.future(
            rows,
            self.inputs,
            tail=self.tail,
            horizon=horizon,
            streams=streams,
        )
        warnings = self.warnings
        if stopped:
            warnings += (
                f"{stopped:.2%} of the means were stopped at e^{laplace.MAX_LOG_MEAN:g} a month",
            )
        states = [s for s in panel.locations if s in names or s == NATION]
        states = [s for s in states if s not in self.skipped]
        first = panel.last_month + ONE_MONTH
        earlier = None
        if missing is not None:
            factors = Factors(rows["late_error"], rows["revision_error"])
            late = deficit.late_draws(
                missing,
                list(range(len(names))),
                locations=names,
                factors=factors,
                streams=streams,
            )
            # The completed months that were fitted were recovered afresh, and so differ from the
            # panel's with the late arrivals added by a constant for each calendar month.
            reported = self._recovered(list(range(len(names))))[:, -AGES:]
            shift = reported + missing.months[:, -AGES:] - self.inputs.counts[:, -AGES:]
            paths = paths + shift[:, np.arange(horizon) % AGES]
            paths, below = deficit.with_nowcast(reported, late, ahead=paths)
            warnings += tuple(below_zero(below, paths.size))
            first = first - AGES * ONE_MONTH
            earlier = late[..., -2 * AGES + 1 : -AGES]
            warnings += tuple(deficit.how_warnings(missing.how, tuple(states)))
        parts = self._parts
        # Known months and forecast ones are both the parts' sums, but where some are missing.
        whole = {NATION, *JURISDICTIONS} <= set(panel.locations) - set(self.skipped)
        shifted = np.zeros(1)
        if NATION in states and NATION not in names and not whole and missing is None:
            known = self.inputs.counts[parts, -12:].sum(axis=0)
            shifted = (panel.monthly[panel.index(NATION), -12:] - known)[
                np.arange(horizon) % 12
            ]

        def placed(of_rows: Floats, more: Floats | float) -> Floats:
            """The panel's locations of the inputs' rows (D, S, M); the nation adds them up."""
            each = [of_rows[:, names.index(s)] for s in states if s in names]
            if NATION in states and NATION not in names:
                each.insert(states.index(NATION), of_rows[:, parts].sum(axis=1) + more)
            return np.stack(each, axis=1)

        result = Forecast.from_panel(
            panel,
            placed(paths, shifted),
            locations=states,
            first_month=first,
            late=None if earlier is None else placed(earlier, 0.0),
            skipped=dict(self.skipped),
            warnings=warnings,
        )
        if not (whole and REST in names):
            return result
        # The parts do not quite add up to the nation: its months are theirs and the rest's.
        stop = panel.monthly.shape[1] - (0 if missing is None else AGES)
        months = np.array(result.known)
        total = self._recovered(parts)[:, stop - 11 : stop].sum(axis=0)
        if earlier is not None and months.ndim > 2:
            total = total + earlier[:, parts].sum(axis=1)
        months[..., states.index(NATION), :] = total
        return replace(result, known=months)

    def _recovered(self, rows: list[int]) -> Floats:
        """Months of some of the inputs' rows as the panel has them, shape (n, T)."""
        names = self.inputs.locations
        months = self.panel.monthly
        row = {s: i for i, s in enumerate(self.panel.locations)}
        held = {s: months[row[s]] for s in names if s != REST}
        if REST in names:
            parts = [row[names[k]] for k in self._parts if names[k] != REST]
            held[REST] = months[row[NATION]] - months[parts].sum(axis=0)
        return np.stack([held[names[i]] for i in rows])

    @property
    def _parts(self) -> list[int]:
        """Rows of the inputs that add up to the nation."""
        return [i for i, s in enumerate(self.inputs.locations) if s != "PR"]

    def posterior_predictive(self, draws: int = 500, seed: int = 0) -> pd.DataFrame:
        """Statistics of the months fitted, observed and replicated."""
        rng = streams_of(self.panel, seed).generator("replicated")
        rows = self._rows(draws, rng)
        fake = laplace.counts(
            laplace.fitted_log_mean(rows, self.inputs), rows["extra"], rng=rng
        )
        n = fake.shape[2]
        observed = self.inputs.counts[:, -n:]
        seen = self.inputs.seen[:, -n:]
        return predictive_table(
            observed, seen, replicated=fake, locations=self.inputs.locations
        )


def container(
    inputs: Inputs, posterior: Mapping[str, Floats], stats: Mapping[str, Floats] | None
) -> xr.DataTree:
    """ArviZ's container, with names on every dimension."""
    # posterior (chain, draw, ...); stats (chain, draw)
    from arviz_base import from_dict

    months = inputs.months[inputs.begin :]
    n_knots = inputs.weights.shape[1] - inputs.first
    back = inputs.every * np.arange(n_knots - 1, -1, -1)
    coords = {
        "location": list(inputs.locations),
        "knot": (inputs.months[-1] - back.astype("timedelta64[M]")).astype(
            "datetime64[ns]"
        ),
        "month": months.astype("datetime64[ns]"),
        "calendar_month": np.arange(1, 13),
        "region": list(inputs.regions),
    }
    groups = {"posterior": posterior} | (
        {} if stats is None else {"sample_stats": stats}
    )
    seen = np.where(inputs.seen, inputs.counts, np.nan)[:, inputs.begin :]
    groups |= {"observed_data": {"deaths": seen}}
    return from_dict(
        groups,
        coords=coords,
        dims=DIMS,
        check_conventions=False,
    )


APPROXIMATE = (
    "approximate: a Gaussian approximation at estimated scales, "
    "not a sample of the posterior"
)


@dataclass(frozen=True)
class Hierarchical:
    """Negative-binomial hierarchy: a national path by months, deviations from it at knots.

    Parameters
    ----------
    name : str
    draws, tune, chains : int
        NUTS draws per chain, tuning steps, chains.
    cores : int, optional
        Chains run at a time; default: as many as there are processors.
    every : int
        Months between knots of regions and states.
    tail : float
        Degrees of freedom of the innovations (Student's t).
    limits : Limits
        What the sample must reach; otherwise the forecast carries a warning.
    delay : bool
        Let the likelihood know what the last months still miss. False is for the ablation.

    Examples
    --------
    >>> Hierarchical(chains=2).spec.corrects_delay
    True
    """

    #: Whether the posterior is approximated and not sampled.
    approximate: ClassVar[bool] = False

    name: str = "hierarchical"
    draws: int = 2500
    tune: int = 500
    chains: int = 4
    cores: int | None = None
    every: int = 3
    tail: float = 5.0
    limits: Limits = field(default_factory=Limits)
    delay: bool = True

    @property
    def spec(self) -> Spec:
        """What the model is."""
        settings = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name != "cores"
        }
        # Once settings: the hash stays.
        settings |= {"season_state": False, "effects": [], "window": None}
        corrects = self.delay and not self.approximate
        settings["delay"] = corrects
        parameters = as_parameters(**settings)
        # Version 4 samples in other coordinates: the same posterior, other draws of it.
        version = "4" if self.approximate else "5"
        return Spec(
            self.name,
            version,
            min_months=MIN_MONTHS,
            parameters=parameters,
            corrects_delay=corrects,
        )

    def inputs(self, panel: Panel) -> tuple[Inputs, dict[str, str]]:
        """Arrays the model would be fitted to, and the locations left out with the reason."""
        missing = missing_from(panel) if self.delay and not self.approximate else None
        if missing is not None:
            panel = deficit.corrected(panel, missing)
        return from_panel(panel, self.name, every=self.every, missing=missing)

    def fit(self, panel: Panel) -> FittedHierarchical:
        """Sample the posterior (or approximate it)."""
        inputs, skipped = self.inputs(panel)
        streams = streams_of(panel)  # the posterior does not hang on a run
        guide = laplace.approximate(inputs, self.tail)
        checks = None
        stats = None
        if self.approximate:
            drawn = laplace.past(guide, inputs, draws=1000, streams=streams)
            arrays = {k: v[None] for k, v in drawn.items()}
            warnings: tuple[str, ...] = (APPROXIMATE,)
        else:
            arrays, stats = self._sample(
                inputs, guide, seed=streams.number("posterior") % 2**31
            )
            warnings = ()
        idata = container(inputs, arrays, stats=stats)
        if stats is not None:
            checks = convergence(idata, self.limits)
            warnings = checks.warnings
        return FittedHierarchical(
            self.name,
            panel,
            inputs=inputs,
            idata=idata,
            checks=checks,
            skipped=skipped,
            warnings=warnings,
            tail=self.tail,
        )

    def _sample(
        self,
        inputs: Inputs,
        guide: Any,
        seed: int,
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        import nutpie  # type: ignore[import-untyped]

        from odforecast.models.hierarchy.graph import KEPT, compiled, graph_data

        data = graph_data(inputs, guide)
        graph = compiled(data, tail=self.tail)
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
                **_progress(nutpie.sample),
            )
        except RuntimeError as error:
            raise PanelError(
                f"{self.name} could not be sampled: {str(error).splitlines()[0]}",
                hint="look for counts out of line in the panel, or use hierarchical-quick",
            ) from error
        sample = trace["posterior"]
        posterior = {k: np.asarray(sample[k].values) for k in KEPT if k in sample}
        posterior["path"] = posterior["path"][..., inputs.first :]
        if "common" in posterior:
            posterior["common"] = posterior["common"][..., inputs.begin :]
        stats = trace["sample_stats"]
        keep = ("diverging", "n_steps", "step_size", "depth", "energy", "logp")
        return posterior, {k: np.asarray(stats[k].values) for k in keep if k in stats}


@dataclass(frozen=True)
class HierarchicalQuick(Hierarchical):
    """The hierarchy by a Gaussian approximation, which takes the last months as they are.

    >>> HierarchicalQuick().spec.corrects_delay
    False
    """

    approximate: ClassVar[bool] = True

    name: str = "hierarchical-quick"


def _progress(sample: Callable[..., Any]) -> dict[str, Any]:
    """How the sampler says how far it is, to whoever wants to know; nothing otherwise."""
    tell = watcher()
    if tell is None or "progress_callback" not in signature(sample).parameters:
        return {}

    def report(chains: Sequence[Any]) -> None:
        finished = sum(chain.finished_draws for chain in chains)
        total = sum(chain.total_draws for chain in chains)
        tell(f"sampling {len(chains)} chains", finished, total)

    return {"progress_callback": report, "progress_rate": 500}
