"""Constants of the ``county`` model, estimated on what was known by 2021-06.

``python benchmarks/bench_county_model.py --constants`` estimates them again.
"""

from __future__ import annotations

from typing import Final

#: Variance of a county's month over its mean: plain Poisson.
PHI: Final = 1.0
#: Standard deviation of the relative step of a county's share of its state, a month.
STEP: Final = 0.03
#: Levels of counties by how urban they are (the release's code): mean, in deaths a year, and
#: shape of a gamma distribution.
LEVELS: Final = {
    "1": (401.0, 2.7),
    "2": (62.8, 0.69),
    "3": (61.0, 0.64),
    "4": (23.9, 0.98),
    "5": (12.0, 1.0),
    "6": (3.68, 0.66),
}
#: The same of rates, in deaths per 100,000 people a year.
RATES: Final = {
    "1": (38.9, 3.2),
    "2": (29.0, 4.0),
    "3": (31.7, 3.7),
    "4": (27.1, 3.3),
    "5": (27.0, 2.6),
    "6": (24.3, 1.9),
}
#: How far a state's levels are from these, as the sd of a logarithm.
STATE: Final = 0.68
#: Residence over occurrence before any count is seen: sd around 1, and sd of its change in a year.
RESIDENCE_SD, RESIDENCE_STEP = 0.06, 0.018
#: sd of the logarithm of how much more, or less, complete counties are than their state.
COMPLETENESS_SD: Final = 0.03
