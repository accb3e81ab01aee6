"""Containing a model: what it prints, warns, raises and changes stays with its own unit.

A model may be anybody's. What can be contained in a process is contained here; what cannot be
(``os._exit``, a crash of the interpreter, memory without end) only ends a worker process: see
:mod:`odforecast.backtesting.dispatch`.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from odforecast.errors import BacktestError
from odforecast.names import COUNTIES
from odforecast.panel import LAYERS, Panel, Triangle

#: Kinds of warnings kept per unit, and characters of each.
_KINDS, _LENGTH = 5, 300
#: Whether this thread, though not the main one, is the only one at work in its process.
_SOLE: ContextVar[bool] = ContextVar("sole", default=False)


@dataclass
class Said:
    """What a model said while it was contained.

    Attributes
    ----------
    counts : Counter of str
        Warnings, by text.
    """

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each kind of warning once, with how often; the rest as one line."""
        lines = [f"{text} (×{n})" if n > 1 else text for text, n in self.counts.most_common(_KINDS)]
        rest = len(self.counts) - _KINDS
        return (*lines, f"and {rest} other warnings") if rest > 0 else tuple(lines)


class _Sink(io.TextIOBase):
    """A text stream that takes everything and keeps nothing."""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


@contextmanager
def contained(panels: Sequence[Panel], seed: int) -> Iterator[Said]:
    """Run somebody's model inside; what it says is in the result, what it changed is put back.

    Warnings are counted, not shown. What is printed is dropped. numpy's and Python's global
    random states begin at ``seed``, so that a model that uses them gives the same numbers in
    every order of units, and are put back afterwards, like numpy's error settings.

    Printing, warnings and global random states belong to the process, not to a thread, so they
    are contained where the unit runs in the main thread, or in the only one at work
    (:func:`sole`): in this process, and in every process of a pool or a cluster; not on an
    executor of threads.

    Parameters
    ----------
    panels : sequence of Panel
        What the model is given; their arrays are read-only.
    seed : int
        For the global random states.

    Raises
    ------
    BacktestError
        If the model changed a panel all the same: its numbers, or what its attributes are. All
        is put back first.
    """
    said = Said()
    with ExitStack() as stack:
        # One BLAS thread: sums in another order differ in their last digits, and a unit must
        # give the same numbers in a process of its own as in this one.
        stack.enter_context(_libraries().limit(limits=1, user_api="blas"))
        stack.enter_context(np.errstate())
        if threading.current_thread() is threading.main_thread() or _SOLE.get():
            stack.enter_context(redirect_stdout(_Sink()))
            if not sys.stderr.isatty():  # where the bar is drawn meanwhile
                stack.enter_context(redirect_stderr(_Sink()))
            stack.enter_context(_random_states(seed))
            stack.enter_context(_counted(said))
        kept = [_Kept(part) for panel in panels for part in _parts(panel)]
        changed = False
        try:
            yield said
        finally:
            # Panels are shared between units: the next one must not see this one's changes.
            for part in kept:
                changed |= part.put_back()
        if changed:
            raise BacktestError("the model changed its panel")


#: Numerical libraries of this process, and how many modules there were when they were looked for.
_found: tuple[int, ThreadpoolController] | None = None


def _libraries() -> ThreadpoolController:
    """The libraries that are loaded. To look for them takes longer than to score a forecast, and
    there are others only after something was imported.
    """
    global _found
    if _found is None or _found[0] != len(sys.modules):
        _found = len(sys.modules), ThreadpoolController()
    return _found[1]


#: Held by the only thread at work.
_AT_WORK = threading.Lock()


@contextmanager
def sole() -> Iterator[None]:
    """One thread at a time in this process: what a cluster's worker needs, whose tasks run in
    threads beside its own.
    """
    with _AT_WORK:
        token = _SOLE.set(True)
        try:
            yield
        finally:
            _SOLE.reset(token)


