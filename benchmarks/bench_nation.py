"""The nation of the ``dlm``: what a bound would give, and what its two constants were chosen on.

    python benchmarks/bench_nation.py           about 6 minutes
    python benchmarks/bench_nation.py --bound   the bound only

Clean pseudo-vintages. **Development**: origins 2017-01..2020-12, on which NATION_DAMP and
NATION_WIDTH were chosen; **claim**: 2021-01..2024-04. WIS over that of ``hub-baseline`` at
1-3 / 4-6 / 7-12 months, and the coverage of the 90% interval.

**The bound**: the nation's months known two and four months further, as newer counts of states
would give them. The nation's forecast is then that of a later origin, and the states' draws are
scaled to it.
"""

from __future__ import annotations

import argparse
from dataclasses import fields, replace

import numpy as np

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.models import Model
from odforecast.models.constants import all_constants
from odforecast.models.statespace.kalman import Scales
from odforecast.models.statespace.model import NATION_DAMP, NATION_WIDTH, Dlm
from odforecast.panel import Floats, Panel
from odforecast.scoring.rules import weighted_interval_score

GROUPS = (slice(0, 3), slice(3, 6), slice(6, 12))
LEVELS = np.array([0.01, 0.025, *np.round(np.arange(0.05, 0.96, 0.05), 2), 0.975, 0.99])
SPLIT = np.datetime64("2020-12")


def sums(model: Model, panel: Panel, draws: int) -> Floats:
    """12-month counts of the nation and the jurisdictions, shape (D, 53, 12)."""
    made = model.fit(panel).forecast(12, draws=draws).select(["US", *JURISDICTIONS])
    return made.samples()[..., -12:]


def scored(found: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """WIS and whether the 90% interval holds, shape (53, 12)."""
    quantiles = np.quantile(found, LEVELS, axis=0)
    held = (quantiles[2] <= truth) & (truth <= quantiles[-3])
    wis = weighted_interval_score(quantiles, LEVELS.tolist(), truth).total
    return np.asarray(wis), held.astype(float)


def line(name: str, months: Floats, mine: Floats, held: Floats, hub: Floats) -> str:
    """One row: nation and jurisdictions, development and claim."""
    cells = []
    for rows in (slice(0, 1), slice(1, None)):
        for part in (months <= SPLIT, months > SPLIT):
            ratio = [mine[part][:, rows, g].mean() / hub[part][:, rows, g].mean() for g in GROUPS]
            cover = [held[part][:, rows, g].mean() for g in GROUPS]
            cells.append(" / ".join(f"{x:.3f}" for x in ratio))
            cells.append(" / ".join(f"{x:.2f}" for x in cover))
    return f"| {name} | " + " | ".join(cells) + " |"


def known_further(own: Floats, later: Floats, truth: Floats, months: int) -> Floats:
    """States scaled, by rank, to a nation known some months further."""
    nation = np.repeat(truth[None, 0], len(own), axis=0)
    nation[:, months:] = later[:, 0, : 12 - months]
    total = own[:, 1:].sum(axis=1)
    order = np.argsort(np.argsort(total, axis=0, kind="stable"), axis=0)
    nation = np.take_along_axis(np.sort(nation, axis=0), order, axis=0)
    out = own * (nation / total)[:, None]
    out[:, 0] = nation
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bound", action="store_true")
    parser.add_argument("--draws", type=int, default=500)
    given = parser.parse_args()
    whole = od.bundled().as_of().panel()
    rows = [whole.locations.index(s) for s in ("US", *JURISDICTIONS)]
    origins = np.arange(np.datetime64("2017-01"), np.datetime64("2024-05"))
    panels = [whole.cut(m) for m in origins]
    at = [int(np.flatnonzero(whole.months == m)[0]) for m in origins]
    truth = [whole.reported[rows, a + 1 : a + 13] for a in at]

    def run(model: Model) -> list[Floats]:
        return [sums(model, p, given.draws) for p in panels]

    def table(found: list[Floats]) -> tuple[Floats, Floats]:
        pairs = [scored(x, y) for x, y in zip(found, truth, strict=True)]
        return np.stack([w for w, _ in pairs]), np.stack([h for _, h in pairs])

    hub, _ = table(run(od.get_model("hub-baseline")))
    print("| model | US, development | cov. | US, claim | cov. | jurisdictions, development | cov. "
          "| jurisdictions, claim | cov. |\n|" + "---|" * 9)  # fmt: skip
    default = run(od.get_model("dlm"))
    print(line("dlm", origins, *table(default), hub))
    for months in (2, 4):
        more = [
            known_further(x, later, y, months)
            for x, later, y in zip(default, default[months:], truth, strict=False)
        ]
        n = len(more)
        pairs = [scored(x, y) for x, y in zip(more, truth[:n], strict=True)]
        mine, held = (np.stack([p[i] for p in pairs]) for i in range(2))
        print(line(f"dlm, nation known {months} months further", origins[:n], mine, held, hub[:n]))
    if given.bound:
        return
    for name in ("naive", "auto-ets"):
        print(line(name, origins, *table(run(od.get_model(name))), hub))
    values = all_constants()[0].values
    estimated = Scales(**{f.name: values[f.name] for f in fields(Scales)})
    for damp in (estimated.damp_us, NATION_DAMP, 0.9):
        for width in (1.0, NATION_WIDTH, 1.35):
            scales = replace(estimated, damp_us=damp, level_us=width * estimated.level_us)
            name = f"dlm, damping {damp:.3f}, width {width:.2f}"
            print(line(name, origins, *table(run(Model(Dlm(scales=scales), "dlm"))), hub))


if __name__ == "__main__":
    main()
