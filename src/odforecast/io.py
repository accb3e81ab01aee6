"""Files that are whole or not there, and a folder where compiled code can be kept."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A hidden file beside ``path`` that takes its place only once it is whole; folders are made.

    If the block raises, the file at ``path`` stays as it was.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(target) as part:
    ...     _ = part.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield temp
        os.replace(temp, path)
    except OSError as error:
        if str(error.filename) == str(temp):
            error.filename = str(path)  # the name that was asked for
        raise
    finally:
        temp.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside ``path`` that takes its place, with all that was in it, once whole."""
    token = secrets.token_hex(4)
    part, old = (
        path.with_name(f".{path.name}.{token}.{end}") for end in ("part", "old")
    )
    try:
        part.mkdir(parents=True)
        yield part
        if path.exists():
            path.rename(old)
        try:
            part.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def find_room() -> None:
    """Give numba a temporary folder where it has no other."""
    package = os.path.join(os.path.dirname(__file__), "__pycache__")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    usual = (os.environ.get("NUMBA_CACHE_DIR"), package, os.path.join(home, "numba"))
    if any(map(_writable, usual)):
        return
    import tempfile

    # One for all processes of a user, and nobody else's: what lies there is run.
    user = os.getuid() if hasattr(os, "getuid") else os.getpid()
    folder = os.path.join(tempfile.gettempdir(), f"odforecast-{user}")
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        status = os.lstat(folder)
        if status.st_uid != user or status.st_mode & 0o170077 != 0o040000:
            folder = tempfile.mkdtemp(prefix="odforecast-")
    except OSError:
        return  # numba says itself that there is no room
    os.environ["NUMBA_CACHE_DIR"] = folder
    if (numba := sys.modules.get("numba")) is not None:
        numba.config.CACHE_DIR = folder


def _writable(path: str | None) -> bool:
    """Whether a folder can be made there, or be written to."""
    if not path:
        return False
    while not os.path.lexists(path):
        path = os.path.dirname(os.path.abspath(path))
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)
