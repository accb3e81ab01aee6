"""The nowcast on real releases: is it near the counts as they became, and does its interval hold?

    python benchmarks/bench_nowcast.py
    python benchmarks/bench_nowcast.py --model naive+delay

Every real release in ../shared/data (or where ODFORECAST_SHARED points); truth: reported in the
bundled release, at least 12 months old. By months before the last count, for the nation and the
jurisdictions:

- mean absolute error, in deaths, of the count as reported, of CDC's predicted value, of that
  divided by its own usual ratio to counts 12 to 23 months old, and of the model's median; all on
  the units that have all four;
- mean WIS of the model over the mean absolute revision: below 1 is better than leaving the count
  as it is;
- coverage of the 90% interval: over all counts, and over those that were revised by more than the
  larger of 1 death and 0.2%.

``tables`` takes the scores of any backtest; ``with_predicted`` adds CDC's values to them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.errors import OdforecastError
from odforecast.forecasts.tables import unbiased

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data")) / "vsrr"
#: Columns of errors: what a point nowcast is called, and where its value stands in the scores.
POINTS = {
    "reported": "reported",
    "CDC": "predicted",
    "CDC, cleared": "predicted_unbiased",
    "nowcast": "median",
}


def with_predicted(scores: pd.DataFrame, panels: Iterable[od.Panel]) -> pd.DataFrame:
    """The scores of the nowcast with ``predicted`` and ``predicted_unbiased``.

    Parameters
    ----------
    scores : DataFrame
        ``Results.scores``.
    panels : iterable of Panel
        Those of the origins; a row finds its own by ``data_hash``.

    Returns
    -------
    DataFrame
        Rows of horizons 0 and below; NaN where the release has no predicted value.
    """
    parts = []
    for panel in panels:
        parts.append(
            panel.to_frame()[["location", "month", "predicted"]].assign(
                predicted_unbiased=unbiased(panel.reported, panel.predicted).ravel(),
                data_hash=panel.data_hash,
            )
        )
    said = pd.concat(parts, ignore_index=True).drop_duplicates(["data_hash", "location", "month"])
    keys = {"location": str, "data_hash": str, "month": "datetime64[s]"}
    rows = scores[scores["horizon"] <= 0].astype(keys)
    return rows.merge(said.astype(keys), on=list(keys), how="left", validate="many_to_one")


def tables(scores: pd.DataFrame) -> pd.DataFrame:
    """Errors, relative WIS and coverage by model, level and horizon.

    Parameters
    ----------
    scores : DataFrame
        Of any backtest, with ``reported`` and ``revised``; errors of CDC's values are there
        where :func:`with_predicted` added them.

    Returns
    -------
    DataFrame
        ``model``, ``level``, ``horizon`` (``"all"``: all of them), ``n``, ``n_common`` (units
        that have every point nowcast; NaN without one), a mean absolute error per point nowcast
        over those, ``rel_wis``, ``coverage_90``, ``n_revised``, ``coverage_90_revised``.
    """
    nowcast = (scores["horizon"] <= 0) & scores["scorable"] & scores["reported"].notna()
    rows = scores[nowcast].assign(level=np.where(scores[nowcast]["location"] == "US", "nation",
                                                 "jurisdictions"))  # fmt: skip
    return pd.DataFrame(list(_summaries(rows)))


def _summaries(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    for (model, level), part in rows.groupby(["model", "level"], sort=False, observed=True):
        split = sorted(part.groupby("horizon"), key=lambda item: -int(item[0]))
        for horizon, units in [*split, ("all", part)]:
            yield {"model": model, "level": level, "horizon": str(horizon)} | _summary(units)


def _summary(units: pd.DataFrame) -> dict[str, object]:
    points = {name: column for name, column in POINTS.items() if column in units}
    common = units.dropna(subset=list(points.values()))
    errors = {
        name: (common[column] - common["observed"]).abs().mean() for name, column in points.items()
    }
    moved = units["revised"].astype(bool)
    revision = (units["observed"] - units["reported"]).abs().mean()
    return {"n": len(units), "n_common": len(common)} | errors | {
        "rel_wis": units["wis"].mean() / revision if revision else np.nan,
        "coverage_90": units["cover_90"].mean(),
        "n_revised": int(moved.sum()),
        "coverage_90_revised": units.loc[moved, "cover_90"].mean(),
    }  # fmt: skip


def show(board: pd.DataFrame) -> None:
    """Print one table per model and level, as markdown."""
    points = [name for name in POINTS if name in board]
    titles = [*(f"MAE {name}" for name in points), "WIS / revision", "cov. 90%", "revised only"]
    for (model, level), part in board.groupby(["model", "level"], sort=False):
        print(f"\n**{model}, {level}**\n")
        print("| horizon | counts | with all values | " + " | ".join(titles) + " |")
        print("|---" * (3 + len(titles)) + "|")
        for row in part.to_dict("records"):
            cells = [row["horizon"], f"{row['n']:,}", f"{row['n_common']:,}"]
            cells += ["–" if np.isnan(row[name]) else f"{row[name]:,.1f}" for name in points]
            cells.append("–" if np.isnan(row["rel_wis"]) else f"{row['rel_wis']:.2f}")
            cells.append(f"{100 * row['coverage_90']:.0f}%")
            share = row["coverage_90_revised"]
            cells.append("–" if np.isnan(share) else f"{100 * share:.0f}% of {row['n_revised']:,}")
            print("| " + " | ".join(cells) + " |")


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--model", default="dlm", help="one that nowcasts: dlm, naive+delay")
    arguments.add_argument("--draws", type=int, default=1000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = od.Archive(folder)
        for file in sorted(SHARED.glob("20*")):
            try:
                archive.add(file)
            except OdforecastError as error:
                print(f"left out: {file.name}: {str(error)[:80]}")
        origins = od.origins(archive, "real")
        results = od.backtest(
            [given.model], origins, truth=od.Truth(od.bundled().as_of().panel()),
            draws=given.draws, progress=False,
        )  # fmt: skip
    panels = [o.panel for o in origins if o.panel is not None]
    scores = with_predicted(results.scores, panels)
    if scores.empty:
        raise SystemExit(f"{given.model} has no nowcast: it takes the last counts as reported")
    print(f"{scores[scores['scorable']]['as_of'].nunique()} releases")
    show(tables(scores))


if __name__ == "__main__":
    main()
