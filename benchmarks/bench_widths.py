"""Why the national intervals of ``dlm`` are wider than the full hierarchy's before 2020.

    python benchmarks/bench_widths.py --store FOLDER      the folder of bench_hierarchical.py

At the origins to 2019 ``dlm`` is fitted again with one choice after the other taken back, and its
sd of the nation's log 12-month count set beside the hierarchy's. And what happened, at all origins
of the folder, in sds of either: for reading, as sixteen origins rank nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import bench_hierarchical as audit
import odforecast as od
from odforecast.models.constants import all_constants
from odforecast.models.statespace import kalman
from odforecast.models.statespace.kalman import Scales
from odforecast.models.statespace.model import of_the_constants

#: Horizons shown.
AHEAD = (1, 3, 6, 9, 12)
#: The sd of a t with five degrees of freedom, of scale 1.
T_SD = float(np.sqrt(5.0 / 3.0))
#: Degrees of freedom that make the innovations of the future normal.
NORMAL = 1e6
#: Half a 90% interval in sds, of a normal.
HALF = 1.645


def variants(scales: dict[str, list[float]]) -> dict[str, tuple[Scales, float]]:
    """Scales of ``dlm``, and degrees of freedom of the nation's future, by what is changed."""
    estimated = Scales(*all_constants()[0].scales())
    now = of_the_constants(all_constants()[0])
    mid = {k: v[1] for k, v in scales.items()}
    level = T_SD * mid["scale_nation"]
    theirs = replace(
        now,
        level_us=level,
        slope_us=mid["scale_nation"] * mid["slope_ratio"],
        damp_us=0.98,
        shock=mid["shock_scale"],
    )
    tail = kalman.TAIL_DF
    plain = replace(now, level_us=estimated.level_us)
    return {
        "as it is": (now, tail),
        "the level's sd as estimated (not times 1.17)": (plain, tail),
        "... and normal innovations ahead (no heavy tail)": (plain, NORMAL),
        "... and the damping as estimated": (estimated, NORMAL),
        "the hierarchy's sd of the level": (replace(now, level_us=level), tail),
        "... and normal innovations ahead": (replace(now, level_us=level), NORMAL),
        "... and the hierarchy's slope, damping and shock": (theirs, NORMAL),
    }


def sds(panel: od.Panel, scales: Scales, tail: float) -> np.ndarray:
    """Sds of the nation's log 12-month counts, horizons 1 to 12."""
    kept, kalman.TAIL_DF = kalman.TAIL_DF, tail
    try:
        forecast = od.get_model("dlm", scales=scales).fit(panel).forecast(12, draws=4000, seed=1)
    finally:
        kalman.TAIL_DF = kept
    return np.array(audit.logs(forecast)["US"]["sd"])[audit.NOWCAST :]


def ratios(store: Path, names: Iterable[str]) -> str:
    """Ratios of the hierarchy's sd to those of the variants, means over origins."""
    found: dict[str, list[np.ndarray]] = {}
    for name, panel in audit.panels(names):
        x = audit.read(store, name)
        ours = np.array(x["hierarchical"]["US"]["sd"])[audit.NOWCAST :]
        for what, (scales, tail) in variants(x["scales"]).items():
            found.setdefault(what, []).append(np.log(ours / sds(panel, scales, tail)))
    lines = ["| `dlm` | " + " | ".join(f"h{h}" for h in AHEAD) + " |"]
    lines.append("|---" * (len(AHEAD) + 1) + "|")
    for what, rows in found.items():
        mean = np.exp(np.mean(rows, axis=0))
        lines.append(f"| {what} | " + " | ".join(f"{mean[h - 1]:.2f}" for h in AHEAD) + " |")
    return "\n".join(lines)


def outcomes(store: Path, names: Iterable[str]) -> str:
    """What happened, less the mean and in sds, by origin and model."""
    last = od.bundled().as_of(audit.AS_OF).panel()
    counts = dict(zip(last.months.tolist(), np.log(last.reported[last.index("US")]).tolist()))
    lines = ["| origin | model | " + " | ".join(f"h{h}" for h in AHEAD) + " |"]
    lines.append("|---" * (len(AHEAD) + 2) + "|")
    outside: dict[str, list[bool]] = {"hierarchical": [], "dlm": []}
    for name in names:
        x: dict[str, Any] = audit.read(store, name)
        months = np.datetime64(x["last_month"], "M") + np.arange(1, 13)
        truth = np.array([counts.get(m.item(), np.nan) for m in months])
        for model, over in outside.items():
            mean, sd = (np.array(x[model]["US"][k])[audit.NOWCAST :] for k in ("mean", "sd"))
            z = (truth - mean) / sd
            over += (np.abs(z[np.isfinite(z)]) > HALF).tolist()
            lines.append(f"| {name} | {model} | " + " | ".join(f"{z[h - 1]:+.1f}" for h in AHEAD))
            lines[-1] += " |"
    for model, over in outside.items():
        lines.append(f"\n{model}: {np.mean(over):.2f} of {len(over)} counts beyond {HALF} sds")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True, help="of bench_hierarchical.py")
    options = parser.parse_args()
    there = [n for n in (*audit.CLEAN, *audit.REAL) if (options.store / f"{n}.json").exists()]
    early = [n for n in there if audit.read(options.store, n)["last_month"] < "2020"]
    print(outcomes(options.store, early))
    print("\nAll origins:\n")
    print(outcomes(options.store, there))
    print("\nSd of the nation, the hierarchy's over that of `dlm`, origins to 2019:\n")
    print(ratios(options.store, early))


if __name__ == "__main__":
    main()
