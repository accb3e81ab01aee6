"""Blocks of a page: a title, and what stands below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.errors import ForecastError
from odforecast.forecast import Forecast
from odforecast.forecast.record import Scored
from odforecast.forecast.text import place_name
from odforecast.forecast.trend import CATEGORIES
from odforecast.geography import NATION, called
from odforecast.panel import Panel
from odforecast.report.page import Table
from odforecast.report.record import past_record
from odforecast.report.site import skill as measured
from odforecast.report.site.calibration import (
    coverage_picture,
    coverage_tables,
    nowcast_skill,
    pit_picture,
    pit_tables,
    trend_skill,
)
from odforecast.report.site.charts import chances
from odforecast.report.site.drawing import Drawing
from odforecast.report.site.parts import SortTable
from odforecast.report.site.past import PastForecasts
from odforecast.report.site.pictures import fan, nowcast, past
from odforecast.report.site.skill import Skill
from odforecast.report.site.tables import (
    at_month,
    category_name,
    forecast_table,
    last_counts,
    month_shown,
    nowcast_table,
    place_years,
    trend_table,
    years_table,
)
from odforecast.report.site.tiles import change_map, fall_map
from odforecast.say import month_name

Links = Mapping[str, str]


@dataclass(frozen=True)
class Block:
    """A titled part of a page.

    Attributes
    ----------
    key : str
        Its address on the page.
    title : str
    paragraphs : sequence of str
    drawings : sequence of Drawing
    tables : sequence of SortTable
    plain : sequence of Table
        Tables that are too short to be sorted.
    """

    key: str
    title: str
    paragraphs: Sequence[str] = ()
    drawings: Sequence[Drawing] = ()
    tables: Sequence[SortTable] = ()
    plain: Sequence[Table] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing stands below the title."""
        return not (self.paragraphs or self.drawings or self.tables or self.plain)


@dataclass(frozen=True)
class Numbers:
    """Tables of a forecast, worked out once for all pages.

    Attributes
    ----------
    forecast : Forecast
    summary, years, trend : DataFrame
        Of the methods of those names; None where the forecast has no such table.
    known : mapping
        What CDC reported and predicted of the last known month, by place.
    """

    forecast: Forecast
    summary: pd.DataFrame
    years: pd.DataFrame | None
    trend: pd.DataFrame | None
    known: Mapping[str, Mapping[str, float]]

    @classmethod
    def of(cls, forecast: Forecast, locations: str | Iterable[str] | None = None) -> Numbers:
        """All tables of a forecast; places are chosen last, so that New York has its rate."""
        if locations is None:
            of: list[str] | None = None
        else:
            of = [locations] if isinstance(locations, str) else list(locations)
        made = forecast if of is None else forecast.select(of)
        years, trend = (
            _or_none(partial(table, locations=of)) for table in (forecast.years, forecast.trend)
        )
        return cls(made, forecast.summary(locations=of), years, trend, last_counts(made))

    def ahead(self) -> pd.DataFrame:
        """The summary at the month of the main table."""
        return at_month(self.summary, month_shown(self.summary))

    def trend_shown(self) -> pd.DataFrame | None:
        """The trend at the month of the main table, if it has one."""
        if self.trend is None:
            return None
        rows = at_month(self.trend, month_shown(self.summary))
        return rows if len(rows) else None


def _or_none(table: Callable[[], pd.DataFrame]) -> pd.DataFrame | None:
    """A table; None where the forecast is too short for it."""
    try:
        return table()
    except ForecastError:
        return None


def _there(*drawings: Drawing | None) -> list[Drawing]:
    return [d for d in drawings if d is not None]


def _tables(*tables: SortTable | None) -> list[SortTable]:
    return [t for t in tables if t is not None]


def forecast_blocks(numbers: Numbers, links: Links, later: Panel | None = None) -> list[Block]:
    """This month's forecast of all places."""
    made, ahead = numbers.forecast, numbers.ahead()
    where = NATION if NATION in made.locations else made.locations[0]
    trend = numbers.trend_shown()
    blocks = [
        Block(
            "forecast", "The forecast by place", (),
            # Of a few places a map of the country is mostly empty.
            _there(fall_map(ahead, links), change_map(ahead, links)) if len(ahead) > 3 else (),
            [forecast_table(made, numbers.summary, links, numbers.known)],
        ),
        Block("fan", f"The course in {place_name(where)}", (), [fan(made, where, later)]),
        Block(
            "years", "Calendar years", (), (),
            [] if numbers.years is None else [years_table(numbers.years, links)],
        ),
        Block(
            "trend", "Kinds of change", (), (),
            [] if trend is None else [trend_table(trend, links)],
        ),
        Block(
            "nowcast", "What is still to be counted", (),
            _there(nowcast(made, where)), _tables(nowcast_table(made, links)),
        ),
    ]  # fmt: skip
    return [b for b in blocks if not b.empty]


