"""Compare today's code with numbers frozen before the redesign of November 2026.

``frozen_2026_11.npz`` was written by the code as it stood then (commit 6798a75): on the bundled
release, on the release of 2024-12-11 (from ``shared/data``) and on a clean cut at 2023-06,

* what is deterministic: missing deaths, filter means and covariances of the ``dlm`` with the scales
  of that day: these must be equal to 1e-9;
* quantiles (5, 25, 50, 75, 95 %) of 12-month counts of every model, 20 blocks of 1,000 draws, with
  their Monte Carlo standard error: the difference over its standard error must look like noise.

    python benchmarks/reference/compare.py          about 12 minutes on one core
    python benchmarks/reference/compare.py --exact  the deterministic part only

``frozen_hierarchical_2026_11.npz``, by the same code: what ``hierarchical`` was given to sample on
the clean cut (must be equal to 1e-9), and the means of its posterior (4 chains of 1,000 draws),
compared in units of their Monte Carlo error:

    python benchmarks/reference/compare.py --posterior   about 2 minutes
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

import odforecast as od
from odforecast.models.delay.layer import corrected, missing_deaths
from odforecast.models.hierarchy.graph import graph_data
from odforecast.models.hierarchy.laplace import approximate
from odforecast.models.hierarchy.model import Hierarchical
from odforecast.models.statespace.model import Scales

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("ODFORECAST_SHARED", HERE.parents[2] / "shared" / "data"))
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
#: The scales of that day, set by hand.
HAND = Scales(
    level_own=0.0355, slope_own=0.0009, damp_own=0.737,
    level_region=0.0188, slope_region=0.001, damp_region=0.864,
    level_us=0.0283, slope_us=0.0034, damp_us=0.976,
    noise=0.0601, shock=0.0075,
)  # fmt: skip
#: Members of the ensembles then: the dlm had the scales set by hand.
MEMBERS = (od.get_model("dlm", delay=False, scales=HAND), "auto-ets", "auto-theta")
#: What a model was called then -> what it is now.
TODAY = {
    "dlm": ("dlm", {"delay": False, "scales": HAND}),
    "dlm+delay": ("dlm", {"scales": HAND}),
    "ensemble": ("ensemble", {"delay": False, "members": MEMBERS}),
    "ensemble-equal": ("ensemble-equal", {"delay": False, "members": MEMBERS}),
    "ensemble-linear": ("ensemble-linear", {"delay": False, "members": MEMBERS}),
}


def panels() -> dict[str, od.Panel]:
    """The panels that were frozen, as far as their files are there."""
    bundled = od.bundled().as_of().panel()
    found = {"bundled": bundled, "clean-2023-06": bundled.cut("2023-06")}
    file = SHARED / "vsrr" / "2024-12-11.csv.gz"
    if file.exists():
        found["real-2024-12-11"] = od.read(file).panel()
    return found


def main() -> None:
    """Compare and print; exit 1 if something deterministic moved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--posterior", action="store_true")
    given = parser.parse_args()
    if given.posterior:
        _posterior()
        return
    frozen = np.load(HERE / "frozen_2026_11.npz")
    worst = 0.0
    for name, panel in panels().items():
        missing, _ = missing_deaths(panel)
        worst = max(worst, float(np.abs(missing - frozen[f"{name}/missing"]).max()))
        for tag, seen in (("raw", panel), ("done", corrected(panel, missing))):
            fitted = od.get_model("dlm", delay=False, scales=HAND).fit(seen)
            for i, state in enumerate(fitted.inner.states):  # type: ignore[attr-defined]
                mean = np.abs(state.mean - frozen[f"{name}/{tag}/mean{i}"]).max()
                worst = max(worst, float(mean))
                if f"{name}/{tag}/cov{i}" in frozen.files:
                    lower = state.cov[np.tril_indices(state.mean.size)]
                    cov = np.abs(lower - frozen[f"{name}/{tag}/cov{i}"]).max()
                    worst = max(worst, float(cov))
    print(f"deterministic numbers: largest difference {worst:.1e}")
    if not given.exact:
        for name, panel in panels().items():
            _quantiles(name, panel, frozen)
    if worst > 1e-9:
        raise SystemExit(1)


def _posterior() -> None:
    """Inputs and posterior means of ``hierarchical``; exit 1 if an input moved."""
    import arviz as az

    frozen = np.load(HERE / "frozen_hierarchical_2026_11.npz")
    model = Hierarchical(draws=1000, tune=500, chains=4)
    panel = panels()["clean-2023-06"]
    inputs, _ = model.inputs(panel)
    data = graph_data(inputs, approximate(inputs, 5.0))
    worst = max(float(np.abs(data[k] - frozen[f"data_{k}"]).max()) for k in data)
    print(f"what is sampled: largest difference {worst:.1e} over {len(data)} arrays")
    fitted = model.fit(panel)
    posterior = fitted.idata["posterior"]
    effective = az.ess(fitted.idata)
    total = []
    for name, values in posterior.data_vars.items():
        now = np.asarray(values.values)
        size = np.asarray(effective[name].values)
        error = np.hypot(
            now.std((0, 1)) / np.sqrt(size),
            frozen[f"sd_{name}"] / np.sqrt(frozen[f"ess_{name}"]),
        )
        z = np.ravel((now.mean((0, 1)) - frozen[f"mean_{name}"]) / error)
        total.append(z)
        print(f"{name:14} {z.size:5} means  rms z {np.sqrt((z**2).mean()):.2f}  "
              f"largest {np.abs(z).max():.2f}", flush=True)  # fmt: skip
    z = np.concatenate(total)
    print(f"{'all':14} {z.size:5} means  rms z {np.sqrt((z**2).mean()):.2f}  beyond 4: "
          f"{(np.abs(z) > 4).mean():.4f}")  # fmt: skip
    if worst > 1e-9:
        raise SystemExit(1)


def _quantiles(name: str, panel: od.Panel, frozen: np.lib.npyio.NpzFile) -> None:
    for key in (k for k in frozen.files if k.startswith(f"{name}/q/")):
        then = key.split("/")[2]
        model, settings = TODAY.get(then, (then, {}))
        locations = list(frozen[f"{name}/loc/{then}"])
        fitted = od.get_model(model, **settings).fit(panel)  # type: ignore[arg-type]
        blocks = []
        for seed in range(5000, 5020):
            made = fitted.forecast(12, draws=1000, seed=seed).select(locations)
            blocks.append(made.quantiles(LEVELS)[:, :, made.horizons >= 1])
        now = np.stack(blocks)
        error = np.hypot(now.std(axis=0, ddof=1) / np.sqrt(20), frozen[f"{name}/se/{then}"])
        gap = now.mean(axis=0) - frozen[key]
        z = (gap / np.maximum(error, 1e-3 * np.maximum(frozen[key], 1.0)))[np.abs(gap) > 1e-4]
        line = f"{name:16} {then:20}"
        if z.size:
            line += f" rms z {np.sqrt((z**2).mean()):.2f}, beyond 4: {(np.abs(z) > 4).mean():.4f}"
        else:
            line += " identical"
        print(line, flush=True)


if __name__ == "__main__":
    main()
