"""``odforecast backtest``: forecast from every origin, score, and print the leaderboard."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import click
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from odforecast.backtesting import (
    Origin,
    Progress,
    Results,
    Truth,
    Unit,
    plan,
    pseudo_origins,
    real_origins,
    run_backtest,
    run_unit,
)
from odforecast.backtesting.results import BASELINE
from odforecast.cli.source import open_source
from odforecast.errors import BacktestError
from odforecast.geography.places import resolve
from odforecast.models.registry import model_names
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, TARGET_12MO, TARGETS
from odforecast.panel import Panel
from odforecast.vintage.archive import Archive

DEFAULT_MODELS = (
    "ensemble",
    "dlm",
    "hub-baseline",
    "damped-trend",
    "naive",
    "drift",
    "seasonal-naive",
    "auto-ets",
    "auto-theta",
    "auto-ets-sums",
    "auto-theta-sums",
)

#: Shown per horizon group: summary column, title, format.
_SHOWN = (
    ("wis", "WIS", "{:,.0f}"),
    ("rel_wis", "rel", "{:.2f}"),
    ("coverage_90", "cov90", "{:.2f}"),
)


@click.command()
@click.option("--archive", type=click.Path(path_type=Path), help="Archive of real releases.")
@click.option("--source", default="bundled", show_default=True, help="One file, or 'bundled'.")
@click.option(
    "--models",
    default=",".join(DEFAULT_MODELS),
    show_default=True,
    help="Names, comma-separated; 'all' for every registered model.",
)
@click.option("--locations", default="all", show_default=True, help="For example US,WV.")
@click.option("--start", help="First origin, as the last known month: 2019-01.")
@click.option("--end", help="Last origin, as the last known month: 2024-04.")
@click.option("--step", default=1, show_default=True, help="Months between pseudo-vintages.")
@click.option("--horizon", default=12, show_default=True, help="Months ahead.")
@click.option("--draws", default=500, show_default=True, help="Sample paths per forecast.")
@click.option("--seed", default=0, show_default=True)
@click.option("--indicator", default=ALL_DRUGS, show_default=True)
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
    source: str,
    models: str,
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
        origins = real_origins(releases, start=start, end=end, indicator=indicator)
    else:
        origins = pseudo_origins(
            truth.panel,
            start=start or "2019-01",
            end=end or str(truth.panel.last_month - 12 * ONE_MONTH),
            step=step,
        )
    states = resolve(locations, truth.panel.locations)
    names = model_names() if models == "all" else [m.strip() for m in models.split(",")]
    targets = TARGETS if target == "both" else (target,)
    options = {"locations": states, "horizon": horizon, "draws": draws, "seed": seed}
    units = plan(names, origins, truth, targets=targets, **options)  # type: ignore[arg-type]
    screen = Console() if sys.stdout.isatty() else Console(width=100)
    _announce(screen, origins, truth, len(states))
    if dry_run:
        _estimate(screen, units, jobs)
        return
    started = perf_counter()
    with (
        _executor(jobs) as executor,
        _bar(len(units), quiet, {o.reason for o in origins}) as report,
    ):
        results = run_backtest(
            names,
            origins,
            truth,
            targets=targets,
            out=out,
            executor=executor,
            progress=report,
            **options,  # type: ignore[arg-type]
        )
    _leaderboard(screen, results, [b.strip() for b in by.split(",") if b.strip()])
    _closing(screen, results, perf_counter() - started, out)


def _truth_panel(releases: Archive, as_of: str | None, indicator: str) -> Panel:
    day = as_of or str(releases.releases()[-1])
    panel = Panel.from_archive(releases, day, indicator=indicator)
    if "US" not in panel.locations:
        raise BacktestError(
            f"release {panel.release} has no US row and is no good truth",
            hint="name a better one with --truth-as-of",
        )
    return panel


def _announce(screen: Console, origins: list[Origin], truth: Truth, n_locations: int) -> None:
    usable = [o.panel for o in origins if o.panel is not None]
    kinds = ", ".join(sorted({o.vintage for o in origins}))
    span = f"{usable[0].last_month}..{usable[-1].last_month}" if usable else "none"
    screen.print(
        f"{len(usable)} origins ({kinds}), last known months {span}; {n_locations} locations; "
        f"truth: {truth.name} in release {truth.release}, months at least {truth.min_age} "
        "months old",
        highlight=False,
    )
    for origin in origins:
        if origin.panel is None:
            screen.print(f"  no origin {origin.as_of}: {origin.reason}", highlight=False)


def _estimate(screen: Console, units: list[Unit], jobs: int) -> None:
    """Time the last unit of each model and extrapolate."""
    total = 0.0
    table = Table("model", "fits", "s per fit", "s in all")
    for name in dict.fromkeys(u.model.name for u in units):
        mine = [u for u in units if u.model.name == name and u.origin.panel is not None]
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


@contextmanager
def _executor(jobs: int) -> Iterator[Executor | None]:
    """A process pool, or None for one job: the same numbers either way."""
    if jobs <= 1:
        yield None
        return
    # One thread per process: the pool already fills the cores. Spawned workers inherit this.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _bar(total: int, quiet: bool, said: set[str]) -> Iterator[Callable[[Progress], None]]:
    """A progress callback that draws a bar on standard error; failures already said are not
    said again.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task("starting", total=total)

        def report(step: Progress) -> None:
            bar.update(task, completed=step.done, description=step.label)
            if step.failure and step.failure not in said:
                bar.console.print(f"failed: {step.label}: {step.failure}", highlight=False)

        yield report


def _leaderboard(screen: Console, results: Results, extra: list[str]) -> None:
    """One table per level (and further split): a row a model, the best first."""
    keys = ["level", *extra]
    board = results.leaderboard(by=[*keys, "horizon_group"])
    keys = [k for k in ("vintage", "target") if k in board and k not in keys] + keys
    groups = list(dict.fromkeys(board["horizon_group"].astype(str)))
    for head, part in board.groupby(keys, sort=False, observed=True):
        units = part.groupby("horizon_group", sort=False, observed=True)["n_units"].max()
        table = Table(
            title=f"{', '.join(map(str, head))} ({units.sum():,.0f} units a model)",
            title_justify="left",
            title_style="bold",
            padding=(0, 1, 0, 0),
            box=SIMPLE_HEAD,
        )
        table.add_column("horizon, months", no_wrap=True)
        for _, title, _ in _SHOWN:
            for group in groups:
                table.add_column(f"{title}\n{group}", justify="right", no_wrap=True)
        rows = {m: r.set_index("horizon_group") for m, r in part.groupby("model", sort=False)}
        for model, row in sorted(rows.items(), key=lambda item: item[1]["wis"].mean()):
            cells = [
                _cell(row[key].get(group), form) for key, _, form in _SHOWN for group in groups
            ]
            table.add_row(str(model), *cells)
        screen.print(table)
    screen.print(
        f"WIS: mean weighted interval score, deaths, lower is better; rel: as a share of "
        f"{BASELINE}'s on the same units; cov90: share of truths inside the 90 % interval.",
        highlight=False,
    )


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
            screen.print(f"  {n} × {reason}", highlight=False)
    if out is not None:
        results.leaderboard().to_csv(out / "leaderboard.csv", index=False)
        screen.print(f"results: {out}{os.sep}", highlight=False)
