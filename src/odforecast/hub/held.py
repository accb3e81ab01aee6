"""For which months the assumptions of scenarios held: the user's own judgement, from a file."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.hub.file_check import is_scenario_name
from odforecast.hub.raw import read_raw
from odforecast.months import ONE_MONTH
from odforecast.names import SCENARIO_ID
from odforecast.say import listed, quoted

#: Columns of the file; the last one may be left out.
HELD_COLUMNS = (SCENARIO_ID, "first_month", "last_month", "note")

_MONTH = re.compile(r"(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])")


def read_held(path: str | Path, scenarios: Collection[str] | None = None) -> pd.DataFrame:
    """Read for which months the assumptions of each scenario held.

    What held is a fact about the world (the agreement was in force, the supply was down) that
    counts of deaths do not say; somebody who knows writes it down.

    Parameters
    ----------
    path : str or Path
        CSV file: ``scenario_id, first_month, last_month`` and perhaps ``note``; months as
        2024-03, both included. A scenario may have several rows, of different months; one without
        a row held in no month.
    scenarios : collection of str, optional
        Names that are allowed; default: any.

    Returns
    -------
    DataFrame
        ``scenario_id``, ``first_month``, ``last_month`` (timestamps), ``note``; a row each.

    Raises
    ------
    DataError
        With file, row, column, value and what is allowed, at the first thing wrong.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import odforecast as od
    >>> path = Path(tempfile.mkdtemp()) / "held.csv"
    >>> _ = path.write_text("scenario_id,first_month,last_month\\nnull,2024-01,2024-06\\n")
    >>> od.hub.read_held(path)["last_month"].dt.strftime("%Y-%m").tolist()
    ['2024-06']
    """
    source = Path(path)
    try:
        raw = read_raw(source, "csv")
    except DataError as error:
        hint = f"a CSV file with columns {', '.join(HELD_COLUMNS)}" if error.hint else None
        raise DataError(error.message, hint=hint) from error
    table = raw.cells
    missing = [c for c in HELD_COLUMNS[:3] if c not in table]
    extra = [c for c in table if c not in HELD_COLUMNS]
    if missing or extra:
        what = f"no column {missing[0]}" if missing else f"unknown column {quoted(extra[0])}"
        raise DataError(f"{source}: {what}", hint=f"columns: {', '.join(HELD_COLUMNS)}")

    def refuse(i: int, column: str, why: str, hint: str) -> NoReturn:
        raise DataError(
            f"{source}, row {raw.rows[i]}, column {column}: {quoted(table[column].iloc[i])} {why}",
            hint=hint,
        )

    months: dict[tuple[str, str], int] = {}
    for i, name in enumerate(table[SCENARIO_ID]):
        if not is_scenario_name(name):
            refuse(i, SCENARIO_ID, "is no name of a scenario", "name it as the forecasts do")
        if scenarios is not None and name not in scenarios:
            allowed = f"they have: {listed(scenarios)}"
            refuse(i, SCENARIO_ID, "is no scenario of the forecasts", allowed)
        span = []
        for column in HELD_COLUMNS[1:3]:
            cell = table[column].iloc[i]
            if _MONTH.fullmatch(cell) is None:
                refuse(i, column, "is no month", "write months as 2024-03")
            span.append(np.datetime64(cell, "M"))
        if span[0] > span[1]:
            refuse(i, "last_month", "lies before first_month", "the last month it held, included")
        for month in np.arange(span[0], span[1] + ONE_MONTH):
            key = (name, str(month))
            if key in months:
                refuse(i, "first_month", f"begins months that row {months[key]} has too ({month})",
                       "give every month of a scenario once")  # fmt: skip
            months[key] = int(raw.rows[i])
    out = pd.DataFrame({SCENARIO_ID: table[SCENARIO_ID].astype(object)})
    for column in HELD_COLUMNS[1:3]:
        out[column] = table[column].to_numpy().astype("datetime64[M]").astype("datetime64[s]")
    out["note"] = table.get("note", "")
    return out
