"""Draw how the national counts were revised, from the real releases beside the repository.

Part of `make figures`. The releases are in ../shared/data (or where ODFORECAST_SHARED points);
without them the figure that is there stays as it is.
"""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

import odforecast as od
from odforecast.errors import DataError
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.revisions import Revisions, revisions

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
OUT = ROOT / "docs" / "_static" / "revisions.svg"


def revision_figure(seen: Revisions, location: str) -> Figure:
    """Each release as it was over the newest one; and how far each was from final."""
    figure = Figure(figsize=(9, 7.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 2))
    od.plot.revision_triangle(seen, location, axes=top)
    od.plot.revision_triangle(seen, location, axes=bottom, kind="percent")
    return figure


def main() -> None:
    tables = {}
    for file in sorted(SHARED.glob("*")):
        if file.suffix == ".json":
            continue
        try:
            loaded = read_vsrr(file)
        except DataError as error:
            print(f"left out: {error}")
            continue
        tables[loaded.release] = loaded.table
    if not tables:
        print(f"no releases in {SHARED}: {OUT.name} stays as it is")
        return
    mpl.rcParams.update({"svg.hashsalt": "odforecast", "svg.fonttype": "none"})
    figure = revision_figure(revisions(od.Archive.in_memory(tables), "US"), "US")
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
