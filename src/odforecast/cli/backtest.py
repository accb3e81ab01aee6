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
from odforecast.backtesting.results import BASELINE
from odforecast.cli.leaderboard import leaderboard
from odforecast.cli.meant import Choice
from odforecast.cli.options import (
    FIGURES,
    PAGES,
    draws_option,
    horizon_option,
    html_option,
    indicator_option,
    json_option,
    locations_option,
    min_truth_age_option,
    out_option,
    plot_option,
    quiet_option,
    seed_option,
    target_option,
    together,
    truth_as_of_option,
)
from odforecast.cli.outputs import check_outputs, check_yearly
from odforecast.cli.screen import note
from odforecast.cli.source import open_source, source_options
from odforecast.cli.written import print_json, records
from odforecast.errors import BacktestError, one_of
from odforecast.io import replacing
from odforecast.models import get_model, model_names
from odforecast.months import month_end
from odforecast.names import (
    ALL_DRUGS,
    DEFAULT_DONORS,
    DEFAULT_HORIZON,
    TARGET_12MO,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
    deciding_kind,
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

#: What a leaderboard can be split by.
SPLITS = ("regime", "era", "horizon", "location", "target", "last_month", "month", "as_of", "donor")


@click.command()
@source_options
@click.option(
    "--models",
    metavar="NAMES",
    help="Commas between them; 'all' for every registered model.  [default: dlm, ensemble, the "
    "hub baseline and classical ones]",
)
@locations_option
@click.option("--start", metavar="MONTH", help="First origin, as the last known month: 2019-01.")
@click.option("--end", metavar="MONTH", help="Last origin, as the last known month: 2024-04.")
@click.option("--step", metavar="MONTHS", default=DEFAULT_STEP, show_default=True,
              help="Months between pseudo-vintages; 1 takes all.")  # fmt: skip
@together(horizon_option(), draws_option, seed_option, indicator_option, target_option)
@click.option("--donors", metavar="N", default=DEFAULT_DONORS, show_default=True,
              help="Releases that each month's delay is taken from.")  # fmt: skip
@click.option(
    "--vintages",
    type=Choice(["auto", "real", "pseudo", "delayed", "clean"]),
    default="auto",
    show_default=True,
    help="Real releases; or one release cut at each month, with the delay of other releases "
    "(delayed), complete (clean), or both, one after the other (pseudo). auto: real with "
    "--archive, else pseudo.",
)
@click.option("--truth", "truth_name", type=Choice(["reported", "predicted"]), default="reported",
              show_default=True, help="Counts to score against.")  # fmt: skip
@together(truth_as_of_option, min_truth_age_option)
@click.option(
    "--by", metavar="NAMES", default="", help="Split the leaderboard further: regime, era."
)
@click.option("--jobs", metavar="N", default=os.cpu_count() or 1, show_default="processors",
              help="Processes.")  # fmt: skip
@together(json_option, plot_option, html_option)
@out_option("Results folder; what is in it is not computed again.", folder=True)
@click.option("--dry-run", is_flag=True, help="Count the fits, time one of each, and stop.")
@quiet_option
def backtest(
    archive: Path | None,
    source: str | None,
    models: str | None,
    locations: str,
    start: str | None,
    end: str | None,
    step: int,
    donors: int,
    horizon: int | None,
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
    as_json: bool,
    plot: Path | None,
    html: Path | None,
    out: Path | None,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Forecast from every origin on what was known that day, and score it.

    With --archive, each release is an origin (real vintages). Otherwise one release is cut at
    each month (pseudo-vintages, labelled so): first as incomplete as real releases were, then
    complete to the last month. A run stopped and started again with the same --out computes only
    what is missing. --plot shows errors over those of the hub baseline; without it, how often the
    intervals held.
    """
    check_outputs(
        ("--out", out, ()), ("--plot", plot, FIGURES), ("--html", html, PAGES), read=(source,)
    )
    check_yearly(target, plot=plot, html=html)
    extra = _splits(by)
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
            horizon=horizon or DEFAULT_HORIZON,
            draws=draws,
            seed=seed,
        )
    # Labels may hold brackets: no markup.
    screen = Console(markup=False, emoji=False, stderr=as_json)
    for found in groups:
        _announce(screen, found, truth, len({s for u in units for s in u.locations}))
    if dry_run:
        _estimate(screen, units, jobs)
        return
    started = perf_counter()
    before = _models_of(out)
    with (
        _executor(jobs) as executor,
        bar(
            len(units),
            quiet or not sys.stderr.isatty(),
            {o.reason for found in groups for o in found},
        ) as report,
    ):
        results = run_units(
            units, out=out, executor=executor, progress=report, quantiles=out is not None
        )
    for text in (*results.notes, *results.data_notes):
        note(on_screen(text))
    if gone := [name for name in before if name not in set(results.scores["model"])]:
        note(
            f"{out} held a run of {', '.join(gone)}, too: its tables are those of this run now; "
            "the units are kept, and come back without work when those models are named again"
        )
    if as_json:
        board = results.leaderboard(by=["vintage", "level", *extra, "horizon_group"])
        print_json({"meta": dict(results.manifest), "leaderboard": records(board)})
    else:
        leaderboard(screen, results, extra)
    _closing(screen, results, perf_counter() - started, out)
    if not results.scores["scorable"].any():
        raise BacktestError(
            "no forecast is scorable",
            hint=f"the truth must come {min_truth_age} months after the months forecast: begin "
            "earlier (--start), or give a later release",
        )
    if plot is not None:
        kind = _picture(results, plot)
        screen.print(f"picture: {plot} ({kind})", highlight=False, soft_wrap=True)
    if html is not None:
        from odforecast.report.site import write_report

        write_report(html, results=results, replace=True)
        screen.print(f"page: {html}", highlight=False, soft_wrap=True)


def _splits(by: str) -> list[str]:
    """What the leaderboard is split by, checked before the work and not after it."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    for name in names:
        if name not in SPLITS:
            raise BacktestError(f"--by cannot be {name!r}", hint=one_of(name, SPLITS))
    return names


def _kinds(vintages: str, real: bool, indicator: str) -> tuple[str, ...]:
    """Kinds of vintage to run, in order: what decides comes first."""
    if vintages == "auto":
        vintages = "real" if real else "pseudo"
    if vintages == "pseudo" and indicator_name(indicator) != ALL_DRUGS:
        note(f"the delay of {indicator!r} is not known: clean pseudo-vintages only")
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
    if truth.panel.indicator != ALL_DRUGS:
        screen.print(truth.panel.indicator, highlight=False)
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


def _picture(results: Results, path: Path) -> str:
    """Draw what decides: the first kind of vintage, of 12-month counts if there are any."""
    import odforecast.plot as plots

    kind = deciding_kind(results.scores["vintage"])
    scores = results.scores[results.scores["vintage"] == kind]
    targets = set(scores["target"])
    target = TARGET_12MO if TARGET_12MO in targets else min(targets)
    scores = scores[scores["target"] == target]
    if BASELINE in set(scores["model"]):
        board = results.leaderboard(by=["vintage", "target", "level", "horizon_group"])
        ahead = board["horizon_group"].astype(str) != "nowcast"
        board = board[(board["vintage"] == kind) & (board["target"] == target) & ahead]
        axes = plots.skill(board.drop(columns=["vintage", "target"]))
    else:
        axes = plots.coverage(scores)
    plots.save(axes, path)
    return kind


def _models_of(out: Path | None) -> list[str]:
    """Models of the run that a folder holds; none where there is none, or it cannot be read."""
    from odforecast.backtesting import Results
    from odforecast.errors import BacktestError

    if out is None or not (out / "manifest.json").exists():
        return []
    try:
        models = Results.load(out).manifest.get("models")
    except BacktestError:
        return []
    return [str(name) for name in models] if isinstance(models, dict) else []


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
        screen.print(f"results: {out}{os.sep}", highlight=False, soft_wrap=True)
