"""``odforecast backtest``: forecast from every origin, score, and print the leaderboard."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

import odforecast as od
from odforecast import names
from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.screen import note, say
from odforecast.cli.source import SOURCES, open_source, say_age
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.months import month_end
from odforecast.names import ALL_DRUGS, COUNTIES, VINTAGE_CLEAN, VINTAGE_DELAYED, VINTAGE_REAL
from odforecast.say import number_of

if TYPE_CHECKING:
    from odforecast.backtesting import Origin, Unit
    from odforecast.models import Model

#: Months between the pseudo-vintages of a run of states that does not say. With the default
#: models every month takes a quarter of an hour on two cores. What is missing from a release
#: hangs on the calendar month: 5 has no factor in common with 12, and so sees all twelve.
DEFAULT_STEP = 5
#: Options that a task says, by their parameters; and what a plan takes of a task.
_OF_TASK = (
    "source",
    "dataset",
    "locations",
    "start",
    "end",
    "step",
    "donors",
    "horizon",
    "draws",
    "seed",
    "indicator",
    "vintages",
    "truth_as_of",
    "min_truth_age",
)
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


@opt.command()
@opt.together(
    opt.what(
        "--models NAMES",
        help="Models, with commas; 'all' for every one.  [default: dlm, the hub "
        "baseline and classical ones; for counties: county and its baselines]",
    ),
    opt.what(
        "--task NAME|FILE",
        "task_name",
        help="Run a benchmark, which sets everything but the models: odforecast task list.",
    ),
    opt.LOCATIONS,
    opt.START,
    opt.END,
    opt.what(
        "--step MONTHS",
        type=click.IntRange(min=1),
        help=f"Months between origins.  [default: {DEFAULT_STEP}; for counties "
        f"{names.COUNTY_STEP}]",
    ),
    opt.what(
        "--vintages",
        type=click.Choice(["auto", *_KINDS]),
        default="auto",
        more=True,
        help="Past data to forecast from: real releases, or one release cut at "
        "each month, with the reporting delay of other releases (delayed), without delay "
        "(clean), or both (pseudo). auto: real with --archive, otherwise pseudo; for counties "
        "clean.",
    ),
    opt.DATASET,
    opt.INDICATOR,
    opt.horizon(),
    opt.what(
        "--donors N",
        default=names.DEFAULT_DONORS,
        more=True,
        help="Number of releases from which each month's delay is taken.",
    ),
    SOURCES,
    opt.TRUTH_AS_OF,
    opt.MIN_TRUTH_AGE,
    opt.output("--all", "every", help="Print every table of the run."),
    opt.JSON,
    opt.PLOT,
    opt.HTML,
    opt.out("Folder of results. What it already contains is not computed again.", ()),
    opt.details(
        "--jobs N",
        default=os.cpu_count() or 1,
        show_default="processors",
        help="Number of processes.",
    ),
    opt.details(
        "--dask ADDRESS",
        more=True,
        help="Run on a Dask cluster: its scheduler's address, tcp://HOST:8786; or local, "
        "for one with --jobs processes on this machine.",
    ),
    opt.DRAWS,
    opt.SEED,
)
def backtest(
    models: str | None,
    task_name: str | None,
    dataset: str,
    every: bool,
    jobs: int,
    dask: str | None,
    out: Path | None,
    **asked: Any,
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
    from odforecast.backtesting.results import BASELINE
    from odforecast.cli.leaderboard import print_leaderboard

    if task_name is None:
        task = None
        groups, arguments = _origins(dataset, **asked)
    else:
        opt.refuse("is set by the task: leave it out, or write your own task", *_OF_TASK)
        task = open_task(task_name)
        dataset = task.definition["dataset"]
        whole = task.arguments()
        groups = [task.origins]
        arguments = {key: whole[key] for key in _PLANNED}
    counties = dataset == COUNTIES
    truth = arguments["truth"]
    units = [
        u
        for found in groups
        for u in plan(_named(models, found, dataset=dataset), found, **arguments)
    ]
    for text in _announced(groups, units, truth=truth, task=task):
        say(text, err=opt.given("as_json"), indent="    ")
    started = perf_counter()
    before = _before(out)
    said = {origin.reason for found in groups for origin in found}
    results = _run(
        units,
        said,
        more={} if task is None else {"task": task.manifest},
        jobs=jobs,
        dask=dask,
        folder=out,
    )
    _say_notes(results, out, before=before)
    if out is not None:
        with replacing(out / "leaderboard.csv") as part:
            results.leaderboard().to_csv(part, index=False)
    split = ["horizon"] if counties else ["level", "horizon_group"]
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
        text=lambda: print_leaderboard(results, every),
        data=lambda: {
            "meta": dict(results.manifest),
            "leaderboard": results.leaderboard(by=["vintage", *split]),
        },
        figure=lambda: results.plot(kind=kind),
        page=page,
        notes=_closing(results, perf_counter() - started, kept=out is not None),
        files=[] if out is None else [(lambda: None, f"results: {out}{os.sep}")],
        failure=None if results.scores["bounded" if counties else "scorable"].any() else failure,
    )


def open_task(name: str) -> od.Task:
    """The task of that name, or of that file."""
    archive = opt.given("archive")
    return od.Task.load(name, None if archive is None else od.archive(archive))


def _origins(
    dataset: str,
    *,
    indicator: str,
    truth_as_of: Any,
    min_truth_age: int,
    vintages: str,
    step: int | None,
    start: str | None,
    end: str | None,
    donors: int,
    horizon: int | None,
    **planned: Any,
) -> tuple[list[list[Origin]], dict[str, Any]]:
    """Origins by kind of vintage, and what the plan takes."""
    counties = dataset == COUNTIES
    day = truth_as_of
    releases = open_source()
    panel = releases.as_of(day, dataset).panel(indicator, dataset)
    say_age(panel.release, day, dataset=dataset)
    if not counties and "US" not in panel.locations:
        raise BacktestError(
            f"release {panel.release} has no US row, so it cannot be scored against",
            hint="name a better one with --truth-as-of",
        )
    usual = counties and not opt.was_given("min_truth_age")
    truth = od.Truth(panel) if usual else od.Truth(panel, min_age=min_truth_age)
    groups = []
    for kind in _kinds(vintages, indicator, counties=counties):
        seen = releases
        if kind != VINTAGE_REAL and not counties:
            seen = releases.until(truth.release)
        elif day is not None and counties:
            # The states beside the counties are those of the day: a later release is none.
            seen = releases.until(day)
        span = (start, end, step or (None if counties else DEFAULT_STEP), donors)
        groups.append(od.origins(seen, kind, *span, indicator=indicator, dataset=dataset))
    arguments = {key: planned[key] for key in ("locations", "draws", "seed")}
    return groups, {"truth": truth, "horizon": horizon or names.DEFAULT_HORIZON, **arguments}


def _named(models: str | None, found: list[Origin], dataset: str) -> list[Model]:
    """The models that are named; by default those for such origins."""
    from odforecast.backtesting import default_models
    from odforecast.models import model_names

    names: Sequence[str] = [word.strip() for word in (models or "").split(",") if word.strip()]
    if models is None:
        names = default_models(found)
    elif models == "all":
        names = model_names(dataset)
    return [od.get_model(name) for name in names]


def _kinds(vintages: str, indicator: str, counties: bool) -> tuple[str, ...]:
    """Kinds of vintage to run, in order: what decides comes first."""
    unknown = "counties" if counties and vintages == "pseudo" else ""
    if vintages == "auto":
        vintages = "clean" if counties else "real" if opt.given("archive") else "pseudo"
    if vintages == "pseudo" and not counties and names.indicator_name(indicator) != ALL_DRUGS:
        unknown = repr(indicator)
    if unknown:
        vintages = "clean"
        note(f"the reporting delay of {unknown} is not known: clean pseudo-vintages only")
    return _KINDS[vintages]


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
    places = number_of(len({s for unit in units for s in unit.locations}), "place")
    for found in groups:
        usable = [o.panel for o in found if o.panel is not None]
        kinds = ", ".join(sorted({o.vintage for o in found}))
        span = " to ".join(dict.fromkeys(str(p.last_month) for p in (*usable[:1], *usable[-1:])))
        yield (
            f"{number_of(len(usable), 'origin')} ({kinds}{_by(found)}), known through "
            f"{span or 'no month'}; {places}"
        )
    yield (
        f"Final counts: {'provisional, ' if truth.provisional else ''}{truth.kind} in release "
        f"{truth.release}, at least {truth.min_age} months after the month"
    )
    for origin in (o for found in groups for o in found if o.panel is None):
        yield f"  no origin {origin.as_of}: {on_screen(origin.reason)}"
    if task is not None:
        yield f"task {task.name} ({task.short})"


def _by(found: list[Origin]) -> str:
    """How many donors their delay comes from, by era."""
    from odforecast.panel import ERAS, era_of

    found = [o for o in found if o.panel is not None]
    known = {o: o.panel.last_month for o in found if o.panel is not None}
    eras = {o.donor: era_of((o.as_of - month_end(known[o])).days) for o in found if o.donor}
    if not eras:
        return ""
    months = len(set(map(str, known.values())))
    held = list(eras.values())
    many = ", ".join(f"{held.count(e)} of the {e}-month era" for e in ERAS if e in held)
    return f": {number_of(months, 'month')} by {len(eras)} donor releases, {many}"


def _run(
    units: list[Unit],
    said: set[str],
    more: dict[str, Any],
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
    with processes as executor, bar(len(units), not sys.stderr.isatty(), said) as report:
        return run_units(
            units,
            out=folder,
            executor=executor,
            progress=report,
            more=more,
        )


def _before(folder: Path | None) -> Mapping[str, Any]:
    """What a folder's manifest says of the run in it; nothing if there is none to read."""
    if folder is not None and (folder / "manifest.json").exists():
        with suppress(BacktestError):
            return od.Results.load(folder).manifest
    return {}


