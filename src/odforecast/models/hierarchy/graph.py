"""The hierarchy as a PyMC model, compiled once per shape.

The latent paths are sampled in whitened coordinates: along the directions in which prior and
data are both diagonal (from :mod:`odforecast.models.hierarchy.laplace`), centred and
scaled by what the approximation expects **at the current scales and dampings**. That removes
the funnels between scales and paths, and the Jacobian makes the density exactly that of the
model. The map is data of the graph, like the counts, so one compiled graph serves every origin
(:mod:`odforecast.models.hierarchy.coordinates`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm  # type: ignore[import-untyped]
import pytensor.tensor

from odforecast.models.hierarchy.density import likelihood, student_t
from odforecast.models.hierarchy.inputs import Inputs
from odforecast.models.hierarchy.laplace import LEVEL_SD, SLOPE_RATIO
from odforecast.models.hierarchy.prior import DAMPING, HALF_NORMAL, LOG_NORMAL, SIZE_SD, TAIL
from odforecast.models.hierarchy.tree import path_basis
from odforecast.panel import Floats

#: Untyped calls stay untyped.
pt: Any = pytensor.tensor

#: Variables kept in ``idata`` (whitened coordinates and other raw variables are not).
KEPT = (
    "level", "path", "increment", "scale", "scale_state", "scale_size", "scale_spread",
    "damping", "extra", "noise", "noise_spread", "season", "season_scale", "common",
    "shock_scale", "scale_region", "damping_region", "increment_region", "scale_nation",
    "slope_ratio", "slope", "effect", "season_state", "season_spread", "tail",
    "late_error", "revision_error",
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """What decides a graph: sizes and switches; everything else is data.

    Attributes
    ----------
    states, months, knots : int
    regions : int
        0 where there are none.
    effects : int
        Number of intervention terms.
    windows : int
        Number of 12-month counts before a location's first month.
    delay, season_state : bool
        Whether late arrivals are in the likelihood; whether every state has its own season.
    tail : float or None
        Degrees of freedom of the innovations; None to estimate them.
    """

    states: int
    months: int
    knots: int
    regions: int = 0
    effects: int = 0
    windows: int = 0
    delay: bool = False
    season_state: bool = False
    tail: float | None = 5.0


def shape_of(inputs: Inputs, *, tail: float | None, season_state: bool) -> Shape:
    """The graph that serves these inputs."""
    s, t, k = inputs.shape
    return Shape(
        states=s,
        months=t,
        knots=k,
        regions=len(inputs.regions),
        effects=inputs.effect_scale.size,
        windows=len(inputs.windows),
        delay=inputs.missing is not None,
        season_state=season_state,
        tail=tail,
    )


def _log_normal(name: str, **keywords: Any) -> Any:
    median, sd = LOG_NORMAL[name]
    return pm.LogNormal(name, np.log(median), sd, **keywords)


def _half_normal(name: str) -> Any:
    """The spread of something that is symmetric: sampled with a sign, which changes nothing else.

    So zero is no edge; on the log scale a chain stays long in the flat part below.
    """
    signed = HALF_NORMAL[name] * pm.Normal(f"{name}_raw", 0.0, 1.0)
    pm.Deterministic(name, pt.abs(signed))
    return signed


def _multiply(matrices: Any, vectors: Any) -> Any:
    return pt.matmul(matrices, vectors[:, :, None])[:, :, 0]


def build(shape: Shape, data: dict[str, Floats]) -> pm.Model:
    """The PyMC model of a shape.

    Priors (log scales are per knot step, the nation's per month): see
    ``docs/models/hierarchical.md``.
    """
    with pm.Model() as model:
        d = {name: pm.Data(name, value) for name, value in data.items()}
        if shape.tail is None:
            tail = pm.Deterministic("tail", 2.0 + pm.Gamma("tail_raw", *TAIL))
        else:
            tail = pt.constant(float(shape.tail))
        parent, common = None, _season(d, shape)
        if shape.states > 1:
            steps = _nation(d, shape, tail)
            common = common + _month(d, shape, pt.dot(d["bridge_basis"], steps))[None]
            parent = pt.dot(d["quarter"], steps)[None]
        if shape.regions:
            scale = _log_normal("scale_region")
            damping = pm.Beta("damping_region", *DAMPING)
            size = pt.ones(shape.regions) * scale
            parent = pt.repeat(parent, shape.regions, axis=0)
            _, deviation, parent = _node(d, "1", size, damping, tail, parent, 0)
            pm.Deterministic("increment_region", deviation[:, -1])
            parent = pt.dot(d["region"], parent)
        elif parent is not None:
            parent = pt.repeat(parent, shape.states, axis=0)
        scale = _state_scales(d, shape)
        damping = pm.Beta("damping", *DAMPING)
        vector, deviation, _ = _node(d, "0", scale, damping, tail, parent, 1)
        level = pm.Deterministic("level", vector[:, 0])
        pm.Potential("level_prior", (-0.5 * ((level - d["center"]) / LEVEL_SD) ** 2).sum())
        pm.Deterministic("increment", deviation[:, -1])
        pm.Deterministic("path", pt.dot(vector, path_basis(shape.knots).T))
        eta = pt.dot(vector, d["design"].T) + common
        if shape.effects:
            raw = pm.Normal("effect_raw", 0.0, 1.0, shape=shape.effects)
            effect = pm.Deterministic("effect", d["effect_mean"] + raw * d["effect_scale"])
            eta += pt.dot(effect, d["exposure"]).reshape((shape.states, shape.months))
        likelihood(d, eta, _extra(shape))
    return model


def _nation(d: dict[str, Any], shape: Shape, tail: Any) -> Any:
    """The nation's steps from month to month, shape (T - 1,).

    The steps first, the slope integrated out; then the slope given them. The other way round
    the slope is a funnel of its own where it explains much of a rise.
    """
    scale = _log_normal("scale_nation")
    ratio = _log_normal("slope_ratio")
    prior = (scale / d["reference_nation"][:, None]) ** 2
    prior = prior * (1.0 + d["slope_part"] * ((ratio / SLOPE_RATIO) ** 2 - 1.0))
    steps = _placed(d, "nation", 1.0 / prior, 0.0, d["live_nation"])[0]
    # In these directions the slope is independent, of variance ratio² · root² beside 1 of what
    # stands between it and the steps.
    known = pt.dot(d["slope_turn"], steps) / scale
    z = pm.Flat("z_slope", shape=shape.months - 1)
    root = ratio * d["slope_root"]
    total = 1.0 + root**2
    unit = (root * known + pt.sqrt(total) * z) / total
    pm.Potential("density_slope", (-0.5 * unit**2 - 0.5 * pt.log(total)).sum())
    slope = scale * pt.dot(d["slope_back"], root * unit)
    pm.Deterministic("slope", slope[-1])
    innovations = student_t((steps - slope) ** 2, scale, tail)
    pm.Potential("innovations_nation", (d["live_nation"] * innovations).sum())
    return steps


def _month(d: dict[str, Any], shape: Shape, bridge: Any) -> Any:
    """What is common to a month: the nation between its knots, and a shock; shape (T,)."""
    scale = _log_normal("shock_scale")
    z = pm.Flat("z_shock", shape=shape.months)
    precision = d["shock_strength"] + scale**-2.0
    shock = (d["shock_info"] - d["shock_strength"] * bridge) / precision + z / pt.sqrt(precision)
    density = -0.5 * (shock / scale) ** 2 - pt.log(scale) - 0.5 * pt.log(precision)
    pm.Potential("density_shock", density.sum())
    return pm.Deterministic("common", bridge + shock)


def _placed(d: dict[str, Any], name: str, shrink: Any, expected: Any, alive: Any) -> Any:
    """Vectors of a level from their coordinates, shape (N, n); the Jacobian enters the density.

    ``shrink`` is the precision of the prior in each direction, ``expected`` its mean there;
    coordinates that are not ``alive`` are standard normal.
    """
    z = pm.Flat(f"z_{name}", shape=d[f"info_{name}"].get_value().shape)
    precision = d[f"strength_{name}"] + shrink
    white = (d[f"info_{name}"] + shrink * expected) / precision + z / pt.sqrt(precision)
    density = -0.5 * (alive * pt.log(precision)).sum() - 0.5 * ((1.0 - alive) * z**2).sum()
    pm.Potential(f"density_{name}", density)
    return _multiply(d[f"forward_{name}"], white)


def _node(
    d: dict[str, Any], name: str, scale: Any, damping: Any, tail: Any, parent: Any, skip: int
) -> tuple[Any, Any, Any]:
    """Nodes of one level: (vector, deviations of increments from the parent, increments).

    ``skip`` is 1 where a level stands before the increments.
    """
    live, start = d["live"], d["start"]
    alive = pt.concatenate([pt.ones(skip), live]) if skip else live
    bent = d[f"bend_{name}"]
    shrink = ((d[f"reference_{name}"] / scale) ** 2)[:, None]
    shrink = shrink * (bent[0] + damping * (bent[1] + damping * bent[2]))
    expected = d["base_0"] if skip else 0.0
    if parent is not None:
        expected = expected + _multiply(d[f"backward_{name}"], parent)
    vector = _placed(d, name, shrink, expected, alive)
    increments = vector[:, skip:]
    deviation = increments if parent is None else increments - parent
    later = (live - start)[1:]
    square = (deviation[:, 1:] - damping * deviation[:, :-1]) ** 2
    density = (later * student_t(square, scale[:, None], tail)).sum()
    spread = scale / pt.sqrt(1.0 - damping**2)
    density += (-0.5 * (pt.dot(deviation, start) / spread) ** 2 - pt.log(spread)).sum()
    pm.Potential(f"innovations_{name}", density)
    return vector, deviation, increments


def _state_scales(d: dict[str, Any], shape: Shape) -> Any:
    pooled = _log_normal("scale_state")
    if shape.states <= 2:
        return pm.Deterministic("scale", pooled * pt.ones(shape.states))
    size = pm.Deterministic("scale_size", SIZE_SD * pm.Normal("scale_size_raw", 0.0, 1.0))
    spread = _half_normal("scale_spread")
    raw = pm.ZeroSumNormal("scale_raw", 1.0, shape=shape.states)
    return pm.Deterministic("scale", pooled * pt.exp(size * d["size"] + spread * raw))


def _extra(shape: Shape) -> Any:
    """Extra coefficient of variation of the counts, shape (S,)."""
    noise = _log_normal("noise")
    if shape.states <= 2:
        return pm.Deterministic("extra", noise * pt.ones(shape.states))
    spread = _half_normal("noise_spread")
    raw = pm.ZeroSumNormal("noise_raw", 1.0, shape=shape.states)
    return pm.Deterministic("extra", noise * pt.exp(spread * raw))


def _season(d: dict[str, Any], shape: Shape) -> Any:
    """Season, (1, T) or (S, T)."""
    scale = _log_normal("season_scale")
    season = pm.Deterministic("season", scale * pm.ZeroSumNormal("season_raw", 1.0, shape=12))
    out = pt.dot(d["month_hot"], season)[None]
    if shape.season_state:
        spread = _log_normal("season_spread")
        raw = pm.ZeroSumNormal("season_state_raw", 1.0, shape=(shape.states, 12))
        own = pm.Deterministic("season_state", spread * raw)
        out = out + pt.dot(own, d["month_hot"].T)
    return out


class Compiler:
    """Compiled graphs of this process, by shape."""

    def __init__(self) -> None:
        self._graphs: dict[Shape, Any] = {}

    def __call__(self, shape: Shape, data: dict[str, Floats]) -> Any:
        """A compiled graph with these data in it; compiles only for a new shape."""
        import nutpie  # type: ignore[import-untyped]

        if shape not in self._graphs:
            model = build(shape, data)
            kept = [v.name for v in model.unobserved_RVs if v.name in KEPT]
            self._graphs[shape] = nutpie.compile_pymc_model(model, var_names=kept)
        return self._graphs[shape].with_data(**data)


#: The graphs compiled so far.
compiled = Compiler()
