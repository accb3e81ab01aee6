"""``odforecast forecast``: from what was known on a day to hub rows and a short table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.source import open_source, say_age, source_options
from odforecast.names import (
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_MODEL,
    DEFAULT_SEED,
    TARGET_12MO,
    TARGETS,
)

if TYPE_CHECKING:
    from odforecast.forecast import Forecast
    from odforecast.models import Fitted, Model
    from odforecast.panel import Panel
    from odforecast.vintage import Archive

#: Locations on the screen; the file has them all.
MAX_ROWS = 12


def made_options[F: Callable[..., object]](command: F) -> F:
    """Add what says which forecast is made: from which releases, of what, by which model."""
    for option in reversed(_MADE):
        command = option(command)
    return source_options(command)


_MADE = (
    click.option("--as-of", metavar="DATE", help="Day the data are seen from: nothing published "
                 "later is used.  [default: the last release]"),
    click.option("--model", metavar="NAME", default=DEFAULT_MODEL, show_default=True,
                 help="Model; NAME+delay completes the last months first."),
    click.option("--locations", default="all", show_default=True, help="For example US,WV,NYC."),
    click.option("--indicator", default="all-drugs", show_default=True,
                 help="CDC's name of the count, or a short one: T40.4, cocaine."),
    click.option("--draws", default=DEFAULT_DRAWS, show_default=True, type=click.IntRange(min=2),
                 help="Sample paths."),
    click.option("--seed", default=DEFAULT_SEED, show_default=True, help="Seed of the draws."),
)  # fmt: skip


@click.command()
@made_options
@click.option("--horizon", default=DEFAULT_HORIZON, show_default=True, type=click.IntRange(min=1),
              help="Months ahead.")  # fmt: skip
@click.option("--target", type=click.Choice([*TARGETS, "both"]), default=TARGET_12MO,
              show_default=True, help="12-month sums, single months, or both.")  # fmt: skip
@click.option("--output-type", type=click.Choice(["quantile", "sample"]), default="quantile",
              show_default=True, help="23 quantiles, or the draws.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Hub file to write: .csv, .csv.gz or .parquet.")  # fmt: skip
def forecast(
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    model: str,
    horizon: int,
    locations: str,
    indicator: str,
    target: str,
    output_type: str,
    draws: int,
    seed: int,
    out: Path | None,
) -> None:
    """Forecast from what CDC had published by a day.

    Places are chosen on the forecast: a model of the whole panel is fitted to all of it. The
    screen shows 12-month-ending deaths: the median and, in brackets, the 90 % interval.
    """
    from odforecast.hub import file_kind, to_hub, write_hub
    from odforecast.models import get_model

    if out is not None:
        file_kind(out)  # before the work, not after it
    forecaster = get_model(model)
    panel, states = open_panel(open_source(archive, source), as_of, indicator, locations)
    made = fit(forecaster, panel, states).forecast(horizon, draws=draws, seed=seed)
    made = keep(made, states)
    chosen = [t for t in TARGETS if t in made.targets] if target == "both" else [target]
    table = to_hub(made, targets=chosen, output_type=output_type)
    for lacking in set(TARGETS) - set(chosen) if target == "both" else ():
        click.echo(f"note: {model} does not forecast {lacking}", err=True)
    show(made, panel, chosen[0])
    if not forecaster.spec.corrects_delay:
        click.echo(
            "note: the last months are incomplete when published (nationally 0.3 to 3.3 % too low "
            f"at first); {model} takes them as reported, so it leans low",
            err=True,
        )
    say_how(made, forecaster, seed)
    if out is None:
        click.echo("nothing written; --out forecasts.csv keeps all locations, months and quantiles")
    else:
        write_hub(table, out)
        click.echo(f"{len(table):,} rows: {out}")


def open_panel(
    releases: Archive, as_of: str | None, indicator: str, locations: str
) -> tuple[Panel, tuple[str, ...]]:
    """The panel of a day, and the locations asked for."""
    from odforecast.geography import resolve

    vintage = releases.as_of(as_of)
    say_age(vintage)
    panel = vintage.panel(indicator)
    for note in panel.notes:
        if note != vintage.note:
            click.echo(f"note: {note}", err=True)
    return panel, resolve(locations, panel.locations)


def fit(model: Model, panel: Panel, states: Sequence[str]) -> Fitted:
    """Fit to the whole panel, or to the locations asked for where each stands by itself."""
    return model.fit(panel if model.spec.by is None else panel.select(states))


def keep(made: Forecast, states: Sequence[str]) -> Forecast:
    """The locations asked for; those the model left out are named on standard error."""
    kept = [s for s in states if s in made.locations]
    for state in states:
        if state not in made.locations:
            reason = made.skipped.get(state, "the model does not forecast it")
            click.echo(f"skipped {state}: {reason}", err=True)
    return made.select(kept or states)  # without any, the error says why


def say_how(made: Forecast, forecaster: Model, seed: int) -> None:
    """The forecast's warnings on standard error, and which model made it."""
    for warning in made.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(
        f"model {forecaster.label} (spec {forecaster.spec.hash}), {len(made.draws)} draws, "
        f"seed {seed}"
    )


