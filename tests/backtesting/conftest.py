"""Panels, truths and origins of a module: of its ``STATES``, in its ``SPAN`` of months."""

from dataclasses import replace

import pytest

import odforecast as od
from odforecast.backtesting import Workers, cuts


@pytest.fixture(scope="module")
def panel(request):
    """Some places as if there were no others: not a selection, so that any model takes them."""
    states = getattr(request.module, "STATES", ("US", "OH"))
    return replace(od.bundled().as_of("2025-09-17").panel().select(states), selected=False)


@pytest.fixture(scope="module")
def truth(panel):
    return od.Truth(panel)


@pytest.fixture(scope="module")
def found(panel, request):
    start, end, step = getattr(request.module, "SPAN", ("2021-01", "2021-03", 1))
    return cuts(panel, start=start, end=end, step=step)


@pytest.fixture(scope="module")
def pool():
    """One worker for the whole module: it is replaced when it dies, and by nobody else."""
    with Workers(1) as workers:
        yield workers
