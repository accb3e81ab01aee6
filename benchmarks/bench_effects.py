"""Do the intervals of past effects hold, on epidemics that their model does not know?

Panels of 20 locations and 90 months with an effect of Normal(-0.2, 0.2) are simulated from
generators other than the estimator's own; the 90% interval of the size, given an effect, should
hold it in 85 to 95% of them. Timing is known (all shapes fixed), unknown (lag, ramp and half-life
from their priors) or the onset is a range.
Then the estimator's own generator: transforms within simultaneous bands.

    python benchmarks/bench_effects.py                      about 25 minutes on one core
    python benchmarks/bench_effects.py --simulations 100 --own 200

tests/evidence/test_checks.py runs a short form.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np

from odforecast.evidence.calibration import check_calibration
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats
from odforecast.scenario import Fixed, Intervention, LogNormal, Normal, Uniform
from odforecast.scenario.effects import Estimator, random_timing
from odforecast.seeds import seed_from

MONTHS = np.arange("2015-01", "2022-07", dtype="datetime64[M]")
LOCATIONS = 20
KNOWN = Intervention(
    "event", Normal(-0.2, 0.2), onset="2020-01", p_null=0.25,
    lag=Fixed(3), ramp=Fixed(6), half_life=Fixed(18), spread=Uniform(0, 0.5),
)  # fmt: skip
UNKNOWN = replace(KNOWN, lag=LogNormal(3, 0.6), ramp=Uniform(3, 12), half_life=LogNormal(18, 0.6))
RANGE = replace(UNKNOWN, onset=("2019-09", "2020-05"))


@dataclass(frozen=True)
class Epidemic:
    """What a panel does by itself, and how it is counted.

    Attributes
    ----------
    walk, own : float
        Monthly sd of the common walk, and of each location's.
    slope : float
        Monthly sd of a walk in the common slope.
    overdispersion : float
        Counts have variance ``mean + overdispersion * mean²``; 0 is Poisson.
    turn : float
        Growth a month that a logistic turn takes away, in the middle of the panel's last third.
    late : int
        The event begins up to so many months off its stated onset.
    unknown : float
        Sd of the size of a second event, of which nobody knows, within half a year of the first.
    """

    walk: float = 0.015
    own: float = 0.02
    slope: float = 0.0
    overdispersion: float = 0.0
    turn: float = 0.0
    late: int = 0
    unknown: float = 0.0

    def __call__(
        self, rng: np.random.Generator, months: Months, event: Intervention, locations: int
    ) -> tuple[Floats, float]:
        """Counts, shape (S, T), and the injected size."""
        n_time = months.size
        level = rng.uniform(np.log(30.0), np.log(400.0), (locations, 1))
        logs = level + rng.normal(0.0, 0.004, (locations, 1)) * np.arange(n_time)
        slope = np.cumsum(rng.normal(0.0, self.slope, n_time)) if self.slope else 0.0
        logs = logs + np.cumsum(rng.normal(0.0, self.walk, n_time) + slope)
        logs += np.cumsum(rng.normal(0.0, self.own, (locations, n_time)), axis=1)
        if self.turn:
            # Growth that dies away along a logistic curve within about a year.
            middle = rng.uniform(0.65, 0.95) * n_time
            growth = self.turn / (1.0 + np.exp((np.arange(n_time) - middle) / 3.0))
            logs += np.cumsum(growth - self.turn / 2.0)
        beta = float(event.size.draw(rng, 1)[0])
        moved = event
        if self.late:
            off = int(rng.integers(-self.late, self.late + 1)) * ONE_MONTH
            moved = replace(event, onset=(event.onset[0] + off, event.onset[1] + off))
        logs += beta * self.felt(rng, moved, months, locations)
        if self.unknown:
            off = int(rng.integers(-6, 7)) * ONE_MONTH
            other = replace(event, onset=(event.onset[0] + off, event.onset[1] + off))
            size = float(rng.normal(0.0, self.unknown))
            logs += size * self.felt(rng, other, months, locations)
        mean = np.exp(logs)
        if self.overdispersion:
            shape = 1.0 / self.overdispersion
            mean = mean * rng.gamma(shape, 1.0 / shape, mean.shape)
        return rng.poisson(mean).astype(float), beta

    @staticmethod
    def felt(
        rng: np.random.Generator, event: Intervention, months: Months, locations: int
    ) -> Floats:
        """Each location's share of the effect in each month, shape (S, T)."""
        timing = random_timing(event, rng)
        tau = float(timing.spread[0])
        own = np.exp(tau * rng.standard_normal(locations) - 0.5 * tau**2)
        # The nation's size is what was stated, whatever the states do.
        return np.asarray((own / own.mean())[:, None] * timing.shape(months))


GENERATORS: dict[str, Epidemic] = {
    "walk": Epidemic(),
    "wandering slope .005": Epidemic(slope=0.005),
    "wandering slope .01": Epidemic(slope=0.01),
    "overdispersed": Epidemic(overdispersion=0.03),
    "logistic turn": Epidemic(turn=0.04),
    "onset off by up to 4": Epidemic(late=4),
    "unknown second event": Epidemic(unknown=0.15),
}


def measured(
    truth: Intervention, assumed: Intervention, epidemic: Epidemic, n: int, label: str
) -> tuple[float, float, float, float]:
    """Coverage of 90%, mean width, mean posterior sd over prior sd, mean error in sds."""
    estimator = Estimator(MONTHS, assumed, locations=LOCATIONS, draws=200)
    inside, widths, kept, errors = [], [], [], []
    for i in range(n):
        rng = np.random.default_rng(seed_from("bench effects", label, i))
        panel, beta = epidemic(rng, MONTHS, truth, LOCATIONS)
        found = estimator.posterior(panel)
        low, high = found.interval(0.9)
        sd = found.sd()
        inside.append(low <= beta <= high)
        widths.append(high - low)
        kept.append(sd / found.prior.given_effect[1])
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
    print("| generator | timing | 90% holds | error | width | sd kept | mean error, sds | n |")
    print("|---|---|---|---|---|---|---|---|")
    for name, epidemic in GENERATORS.items():
        ways = (
            ("known", KNOWN, KNOWN), ("unknown", UNKNOWN, UNKNOWN),
            ("unknown, onset a range", UNKNOWN, RANGE),
        )  # fmt: skip
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
