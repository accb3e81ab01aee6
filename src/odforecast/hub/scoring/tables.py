"""Files of any hub as text: submissions and target data, whatever their columns are."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.hub.cells import numbers
from odforecast.hub.files import file_kind
from odforecast.hub.raw import read_raw

#: Columns of a submission that are no task ids.
OUTPUT_TYPE: Final = "output_type"
OUTPUT_TYPE_ID: Final = "output_type_id"
VALUE: Final = "value"
MODEL_ID: Final = "model_id"
#: What R writes where there is nothing.
_NOTHING: Final = frozenset({"", "NA", "NaN", "nan"})
_DATED: Final = re.compile(r"^\d{4}-\d{2}-\d{2}-(?=.)")
_ENDING: Final = re.compile(r"\.(csv|csv\.gz|parquet)$", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Submission:
    """One file of one model.

    Attributes
    ----------
    path : Path
    model_id : str
        Model it is of; see :func:`model_id_of`.
    table : DataFrame
        Its rows: task ids, ``output_type`` and ``output_type_id`` as text (empty where there is
        none), ``value`` as a number (NaN where a cell holds none), ``cell``, that cell as text,
        and ``row``, where it stands.
    """

    path: Path
    model_id: str
    table: pd.DataFrame

    @property
    def task_ids(self) -> list[str]:
        """Its columns that say what is forecast."""
        beside = {OUTPUT_TYPE, OUTPUT_TYPE_ID, VALUE, MODEL_ID, "cell", "row"}
        return [str(c) for c in self.table if c not in beside]


def read_submission(path: Path) -> Submission:
    """Read a submission of any hub.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.csv.gz`` or ``.parquet``.

    Returns
    -------
    Submission

    Raises
    ------
    DataError
        If it cannot be read, has no rows, or lacks a column that every hub has.
    """
    table, rows = read_texts(path)
    needed = (OUTPUT_TYPE, OUTPUT_TYPE_ID, VALUE)
    if missing := [name for name in needed if name not in table]:
        raise DataError(
            f"{path}: no column {', '.join(missing)}",
            hint=f"a submission has task ids and {', '.join(needed)}",
        )
    if table.empty:
        raise DataError(f"{path}: no rows")
    if set(table) == set(needed):
        raise DataError(f"{path}: no task ids", hint="columns that say what is forecast")
    ids = table[OUTPUT_TYPE_ID]
    table[OUTPUT_TYPE_ID] = ids.where(~ids.isin(_NOTHING), "")
    table["cell"], table["row"] = table[VALUE], rows
    table[VALUE] = numbers(table["cell"])
    return Submission(path, model_id_of(path), table)


def model_id_of(path: Path) -> str:
    """Model that a submission is of: its folder where the name ends in that, else the name.

    Examples
    --------
    >>> model_id_of(Path("model-output/team-model/2024-01-06-team-model.csv"))
    'team-model'
    >>> model_id_of(Path("elsewhere/2024-01-06-team-model.parquet"))
    'team-model'
    """
    stem = _ENDING.sub("", path.name)
    folder = path.absolute().parent.name
    return folder if folder and stem.endswith(f"-{folder}") else _DATED.sub("", stem)


def read_texts(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Cells of a file as text, and the row each stands in.

    Dates are written as 2024-01-06, whole numbers without a point, and nothing as an empty text,
    so that a CSV file and a Parquet file of the same table give the same.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    raw = read_raw(path, file_kind(path))
    return pd.DataFrame({str(c): _texts(raw.cells[c]) for c in raw.cells}), raw.rows


def text_of(cell: object) -> str:
    """A cell as text; the same for a date, a number or a text that means the same.

    Examples
    --------
    >>> text_of(1.0), text_of("01"), text_of(0.25), text_of(None), text_of(dt.date(2024, 1, 6))
    ('1', '01', '0.25', '', '2024-01-06')
    """
    if isinstance(cell, str):
        return cell
    if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:
        return ""
    if isinstance(cell, dt.datetime):
        text = cell.isoformat()
        return text[:10] if text[10:] in ("T00:00:00", "") else text
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, float | np.floating):
        value = float(cell)
        return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(value)
    return str(cell)


def number_texts(levels: Iterable[str]) -> np.ndarray:
    """Numbers that texts hold; NaN where one holds none."""
    return numbers(pd.Series(list(levels), dtype=object))


def _texts(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiumM":
        codes, different = pd.factorize(column, use_na_sentinel=False)
        texts = np.array([text_of(x) for x in different.tolist()], dtype=object)
        if column.dtype.kind == "M":
            texts = np.array([text_of(pd.Timestamp(x)) for x in different], dtype=object)
        return pd.Series(texts[codes] if len(texts) else [], dtype=object)
    return pd.Series([text_of(x) for x in column.astype(object)], dtype=object)
