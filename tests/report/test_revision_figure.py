"""The revision figure: every release drawn, and refused where nothing was revised."""

from __future__ import annotations

import numpy as np
import pytest

import odforecast as od
from odforecast.errors import ArchiveError
from odforecast.report.revision_figure import revision_figure
from odforecast.vintage.revisions import Revisions, revisions


def test_every_release_is_drawn_and_the_newest_is_the_line() -> None:
    one = revisions(od.bundled(), "US")
    rows = np.stack([one.reported[0] * f for f in (0.97, 0.99, 1.0)])
    rows[0, :, -10:] = np.nan
    dates = tuple(
        np.array(["2024-11-13", "2025-05-14", "2025-09-17"], dtype="datetime64[D]").tolist()
    )
    seen = Revisions(
        one.indicator, dates, one.locations, one.months, rows, rows, ("a", "b", "c"), ()
    )
    top, bottom = revision_figure(seen, "US").axes
    labels = [text.get_text() for text in top.get_legend().get_texts()]
    assert labels == ["2024-11-13", "2025-05-14", "2025-09-17 (the line)"]
    np.testing.assert_array_equal(top.lines[0].get_ydata(), rows[2, 0])
    lines = [line for line in bottom.lines if len(line.get_xdata()) > 2]
    assert len(lines) == 2
    np.testing.assert_allclose(lines[0].get_ydata(), -3.0)


def test_one_release_shows_no_revision() -> None:
    with pytest.raises(ArchiveError, match="1 release with counts of United States"):
        revision_figure(revisions(od.bundled().until("2025-09-17"), "US"))
