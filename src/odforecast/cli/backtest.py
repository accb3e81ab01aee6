"""``odforecast backtest``: forecast from every origin, score, and print the leaderboard."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.screen import note, say, wrapped
from odforecast.cli.source import SOURCES, open_source, say_age
from odforecast.cli.tables import Column, lay
from odforecast.errors import BacktestError, one_of
from odforecast.io import replacing
from odforecast.months import month_end
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    COUNTY_HORIZONS,
    COUNTY_STEP,
    DEFAULT_DONORS,
    DEFAULT_HORIZON,
    TARGET_MONTH,
    TARGETS,
    VINTAGE_CLEAN,
    VINTAGE_DELAYED,
    VINTAGE_REAL,
    indicator_name,
)
from odforecast.say import number_of

if TYPE_CHECKING:
    from odforecast.backtesting import Origin, Results, Task, Unit
    from odforecast.models import Model
    from odforecast.scoring import Truth

#: Months between the pseudo-vintages of a run of states that does not say. With the default
#: models every month takes a quarter of an hour on two cores. What is missing from a release
#: hangs on the calendar month: 5 has no factor in common with 12, and so sees all twelve.
DEFAULT_STEP = 5
#: What a leaderboard can be split by: of states, and of counties, always split by horizon.
SPLITS = ("regime", "era", "horizon", "location", "target", "last_month", "month", "as_of", "donor")
COUNTY_SPLITS = ("size", "urban", "visible", "regime", "location", "last_month", "month", "as_of")
#: Options that a task says, by their parameters; and what a plan takes of a task.
_OF_TASK = (
    "source", "dataset", "locations", "start", "end", "step", "donors", "horizons", "horizon",
    "draws", "seed", "indicator", "target", "vintages", "truth_name", "truth_as_of",
    "min_truth_age",
)  # fmt: skip
_PLANNED = ("truth", "locations", "horizon", "draws", "seed", "targets", "horizons")
_KINDS = {
    "real": (VINTAGE_REAL,), "pseudo": (VINTAGE_DELAYED, VINTAGE_CLEAN),
    "delayed": (VINTAGE_DELAYED,), "clean": (VINTAGE_CLEAN,),
}  # fmt: skip
_DRY_RUN = (
    Column("fits", "fits"), Column("s per fit", "each", "{:.2f}"), Column("s total", "s", "{:.1f}")
)  # fmt: skip


@opt.command()
@opt.together(
    opt.what("--models", metavar="NAMES",
             help="Models, with commas; 'all' for every one.  [default: dlm, ensemble, the hub "
             "baseline and classical ones; for counties: county and its baselines]"),
    opt.what("--task", "task_name", metavar="NAME|FILE",
             help="Run a benchmark, which sets everything but the models: odforecast task list."),
    opt.LOCATIONS, opt.START, opt.END,
    opt.what("--step", metavar="MONTHS", type=click.IntRange(min=1),
             help=f"Months between origins.  [default: {DEFAULT_STEP}; for counties "
             f"{COUNTY_STEP}]"),
    opt.what("--vintages", type=opt.Choice(["auto", *_KINDS]), default="auto", show_default=True,
             more=True, help="Past data to forecast from: real releases, or one release cut at "
             "each month, with the reporting delay of other releases (delayed), without delay "
             "(clean), or both (pseudo). auto: real with --archive, otherwise pseudo; for counties "
             "clean."),
    opt.DATASET, opt.INDICATOR, opt.TARGET, opt.horizon(),
    opt.what("--horizons", metavar="LIST", more=True,
             help="Months ahead to score and keep: 3,6,9,12.  [default: all; for counties "
             f"{','.join(map(str, COUNTY_HORIZONS))}]"),
    opt.what("--donors", metavar="N", default=DEFAULT_DONORS, show_default=True, more=True,
             help="Number of releases from which each month's delay is taken."),
    SOURCES,
    opt.data("--truth", "truth_name", type=opt.Choice(["reported", "predicted"]), more=True,
             default="reported", show_default=True, help="Counts to score against."),
    opt.TRUTH_AS_OF, opt.MIN_TRUTH_AGE,
    opt.output("--by", metavar="NAMES", default="",
               help="Split the leaderboard further: regime, era."),
    opt.output("--all", "every", is_flag=True, help="Print every table of the run."),
    opt.JSON, opt.PLOT, opt.HTML,
    opt.out("Folder of results. What it already contains is not computed again.", ()),
    opt.details("--dry-run", is_flag=True, help="Count the fits, time one of each, and stop."),
    opt.details("--jobs", metavar="N", default=os.cpu_count() or 1, show_default="processors",
                help="Number of processes."),
    opt.details("--dask", metavar="ADDRESS", more=True,
                help="Run on a Dask cluster: its scheduler's address, tcp://HOST:8786; or local, "
                "for one with --jobs processes on this machine."),
    opt.DRAWS, opt.SEED, opt.QUIET,
)  # fmt: skip
def backtest(
    archive: Path | None, source: str | None, models: str | None, task_name: str | None,
    dataset: str, by: str, every: bool, jobs: int, dask: str | None, as_json: bool,
    out: Path | None, dry_run: bool, quiet: bool, **asked: Any,
) -> Answer:  # fmt: skip
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
    from odforecast.backtesting.results import BASELINE
    from odforecast.cli.leaderboard import print_leaderboard

    if asked["target"] == TARGET_MONTH:
        opt.refuse(f"shows 12-month counts: leave out --target {TARGET_MONTH}, or ask for both",
                   "plot", "html")  # fmt: skip
    if task_name is None:
        task, extra = None, _splits(by, dataset)
        groups, arguments = _origins(archive, source, dataset, **asked)
    else:
        opt.refuse("is set by the task: leave it out, or write your own task", *_OF_TASK)
        task = open_task(task_name, archive)
        dataset, whole = task.definition["dataset"], task.arguments()
        extra = _splits(by, dataset)
        groups, arguments = [task.origins], {key: whole[key] for key in _PLANNED}
    counties, truth = dataset == COUNTIES, arguments["truth"]
    units = [
        u for found in groups for u in plan(_named(models, found, dataset), found, **arguments)
    ]
    for text in _announced(groups, units, truth, task):
        say(text, err=as_json, indent="    ")
    if dry_run:
        return Answer(_estimate(units, jobs))
    started, before = perf_counter(), _before(out)
    results = _run(units, task, groups, jobs, dask, out, quiet)
    _say_notes(results, out, before)
    if out is not None:
        with replacing(out / "leaderboard.csv") as part:
            results.leaderboard().to_csv(part, index=False)
    split = [*extra, "horizon"] if counties else ["level", *extra, "horizon_group"]
    label = "bounded" if counties else "scorable"
    skill = not counties and BASELINE in set(results.scores["model"])
    kind = "skill" if skill else "coverage"

    def page(path: Path) -> None:
        """Write the page."""
        from odforecast.report.site import write_report

        write_report(path, results=results, replace=True)

    failure = BacktestError(
        "no forecast can be scored yet",
        hint=f"the truth must be published {truth.min_age} months after the months forecast: "
        "start earlier (--start), or use a later release",
    )
    return Answer(
        text=lambda: print_leaderboard(results, extra, every),
        data=lambda: {"meta": dict(results.manifest),
                      "leaderboard": results.leaderboard(by=["vintage", *split])},
        figure=lambda: results.plot(kind=kind),
        page=page,
        notes=_closing(results, perf_counter() - started, out is not None),
        files=[] if out is None else [(lambda: None, f"results: {out}{os.sep}")],
        failure=None if results.scores[label].any() else failure,
    )  # fmt: skip


def open_task(name: str, archive: Path | None) -> Task:
    """The task of that name, or of that file."""
    from odforecast.backtesting import Task
    from odforecast.vintage import archive as opened

    return Task.load(name, None if archive is None else opened(archive))


def _splits(by: str, dataset: str) -> list[str]:
    """What the leaderboard is split by, checked before the work and not after it."""
    names, allowed = _words(by), COUNTY_SPLITS if dataset == COUNTIES else SPLITS
    for name in names:
        if name not in allowed:
            raise BacktestError(f"--by cannot be {name!r}", hint=one_of(name, allowed))
    return names


def _words(text: str | None) -> list[str]:
    """The words of a list with commas."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _origins(
    archive: Path | None, source: str | None, dataset: str, **asked: Any
) -> tuple[list[list[Origin]], dict[str, Any]]:
    """Origins by kind of vintage, and what the plan takes."""
    from odforecast.backtesting import origins
    from odforecast.scoring import Truth

    names = _words(asked["horizons"])
    if wrong := [name for name in names if not name.isascii() or not name.isdigit()]:
        raise BacktestError(
            f"--horizons has {wrong[0]!r}, which is not a number of months", hint="3,6,9,12"
        )
    counties, indicator, day = dataset == COUNTIES, asked["indicator"], asked["truth_as_of"]
    releases = open_source(archive, source)
    panel = releases.as_of(day, dataset).panel(indicator, dataset)
    say_age(panel.release, day, dataset)
    if not counties and "US" not in panel.locations:
        raise BacktestError(
            f"release {panel.release} has no US row, so it cannot be scored against",
            hint="name a better one with --truth-as-of",
        )
    usual = counties and not opt.was_given("min_truth_age")
    age: Any = None if usual else asked["min_truth_age"]
    truth = Truth(panel, asked["truth_name"], age)
    step = asked["step"] or (None if counties else DEFAULT_STEP)
    groups = []
    for kind in _kinds(asked["vintages"], archive is not None, indicator, counties):
        seen = releases
        if kind != VINTAGE_REAL and not counties:
            seen = releases.until(truth.release)
        elif day is not None and counties:
            # The states beside the counties are those of the day: a later release is none.
            seen = releases.until(day)
        span = (asked["start"], asked["end"], step, asked["donors"])
        groups.append(origins(seen, kind, *span, indicator=indicator, dataset=dataset))
    target = asked["target"]
    return groups, {
        "truth": truth,
        "targets": TARGETS if target == "both" else (target,),
        "horizon": asked["horizon"] or DEFAULT_HORIZON,
        "horizons": None if asked["horizons"] is None else tuple(map(int, names)),
        **{key: asked[key] for key in ("locations", "draws", "seed")},
    }