def _say_notes(results: od.Results, folder: Path | None, before: Mapping[str, Any]) -> None:
    """Notes of the run, and what an earlier one in its folder had that this one lacks."""
    from odforecast.backtesting.unit import on_screen

    for text in (*results.notes, *results.data_notes):
        note(on_screen(text))
    scores = results.scores
    counties = results.manifest.get("dataset") == COUNTIES
    for what in ("model", "location") if counties else ("model",):
        if gone := sorted(set(before.get(f"{what}s") or ()) - set(scores[what])):
            more = ", …" if len(gone) > 3 else ""
            note(
                f"{folder} had scores of {number_of(len(gone), f'more {what}')} "
                f"({', '.join(gone[:3])}{more}). Its tables now show this run only. Name those "
                "again to get them back without new work."
            )


def _closing(results: od.Results, seconds: float, kept: bool) -> list[str]:
    """How much was done, and what was not."""
    from odforecast.backtesting.unit import on_screen

    scores = results.scores
    failures = results.failures
    # Of a count that was suppressed it is known that it is 1 to 9: that can be scored.
    scored = scores["bounded" if "bounded" in scores else "scorable"].astype(bool)
    late = int((scores["horizon"] < 1).sum())
    nowcasts = f" and {number_of(late, 'nowcast')}" if late else ""
    text = f"{number_of(len(scores) - late, 'forecast')}{nowcasts} in {seconds:.0f} s"
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
