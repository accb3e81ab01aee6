"""Tables that people open in a spreadsheet: no cell of theirs is a formula."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: What makes a spreadsheet calculate a cell, also behind spaces and in full width.
_STARTS = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula: such a text gets an apostrophe before it.

    Numbers stay as they are, also those that are text.

    >>> harmless('=HYPERLINK("http://x")'), harmless("-team"), harmless("-1.5"), harmless(-2)
    ('\\'=HYPERLINK("http://x")', "'-team", '-1.5', -2)
    """
    if isinstance(cell, str) and _STARTS.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts, column names included, are :func:`harmless`."""
    out = table.copy(deep=False)
    for i, kind in enumerate(table.dtypes):
        if str(kind) in ("object", "category", "string", "str"):
            column = table.iloc[:, i].astype(object).map(harmless)
            out.isetitem(i, column.to_numpy())
    return out.rename(columns=lambda name: harmless(name))