def _named(models: str | None, found: list[Origin], dataset: str) -> list[Model]:
    """The models that are named; by default those for such origins."""
    from odforecast.backtesting import default_models
    from odforecast.models import get_model, model_names

    names: Sequence[str] = _words(models)
    if models is None:
        names = default_models(found)
    elif models == "all":
        names = model_names(dataset)
    return [get_model(name) for name in names]


def _kinds(vintages: str, real: bool, indicator: str, counties: bool) -> tuple[str, ...]:
    """Kinds of vintage to run, in order: what decides comes first."""
    unknown = "counties" if counties and vintages == "pseudo" else ""
    if vintages == "auto":
        vintages = "clean" if counties else "real" if real else "pseudo"
    if vintages == "pseudo" and not counties and indicator_name(indicator) != ALL_DRUGS:
        unknown = repr(indicator)
    if unknown:
        vintages = "clean"
        note(f"the reporting delay of {unknown} is not known: clean pseudo-vintages only")
    return _KINDS[vintages]


def _announced(
    groups: list[list[Origin]], units: list[Unit], truth: Truth, task: Task | None
) -> Iterator[str]:
    """What will be forecast from, and scored against."""
    from odforecast.backtesting.unit import on_screen

    if truth.panel.indicator != ALL_DRUGS:
        yield truth.panel.indicator
    places = number_of(len({s for unit in units for s in unit.locations}), "place")
    for found in groups:
        usable = [o.panel for o in found if o.panel is not None]
        kinds = ", ".join(sorted({o.vintage for o in found}))
        span = " to ".join(dict.fromkeys(str(p.last_month) for p in (*usable[:1], *usable[-1:])))
        yield (f"{number_of(len(usable), 'origin')} ({kinds}{_by(found)}), known through "
               f"{span or 'no month'}; {places}")  # fmt: skip
    yield (f"Final counts: {'provisional, ' if truth.provisional else ''}{truth.kind} in release "
           f"{truth.release}, at least {truth.min_age} months after the month")  # fmt: skip
    for origin in (o for found in groups for o in found if o.panel is None):
        yield f"  no origin {origin.as_of}: {on_screen(origin.reason)}"
    if task is not None:
        yield f"task {task.name} ({task.short})"


