"""Fixtures every test may use."""

import datetime as dt
import gc
import importlib.metadata
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data"))
#: Whether the slow group is asked for.
SLOW = bool(os.environ.get("ODFORECAST_SLOW"))

# What takes seconds to import, in each worker, is not even looked at.
collect_ignore = [] if SLOW else ["models/test_adapters_sktime.py"]
#: Examples in docstrings that take more than a second: the slow group runs them.
SLOW_EXAMPLES = {
    "odforecast.models.adapters.from_sktime",
    "odforecast.plot.scenarios.chances",
    "odforecast.forecasts.forecast.Forecast.part",
    "odforecast.backtesting.board.leaderboard",
    "odforecast.updating.run.Update",
    "odforecast.updating.run.update",
}

# The same examples on every machine, more of them at the gate, and no timing: a slow runner must
# not fail a test.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    max_examples=30 if SLOW else 10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("suite")


# Which package a function is of is asked of every decorated one, and takes half a second. Pytest
# puts a folder at the head of the path with every module: only what is on it matters.
sys.path[:0] = sorted({str(p.parent) for p in Path(__file__).parent.rglob("test_*.py")})
_owners = cache(lambda _path, ask=importlib.metadata.packages_distributions: ask())
importlib.metadata.packages_distributions = lambda: _owners(frozenset(sys.path))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """To look through all that is read here for garbage takes a tenth of the time of all tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """Tests have no examples in their docstrings: nobody looks for any."""
    return [found for found in (yield) if not isinstance(found, DoctestModule)]


def pytest_report_header() -> str:
    """Say it where tests are listed: those left out are only counted."""
    return "slow tests: " + ("run" if SLOW else "left out (make test SLOW=1)")


def pytest_collection_modifyitems(config, items):
    if not SLOW:
        slow = {i for i in items if "slow" in i.keywords or i.name in SLOW_EXAMPLES}
        config.hook.pytest_deselected(items=list(slow))
        items[:] = [item for item in items if item not in slow]


#: Tests outside the slow group that may take more than two seconds, and why.
LONG = {
    "tests/cli/test_cli_data.py::test_export": "writes the whole table in three forms",
    "tests/scenario/test_answer.py::test_the_outcomes_add_up": "projects each pair of priors, for "
    "all tests of its module",
}


def pytest_terminal_summary(terminalreporter):
    """Name other tests that do; nothing fails for it, for a machine may be slow."""
    seconds = Counter()
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        name = getattr(report, "nodeid", "")
        slow = "slow" in getattr(report, "keywords", ()) or name.split("::")[-1] in SLOW_EXAMPLES
        part = hasattr(report, "context")  # a subtest, whose time is in its test's too
        if name not in LONG and not slow and not part:
            seconds[name] += getattr(report, "duration", 0)
    over = [f"{taken:.1f} s {name}" for name, taken in seconds.most_common() if taken > 2]
    if over:
        hint = "More than 2 s: shorten it, mark it slow, or name it in LONG (tests/conftest.py):"
        terminalreporter.write_line("\n".join([hint, *over]))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real published files, read in place; set ODFORECAST_SHARED to move it."""
    if not SHARED.is_dir():
        pytest.skip(f"no real files at {SHARED} (set ODFORECAST_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def vsrr(shared: Path) -> Path:
    return shared / "vsrr"


@pytest.fixture(scope="session")
def panel() -> object:
    """The panel of the first release that ships, 2025-09-17."""
    import odforecast as od

    return od.bundled().as_of("2025-09-17").panel()


@pytest.fixture(scope="session")
def fitted() -> object:
    """``dlm``, fitted to that panel; nothing of it can be changed."""
    import odforecast as od

    return od.get_model("dlm").fit(od.bundled().as_of("2025-09-17").panel())


@pytest.fixture(scope="session")
def newest() -> object:
    """The panel of the newest release that ships, 2026-01-14."""
    import odforecast as od

    return od.bundled().as_of("2026-01-14").panel()


@pytest.fixture(scope="session")
def fitted_newest(newest) -> object:
    """``dlm``, fitted to it."""
    import odforecast as od

    return od.get_model("dlm").fit(newest)


@pytest.fixture(scope="session")
def empty_hub(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A hub of what ships up to 2025-09-17, without submissions; what changes it takes a copy."""
    import odforecast as od

    return od.hub.init(tmp_path_factory.mktemp("hub") / "hub", od.bundled().until("2025-09-17"))


@pytest.fixture(scope="module")
def older_bundle() -> Iterator[None]:
    """What ships without the newest release, for tests whose numbers are those of 2025-09-17."""
    from odforecast.vintage import bundle

    whole, day = bundle._shipped, dt.date.fromisoformat(bundle.BUNDLED_RELEASES[0])
    with patch.object(bundle, "_shipped", lambda: whole().until(day)):
        yield


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A name for each test: to make a numbered folder for each, all others are listed."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(n) for n in itertools.count())


@pytest.fixture(autouse=True)
def own_archive(monkeypatch: pytest.MonkeyPatch, homes: Iterator[Path]) -> Path:
    """The user's own archive, an empty place of this test's; and a screen of known width."""
    home = next(homes)
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.delenv("COLUMNS", raising=False)
    return home / "odforecast" / "archive"
