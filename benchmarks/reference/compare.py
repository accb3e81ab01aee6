"""Compare today's code with numbers frozen before the redesign of November 2026.

``frozen_2026_11.npz`` was written by the code as it stood then (commit 6798a75): on the bundled
release, on the release of 2024-12-11 (from ``shared/data``) and on a clean cut at 2023-06,

* what is deterministic of the default of that day: missing deaths, filter means and covariances.
  ``dlm-2026-11``, that default kept in ``dlm_2026_11``, must give them to 1e-9;
* quantiles (5, 25, 50, 75, 95%) of 12-month counts of every model, 20 blocks of 1,000 draws, with
  their Monte Carlo standard error: the difference over its standard error must look like noise.
  The ``dlm`` of then is compared with ``dlm-2026-11``, and so are the ensemble with that member:
  today's is another model. So is today's hierarchy: ``hierarchical-quick`` is left out.

    python benchmarks/reference/compare.py          about 12 minutes on one core
    python benchmarks/reference/compare.py --exact  the deterministic part only
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

import odforecast as od

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from dlm_2026_11 import Dlm, register  # noqa: E402
from dlm_2026_11.delay import corrected, missing_deaths  # noqa: E402

SHARED = Path(os.environ.get("ODFORECAST_SHARED", HERE.parents[2] / "shared" / "data"))
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
register()
#: Members of the ensemble then, and what a default model is today: the dlm is another one since.
MEMBERS = (od.get_model("dlm-2026-11", delay=False), "auto-ets", "auto-theta")
#: What a model was called then -> what it is now.
TODAY = {
    "dlm": ("dlm-2026-11", {"delay": False}),
    "dlm+delay": ("dlm-2026-11", {}),
    "ensemble-equal": ("ensemble", {"delay": False, "members": MEMBERS}),
}
#: Models that are no longer here.
GONE = ("ensemble", "ensemble-linear", "hierarchical-quick")


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
    given = parser.parse_args()
    frozen = np.load(HERE / "frozen_2026_11.npz")
    worst = 0.0
    for name, panel in panels().items():
        missing, _ = missing_deaths(panel)
        worst = max(worst, float(np.abs(missing - frozen[f"{name}/missing"]).max()))
        for tag, seen in (("raw", panel), ("done", corrected(panel, missing))):
            fitted = Dlm(delay=False).fit(seen)
            for i, state in enumerate(fitted.states):  # type: ignore[attr-defined]
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


def _quantiles(name: str, panel: od.Panel, frozen: np.lib.npyio.NpzFile) -> None:
    for key in (k for k in frozen.files if k.startswith(f"{name}/q/")):
        then = key.split("/")[2]
        model, settings = TODAY.get(then, (then, {}))
        if then in GONE or (then.endswith("+delay") and then != "dlm+delay"):
            continue
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
