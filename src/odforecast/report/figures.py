"""Figures of :mod:`odforecast.plot` as pages of a forecast show them, wide and for a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from odforecast import plot
from odforecast.backtesting import Results
from odforecast.errors import OdforecastError
from odforecast.forecast.text import VALIDATED
from odforecast.geography import NATION, called
from odforecast.months import ONE_MONTH
from odforecast.panel import Panel
from odforecast.report.blocks import CDC, Figure, File, Row, figure_of, known, source_of
from odforecast.report.numbers import Numbers, direction, row_key
from odforecast.say import day_name, percent

#: Pixels: beside the map, the whole width of a page, half of it, and a phone.
BESIDE, WIDE, HALF, PHONE = (692.0, 376.0), (1152.0, 376.0), (552.0, 300.0), (358.0, 300.0)
Size = tuple[float, float]


def history_of(code: str) -> int:
    """Months of history of the widest fan: five years beside a map, ten on the page of a state."""
    return 60 if code == NATION else 120


def fan(numbers: Numbers, code: str, later: Panel | None, sizes: Sequence[Size]) -> Figure:
    """Known counts and the forecast; ``later``: the same counts as they are known now, in gray."""
    from odforecast.plot.style import MUTED, days

    made = numbers.forecast.select(code)
    near = made.months <= numbers.month
    made = replace(made, draws=made.draws[:, :, near], months=made.months[near], beside={})
    caption = "Line: reported deaths. Blue: forecast, with its 50% and 90% intervals."
    if later is not None and code in later.locations:
        caption += f" Gray: as known in the release of {day_name(later.release)}."

    def draw(axes: Any) -> Any:
        """The fan, and the later counts on it."""
        wide = len(sizes) < 2 or axes.figure.get_size_inches()[0] > 6
        months = history_of(code) if wide else 60
        axes = plot.fan(made, code, axes=axes, months=months)
        if later is not None and code in later.locations:
            since = later.months >= made.last_month - months * ONE_MONTH
            counts = later.reported[later.index(code)]
            axes.plot(days(later.months[since]), counts[since], color=MUTED, lw=1.4, zorder=2)
        return axes

    stem = _stem(code)
    files = (
        File("", "CDC’s page", CDC),
        File.csv(f"{stem}-forecast.csv", _fan_table(numbers, code)),
    )
    return figure_of(f"{stem}-forecast", draw, sizes, source_of(made), months="table-months",
                     caption=caption, files=files)  # fmt: skip


def _stem(code: str) -> str:
    """A name of letters and digits, for files and addresses."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in called(code).lower())
    return ("us" if code == NATION else plain.strip("-"))[:40] or "place"


def _fan_table(numbers: Numbers, code: str) -> pd.DataFrame:
    """Reported counts and quantiles of a fan."""
    names = ["low_90", "low_50", "median", "high_50", "high_90"]
    ahead = pd.DataFrame(
        numbers.path(code).T, columns=names, index=numbers.paths[0].astype("datetime64[s]")
    )
    since = numbers.forecast.last_month - history_of(code) * ONE_MONTH
    counts = pd.Series(numbers.known(code, since), name="reported", dtype=float)
    counts.index = pd.DatetimeIndex(counts.index.to_numpy().astype("datetime64[s]"))
    table = ahead.join(counts, how="outer").rename_axis("month").reset_index()
    return table.assign(location=code)[["location", "month", "reported", *names]]


def tiles(numbers: Numbers, links: Mapping[str, str]) -> Figure | None:
    """The map: color is the chance of a fall, the number the expected change."""
    from odforecast.plot.maps import GRID

    rows = [r for s, r in numbers.ahead.items() if s in GRID and s != NATION]
    if len(rows) < 4:
        return None
    to = {s: links.get(s) or f"#{row_key(s)}" for s in (str(r["location"]) for r in rows)}
    usual = [r for r in rows if known(r, "fall", "change")]
    found = {d: [r for r in usual if direction(r["fall"]) == d] for d in (-1, 1)}
    table = pd.DataFrame(rows)
    title = f"Deaths are likely to fall in {len(found[-1])} of {len(rows)} jurisdictions"
    title += f" and to rise in {len(found[1])}" if found[1] else ""
    others = "and New York City (NYC)"
    if any(r["location"] == "PR" for r in rows):
        others = "New York City (NYC), and Puerto Rico"
    return figure_of(
        "us-map", lambda axes: plot.tile_map(table, axes=axes, links=to),
        ((472.0, 400.0), (358.0, 330.0)),
        f"Jurisdictions are the 50 states, the District of Columbia, {others}. NY is the rest of "
        "New York State. Select one for its numbers.",
        title=title,
        caption=f"Color: chance of a fall. Number: expected change, 12 months to {numbers.end} "
        "against the 12 months before",
        files=(File("", "Data (table)", "#forecast"),),
        likely=[(name, _named(found[d], d)) for name, d in
                (("Most likely to fall", -1), ("Most likely to rise", 1)) if found[d]],
    )  # fmt: skip


def _named(rows: Sequence[Row], way: int) -> str:
    """The five most likely, with their changes."""
    order = sorted(rows, key=lambda r: (way * r["fall"], way * -r["change"]))[:5]
    return ", ".join(f"{called(r['location'])} ({percent(r['change'])})" for r in order) + "."


def nowcast(numbers: Numbers, code: str) -> list[Figure]:
    """The last counts, published and expected final; none where the model has no nowcast."""
    made = numbers.forecast.select(code)
    late = (made.horizons <= 0) & (made.horizons > -12)
    if not late.any() or not np.isfinite(made.quantiles([0.05, 0.95])[:, 0, late]).any():
        return []
    return [figure_of(f"{_stem(code)}-last-counts",
                      lambda axes: plot.nowcast(made, code, axes=axes),
                      [(760.0, 340.0), PHONE], source_of(made))]  # fmt: skip


def past(scored: Results, code: str, model: str) -> list[Figure]:
    """Past forecasts of one place against the final count; none where there are too few."""
    scores, longest = scored.scores, scored.manifest.get("horizon", VALIDATED)
    at = min(VALIDATED, int(str(longest)))
    columns = ["location", "last_month", "month", "median", "observed", "cover_90"]
    table = scores.loc[scores["horizon"] == at, columns]
    table = table.assign(last_month=table["last_month"].dt.strftime("%Y-%m"))
    stem = _stem(code)
    try:
        return [figure_of(
            f"{stem}-tests",
            lambda axes: plot.said_and_came(scored, code, model=model, horizon=at, axes=axes),
            [HALF, PHONE],
            "Each test used only the data available then, with its reporting delays. The "
            "developers had already seen these years.",
            files=(File.csv(f"{stem}-tests.csv", table),),
        )]  # fmt: skip
    except OdforecastError:
        return []
