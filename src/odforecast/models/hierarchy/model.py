"""The full Bayesian hierarchy: nation, census regions, states; sampled with NUTS.

``hierarchical`` is the audited reference; ``hierarchical-quick`` replaces NUTS by a Gaussian
approximation at estimated scales and says so in every forecast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import PanelError
from odforecast.models.delay.constants import delays_for
from odforecast.models.delay.deficit import corrected, deficit, is_final
from odforecast.models.hierarchy.diagnostics import Limits, convergence
from odforecast.models.hierarchy.draws import past
from odforecast.models.hierarchy.fitted import FittedHierarchical, container, fit_streams
from odforecast.models.hierarchy.inputs import MIN_MONTHS, Effect, Inputs, from_panel
from odforecast.models.hierarchy.laplace import approximate
from odforecast.models.spec import Spec, as_parameters
from odforecast.models.watching import watcher
from odforecast.panel import Floats, Panel

__all__ = ["FittedHierarchical", "Hierarchical", "container"]

APPROXIMATE = (
    "approximate: a Gaussian approximation at estimated scales, not a sample of the posterior"
)


@dataclass(frozen=True)
class Hierarchical:
    """Negative-binomial hierarchy: a national path by months, deviations from it at knots.

    Parameters
    ----------
    name : {"hierarchical", "hierarchical-quick"}
        NUTS, or the Gaussian approximation.
    draws, tune, chains : int
        NUTS draws per chain, tuning steps, chains.
    cores : int, optional
        Chains run at a time; default: as many as there are processors.
    every : int
        Months between knots of regions and states.
    window : int, optional
        Fit only the last so many months.
    tail : float or None
        Degrees of freedom of the innovations (Student's t); None to estimate them.
    season_state : bool
        Whether every state has its own season on top of the common one.
    effects : tuple of Effect
        Intervention terms.
    limits : Limits
        What the sample must reach; otherwise the forecast carries a warning.
    delay : bool
        Let the likelihood know what the last months still miss. False is for the ablation. The
        approximation never does.

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
    limits: Limits = field(default_factory=Limits)
    delay: bool = True

    @property
    def spec(self) -> Spec:
        """What the model is; effects given as functions count by their names."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "cores"}
        shown["effects"] = [(e.name, e.scale, e.mean) for e in self.effects]
        shown["delay"] = corrects = self.delay and not self._quick
        parameters = as_parameters(**shown)
        # Version 4 samples in other coordinates: the same posterior, other draws of it.
        version = "4" if self._quick else "5"
        return Spec(
            self.name,
            version,
            min_months=MIN_MONTHS,
            parameters=parameters,
            corrects_delay=corrects,
        )

    @property
    def _quick(self) -> bool:
        return self.name.endswith("-quick")

    def inputs(self, panel: Panel) -> tuple[Inputs, dict[str, str]]:
        """Arrays the model would be fitted to, and the locations left out with the reason."""
        missing = None
        if self.delay and not self._quick and not is_final(panel):
            missing = deficit(panel, delays_for(panel))
            panel = corrected(panel, missing)
        return from_panel(
            panel,
            self.name,
            every=self.every,
            window=self.window,
            effects=self.effects,
            missing=missing,
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
        streams = fit_streams(panel)
        guide = approximate(inputs, self.tail or 6.0)
        checks, stats = None, None
        if self._quick:
            if self.season_state or self.effects:
                raise PanelError(
                    f"{self.name} has no state seasons or effects",
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

        from odforecast.models.hierarchy.coordinates import graph_data
        from odforecast.models.hierarchy.graph import KEPT, compiled, shape_of

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
                **_told(nutpie.sample),
            )
        except RuntimeError as error:
            raise PanelError(
                f"{self.name} could not be sampled: {str(error).splitlines()[0]}",
                hint="look for counts out of line in the panel, or use hierarchical-quick",
            ) from error
        found = trace["posterior"]
        posterior = {k: np.asarray(found[k].values) for k in KEPT if k in found}
        posterior["path"] = posterior["path"][..., inputs.first :]
        if "common" in posterior:
            posterior["common"] = posterior["common"][..., inputs.begin :]
        stats = trace["sample_stats"]
        keep = ("diverging", "n_steps", "step_size", "depth", "energy", "logp")
        return posterior, {k: np.asarray(stats[k].values) for k in keep if k in stats}


def _told(sample: Callable[..., Any]) -> dict[str, Any]:
    """How the sampler says how far it is, to whoever wants to know; nothing otherwise."""
    tell = watcher()
    if tell is None or "progress_callback" not in signature(sample).parameters:
        return {}

    def report(chains: Sequence[Any]) -> None:
        done = sum(c.finished_draws for c in chains)
        tell(f"sampling {len(chains)} chains", done, sum(c.total_draws for c in chains))

    return {"progress_callback": report, "progress_rate": 500}
