"""Who wants to know how far a long fit is: nobody, unless told so. Numbers never hang on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Is told what is done, how many steps of it are, and of how many.
Watcher = Callable[[str, int, int], None]

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(tell: Watcher) -> Iterator[None]:
    """Have the fits within told to somebody.

    Parameters
    ----------
    tell : callable
        Gets what is done, steps done, and steps in all; from another thread, perhaps.

    Examples
    --------
    >>> seen = []
    >>> with watching(lambda *step: seen.append(step)):
    ...     watcher()("sampling", 5, 10)
    >>> seen, watcher() is None
    ([('sampling', 5, 10)], True)
    """
    token = _WATCHER.set(tell)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def watcher() -> Watcher | None:
    """Who is told, if anybody is; a model asks before it samples."""
    return _WATCHER.get()
