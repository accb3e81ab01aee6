"""Simulation-based calibration of the hierarchy: does the sampler return the prior's truth?

Parameters and months are drawn from the prior in numpy (``hierarchy_prior.simulate``), the
graph is fitted to the months, and the rank of each true value among its posterior draws is
noted. Over many simulations the ranks are uniform if graph, whitening and sampler are right.

    python benchmarks/sbc_hierarchical.py --simulations 100
    python benchmarks/sbc_hierarchical.py --simulations 100 --delay   with late arrivals

writes a Markdown table to standard output. All simulations share one compiled graph.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import scipy.stats as st

import odforecast as od
from hierarchy_prior import simulate
from odforecast.models.hierarchy.laplace import approximate
from odforecast.models.hierarchy.model import Hierarchical, Limits, container, convergence
from odforecast.panel import LAYERS

STATES = ("CT", "MA", "ME", "OH", "MI", "IN")
BINS = 10
SCALARS = (
    "scale_nation", "slope_ratio", "slope", "scale_region", "damping_region", "scale_state",
    "scale_size", "scale_spread", "damping", "noise", "noise_spread", "season_scale", "shock_scale",
)  # fmt: skip
ELEMENTS = (
    ("level", 0), ("increment", 0), ("increment_region", 0), ("scale", 0), ("extra", 0),
    ("season", 0), ("common", -1), ("common", -2),
)  # fmt: skip
LATE = (("late_error", 0), ("late_error", 1), ("revision_error", 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=100)
    parser.add_argument("--draws", type=int, default=500, help="per chain, two chains")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--delay", action="store_true", help="as the last release is incomplete")
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    panel = od.bundled().as_of("2025-09-17").panel().select(STATES)
    if not options.delay:
        panel = panel.cut("2018-12")
    # Five years of months are enough, and faster.
    last = {name: getattr(panel, name)[:, -48:] for name in LAYERS}
    panel = replace(panel, months=panel.months[-48:], triangle=None, **last)
    model = Hierarchical(draws=options.draws, tune=400, chains=2, cores=options.cores)
    inputs, _ = model.inputs(panel)
    center = approximate(inputs, 5.0).center
    truth = simulate(inputs, options.simulations, np.random.default_rng(options.seed))
    n = truth["deaths"].shape[2]
    ranks: dict[str, list[float]] = {}
    worst, divergent, began = [], 0, time.perf_counter()
    thin = max(1, 2 * options.draws // 100)
    for i in range(options.simulations):
        counts = inputs.counts.copy()
        counts[:, -n:] = truth["deaths"][i]
        drawn = replace(inputs, counts=counts)
        # The level's prior mean is read off the data in use; here it is what the prior had.
        guide = replace(approximate(drawn, 5.0), center=center)
        posterior, stats = model._sample(drawn, guide, seed=options.seed + i)
        checks = convergence(container(drawn, posterior, stats), Limits())
        worst.append(checks.table["r_hat"].max())
        divergent += checks.divergences
        flat = {k: v.reshape(-1, *v.shape[2:])[::thin] for k, v in posterior.items()}
        pairs = [(name, flat[name], truth[name][i]) for name in SCALARS]
        elements = ELEMENTS + (LATE if inputs.missing is not None else ())
        pairs += [(f"{name}[{j}]", flat[name][:, j], truth[name][i, j]) for name, j in elements]
        for name, sample, value in pairs:
            ranks.setdefault(name, []).append(float((sample < value).mean()))
    print(
        f"{options.simulations} simulations, {len(STATES)} states × {n} months, "
        f"2 × {options.draws} draws, {time.perf_counter() - began:.0f} s with compiling; "
        f"largest R-hat: median {np.median(worst):.3f}, maximum {np.max(worst):.3f}; "
        f"{divergent} divergent transitions\n"
    )
    print("| quantity | mean rank | sd of ranks | p (uniform) |")
    print("|---|---|---|---|")
    for name, values in ranks.items():
        bins = np.histogram(values, bins=BINS, range=(0, 1 + 1e-9))[0]
        p = st.chisquare(bins).pvalue
        print(f"| `{name}` | {np.mean(values):.2f} | {np.std(values):.2f} | {p:.3f} |")
    print("\nUniform ranks have mean 0.50 and standard deviation 0.29.")


if __name__ == "__main__":
    main()
