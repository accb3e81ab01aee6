"""Exposure: how much of an effect each location feels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from odforecast.errors import DataError, ScenarioError, UnknownNameError
from odforecast.geography.places import code_of, lookup
from odforecast.months import Months, to_month
from odforecast.panel import Floats, Panel
from odforecast.scenario.intervention import NATION, REST, Exposure
from odforecast.sources.columns import BadCell, Column, Table
from odforecast.sources.read import read_raw

#: A share older than this many months says nothing about today's supply.
MAX_AGE = 24


def share_name(short: str) -> str:
    """Name of the table of a class's shares in all overdose deaths."""
    return "fentanyl-share" if short == "T40.4" else f"{short}-share"


def fentanyl_share(
    all_drugs: Panel,
    synthetic: Panel,
    max_age: int = MAX_AGE,
    *,
    fill: str = "none",
    month: object | None = None,
) -> dict[str, float]:
    """Share of overdose deaths that involve synthetic opioids (T40.4), by location.

    Parameters
    ----------
    all_drugs, synthetic : Panel
        Both indicators of one release, seen at one date: what was known at the origin.
    max_age : int
        T40.4 is suppressed or late in some states: the newest month both counts have is
        taken, if it is at most this many months before the panel's last.
    fill : {"none", "region"}
        What a location without a share gets: nothing, or the pooled share of the other
        locations of its census region (a judgement; Louisiana and Pennsylvania have none); of
        all of them for Puerto Rico, which lies in no region.
    month : month, optional
        Counts up to this month only. Default: all.

    Returns
    -------
    dict of str to float
        Location to share of 12-month-ending deaths; a location without a recent share is
        not in it.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.names import ALL_DRUGS, SYNTHETIC_OPIOIDS
    >>> panels = [od.bundled().as_of().panel(i).select(["US"])
    ...           for i in (ALL_DRUGS, SYNTHETIC_OPIOIDS)]
    >>> round(od.scenario.fentanyl_share(*panels)["US"], 3)
    0.557
    """
    if all_drugs.release != synthetic.release or all_drugs.as_of != synthetic.as_of:
        raise ScenarioError(
            f"a share needs two counts of one release, got {all_drugs!r} and {synthetic!r}",
            hint="build both panels from the same archive and date",
        )
    months = np.intersect1d(all_drugs.months, synthetic.months)
    last = all_drugs.last_month
    last = last if month is None else min(to_month(month), last)
    ages = (last - months).astype(int)
    months = months[(ages >= 0) & (ages <= max_age)]
    if fill not in ("none", "region"):
        raise ScenarioError(f"fill is {fill!r}, allowed: none, region")
    shares: dict[str, float] = {}
    for state in all_drugs.locations:
        if state not in synthetic.locations:
            continue
        top = _row(synthetic, state, months)
        ratio = top / _row(all_drugs, state, months)
        seen = np.flatnonzero(np.isfinite(ratio))
        if seen.size:
            # T40.4 is part of all drugs; small counts revised apart may pass one by a hair.
            shares[state] = float(min(ratio[seen[-1]], 1.0))
    if fill == "region":
        shares |= _regional(all_drugs, shares, int((last - all_drugs.months[0]).astype(int)))
    return shares


def _regional(panel: Panel, shares: Mapping[str, float], column: int) -> dict[str, float]:
    """Pooled regional shares for the locations that have none of their own."""
    out: dict[str, float] = {}
    for state in panel.locations:
        region = lookup(state).region
        known = [s for s in shares if s in panel.locations and s != NATION]
        peers = [s for s in known if region in (None, lookup(s).region)]
        if state in (*shares, NATION) or not peers:
            continue
        deaths = np.array([panel.reported[panel.index(s), column] for s in peers])
        values = np.array([shares[s] for s in peers])
        there = np.isfinite(deaths)
        if there.any():
            out[state] = float((deaths[there] * values[there]).sum() / deaths[there].sum())
    return out


def _row(panel: Panel, state: str, months: Months) -> Floats:
    row = panel.reported[panel.index(state)][np.isin(panel.months, months)]
    return np.where(row > 0, row, np.nan)


def read_exposure(path: str | Path) -> dict[str, float]:
    """A user's table: CSV with the columns ``location`` and ``exposure``.

    A row ``default`` is for all other locations; an exposure may be a percent, ``80%``.

    Raises
    ------
    ScenarioError
        If a column is missing, a location unknown or given twice, or a value outside 0..5.
    """
    try:
        table = Table(
            read_raw(path), _COLUMNS, needs=("location", "exposure"), others=True,
            what="a table with the columns location and exposure",
        )  # fmt: skip
        table.refuse_open_end()
        values, places = table.values("exposure"), table.texts("location")
        again = pd.Series(places).duplicated().to_numpy(dtype=bool)
        table.refuse(again, "location", "is given twice")
    except DataError as error:
        raise ScenarioError(error.message, error.hint) from error
    return dict(zip(places, values.tolist(), strict=True))


def _place(text: str) -> str | BadCell:
    """The code of a place; ``default`` stands for all that have no row."""
    try:
        return "default" if text.lower() == "default" else code_of(text)
    except UnknownNameError as error:
        return BadCell("is not a place", error.hint or "")


def _share(text: str) -> float | BadCell:
    """A number as it is written, and nothing that only looks like one."""
    found = re.fullmatch(r"([0-9]{0,3}(?:\.[0-9]{1,17})?)( ?%)?", text)
    share = float(found[1]) / (100.0 if found[2] else 1.0) if found and found[1] else np.nan
    wrong = BadCell("is not a number from 0 to 5", "write 0.8, or 80%, and correct the cell")
    return share if share <= 5.0 else wrong


_COLUMNS = (Column("location", "location", _place), Column("exposure", "exposure", _share))


def exposure_vector(
    exposure: Exposure,
    locations: Sequence[str],
    tables: Mapping[str, Mapping[str, float]],
    name: str,
) -> Floats:
    """Exposure of each location to an intervention of this name, shape (L,)."""
    if isinstance(exposure, int | float):
        return np.full(len(locations), float(exposure))
    table: Mapping[str, float] = {} if isinstance(exposure, str) else exposure
    scale = 1.0
    if isinstance(exposure, str):
        base = exposure.removesuffix("-relative")
        if base not in tables:
            raise ScenarioError(
                f"{name}: exposure {exposure!r} needs shares by location, and none were given",
                hint=f"pass exposures={{{base!r}: {{location: share}}}}",
            )
        table = tables[base]
        if base != exposure:
            if not table.get(NATION, 0.0) > 0:
                raise ScenarioError(f"{name}: exposure {exposure!r} needs the share of US")
            scale = 1.0 / table[NATION]
    values = np.array([table.get(s, table.get(REST, np.nan)) for s in locations], dtype=float)
    if missing := [s for s, v in zip(locations, values) if not np.isfinite(v)]:
        raise ScenarioError(
            f"{name}: no exposure for {', '.join(missing)}",
            hint="give a table with these locations, or with a default",
        )
    return scale * values
