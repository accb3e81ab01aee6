"""Columns of a release whose values say that they stand under another's header, or are cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from odforecast.errors import DataError
from odforecast.sources.columns import Columns, title
from odforecast.sources.unpack import AGAIN

#: In every release known, percent pending is below 4. Percent complete is 94 or more, but may be
#: far lower where a jurisdiction's records do not arrive.
_HALF = 50.0


def check_columns(columns: Columns, frame: dict[str, Any]) -> None:
    """Refuse a release whose values show that two headers are swapped.

    Percent complete is near 100 and percent pending near 0, and the predicted value, which adds
    what is missing, is rarely below the reported one.

    Parameters
    ----------
    columns : Columns
        Of the file, for its words.
    frame : dict of str to ndarray
        Interpreted columns.

    Raises
    ------
    DataError
        Naming the first cell, or both columns.
    """
    if {"percent_complete", "percent_pending"} <= columns.keys():
        complete, pending = frame["percent_complete"], frame["percent_pending"]
        with np.errstate(invalid="ignore"):
            swapped = (complete < pending).sum() > (complete > pending).sum()
        if swapped:
            raise DataError(
                f"{columns.raw.name}: {title('percent_complete')} is below "
                f"{title('percent_pending')} in most rows",
                hint="are their headers swapped? Percent complete is near 100, pending near 0",
            )
    with np.errstate(invalid="ignore"):
        if "percent_complete" in columns:
            complete = frame["percent_complete"]
            if (complete < _HALF).sum() > (complete >= _HALF).sum():
                raise DataError(
                    f"{columns.raw.name}: {title('percent_complete')} is below {_HALF:g} in most "
                    "rows",
                    hint="another column's header? Percent complete is near 100",
                )
        if "percent_pending" in columns:
            columns.refuse(
                frame["percent_pending"] > _HALF, "percent_pending",
                f"is above {_HALF:g}, as in no release",
                "a changed cell, or another column's header?",
            )  # fmt: skip
        below = (frame["predicted"] < frame["reported"]).sum()
        above = (frame["predicted"] > frame["reported"]).sum()
    if below > max(above, 5):
        raise DataError(
            f"{columns.raw.name}: {title('predicted')} is below {title('reported')} in most rows "
            f"({below:,} of {below + above:,} that differ)",
            hint="are their headers swapped? CDC's predicted value adds what is not yet reported",
        )


def check_open_end(columns: Columns, frame: dict[str, Any]) -> None:
    """Refuse a blank at the end of a file that may be a value cut off.

    A file of CDC's whose last line has no line end exists, and ends in a blank value. That
    blank is believed where every other month of the same series is blank too.

    Raises
    ------
    DataError
        Naming the row.
    """
    if not columns.raw.open_end:
        return
    name = list(columns)[-1]
    values = frame.get(name)
    if values is not None and values.dtype == float:
        same = (frame["state"] == frame["state"][-1]) & (
            frame["indicator"] == frame["indicator"][-1]
        )
        if same.sum() > 1 and np.isnan(values[same]).all():
            return
    raise DataError(
        f"{columns.where(columns.n_rows - 1)}: the last "
        f"line has no line end and ends in a blank {title(name)}, where a value may be cut off",
        hint=f"{AGAIN}, or add a line end if the file is whole",
    )
