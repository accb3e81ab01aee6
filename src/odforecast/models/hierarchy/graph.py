"""The hierarchy as a PyMC model, compiled once per shape: its density, and its data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm  # type: ignore[import-untyped]
import pytensor.tensor
from numpy.typing import NDArray

from odforecast.models.delay.deficit import SPAN
from odforecast.models.hierarchy import laplace
from odforecast.models.hierarchy.inputs import Inputs, between_knots
from odforecast.models.hierarchy.laplace import Approximation, Level, Nation
from odforecast.panel import Floats

#: Untyped calls stay untyped.
pt: Any = pytensor.tensor
#: Completed months are kept above zero: below about this, smoothly.
SMALL = 0.1


def log_gamma(a: Any) -> Any:
    """Stirling's series after a shift by four: exact to 4e-8, and cheap to differentiate."""
    b = a + 4.0
    s = 1.0 / (b * b)
    series = (1.0 / 12.0 - s * (1.0 / 360.0 - s / 1260.0)) / b
    shift = pt.log(a * (a + 1.0) * (a + 2.0) * (a + 3.0))
    return (b - 0.5) * pt.log(b) - b + 0.9189385332046727 + series - shift


def negative_binomial(y: Any, eta: Any, alpha: Any) -> Any:
    """Log probability of counts with log mean ``eta`` and variance mu + mu²/alpha."""
    # Up to `log y!`, which does not depend on parameters.
    mu = pt.exp(eta)
    return (
        log_gamma(y + alpha)
        - log_gamma(alpha)
        + y * eta
        + alpha * pt.log(alpha)
        - (y + alpha) * pt.log(mu + alpha)
    )


def window_chance(counts: Any, mean: Any, alpha: Any) -> Any:
    """Log probability that a count is one of ``counts``, shape (C,)."""
    # counts (C, n); mean, alpha (C,)
    there = counts >= 0
    y = pt.switch(there, counts, 0.0)
    terms = negative_binomial(
        y, pt.log(mean)[:, None], alpha=alpha[:, None]
    ) - pt.gammaln(y + 1.0)
    return pt.logsumexp(pt.switch(there, terms, -1e30), axis=1)


def student_t(square: Any, scale: Any, tail: Any) -> Any:
    """Log density of Student's t from a square."""
    constant = (
        pt.gammaln((tail + 1) / 2) - pt.gammaln(tail / 2) - 0.5 * pt.log(tail * np.pi)
    )
    return (
        constant - pt.log(scale) - (tail + 1) / 2 * pt.log1p(square / (tail * scale**2))
    )


def likelihood(d: dict[str, Any], eta: Any, extra: Any) -> None:
    """Counts; those of the last months completed by late arrivals that are not known."""
    # eta (S, T); extra (S,)
    n_states, n_time = d["counts"].get_value().shape
    known = d["seen"] > 0
    log_mean = pt.switch(known, eta, 0.0)
    variance = (extra**2)[:, None]
    ages = min(SPAN, n_time) if "late" in d else 0
    settled = slice(0, n_time - ages)
    terms = negative_binomial(
        d["counts"][:, settled], log_mean[:, settled], alpha=1.0 / variance
    )
    pm.Potential("likelihood", (d["seen"][:, settled] * terms).sum())
    if ages:
        completed = d["counts"][:, -ages:]
        for name, unit in (("late", "late"), ("revision", "revised")):
            own = pm.Normal(f"{name}_own_raw", 0.0, 1.0, shape=n_states)
            shared = pm.Normal(f"{name}_shared_raw", 0.0, 1.0)
            error = d[f"{name}_own"] * own + d[f"{name}_shared"] * shared
            error = pm.Deterministic(f"{name}_error", error)
            completed = completed + d[unit] * error[:, None]
        above = 0.5 * (completed + pt.sqrt(completed**2 + SMALL**2))
        changing = (d["late"] > 0) | (d["revised"] > 0)
        y = pt.switch(changing, above, d["counts"][:, -ages:])
        terms = negative_binomial(
            y, log_mean[:, -ages:], alpha=1.0 / (variance + d["slack"])
        )
        # Here y! depends on parameters.
        terms = d["seen"][:, -ages:] * (terms - log_gamma(y + 1.0))
        pm.Potential("open_likelihood", terms.sum())
    if "window" in d:
        mu = pt.exp(pt.dot(d["window_state"], pt.clip(eta, -15.0, 16.0)))
        mean = (d["window"] * mu).sum(axis=1)
        square = (d["window"] * mu**2).sum(axis=1)
        alpha = mean**2 / (pt.dot(d["window_state"], extra**2) * square)
        chance = window_chance(d["window_counts"], mean, alpha=alpha)
        pm.Potential("window_likelihood", chance.sum())


