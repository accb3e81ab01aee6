"""The folder of a run: whose results it holds, one run at a time, its scratch space."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


NAME = "run.lock"
#: Windows alone has it: no translation of line ends.
_BINARY = getattr(os, "O_BINARY", 0)


@contextlib.contextmanager
def locked(folder: Path, what: str = "backtest") -> Iterator[None]:
    """Hold a folder: a file in it names this process, its host and when it started.

    A lock whose process is gone (killed, or another one has its number now) is taken over. That
    of another host is respected, for nobody can see from here whether that run is alive.

    Parameters
    ----------
    folder : Path
    what : str
        What runs, for the message.

    Raises
    ------
    BacktestError
        If another run holds the folder, or it cannot be written to.
    """
    path = folder / NAME
    left = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _opened(path)
    except OSError as error:
        raise BacktestError(f"cannot write to {folder}: {error.strerror or error}") from error
    if descriptor is None:
        raise _taken(folder, {}, what)
    try:
        if (holder := _holder(descriptor)) is not None:
            raise _taken(folder, holder, what)
        me = {"pid": os.getpid(), "host": socket.gethostname(), "started": _started(os.getpid())}
        try:
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps(me).encode())
        except OSError as error:
            raise BacktestError(f"cannot write to {folder}: {error.strerror or error}") from error
        try:
            yield
        finally:
            try:
                path.unlink(missing_ok=True)
            except PermissionError:  # Windows: not while it is open
                left = True
    finally:
        os.close(descriptor)
        if left:
            # Should it stay, it names a process that is gone, and is taken over.
            with contextlib.suppress(OSError):
                path.unlink()


def _opened(path: Path) -> int | None:
    """The lock file, held by the kernel for us while we live; None if another has it.

    The kernel's lock keeps two runs from taking over one stale file at the same moment.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
        try:
            import fcntl
        except ImportError:  # no such locks on Windows: the names in the file must do
            return descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:  # a file system without locks
            return descriptor
        with contextlib.suppress(OSError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)  # its holder has just removed it: once more


def _holder(descriptor: int) -> dict[str, Any] | None:
    """Who is named in the file, if that may be a run in progress."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        named = json.loads(os.read(descriptor, 4096))
        pid, host = int(named["pid"]), str(named["host"])
    except (ValueError, KeyError, TypeError):
        return None  # empty, or torn by the end of a run
    if host != socket.gethostname():
        return dict(named)
    same = named.get("started") in ("", None) or named["started"] == _started(pid)
    return dict(named) if pid > 0 and _alive(pid) and same else None


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        return False  # asking would end it; there, a lock is only as good as its removal
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _started(pid: int) -> str:
    """When a process started, by the kernel's clock; empty where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _taken(folder: Path, holder: dict[str, Any], what: str) -> BacktestError:
    if not holder:
        with contextlib.suppress(OSError, ValueError):
            holder = dict(json.loads((folder / NAME).read_text()))
    who = ""
    if holder:
        who = f" (process {holder.get('pid', '?')} on {holder.get('host', '?')})"
    return BacktestError(
        f"another {what} is running into {folder}{who}",
        hint=f"wait for it, or use another folder; if it is over, delete {folder / NAME}",
    )
