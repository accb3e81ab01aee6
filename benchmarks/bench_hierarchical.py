"""Audit of the default by the full hierarchy: do two models with one prior say the same?

    python benchmarks/bench_hierarchical.py --store FOLDER           an hour or two on one core
    python benchmarks/bench_hierarchical.py --store FOLDER --table   shows what is there

A run goes on where the last one stopped.

At 16 origins, eight clean ones and eight releases as published, and on the T40.4 panel of the
bundled release: did the sampler converge; standard deviations of log 12-month counts, by horizon
(−11 to 0 is the nowcast), over those of ``dlm``; the nation's innovation scale beside that of
``dlm``. Sixteen origins rank nothing, so nothing is scored.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.models.hierarchy import inputs as hierarchy_inputs
from odforecast.models.hierarchy.graph import compiled, graph_data
from odforecast.models.hierarchy.laplace import approximate

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
AS_OF = "2025-09-17"
CLEAN = (
    "2019-03", "2019-11", "2020-07", "2021-03", "2021-11", "2022-07", "2023-05", "2024-02",
)  # fmt: skip
REAL = (
    "2018-10-17", "2019-04-17", "2019-09-11", "2020-12-16", "2021-10-13", "2022-10-12",
    "2024-04-17", "2024-12-11",
)  # fmt: skip
T404 = "T40.4"
#: Fewer graphs to compile: the time axis is padded further. It changes no posterior.
PAD = 48
HORIZON, PATHS, NOWCAST = 12, 2000, 12
#: Deaths a year of a jurisdiction whose Poisson noise is small.
LARGE = 480
#: Horizons shown.
NOW, AHEAD = (-11, -8, -5, -2, -1, 0), (1, 3, 6, 9, 12)
#: Scales whose posterior is kept.
SCALES = (
    "scale_nation", "slope_ratio", "shock_scale", "scale_region", "damping_region",
    "scale_state", "damping", "noise",
)  # fmt: skip


def panels(wanted: Iterable[str]) -> Iterator[tuple[str, od.Panel]]:
    """Panels by name, in the order asked for."""
    bundled = od.bundled().as_of(AS_OF)
    wanted = list(wanted)
    with tempfile.TemporaryDirectory() as folder:
        archive = od.Archive(folder)
        for file in sorted(SHARED.glob("20*")) if set(wanted) & set(REAL) else ():
            if any(file.name.startswith(day) for day in wanted):
                try:
                    archive.add(file)
                except OdforecastError as error:
                    print(f"left out: {file.name}: {str(error)[:80]}", flush=True)
        for name in wanted:
            if name in REAL:
                yield name, archive.as_of(name).panel()
            elif name == T404:
                yield name, bundled.panel(T404)
            else:
                yield name, bundled.panel().cut(name)


def logs(forecast: od.Forecast) -> dict[str, dict[str, Any]]:
    """Mean and sd of log 12-month counts by location, horizons -11 to 12 (NaN: not drawn), and
    the sd, a year ahead, of a location's relative to the nation's.
    """
    draws = np.log(np.maximum(forecast.samples(), 0.5))
    nation = draws[:, forecast.locations.index("US"), -1]
    out: dict[str, dict[str, Any]] = {}
    for i, state in enumerate(forecast.locations):
        rows = np.full((2, NOWCAST + HORIZON), np.nan)
        rows[:, -draws.shape[2] :] = draws[:, i].mean(axis=0), draws[:, i].std(axis=0)
        relative = float((draws[:, i, -1] - nation).std())
        out[state] = {"mean": rows[0].tolist(), "sd": rows[1].tolist(), "relative": relative}
    return out


def audit(panel: od.Panel, settings: dict[str, int]) -> dict[str, Any]:
    """One origin: what goes into its file."""
    models = {"hierarchical": od.get_model("hierarchical", **settings), "dlm": od.get_model("dlm")}
    inputs, skipped = models["hierarchical"].inner.inputs(panel)
    began = time.perf_counter()
    guide = approximate(inputs, 5.0)
    compiled(graph_data(inputs, guide), tail=5.0)
    spent = time.perf_counter() - began
    fits: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for name, model in models.items():
        began = time.perf_counter()
        fits[name] = model.fit(panel)
        found[f"fit_{name}"] = time.perf_counter() - began
        found[name] = logs(fits[name].forecast(HORIZON, draws=PATHS, seed=1))
    inner = fits["hierarchical"].inner
    posterior, stats = inner.idata["posterior"], inner.idata["sample_stats"]
    scales = {}
    for name in SCALES:
        values = posterior[name].values if name in posterior else np.array([np.nan])
        scales[name] = np.quantile(values, [0.05, 0.5, 0.95]).tolist()
    late = {}
    if "late_error" in posterior:
        names = inputs.locations
        for error in ("late_error", "revision_error"):
            values = posterior[error].values
            late[error] = {
                s: [float(values[..., i].mean()), float(values[..., i].std())]
                for i, s in enumerate(names)
            }
    table = inner.checks.table
    return found | {
        "last_month": str(panel.last_month),
        "months": int(panel.month_grid.size),
        "locations": len(inputs.locations),
        "skipped": skipped,
        "delay": inputs.missing is not None,
        "compile": spent,
        "load": os.getloadavg()[0],
        "r_hat": float(table["r_hat"].max()),
        "worst": str(table["r_hat"].idxmax()),
        "ess_bulk": float(table["ess_bulk"].min()),
        "ess_tail": float(table["ess_tail"].min()),
        "thinnest": str(table["ess_bulk"].idxmin()),
        "divergences": inner.checks.divergences,
        "draws": stats["n_steps"].size,
        "steps": float(stats["n_steps"].values.mean()),
        "warnings": list(inner.checks.warnings),
        "scales": scales,
        "late": late,
        "dlm_level_us": level_us(fits["dlm"].inner),
        "counts": dict(zip(panel.locations, panel.reported[:, -1].tolist())),
    }


def again(panel: od.Panel) -> dict[str, Any]:
    """What of an origin's file is of ``dlm``."""
    fitted = od.get_model("dlm").fit(panel)
    return {
        "dlm": logs(fitted.forecast(HORIZON, draws=PATHS, seed=1)),
        "dlm_level_us": level_us(fitted.inner),
    }


