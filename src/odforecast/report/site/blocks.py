"""What a page is made of: blocks, figures, files to download; and the frame around them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.forecast import Forecast
from odforecast.forecast.tables import published_on
from odforecast.forecast.text import beyond_validated
from odforecast.names import STATES
from odforecast.panel import Floats
from odforecast.report.page import Picture, Table, render
from odforecast.report.site.table import SortTable
from odforecast.report.spreadsheet import for_spreadsheets
from odforecast.say import (
    OLD,
    between,
    day_name,
    month_name,
    old_data,
    rounded,
    shown_warnings,
    step_of,
)
from odforecast.version import __version__

#: Where CDC shows the counts.
CDC = "https://www.cdc.gov/nchs/nvss/vsrr/drug-overdose-data.htm"


@dataclass(frozen=True)
class File:
    """A download: its name, what the link says, and its text or where it lies."""

    name: str
    says: str
    href: str

    @classmethod
    def csv(cls, name: str, table: pd.DataFrame, says: str = "Data (CSV)") -> File:
        """A table inside the page."""
        return cls(name, says, f"data:text/csv;charset=utf-8,{quote(csv_of(table), safe=' ')}")


@dataclass(frozen=True)
class Figure:
    """A figure of a page: a drawing for a wide screen, and one for a phone.

    Attributes
    ----------
    key, title, caption : str
    drawings : sequence of str
        SVG elements.
    source : str
    files : sequence of File
    months : str
        Table whose rows are read in the line above the plot; empty: there is no such line.
    likely : sequence of (str, str)
        Lines of names below.
    """

    key: str
    title: str
    caption: str
    drawings: Sequence[str]
    source: str = ""
    files: Sequence[File] = ()
    months: str = ""
    likely: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Months:
    """A table of months that a fan is read from; ``value`` is where the pointer stands."""

    key: str
    caption: str
    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Block:
    """A titled part of a page.

    Attributes
    ----------
    key, title : str
        Its address on the page, and its heading.
    paragraphs : sequence of str
    figures : sequence of Figure
    tables : sequence of SortTable
    plain : sequence of Table
        Tables that are too short to be sorted.
    months : Months, optional
    folded : bool
        Whether only the title is seen at first.
    about : str
        Beside the title of a folded block.
    """

    key: str
    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[SortTable] = ()
    plain: Sequence[Table] = ()
    months: Months | None = None
    folded: bool = False
    about: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing stands below the title."""
        held = (self.paragraphs, self.figures, self.tables, self.plain)
        return self.months is None and not any(held)


