"""Is the ``dlm`` calibrated where its own model of the delay is true?

Counts of eight states are simulated from the ``dlm`` and released with what the model of the delay
holds back, at newest months of 6.5 and of 4.5 months' age. The ``dlm`` is given the true constants:
the nowcast of the last count and the three months after it must be covered as often as it says,
with transforms (the share of draws below the truth) that are uniform. Then the constants are
estimated from simulated releases of all jurisdictions: are they found again, and does the jackknife
over releases cover them?

    python benchmarks/bench_recovery.py                     about 3 minutes on one core
    python benchmarks/bench_recovery.py --fits 1000 --sets 100

tests/models/test_delay.py runs a short form.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.stats import t as student

import odforecast as od
from odforecast.models.delay import constants as learning
from odforecast.models.delay.constants import Delays, SettledRelease, estimate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "factories"))
from delay_factory import DELAYS, simulated_release, simulated_seen
from scales_factory import HAND

#: Last months by their age at release: 2 to 12 of them are open.
LASTS = {
    6: ("2020-02", "2020-03", "2020-05", "2020-07", "2020-09", "2020-11"),
    4: ("2022-03", "2022-04", "2022-06", "2022-08", "2022-10", "2022-12"),
}
#: No closed year changes.
STILL = replace(DELAYS, closing_share=0.0, closing_own=0.0, closing_shared=0.0)
HORIZONS = (-1, 0, 1, 2, 3)
NAMES = (
    "kappa", "kappa_old", "old_error", "sd_own", "sd_shared", "noise", "revision_own",
    "revision_shared", "revision_decay", "revision_noise", "late", "late_decay",
)  # fmt: skip


def transforms(newest: int, fits: int) -> tuple[np.ndarray, np.ndarray]:
    """Transforms and whether the 90% interval covers; shape (fits, 8, horizons)."""
    pit, inside = [], []
    column = [h + 11 for h in HORIZONS]
    for r in range(fits):
        last = LASTS[newest][r % len(LASTS[newest])]
        panel, truth = simulated_release(100_000 * newest + r, HAND, STILL, last, newest)
        fitted = od.get_model("dlm", scales=HAND).fit(panel)
        draws = fitted.forecast(3, draws=1000, seed=r).samples()[..., column]
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        pit.append((draws < truth[:, column]).mean(axis=0))
        inside.append((low <= truth[:, column]) & (truth[:, column] <= high))
    return np.array(pit), np.array(inside)


def print_transforms(newest: int, fits: int) -> None:
    pit, inside = transforms(newest, fits)
    print(f"\nnewest month {newest}.5 months old: {fits} releases of 8 states")
    print("| horizon | 90% interval covers | error | mean | sd x sqrt(12) | tenths, % |")
    print("|---|---|---|---|---|---|")
    for k, h in enumerate(HORIZONS):
        x, covered = pit[..., k], inside[..., k].mean(axis=1)
        tenths = 100 * np.histogram(x, 10, (0, 1))[0] / x.size
        error = covered.std(ddof=1) / np.sqrt(fits)
        bins = " ".join(f"{v:.0f}" for v in tenths)
        print(f"| {h} | {covered.mean():.3f} | {error:.3f} | {x.mean():.3f} | "
              f"{x.std() * np.sqrt(12):.3f} | {bins} |", flush=True)  # fmt: skip


def jackknife(found: list[SettledRelease]) -> tuple[Delays, dict[str, tuple[float, float]]]:
    """The constants and their 90% intervals, as ``make constants`` makes them."""
    whole = estimate(found)[0]
    others = [estimate([s for s in found if s is not each])[0] for each in found]
    n, out = len(found), {}
    for name in NAMES:
        values = np.array([getattr(each, name) for each in others])
        sd = np.sqrt((n - 1) / n * np.square(values - values.mean()).sum())
        half = float(student.ppf(0.95, n - 1) * sd)
        out[name] = (getattr(whole, name) - half, getattr(whole, name) + half)
    return whole, out


def print_constants(sets: int, releases: int) -> None:
    found = [jackknife(simulated_seen(seed, releases)) for seed in range(sets)]
    print(f"\n{sets} sets of {releases} releases, half of either age")
    print("| constant | true | mean found | error | sd | jackknife 90% covers |")
    print("|---|---|---|---|---|---|")
    for name in NAMES:
        true = getattr(DELAYS, name)
        values = np.array([getattr(whole, name) for whole, _ in found])
        covers = np.mean([bounds[name][0] <= true <= bounds[name][1] for _, bounds in found])
        sd = values.std(ddof=1)
        print(f"| {name} | {true} | {values.mean():.4f} | {sd / np.sqrt(sets):.4f} | {sd:.4f} | "
              f"{covers:.2f} |", flush=True)  # fmt: skip


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=300, help="simulated releases of either age")
    parser.add_argument("--sets", type=int, default=12, help="sets of releases to estimate from")
    parser.add_argument("--releases", type=int, default=12, help="releases in a set")
    given = parser.parse_args()
    with mock.patch.object(learning, "delays_for", return_value=STILL):
        for newest in LASTS:
            print_transforms(newest, given.fits)
    print_constants(given.sets, given.releases)


if __name__ == "__main__":
    main()
