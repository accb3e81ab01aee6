"""A forecast of a state's counties, made up: some hidden, one lost, one without deaths."""

import datetime as dt
from pathlib import Path

import numpy as np
from county_release import HIDDEN, NAMES, csv_text
from panel_factory import counts_panel

from odforecast.forecasts import Forecast
from odforecast.geography import counties_of
from odforecast.months import ONE_MONTH
from odforecast.names import COUNTIES, RESIDENCE, TARGET_12MO
from odforecast.panel import Panel

LAST = np.datetime64("2023-03", "M")
#: The eight that the tests speak of; of the other counties of Ohio nobody dies.
RATES = {"39035": 600.0, "39049": 1300.0, "39061": 480.0, "39113": 330.0, "39151": 40.0,
         "39163": 5.0, "39001": 12.0, "39009": 3.0}  # fmt: skip


def made_panel(state: str = "OH", months: int = 39) -> Panel:
    """Counts of a state's counties: hidden where they lie between 1 and 9, one lost."""
    places = tuple(c.fips for c in counties_of(state))
    when = np.arange(LAST - (months - 1) * ONE_MONTH, LAST + ONE_MONTH)
    rng = np.random.default_rng(5)
    mean = np.array([RATES.get(s, 0.0) for s in places])[:, None]
    monthly = rng.poisson(np.repeat(mean / 12, months + 11, axis=1))
    sums = np.apply_along_axis(lambda x: np.convolve(x, np.ones(12), "valid"), 1, monthly)
    hidden, lost = (sums >= 1) & (sums <= 9), np.isin(places, "39049")[:, None] & (sums > 0)
    reported = np.where(hidden | lost, np.nan, sums)
    return counts_panel(
        reported, places, when, dt.date(2023, 10, 8), dataset=COUNTIES, basis=RESIDENCE,
        low=np.where(hidden, 1.0, np.where(lost, 1000.0, reported)),
        high=np.where(hidden, 9.0, np.where(lost, np.inf, reported)),
    )  # fmt: skip


def made_forecast(panel=None, draws=200, horizon=12, **keywords):
    """Whole counts round the last ones, joint over counties as far as anybody can say."""
    seen = made_panel() if panel is None else panel
    rng = np.random.default_rng(7)
    mean = np.array([RATES.get(s, 0.3) for s in seen.locations]) * 1.05
    shape = (draws, len(seen.locations), horizon)
    swing = np.exp(rng.normal(0, 0.1, (draws, 1, 1)))
    given: dict[str, object] = {
        "draws": rng.poisson(mean[None, :, None] * swing, shape).astype(float),
        "locations": seen.locations,
        "months": np.arange(LAST + ONE_MONTH, LAST + (horizon + 1) * ONE_MONTH),
        "known": np.full((len(seen.locations), 11), np.nan),
        "as_of": seen.as_of, "last_month": LAST, "target": TARGET_12MO, "basis": RESIDENCE,
        "panel": seen, "provenance": {"model": "county", "label": "county", "seed": "1"},
    }  # fmt: skip
    return Forecast(**(given | keywords))  # type: ignore[arg-type]


def county_csv(path: Path, panel: Panel | None = None) -> Path:
    """The panel as CDC's site exports it."""
    seen = made_panel() if panel is None else panel
    names, rows = {c.fips: c.short for c in counties_of()}, []
    for i, fips in enumerate(seen.locations):
        for month, count, hidden in zip(seen.months.astype(str), seen.reported[i], seen.hidden[i]):
            year, of = month.split("-")
            shown = "" if np.isnan(count) else f"{count:.0f}"
            cells = (
                "10/08/2023", year, int(of), "OH", "Ohio", names[fips], int(fips), 39,
                int(fips[2:]), 4, shown, HIDDEN if hidden else "", 0.1, "", f"{of}/28/{year}",
            )  # fmt: skip
            rows.append(dict(zip(NAMES, cells)))
    path.write_text(csv_text(rows))
    return path


def population_csv(path: Path) -> Path:
    """People of Ohio's counties, made up."""
    people = {"39035": 1_200_000}
    rows = [f"{c.fips},{people.get(c.fips, 50_000)},2023" for c in counties_of("OH")]
    path.write_text("\n".join(["fips,population,year", *rows]) + "\n")
    return path
