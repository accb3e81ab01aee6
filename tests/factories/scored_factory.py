"""A scored page of made-up numbers, by hand."""

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pandas as pd

from odforecast.report.scored import CLOCKS, Scored
from odforecast.scenario import Onset, Track, named

SAID = "Counts would not show whether it works (probability 3%)."
MONTHS = np.arange("2023-01", "2024-11", dtype="datetime64[M]")


def made_up(names: dict[str, str] | None = None) -> Scored:
    """The change began in August 2023 (70%) or May 2024; ``names`` are other priors of events."""
    posterior = np.where(np.datetime64("2023-08") == MONTHS, 0.7, 0.0)
    posterior[np.datetime64("2024-05") == MONTHS] = 0.3
    onset = Onset(
        "US",
        ("US",),
        indicator="Synthetic opioids, excl. methadone (T40.4)",
        release=dt.date(2026, 1, 14),
        direction="either",
        months=MONTHS,
        posterior=posterior,
        bayes_factors=np.where(posterior > 0.5, 4.2, 0.9),
        none=0.35,
        falls=0.8,
        counts=(np.datetime64("2021-01"), np.datetime64("2025-01")),
    )
    works = {
        "cooperation-resumed": (0.59, 0.72, 0.66),
        "4ap-controlled": (0.34, 0.24, 0.29),
        "busan": (0.59,),
    }
    tracks = {}
    for key, (prior, month) in CLOCKS.items():
        item = named((names or {}).get(key, prior), onset=month).interventions[0]
        tracks[key] = _track(item, works[key])
    return Scored(onset, tracks)


def _track(item, works) -> Track:
    days = [pd.NaT, pd.Timestamp("2025-09-17"), pd.Timestamp("2026-01-14")]
    months = ["2023-10", "2025-03", "2025-07"]
    n = len(works)
    chances = {"release": pd.Series(days[:n], dtype="datetime64[s]"), "month": months[:n]}
    for name in ("works", "nothing", "backfires"):
        chances[name] = works if name == "works" else [0.2] * n
    # Four other dates; two of them get a higher chance.
    others = [0.11, 0.81, works[-1], 0.76, 0.42] if n > 1 else []
    placebo = pd.DataFrame(
        {
            "onset": [f"2023-0{k}" for k in range(1, len(others) + 1)],
            "month": "2025-07",
            "works": others,
            "nothing": 0.2,
            "backfires": 0.1,
            "event": [k == 2 for k in range(len(others))],
        }
    )
    expected = pd.DataFrame(columns=["month", "world", "works", "works_q10", "works_q90"])
    detection = SimpleNamespace(text=lambda: SAID)
    value = pd.DataFrame()
    indicator = "Synthetic opioids, excl. methadone (T40.4)"
    return Track(
        item, item.name, "US", indicator, pd.DataFrame(chances), expected, detection, placebo, value
    )
