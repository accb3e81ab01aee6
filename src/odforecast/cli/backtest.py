"""``odforecast backtest``: forecast from every origin, score, and print the leaderboard."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from odforecast.cli.meant import Choice
from odforecast.cli.options import (
    FIGURES,
    PAGES,
    dataset_option,
    draws_option,
    end_option,
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
    start_option,
    target_option,
    together,
    truth_as_of_option,
)
from odforecast.cli.outputs import check_outputs, check_yearly
from odforecast.cli.screen import note
from odforecast.cli.source import open_source, say_age, source_options
from odforecast.cli.written import print_json, records
from odforecast.errors import BacktestError, one_of
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    COUNTY_HORIZONS,
    COUNTY_STEP,
    DEFAULT_DONORS,
    DEFAULT_HORIZON,
    STATES,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
    indicator_name,
)

if TYPE_CHECKING:
    from odforecast.backtesting import Origin, Unit
    from odforecast.models import Model
    from odforecast.panel import Panel
    from odforecast.vintage import Archive

#: Months between the pseudo-vintages of a run of states that does not say. With the default
#: models every month takes a quarter of an hour on two cores. What is missing from a release
#: hangs on the calendar month: 5 has no factor in common with 12, and so sees all twelve.
DEFAULT_STEP = 5

#: What a leaderboard can be split by.
SPLITS = ("regime", "era", "horizon", "location", "target", "last_month", "month", "as_of", "donor")
#: Of counties, whose tables are split by horizon anyway.
COUNTY_SPLITS = ("size", "urban", "visible", "regime", "location", "last_month", "month", "as_of")


@click.command()
@source_options
@click.option("--task", "task_name", metavar="NAME|FILE",
              help="A benchmark that says all but the models: odforecast task list.")  # fmt: skip
@dataset_option
@click.option(
    "--models",
    metavar="NAMES",
    help="Commas between them; 'all' for every registered model of the data set.  [default: dlm, "
    "ensemble, the hub baseline and classical ones; of counties, county and its baselines]",
)
@locations_option
@start_option
@end_option
@click.option("--step", metavar="MONTHS", type=click.IntRange(min=1),
              help=f"Months between pseudo-vintages; 1 takes all.  [default: {DEFAULT_STEP}, of "
              f"counties {COUNTY_STEP}]")  # fmt: skip
@click.option("--horizons", metavar="LIST",
              help="Months ahead that are scored and stored: 3,6,9,12.  [default: all, of counties "
              f"{','.join(map(str, COUNTY_HORIZONS))}]")  # fmt: skip
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
    "--archive, else pseudo; of counties clean.",
)
@click.option("--truth", "truth_name", type=Choice(["reported", "predicted"]), default="reported",
              show_default=True, help="Counts to score against.")  # fmt: skip
@together(truth_as_of_option, min_truth_age_option)
@click.option(
    "--by", metavar="NAMES", default="", help="Split the leaderboard further: regime, era."
)
@click.option("--jobs", metavar="N", default=os.cpu_count() or 1, show_default="processors",
              help="Processes.")  # fmt: skip
@click.option("--dask", metavar="ADDRESS",
              help="Run on a Dask cluster: its scheduler's address, tcp://HOST:8786; or local, for "
              "one of --jobs processes on this machine.")  # fmt: skip
@together(json_option, plot_option, html_option)
@out_option("Results folder; what is in it is not computed again.", folder=True)
@click.option("--dry-run", is_flag=True, help="Count the fits, time one of each, and stop.")
@quiet_option
def backtest(
    archive: Path | None,
    source: str | None,
    task_name: str | None,
    dataset: str,
    models: str | None,
    locations: str,
    start: str | None,
    end: str | None,
    step: int | None,
    donors: int,
    horizons: str | None,
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
    dask: str | None,
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

    With --task, the task says what is forecast, from what and against what, and the results have
    its fingerprint: odforecast task leaderboard compares folders of one fingerprint.

    With --dataset counties, one release of counties is cut every three months, and scored against
    itself: provisional truth.
    """
    # What a misspelled place or a wrong option need not wait for.
    from rich.console import Console

    from odforecast.backtesting import backtest as run_backtest
    from odforecast.backtesting import origins, plan, run_units
    from odforecast.backtesting.run import bar
    from odforecast.backtesting.unit import on_screen
    from odforecast.cli.backtest_screen import announce, closing, estimate, held_by, picture
    from odforecast.cli.leaderboard import leaderboard
    from odforecast.cli.tasked import planned, tasked
    from odforecast.scoring import Truth

    check_outputs(
        ("--out", out, ()), ("--plot", plot, FIGURES), ("--html", html, PAGES), read=(source,)
    )
    check_yearly(target, plot=plot, html=html)
    task = None if task_name is None else tasked(task_name, archive)
    if task is not None:
        dataset = task.definition["dataset"]
    extra = _splits(by, COUNTY_SPLITS if dataset == COUNTIES else SPLITS)
    counties = dataset == COUNTIES
    groups: list[list[Origin]] = []
    units: list[Unit] = []
    if task is not None:
        truth = task.truth
        groups.append(task.origins)
        units += plan(_named(models, task.origins, dataset), task.origins, **planned(task))
    else:
        scored = _months_ahead(horizons)
        releases = open_source(archive, source)
        truth = Truth(
            _truth_panel(releases, truth_as_of, indicator, dataset),
            truth_name,
            None if counties and not _given("min_truth_age") else min_truth_age,  # type: ignore[arg-type]
        )
        for kind in _kinds(vintages, archive is not None, indicator, counties):
            seen = releases
            if kind != VINTAGE_REAL and not counties:
                seen = releases.until(truth.release)
            elif truth_as_of is not None and counties:
                # The states beside the counties are those of the day: a later release is none.
                seen = releases.until(truth_as_of)
            found = origins(
                seen, kind, start, end, step or (None if counties else DEFAULT_STEP), donors,
                indicator=indicator, dataset=dataset,
            )  # fmt: skip
            groups.append(found)
            units += plan(
                _named(models, found, dataset),
                found,
                truth,
                targets=TARGETS if target == "both" else (target,),
                locations=locations,
                horizon=horizon or DEFAULT_HORIZON,
                draws=draws,
                seed=seed,
                horizons=scored,
            )
    # Labels may hold brackets: no markup.
    screen = Console(markup=False, emoji=False, stderr=as_json)
    for found in groups:
        announce(screen, found, truth, len({s for u in units for s in u.locations}))
    if task is not None:
        screen.print(f"task {task.name} ({task.short})", highlight=False)
    if dry_run:
        estimate(screen, units, jobs)
        return
    started = perf_counter()
    before, places = held_by(out)
    with (
        _executor(jobs, dask) as executor,
        bar(
            len(units),
            quiet or not sys.stderr.isatty(),
            {o.reason for found in groups for o in found},
        ) as report,
    ):
        if task is None:
            results = run_units(
                units, out=out, executor=executor, progress=report, quantiles=out is not None
            )
        else:
            made = list(dict.fromkeys(u.model for u in units))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its notes, which are said below
                results = run_backtest(made, task=task, out=out, executor=executor, progress=report)
    for text in (*results.notes, *results.data_notes):
        note(on_screen(text))
    if gone := [name for name in before if name not in set(results.scores["model"])]:
        note(
            f"{out} held a run of {', '.join(gone)}, too: its tables are those of this run now; "
            "the units are kept, and come back without work when those models are named again"
        )
    if counties and (lost := sorted(set(places) - set(results.scores["location"]))):
        note(
            f"{out} held scores of {len(lost):,} more counties ({', '.join(lost[:3])}"
            f"{', …' if len(lost) > 3 else ''}): its tables are of this run's places now; the "
            "units are kept, and come back without work when those are asked for again"
        )
    if as_json:
        split = [*extra, "horizon"] if counties else ["level", *extra, "horizon_group"]
        board = results.leaderboard(by=["vintage", *split])
        print_json({"meta": dict(results.manifest), "leaderboard": records(board)})
    else:
        leaderboard(screen, results, extra)
    closing(screen, results, perf_counter() - started, out)
    if not results.scores["bounded" if counties else "scorable"].any():
        raise BacktestError(
            "no forecast is scorable",
            hint=f"the truth must come {truth.min_age} months after the months forecast: begin "
            "earlier (--start), or give a later release",
        )
    if plot is not None:
        kind = picture(results, plot)
        screen.print(f"picture: {plot} ({kind})", highlight=False, soft_wrap=True)
    if html is not None:
        from odforecast.report.site import write_report

        write_report(html, results=results, replace=True)
        screen.print(f"page: {html}", highlight=False, soft_wrap=True)


