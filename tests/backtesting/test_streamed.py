"""Results that go through a folder: the same tables, whatever their size, and little in memory."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pyarrow.parquet as pq
import pytest
import toys
from toys import same

from odforecast.backtesting import Results, cuts, plan, run_units
from odforecast.backtesting import run as tables
from odforecast.backtesting.run import Finished
from odforecast.backtesting.unit import made
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


@pytest.mark.parametrize("rows", [1, 1 << 15])
def test_equal_to_what_is_put_together_in_memory(units, tmp_path, monkeypatch, rows):
    """Types, order and categories too; failures, and models of unknown code, among them."""
    monkeypatch.setattr(tables, "ROWS", rows)
    made, kept = run_units(units, out=tmp_path), run_units(units)
    assert not kept.failures.empty
    same(made, kept)
    same(Results.load(tmp_path), kept)
    assert {k: v for k, v in made.manifest.items() if k != "model_seconds"} == {
        k: v for k, v in kept.manifest.items() if k != "model_seconds"
    }
    groups = pq.ParquetFile(tmp_path / "quantiles.parquet").num_row_groups
    assert groups > 10 if rows == 1 else groups >= 1
    # What was not to be reused is gone with its run.
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    assert not [p for p in (tmp_path / "units").iterdir()
                if p.name == f"model={units[-1].model.spec.hash}"]  # fmt: skip


def test_the_same_bytes_after_a_run_in_parts(units, tmp_path):
    run_units(units, out=tmp_path / "once")
    for part in (units[2:5], units):
        run_units(part, out=tmp_path / "parts")
    for name in ("scores", "quantiles", "failures"):
        one, other = ((tmp_path / d / f"{name}.parquet").read_bytes() for d in ("once", "parts"))
        assert one == other, name


def test_nothing_but_failures_is_held(units, tmp_path):
    finished = Finished(units, tmp_path, tmp_path / "own")
    good = [i for i, u in enumerate(units) if u.model.label == "naive"][:3]
    block = made([units[i] for i in good])
    finished.add(good, block)
    assert not any(d.failed for d in finished._done.values())
    assert len(finished) == 3
    assert finished.stored(good[0])
    assert finished._done[good[0]].seconds == block.outcomes[0].seconds


def test_a_later_run_changes_no_small_results(units, tmp_path):
    first = run_units(units[-2:], out=tmp_path)
    before = first.scores.copy()
    run_units(units[:4], out=tmp_path)
    pd.testing.assert_frame_equal(first.scores, before)


def test_large_tables_are_read_when_they_are_asked_for(units, tmp_path, monkeypatch):
    monkeypatch.setattr("odforecast.backtesting.run.ROWS", 1)
    results = run_units(units[-2:], out=tmp_path)
    assert results._tables == {} or set(results._tables) == {"failures"}
    assert repr(results).startswith("<Results: 1 model")
    run_units(units[:4], out=tmp_path)
    with pytest.raises(BacktestError, match="is not as the run wrote it"):
        _ = results.scores


def test_what_a_killed_run_left_is_removed(units, tmp_path):
    left = tmp_path / ".run-abc" / "units" / "model=x"
    left.mkdir(parents=True)
    (left / "block.json").write_text("{}")
    run_units(units[-2:], out=tmp_path)
    assert not (tmp_path / ".run-abc").exists()
