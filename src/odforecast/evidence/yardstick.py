"""What models of this package say beside published forecasts, from what might have been known.

Of CDC's predicted values the very same count, from the bundled release cut there and made as
incomplete as a real release of those years; of projections all drugs in the same years.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from odforecast.errors import ScoringError
from odforecast.geography import NATION
from odforecast.models import Fitted, get_model
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import INDICATOR_NAMES, MONTH
from odforecast.panel import era_of
from odforecast.publication import SETTLED, publication_date
from odforecast.scoring.rules import weighted_interval_score
from odforecast.vintage.donors import available

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odforecast.panel import Floats, Panel
    from odforecast.vintage import Archive

#: Level that an interval is scored at where its source, as we have it, does not print one.
LEVEL: Final = 0.95

_INDICATORS: Final = {
    "all drugs": INDICATOR_NAMES["all-drugs"],
    "opioids": INDICATOR_NAMES["opioids"],
}
#: What each model says, by column.
_BESIDE: Final = ("median", "low", "high", "error_percent", "held", "wis")


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as mappings by column."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def wis_of(three: Sequence[float], came: float, level: float = LEVEL) -> float:
    """WIS of a low end, a median and a high end."""
    side = round((1 - level) / 2, 12)
    values = np.asarray(three, dtype=float)[:, None]
    found = weighted_interval_score(values, [side, 0.5, round(1 - side, 12)], [came])
    return float(found.total[0])


def panel_of(releases: Archive, day: str | None, counts: str) -> Panel:
    """The panel of a day; ``counts`` is ``"all drugs"`` or ``"opioids"``."""
    return releases.as_of(day).panel(_INDICATORS[counts])


def reported_in(panel: Panel, month: np.datetime64) -> float:
    """The nation's count of 12 months; NaN where the panel has none."""
    column = int((month - panel.months[0]).astype(int))
    if NATION not in panel.locations or not 0 <= column < panel.months.size:
        return float("nan")
    return float(panel.reported[panel.index(NATION), column])


def beside(
    table: pd.DataFrame,
    here: Archive,
    releases: Archive,
    models: tuple[str, ...],
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """The table with what models say; see :func:`odforecast.evidence.published`."""
    chosen = {label: get_model(label) for label in models}

    said: list[dict[str, Any]] = []
    for row in rows_of(table):
        out: dict[str, Any] = {"origin": "", "beside": _why_not(row), "beside_came": np.nan}
        if row["yardstick"]:
            try:
                panel, origin = delayed_at(here, str(row["yardstick"]), str(row["published"]))
            except ScoringError as error:
                out["beside"] = error.message
            else:
                same = row["kind"] == "predicted value"
                came = float(row["came"]) if same else _years_of(row, releases)
                out |= {
                    "origin": origin,
                    "beside": "same count" if same else "all drugs, same years",
                    "beside_came": came,
                }
                for label, model in chosen.items():
                    three = _three(model.fit(panel), panel, row, draws, seed)
                    out |= {f"{label}_{k}": v for k, v in _judged(three, came).items()}
        said.append(out)
    columns = ["origin", "beside", "beside_came",
               *(f"{label}_{k}" for label in models for k in _BESIDE)]  # fmt: skip
    more = pd.DataFrame(said).reindex(columns=columns)
    return pd.concat([table, more], axis=1)


def delayed_at(here: Archive, month: str, published: str = "") -> tuple[Panel, str]:
    """The newest release cut after a month and made as incomplete as a real one, and which.

    The donor of the delay is of the era of the day (releases came 6.5 months after their last
    month, since 2022 4.5: so much more is missing), and of these the one whose calendar is nearest.

    Parameters
    ----------
    here : Archive
    month : str
    published : str
        The day that the release of that month came out, if it is known.

    Returns
    -------
    tuple of Panel and str

    Raises
    ------
    ScoringError
        If counts up to there have not settled in the release.
    """
    last = np.datetime64(month, "M")
    seen = here.as_of()
    panel = seen.panel()
    if last > panel.last_month - SETTLED * ONE_MONTH:
        raise ScoringError(
            f"counts after {panel.last_month - SETTLED * ONE_MONTH} have not settled in release "
            f"{seen.date}"
        )
    day = dt.date.fromisoformat(published) if len(published) == 10 else publication_date(last)
    era = era_of((day - month_end(last)).days)
    donors = [d for d in available(here) if d.era == era]
    donor = min(donors, key=lambda d: (d.distance(last), abs(d.release - day)))
    text = f"release {seen.date} cut after {month}, delay as in {donor.release}"
    return panel.delayed(month, donor), text


def _why_not(row: dict[str, Any]) -> str:
    if row["kind"] == "study":
        return "a study prints no forecasts"
    if row["kind"] == "predicted value":
        if row["counts"] == "opioids":
            return "no donor tells what arrives late of opioids"
        return "settled when it was said"
    if row["kind"] == "projection":
        return "these years are not over in the bundled release"
    return "which years were projected is not known"


def _years_of(row: dict[str, Any], releases: Archive) -> float:
    """All drugs in the calendar years of a projection."""
    panel = panel_of(releases, None, "all drugs")
    return float(sum(reported_in(panel, month) for month in _decembers(row)))


def _decembers(row: dict[str, Any]) -> list[np.datetime64]:
    first, last = (int(str(row[c])[:4]) for c in ("first", "last"))
    return [np.datetime64(f"{year}-12", "M") for year in range(first, last + 1)]


def _three(
    fitted: Fitted, panel: Panel, row: dict[str, Any], draws: int, seed: int
) -> tuple[float, float, float]:
    """Low, median and high of the nation's count: of 12 months, or of years added up."""
    same = row["kind"] == "predicted value"
    months = [np.datetime64(str(row["last"]), "M")] if same else _decembers(row)
    ahead = max(1, int((months[-1] - panel.last_month).astype(int)))
    made = fitted.forecast(ahead, draws=draws, seed=seed).select([NATION])
    if made.months[0] > months[0]:  # it takes published counts as they are
        value = reported_in(panel, months[0])
        return float("nan"), value, float("nan")
    at = [int((month - made.months[0]).astype(int)) for month in months]
    drawn: Floats = made.samples()[:, 0, at]
    if len(at) > 1 and MONTH not in made.joint:
        # Years of draws that are not joint do not add up; their medians do not either.
        return float("nan"), float("nan"), float("nan")
    side = round((1 - LEVEL) / 2, 12)
    low, middle, high = np.quantile(drawn.sum(axis=1), [side, 0.5, 1 - side])
    return float(low), float(middle), float(high)


def _judged(three: tuple[float, float, float], came: float) -> dict[str, float]:
    low, middle, high = three
    out = dict.fromkeys(_BESIDE, float("nan"))
    out |= {"median": middle, "low": low, "high": high}
    out["error_percent"] = 100 * (middle - came) / came
    if not np.isnan(low + high + came):
        out["held"] = float(low <= came <= high)
        out["wis"] = wis_of(three, came)
    return out