def graph_data(inputs: Inputs, guide: Approximation) -> dict[str, Floats]:
    """Data of the graph: counts, masks, memberships and the whitening map, all padded."""
    n_states, n_time, n_knots = inputs.shape
    first = inputs.first
    n = n_knots - 1
    design = inputs.weights @ laplace.path_basis(n_knots)
    design[:, 1 : 1 + first] = 0.0  # knots not in use
    live = np.zeros(n)
    start = np.zeros(n)
    live[first:] = 1.0
    start[first] = 1.0
    data: dict[str, Floats] = {
        "counts": inputs.counts,
        "seen": inputs.seen.astype(float),
        "design": design,
        "month_hot": inputs.month_hot,
        "live": live,
        "start": start,
        "center": guide.center,
    }
    # Only what a graph uses may be given to it.
    if n_states > 2:
        data["size"] = guide.center - guide.center.mean()
    if len(inputs.windows):
        data["window"] = inputs.windows
        data["window_state"] = np.eye(n_states)[inputs.window_row]
        data["window_counts"] = np.nan_to_num(inputs.window_counts, nan=-1.0)
    if (missing := inputs.missing) is not None:
        ages = min(SPAN, n_time)
        data |= {
            "late": missing.late[:, -ages:],
            "revised": missing.revised[:, -ages:],
            "slack": inputs.slack[:, -ages:],
            "late_own": missing.own,
            "late_shared": missing.shared,
            "revision_own": missing.revision_own,
            "revision_shared": np.full(n_states, missing.revision_shared),
        }
    scales: tuple[Floats, Floats] = (guide.scales.state, np.array(guide.scales.region))
    for g, (level, scale) in enumerate(zip(guide.levels, scales)):
        skip = 1 if g == 0 else 0  # states have a level before their increments
        used = np.r_[np.arange(skip), skip + np.arange(first, n)]
        data |= _map(f"{g}", level, scale=scale, used=used, size=n + skip)
        if g == 0:
            data["base_0"] = data["backward_0"][:, :, 0] * guide.center[:, None]
        data[f"backward_{g}"] = np.ascontiguousarray(data[f"backward_{g}"][:, :, skip:])
        if not inputs.pooled:
            del data[f"backward_{g}"]
    if inputs.regions:
        data["region"] = inputs.region
    if guide.nation is not None:
        data |= _national(inputs, guide.nation, scale=guide.scales.nation)
    return data


def _map(
    name: str,
    level: Level,
    scale: Floats,
    used: NDArray[np.int64],
    size: int,
) -> dict[str, Floats]:
    """The whitening map of a level, padded to ``size`` coordinates."""
    # `bend` is the prior precision in each direction as a polynomial of the damping: with it one
    # map serves all dampings. What it bends besides is left to the sampler.
    forward, backward, strength, info = laplace.whiten(level)
    n_nodes = len(info)
    everywhere = np.ix_(np.arange(n_nodes), used, used)
    full = {key: np.zeros((n_nodes, size, size)) for key in ("forward", "backward")}
    full["forward"][everywhere] = forward
    full["backward"][everywhere] = backward
    flat = {key: np.zeros((n_nodes, size)) for key in ("strength", "info")}
    flat["strength"][:, used] = strength
    flat["info"][:, used] = info
    found = full | flat | {"reference": np.broadcast_to(scale, (n_nodes,)).copy()}
    if level.by_damping is not None:
        bend = np.zeros((3, n_nodes, size))
        bend[0] = 1.0
        bend[:, :, used] = np.einsum(
            "ski,pskl,sli->psi",
            forward,
            level.by_damping,
            forward,
            optimize=True,
        )
        found["bend"] = bend
    return {f"{k}_{name}": v for k, v in found.items()}