def _by(found: list[Origin]) -> str:
    """How many donors their delay comes from, by era."""
    from odforecast.panel import ERAS, era_of

    eras = {
        o.donor: era_of((o.as_of - month_end(o.panel.last_month)).days)
        for o in found
        if o.donor and o.panel is not None
    }
    if not eras:
        return ""
    months = len({str(o.panel.last_month) for o in found if o.panel is not None})
    held = list(eras.values())
    many = ", ".join(f"{held.count(e)} of the {e}-month era" for e in ERAS if e in held)
    return f": {number_of(months, 'month')} by {len(eras)} donor releases, {many}"


def _estimate(units: list[Unit], jobs: int) -> str:
    """Time a unit of each model, the last of the largest, and extrapolate by its places."""
    from odforecast.backtesting import run_unit

    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(u.model.label for u in units):
        mine = [u for u in units if u.model.label == name and u.origin.panel is not None]
        if mine:
            timed = max(reversed(mine), key=lambda u: len(u.locations))
            run_unit(timed)  # the first call pays for imports and compilation
            each = run_unit(timed).seconds / len(timed.locations)
            seconds = each * sum(len(u.locations) for u in mine)
            rows.append({"model": name, "fits": len(mine), "each": seconds / len(mine),
                         "s": seconds})  # fmt: skip
    total = sum(row["s"] for row in rows) / jobs
    words = wrapped(f"{len(units)} units, about {total:.0f} s with {jobs} processes, without "
                    "scoring; nothing written")  # fmt: skip
    return f"{lay(rows, {'model': ''}, _DRY_RUN)}\n{words}" if rows else words