def level_us(fitted: Any) -> float:
    """Sd of the nation's innovations in ``dlm``; a class is fitted as a part of all drugs."""
    return float(getattr(fitted, "whole", fitted).states[0].scales.level_us)


def tables(found: dict[str, dict[str, Any]]) -> str:
    """What was found, as Markdown."""
    lines = [
        "| origin | months | places | draws | fit, s | load | R-hat | bulk ESS | tail ESS "
        "| divergences | steps |",
        "|---" * 11 + "|",
    ]
    for name, x in found.items():
        lines.append(
            f"| {name} | {x['months']} | {x['locations']} | {x['draws']:,} "
            f"| {x['fit_hierarchical']:.0f} | {x['load']:.1f} | {x['r_hat']:.4f} ({x['worst']}) "
            f"| {x['ess_bulk']:,.0f} ({x['thinnest']}) | {x['ess_tail']:,.0f} "
            f"| {x['divergences']} | {x['steps']:.0f} |"
        )
    for x in found.values():
        lines += [f"\n{x['last_month']}: {w}" for w in x["warnings"]]
    shown = (*NOW, *AHEAD)
    for title, nation in (("the nation", True), ("jurisdictions, median", False)):
        lines += [
            f"\nSd of the log 12-month count over that of `dlm`, {title}; h ≤ 0: nowcast:\n",
            "| origin | " + " | ".join(f"h{h}" for h in shown) + " |",
            "|---" * (len(shown) + 1) + "|",
        ]
        kinds: dict[str, list[list[float]]] = {"clean": [], "real": []}
        for name, x in found.items():
            ratio = _ratio(x, nation)
            lines.append(f"| {name} | " + " | ".join(_cell(ratio, h) for h in shown) + " |")
            if name != T404:
                kinds["real" if name in REAL else "clean"].append(ratio.tolist())
        for kind, rows in kinds.items():
            if rows:
                mean = np.exp(np.log(np.array(rows)).mean(axis=0))
                lines.append(
                    f"| **{kind}**, mean | " + " | ".join(_cell(mean, h) for h in shown) + " |"
                )
    lines += [
        "\nDistance of the means, nation, in sds of `dlm`:\n",
        "| origin | " + " | ".join(f"h{h}" for h in shown) + " |",
        "|---" * (len(shown) + 1) + "|",
    ]
    for name, x in found.items():
        ours, theirs = x["hierarchical"]["US"], x["dlm"]["US"]
        gap = (np.array(ours["mean"]) - np.array(theirs["mean"])) / np.array(theirs["sd"])
        lines.append(f"| {name} | " + " | ".join(_cell(gap, h, "+.2f") for h in shown) + " |")
    lines += [
        "\nInnovation scales, the nation's a month, the others' three (medians; 5–95%). A t "
        "with five degrees of freedom has 1.29 times its scale as sd:\n",
        "| origin | nation | its sd | sd in `dlm` | slope ratio | shock | region | state | noise |",
        "|---" * 9 + "|",
    ]
    for name, x in found.items():
        s = x["scales"]
        low, mid, high = s["scale_nation"]
        lines.append(
            f"| {name} | {mid:.4f} ({low:.4f}–{high:.4f}) | {1.29 * mid:.4f} "
            f"| {x['dlm_level_us']:.4f} | {s['slope_ratio'][1]:.2f} | {s['shock_scale'][1]:.4f} "
            f"| {s['scale_region'][1]:.4f} | {s['scale_state'][1]:.4f} | {s['noise'][1]:.4f} |"
        )
    lines += [
        f"\nA year ahead, jurisdictions of {LARGE} deaths or more: median sd of the log count "
        "relative to the nation's, Poisson noise taken off:\n",
        "| origin | `hierarchical` | `dlm` |\n|---|---|---|",
    ]
    for name, x in found.items():
        cells = [format(_relative(x, model), ".3f") for model in ("hierarchical", "dlm")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _relative(x: dict[str, Any], model: str) -> float:
    found = [
        here["relative"] ** 2 - 1.0 / x["counts"][state]
        for state, here in x[model].items()
        if state != "US" and x["counts"][state] >= LARGE
    ]
    return float(np.sqrt(np.median(found)))


def past_changes() -> str:
    """What the figures of the last table were in the past, in the bundled release to 2024-04."""
    panel = od.bundled().as_of(AS_OF).panel().cut("2024-04")
    counts = np.log(np.maximum(panel.reported, 0.5))
    relative = (counts - counts[panel.index("US")])[1:]
    square = ((relative[:, 12:] - relative[:, :-12]) ** 2).mean(axis=1)
    mean = panel.reported[1:].mean(axis=1)
    change = np.median((square - 2.0 / mean)[mean >= LARGE])
    return (
        f"Root mean square of that change in a year, {panel.months[0]} to 2024-04, the same way: "
        f"{np.sqrt(change):.3f}."
    )


def _ratio(x: dict[str, Any], nation: bool) -> np.ndarray:
    """Ratio of sds by horizon; over jurisdictions their median."""
    both = [s for s in x["hierarchical"] if s in x["dlm"] and (s == "US") == nation]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = [np.array(x["hierarchical"][s]["sd"]) / np.array(x["dlm"][s]["sd"]) for s in both]
    return np.asarray(np.median(ratios, axis=0))


def _cell(values: np.ndarray, horizon: int, shape: str = ".2f") -> str:
    value = values[horizon + NOWCAST - 1]
    return format(value, shape) if np.isfinite(value) else "–"


def read(store: Path, name: str) -> dict[str, Any]:
    """What was found at an origin."""
    found: dict[str, Any] = json.loads((store / f"{name}.json").read_text())
    return found


def write(store: Path, name: str, found: dict[str, Any]) -> None:
    """Keep it, whole or not at all."""
    half = store / f"{name}.part"
    half.write_text(json.dumps(found))
    half.rename(store / f"{name}.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True, help="folder of results")
    parser.add_argument("--origins", nargs="+", help="default: all, clean and real in turn")
    parser.add_argument("--draws", type=int, help="NUTS draws per chain; default: the model's")
    parser.add_argument("--tune", type=int, help="default: the model's")
    parser.add_argument("--chains", type=int, help="default: the model's")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only show what is stored")
    parser.add_argument("--dlm", action="store_true", help="first fit the dlm of today again")
    options = parser.parse_args()
    options.store.mkdir(parents=True, exist_ok=True)
    # In turn, the origins of one padded length after each other.
    in_turn = [n for pair in zip(REAL, CLEAN) for n in pair] + [T404]
    wanted = options.origins or in_turn
    hierarchy_inputs.PAD = PAD
    settings = {k: getattr(options, k) for k in ("draws", "tune", "chains", "cores")}
    settings = {k: v for k, v in settings.items() if v is not None}
    todo = [n for n in wanted if not (options.store / f"{n}.json").exists()]
    for name, panel in panels([] if options.table else todo):
        print(f"{time.strftime('%H:%M')} {name}", flush=True)
        write(options.store, name, audit(panel, settings))
    if options.dlm:
        for name, panel in panels(n for n in wanted if n not in todo):
            write(options.store, name, read(options.store, name) | again(panel))
    there = [n for n in (*CLEAN, *REAL, T404) if (options.store / f"{n}.json").exists()]
    print(tables({n: read(options.store, n) for n in there}))
    print(f"\n{past_changes()}")


if __name__ == "__main__":
    main()
