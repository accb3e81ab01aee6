"""What a command answers, and the one function that shows and writes it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import odforecast as od
from odforecast.cli.screen import say
from odforecast.io import replacing

if TYPE_CHECKING:
    import pandas as pd

#: Columns of months, beside those whose names end in ``_month``; every other date is a day.
MONTHS = ("month", "first", "last")
#: What a workbook says of how its table was made.
_ABOUT = (
    "indicator",
    "release",
    "as_of",
    "last_month",
    "model",
    "seed",
    "draws",
    "odforecast",
)


@dataclass(frozen=True)
class Output:
    """How somebody wants an answer, beside the screen."""

    #: JSON on standard output; everything else goes to standard error.
    as_json: bool = False
    #: Files of the table, the figure and the page.
    table: Path | None = None
    plot: Path | None = None
    html: Path | None = None


@dataclass
class Answer:
    """What a command answers: a screen for people, JSON for programs, and files.

    Text and data may be functions that make them: only what is asked for is made.
    """

    #: What the screen shows, in lines that fit.
    text: str | Callable[[], str | None] = ""
    #: What ``--json`` prints, tables as lists of rows.
    data: Any = None
    #: What ``--table`` writes.
    frame: pd.DataFrame | None = None
    #: Makes the figure of ``--plot``.
    figure: Callable[[], Any] | None = None
    #: Writes the page of ``--html`` to a path.
    page: Callable[[Path], object] | None = None
    #: How it was made; after the answer, on standard error beside JSON.
    notes: Sequence[str] = ()
    #: Other files: what writes one, and the line on it.
    files: list[tuple[Callable[[], object], str]] = field(default_factory=list)
    #: Raised at the end, in place of a figure and a page.
    failure: Exception | None = None

    def show(self, output: Output) -> None:
        """Print the answer."""
        if output.as_json:
            data = self.data() if callable(self.data) else self.data
            text = json.dumps(
                _jsonable(data),
                indent=2,
                ensure_ascii=False,
                allow_nan=False,
            )
        else:
            text = self.text() or "" if callable(self.text) else self.text
        if text:
            click.echo(text)

    def finish(self, output: Output) -> None:
        """Say how it was made, and write the files asked for; then what went wrong."""
        for sentence in self.notes:
            say(sentence, err=output.as_json)
        for write, line in chain(self._asked_files(output), self.files):
            write()
            click.echo(line, err=output.as_json)
        if self.failure is not None:
            raise self.failure

    def _asked_files(
        self, output: Output
    ) -> Iterator[tuple[Callable[[], object], str]]:
        """Table, figure and page, where the command has them and somebody asked."""
        frame = self.frame
        table = output.table
        if frame is not None and table is not None:
            meta = self.data.get("meta") if isinstance(self.data, dict) else None
            line = f"table: {table} ({len(frame):,} rows)"
            yield partial(write_table, frame, table, meta=meta), line
        if self.failure is not None:
            return
        if self.figure is not None and output.plot is not None:
            write = partial(od.plot.save, self.figure(), output.plot)
            yield write, f"figure: {output.plot}"
        if self.page is not None and output.html is not None:
            yield partial(self.page, output.html), f"page: {output.html}"


def _jsonable(value: Any) -> Any:
    """A value whose tables are lists of rows."""
    if isinstance(value, Mapping):
        return {key: _jsonable(item) for key, item in value.items()}
    return (
        records(value)
        if hasattr(value, "to_json") and hasattr(value, "columns")
        else value
    )


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its months as text, 2026-04, and days as 2025-09-17.

    The name of a column tells which, not its values: a release may come out on the first of a
    month.

    >>> import pandas as pd
    >>> day = pd.Timestamp("2025-10-01")
    >>> plain(pd.DataFrame({"as_of": [day], "last_month": [day]})).to_dict("records")
    [{'as_of': '2025-10-01', 'last_month': '2025-10'}]
    """
    dates = table.select_dtypes("datetime").columns
    return table.assign(
        **{str(x): table[x].dt.strftime(form_of(str(x))) for x in dates}
    )


def form_of(name: str) -> str:
    """How dates of a column are written: as months, or as days.

    >>> form_of("last_month"), form_of("as_of")
    ('%Y-%m', '%Y-%m-%d')
    """
    return "%Y-%m" if name in MONTHS or name.endswith("_month") else "%Y-%m-%d"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: months as text, nothing where nothing is known, six decimals.

    >>> import pandas as pd
    >>> records(pd.DataFrame({"month": [pd.Timestamp("2026-04-01")], "rate": [float("nan")]}))
    [{'month': '2026-04', 'rate': None}]
    """
    text = plain(table).to_json(orient="records", double_precision=6)
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def write_table(
    table: pd.DataFrame, path: Path, meta: Mapping[str, Any] | None = None
) -> None:
    """Write a table by the ending of its name: CSV (packed, too), JSON, Parquet or a workbook."""
    from odforecast.report.page import for_spreadsheets

    name = path.name.lower()
    rows = plain(table)
    with replacing(path) as part:
        if name.endswith(".parquet"):
            table.to_parquet(part, index=False)
        elif name.endswith(".json"):
            rows.to_json(
                part,
                orient="records",
                indent=1,
                double_precision=6,
            )
        elif name.endswith(".xlsx"):
            _write_workbook(for_spreadsheets(rows), part, meta=meta or {})
        else:
            text = for_spreadsheets(rows).to_csv(
                index=False,
                float_format="%.10g",
                lineterminator="\n",
            )
            data = text.encode()
            part.write_bytes(
                gzip.compress(data, mtime=0) if name.endswith(".gz") else data
            )


def _write_workbook(table: pd.DataFrame, path: Path, meta: Mapping[str, Any]) -> None:
    """The table, and a sheet on how it was made; heads stay in view, columns fit their texts.

    Deaths have one decimal, and chances four.
    """
    import pandas as pd
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    digits = {}
    for column in table.select_dtypes("float"):
        digits[str(column)] = 4 if table[column].abs().max() <= 1 else 1
    facts = [(key.replace("_", " "), str(meta[key])) for key in _ABOUT if key in meta]
    sheets = {"odforecast": table.round(digits)}
    if facts:
        sheets["about"] = pd.DataFrame(facts, columns=["what", "value"])

    def printable(value: Any) -> Any:
        """A cell without characters that a workbook cannot hold."""
        return ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value

    with path.open("wb") as file, pd.ExcelWriter(file, engine="openpyxl") as book:
        for name, sheet in sheets.items():
            sheet.map(printable).to_excel(
                book,
                sheet_name=name,
                index=False,
                inf_rep="",
                freeze_panes=(1, 0),
            )
            for cells in book.sheets[name].columns:
                longest = max(len(str(cell.value)) for cell in cells[:100])
                letter = cells[0].column_letter
                book.sheets[name].column_dimensions[letter].width = min(longest + 2, 60)
