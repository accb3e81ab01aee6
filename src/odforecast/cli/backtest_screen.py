"""What ``odforecast backtest`` says before and after its work, and its picture."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from odforecast.backtesting import Origin, Results, Unit, run_unit
from odforecast.backtesting.results import BASELINE
from odforecast.backtesting.unit import on_screen
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.months import month_end
from odforecast.names import ALL_DRUGS, COUNTIES, TARGET_12MO, deciding_kind
from odforecast.panel import ERAS, era_of
from odforecast.scoring import Truth


def announce(screen: Console, found: list[Origin], truth: Truth, n_locations: int) -> None:
    """What will be forecast from, and scored against."""
    usable = [o.panel for o in found if o.panel is not None]
    kinds = ", ".join(sorted({o.vintage for o in found}))
    span = f"{usable[0].last_month}..{usable[-1].last_month}" if usable else "none"
    if truth.panel.indicator != ALL_DRUGS:
        screen.print(truth.panel.indicator, highlight=False)
    screen.print(
        f"{len(usable)} origins ({kinds}{_by(found)}), last known months {span}; "
        f"{n_locations} locations; "
        f"{'provisional ' if truth.provisional else ''}truth: {truth.kind} in release "
        f"{truth.release}, months at least {truth.min_age} "
        "months old",
        highlight=False,
    )
    for origin in found:
        if origin.panel is None:
            reason = on_screen(origin.reason)
            screen.print(f"  no origin {origin.as_of}: {reason}", highlight=False)


def _by(found: list[Origin]) -> str:
    """How many donors their delay comes from, by era."""
    if not (named := {o.donor: o for o in found if o.donor}):
        return ""
    months = {str(o.panel.last_month) for o in found if o.panel is not None}
    eras = [
        era_of((o.as_of - month_end(o.panel.last_month)).days)
        for o in named.values()
        if o.panel is not None
    ]
    many = ", ".join(f"{eras.count(e)} of the {e}-month era" for e in ERAS if e in eras)
    plural = "" if len(months) == 1 else "s"
    return f": {len(months)} month{plural} by {len(named)} donor releases, {many}"


def estimate(screen: Console, units: list[Unit], jobs: int) -> None:
    """Time a unit of each model, the last of the largest, and extrapolate by its places."""
    total = 0.0
    table = Table("model", "fits", "s per fit", "s in all")
    for name in dict.fromkeys(u.model.label for u in units):
        mine = [u for u in units if u.model.label == name and u.origin.panel is not None]
        if mine:
            timed = max(reversed(mine), key=lambda u: len(u.locations))
            run_unit(timed)  # the first call pays for imports and compilation
            each = run_unit(timed).seconds / len(timed.locations)
            seconds = each * sum(len(u.locations) for u in mine)
            total += seconds
            table.add_row(name, str(len(mine)), f"{seconds / len(mine):.2f}", f"{seconds:.1f}")
    screen.print(table)
    screen.print(
        f"{len(units)} units, about {total / jobs:.0f} s on {jobs} processes, scoring left out; "
        "nothing written"
    )


def picture(results: Results, path: Path) -> str:
    """Draw what decides: the first kind of vintage, of 12-month counts if there are any."""
    import odforecast.plot as plots

    kind = deciding_kind(results.scores["vintage"])
    scores = results.scores[results.scores["vintage"] == kind]
    targets = set(scores["target"])
    target = TARGET_12MO if TARGET_12MO in targets else min(targets)
    scores = scores[scores["target"] == target]
    if results.manifest.get("dataset") == COUNTIES:
        axes = plots.coverage(scores)
    elif BASELINE in set(scores["model"]):
        board = results.leaderboard(by=["vintage", "target", "level", "horizon_group"])
        ahead = board["horizon_group"].astype(str) != "nowcast"
        board = board[(board["vintage"] == kind) & (board["target"] == target) & ahead]
        axes = plots.skill(board.drop(columns=["vintage", "target"]))
    else:
        axes = plots.coverage(scores)
    plots.save(axes, path)
    return kind


def closing(screen: Console, results: Results, seconds: float, out: Path | None) -> None:
    """How much was done, what was not, and where it is."""
    # Of a count that was suppressed it is known that it is 1 to 9: that can be scored.
    known = "bounded" if "bounded" in results.scores else "scorable"
    unscored = int((~results.scores[known]).sum())
    text = f"{len(results.scores):,} forecasts in {seconds:.0f} s; {unscored:,} not scorable"
    if unscored:
        reasons = results.scores.loc[~results.scores[known], "reason"]
        kinds = reasons.str.partition(":")[0].value_counts()
        text += " (" + ", ".join(f"{n:,} {k}" for k, n in kinds.items()) + ")"
    screen.print(text, highlight=False)
    if len(results.failures):
        screen.print(f"{len(results.failures)} failures, the commonest reasons:")
        for reason, n in results.failures["reason"].value_counts().head(3).items():
            screen.print(f"  {n} × {on_screen(str(reason))}", highlight=False)
    if out is not None:
        with replacing(out / "leaderboard.csv") as part:
            results.leaderboard().to_csv(part, index=False)
        screen.print(f"results: {out}{os.sep}", highlight=False, soft_wrap=True)
        if said := results.manifest.get("publication"):
            screen.print(str(said), highlight=False)


def held_by(out: Path | None) -> tuple[list[str], list[str]]:
    """Models and locations of the run that a folder holds; none if there is none to read."""
    held: Mapping[str, object] = {}
    if out is not None and (out / "manifest.json").exists():
        with contextlib.suppress(BacktestError):
            held = Results.load(out).manifest
    models, places = held.get("models"), held.get("locations")
    return (
        [str(name) for name in models] if isinstance(models, dict) else [],
        [str(place) for place in places] if isinstance(places, list) else [],
    )