def _national(inputs: Inputs, nation: Nation, scale: float) -> dict[str, Floats]:
    """Maps of the nation's steps, the slope integrated out, and of the slope given them."""
    n_time = inputs.counts.shape[1]
    begin = inputs.first * inputs.every
    used = np.arange(begin, n_time - 1)
    own = np.linalg.inv(nation.level.prior[0])
    steps = replace(nation.level, prior=np.linalg.inv(own + nation.slope)[None])
    data = _map("nation", steps, scale=np.array(scale), used=used, size=n_time - 1)
    del data["reference_nation"]
    # Share of the slope in the prior variance of each direction.
    white = data["backward_nation"][0][np.ix_(used, used)]
    part = np.zeros((1, n_time - 1))
    part[0, used] = np.einsum("ik,kl,il->i", white, nation.slope, white)
    del data["backward_nation"]
    # Steps in units of their innovations; there the slope's own directions.
    units = np.sqrt(np.diag(nation.level.prior[0])) * scale
    root = units[:, None] * laplace.slope_filter(used.size)
    spread, turn = np.linalg.eigh(root @ root.T)
    square = np.ix_(used, used)
    there, back = np.zeros((2, n_time - 1, n_time - 1))
    there[square] = turn.T * units
    back[square] = turn / units[:, None]
    roots, live = np.zeros((2, n_time - 1))
    roots[used] = np.sqrt(np.maximum(spread, 0.0))
    live[used] = 1.0
    quarter, bridge = between_knots(n_time, inputs.every)
    return data | {
        "reference_nation": np.array([scale]),
        "slope_part": part,
        "slope_turn": there,
        "slope_back": back,
        "slope_root": roots,
        "live_nation": live,
        "quarter": quarter,
        "bridge_basis": bridge,
        "shock_strength": nation.strength,
        "shock_info": nation.left,
    }


#: Variables kept in ``idata`` (whitened coordinates and other raw variables are not).
KEPT = (
    "level",
    "path",
    "increment",
    "scale",
    "scale_state",
    "scale_size",
    "scale_spread",
    "damping",
    "extra",
    "noise",
    "noise_spread",
    "season",
    "season_scale",
    "common",
    "shock_scale",
    "scale_region",
    "damping_region",
    "increment_region",
    "scale_nation",
    "slope_ratio",
    "slope",
    "late_error",
    "revision_error",
)


def _log_normal(name: str, **keywords: Any) -> Any:
    median, sd = laplace.LOG_NORMAL[name]
    return pm.LogNormal(name, np.log(median), sd, **keywords)


def _by_state(
    name: str, pooled: Any, spread: str, n_states: int, more: Any = 0.0
) -> Any:
    """A positive parameter of each state around a pooled one, shape (S,)."""
    # The spread of its logs is symmetric: sampled with a sign, which changes nothing else. So zero
    # is no edge; on the log scale a chain stays long in the flat part below.
    if n_states <= 2:
        return pm.Deterministic(name, pooled * pt.ones(n_states))
    signed = laplace.HALF_NORMAL[spread] * pm.Normal(f"{spread}_raw", 0.0, 1.0)
    pm.Deterministic(spread, pt.abs(signed))
    raw = pm.ZeroSumNormal(f"{spread.removesuffix('_spread')}_raw", 1.0, shape=n_states)
    return pm.Deterministic(name, pooled * pt.exp(more + signed * raw))


def _multiply(matrices: Any, vectors: Any) -> Any:
    return pt.matmul(matrices, vectors[:, :, None])[:, :, 0]


