"""How far off the default model was in the past, by place: measured by ``make record``, shipped."""

from __future__ import annotations

from functools import cache
from importlib import resources

import pandas as pd

from odforecast.forecast import Forecast
from odforecast.names import ALL_DRUGS


@cache
def _table() -> pd.DataFrame:
    path = resources.files("odforecast.report") / "record.csv"
    with path.open(encoding="utf-8") as handle:
        return pd.read_csv(handle, keep_default_na=False)


def past_record(forecast: Forecast, location: str) -> tuple[str, pd.DataFrame] | None:
    """Past errors of the model that made a forecast, in one place.

    Parameters
    ----------
    forecast : Forecast
        Only of the default model, with its own parameters, is there a record.
    location : str
        CDC code.

    Returns
    -------
    (str, DataFrame) or None
        A sentence on what was scored, and ``Months ahead``, ``Middle error`` (in percent of the
        count), ``90 % interval held`` (share of the counts), ``Forecasts``.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> made = od.get_model("naive").fit(panel).forecast(draws=50)
    >>> past_record(made, "OH") is None  # no record of this model is shipped
    True
    """
    table = _table()
    rows = table[table["location"] == location]
    hashes = set(rows["spec_hash"])
    # Scored on all drugs: a class has another record.
    if forecast.panel is None or forecast.panel.indicator != ALL_DRUGS:
        return None
    if rows.empty or str(forecast.last_month) < str(rows["last"].max()):
        return None  # a brief of an earlier day must not know what came later
    if not hashes or hashes != {forecast.provenance.get("spec_hash")}:
        return None
    said = (
        f"The same model, given only what was known on each day, was scored on the counts of "
        f"{rows['first'].min()} to {rows['last'].max()} once they were final. Who built it had "
        "seen these years."
    )
    shown = pd.DataFrame(
        {
            "Months ahead": rows["horizon"].to_numpy(),
            "Middle error": [f"{x:.1f} %" for x in rows["error"]],
            "90 % interval held": [f"{100 * x:.0f} % of the counts" for x in rows["held"]],
            "Forecasts": rows["forecasts"].to_numpy(),
        }
    )
    return said, shown
