"""``odforecast task``: benchmarks as files: list them, show one, enter one, compare results."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import odforecast as od
from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.app import Group
from odforecast.cli.screen import columns, facts, note, wrapped
from odforecast.cli.source import open_task
from odforecast.errors import ArchiveError, BacktestError
from odforecast.say import number_of, quoted

if TYPE_CHECKING:
    from odforecast.backtesting import Board

_NAME = click.argument("name", metavar="NAME|FILE")


@click.group(cls=Group)
def task() -> None:
    """List benchmark tasks, show one, enter one from another program, compare results.

    A task sets what is forecast, the data known on each date, and the final counts to score
    against. odforecast backtest --task NAME runs models on it.
    """


@task.command("list")
@opt.JSON
def list_() -> Answer:
    """List the tasks that come with the package."""
    from odforecast.backtesting.task import read, shipped

    titles = {name: str(read(name)["title"]) for name in shipped()}
    table = columns([[name, title] for name, title in titles.items()])
    return Answer(
        text=f"{table}\n\nDetails: odforecast task show NAME",
        data=[{"name": name, "title": title} for name, title in titles.items()],
    )


@task.command()
@_NAME
@opt.add_options(opt.ARCHIVE, opt.JSON)
def show(name: str, archive: Path | None) -> Answer:
    """Show the definition of a task and its fingerprint.

    The fingerprint is a hash of the definition and of the data: the final counts, and what was
    known at every origin. Scores with the same fingerprint can be compared.
    """
    opened = open_task(name, archive)
    try:
        fingerprint = opened.fingerprint
        n_origins = len(opened.origins)
        missing = ""
        text = f"fingerprint: {opened.short}; {number_of(n_origins, 'origin')}"
    except ArchiveError as error:
        fingerprint = None
        n_origins = 0
        missing = str(error)
        text = f"fingerprint: not known: {missing}"
    return Answer(
        text=f"{facts(opened.definition)}\n\n{wrapped(text)}",
        data={
            "definition": dict(opened.definition),
            "fingerprint": fingerprint,
            "origins": n_origins,
            "missing": missing,
        },
    )


@task.command()
@_NAME
@click.argument("folder", metavar="DIR", type=opt.FOLDER)
@opt.add_options(opt.ARCHIVE, opt.JSON)
def export(name: str, folder: Path, archive: Path | None) -> Answer:
    """Write the data known at each origin, for another program.

    DIR gets a folder per origin, in the form of a hubverse hub: target-data/time-series.csv has the
    counts known then, hub-config/tasks.json the forecasts asked for. A task that was exported there
    before is replaced.
    """
    from odforecast.hub.making import export_task

    opened = open_task(name, archive)
    written = export_task(opened, folder)
    n_origins = sum(origin.panel is not None for origin in opened.origins)
    next_ = (
        "Next: write one hub file of forecasts per origin, named like its folder "
        f"({opened.origin_ids[0]}.csv). Then: odforecast task submit {shlex.quote(name)} YOUR-DIR "
        "--label NAME --out DIR"
    )
    size = number_of(n_origins, "origin")
    text = f"task {opened.name} ({opened.short}): {size}\nwritten: {written}"
    data = {
        "folder": str(written),
        "origins": n_origins,
        "fingerprint": opened.fingerprint,
    }
    return Answer(text, data, notes=[next_])


@task.command()
@_NAME
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE|DIR...",
    type=opt.PATH,
)
@opt.add_options(
    opt.what_option(
        "--label LABEL", required=True, help="Name of the model on a leaderboard."
    ),
    opt.ARCHIVE,
    opt.out("Folder of results.", (), required=True),
    opt.replace(),
    opt.JSON,
)
def submit(
    name: str,
    files: tuple[Path, ...],
    label: str,
    archive: Path | None,
    out: Path,
    replace: bool,
) -> Answer:
    """Check and score forecasts that another program made.

    FILE is a hub file, or a table of medians and intervals as odforecast score reads it; DIR is a
    folder of files. Each file has the forecasts of one origin. Its name is the origin's id from
    odforecast task export, or starts with it. Missing forecasts are listed, and counted on every
    leaderboard. We cannot check that a forecast used only the data known on its day: that is the
    submitter's word.
    """
    from odforecast.backtesting.submission import score_submission

    opened = open_task(name, archive)
    opt.check_folder(
        "--out RESULTS...",
        out,
        replace=replace,
        content="results",
        pattern="(?!units$).*",
        marks=("manifest.json",),
    )
    results = score_submission(opened, _by_origin(opened, files), label=label)
    results.save(out)
    for text in results.notes:
        note(text)
    answer = _board(od.leaderboard(results), {"folder": str(out)})
    answer.files.append((lambda: None, f"results: {out}"))
    return answer


@task.command("leaderboard")
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    type=opt.FOLDER,
)
@opt.JSON
def leaderboard_(folders: tuple[Path, ...]) -> Answer:
    """Compare results of one task on the counts in common.

    RESULTS are your own folders, written by odforecast backtest --task ... --out, or by odforecast
    task submit. Folders with different fingerprints are refused, with the difference.
    """
    board = od.leaderboard(list(folders))
    return _board(board, {"leaderboard": board.to_frame()})


def _board(board: Board, data: dict[str, Any]) -> Answer:
    """A leaderboard, with more data for programs."""
    from odforecast.cli.leaderboard import print_board

    data = {"task": board.task, "entries": board.entries, **data}
    return Answer(text=lambda: print_board(board), data=data)


def _by_origin(task: od.Task, paths: tuple[Path, ...]) -> dict[str, Path]:
    """The file of each origin, by the beginning of its name."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise BacktestError(
                f"no such file or folder: {quoted(str(path))}",
                hint="give your forecast files",
            )
        if not path.is_dir():
            files.append(path)
            continue
        names = [file.name for file in path.iterdir()]
        forecasts = [
            name for name in sorted(names) if name.lower().endswith(opt.HUB_FILES)
        ]
        if not forecasts:
            raise BacktestError(
                f"{path} contains no forecasts", hint=", ".join(opt.HUB_FILES)
            )
        files += [path / name for name in forecasts]
    file_of: dict[str, Path] = {}
    for path in files:
        key = _origin_of(path, task)
        if not key:
            raise BacktestError(
                f"{quoted(path.name)} is not named after an origin of task {task.name}",
                hint=f"name it like the folder of its origin: {task.origin_ids[0]}.csv",
            )
        if key in file_of:
            raise BacktestError(
                f"{file_of[key].name} and {path.name} are both of origin {key}",
                hint="give one",
            )
        file_of[key] = path
    return {key: file_of[key] for key in task.origin_ids if key in file_of}


def _origin_of(path: Path, task: od.Task) -> str:
    """The origin whose id a file's name is, or begins with; empty if there is none."""
    stem = path.name
    for ending in sorted(opt.HUB_FILES, key=len):
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
            break
    for key in sorted(task.origin_ids, key=len, reverse=True):
        if stem == key or stem.startswith(f"{key}-"):
            return key
    return ""