def build(data: dict[str, Floats], *, tail: float) -> pm.Model:
    """The PyMC model of some data; what is not among these is not in it."""
    # Priors (log scales are per knot step, the nation's per month): see
    # `docs/models/hierarchical.md`. `tail` are the degrees of freedom of the innovations.
    (n_states, n_time), n_knots = data["counts"].shape, data["live"].size + 1
    with pm.Model() as model:
        d = {name: pm.Data(name, value) for name, value in data.items()}
        freedom = pt.constant(float(tail))
        parent = None
        common = _season(d)
        if n_states > 1:
            steps = _nation(d, n_time, tail=freedom)
            common = (
                common
                + _month(d, n_time, bridge=pt.dot(d["bridge_basis"], steps))[None]
            )
            parent = pt.dot(d["quarter"], steps)[None]
        if "region" in d:
            n_regions = data["region"].shape[1]
            scale = _log_normal("scale_region")
            damping = pm.Beta("damping_region", *laplace.DAMPING)
            parent = pt.repeat(parent, n_regions, axis=0)
            size = pt.ones(n_regions) * scale
            _, deviation, parent = _node(
                d,
                "1",
                scale=size,
                damping=damping,
                tail=freedom,
                parent=parent,
                skip=0,
            )
            pm.Deterministic("increment_region", deviation[:, -1])
            parent = pt.dot(d["region"], parent)
        elif parent is not None:
            parent = pt.repeat(parent, n_states, axis=0)
        pooled = _log_normal("scale_state")
        larger = 0.0
        if n_states > 2:
            size = pm.Deterministic(
                "scale_size", laplace.SIZE_SD * pm.Normal("scale_size_raw", 0.0, 1.0)
            )
            larger = size * d["size"]
        scale = _by_state(
            "scale", pooled, spread="scale_spread", n_states=n_states, more=larger
        )
        damping = pm.Beta("damping", *laplace.DAMPING)
        vector, deviation, _ = _node(
            d,
            "0",
            scale=scale,
            damping=damping,
            tail=freedom,
            parent=parent,
            skip=1,
        )
        level = pm.Deterministic("level", vector[:, 0])
        pm.Potential(
            "level_prior",
            (-0.5 * ((level - d["center"]) / laplace.LEVEL_SD) ** 2).sum(),
        )
        pm.Deterministic("increment", deviation[:, -1])
        pm.Deterministic("path", pt.dot(vector, laplace.path_basis(n_knots).T))
        eta = pt.dot(vector, d["design"].T) + common
        extra = _by_state(
            "extra", _log_normal("noise"), spread="noise_spread", n_states=n_states
        )
        likelihood(d, eta, extra=extra)
    return model


def _nation(d: dict[str, Any], n_time: int, tail: Any) -> Any:
    """The nation's steps from month to month, shape (T - 1,)."""
    # The steps first, the slope integrated out; then the slope given them. The other way round the
    # slope is a funnel of its own where it explains much of a rise.
    scale = _log_normal("scale_nation")
    ratio = _log_normal("slope_ratio")
    prior = (scale / d["reference_nation"][:, None]) ** 2
    prior = prior * (1.0 + d["slope_part"] * ((ratio / laplace.SLOPE_RATIO) ** 2 - 1.0))
    steps = _placed(
        d, "nation", shrink=1.0 / prior, expected=0.0, alive=d["live_nation"]
    )[0]
    # In these directions the slope is independent, of variance ratio² · root² beside 1 of what
    # stands between it and the steps.
    known = pt.dot(d["slope_turn"], steps) / scale
    z = pm.Flat("z_slope", shape=n_time - 1)
    root = ratio * d["slope_root"]
    total = 1.0 + root**2
    unit = (root * known + pt.sqrt(total) * z) / total
    pm.Potential("density_slope", (-0.5 * unit**2 - 0.5 * pt.log(total)).sum())
    slope = scale * pt.dot(d["slope_back"], root * unit)
    pm.Deterministic("slope", slope[-1])
    innovations = student_t((steps - slope) ** 2, scale, tail=tail)
    pm.Potential("innovations_nation", (d["live_nation"] * innovations).sum())
    return steps


