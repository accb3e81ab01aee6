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
from odforecast.cli.backtest import open_task
from odforecast.cli.screen import columns, facts, note, wrapped
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

    found = {name: str(read(name)["title"]) for name in shipped()}
    return Answer(
        text=f"{columns(list(map(list, found.items())))}\n\nDetails: odforecast task show NAME",
        data=[{"name": name, "title": title} for name, title in found.items()],
    )


@task.command()
@_NAME
@opt.add_options(opt.ARCHIVE, opt.JSON)
def show(name: str, archive: Path | None) -> Answer:
    """Show the definition of a task and its fingerprint.

    The fingerprint is a hash of the definition and of the data: the final counts, and what was
    known at every origin. Scores with the same fingerprint can be compared.
    """
    found = open_task(name, archive)
    try:
        whole = found.fingerprint
        short = found.short
        n = len(found.origins)
        missing = ""
    except ArchiveError as error:
        whole = None
        short = None
        n = 0
        missing = str(error)
    said = f"fingerprint: not known: {missing}" if missing else f"fingerprint: {short}"
    said += "" if missing else f"; {number_of(n, 'origin')}"
    return Answer(
        text=f"{facts(found.definition)}\n\n{wrapped(said)}",
        data={
            "definition": dict(found.definition),
            "fingerprint": whole,
            "origins": n,
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
    from odforecast.hub.task import export_task

    found = open_task(name, archive)
    written = export_task(found, folder)
    n_origins = sum(origin.panel is not None for origin in found.origins)
    next_ = (
        "Next: write one hub file of forecasts per origin, named like its folder "
        f"({found.origin_ids[0]}.csv). Then: odforecast task submit {shlex.quote(name)} YOUR-DIR "
        "--label NAME --out DIR"
    )
    text = (
        f"task {found.name} ({found.short}): {number_of(n_origins, 'origin')}\nwritten: {written}"
    )
    data = {"folder": str(written), "origins": n_origins, "fingerprint": found.fingerprint}
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
    opt.what_option("--label LABEL", required=True, help="Name of the model on a leaderboard."),
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
    leaderboard. We cannot check that a forecast used only the data known on
    its day: that is the submitter's word.
    """
    from odforecast.backtesting.submission import score_submission

    found = open_task(name, archive)
    opt.check_folder(
        "--out RESULTS...",
        out,
        replace=replace,
        content="results",
        pattern="(?!units$).*",
        marks=("manifest.json",),
    )
    results = score_submission(found, _by_origin(found, files), label=label)
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


def _board(board: Board, more: dict[str, Any]) -> Answer:
    """A leaderboard."""
    from odforecast.cli.leaderboard import print_board

    data = {"task": board.task, "entries": board.entries, **more}
    return Answer(text=lambda: print_board(board), data=data)


def _by_origin(task: od.Task, given: tuple[Path, ...]) -> dict[str, Path]:
    """The file of each origin, by the beginning of its name."""
    files: list[Path] = []
    for path in given:
        if not path.exists():
            raise BacktestError(
                f"no such file or folder: {quoted(str(path))}", hint="give your forecast files"
            )
        inside = [path]
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.name.lower().endswith(opt.HUB_FILES))
        if not inside:
            raise BacktestError(f"{path} contains no forecasts", hint=", ".join(opt.HUB_FILES))
        files += inside
    ids = sorted(task.origin_ids, key=len, reverse=True)
    found: dict[str, Path] = {}
    for path in files:
        endings = (x for x in sorted(opt.HUB_FILES, key=len) if path.name.lower().endswith(x))
        stem = path.name[: -len(next(endings, "")) or None]
        key = next((i for i in ids if stem == i or stem.startswith(f"{i}-")), None)
        if key is None:
            raise BacktestError(
                f"{quoted(path.name)} is not named after an origin of task {task.name}",
                hint=f"name it like the folder of its origin: {task.origin_ids[0]}.csv",
            )
        if key in found:
            raise BacktestError(
                f"{found[key].name} and {path.name} are both of origin {key}", hint="give one"
            )
        found[key] = path
    return {key: found[key] for key in task.origin_ids if key in found}
