"""Archives of real releases."""

import pytest

import odforecast as od
from odforecast.sources.vsrr import read_vsrr


@pytest.fixture(scope="module")
def store(request, shared, tmp_path_factory) -> od.Archive:
    """The releases that a module names in ``RELEASES``."""
    made = od.Archive(tmp_path_factory.mktemp("archive"))
    for name in request.module.RELEASES:
        made.add(read_vsrr(shared / "vsrr" / name))
    return made


@pytest.fixture(scope="module")
def releases(store) -> od.Archive:
    """The same, with the bundled one beneath."""
    return store.above(od.bundled())