@dataclass(frozen=True)
class Section:
    """What another part of the library puts into a report: a title and what stands below it.

    Attributes
    ----------
    title : str
    paragraphs : sequence of str
    tables : sequence of Table
        See :class:`odforecast.report.page.Table`.
    pictures : sequence of Picture
        Made by :func:`odforecast.report.page.picture`.

    Examples
    --------
    >>> from odforecast.report.site import Section
    >>> Section("What changed", ("Two counts were revised.",)).title
    'What changed'
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


def page(paper: str, **context: Any) -> str:
    """A page of a report or a site; what it does not have is empty."""
    empty: dict[str, object] = {
        "subtitle": "", "description": context.get("title"), "lead": (), "warnings": (),
        "crumb": "", "place": "", "cards": (), "sections": (), "fan": None, "map": None,
        "pair": (), "blocks": (), "related": (), "files": (), "links": (), "places": (),
        "methods": (), "stale": None, "contents": False, "cdc": CDC,
    }  # fmt: skip
    return render("site-page", {**empty, **context}, paper=paper, script="site")


def present(blocks: Iterable[Block]) -> list[Block]:
    """Those with something below their title."""
    return [b for b in blocks if not b.empty]


def csv_of(table: pd.DataFrame) -> str:
    """A table as CSV that is safe in a spreadsheet."""
    plain = table.assign(month=table["month"].dt.strftime("%Y-%m")) if "month" in table else table
    text: str = for_spreadsheets(plain).to_csv(
        index=False, float_format="%.10g", lineterminator="\n"
    )
    return text


def source_of(forecast: Forecast) -> str:
    """Where the numbers of a figure are from, in a line."""
    model = f"odforecast {forecast.provenance.get('label', '')}".strip()
    return f"Data: CDC/NCHS, published {day_name(published_on(forecast))}. Forecast: {model}."


def stale(forecast: Forecast) -> dict[str, object]:
    """The banner of old data: what it says today, and from when on it is shown."""
    released = published_on(forecast)
    dataset = STATES if forecast.panel is None else forecast.panel.dataset
    fresh = not old_data(released, dt.date.today(), dataset)
    day = released + dt.timedelta(OLD + 1) if fresh else dt.date.today()
    first, _, more = old_data(released, day, dataset).partition(". ")
    before, age, after = re.split(r"(\d+ months)", f"{first}.")
    return {"published": str(released), "fresh": fresh, "before": before, "age": age,
            "after": after, "more": more}  # fmt: skip


def warnings_of(forecast: Forecast) -> list[str]:
    """Warnings that a reader should see; a few draws below zero are none."""
    notes = () if forecast.panel is None else forecast.panel.notes
    shown = [t for t in (*shown_warnings(forecast.warnings), *notes) if t]
    return [f"{t[:1].upper()}{t[1:]}" + "." * (t[-1] not in ".?!") for t in shown]


def untested(forecast: Forecast) -> str:
    """What to say of months beyond those ever scored; empty if the forecast has none."""
    said = beyond_validated(forecast)
    return said and f"{said[0].upper()}{said[1:]}."


def months_of(
    key: str,
    name: str,
    known: Mapping[np.datetime64, float],
    predicted: Mapping[np.datetime64, float],
    ahead: Mapping[np.datetime64, Floats],
) -> Months:
    """Every month of a fan: reported, the final count or forecast, and what the line says.

    ``ahead``: low end, median and high end of what is forecast or not final yet.
    """
    rows = []
    for month in sorted({*known, *ahead}):
        count, ends = known.get(month, np.nan), ahead.get(month, np.full(3, np.nan))
        theirs = predicted.get(month, np.nan)
        reported = f"{count:,.0f}" if np.isfinite(count) else ""
        middle = span = ""
        if np.isfinite(ends).all():
            step = step_of(ends[0], ends[2])
            middle, span = rounded(ends[1], step), between(ends[0], ends[2], step)
        said = f"{middle} (90% interval {span})" if middle else ""
        if reported:
            said = f"{reported} deaths reported" + (f"; final count expected: {said}" * bool(said))
        else:
            said = f"forecast {said}" if said else "not known"
        value = count if reported else ends[1]
        rows.append({
            "month": month_name(month), "reported": reported, "middle": middle, "ends": span,
            "said": said, "value": f"{value:.1f}" if np.isfinite(value) else "0",
            "predicted": f"{theirs:,.0f}" if np.isfinite(theirs) else "",
            "day": str(month.astype("datetime64[D]").astype(int)),
        })  # fmt: skip
    return Months(key, f"Deaths in the 12 months ending each month, {name}", rows)


def manifest(forecast: Forecast | None, results: Results | None, folded: bool = True) -> Block:
    """How the forecast is made, and what is needed to compute all of it again."""
    tables, said = [], []
    if forecast is not None:
        said.append(
            "The model first estimates how many deaths are still missing from CDC’s recent counts. "
            f"The forecast is the median of {forecast.draws.shape[0]:,} simulated futures, and the "
            "90% interval leaves out the lowest 5% and the highest 5% of them."
        )
        tables.append(_facts("The forecast", _of_forecast(forecast)))
    if results is not None:
        tables.append(_facts("The backtest", _of_results(results)))
    return Block(
        "methods" if forecast is not None else "manifest",
        "How the forecast is made" if forecast is not None else "How to reproduce these scores",
        said, plain=tables, folded=folded, about="model, data and how to reproduce this page",
    )  # fmt: skip


def _facts(caption: str, rows: list[tuple[str, str]]) -> Table:
    return Table(["What", "Value"], [list(r) for r in rows], caption=caption)


def _of_forecast(forecast: Forecast) -> list[tuple[str, str]]:
    names = {
        "label": "model", "model_version": "version of the model", "spec_hash": "spec",
        "seed": "seed", "data_hash": "hash of the data", "vintage": "kind of vintage",
        "release": "release", "odforecast": "odforecast",
    }  # fmt: skip
    rows = [(names.get(k, k), str(v)) for k, v in forecast.provenance.items() if k != "model"]
    rows += [
        ("as of", str(forecast.as_of)),
        ("last known month", str(forecast.last_month)),
        ("months", f"{forecast.months[0]} to {forecast.months[-1]}"),
        ("draws", f"{forecast.draws.shape[0]:,}"),
    ]
    if forecast.panel is not None:
        rows.append(("indicator", forecast.panel.indicator))
    rows += [("left out", f"{s}: {why}") for s, why in forecast.skipped.items()]
    shown = shown_warnings(forecast.warnings)
    return rows + [("warning", w) for w in forecast.warnings if w not in shown]


def _of_results(results: Results) -> list[tuple[str, str]]:
    said: Mapping[str, Any] = results.manifest
    specs: Any = said.get("specs", {})
    models: Any = said.get("models", {})
    truth: Any = said.get("truth", {})
    rows = [(f"model {m}", f"version {v}, spec {specs.get(m, '?')}") for m, v in models.items()]
    rows += [
        ("indicator", str(said.get("indicator", "?"))),
        ("run", str(said.get("run", "?"))),
        ("origins", f"{len(said.get('origins', [])):,}"),
        ("truth", f"{truth.get('name', '?')}, release {truth.get('release', '?')}"),
        ("hash of the truth", str(truth.get("data_hash", "?"))),
        ("months ahead", str(said.get("horizon", "?"))),
        ("draws", str(said.get("draws", "?"))),
        ("seed", str(said.get("seed", "?"))),
        ("code", str(said.get("code", "?"))),
        ("odforecast", str(said.get("odforecast", "?"))),
        ("failures", f"{len(results.failures):,}"),
    ]
    return rows + [("note", n) for n in (*results.notes, *results.data_notes)]


def made_of_results() -> str:
    """Where a page without a forecast comes from."""
    return f"Made with odforecast {__version__} from CDC's provisional counts."
