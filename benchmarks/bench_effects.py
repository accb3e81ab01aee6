"""Do the intervals of past effects hold, on epidemics that their model does not know?

Panels of 20 locations and 90 months with an effect of Normal(-0.2, 0.2) are simulated from
generators other than the estimator's own; the 90 % interval of the size, given an effect, should
hold it in 85 to 95 % of them. Timing is known (all shapes fixed), unknown (lag, ramp and half-life
from their priors) or the onset is a range; two known events that overlap are estimated together.
Then the estimator's own generator: transforms within simultaneous bands.

    python benchmarks/bench_effects.py                      about 25 minutes on one core
    python benchmarks/bench_effects.py --simulations 100 --own 200

tests/evidence/test_calibration.py runs a short form.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from odforecast.evidence.calibration import check_calibration
from odforecast.evidence.generators import GENERATORS, Epidemic
from odforecast.scenario import Fixed, Intervention, LogNormal, Normal, Uniform
from odforecast.scenario.effects import Estimator
from odforecast.scenario.effects.counts import anything_else
from odforecast.seeds import seed_from

MONTHS = np.arange("2015-01", "2022-07", dtype="datetime64[M]")
LOCATIONS = 20
KNOWN = Intervention(
    "event", Normal(-0.2, 0.2), onset="2020-01", p_null=0.25,
    lag=Fixed(3), ramp=Fixed(6), half_life=Fixed(18), spread=Uniform(0, 0.5),
)  # fmt: skip
UNKNOWN = replace(KNOWN, lag=LogNormal(3, 0.6), ramp=Uniform(3, 12), half_life=LogNormal(18, 0.6))
RANGE = replace(UNKNOWN, onset=("2019-09", "2020-05"))
SECOND = replace(UNKNOWN, name="second", onset="2020-05", size=Normal(-0.1, 0.15))


def measured(
    truth: Intervention, assumed: tuple[Intervention, ...], epidemic: Epidemic, n: int, label: str
) -> tuple[float, float, float, float]:
    """Coverage of 90 %, mean width, mean posterior sd over prior sd, mean error in sds."""
    estimator = Estimator(MONTHS, assumed, locations=LOCATIONS, draws=200)
    inside, widths, kept, errors = [], [], [], []
    for i in range(n):
        rng = np.random.default_rng(seed_from("bench effects", label, i))
        panel, beta = epidemic(rng, MONTHS, truth, LOCATIONS)
        if len(assumed) == 2 and assumed[1] is SECOND:
            other = epidemic.felt(rng, assumed[1], MONTHS, LOCATIONS)
            size = float(assumed[1].size.ppf(rng.random()))
            panel = rng.poisson(panel * np.exp(size * other)).astype(float)
        found = estimator.posterior(panel)
        low, high = found.interval(0.9)
        sd = found.sd()
        inside.append(low <= beta <= high)
        widths.append(high - low)
        kept.append(sd / found.priors[0].given[1])
        errors.append((found.mean() - beta) / sd)
    return (float(np.mean(inside)), float(np.mean(widths)), float(np.mean(kept)),
            float(np.mean(errors)))  # fmt: skip


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=150, help="panels of each row")
    parser.add_argument("--own", type=int, default=1000, help="panels of the own generator")
    given = parser.parse_args()
    n = given.simulations
    print("| generator | timing | 90 % holds | error | width | sd kept | mean error, sds | n |")
    print("|---|---|---|---|---|---|---|---|")
    for name, epidemic in GENERATORS.items():
        ways: list[tuple[str, Intervention, tuple[Intervention, ...]]] = [
            ("known", KNOWN, (KNOWN,)), ("unknown", UNKNOWN, (UNKNOWN,)),
            ("unknown, onset a range", UNKNOWN, (RANGE,)),
        ]  # fmt: skip
        if name in ("walk", "wandering slope .005"):
            ways.append(("two overlapping, both known of", UNKNOWN, (UNKNOWN, SECOND)))
        if name in ("onset off by up to 4", "unknown second event"):
            ways.append(("unknown, anything else allowed", UNKNOWN,
                         (UNKNOWN, anything_else(UNKNOWN))))  # fmt: skip
        for way, truth, assumed in ways:
            label = f"{name} {way}"
            holds, width, kept, error = measured(truth, assumed, epidemic, n, label)
            print(f"| {name} | {way} | {holds:.3f} | {np.sqrt(holds * (1 - holds) / n):.3f} | "
                  f"{width:.3f} | {kept:.2f} | {error:+.2f} | {n} |", flush=True)  # fmt: skip
    for exposed, skewed in ((True, False), (False, False), (True, True)):
        check = check_calibration(simulations=given.own, exposed=exposed, skewed=skewed)
        print(f"\nown generator, exposures {'0.3 to 1' if exposed else 'all 1'}: {check.text}")
        print(check.table.round(4).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
