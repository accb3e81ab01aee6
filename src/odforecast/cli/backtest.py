"""``odforecast backtest``: forecast from every origin, score, and print the leaderboard."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

import odforecast as od
from odforecast import names
from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.screen import note, say
from odforecast.cli.source import Data, Request, Simulation, open_task, say_age
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.months import month_end
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    STATES,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
)
from odforecast.say import number_of

if TYPE_CHECKING:
    from odforecast.backtesting import Origin, Unit
    from odforecast.models import Model

#: Months between the pseudo-vintages of a run of states that does not say. With the default
#: models every month takes a quarter of an hour on two cores. What is missing from a release
#: hangs on the calendar month: 5 has no factor in common with 12, and so sees all twelve.
DEFAULT_STEP = 5
#: Options that a task sets.
_TASK_OPTIONS = (
    "--source",
    "--dataset",
    "--locations",
    "--start",
    "--end",
    "--step",
    "--donors",
    "--horizon",
    "--draws",
    "--seed",
    "--indicator",
    "--vintages",
    "--truth-as-of",
    "--min-truth-age",
)
#: What a plan takes of a task.
_PLANNED = (
    "truth",
    "locations",
    "horizon",
    "draws",
    "seed",
    "targets",
    "horizons",
    "metrics",
)
_KINDS = {
    "real": (VINTAGE_REAL,),
    "pseudo": (VINTAGE_DELAYED, VINTAGE_CLEAN),
    "delayed": (VINTAGE_DELAYED,),
    "clean": (VINTAGE_CLEAN,),
}


@dataclass(frozen=True)
class PastDates:
    """The origins: past dates to forecast from."""

    #: First and last origin, by its last known month.
    start: str | None = None
    end: str | None = None
    #: Months between origins; None for the usual number.
    step: int | None = None
    #: Kind of past data, or ``"auto"``.
    vintages: str = "auto"
    #: Number of releases from which each month's delay is taken.
    donors: int = names.DEFAULT_DONORS


@opt.command()
@opt.add_options(
    opt.what_option(
        "--models NAMES",
        help="Models, with commas; 'all' for every one.  [default: dlm, the hub "
        "baseline and classical ones; for counties: county and its baselines]",
    ),
    opt.what_option(
        "--task NAME|FILE",
        "task_name",
        help="Run a benchmark, which sets everything but the models: odforecast task list.",
    ),
    opt.LOCATIONS,
    opt.START,
    opt.END,
    opt.what_option(
        "--step MONTHS",
        type=click.IntRange(min=1),
        help=f"Months between origins.  [default: {DEFAULT_STEP}; for counties "
        f"{names.COUNTY_STEP}]",
    ),
    opt.what_option(
        "--vintages",
        type=click.Choice(["auto", *_KINDS]),
        default="auto",
        advanced=True,
        help="Past data to forecast from: real releases, or one release cut at "
        "each month, with the reporting delay of other releases (delayed), without delay "
        "(clean), or both (pseudo). auto: real with --archive, otherwise pseudo; for counties "
        "clean.",
    ),
    opt.DATASET,
    opt.INDICATOR,
    opt.horizon(),
    opt.what_option(
        "--donors N",
        default=names.DEFAULT_DONORS,
        advanced=True,
        help="Number of releases from which each month's delay is taken.",
    ),
    opt.SOURCES,
    opt.TRUTH_AS_OF,
    opt.MIN_TRUTH_AGE,
    opt.output_option("--all", "every", help="Print every table of the run."),
    opt.JSON,
    opt.PLOT,
    opt.HTML,
    opt.out("Folder of results. What it already contains is not computed again.", ()),
    opt.detail_option(
        "--jobs N",
        default=os.cpu_count() or 1,
        show_default="processors",
        help="Number of processes.",
    ),
    opt.detail_option(
        "--dask ADDRESS",
        advanced=True,
        help="Run on a Dask cluster: its scheduler's address, tcp://HOST:8786; or local, "
        "for one with --jobs processes on this machine.",
    ),
    opt.DRAWS,
    opt.SEED,
)
def backtest(
    request: Request,
    data: Data,
    simulation: Simulation,
    dates: PastDates,
    dataset: str = STATES,
    models: str | None = None,
    task_name: str | None = None,
    truth_as_of: str | None = None,
    min_truth_age: int = opt.FINAL_AGE,
    every: bool = False,
    as_json: bool = False,
    out: Path | None = None,
    jobs: int = os.cpu_count() or 1,
    dask: str | None = None,
    typed: tuple[str, ...] = (),
) -> Answer:
    """Forecast again from past dates, using only the data available then, and score the results.

    Without --archive, one release is cut at each past month, and recent months are made as
    incomplete as they were in real releases. With --archive, each release in your folder is an
    origin. If a run stops, start it again with the same --out: only what is missing is computed.

    With --task, the results carry the fingerprint of the benchmark, and odforecast task
    leaderboard compares folders with the same fingerprint. With --dataset counties, one release is
    cut every three months and scored against itself, so the truth is provisional.

    \b
    odforecast backtest --models dlm,naive --locations Ohio --start 2023
    """
    # What a misspelled place or a wrong option need not wait for.
    from odforecast.backtesting import plan
    from odforecast.cli.leaderboard import print_leaderboard

    task = None
    if task_name is not None:
        reason = "is set by the task: leave it out, or write your own task"
        opt.refuse(typed, reason, *_TASK_OPTIONS)
        task = open_task(task_name, data.archive)
        dataset = task.definition["dataset"]
        groups = [task.origins]
        arguments = {
            key: value for key, value in task.arguments().items() if key in _PLANNED
        }
        truth = arguments.pop("truth")
    else:
        releases = data.open()
        panel = releases.as_of(truth_as_of, dataset).panel(request.indicator, dataset)
        say_age(panel.release, truth_as_of, dataset=dataset)
        if dataset == COUNTIES and "--min-truth-age" not in typed:
            truth = od.Truth(panel)
        else:
            truth = od.Truth(panel, min_age=min_truth_age)
        if dataset == COUNTIES:
            # The states beside the counties are those of the day: a later release is none.
            releases = releases if truth_as_of is None else releases.until(truth_as_of)
        elif "US" not in panel.locations:
            raise BacktestError(
                f"release {panel.release} has no US row, so it cannot be scored against",
                hint="name a better one with --truth-as-of",
            )
        groups = _origins(
            releases,
            dates,
            truth=truth,
            indicator=request.indicator,
            dataset=dataset,
            own_archive=data.archive is not None,
        )
        arguments = {
            "locations": request.locations,
            "horizon": request.horizon or names.DEFAULT_HORIZON,
            "draws": simulation.draws,
            "seed": simulation.seed,
        }
    units: list[Unit] = []
    for origins in groups:
        chosen = _find_models(models, origins, dataset=dataset)
        units += plan(chosen, origins, truth, **arguments)
    for text in _announced(groups, units, truth=truth, task=task):
        say(text, err=as_json, indent="    ")
    started = perf_counter()
    earlier = _manifest(out)
    results = _run(
        units,
        reasons={origin.reason for origins in groups for origin in origins},
        manifest={} if task is None else {"task": task.manifest},
        jobs=jobs,
        dask=dask,
        folder=out,
    )
    seconds = perf_counter() - started
    _say_notes(results, out, earlier=earlier)
    if out is not None:
        with replacing(out / "leaderboard.csv") as part:
            results.leaderboard().to_csv(part, index=False)

    def page(path: Path) -> None:
        """Write the page."""
        from odforecast.report.site import write_report

        write_report(path, results=results, replace=True)

    keys = ["horizon"] if dataset == COUNTIES else ["level", "horizon_group"]
    return Answer(
        text=lambda: print_leaderboard(results, every),
        data=lambda: {
            "meta": dict(results.manifest),
            "leaderboard": results.leaderboard(by=["vintage", *keys]),
        },
        figure=lambda: _figure(results),
        page=page,
        notes=_closing(results, seconds, stored=out is not None),
        files=[] if out is None else [(lambda: None, f"results: {out}{os.sep}")],
        failure=_failure(results, truth),
    )


def _origins(
    releases: od.Archive,
    dates: PastDates,
    truth: od.Truth,
    indicator: str,
    dataset: str,
    own_archive: bool,
) -> list[list[Origin]]:
    """Origins by kind of vintage, in order: what decides comes first."""
    vintages = dates.vintages
    if vintages == "auto":
        usual = "real" if own_archive else "pseudo"
        vintages = "clean" if dataset == COUNTIES else usual
    if vintages == "pseudo":
        unknown = ""
        if dataset == COUNTIES:
            unknown = "counties"
        elif names.indicator_name(indicator) != ALL_DRUGS:
            unknown = repr(indicator)
        if unknown:
            vintages = "clean"
            note(
                f"the reporting delay of {unknown} is not known: clean pseudo-vintages only"
            )
    step = dates.step
    if step is None and dataset != COUNTIES:
        step = DEFAULT_STEP
    groups = []
    for kind in _KINDS[vintages]:
        pseudo = kind != VINTAGE_REAL and dataset != COUNTIES
        origins = od.origins(
            releases.until(truth.release) if pseudo else releases,
            kind,
            start=dates.start,
            end=dates.end,
            step=step,
            donors=dates.donors,
            indicator=indicator,
            dataset=dataset,
        )
        groups.append(origins)
    return groups


def _find_models(
    models: str | None, origins: list[Origin], dataset: str
) -> list[Model]:
    """The models that are named; by default those for such origins."""
    from odforecast.backtesting import default_models
    from odforecast.models import model_names

    if models is None:
        labels: Sequence[str] = default_models(origins)
    elif models == "all":
        labels = model_names(dataset)
    else:
        labels = [word.strip() for word in models.split(",") if word.strip()]
    return [od.get_model(label) for label in labels]


def _announced(
    groups: list[list[Origin]],
    units: list[Unit],
    truth: od.Truth,
    task: od.Task | None,
) -> Iterator[str]:
    """What will be forecast from, and scored against."""
    from odforecast.backtesting.unit import on_screen

    if truth.panel.indicator != ALL_DRUGS:
        yield truth.panel.indicator
    locations = {location for unit in units for location in unit.locations}
    places = number_of(len(locations), "place")
    for origins in groups:
        panels = [origin.panel for origin in origins if origin.panel is not None]
        kinds = ", ".join(sorted({origin.vintage for origin in origins}))
        months = [str(panel.last_month) for panel in (*panels[:1], *panels[-1:])]
        span = " to ".join(dict.fromkeys(months)) or "no month"
        count = number_of(len(panels), "origin")
        yield f"{count} ({kinds}{_donors(origins)}), known through {span}; {places}"
    provisional = "provisional, " if truth.provisional else ""
    yield (
        f"Final counts: {provisional}{truth.kind} in release {truth.release}, at least "
        f"{truth.min_age} months after the month"
    )
    for origins in groups:
        for origin in origins:
            if origin.panel is None:
                yield f"  no origin {origin.as_of}: {on_screen(origin.reason)}"
    if task is not None:
        yield f"task {task.name} ({task.short})"


def _donors(origins: list[Origin]) -> str:
    """How many donors their delay comes from, by era."""
    from odforecast.panel import ERAS, era_of

    months = set()
    eras = {}
    for origin in origins:
        if origin.panel is None:
            continue
        month = origin.panel.last_month
        months.add(month)
        if origin.donor:
            eras[origin.donor] = era_of((origin.as_of - month_end(month)).days)
    if not eras:
        return ""
    counts = []
    for era in ERAS:
        count = list(eras.values()).count(era)
        if count:
            counts.append(f"{count} of the {era}-month era")
    text = f"{number_of(len(months), 'month')} by {len(eras)} donor releases"
    return f": {text}, {', '.join(counts)}"


def _run(
    units: list[Unit],
    reasons: set[str],
    manifest: dict[str, Any],
    jobs: int,
    dask: str | None,
    folder: Path | None,
) -> od.Results:
    """The results, with a bar on a terminal; the same numbers with processes and on a cluster."""
    from odforecast.backtesting import Workers, run_units
    from odforecast.backtesting.run import bar
    from odforecast.backtesting.workers import connected

    processes: AbstractContextManager[Any] = nullcontext()
    if dask is not None:
        processes = connected(dask, jobs)
    elif jobs > 1:
        processes = Workers(jobs)
    with (
        processes as executor,
        bar(len(units), not sys.stderr.isatty(), reasons) as report,
    ):
        return run_units(
            units,
            out=folder,
            executor=executor,
            progress=report,
            more=manifest,
        )


def _manifest(folder: Path | None) -> Mapping[str, Any]:
    """What a folder's manifest says of the run in it; nothing if there is none to read."""
    if folder is not None and (folder / "manifest.json").exists():
        with suppress(BacktestError):
            return od.Results.load(folder).manifest
    return {}


