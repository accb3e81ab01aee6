"""``odforecast task``: benchmarks as files: list them, look at one, take part, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.meant import Group
from odforecast.cli.options import FOLDER, archive_option, json_option, out_option, replace_option
from odforecast.cli.screen import columns, note, say
from odforecast.cli.written import print_json, records
from odforecast.errors import ArchiveError, BacktestError
from odforecast.say import number_of, of_path, quoted

if TYPE_CHECKING:
    from odforecast.backtesting.results import Results
    from odforecast.backtesting.task import Task

#: Endings of files of forecasts.
_ENDINGS = (".csv", ".csv.gz", ".parquet")
_NAME = click.argument("name", metavar="NAME|FILE")


@click.group(cls=Group)
def task() -> None:
    """Benchmarks as files: list them, show one, take part from another program, compare.

    A task says what is forecast, from what was known on which days, and what counts as the truth.
    odforecast backtest --task NAME runs models on it.
    """


@task.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the tasks that ship with the package."""
    from odforecast.backtesting.task import read, shipped

    found = {name: read(name) for name in shipped()}
    if as_json:
        print_json([{"name": n, "title": d["title"]} for n, d in found.items()])
        return
    click.echo(columns([[n, str(d["title"])] for n, d in found.items()]))
    click.echo("\nLook at one: odforecast task show NAME")


@task.command()
@_NAME
@archive_option
@json_option
def show(name: str, archive: Path | None, as_json: bool) -> None:
    """Show what a task says, and its fingerprint.

    The fingerprint is a hash of the definition and of the data: the truth, and what was known at
    every origin. Scores can be compared where it is the same.
    """
    found = _task(name, archive)
    try:
        short, n, missing = found.short, len(found.origins), ""
    except ArchiveError as error:
        short, n, missing = None, 0, str(error)
    if as_json:
        whole = None if missing else found.fingerprint
        print_json(
            {
                "definition": dict(found.definition),
                "fingerprint": whole,
                "origins": n,
                "missing": missing,
            }
        )
        return
    click.echo(columns([[key, _shown(value)] for key, value in found.definition.items()]))
    click.echo()
    if missing:
        say(f"fingerprint: not known: {missing}")
    else:
        click.echo(f"fingerprint: {short}")
        click.echo(f"origins: {n}")


@task.command()
@_NAME
@click.argument("folder", metavar="DIR", type=FOLDER)
@archive_option
@json_option
def export(name: str, folder: Path, archive: Path | None, as_json: bool) -> None:
    """Write what was known at each origin as CSV, for a model that lives elsewhere.

    DIR gets a file per origin of what was known, a file per origin of what is asked for, and the
    list of origins. An exported task that is there is replaced.
    """
    from odforecast.backtesting.submission import export as write

    found = _task(name, archive)
    out = write(found, folder)
    n = sum(o.panel is not None for o in found.origins)
    if as_json:
        print_json({"folder": str(out), "origins": n, "fingerprint": found.fingerprint})
        return
    click.echo(f"task {found.name} ({found.short}): {number_of(n, 'origin')}")
    click.echo(f"written: {out}")
    say(
        "Write one file of forecasts per origin, named by its id in origins.csv, in the form of "
        f"template.csv; then: odforecast task submit {found.name} YOUR-DIR --label NAME --out DIR"
    )


@task.command()
@_NAME
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR...",
                type=click.Path(path_type=Path))  # fmt: skip
@click.option("--label", metavar="LABEL", required=True,
              help="What the model is called on a leaderboard.")  # fmt: skip
@click.option("--model-version", metavar="TEXT", default="submitted", show_default=True,
              help="Version of the model, for people.")  # fmt: skip
@archive_option
@out_option("Results folder.", folder=True, required=True)
@replace_option
@json_option
def submit(
    name: str,
    files: tuple[Path, ...],
    label: str,
    model_version: str,
    archive: Path | None,
    out: Path,
    replace: bool,
    as_json: bool,
) -> None:
    """Check and score hub files that another program made for a task.

    Each file holds the forecasts of one origin; its name is the origin's id of odforecast task
    export, or begins with it. What is missing is listed, and counted on every leaderboard. That
    a forecast was made from what was known on its day is the submitter's word.
    """
    from odforecast.backtesting.submission import score_submission
    from odforecast.hub import read_hub
    from odforecast.names import HUB_QUANTILES

    found = _task(name, archive)
    _check_out(out, replace)
    by_origin = _by_origin(found, files)
    tables = {}
    for key, path in by_origin.items():
        _check_head(path)
        tables[key] = read_hub(path, levels=HUB_QUANTILES)
    files_of = {key: path.name for key, path in by_origin.items()}
    results = score_submission(found, tables, label, model_version, files=files_of)
    results.save(out)
    for text in results.notes:
        note(text)
    _said(results, out, as_json)


