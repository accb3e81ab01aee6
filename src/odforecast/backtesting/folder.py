"""The folder of a run: whose results it holds, what a killed run left there, its scratch space."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from odforecast.errors import BacktestError

#: How the name of a run's own folder begins.
_SCRATCH = ".run-"


def same_task(folder: Path, more: Mapping[str, object]) -> None:
    """Refuse to replace the results of a task by those of another one, or of none.

    Raises
    ------
    BacktestError
    """
    try:
        held = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):  # nothing there, or nothing that is worth keeping
        return
    if not isinstance(held, dict):
        return
    there, ours = _named(held), _named(more)
    if (there and there[1]) != (ours and ours[1]):  # a name and a title say nothing
        raise BacktestError(
            f"{folder} holds the results of {_said(there)}, and this is a run of {_said(ours)}: "
            "its tables would be replaced",
            hint="give another folder",
        )


def _named(manifest: Mapping[str, object]) -> tuple[str, str] | None:
    """Name and fingerprint of the task that a manifest speaks of."""
    said = manifest.get("task")
    if not isinstance(said, Mapping):
        return None
    return str(said.get("name")), str(said.get("fingerprint"))


def _said(task: tuple[str, str] | None) -> str:
    return "no task" if task is None else f"task {task[0]} ({task[1][:12]})"


def tidy(folder: Path) -> None:
    """Remove what a killed run had begun to write; nobody else writes here now."""
    for pattern in (".*.parquet.*.tmp", ".*.json.*.tmp", ".*.csv.*.tmp"):
        for part in (*folder.glob(pattern), *folder.glob(f"units/model=*/{pattern}")):
            part.unlink(missing_ok=True)
    for left in folder.glob(f"{_SCRATCH}*/"):
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder for what only this run needs; what a killed one left is removed by the next."""
    try:
        made = tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        raise BacktestError(f"cannot write to {folder}: {error.strerror or error}") from error
    with made as path:
        yield Path(path)