def bound_threads() -> None:
    """One thread for numba's parallel loops in this process, which others share the cores with.

    BLAS is bound in :func:`contained`. Sums in another order differ in their last digits, too.
    """
    numba = sys.modules.get("numba")
    if numba is None:
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    elif numba.config.NUMBA_NUM_THREADS > 1:
        numba.set_num_threads(1)


def must_stop(error: BaseException) -> bool:
    """Whether an error is the user's Ctrl-C in this process, not the model's doing."""
    return isinstance(error, KeyboardInterrupt) and multiprocessing.parent_process() is None


#: On threads, what a panel works out only once must not be worked out twice.
_ONCE = threading.Lock()


def _parts(panel: Panel, months: bool = True) -> Iterator[Panel | Triangle]:
    """A panel and all that hangs on it, with what it caches.

    Months are recovered beforehand, once for all units: of the panel, and of the states beside
    counties. Of the other panels beside no model here reads them, and it takes 27 ms.
    """
    with _ONCE:
        _ = panel.data_hash, panel.all_deaths
        if months:
            _ = panel.monthly
    yield panel
    if panel.triangle is not None:
        yield panel.triangle
    for beside in panel.beside.values():  # beside the states of counties stands another
        yield from _parts(beside, months=panel.dataset == COUNTIES)


#: Where a panel remembers its months.
_RECOVERED = "_recovered"


class _Kept:
    """A panel or triangle as it was: its attributes, and the numbers in its arrays."""

    def __init__(self, part: Panel | Triangle) -> None:
        self.part = part
        self.attributes = dict(vars(part))
        arrays: list[Any] = [part.reported]
        if isinstance(part, Triangle):
            arrays += part.layers.values()
        self.problems: tuple[dict[str, str], dict[str, str]] | None = None
        if isinstance(part, Panel):
            arrays += [part.months, part.all_deaths]
            arrays += [getattr(part, name) for name in LAYERS]
            if _RECOVERED in self.attributes:
                months, problems = part._recovered
                arrays.append(months)
                self.problems = problems, dict(problems)
        self.arrays = [(a, a.shape, a.dtype, a.tobytes()) for a in arrays]

    def put_back(self) -> bool:
        """Undo what was changed; whether anything was."""
        now, changed = vars(self.part), False
        # Worked out within: compared, below, with what comes of the panel as it was.
        within = None if _RECOVERED in self.attributes else now.pop(_RECOVERED, None)
        if now.keys() != self.attributes.keys() or not all(
            # A hash may have been worked out by two threads.
            now[name] is value or (isinstance(value, str) and now[name] == value)
            for name, value in self.attributes.items()
        ):
            changed = True
            now.clear()
            now.update(self.attributes)
        if self.problems is not None and self.problems[0] != self.problems[1]:
            changed = True
            self.problems[0].clear()
            self.problems[0].update(self.problems[1])
        for array, shape, dtype, before in self.arrays:
            if (array.shape, array.dtype, array.tobytes()) != (shape, dtype, before):
                changed = True
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    array.dtype, array.shape = dtype, shape
                array.flags.writeable = True
                array[...] = np.frombuffer(before, dtype).reshape(shape)
            array.flags.writeable = False
        if within is not None and isinstance(self.part, Panel):
            changed |= not _equal(within, self.part._recovered)
        return changed


def _equal(one: Any, other: tuple[Any, dict[str, str]]) -> bool:
    """Whether months and what is wrong with them are the same, bit for bit."""
    try:
        (months, problems), (wanted, known) = one, other
        return bool(months.tobytes() == wanted.tobytes() and problems == known)
    except (AttributeError, TypeError, ValueError):  # put there by the model
        return False


@contextmanager
def _random_states(seed: int) -> Iterator[None]:
    ours, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(ours)  # noqa: NPY002
        random.setstate(pythons)


@contextmanager
def _counted(said: Said) -> Iterator[None]:
    def count(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        text = f"{category.__name__}: {' '.join(str(message).split())}"[:_LENGTH]
        # Ten thousand different texts would be as bad as ten thousand lines.
        if text in said.counts or len(said.counts) < 10 * _KINDS:
            said.counts[text] += 1
        else:
            said.counts["other warnings"] += 1

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = count
        yield