def _run(
    units: list[Unit], task: Task | None, groups: list[list[Origin]], jobs: int, dask: str | None,
    folder: Path | None, quiet: bool,
) -> Results:  # fmt: skip
    """The results, with a bar on a terminal; the same numbers with processes and on a cluster."""
    from odforecast.backtesting import Workers, run_units
    from odforecast.backtesting import backtest as run_backtest
    from odforecast.backtesting.run import bar
    from odforecast.backtesting.workers import connected

    processes: AbstractContextManager[Any] = nullcontext()
    if dask is not None:
        processes = connected(dask, jobs)
    elif jobs > 1:
        processes = Workers(jobs)
    said = {o.reason for found in groups for o in found}
    with (
        processes as executor,
        bar(len(units), quiet or not sys.stderr.isatty(), said) as report,
    ):
        how: dict[str, Any] = {"out": folder, "executor": executor, "progress": report}
        if task is None:
            return run_units(units, **how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its notes, which are said later
            return run_backtest(list(dict.fromkeys(u.model for u in units)), task=task, **how)


def _before(folder: Path | None) -> Mapping[str, Any]:
    """What a folder's manifest says of the run in it; nothing if there is none to read."""
    from odforecast.backtesting import Results

    if folder is not None and (folder / "manifest.json").exists():
        with suppress(BacktestError):
            return Results.load(folder).manifest
    return {}


def _say_notes(results: Results, folder: Path | None, before: Mapping[str, Any]) -> None:
    """Notes of the run, and what an earlier one in its folder had that this one lacks."""
    from odforecast.backtesting.unit import on_screen

    for text in (*results.notes, *results.data_notes):
        note(on_screen(text))
    scores, counties = results.scores, results.manifest.get("dataset") == COUNTIES
    for what in ("model", "location") if counties else ("model",):
        if gone := sorted(set(before.get(f"{what}s") or ()) - set(scores[what])):
            more = ", …" if len(gone) > 3 else ""
            note(f"{folder} had scores of {number_of(len(gone), f'more {what}')} "
                 f"({', '.join(gone[:3])}{more}). Its tables now show this run only. Name those "
                 "again to get them back without new work.")  # fmt: skip


def _closing(results: Results, seconds: float, kept: bool) -> list[str]:
    """How much was done, and what was not."""
    from odforecast.backtesting.unit import on_screen

    scores, failures = results.scores, results.failures
    # Of a count that was suppressed it is known that it is 1 to 9: that can be scored.
    scored = scores["bounded" if "bounded" in scores else "scorable"].astype(bool)
    text = f"{len(scores):,} forecasts in {seconds:.0f} s"
    if not scored.all():
        kinds = scores.loc[~scored, "reason"].str.partition(":")[0].value_counts()
        why = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
        text += f"; {int((~scored).sum()):,} cannot be scored ({why})"
    said = [text]
    if len(failures):
        said.append(f"{len(failures)} failures, the most common reasons:")
        common = failures["reason"].value_counts().head(3)
        said += [f"{n} × {on_screen(str(reason))}" for reason, n in common.items()]
    publication = results.manifest.get("publication") if kept else None
    return said + ([str(publication)] if publication else [])