def _named(models: str | None, found: list[Origin], dataset: str) -> list[Model]:
    """The models that are named; by default those for such origins."""
    from odforecast.backtesting import default_models
    from odforecast.models import get_model, model_names

    if models is None:
        names: Sequence[str] = default_models(found)
    elif models == "all":
        names = model_names(dataset)
    else:
        names = [m.strip() for m in models.split(",") if m.strip()]
    return [get_model(name) for name in names]


def _splits(by: str, allowed: Sequence[str]) -> list[str]:
    """What the leaderboard is split by, checked before the work and not after it."""
    names = [name.strip() for name in by.split(",") if name.strip()]
    for name in names:
        if name not in allowed:
            raise BacktestError(f"--by cannot be {name!r}", hint=one_of(name, allowed))
    return names


def _months_ahead(horizons: str | None) -> tuple[int, ...] | None:
    """Months ahead that are scored; which of them can be had is checked with the plan."""
    if horizons is None:
        return None
    names = [name.strip() for name in horizons.split(",") if name.strip()]
    if wrong := [name for name in names if not name.isascii() or not name.isdigit()]:
        raise BacktestError(
            f"--horizons has {wrong[0]!r}, which is no number of months", hint="3,6,9,12"
        )
    return tuple(map(int, names))


def _given(parameter: str) -> bool:
    """Whether an option was given, and is not its default."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is not ParameterSource.DEFAULT


def _kinds(vintages: str, real: bool, indicator: str, counties: bool) -> tuple[str, ...]:
    """Kinds of vintage to run, in order: what decides comes first."""
    if counties and vintages in ("auto", "pseudo"):
        if vintages == "pseudo":
            note("the delay of counties is not known: clean pseudo-vintages only")
        vintages = "clean"
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


def _truth_panel(releases: Archive, as_of: str | None, indicator: str, dataset: str) -> Panel:
    panel = releases.as_of(as_of, dataset).panel(indicator, dataset)
    say_age(panel.release, as_of, dataset)
    if dataset == STATES and "US" not in panel.locations:
        raise BacktestError(
            f"release {panel.release} has no US row and is no good truth",
            hint="name a better one with --truth-as-of",
        )
    return panel


def _executor(jobs: int, dask: str | None) -> AbstractContextManager[Any]:
    """Processes, a cluster, or None for one job: the same numbers every way."""
    if dask is not None:
        from odforecast.backtesting.workers import connected

        return connected(dask, jobs)
    from odforecast.backtesting import Workers

    return nullcontext() if jobs <= 1 else Workers(jobs)