def _month(d: dict[str, Any], n_time: int, bridge: Any) -> Any:
    """What is common to a month: the nation between its knots, and a shock; shape (T,)."""
    scale = _log_normal("shock_scale")
    z = pm.Flat("z_shock", shape=n_time)
    precision = d["shock_strength"] + scale**-2.0
    shock = (d["shock_info"] - d["shock_strength"] * bridge) / precision + z / pt.sqrt(
        precision
    )
    density = -0.5 * (shock / scale) ** 2 - pt.log(scale) - 0.5 * pt.log(precision)
    pm.Potential("density_shock", density.sum())
    return pm.Deterministic("common", bridge + shock)


def _placed(
    d: dict[str, Any], name: str, shrink: Any, expected: Any, alive: Any
) -> Any:
    """Vectors of a level from their coordinates, shape (N, n); the Jacobian enters the density."""
    # `shrink` is the precision of the prior in each direction, `expected` its mean there;
    # coordinates that are not `alive` are standard normal.
    z = pm.Flat(f"z_{name}", shape=d[f"info_{name}"].get_value().shape)
    precision = d[f"strength_{name}"] + shrink
    white = (d[f"info_{name}"] + shrink * expected) / precision + z / pt.sqrt(precision)
    density = (
        -0.5 * (alive * pt.log(precision)).sum() - 0.5 * ((1.0 - alive) * z**2).sum()
    )
    pm.Potential(f"density_{name}", density)
    return _multiply(d[f"forward_{name}"], white)


def _node(
    d: dict[str, Any],
    name: str,
    scale: Any,
    damping: Any,
    tail: Any,
    parent: Any,
    skip: int,
) -> tuple[Any, Any, Any]:
    """Nodes of one level: (vector, deviations of increments from the parent, increments)."""
    # `skip` is 1 where a level stands before the increments.
    live = d["live"]
    start = d["start"]
    alive = pt.concatenate([pt.ones(skip), live]) if skip else live
    bent = d[f"bend_{name}"]
    shrink = ((d[f"reference_{name}"] / scale) ** 2)[:, None]
    shrink = shrink * (bent[0] + damping * (bent[1] + damping * bent[2]))
    expected = d["base_0"] if skip else 0.0
    if parent is not None:
        expected = expected + _multiply(d[f"backward_{name}"], parent)
    vector = _placed(d, name, shrink=shrink, expected=expected, alive=alive)
    increments = vector[:, skip:]
    deviation = increments if parent is None else increments - parent
    later = (live - start)[1:]
    square = (deviation[:, 1:] - damping * deviation[:, :-1]) ** 2
    density = (later * student_t(square, scale[:, None], tail=tail)).sum()
    spread = scale / pt.sqrt(1.0 - damping**2)
    density += (-0.5 * (pt.dot(deviation, start) / spread) ** 2 - pt.log(spread)).sum()
    pm.Potential(f"innovations_{name}", density)
    return vector, deviation, increments


def _season(d: dict[str, Any]) -> Any:
    """Season, (1, T)."""
    scale = _log_normal("season_scale")
    season = pm.Deterministic(
        "season", scale * pm.ZeroSumNormal("season_raw", 1.0, shape=12)
    )
    return pt.dot(d["month_hot"], season)[None]


_graphs: dict[object, Any] = {}


def compiled(data: dict[str, Floats], *, tail: float) -> Any:
    """The compiled graph of this process with these data in it; compiled once for each shape."""
    import nutpie  # type: ignore[import-untyped]

    shape = (tail, *((name, value.shape) for name, value in data.items()))
    if shape not in _graphs:
        model = build(data, tail=tail)
        kept = [v.name for v in model.unobserved_RVs if v.name in KEPT]
        _graphs[shape] = nutpie.compile_pymc_model(model, var_names=kept)
    return _graphs[shape].with_data(**data)
