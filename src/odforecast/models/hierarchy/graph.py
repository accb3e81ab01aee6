"""The hierarchy as a PyMC model, compiled once per shape.

The latent paths are sampled in whitened coordinates: along the directions in which prior and
data are both diagonal (from :mod:`odforecast.models.hierarchy.laplace`), centred and
scaled by what the approximation expects **at the current scales**. That removes the funnels
between scales and paths, and the Jacobian makes the density exactly that of the model. The
map is data of the graph, like the counts, so one compiled graph serves every origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm  # type: ignore[import-untyped]
import pytensor.tensor
from scipy.special import gammaln

from odforecast.models.hierarchy.inputs import CENSORED_HIGH, CENSORED_LOW, Inputs
from odforecast.models.hierarchy.laplace import LEVEL_SD, Approximation, path_basis, whiten
from odforecast.models.hierarchy.prior import DAMPING, HALF_NORMAL, LOG_NORMAL, SIZE_SD, TAIL
from odforecast.panel import Floats

#: Untyped calls stay untyped.
pt: Any = pytensor.tensor

#: Variables kept in ``idata`` (whitened coordinates and other raw variables are not).
KEPT = (
    "level", "path", "increment", "scale", "scale_state", "scale_size", "scale_spread",
    "damping", "extra", "noise", "noise_spread", "season", "season_scale", "shock",
    "shock_scale", "scale_group", "damping_group", "increment_0", "increment_1", "effect",
    "season_state", "season_spread", "tail",
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """What decides a graph: sizes and switches; everything else is data.

    Attributes
    ----------
    states, months, knots : int
    groups : tuple of int
        Nodes per level of groups, regions first; empty for a single series.
    effects : int
        Number of intervention terms.
    censored, season_state : bool
        Whether there are interval-censored counts; whether every state has its own season.
    tail : float or None
        Degrees of freedom of the innovations; None to estimate them.
    """

    states: int
    months: int
    knots: int
    groups: tuple[int, ...] = ()
    effects: int = 0
    censored: bool = False
    season_state: bool = False
    tail: float | None = 5.0


def shape_of(inputs: Inputs, *, tail: float | None, season_state: bool) -> Shape:
    """The graph that serves these inputs."""
    s, t, k = inputs.shape
    return Shape(
        states=s,
        months=t,
        knots=k,
        groups=tuple(m.shape[1] for m in inputs.members),
        effects=inputs.effect_scale.size,
        censored=bool(inputs.censored.any()),
        season_state=season_state,
        tail=tail,
    )


def graph_data(inputs: Inputs, guide: Approximation) -> dict[str, Floats]:
    """Data of the graph: counts, masks, memberships and the whitening map, all padded."""
    n_states, n_time, n_knots = inputs.shape
    first, n = inputs.first, n_knots - 1
    design = inputs.weights @ path_basis(n_knots)
    design[:, 1 : 1 + first] = 0.0  # knots not in use
    live, start = np.zeros(n), np.zeros(n)
    live[first:] = 1.0
    start[first] = 1.0
    data: dict[str, Floats] = {
        "counts": inputs.counts,
        "seen": inputs.seen.astype(float),
        "design": design,
        "month_hot": inputs.month_hot,
        "offset": np.zeros((n_states, n_time)),
        "live": live,
        "start": start,
        "center": guide.center,
    }
    # Only what a graph uses may be given to it.
    if n_states > 2:
        data["size"] = guide.center - guide.center.mean()
    if n_effects := inputs.effect_scale.size:
        data["exposure"] = inputs.exposure.reshape(n_effects, -1)
        data["effect_mean"] = inputs.effect_mean
        data["effect_scale"] = inputs.effect_scale
    if len(cells := np.argwhere(inputs.censored)):
        data["censored_state"] = np.eye(n_states)[cells[:, 0]]
        data["censored_cell"] = (cells[:, 0] * n_time + cells[:, 1]).astype(float)
    scales = [guide.scales.state, *guide.scales.group]
    for g, (level, scale) in enumerate(zip(guide.levels, scales)):
        skip = 1 if g == 0 else 0  # states have a level before their increments
        forward, backward, strength, info = whiten(level)
        used = np.r_[np.arange(skip), skip + np.arange(first, n)]
        n_nodes, m = info.shape[0], n + skip
        everywhere = np.ix_(np.arange(n_nodes), used, used)
        full = {name: np.zeros((n_nodes, m, m)) for name in ("forward", "backward")}
        full["forward"][everywhere] = forward
        full["backward"][everywhere] = backward
        flat = {name: np.zeros((n_nodes, m)) for name in ("strength", "info")}
        flat["strength"][:, used], flat["info"][:, used] = strength, info
        base = full["backward"][:, :, 0] * guide.center[:, None] if g == 0 else None
        data |= {
            f"forward_{g}": full["forward"],
            f"strength_{g}": flat["strength"],
            f"info_{g}": flat["info"],
            f"base_{g}": np.zeros((n_nodes, m)) if base is None else base,
            f"reference_{g}": np.broadcast_to(scale, (n_nodes,)).copy(),
        }
        if g < len(inputs.members):
            data[f"backward_{g}"] = np.ascontiguousarray(full["backward"][:, :, skip:])
    return data | {f"member_{g}": m for g, m in enumerate(inputs.members)}


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


def interval_censored(eta: Any, alpha: Any) -> Any:
    """Log probability that a count lies in 1..9, shape (C,) from ``eta`` and ``alpha`` (C,)."""
    y = np.arange(CENSORED_LOW, CENSORED_HIGH + 1.0)
    log_factorial = gammaln(y + 1.0)
    terms = negative_binomial(y[None], eta[:, None], alpha[:, None]) - log_factorial[None]
    return pt.logsumexp(terms, axis=1)


def _log_normal(name: str, **keywords: Any) -> Any:
    median, sd = LOG_NORMAL[name]
    return pm.LogNormal(name, np.log(median), sd, **keywords)


def _student_t(square: Any, scale: Any, tail: Any) -> Any:
    constant = pt.gammaln((tail + 1) / 2) - pt.gammaln(tail / 2) - 0.5 * pt.log(tail * np.pi)
    return constant - pt.log(scale) - (tail + 1) / 2 * pt.log1p(square / (tail * scale**2))


def _multiply(matrices: Any, vectors: Any) -> Any:
    return pt.matmul(matrices, vectors[:, :, None])[:, :, 0]


def build(shape: Shape, data: dict[str, Floats]) -> pm.Model:
    """The PyMC model of a shape.

    Priors (log scales are per knot step): see ``docs/models/hierarchical.md``.
    """
    with pm.Model() as model:
        d = {name: pm.Data(name, value) for name, value in data.items()}
        if shape.tail is None:
            tail = pm.Deterministic("tail", 2.0 + pm.Gamma("tail_raw", *TAIL))
        else:
            tail = pt.constant(float(shape.tail))
        parent = None
        if shape.groups:
            n_levels = len(shape.groups)
            scale_group = _log_normal("scale_group", shape=n_levels)
            damp_group = pm.Beta("damping_group", *DAMPING, shape=n_levels)
            for g in reversed(range(n_levels)):
                scale = pt.ones(shape.groups[g]) * scale_group[g]
                _, deviation, parent = _node(
                    d, g + 1, shape, scale, damp_group[g], tail, parent, shape.groups[g]
                )
                pm.Deterministic(f"increment_{g}", deviation[:, -1])
                parent = pt.dot(d[f"member_{g}"], parent)
        scale = _state_scales(d, shape)
        damping = pm.Beta("damping", *DAMPING)
        vector, deviation, _ = _node(d, 0, shape, scale, damping, tail, parent, shape.states)
        level = pm.Deterministic("level", vector[:, 0])
        pm.Potential("level_prior", (-0.5 * ((level - d["center"]) / LEVEL_SD) ** 2).sum())
        pm.Deterministic("increment", deviation[:, -1])
        pm.Deterministic("path", pt.dot(vector, path_basis(shape.knots).T))
        noise = _log_normal("noise")
        if shape.states > 2:
            spread = pm.HalfNormal("noise_spread", HALF_NORMAL["noise_spread"])
            raw = pm.ZeroSumNormal("noise_raw", 1.0, shape=shape.states)
            extra = pm.Deterministic("extra", noise * pt.exp(spread * raw))
        else:
            extra = pm.Deterministic("extra", noise * pt.ones(shape.states))
        alpha = extra**-2.0
        eta = pt.dot(vector, d["design"].T) + d["offset"] + _common(d, shape)
        if shape.effects:
            raw = pm.Normal("effect_raw", 0.0, 1.0, shape=shape.effects)
            effect = pm.Deterministic("effect", d["effect_mean"] + raw * d["effect_scale"])
            eta += pt.dot(effect, d["exposure"]).reshape((shape.states, shape.months))
        known = d["seen"] > 0
        terms = negative_binomial(d["counts"], pt.switch(known, eta, 0.0), alpha[:, None])
        pm.Potential("likelihood", (d["seen"] * terms).sum())
        if shape.censored:
            cells = eta.reshape((-1,))[d["censored_cell"].astype("int64")]
            chance = interval_censored(cells, pt.dot(d["censored_state"], alpha))
            pm.Potential("censored_likelihood", chance.sum())
    return model


def _node(
    d: dict[str, Any],
    g: int,
    shape: Shape,
    scale: Any,
    damping: Any,
    tail: Any,
    parent: Any,
    n_nodes: int,
) -> tuple[Any, Any, Any]:
    """Nodes of one level: (vector, deviations of increments from the parent, increments)."""
    skip = 1 if g == 0 else 0
    z = pm.Flat(f"z_{g}", shape=(n_nodes, shape.knots - 1 + skip))
    live = pt.concatenate([pt.ones(skip), d["live"]]) if skip else d["live"]
    shrink = ((d[f"reference_{g}"] / scale) ** 2)[:, None]
    precision = d[f"strength_{g}"] + shrink
    expected = d[f"base_{g}"]
    if parent is not None:
        expected = expected + _multiply(d[f"backward_{g}"], parent)
    white = (d[f"info_{g}"] + shrink * expected) / precision + z / pt.sqrt(precision)
    vector = _multiply(d[f"forward_{g}"], white)
    # Jacobian of the map; coordinates of knots not in use are standard normal.
    density = -0.5 * (live * pt.log(precision)).sum() - 0.5 * ((1.0 - live) * z**2).sum()
    increments = vector[:, skip:]
    deviation = increments if parent is None else increments - parent
    later = (d["live"] - d["start"])[1:]
    square = (deviation[:, 1:] - damping * deviation[:, :-1]) ** 2
    density += (later * _student_t(square, scale[:, None], tail)).sum()
    spread = scale / pt.sqrt(1.0 - damping**2)
    density += (-0.5 * (pt.dot(deviation, d["start"]) / spread) ** 2 - pt.log(spread)).sum()
    pm.Potential(f"density_{g}", density)
    return vector, deviation, increments


def _state_scales(d: dict[str, Any], shape: Shape) -> Any:
    pooled = _log_normal("scale_state")
    if shape.states <= 2:
        return pm.Deterministic("scale", pooled * pt.ones(shape.states))
    size = pm.Deterministic("scale_size", SIZE_SD * pm.Normal("scale_size_raw", 0.0, 1.0))
    spread = pm.HalfNormal("scale_spread", HALF_NORMAL["scale_spread"])
    raw = pm.ZeroSumNormal("scale_raw", 1.0, shape=shape.states)
    return pm.Deterministic("scale", pooled * pt.exp(size * d["size"] + spread * raw))


def _common(d: dict[str, Any], shape: Shape) -> Any:
    """Season and common month shocks, (1, T) or (S, T)."""
    scale = _log_normal("season_scale")
    season = pm.Deterministic("season", scale * pm.ZeroSumNormal("season_raw", 1.0, shape=12))
    out = pt.dot(d["month_hot"], season)[None]
    if shape.season_state:
        spread = _log_normal("season_spread")
        raw = pm.ZeroSumNormal("season_state_raw", 1.0, shape=(shape.states, 12))
        own = pm.Deterministic("season_state", spread * raw)
        out = out + pt.dot(own, d["month_hot"].T)
    if shape.groups:
        scale = _log_normal("shock_scale")
        raw = pm.Normal("shock_raw", 0.0, 1.0, shape=shape.months)
        out = out + pm.Deterministic("shock", scale * raw)[None]
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
