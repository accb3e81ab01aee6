"""Standard output whose reader may go away: ``odforecast … --out FILE | head``.

What a command writes into files is not lost because nobody reads on: from then on what it prints
is dropped, and it goes on to its end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Lasting:
    """A text stream that takes everything, and drops it once its reader is gone.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or drop."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write, or drop."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what was written, or drop it."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        """From now on into nothing: what is still in a buffer, too."""
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, self._stream.fileno())
        finally:
            os.close(nothing)


@contextmanager
def lasting() -> Iterator[None]:
    """Standard output and error, so that a reader who goes away ends nothing."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Lasting(before[0]), Lasting(before[1])
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError):  # closed meanwhile
                stream.flush()
        sys.stdout, sys.stderr = before
