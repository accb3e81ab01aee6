"""A state's own monthly counts: a small table of the health department's, CSV or Excel.

::

    location,month,deaths,as_of
    Ohio,2025-05,182,2025-09-01
    Ohio,2025-06,171,2025-09-01

``as_of`` may be left out. Cells are checked here, row by row; what the counts mean beside CDC's is
checked where they are put beside them (:meth:`odforecast.panel.Panel.with_counts`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.say import listed
from odforecast.sources.own_months import own_months
from odforecast.sources.tabular import Plain, read_plain
from odforecast.sources.unpack import AGAIN, Limits

#: Columns of the table; the first three are needed.
OWN_COLUMNS = ("location", "month", "deaths", "as_of", "basis", "indicator")
#: Another name of the first, which tables of this package have.
_STATE = "state"
_NEEDED = OWN_COLUMNS[:3]
#: A state has some hundred months, and some days for each.
LIMITS = Limits(size=20_000_000)


def read_own_counts(path: str | Path, limits: Limits | None = None) -> pd.DataFrame:
    """Read a state's own monthly counts.

    Parameters
    ----------
    path : path
        CSV (gzip or not), Excel or Parquet: columns ``location`` (or ``state``), ``month``,
        ``deaths``, and optionally ``as_of`` (a day), ``basis``, ``indicator``. Other columns are
        not read. Months are written as ``2025-06``, its first or last day (``2025-06-01``,
        ``2025-06-30``), ``June 2025`` or ``06/2025``; ``06/01/2025`` is June where all such cells
        have 01 in the middle, and refused otherwise.
    limits : Limits, optional
        How large a file may be; default: 20 MB.

    Returns
    -------
    DataFrame
        One row per row of the file: ``location`` (str, as it is), ``month`` (datetime64[s]),
        ``deaths`` (float, whole), and those of the other columns that the file has (str; blank
        where it is).

    Raises
    ------
    DataError
        If the file is damaged, a column is missing, or a cell is no month, no count or no day;
        names the row.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from odforecast.sources.own_counts import read_own_counts
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "ohio.csv"
    ...     _ = path.write_text("Location,Month,Deaths\\nOhio,2025-05,182\\nOhio,2025-06,171\\n")
    ...     read_own_counts(path)["deaths"].tolist()
    [182.0, 171.0]
    """
    try:
        plain = read_plain(path, limits or LIMITS)
    except DataError as error:
        raise DataError(error.message, hint=_of_ours(error.hint)) from error
    plain = _named(plain)
    cells = plain.cells
    plain.refuse((cells["location"] == "").to_numpy(), "location", "is blank", "name the place")
    stamps, bad, why = own_months(cells["month"])
    plain.refuse(bad, "month", why, "write it as 2025-06")
    try:
        deaths = plain.counts("deaths")
    except DataError as error:
        raise DataError(
            error.message,
            hint="write the number of deaths of that one month: whole, without signs; a suppressed "
            "month cannot be used",
        ) from error
    frame = pd.DataFrame(
        {
            "location": cells["location"].astype(str),
            "month": stamps.astype("datetime64[s]"),
            "deaths": deaths,
        }
    )
    for name in OWN_COLUMNS[3:]:
        if name in cells:
            frame[name] = cells[name].astype(str)
    if "as_of" in frame:
        days = frame["as_of"].str.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|").to_numpy(dtype=bool)
        plain.refuse(~days, "as_of", "is no day", "write it as 2025-09-01")
    return frame


def _of_ours(hint: str | None) -> str | None:
    """What to do about a file that nobody has downloaded."""
    if hint is None or not (AGAIN in hint or "CDC" in hint or "download" in hint):
        return hint
    if "line end" in hint:
        return "end the last line with a line end, if the file is whole"
    return f"save it as CSV or .xlsx, with the columns {', '.join(_NEEDED)} and a row per month"


def _named(plain: Plain) -> Plain:
    """The same cells, the columns that are ours in lower case, whatever else is there left out."""
    names = [str(c).strip().lower().replace(" ", "_").replace("-", "_") for c in plain.cells]
    if "location" not in names:
        names = ["location" if name == _STATE else name for name in names]
    ours = [i for i, name in enumerate(names) if name in OWN_COLUMNS]
    if len({names[i] for i in ours}) < len(ours):
        raise DataError(
            f"{plain.name}: a column is there twice: "
            + listed(plain.cells.columns[i] for i in ours),
            hint="keep one of each",
        )
    if lacking := [name for name in _NEEDED if name not in names]:
        raise DataError(
            f"{plain.name}: no column {', '.join(lacking)}; it has "
            + listed(plain.cells.columns, most=40),
            hint="name the columns location, month, deaths (and, if there, as_of, basis, "
            "indicator)",
        )
    cells = plain.cells.iloc[:, ours].copy()
    cells.columns = pd.Index([names[i] for i in ours])
    return Plain(plain.name, cells, np.asarray(plain.rows))
