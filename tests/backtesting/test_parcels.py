"""Panels travel once, and blocks refer to them; nothing else is taken for what was sent."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import toys

from odforecast.backtesting import Workers, cuts, plan, run_unit, workers
from odforecast.backtesting.unit import bound_threads, contained, sole
from odforecast.backtesting.workers import Local, Way, unpacked
from odforecast.errors import BacktestError
from odforecast.scoring import Truth
from odforecast.vintage import bundled


@pytest.fixture(scope="module")
def units():
    panel = replace(bundled().as_of("2025-09-17").panel(), selected=False)
    found = cuts(panel, start="2021-01", end="2021-03")
    return plan([toys.model(name="a"), toys.model(name="b")], found, Truth(panel), draws=20)


def test_each_panel_once_and_units_as_they_were(units):
    put: dict[str, bytes] = {}
    way = Way(None, put=lambda key, data: put.setdefault(key, data))
    first, places = way.pack(units[:3])
    panels = sum(len(data) for data in put.values())
    assert len(put) == len(places) == 4  # three origins, and the truth
    assert way.sent == panels + len(first)
    second, _ = way.pack(units[3:])
    assert len(put) == 4
    # What was sent with each block is a hundredth of what it was.
    assert len(second) < len(pickle.dumps(units[3:])) / 100
    for unit, other in zip(units[:3], unpacked(first, put), strict=True):
        assert other.key == unit.key
        assert other.origin.panel.data_hash == unit.origin.panel.data_hash
        assert list(other.origin.panel.beside) == list(unit.origin.panel.beside)
    # Once read, a panel is shared by all that come after.
    one, other = unpacked(first, {}), unpacked(second, {})
    assert one[0].origin.panel is other[0].origin.panel


def test_only_so_many_panels_are_kept(units, monkeypatch):
    monkeypatch.setattr(workers, "_HELD", OrderedDict())
    monkeypatch.setattr(workers, "BUDGET", 1)
    put: dict[str, bytes] = {}
    data, _ = Way(None, put=lambda key, data: put.setdefault(key, data)).pack(units[:3])
    unpacked(data, put)
    assert len(workers._HELD) == 1


def test_places_that_were_lost_are_filled_again(units):
    puts: list[str] = []

    def put(key, data):
        puts.append(key)
        return len(puts)

    way = Way(None, put=put)
    way.pack(units[:3])
    way.forget()
    _, places = way.pack(units[:1])  # one origin, and the truth
    assert len(puts) == 6
    assert sorted(places.values()) == [5, 6]


@pytest.mark.parametrize(("what", "said"), [("gone", "is gone"), ("changed", "checksum differs")])
def test_another_panel_is_not_taken(units, monkeypatch, tmp_path, what, said):
    monkeypatch.setattr(workers, "_HELD", OrderedDict())

    def put(key, data):
        (tmp_path / key).write_bytes(data[:-1] if what == "changed" else data)
        return str(tmp_path / (f"{key}.gone" if what == "gone" else key))

    data, places = Way(None, put=put).pack(units[:1])
    with pytest.raises(BacktestError, match=said):
        unpacked(data, places)


@pytest.mark.slow
def test_processes_read_from_a_folder_that_is_removed(units, tmp_path):
    with Workers(1) as pool:
        way = Local(pool, tmp_path)
        made = way.submit(units[:1]).result()
        assert [len(list(p.iterdir())) for p in tmp_path.iterdir()] == [2]
        way.close()
    assert list(tmp_path.iterdir()) == []
    here = run_unit(units[0])
    scores = pd.read_parquet(BytesIO(made.tables["scores"]))
    np.testing.assert_array_equal(scores["wis"], here.scores["wis"])


def test_a_model_that_cannot_be_sent_is_the_futures_error(units):
    bad = replace(units[0], model=replace(units[0].model, inner=lambda: None))
    with Workers(1) as pool:
        way = Local(pool)
        with pytest.raises(Exception, match="local object"):
            way.submit([bad]).result()
        folder = Path(way._folder.name)
        way.close()
        assert not folder.exists()
        assert not pool._live


def test_numba_has_one_thread_where_others_share_the_cores():
    import numba

    before = numba.get_num_threads()
    try:
        bound_threads()
        assert numba.get_num_threads() == 1
    finally:
        numba.set_num_threads(before)


def test_the_only_thread_at_work_is_contained(units):
    """A cluster's tasks are not in the main thread; global random states are put back there too."""
    from concurrent.futures import ThreadPoolExecutor

    panel = units[0].seen

    def drawn(alone):
        with contained([panel], 7):
            if alone:
                return np.random.random()  # noqa: NPY002
            return None

    def task():
        with sole():
            return drawn(alone=True)

    with ThreadPoolExecutor(1) as pool:
        first, second = pool.submit(task).result(), pool.submit(task).result()
    assert first == second == drawn(alone=True)
