"""Tables, JSON and pictures that commands write: whole, or not at all."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.io import replacing

if TYPE_CHECKING:
    import pandas as pd


#: Columns of months, beside those whose names end in ``_month``; every other date is a day.
MONTHS = ("month", "first", "last")


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its months as text, 2026-04, and days as 2025-09-17.

    What a column holds is said by its name, not by its values: a release may come out on the
    first of a month.

    Examples
    --------
    >>> import pandas as pd
    >>> day = pd.Timestamp("2025-10-01")
    >>> plain(pd.DataFrame({"as_of": [day], "last_month": [day]})).to_dict("records")
    [{'as_of': '2025-10-01', 'last_month': '2025-10'}]
    """
    out = table.copy(deep=False)
    for name in table.select_dtypes("datetime").columns:
        out[name] = table[name].dt.strftime(form_of(str(name)))
    return out


def form_of(name: str) -> str:
    """How dates of a column are written: as months, or as days.

    Examples
    --------
    >>> form_of("last_month"), form_of("as_of")
    ('%Y-%m', '%Y-%m-%d')
    """
    return "%Y-%m" if name in MONTHS or name.endswith("_month") else "%Y-%m-%d"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: months as text, nothing where nothing is known, six digits behind the point.

    Examples
    --------
    >>> import pandas as pd
    >>> records(pd.DataFrame({"month": [pd.Timestamp("2026-04-01")], "rate": [float("nan")]}))
    [{'month': '2026-04', 'rate': None}]
    """
    text = plain(table).to_json(orient="records", double_precision=6)
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print JSON, and nothing else, on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table by the ending of its name: CSV (packed, too), JSON or Parquet."""
    from odforecast.cli.spreadsheet import for_spreadsheets

    name = path.name.lower()
    with replacing(path) as part:
        if name.endswith(".parquet"):
            table.to_parquet(part, index=False)
        elif name.endswith(".json"):
            plain(table).to_json(part, orient="records", indent=1, double_precision=6)
        else:
            rows = for_spreadsheets(plain(table))
            data = rows.to_csv(index=False, float_format="%.10g", lineterminator="\n").encode()
            part.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