def said_of(made: Forecast, panel: Panel) -> str:
    """What is counted, and the day it is seen from."""
    day = made.as_of if panel.release == made.as_of else f"{made.as_of} (release {panel.release})"
    return f"{panel.indicator} as of {day}"


def show(made: Forecast, panel: Panel, target: str) -> None:
    """Print medians and 90 % intervals at a few horizons."""
    import numpy as np
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from odforecast.cli.screen import print_whole

    ahead = np.flatnonzero(made.horizons >= 1)
    picks = sorted({int(ahead[max(1, ahead.size // 2) - 1]), int(ahead[-1])})
    low, middle, high = made.quantiles([0.05, 0.5, 0.95], target)
    yearly = target == TARGET_12MO
    console = Console(markup=False)
    what = "in the 12 months to the month shown" if yearly else "in the month shown"
    for line in (
        f"{said_of(made, panel)}, {what}:",
        "median and 90 % interval",
    ):
        console.print(line, highlight=False, soft_wrap=True)
    # Where the last counts are not final, the model says what they will be.
    nowcast = yearly and bool((made.horizons == 0).any())
    final = made.count_at(panel.last_month) if nowcast else np.empty((0, 0))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", no_wrap=True, min_width=3)
    if yearly:
        table.add_column(f"reported\n{panel.last_month}", justify="right", no_wrap=True)
        if nowcast:
            table.add_column("once\nfinal", justify="right", no_wrap=True)
    for m in picks:
        ends = f"{made.horizons[m]} months ahead" if made.horizons[m] > 1 else "1 month ahead"
        table.add_column(f"{ends}\n{made.months[m]}", justify="right", no_wrap=True)
    if yearly:
        table.add_column("chance\nof fall", justify="right", no_wrap=True)
    last = made.months[picks[-1]]
    falls = (made.change(last) < 0).mean(axis=0) if yearly else ()
    for i, state in enumerate(made.locations[:MAX_ROWS]):
        cells = [state]
        if yearly:
            known = panel.reported[panel.index(state), -1]
            cells.append(f"{known:,.0f}")
            if nowcast:
                cells.append(f"{np.median(final[:, i]):,.0f}")
        for m in picks:
            cells.append(f"{middle[i, m]:,.0f} ({low[i, m]:,.0f}–{high[i, m]:,.0f})")
        if yearly:
            cells.append(f"{100 * falls[i]:.0f} %")
        table.add_row(*cells)
    print_whole(console, table)
    if (more := len(made.locations) - MAX_ROWS) > 0:
        console.print(f"… and {more} more locations", highlight=False)
    if yearly:
        before = last - np.timedelta64(12, "M")
        for line in (
            f"chance of a fall: that the count for {last} lies below the one for {before},",
            "both as once final (not as reported so far)",
        ):
            console.print(line, highlight=False, soft_wrap=True)
