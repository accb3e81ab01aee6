"""``odforecast backtest``: forecast from every origin, score, and print the leaderboard."""

from __future__ import annotations

import os
import sys
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter

import click
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
from odforecast.cli.leaderboard import leaderboard
from odforecast.cli.source import accept_option, open_source
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.models import get_model, model_names
from odforecast.months import month_end
from odforecast.names import (
    ALL_DRUGS,
    DEFAULT_DONORS,
    DEFAULT_DRAWS,
    DEFAULT_HORIZON,
    DEFAULT_SEED,
    TARGET_12MO,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
    indicator_name,
)
from odforecast.panel import Panel
from odforecast.panel.donor import ERAS, era_of
from odforecast.scoring import Truth
from odforecast.vintage import Archive

#: Months between the pseudo-vintages of a run that does not say. With the default models every
#: month takes a quarter of an hour on two cores. What is missing from a release hangs on the
#: calendar month: 5 has no factor in common with 12, and so sees all twelve.
DEFAULT_STEP = 5


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
@click.option("--step", default=DEFAULT_STEP, show_default=True,
              help="Months between pseudo-vintages; 1 takes all.")  # fmt: skip
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
@click.option("--donors", default=DEFAULT_DONORS, show_default=True,
              help="Releases that each month's delay is taken from.")  # fmt: skip
@click.option(
    "--vintages",
    type=click.Choice(["auto", "real", "pseudo", "delayed", "clean"]),
    default="auto",
    show_default=True,
    help="Real releases; or one release cut at each month, with the delay of other releases "
    "(delayed), complete (clean), or both, one after the other (pseudo). auto: real with "
    "--archive, else pseudo.",
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
    donors: int,
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
    each month (pseudo-vintages, labelled so): first as incomplete as real releases were, then
    complete to the last month. A run stopped and started again with the same --out computes only
    what is missing.
    """
    releases = open_source(archive, source)
    truth = Truth(_truth_panel(releases, truth_as_of, indicator), truth_name, min_truth_age)
    units: list[Unit] = []
    groups: list[list[Origin]] = []
    for kind in _kinds(vintages, archive is not None, indicator):
        seen = releases if kind == VINTAGE_REAL else releases.until(truth.release)
        found = origins(seen, kind, start, end, step, donors, indicator=indicator)
        if models is None:
            names: tuple[str, ...] = default_models(found)
        elif models == "all":
            names = model_names()
        else:
            names = tuple(m.strip() for m in models.split(",") if m.strip())
        groups.append(found)
        units += plan(
            [get_model(n) for n in names],
            found,
            truth,
            targets=TARGETS if target == "both" else (target,),
            locations=locations,
            horizon=horizon,
            draws=draws,
            seed=seed,
        )
    # Labels may hold brackets: no markup. A file is as wide as COLUMNS says, else 120.
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    screen = Console(markup=False, emoji=False, width=None if known else 120)
    for found in groups:
        _announce(screen, found, truth, len({s for u in units for s in u.locations}))
    if dry_run:
        _estimate(screen, units, jobs)
        return
    started = perf_counter()
    with (
        _executor(jobs) as executor,
        bar(len(units), quiet, {o.reason for found in groups for o in found}) as report,
    ):
        results = run_units(
            units, out=out, executor=executor, progress=report, quantiles=out is not None
        )
    for note in (*results.notes, *results.data_notes):
        click.echo(f"note: {on_screen(note)}", err=True)
    leaderboard(screen, results, [b.strip() for b in by.split(",") if b.strip()])
    _closing(screen, results, perf_counter() - started, out)


def _kinds(vintages: str, real: bool, indicator: str) -> tuple[str, ...]:
    """Kinds of vintage to run, in order: what decides comes first."""
    if vintages == "auto":
        vintages = "real" if real else "pseudo"
    if vintages == "pseudo" and indicator_name(indicator) != ALL_DRUGS:
        click.echo(
            f"note: the delay of {indicator!r} is not known: clean pseudo-vintages only", err=True
        )
        vintages = "clean"
    return {
        "real": (VINTAGE_REAL,),
        "pseudo": (VINTAGE_DELAYED, VINTAGE_CLEAN),
        "delayed": (VINTAGE_DELAYED,),
        "clean": (VINTAGE_CLEAN,),
    }[vintages]


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
        f"{len(usable)} origins ({kinds}{_by(found)}), last known months {span}; "
        f"{n_locations} locations; "
        f"truth: {truth.kind} in release {truth.release}, months at least {truth.min_age} "
        "months old",
        highlight=False,
    )
    for origin in found:
        if origin.panel is None:
            reason = on_screen(origin.reason)
            screen.print(f"  no origin {origin.as_of}: {reason}", highlight=False)


def _by(found: list[Origin]) -> str:
    """How many donors their delay comes from, by era."""
    if not (named := {o.donor: o for o in found if o.donor}):
        return ""
    months = {str(o.panel.last_month) for o in found if o.panel is not None}
    eras = [
        era_of((o.as_of - month_end(o.panel.last_month)).days)
        for o in named.values()
        if o.panel is not None
    ]
    many = ", ".join(f"{eras.count(e)} of the {e}-month era" for e in ERAS if e in eras)
    plural = "" if len(months) == 1 else "s"
    return f": {len(months)} month{plural} by {len(named)} donor releases, {many}"


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
