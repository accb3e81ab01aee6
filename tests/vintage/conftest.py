"""Real releases, read once for all tests of vintages; servers on this machine."""

import pytest

import odforecast as od
from odforecast.errors import DataError
from odforecast.sources.vsrr import read_vsrr


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SOCRATA_APP_TOKEN", raising=False)


@pytest.fixture(scope="session")
def real(vsrr) -> od.Archive:
    """Every release that can be read, parts of releases too."""
    tables = {}
    for file in sorted([*vsrr.glob("20*"), *vsrr.with_name("unread").glob("20*")]):
        try:
            loaded = read_vsrr(file)
        except DataError:
            assert "appended" in file.name or "metadata" in file.name
            continue
        tables[loaded.release] = loaded.table
    return od.Archive.in_memory(tables)