def _say_notes(
    results: od.Results, folder: Path | None, earlier: Mapping[str, Any]
) -> None:
    """Notes of the run, and what an earlier one in its folder had that this one lacks."""
    from odforecast.backtesting.unit import on_screen

    for text in (*results.notes, *results.data_notes):
        note(on_screen(text))
    counties = results.manifest.get("dataset") == COUNTIES
    for kind in ("model", "location") if counties else ("model",):
        lost = sorted(set(earlier.get(f"{kind}s") or ()) - set(results.scores[kind]))
        if lost:
            dots = ", …" if len(lost) > 3 else ""
            note(
                f"{folder} had scores of {number_of(len(lost), f'more {kind}')} "
                f"({', '.join(lost[:3])}{dots}). Its tables now show this run only. Name those "
                "again to get them back without new work."
            )


def _figure(results: od.Results) -> Any:
    """Skill against the baseline; coverage for counties, and where the baseline is missing."""
    from odforecast.backtesting.results import BASELINE

    counties = results.manifest.get("dataset") == COUNTIES
    if not counties and BASELINE in set(results.scores["model"]):
        return results.plot(kind="skill")
    return results.plot(kind="coverage")


def _scorable(results: od.Results) -> Any:
    """Which forecasts can be scored: a count that was suppressed is known to be 1 to 9."""
    scores = results.scores
    return scores["bounded" if "bounded" in scores else "scorable"].astype(bool)


