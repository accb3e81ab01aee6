"""Files that are whole or not there: one way to write for every module."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A hidden file beside ``path`` that takes its place only once it is whole.

    Parameters
    ----------
    path : path
        The file to write. Its folder is made if it is absent.

    Yields
    ------
    Path
        Where to write. If the block raises, the file at ``path`` stays as it was.

    Examples
    --------
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