def skill_blocks(skill: Skill) -> list[Block]:
    """How good forecasts were."""
    if not skill.usable:
        return [Block("leaderboard", "How good the forecasts were", ("No count could be scored.",))]
    by_horizon = measured.skill_tables(skill, "horizon_group")
    by_regime = measured.skill_tables(skill, "regime")
    blocks = [
        Block(
            "leaderboard", "How good the forecasts were",
            (skill.about(), measured.WORDS), (), measured.boards(skill),
        ),
        Block(
            "skill-horizon", "By months ahead", (),
            _there(measured.skill_picture(skill, "horizon_group")), by_horizon,
        ),
        Block(
            "skill-regime", "In the rise and in the fall", (),
            _there(measured.skill_picture(skill, "regime")), by_regime,
        ),
        Block(
            "nowcasts", "Nowcasts, and kinds of change", (), (),
            _tables(nowcast_skill(skill), *trend_skill(skill)),
        ),
        Block(
            "coverage-of", "How often the intervals held", (),
            _there(coverage_picture(skill)), coverage_tables(skill),
        ),
        Block(
            "pit-of", "Where in the forecast the counts fell", (),
            _there(pit_picture(skill)), pit_tables(skill),
        ),
    ]  # fmt: skip
    return [b for b in blocks if not b.empty]


def place_blocks(
    numbers: Numbers,
    location: str,
    made: PastForecasts | None,
    later: Panel | None,
    record: Scored | None,
) -> list[Block]:
    """All about one place."""
    forecast = numbers.forecast
    before = forecast.panel if later is None else later
    drawn = [fan(forecast, location, later)]
    said = past_record(forecast, location, record)
    was: Drawing | None = None
    if made is not None and before is not None:
        was = past(location, made, before)
    years = None if numbers.years is None else _rows(numbers.years, location)
    trend = numbers.trend_shown()
    mine = None if trend is None else _rows(trend, location)
    blocks = [
        Block("fan", "So far, and from here", (), drawn),
        Block("years", "Calendar years", (), (), (), [] if years is None else [place_years(years)]),
        _trend_block(mine, location),
        Block("nowcast", "The last counts", (), _there(nowcast(forecast, location))),
        Block(
            "past", "What was said before, and what came",
            () if said is None else (said[0],), _there(was), (),
            [] if said is None else [_plain(said[1])],
        ),
    ]  # fmt: skip
    return [b for b in blocks if not b.empty]


def _trend_block(rows: pd.DataFrame | None, location: str) -> Block:
    if rows is None or rows.empty:
        return Block("trend", "Kind of change")
    r = rows.iloc[0]
    if not np.isfinite(r["before"]):
        return Block("trend", "Kind of change", ("The count a year earlier is not shown.",))
    end = month_name(rows["month"].iloc[0].to_datetime64())
    picture = chances(
        [category_name(c) for c in CATEGORIES], [float(r[c]) for c in CATEGORIES],
        f"{called(location)}: chances of five kinds of change", "trend-picture",
    )  # fmt: skip
    text = (
        f"12 months to {end} against the 12 months before, both as once final: a change of up to "
        f"{r['t1']:.1f}% either way is called stable, one of more than {r['t2']:.1f}% large. The "
        f"limits follow from the {r['before']:,.0f} deaths reported a year before, so far."
    )
    return Block("trend", "Kind of change", (text,), [picture])


def _rows(table: pd.DataFrame, location: str) -> pd.DataFrame:
    return table[table["location"] == location]


def _plain(table: pd.DataFrame) -> Table:
    """A small table of texts and whole numbers."""
    rows = [
        [f"{v:,}" if not isinstance(v, str) else v for v in row]
        for row in table.itertuples(index=False)
    ]
    head = [str(c) for c in table.columns]
    return Table(head, rows, numbers=len(head) - 1)


def manifest(forecast: Forecast | None, results: Results | None) -> Block:
    """What is needed to compute all of it again."""
    tables = []
    if forecast is not None:
        tables.append(_facts("The forecast", _of_forecast(forecast)))
    if results is not None:
        tables.append(_facts("The backtest", _of_results(results)))
    return Block("manifest", "To compute it again", (), (), (), tables)


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
    return rows


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
    rows += [("note", n) for n in (*results.notes, *results.data_notes)]
    return rows
