"""The county model's filter against NUTS: one state, the same assumptions, no normal anywhere.

Run ``python benchmarks/bench_county_audit.py FOLDER [STATE [MONTH]]`` with the folder that holds
``county/``; prints Markdown for benchmarks/RESULTS.md. By default West Virginia up to 2022-06:
55 counties, of which about half are hidden.

The months of death are sampled. Of a county that was always shown the sums are exact: its months
are twelve numbers that add up to the first sum, and the differences of the sums. Of the others
every month is free, a shown sum is met within .3 deaths, a hidden one lies between .5 and 9.5, all
of them, and months within a sum of none are none. A month's density is Poisson's, between the whole
numbers too; below -.5 it is none. Levels begin with the filter's gamma prior and walk as there. At
the filter's closing sums the counties add up to the state's count times residence over occurrence.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

import odforecast as od
from county_truth import GivenPaths
from odforecast.geography.places import by_fips
from odforecast.models.county.filter import RESIDENCE_SD, RESIDENCE_STEP, STEP, levels, per_year
from odforecast.models.county.model import County
from odforecast.models.model import Model
from odforecast.names import STATES
from odforecast.panel import Panel
from odforecast.seeds import Streams
from odforecast.sources.county import read_county
from odforecast.vintage.vintage import county_panel

DRAWS, TUNE, CHAINS, SEED = 4000, 2000, 4, 1
SHOWN, EDGE = 0.3, 0.1
#: Eleven orthonormal directions in which twelve months add up to nothing.
CONTRASTS = np.linalg.svd(np.ones((1, 12)))[2][1:]


def sampled(low, high, level, shape, e, total):
    """Posterior draws: months (draws, n, U), last level (draws, n), and diagnostics."""
    import nutpie
    import pymc as pm
    import pytensor.tensor as pt

    n, n_time = low.shape
    n_month = n_time + 11
    exact = low == high
    always = exact.all(axis=1) & (low.min(axis=1) > 0)
    ways = np.flatnonzero(always)
    # Months of those that were always shown: the first twelve, and what was added since.
    added = np.zeros((ways.size, n_month))
    steps = np.diff(low[ways], axis=1)
    for u in range(12, n_month):
        added[:, u] = added[:, u - 12] + steps[:, u - 12]
    least = np.stack([-0.5 - added[:, j::12].min(axis=1) for j in range(12)], axis=1)
    room = low[ways, 0] - least.sum(axis=1)
    others = np.flatnonzero(~always)
    none = np.zeros((others.size, n_month), dtype=bool)
    for i, row in enumerate(others):
        for t in np.flatnonzero(exact[row] & (low[row] == 0)):
            none[i, t : t + 12] = True
    free = np.argwhere(~none)
    window = np.array([[1.0 if t <= u < t + 12 else 0.0 for t in range(n_time)]
                       for u in range(n_month)])  # fmt: skip
    closing = np.arange(n_time - 1, -1, -12)[::-1]

    with pm.Model() as model:
        first = pm.Gamma("first", alpha=shape, beta=shape / level, shape=n)
        z = pm.Normal("z", shape=(n, n_time - 1))
        walk = pt.concatenate([pt.zeros((n, 12)), pt.cumsum(STEP * z, axis=1)], axis=1)
        intensity = first[:, None] * pt.exp(walk)
        pm.Deterministic("last", intensity[:, -1])
        months = pt.zeros((n, n_month))
        if ways.size:
            # Twelve numbers with a given sum: eleven contrasts.
            y = pm.Normal("y", sigma=100.0, shape=(ways.size, 11), initval="support_point")
            scale = np.sqrt(low[ways, 0] / 12.0)
            begin = least + room[:, None] / 12.0 + scale[:, None] * (y @ CONTRASTS)
            months = pt.set_subtensor(
                months[ways], pt.tile(begin, (1, 1 + n_month // 12))[:, :n_month] + added
            )
        if free.size:
            x = pm.Normal("x", 1.0, sigma=100.0, shape=len(free), initval="support_point")
            months = pt.set_subtensor(months[others[free[:, 0]], free[:, 1]], x)
        pm.Deterministic("recent", months[:, -12:])
        mean = intensity * e
        above = pt.maximum(months, -0.9)
        density = months * pt.log(mean) - mean - pt.gammaln(above + 1.0)
        pm.Potential("poisson", (density + pt.log(pt.sigmoid((months + 0.5) / EDGE))).sum())
        sums = months @ window
        shown = np.argwhere(exact & ~always[:, None] & (low > 0))
        if shown.size:
            seen = low[shown[:, 0], shown[:, 1]]
            off = (sums[shown[:, 0], shown[:, 1]] - seen) / SHOWN
            pm.Potential("shown", -0.5 * (off**2).sum())
        hidden = np.argwhere(~exact)
        if hidden.size:
            inside = sums[hidden[:, 0], hidden[:, 1]]
            edges = pt.sigmoid((inside - 0.5) / EDGE) * pt.sigmoid((9.5 - inside) / EDGE)
            pm.Potential("hidden", pt.log(edges + 1e-12).sum())
        # Residence over occurrence at the closing sums: one level, and a walk from there.
        years = (closing - closing[0]) / 12.0
        cov = RESIDENCE_SD**2 + RESIDENCE_STEP**2 * np.minimum.outer(years, years)
        off = sums[:, closing].sum(axis=0) / total[closing] - 1.0
        pm.Potential("state", -0.5 * off @ np.linalg.inv(cov) @ off)
    begin = time.perf_counter()
    compiled = nutpie.compile_pymc_model(model)
    print(f"{compiled.n_dim:,} dimensions, compiled in {time.perf_counter() - begin:.0f} s")
    trace = nutpie.sample(
        compiled,
        draws=DRAWS,
        tune=TUNE,
        chains=CHAINS,
        cores=2,
        seed=SEED,
        progress_bar=False,
    )
    return trace


def checked(trace) -> tuple[float, float, int]:
    """Largest R-hat, smallest bulk ESS over what is compared, and divergences."""
    import arviz_stats as azs

    rhat, ess = [], []
    for name in ("last", "recent"):
        values = trace.posterior[name]
        constant = values.std(("chain", "draw")) < 1e-9
        r = azs.rhat(values)
        s = azs.ess(values)
        r = getattr(r, "values", r)
        s = getattr(s, "values", s)
        rhat.append(float(np.nanmax(np.where(constant, np.nan, r))))
        ess.append(float(np.nanmin(np.where(constant, np.nan, s))))
    return max(rhat), min(ess), int(trace.sample_stats["diverging"].sum())


def main(folder: Path, state: str, month: str) -> None:
    bundled = od.bundled().as_of().panel()
    table = read_county(folder / "county/2023-10-08.csv.gz").table
    panel: Panel = county_panel(table, bundled.as_of, bundled).cut(month)
    panel = panel.select([s for s in panel.locations if by_fips()[s].state == state])
    model = Model(County(paths=GivenPaths(bundled)), "county, true states")
    fitted = model.fit(panel).inner
    known = fitted.states[state].known
    names = fitted.states[state].names
    rows = [panel.locations.index(s) for s in names]
    low, high = panel.low[rows], panel.high[rows]
    beside = panel.beside[STATES]
    row = beside.index(state)
    months = beside.monthly[row, -panel.months.size - 11 :]
    total = beside.reported[row, -panel.months.size :]
    level, shape, _ = levels(
        [panel.urban[s] for s in names], np.full(len(names), np.nan), low[:, -1], high[:, -1]
    )
    begin = time.perf_counter()
    trace = sampled(low, high, level, shape, per_year(months), total)
    took = time.perf_counter() - begin
    rhat, ess, diverged = checked(trace)
    recent = trace.posterior["recent"].values.reshape(-1, len(names), 12)
    last = trace.posterior["last"].values.reshape(-1, len(names))
    hidden = high[:, -1] > low[:, -1]
    none = high[:, -1] == 0
    print(f"\n{state}, counts up to {month}: {len(names)} counties, {hidden.sum()} hidden and "
          f"{none.sum()} without deaths in the last count. NUTS: {CHAINS} chains of {DRAWS}, "
          f"{took:.0f} s, R-hat at most {rhat:.3f}, ESS at least {ess:.0f}, {diverged} divergences."
          "\n")  # fmt: skip
    # Forecasts before raking, given the state's true months; both with Poisson months ahead.
    streams = Streams(SEED, panel.dataset, panel.indicator, str(panel.last_month))
    path = fitted.paths.draw(beside, panel.last_month, 12, len(last), streams)[state]
    sums, _ = fitted._drawn(state, path, streams)
    rng = np.random.default_rng(SEED)
    ahead = path.months[0] / months[-12:].sum()
    steps = np.cumsum(STEP * rng.standard_normal((len(last), len(names), 12)) - STEP**2 / 2, axis=2)
    new = rng.poisson(last[..., None] * np.exp(steps) * ahead).cumsum(axis=2)
    kept = recent.sum(axis=2)[..., None] - recent.cumsum(axis=2)
    theirs = np.maximum(kept, 0.0) + new
    share, own_share = last / last.sum(axis=1, keepdims=True), known.mean[:, 12]
    own_share = own_share / own_share.sum()
    print("| | hidden | none | shown |\n|---|---|---|---|")

    def line(what: str, values, how: str) -> None:
        cells = []
        for some in (hidden, none, ~hidden & ~none):
            x = values[some]
            x = x[np.isfinite(x)]
            cells.append(how.format(np.median(x), *np.quantile(x, [0.1, 0.9])) if x.size else "")
        print(f"| {what} | " + " | ".join(cells) + " |")

    def sd(cov):
        return np.sqrt(np.maximum(cov, 0.0))

    with np.errstate(divide="ignore", invalid="ignore"):
        year = recent.sum(axis=2)
        of_sum = sd(known.cov[:, :12, :12].sum(axis=(1, 2)))
        moving = year.std(axis=0) > 0.3
        signed = "{:+.2f} ({:+.2f} to {:+.2f})"
        plain = "{:.2f} ({:.2f} to {:.2f})"
        line("last sum: filter less NUTS, in its sd", np.where(
            moving, (known.mean[:, :12].sum(axis=1) - year.mean(axis=0)) / year.std(axis=0), np.nan
        ), signed)  # fmt: skip
        line("last sum: sd, ratio", np.where(moving, of_sum / year.std(axis=0), np.nan), plain)
        half, own = recent[..., 6:].sum(axis=2), known.mean[:, 6:12].sum(axis=1)
        of_half = sd(known.cov[:, 6:12, 6:12].sum(axis=(1, 2)))
        wide = half.std(axis=0) > 0.05
        line("last six months: difference, in sd", np.where(
            wide, (own - half.mean(axis=0)) / half.std(axis=0), np.nan), signed)  # fmt: skip
        line("last six months: sd, ratio", np.where(wide, of_half / half.std(axis=0), np.nan),
             plain)  # fmt: skip
        line("level: difference, in sd", (known.mean[:, 12] - last.mean(axis=0)) / last.std(axis=0),
             signed)  # fmt: skip
        line("level: sd, ratio", sd(known.cov[:, 12, 12]) / last.std(axis=0), plain)
        line("share of the state: ratio", own_share / share.mean(axis=0), plain)
        for h in (6, 12):
            q = np.quantile(theirs[..., h - 1], [0.05, 0.5, 0.95], axis=0)
            mine = np.quantile(sums[..., h - 1], [0.05, 0.5, 0.95], axis=1)
            width = np.maximum(q[2] - q[0], 1.0)
            for level_of, a, b in zip(("5%", "median", "95%"), mine, q):
                line(f"{h} months ahead, {level_of}: difference, of NUTS's 90% interval",
                     (a - b) / width, signed)  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    asked = sys.argv[2:]
    main(Path(sys.argv[1]), *(asked + ["WV", "2022-06"][len(asked) :]))
