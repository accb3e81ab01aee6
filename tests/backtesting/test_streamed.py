"""Results that go through a folder: the same tables, whatever their size, and little in memory."""

from __future__ import annotations

import pickle
import tempfile
from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest
import toys
from toys import same, undivided

from odforecast.backtesting import Results, cuts, plan, run_unit, run_units
from odforecast.backtesting import results as tables
from odforecast.errors import BacktestError
from odforecast.models import Model
from odforecast.names import TARGET_12MO, TARGET_MONTH
from odforecast.scoring import Truth
from odforecast.vintage import bundled


@pytest.fixture(scope="module")
def units():
    panel = replace(bundled().as_of("2025-09-17").panel().select(["WY", "US", "OH"]),
                    selected=False)  # fmt: skip
    narrow = panel.select(["OH", "WV"]) if "WV" in panel.locations else panel.select(["OH", "US"])
    found = cuts(panel, start="2021-02", end="2021-03")
    few = cuts(narrow, start="2021-04", end="2021-04")
    unknown = Model(toys.Toy("unknown"), "unknown")
    object.__setattr__(unknown.inner, "spec", replace(unknown.spec, origin=""))
    models = [toys.by_state, "naive", toys.model(toys.dislikes_two, "partly"), unknown]
    return plan(models, [*found, *few], Truth(panel), draws=20,
                targets=(TARGET_12MO, TARGET_MONTH))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 1 << 15])
def test_equal_to_the_units_tables_one_below_the_other(units, tmp_path, monkeypatch, rows):
    """Types, order and categories too; failures, and models of unknown code, among them."""
    monkeypatch.setattr(tables, "ROWS", rows)
    made = run_units(units, out=tmp_path)
    outcomes = [run_unit(u) for u in undivided(units)]
    for name in ("scores", "quantiles", "failures"):
        parts = [t for o in outcomes if not (t := getattr(o, name)).empty]
        whole = pd.concat([t.astype({"model": str}) for t in parts], ignore_index=True)
        found = getattr(made, name)
        pd.testing.assert_frame_equal(
            found.astype({"model": str}), whole, check_exact=True, check_dtype=False,
            check_categorical=False,
        )  # fmt: skip
    same(Results.load(tmp_path), made)
    groups = pq.ParquetFile(tmp_path / "quantiles.parquet").num_row_groups
    assert groups > 10 if rows == 1 else groups >= 1
    # What was not to be reused is gone with its run.
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    assert not [p for p in (tmp_path / "units").iterdir()
                if p.name == f"model={units[-1].model.spec.hash}"]  # fmt: skip


def test_without_a_folder_a_temporary_one_goes_with_the_results(units, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tables, "ROWS", 1)
    results = run_units(units[-2:])
    (folder,) = tmp_path.iterdir()
    assert str(folder) not in repr(results)
    copied = pickle.loads(pickle.dumps(results))
    part = results.select("US")
    kept = results.scores
    del results
    assert list(tmp_path.iterdir()) == []
    same(copied.scores, kept)
    assert len(part.scores) < len(copied.quantiles)
    with pytest.raises(BacktestError, match="every unit failed"):
        run_units([replace(u, model=toys.model(toys.exits)) for u in units[-2:]])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_same_bytes_after_a_run_in_parts(units, tmp_path):
    run_units(units, out=tmp_path / "once")
    for part in (units[2:5], units):
        run_units(part, out=tmp_path / "parts")
    for name in ("scores", "quantiles", "failures"):
        one, other = ((tmp_path / d / f"{name}.parquet").read_bytes() for d in ("once", "parts"))
        assert one == other, name


def test_a_later_run_changes_no_small_results(units, tmp_path):
    first = run_units(units[-2:], out=tmp_path)
    before = first.scores.copy()
    run_units(units[:4], out=tmp_path)
    pd.testing.assert_frame_equal(first.scores, before)


def test_large_tables_are_read_when_they_are_asked_for(units, tmp_path, monkeypatch):
    monkeypatch.setattr("odforecast.backtesting.results.ROWS", 1)
    results = run_units(units[-2:], out=tmp_path)
    assert results._tables == {} or set(results._tables) == {"failures"}
    assert repr(results).startswith("<Results: 1 model")
    run_units(units[:4], out=tmp_path)
    with pytest.raises(BacktestError, match="was changed after the run"):
        _ = results.scores


def test_what_a_killed_run_left_is_removed(units, tmp_path):
    left = tmp_path / ".run-abc" / "units" / "model=x"
    left.mkdir(parents=True)
    (left / "block.json").write_text("{}")
    run_units(units[-2:], out=tmp_path)
    assert not (tmp_path / ".run-abc").exists()
