"""Should the nation be a pool of the default and a random walk on months?

    python benchmarks/bench_pool.py    about 3 minutes

The nation's draws of ``dlm`` and of ``naive`` (``naive+delay`` on delayed origins), put together (a
linear pool) or their quantiles averaged; and the states' draws of ``dlm`` scaled, rank by rank and
month by month, to the linear pool. Clean origins 2017-01..2024-04, and delayed ones
2019-01..2024-04 by three donors each; **development** to 2020-12, **claim** from 2021-01. WIS over
that of ``hub-baseline`` at 1-3 / 4-6 / 7-12 months, coverage of the 90% interval; truth: counts of
the bundled release that are at least 12 months old there.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

import odforecast as od
from odforecast.backtesting.origin import Origin
from odforecast.geography import JURISDICTIONS
from odforecast.panel import Floats, Panel
from odforecast.scoring.rules import weighted_interval_score

Flags = NDArray[np.bool_]
GROUPS = (slice(0, 3), slice(3, 6), slice(6, 12))
LEVELS = np.array([0.01, 0.025, *np.round(np.arange(0.05, 0.96, 0.05), 2), 0.975, 0.99])
SPLIT = np.datetime64("2020-12")
DRAWS, SETTLED = 500, 12
NAMES = (
    "hub-baseline", "dlm", "naive", "1/4 dlm", "1/2 dlm", "3/4 dlm", "quantiles, 1/2 dlm",
)  # fmt: skip


def pooled(mine: Floats, other: Floats, share: float) -> Floats:
    """Draws of a linear pool: a share of the one's, the rest of the other's; shape (D, H)."""
    n = round(share * len(mine))
    return np.concatenate([mine[:n], other[n:]])


def scaled(states: Floats, nation: Floats) -> Floats:
    """States' draws (D, L, H) with, by rank, another nation as their sum."""
    total = states.sum(axis=1)
    rank = np.argsort(np.argsort(total, axis=0, kind="stable"), axis=0)
    wanted = np.take_along_axis(np.sort(nation, axis=0), rank, axis=0)
    return np.asarray(states * (wanted / total)[:, None])


def sums(name: str, panel: Panel) -> Floats:
    """12-month counts of the nation and the jurisdictions, shape (D, 53, 12)."""
    made = od.get_model(name).fit(panel).forecast(12, draws=DRAWS, seed=1)
    return made.select(["US", *JURISDICTIONS]).samples()[..., -12:]


def scored(found: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """WIS and whether the 90% interval holds, shape (L, 12)."""
    quantiles = np.quantile(found, LEVELS, axis=0)
    held = (quantiles[2] <= truth) & (truth <= quantiles[-3])
    return weighted_interval_score(quantiles, LEVELS.tolist(), truth).total, held.astype(float)


def block(job: tuple[Sequence[Origin], Panel]) -> list[tuple[Floats, Floats]]:
    """WIS and coverage of every pool at some origins, shape (7, 53, 12)."""
    origins, settled = job
    rows = [settled.index(s) for s in ("US", *JURISDICTIONS)]
    out = []
    for origin in origins:
        panel = origin.panel
        assert panel is not None
        at = int((panel.last_month - settled.months[0]).astype(int))
        ahead = np.arange(at + 1, at + 13)
        truth = settled.reported[rows][:, ahead]
        age = (np.datetime64(settled.release, "M") - settled.months[ahead]).astype(int)
        walk = "naive+delay" if panel.donor else "naive"
        hub, mine, other = (sums(n, panel) for n in ("hub-baseline", "dlm", walk))
        found = [hub, mine, other]
        for share in (0.25, 0.5, 0.75):
            nation = pooled(mine[:, 0], other[:, 0], share)
            found.append(np.concatenate([nation[:, None], scaled(mine[:, 1:], nation)], axis=1))
        nation = 0.5 * np.sort(mine[:, 0], axis=0) + 0.5 * np.sort(other[:, 0], axis=0)
        found.append(np.concatenate([nation[:, None], scaled(mine[:, 1:], nation)], axis=1))
        pairs = [scored(x, truth) for x in found]
        for pair in pairs:  # a count is settled when it is a year old
            for table in pair:
                table[:, age < SETTLED] = np.nan
        out.append((np.stack([w for w, _ in pairs]), np.stack([h for _, h in pairs])))
    return out


def table(kind: str, start: str, settled: Panel) -> None:
    """Scores of one kind of pseudo-vintage."""
    origins = od.origins(od.bundled(), kind, start=start, end="2024-04")
    parts = [(origins[i : i + 12], settled) for i in range(0, len(origins), 12)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        pairs = [pair for some in workers.map(block, parts) for pair in some]
    wis, held = (np.stack([p[i] for p in pairs]) for i in range(2))
    months = np.array([o.panel.last_month for o in origins if o.panel is not None])
    everything = np.ones(months.size, dtype=bool)
    spans = (("development", months <= SPLIT), ("claim", months > SPLIT), ("all", everything))

    def ratios(part: Flags, i: int, rows: slice) -> str:
        means = [
            np.nanmean(wis[part, i, rows, g]) / np.nanmean(wis[part, 0, rows, g]) for g in GROUPS
        ]
        return " / ".join(f"{x:.3f}" for x in means)

    print(f"\n**{kind}**, {len(origins)} origins from {start}\n")
    print("| nation | " + " | ".join(f"US, {n} | cov." for n, _ in spans)
          + " | jurisdictions, development | claim |\n|" + "---|" * 9)  # fmt: skip
    for i, name in enumerate(NAMES):
        cells = []
        for _, part in spans:
            cells.append(ratios(part, i, slice(0, 1)))
            cells.append(" / ".join(f"{np.nanmean(held[part, i, 0, g]):.2f}" for g in GROUPS))
        cells += [ratios(part, i, slice(1, None)) for _, part in spans[:2]]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main() -> None:
    settled = od.bundled().as_of().panel()
    table("pseudo-clean", "2017-01", settled)
    table("pseudo-delayed", "2019-01", settled)


if __name__ == "__main__":
    main()