def _failure(results: od.Results, truth: od.Truth) -> BacktestError | None:
    """That nothing could be scored."""
    if _scorable(results).any():
        return None
    return BacktestError(
        "no forecast can be scored yet",
        hint=f"the truth must be published {truth.min_age} months after the months forecast: "
        "start earlier (--start), or use a later release",
    )


def _closing(results: od.Results, seconds: float, stored: bool) -> list[str]:
    """How much was done, and what was not."""
    from odforecast.backtesting.unit import on_screen

    scores = results.scores
    failures = results.failures
    scorable = _scorable(results)
    n_nowcasts = int((scores["horizon"] < 1).sum())
    text = number_of(len(scores) - n_nowcasts, "forecast")
    if n_nowcasts:
        text += f" and {number_of(n_nowcasts, 'nowcast')}"
    text += f" in {seconds:.0f} s"
    if not scorable.all():
        kinds = scores.loc[~scorable, "reason"].str.partition(":")[0].value_counts()
        reasons = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
        text += f"; {int((~scorable).sum()):,} cannot be scored ({reasons})"
    notes = [text]
    if len(failures):
        notes.append(f"{len(failures)} failures, the most common reasons:")
        for reason, n in failures["reason"].value_counts().head(3).items():
            notes.append(f"{n} × {on_screen(str(reason))}")
    publication = results.manifest.get("publication")
    if stored and publication:
        notes.append(str(publication))
    return notes
