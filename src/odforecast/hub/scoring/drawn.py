"""Sample rows of a hub file, put together again as draws of a forecast.

What belongs together is what has one ``output_type_id``: where all units of an origin have the
same numbers, draws are joint over places and months; where the months of a place have, over
months only. Nothing else is taken as joint.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from odforecast.errors import ScoringError
from odforecast.forecast import Forecast
from odforecast.geography.places import lookup
from odforecast.names import LOCATION, MONTH, TARGET_TREND
from odforecast.panel import Panel


def forecast_of_samples(
    table: pd.DataFrame, target: str, panel: Panel | None = None, model: str = ""
) -> Forecast:
    """The forecast that sample rows of one origin and target are of.

    Parameters
    ----------
    table : DataFrame
        As :func:`odforecast.hub.read_hub` gives it, of one origin (and scenario).
    target : str
        ``"deaths_12mo"`` or ``"deaths_month"``.
    panel : Panel, optional
        What was known at the origin.
    model : str

    Returns
    -------
    Forecast
        Draws of that target, of the places and months of the file; what was known before them
        is not in a file, so sums over months before the first are not known.

    Raises
    ------
    ScoringError
        If there are no samples, several origins, or units with other numbers of samples or
        months.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel().select(["US", "OH"])
    >>> made = od.get_model("drift").fit(panel).forecast(horizon=3, draws=50)
    >>> again = forecast_of_samples(od.to_hub(made, output_type="sample"), "deaths_12mo")
    >>> again.draws.shape, again.joint == made.joint
    ((50, 2, 3), True)
    """
    rows = table[(table["output_type"] == "sample") & (table["target"] == target)]
    if rows.empty or target == TARGET_TREND:
        raise ScoringError(f"no samples of {target} there")
    if len(set(rows["origin_date"])) > 1:
        raise ScoringError("samples of several origins", hint="give those of one")
    rows = rows.astype({"output_type_id": float})
    rows = rows.sort_values(["location", "target_end_date", "output_type_id"], kind="stable")
    codes = sorted(set(rows["location"]))
    ends = sorted(set(rows["target_end_date"]))
    n, left = divmod(len(rows), len(codes) * len(ends))
    units = rows.groupby(["location", "target_end_date"], sort=True).size()
    if left or len(units) != len(codes) * len(ends) or (units != n).any():
        raise ScoringError("units have different numbers of samples, or places other months")
    ids = rows["output_type_id"].to_numpy().reshape(len(codes), len(ends), n)
    joint = set()
    if (ids == ids[:, :1]).all() or len(ends) == 1:
        joint.add(MONTH)
    if (ids == ids[:1]).all() or len(codes) == 1:
        joint.add(LOCATION)
    values = rows["value"].to_numpy(dtype=float).reshape(len(codes), len(ends), n)
    first = rows.iloc[0]
    months = np.array(ends).astype("datetime64[M]")
    last = np.datetime64(first["target_end_date"], "M") - np.timedelta64(int(first["horizon"]), "M")
    return Forecast(
        draws=values.transpose(2, 0, 1),
        locations=tuple(lookup(code).state for code in codes),
        months=months,
        known=np.full((len(codes), 11), np.nan),
        as_of=pd.Timestamp(first["origin_date"]).date(),
        last_month=last,
        target=target,
        joint=frozenset(joint),
        panel=panel,
        provenance={"model": model, "label": model},
    )
