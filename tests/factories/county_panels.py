"""Panels of counties for tests: the real release where it is there, and a small made-up state."""

import os
from functools import cache
from pathlib import Path

import odforecast as od
from odforecast.panel import Panel
from odforecast.sources.county import read_county
from odforecast.vintage.vintage import county_panel

SHARED = Path(os.environ.get("ODFORECAST_SHARED", Path(__file__).parents[3] / "shared" / "data"))
FILE = SHARED / "county" / "2023-10-08.csv.gz"


@cache
def real_counties() -> Panel:
    """The release of 2023-10-08, with the bundled states beside it."""
    states = od.bundled().as_of().panel()
    return county_panel(read_county(FILE).table, states.as_of, states)
