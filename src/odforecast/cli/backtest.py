"""``odforecast backtest``: forecast from every origin, score, and print the leaderboard."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter

import click
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from odforecast.backtesting import (
    Origin,
    Results,
    Unit,
    Workers,
    default_models,
    origins,
    plan,
    run_unit,
    run_units,
)
from odforecast.backtesting.bar import bar
from odforecast.backtesting.outcome import on_screen
from odforecast.backtesting.results import BASELINE
from odforecast.cli.source import accept_option, open_source
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.models import get_model, model_names
from odforecast.names import (
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    TARGET_12MO,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_REAL,
)
from odforecast.panel import Panel
from odforecast.scoring import Truth
from odforecast.vintage import Archive

#: Shown per horizon group: summary column, title, format.
_SHOWN = (
    ("wis", "WIS", "{:,.0f}"),
    ("rel_wis", "rel", "{:.2f}"),
    ("coverage_90", "cov90", "{:.2f}"),
)


#: Widest number of a leaderboard.
_CELL = 7


@click.command()
@click.option("--archive", type=click.Path(path_type=Path), help="Archive of real releases.")
@click.option("--source", help="One file, or 'bundled'.")
@accept_option
@click.option(
    "--models",
    help="Names, comma-separated; 'all' for every registered model.  [default: dlm, ensemble, the "
    "hub baseline and classical ones]",
)
@click.option("--locations", default="all", show_default=True, help="For example US,WV.")
@click.option("--start", help="First origin, as the last known month: 2019-01.")
@click.option("--end", help="Last origin, as the last known month: 2024-04.")
@click.option("--step", default=1, show_default=True, help="Months between pseudo-vintages.")
@click.option("--horizon", default=DEFAULT_HORIZON, show_default=True, help="Months ahead.")
@click.option(
    "--draws", default=DEFAULT_DRAWS, show_default=True, help="Sample paths per forecast."
)
@click.option("--seed", default=DEFAULT_SEED, show_default=True)
@click.option("--indicator", default="all-drugs", show_default=True)
@click.option(
    "--target",
    type=click.Choice([*TARGETS, "both"]),
    default=TARGET_12MO,
    show_default=True,
)
@click.option(
    "--vintages",
    type=click.Choice(["auto", "real", "pseudo"]),
    default="auto",
    show_default=True,
    help="Real releases, or one release cut at each month; auto: real with --archive.",
)
@click.option("--truth", "truth_name", type=click.Choice(["reported", "predicted"]),
              default="reported", show_default=True)  # fmt: skip
@click.option("--truth-as-of", help="Score against the release known that day (default: last).")
@click.option(
    "--min-truth-age",
    default=12,
    show_default=True,
    help="Months between a month and the truth's release; younger is not scorable.",
)
@click.option("--by", default="", help="Split the leaderboard further, e.g. regime.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Results folder.")
@click.option("--dry-run", is_flag=True, help="Count the fits, time one of each, and stop.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def backtest(
    archive: Path | None,
    source: str | None,
    models: str | None,
    locations: str,
    start: str | None,
    end: str | None,
    step: int,
    horizon: int,
    draws: int,
    seed: int,
    indicator: str,
    target: str,
    vintages: str,
    truth_name: str,
    truth_as_of: str | None,
    min_truth_age: int,
    by: str,
    jobs: int,
    out: Path | None,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Forecast from every origin on what was known that day, and score it.

    With --archive, each release is an origin (real vintages). Otherwise one release is cut at
    each month (pseudo-vintages, labelled so). A run stopped and started again with the same
    --out computes only what is missing.
    """
    releases = open_source(archive, source)
    if vintages == "auto":
        vintages = "real" if archive is not None else "pseudo"
    truth = Truth(_truth_panel(releases, truth_as_of, indicator), truth_name, min_truth_age)
    if vintages == "real":
        found = origins(releases, VINTAGE_REAL, start, end, indicator=indicator)
    else:
        until = truth.release
        found = origins(releases.until(until), VINTAGE_CLEAN, start, end, step, indicator=indicator)
    if models is None:
        names: tuple[str, ...] = default_models(found)
    elif models == "all":
        names = model_names()
    else:
        names = tuple(m.strip() for m in models.split(",") if m.strip())
    targets = TARGETS if target == "both" else (target,)
    units = plan(
        [get_model(n) for n in names],
        found,
        truth,
        targets=targets,
        locations=locations,
        horizon=horizon,
        draws=draws,
        seed=seed,
    )
    # Labels may hold brackets: no markup. A file is as wide as COLUMNS says, else 120.
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    screen = Console(markup=False, emoji=False, width=None if known else 120)
    _announce(screen, found, truth, len({s for u in units for s in u.locations}))
    if dry_run:
        _estimate(screen, units, jobs)
        return
    started = perf_counter()
    with (
        _executor(jobs) as executor,
        bar(len(units), quiet, {o.reason for o in found}) as report,
    ):
        results = run_units(units, out=out, executor=executor, progress=report)
    for note in (*results.notes, *results.data_notes):
        click.echo(f"note: {on_screen(note)}", err=True)
    _leaderboard(screen, results, [b.strip() for b in by.split(",") if b.strip()])
    _closing(screen, results, perf_counter() - started, out)


