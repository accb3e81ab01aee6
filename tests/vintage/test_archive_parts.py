"""One indicator is read without the others, and checked as strictly as the whole."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import odforecast as od
from odforecast.errors import ArchiveError, PanelError
from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.archive import Archive

DATE = "2025-09-17"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    table = od.bundled().as_of(DATE).table
    table.to_parquet(tmp_path / f"{DATE}.parquet")
    store = Archive(tmp_path / "archive")
    store.add(read_vsrr(tmp_path / f"{DATE}.parquet"))
    return store


@pytest.mark.parametrize("indicator", [ALL_DRUGS, SYNTHETIC_OPIOIDS])
def test_one_indicator_is_a_slice_of_the_whole(archive: Archive, indicator: str) -> None:
    whole = archive.as_of(DATE)
    part = archive.as_of(DATE).rows(indicator)
    expected = whole.table[whole.table["indicator"] == indicator].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, expected)
    pd.testing.assert_frame_equal(od.bundled().as_of(DATE).rows(indicator), expected)
    assert whole.data_hash == archive.data_hash(DATE)


def test_an_indicator_that_is_not_there_has_no_rows(archive: Archive) -> None:
    for store in (archive, od.bundled()):
        assert store.release(DATE, "Cocaine (T40.5)").empty
        with pytest.raises(PanelError, match="it has: Number of Drug Overdose Deaths"):
            store.as_of(DATE).panel("cocaine")


def test_files_without_parts_are_read_too(archive: Archive) -> None:
    (file,) = archive.path.glob(f"dataset=states/release={DATE}.*.parquet")
    arrow = pq.read_table(file)
    meta = json.loads(arrow.schema.metadata[b"odforecast"])
    del meta["parts"]
    old = arrow.replace_schema_metadata({b"odforecast": json.dumps(meta).encode()})
    expected = archive.release(DATE, ALL_DRUGS)
    pq.write_table(old, file)
    pd.testing.assert_frame_equal(archive.release(DATE, ALL_DRUGS), expected)


def test_a_changed_cell_is_seen_in_the_part_it_is_in(archive: Archive) -> None:
    (file,) = archive.path.glob(f"dataset=states/release={DATE}.*.parquet")
    arrow = pq.read_table(file)
    table = arrow.to_pandas()
    table.loc[0, "reported"] += 1
    pq.write_table(
        pa.Table.from_pandas(table, schema=arrow.schema, preserve_index=False),
        file,
        row_group_size=len(table) // 2,
    )
    with pytest.raises(ArchiveError, match="not as it was written"):
        archive.release(DATE, ALL_DRUGS)
