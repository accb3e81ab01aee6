"""What tests of updates share: two releases on a server, and a page that costs nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from socrata_server import FakeSocrata
from update_server import FIRST, serve

import odforecast as od
from odforecast.errors import ScenarioError
from odforecast.report import scored
from odforecast.updating import Update, update
from odforecast.updating import run as running
from odforecast.vintage.fetch import Socrata


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSocrata]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SOCRATA_APP_TOKEN", raising=False)
    with FakeSocrata([]) as fake:
        yield fake


@pytest.fixture
def quick_page(no_clocks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages hold the words of an update only: what is drawn is tested where it is drawn."""

    def write(path: Path, whole: od.Forecast, locations: tuple, parts: list) -> None:
        said = (p for s in parts for p in (s.title, *s.paragraphs))
        path.write_text("\n".join([f"{whole.select(locations)!r}", *said]))

    monkeypatch.setattr(running, "write_page", write)


@pytest.fixture
def no_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page that scores cooperation: its clocks take a minute."""

    def refuse(*_: object, **__: object) -> None:
        raise ScenarioError("no clock in a test")

    monkeypatch.setattr(scored, "score_cooperation", refuse)


@pytest.fixture
def run(server: FakeSocrata, tmp_path: Path) -> Callable[..., Update]:

    def go(**how: object) -> Update:
        options = {"model": "drift+delay", "draws": 100} | how
        with Socrata(server.url, sleep=lambda _: None, attempts=2) as client:
            return update(tmp_path / "archive", tmp_path / "out", client=client, **options)

    return go


@pytest.fixture
def first(server: FakeSocrata, run: Callable[..., Update]) -> Update:
    serve(server, FIRST)
    return run()
