"""The public benchmark: run everybody on the tasks, and write the numbers, and the page.

    python tools/make_leaderboard.py                 what is in docs/leaderboard, and the page
    python tools/make_leaderboard.py --quick         a small task and a few models, to try
    python tools/make_leaderboard.py --timings       the seconds per origin of this machine, too

Everybody: the built-in models of states, baselines with the delay layer and without; a model of
sktime and one of StatsForecast by their adapters; the models of a package that is installed apart
(tests/plugin); and a script that knows nothing of odforecast (docs/how-to/outside_model.py), by
the files of `odforecast task export`. Real releases are in --releases DIR, or beside the
repository; without them their task is not run, and the page says so.

Finished forecasts stay in --out and are not made again. The numbers are rounded, and hold nothing
of the machine: two runs write the same bytes. Seconds do not come twice, so they are a file of
their own, written with --timings only.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from board_numbers import (
    markdown,
    read_timings,
    summary_of,
    task_not_run,
    task_summary,
    write_summary,
)
from board_page import board_page
from releases import read_releases

import odforecast as od
from odforecast.backtesting import Results, Workers
from odforecast.backtesting.board import leaderboard
from odforecast.backtesting.submission import score_submission
from odforecast.backtesting.task import Task
from odforecast.errors import ArchiveError, BacktestError, OdforecastError
from odforecast.hub.making import export_task
from odforecast.io import replacing
from odforecast.models import Model, get_model, model_names
from odforecast.names import STATES, VINTAGE_CLEAN, VINTAGE_REAL

ROOT = Path(__file__).resolve().parents[1]
#: What decides comes first.
TASKS = ("states-delayed", "states-real", "states-clean")
QUICK = ("dlm", "hub-baseline", "naive", "naive+delay", "outside")
#: Seconds an origin on one core: as much as all other models together.
SLOW = ("auto-arima", "auto-arima-sums")
_SLOW_REASON = (
    "four seconds an origin, nearly as much as all others together: auto-arima is on the task of "
    "real releases only, fitted to months (--slow puts all of them everywhere)"
)
_HIERARCHY = ("hierarchical", "hierarchical-quick")
_HIERARCHY_REASON = (
    "sampling takes minutes per origin: it audits dlm on few origins, see "
    "docs/models/hierarchical.md"
)
_NO_DELAY = "clean counts are complete, so +delay changes nothing"
OUTSIDE, SCRIPT = "outside", ROOT / "docs" / "how-to" / "outside_model.py"
PLUGIN = ROOT / "tests" / "plugin" / "odforecast-example"
PLUGGED = {"last-quarter", "steady-growth"}
SUMMARY, TIMINGS, TABLES, PAGE = "board.json", "timings.json", "summary.md", "board.html"

LeftOut = list[tuple[str, str, str]]


def built_in(task: Task, slow: bool) -> tuple[list[str], LeftOut]:
    """Labels of the built-in models on a task, and those that are left out with the reason."""
    kind, names, left_out = task.definition["vintages"], [], []
    for name in model_names(STATES):
        model = get_model(name)
        if model.spec.origin != "odforecast":
            continue
        if name in _HIERARCHY:
            left_out.append((task.name, name, _HIERARCHY_REASON))
            continue
        if name in SLOW and not slow and (kind != VINTAGE_REAL or name != SLOW[0]):
            left_out.append((task.name, name, _SLOW_REASON))
            continue
        if name == "cdc-predicted" and kind == VINTAGE_CLEAN:
            left_out.append((task.name, name, "clean counts come without predicted ones"))
            continue
        names.append(name)
        if not model.spec.corrects_delay and name != "cdc-predicted":
            if kind != VINTAGE_CLEAN:
                names.append(f"{name}+delay")
            elif name == "naive":
                left_out.append((task.name, "NAME+delay", _NO_DELAY))
    return names, left_out


def adapted() -> dict[str, tuple[str, Callable[[], Model]]]:
    """Models of other libraries: what they are, and how they are made."""

    def sktime_theta() -> Model:
        from sktime.forecasting.theta import ThetaForecaster

        theta = ThetaForecaster(sp=12)
        return od.models.from_sktime(theta, on="sums", name="sktime-theta-sums", paths="quantiles")

    def statsforecast_dot() -> Model:
        from statsforecast.models import DynamicOptimizedTheta

        return od.models.from_statsforecast(
            DynamicOptimizedTheta(season_length=12), name="statsforecast-dot"
        )

    return {
        "sktime-theta-sums": ("sktime", sktime_theta),
        "statsforecast-dot": ("StatsForecast", statsforecast_dot),
    }


def install_plugin(folder: Path) -> list[str]:
    """Install the example package apart, as anybody would; the names of its models."""
    before = set(model_names(STATES))
    uv = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    source = folder / "source"  # a build leaves files where it is made
    leave = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(PLUGIN, source, ignore=leave)
    target = folder / "installed"
    common = ["--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    if Path(uv).exists():
        how = [uv, "pip", "install", "-q", "--offline", "--python", sys.executable, *common]
    else:
        how = [sys.executable, "-m", "pip", "install", "-q", "--no-index", *common]
    subprocess.run(how, check=True, capture_output=True, text=True)
    sys.path.append(str(target))  # worker processes get it from here
    return [name for name in model_names(STATES) if name not in before]


def outside(task: Task, out: Path) -> Results:
    """Forecasts of a script that reads and writes CSV files, and knows nothing else."""
    with tempfile.TemporaryDirectory() as made:
        exported = export_task(task, Path(made) / "task")
        forecasts = Path(made) / "forecasts"
        subprocess.run([sys.executable, str(SCRIPT), str(exported), str(forecasts)], check=True)
        files = {path.stem: path for path in sorted(forecasts.glob("*.csv"))}
        results = score_submission(task, files, OUTSIDE, "1")
    results.save(out)
    return results


def run_task(
    task: Task,
    wanted: Sequence[str] | None,
    kinds: dict[str, str],
    out: Path,
    executor: Executor | None,
    slow: bool,
) -> tuple[list[Path], LeftOut]:
    """Folders of the results of a task, a model each, and who is not there with the reason."""
    names, left_out = built_in(task, slow)
    makers = adapted()
    plugged = [name for name, kind in kinds.items() if kind == "plug-in"]
    names = [*names, *makers, *plugged, OUTSIDE]
    if wanted is not None:
        left_out = [
            (task.name, name, "not among the models of this task")
            for name in wanted
            if name not in names
        ]
        names = [name for name in names if name in wanted]
    folders = []
    for number, name in enumerate(names, 1):
        folder = out / task.name / re.sub(r"[^A-Za-z0-9+_.-]", "_", name)
        print(f"{task.name} {number}/{len(names)}: {name}", file=sys.stderr, flush=True)
        try:
            if name == OUTSIDE:
                outside(task, folder)
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # what models warn of is in the manifest
                    model = makers[name][1]() if name in makers else get_model(name)
                    task.run([model], out=folder, executor=executor, progress=False)
        except (BacktestError, ImportError, subprocess.CalledProcessError) as error:
            left_out.append((task.name, name, " ".join(str(error).split())[:300]))
            continue
        folders.append(folder)
    return folders, left_out


def seconds_of(task: Task, folders: Sequence[Path]) -> dict[str, Any]:
    """Seconds per origin of each model, as its run measured them."""
    entries = leaderboard(list(folders)).entries
    known = entries[entries["seconds_per_origin"].notna()]
    pairs = zip(known["model"], known["seconds_per_origin"])
    return {
        "fingerprint": task.fingerprint,
        "seconds": {str(m): float(f"{s:.2g}") for m, s in pairs},
    }


def machine(jobs: int) -> str:
    """What the seconds were measured on, in words."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"model name\s*:\s*(.+)", info.read_text())):
        name = found[1].strip()
    return f"{name}, {jobs} processes of one thread, {platform.system()}"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", help="names, commas between them")
    parser.add_argument("--models", help="labels, commas between them; default: all")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "leaderboard")
    parser.add_argument("--docs", type=Path, help="where the numbers go")
    parser.add_argument("--releases", help="folder of real releases")
    parser.add_argument("--quick", action="store_true", help="a small task and a few models")
    parser.add_argument("--slow", action="store_true", help="auto-arima on every task")
    parser.add_argument("--timings", action="store_true", help="write the seconds, too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and write."""
    given = parsed(arguments)
    docs = given.docs or (given.out if given.quick else ROOT / "docs" / "leaderboard")
    names = given.tasks.split(",") if given.tasks else (["quick"] if given.quick else [*TASKS])
    wanted = given.models.split(",") if given.models else ([*QUICK] if given.quick else None)
    real = read_releases(given.releases)
    with tempfile.TemporaryDirectory() as apart, (
        Workers(given.jobs) if given.jobs > 1 else nullcontext()
    ) as executor:  # fmt: skip
        kinds = {name: kind for name, (kind, _) in adapted().items()}
        if wanted is None or not PLUGGED.isdisjoint(wanted):
            kinds |= dict.fromkeys(install_plugin(Path(apart)), "plug-in")
        said, left_out, seconds = [], [], {}
        for name in names:
            task = Task.load(name)
            if task.definition["vintages"] == VINTAGE_REAL and real is not None:
                task = Task.load(task, real)
            try:
                folders, gone = run_task(
                    task, wanted, kinds, given.out, executor, given.slow or wanted is not None
                )
            except ArchiveError as error:
                said.append(task_not_run(task, str(error)))
                continue
            left_out += gone
            if not folders:
                raise SystemExit(f"{name}: no model could be run: {gone}")
            said.append(task_summary(leaderboard(list(folders)), kinds))
            if given.timings:
                seconds[name] = seconds_of(task, folders)
    command = "make leaderboard" if not given.quick else "make leaderboard QUICK=1"
    summary = summary_of(said, left_out, [command])
    write(docs, given.out, summary, seconds, given)


def write(
    docs: Path, out: Path, summary: dict[str, Any], seconds: dict[str, Any], given: Any
) -> None:
    """The numbers, the tables for the docs, and the page."""
    docs.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    if given.timings:
        with replacing(docs / TIMINGS) as part:
            said = {"machine": machine(given.jobs), "tasks": seconds}
            part.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    timings = read_timings(docs / TIMINGS)
    write_summary(summary, docs / SUMMARY)
    with replacing(docs / TABLES) as part:
        part.write_text(markdown(summary, timings), encoding="utf-8", newline="\n")
    with replacing(out / PAGE) as part:
        part.write_text(board_page(summary, timings), encoding="utf-8", newline="\n")
    for task in summary["tasks"]:
        what = f"{len(task['models'])} models" if task["run"] else f"not run: {task['reason']}"
        print(f"{task['name']}: {what}")
    print(f"numbers: {docs / SUMMARY}\npage: {out / PAGE}")


if __name__ == "__main__":
    try:
        main()
    except OdforecastError as problem:
        raise SystemExit(f"error: {problem}") from problem
