"""Data of the graph: the counts, who belongs to whom, and the map that whitens the posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from odforecast.models.delay.deficit import SPAN
from odforecast.models.hierarchy.inputs import Inputs, between_knots
from odforecast.models.hierarchy.laplace import Approximation, Nation
from odforecast.models.hierarchy.tree import Level, path_basis, slope_filter, whiten
from odforecast.panel import Floats


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
        data |= _map(f"{g}", level, scale, used, n + skip)
        if g == 0:
            data["base_0"] = data["backward_0"][:, :, 0] * guide.center[:, None]
        data[f"backward_{g}"] = np.ascontiguousarray(data[f"backward_{g}"][:, :, skip:])
        if not inputs.pooled:
            del data[f"backward_{g}"]
    if inputs.regions:
        data["region"] = inputs.region
    if guide.nation is not None:
        data |= _national(inputs, guide.nation, guide.scales.nation)
    return data


def _map(
    name: str, level: Level, scale: Floats, used: NDArray[np.int64], size: int
) -> dict[str, Floats]:
    """The whitening map of a level, padded to ``size`` coordinates.

    ``bend`` is the prior precision in each direction as a polynomial of the damping: with it
    one map serves all dampings. What it bends besides is left to the sampler.
    """
    forward, backward, strength, info = whiten(level)
    n_nodes = len(info)
    everywhere = np.ix_(np.arange(n_nodes), used, used)
    full = {key: np.zeros((n_nodes, size, size)) for key in ("forward", "backward")}
    full["forward"][everywhere] = forward
    full["backward"][everywhere] = backward
    flat = {key: np.zeros((n_nodes, size)) for key in ("strength", "info")}
    flat["strength"][:, used], flat["info"][:, used] = strength, info
    found = full | flat | {"reference": np.broadcast_to(scale, (n_nodes,)).copy()}
    if level.by_damping is not None:
        bend = np.zeros((3, n_nodes, size))
        bend[0] = 1.0
        bend[:, :, used] = np.einsum(
            "ski,pskl,sli->psi", forward, level.by_damping, forward, optimize=True
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
    data = _map("nation", steps, np.array(scale), used, n_time - 1)
    del data["reference_nation"]
    # Share of the slope in the prior variance of each direction.
    white = data["backward_nation"][0][np.ix_(used, used)]
    part = np.zeros((1, n_time - 1))
    part[0, used] = np.einsum("ik,kl,il->i", white, nation.slope, white)
    del data["backward_nation"]
    # Steps in units of their innovations; there the slope's own directions.
    units = np.sqrt(np.diag(nation.level.prior[0])) * scale
    root = units[:, None] * slope_filter(used.size)
    spread, turn = np.linalg.eigh(root @ root.T)
    square = np.ix_(used, used)
    there, back = np.zeros((2, n_time - 1, n_time - 1))
    there[square], back[square] = turn.T * units, turn / units[:, None]
    roots, live = np.zeros((2, n_time - 1))
    roots[used], live[used] = np.sqrt(np.maximum(spread, 0.0)), 1.0
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
