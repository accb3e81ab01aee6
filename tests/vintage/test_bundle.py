from __future__ import annotations

import pandas as pd
import pytest

import odforecast as od
from odforecast.names import COUNTIES
from odforecast.sources.release import read_release
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.bundle import BUNDLED_RELEASE, BUNDLED_RELEASES, bundled

OLDER = "2025-09-17"
#: The files that the releases were read from, beneath ../shared/data.
FILES = {
    "2025-09-17": "bundled/figures_2025-09-17.csv",
    "2026-01-14": "unread/2026-01-14.csv.gz",
    "2023-10-08": "county/2023-10-08.csv.gz",
}


def test_what_ships():
    archive = bundled()
    assert tuple(map(str, archive.releases())) == BUNDLED_RELEASES == (OLDER, "2026-01-14")
    assert tuple(map(str, archive.releases(COUNTIES))) == ("2023-10-08",)
    for own in (archive, od.archive()):
        assert str(own.as_of().date) == BUNDLED_RELEASE
        assert own.as_of().note is None
    assert list(archive.quarantined().index) == []
    for row in archive.to_frame().itertuples():
        assert (row.kind, row.basis) == ("bundled", "known")


@pytest.mark.slow
@pytest.mark.parametrize("day", FILES)
def test_every_number_and_status_is_that_of_the_file(shared, day):
    loaded = read_release(shared / FILES[day])
    dataset = COUNTIES if "county" in FILES[day] else "states"
    archive = bundled()
    held = archive.release(day, None, dataset)
    pd.testing.assert_frame_equal(held, loaded.table)
    alone = od.Archive.in_memory(*[{day: held}, {}][:: 1 if dataset == "states" else -1])
    assert archive.data_hash(day, dataset) == alone.data_hash(day, dataset)
    sha256 = loaded.sha256 if dataset == COUNTIES else loaded.report.sha256
    assert archive.origin(day, dataset).sha256 == sha256


def test_each_caller_has_its_own(vsrr):
    mine, theirs = bundled(), bundled()
    seen = mine.as_of()
    seen.table["reported"] = 0.0
    mine.add(read_vsrr(vsrr / "2017-12-13.csv"))
    assert len(mine.releases()) == 3
    assert len(theirs.releases()) == 2
    assert theirs.as_of().table["reported"].max() > 100_000