def _truth_panel(releases: Archive, as_of: str | None, indicator: str) -> Panel:
    panel = releases.as_of(as_of).panel(indicator)
    if "US" not in panel.locations:
        raise BacktestError(
            f"release {panel.release} has no US row and is no good truth",
            hint="name a better one with --truth-as-of",
        )
    return panel


def _announce(screen: Console, found: list[Origin], truth: Truth, n_locations: int) -> None:
    usable = [o.panel for o in found if o.panel is not None]
    kinds = ", ".join(sorted({o.vintage for o in found}))
    span = f"{usable[0].last_month}..{usable[-1].last_month}" if usable else "none"
    screen.print(
        f"{len(usable)} origins ({kinds}), last known months {span}; {n_locations} locations; "
        f"truth: {truth.kind} in release {truth.release}, months at least {truth.min_age} "
        "months old",
        highlight=False,
    )
    for origin in found:
        if origin.panel is None:
            reason = on_screen(origin.reason)
            screen.print(f"  no origin {origin.as_of}: {reason}", highlight=False)


def _estimate(screen: Console, units: list[Unit], jobs: int) -> None:
    """Time the last unit of each model and extrapolate."""
    total = 0.0
    table = Table("model", "fits", "s per fit", "s in all")
    for name in dict.fromkeys(u.model.label for u in units):
        mine = [u for u in units if u.model.label == name and u.origin.panel is not None]
        if mine:
            run_unit(mine[-1])  # the first call pays for imports and compilation
            seconds = run_unit(mine[-1]).seconds
            total += seconds * len(mine)
            table.add_row(name, str(len(mine)), f"{seconds:.2f}", f"{seconds * len(mine):.1f}")
    screen.print(table)
    screen.print(
        f"{len(units)} units, about {total / jobs:.0f} s on {jobs} processes, scoring left out; "
        "nothing written"
    )


def _executor(jobs: int) -> AbstractContextManager[Executor | None]:
    """Processes, or None for one job: the same numbers either way."""
    return nullcontext() if jobs <= 1 else Workers(jobs)


def _leaderboard(screen: Console, results: Results, extra: list[str]) -> None:
    """One table per level (and further split): a row a model, the best first."""
    keys = ["level", *extra]
    board = results.leaderboard(by=[*keys, "horizon_group"])
    keys = [k for k in ("vintage", "target") if k in board and k not in keys] + keys
    groups = list(dict.fromkeys(board["horizon_group"].astype(str)))
    for head, part in board.groupby(keys, sort=False, observed=True):
        units = part.groupby("horizon_group", sort=False, observed=True)["n_units"].max()
        title = f"{', '.join(map(str, head))} ({units.sum():,.0f} units a model)"
        rows = {m: r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        shown = [s for s in _SHOWN if part[s[0]].notna().any()]
        ordered = sorted(rows.items(), key=lambda item: item[1]["wis"].mean())
        for columns in _fitting(shown, len(groups), max(len(str(m)) for m in rows), screen.width):
            table = Table(
                title=title,
                title_justify="left",
                title_style="bold",
                padding=(0, 1, 0, 0),
                box=SIMPLE_HEAD,
            )
            table.add_column("horizon, months", overflow="fold")
            for _, name, _ in columns:
                for group in groups:
                    table.add_column(f"{name}\n{group}", justify="right", no_wrap=True)
            for model, row in ordered:
                cells = [
                    _cell(row[key].get(group), form) for key, _, form in columns for group in groups
                ]
                table.add_row(str(model), *cells)
            screen.print(table)
    related = f" rel: as a share of {BASELINE}'s on the same units;"
    screen.print(
        f"WIS: mean weighted interval score, deaths, lower is better;"
        f"{related if board['rel_wis'].notna().any() else ''} "
        "cov90: share of truths inside the 90 % interval.",
        highlight=False,
    )


def _fitting(
    shown: list[tuple[str, str, str]], n_groups: int, name: int, width: int
) -> list[list[tuple[str, str, str]]]:
    """The scores that fit beside one another; the rest go into a table of their own."""
    room = width - max(name, len("horizon, months")) - 2
    each = n_groups * (_CELL + 2)
    n = max(1, room // each)
    return [shown[i : i + n] for i in range(0, len(shown), n)]


def _cell(value: object, form: str) -> str:
    return "–" if pd.isna(value) else form.format(value)  # type: ignore[call-overload]


def _closing(screen: Console, results: Results, seconds: float, out: Path | None) -> None:
    unscored = int((~results.scores["scorable"]).sum())
    text = f"{len(results.scores):,} forecasts in {seconds:.0f} s; {unscored:,} not scorable"
    if unscored:
        reasons = results.scores.loc[~results.scores["scorable"], "reason"]
        kinds = reasons.str.partition(":")[0].value_counts()
        text += " (" + ", ".join(f"{n:,} {k}" for k, n in kinds.items()) + ")"
    screen.print(text, highlight=False)
    if len(results.failures):
        screen.print(f"{len(results.failures)} failures, the commonest reasons:")
        for reason, n in results.failures["reason"].value_counts().head(3).items():
            screen.print(f"  {n} × {on_screen(str(reason))}", highlight=False)
    if out is not None:
        with replacing(out / "leaderboard.csv") as part:
            results.leaderboard().to_csv(part, index=False)
        screen.print(f"results: {out}{os.sep}", highlight=False)