@task.command("leaderboard")
@click.argument("folders", nargs=-1, required=True, metavar="RESULTS...", type=FOLDER)
@json_option
def leaderboard_(folders: tuple[Path, ...], as_json: bool) -> None:
    """Compare results of one task, from one or more folders, on common counts.

    RESULTS are folders of odforecast backtest --task ... --out, and of odforecast task submit.
    Folders of tasks with two fingerprints are refused, with what differs.
    """
    from rich.console import Console

    from odforecast.backtesting.board import leaderboard
    from odforecast.cli.board_tables import print_board

    board = leaderboard(list(folders))
    if as_json:
        print_json(
            {
                "task": board.task,
                "entries": records(board.entries),
                "leaderboard": records(board.to_frame()),
            }
        )
        return
    print_board(Console(markup=False, emoji=False), board)


def _task(name: str, archive: Path | None) -> Task:
    from odforecast.backtesting.task import Task
    from odforecast.vintage import archive as opened

    return Task.load(name, None if archive is None else opened(archive))


def _shown(value: Any) -> str:
    """A value of a definition in words."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        first = list(value.items())[:4]
        more = f", … ({len(value)})" if len(value) > len(first) else ""
        return ", ".join(f"{k} {_shown(v)}" for k, v in first) + more
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_out(out: Path, replace: bool) -> None:
    """Refuse a folder that holds something already."""
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / "manifest.json").exists() or (out / "units").exists():
        raise click.UsageError(f"--out {out} holds other things; give a folder of its own")
    if not replace:
        raise click.UsageError(f"--out {out} holds results already; --replace takes their place")


def _by_origin(task: Task, given: tuple[Path, ...]) -> dict[str, Path]:
    """The file of each origin, by the beginning of its name."""
    files: list[Path] = []
    for path in given:
        if not path.exists():
            raise BacktestError(
                f"no such file or folder: {quoted(str(path))}", hint="give your files of forecasts"
            )
        if path.is_dir():
            held = sorted(p for p in path.iterdir() if p.name.lower().endswith(_ENDINGS))
            if not held:
                raise BacktestError(f"{path} holds no forecasts", hint=f"{', '.join(_ENDINGS)}")
            files += held
        else:
            files.append(path)
    ids = sorted(task.origin_ids, key=len, reverse=True)
    out: dict[str, Path] = {}
    for path in files:
        stem = path.name
        for ending in sorted(_ENDINGS, key=len, reverse=True):
            if stem.lower().endswith(ending):
                stem = stem[: -len(ending)]
                break
        key = next((i for i in ids if stem == i or stem.startswith(f"{i}-")), None)
        if key is None:
            raise BacktestError(
                f"{quoted(path.name)} names no origin of task {task.name}",
                hint=f"name it as in origins.csv, such as {task.origin_ids[0]}.csv",
            )
        if key in out:
            raise BacktestError(
                f"{out[key].name} and {path.name} are both of origin {key}", hint="give one"
            )
        out[key] = path
    return {key: out[key] for key in task.origin_ids if key in out}


def _check_head(path: Path) -> None:
    """Refuse a CSV file whose columns are parted by something else than commas."""
    import gzip

    if not path.name.lower().endswith((".csv", ".csv.gz")):
        return
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace") as handle:
            head = handle.readline(10_000).strip()
    except (OSError, EOFError):
        return  # read_hub says what is wrong with it
    if "," in head:
        return
    for mark, word in ((";", "semicolons"), ("\t", "tabs")):
        if mark in head:
            found = ", ".join(name.strip(" \"'") for name in head.split(mark))
            raise BacktestError(
                f"{of_path(str(path))}: its columns are parted by {word}: {quoted(found)}",
                hint="write it with commas between columns, and points in decimals",
            )


def _said(results: Results, out: Path, as_json: bool) -> None:
    from rich.console import Console

    from odforecast.backtesting.board import leaderboard
    from odforecast.cli.board_tables import print_board

    board = leaderboard(results)
    if as_json:
        print_json({"task": board.task, "entries": records(board.entries), "folder": str(out)})
        return
    print_board(Console(markup=False, emoji=False), board)
    click.echo(f"results: {out}")
