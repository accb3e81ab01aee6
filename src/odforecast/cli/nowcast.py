"""``odforecast nowcast``: the expected final value of the last published counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.options import command, option, together
from odforecast.cli.screen import code, grid, more_places, wrapped
from odforecast.cli.source import COUNTS, Request, about, how, keep, request_options
from odforecast.names import DEFAULT_HORIZON
from odforecast.say import month_name, rounded, step_of

if TYPE_CHECKING:
    import pandas as pd


@command()
@request_options()
@COUNTS
@option("--months", metavar="N", default=1, show_default=True, type=click.IntRange(1, 12),
        group=opt.WHAT, help="How many of the last twelve counts to show.")  # fmt: skip
@opt.LEVEL
@option("--table", type=opt.FILE, metavar="FILE", writes=opt.TABLES, group=opt.OUTPUT,
        former=("--out",), help=f"Write the whole table: {', '.join(opt.TABLES)}.")  # fmt: skip
@together(opt.PLOT, opt.JSON, opt.ROWS_SHOWN)
def nowcast(request: Request, level: float, months: int, rows: int) -> Answer:
    """Estimate the final value of the most recent counts.

    The last counts of a release are too low because deaths are still being reported. The table
    compares the reported 12-month count, the estimated final count with its interval, and CDC's
    own predicted value.
    """
    from odforecast.forecast.text import place_name
    from odforecast.models import get_model

    model = get_model(request.model)
    panel, states = request.panel()
    # As far ahead as the forecast command: the same draws, so both say the same of these months.
    ahead = None if request.until else request.ahead(panel, said=False) or DEFAULT_HORIZON
    made = keep(request.forecast(model, panel, states, ahead), states)
    found = made.nowcast(level=level)

    def text() -> str:
        """The last count in a sentence, the table, and what its columns are."""
        last = found[found["horizon"] == 0]
        said = [] if last.empty else [wrapped(_sentence(last, level, place_name))]
        lines = [
            _shown(found[found["horizon"] > -months], rows),
            more_places(len(made.locations), rows),
            wrapped(
                f"{panel.indicator}, as of {made.as_of}: totals for the 12 months ending in the "
                "month shown. Final: the count 12 or more months later. CDC: its predicted value; "
                "adjusted: without its usual error."
            ),
        ]
        return "\n\n".join([*said, "\n".join(filter(None, lines))])

    def figure() -> Any:
        """Reported, estimated and CDC's predicted counts."""
        from odforecast.plot.revisions import nowcast_figure

        return nowcast_figure(found, panel.to_frame(), indicator=panel.indicator)

    meta = about(made, panel, model, request.seed) | {"level": level}
    notes = [how(made, model, request.seed)]
    return Answer(text, {"meta": meta, "nowcast": found}, found, figure, notes=notes)


def _sentence(last: pd.DataFrame, level: float, name: Any) -> str:
    """The nation's last count, or the first place's."""
    us = last[last["location"] == "US"]
    row = (us if len(us) else last).iloc[0]
    step = step_of(row["low"], row["high"])
    low, middle, high = (_count(row[x], step) for x in ("low", "median", "high"))
    place = name(str(row["location"]))
    return (
        f"{place[:1].upper()}{place[1:]}: the final count for the 12 months ending in "
        f"{month_name(row['month'])} will be about {middle} deaths ({100 * level:g}% interval "
        f"{low} to {high}). Reported so far: {_count(row['reported']).replace('–', 'nothing')}."
    )


def _shown(table: pd.DataFrame, rows: int) -> str:
    """A row per place and month; columns of which nothing is published are left out."""
    many = bool((table["horizon"] < 0).any())
    titles = {"predicted": "CDC", "predicted_unbiased": "CDC,\nadjusted", "complete": "complete\n%"}
    extra = [x for x in titles if table[x].notna().any() and not (many and x == "complete")]
    heads = [
        "", *(["12 months\nto"] if many else []),
        "reported" if many else f"reported\n{table['month'].iloc[0]:%Y-%m}",
        "final", f"{100 * float(table['level'].iloc[0]):g}%\ninterval", "change",
        *(titles[x] for x in extra),
    ]  # fmt: skip
    every = list(dict.fromkeys(table["location"]))
    lines = []
    for place in every[:rows] if rows else every:
        for i, row in enumerate(table[table["location"] == place].to_dict("records")):
            # No finer than the interval, as in the forecast.
            step, moved = step_of(row["low"], row["high"]), row["revision"]
            lines.append(
                [
                    "" if i else code(place),
                    *([f"{row['month']:%Y-%m}"] if many else []),
                    _count(row["reported"]),
                    _count(row["median"], step),
                    f"{_count(row['low'], step)}–{_count(row['high'], step)}",
                    "–" if moved != moved else f"{round(moved / step) * step:+z,.0f}",
                    *(
                        f"{row[x]:z,.1f}" if x == "complete" and row[x] == row[x]
                        else _count(row[x])
                        for x in extra
                    ),
                ]
            )  # fmt: skip
    return grid(heads, lines, left=2 if many else 1)


def _count(value: float, step: float = 1.0) -> str:
    """A number, or a dash where there is none."""
    return "–" if value != value else rounded(value, step)
