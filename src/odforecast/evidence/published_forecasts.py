"""Published forecasts of overdose deaths, scored: what was said, what came, and what ours said.

The printed figures ship as ``published.csv``; nothing of a source is worked out again here. What
came is read off a release for 12-month counts, and is the printed one for years of opioids.

**Three things are not the same**, and the table keeps them apart. A *projection* says what will be
if a model's world stays as it is, years ahead, and was made once. A *predicted value* of CDC
completes a count that is published already. A *study* prints errors, and not its forecasts.

Beside them stands what models of this package say: of CDC's values about the very same count, from
the bundled release cut there and made as incomplete as a real release was; of projections, for
no release tells what arrives late of opioids, about **all drugs** in the same years, from an origin
before the first of them. That is a yardstick for how hard the years were, and not the same target.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from odforecast.errors import OdforecastError
from odforecast.evidence.yardstick import (
    LEVEL,
    beside,
    panel_of,
    reported_in,
    rows_of,
    wis_of,
)
from odforecast.months import ONE_MONTH
from odforecast.publication import SETTLED
from odforecast.scoring.rules import interval_score

if TYPE_CHECKING:
    from odforecast.vintage import Archive

#: Models that stand beside the published figures.
MODELS: Final = ("hub-baseline", "naive+delay", "dlm")

_NUMBERS: Final = (
    "ahead", "said", "low", "high", "level", "known_then", "came", "error_percent", "held_share",
)  # fmt: skip


def printed() -> pd.DataFrame:
    """The printed figures, as they ship.

    Returns
    -------
    DataFrame
        A row per figure: ``id``, ``kind`` (``"projection"``, ``"fit or projection"``,
        ``"predicted value"`` or ``"study"``), ``forecast``, ``source``, ``published`` (year or
        day, as far as it is known), ``counts`` (``"opioids"`` or ``"all drugs"``), ``first`` and
        ``last`` (months of death that are counted), ``ahead`` (of a predicted value: months after
        the release's last month, 0 or −12), ``said``, ``low``, ``high``, ``level``,
        ``known_then`` (reported the same day), ``came`` and ``came_from``, ``yardstick`` (month
        after which the bundled release is cut for the models beside it), ``error_percent`` and
        ``held_share`` (of a study), ``note``. NaN or empty where the source does not say it.

    Examples
    --------
    >>> from odforecast.evidence.published_forecasts import printed
    >>> row = printed().set_index("id").loc["source-2023"]
    >>> float(row["said"]), float(row["came"])
    (62110.0, 83140.0)
    """
    path = resources.files("odforecast.evidence") / "published.csv"
    with path.open(encoding="utf-8") as handle:
        table = pd.read_csv(handle, dtype=str, keep_default_na=False)
    for name in _NUMBERS:
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(float)
    return table


def published(
    archive: Archive | None = None,
    *,
    models: Sequence[str] = MODELS,
    draws: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """Published forecasts against what came, and what models say beside them.

    Parameters
    ----------
    archive : Archive, optional
        Releases: the newest says what came; those of a day what was known then, and of opioids
        too, where they hold them. Default: the bundled ones alone.
    models : sequence of str
        Labels; with none, nothing is fitted.
    draws : int
    seed : int

    Returns
    -------
    DataFrame
        The columns of :func:`printed`, and ``known_from`` (where ``known_then`` is from: printed
        the same day, or a release), ``settled`` (whether the release that ``came`` is from came
        out 12 months or more after the last month; True for printed years), ``error``
        (deaths, said less came), ``error_percent``, ``held`` (1 or 0; NaN without an interval),
        ``interval_score``
        and ``wis`` (of the median and that one interval; at 95 % where no level is printed);
        then ``origin`` (which panel the models saw), ``beside`` (``"same count"``, ``"all drugs,
        same years"``, or why there is nothing), ``beside_came``, and for each model, with
        ``_`` behind its label, ``median``, ``low``, ``high`` (95 %), ``error_percent``,
        ``held`` and ``wis``, of the nation. ``hub-baseline`` forecasts no month that is
        published: of those its median is the reported count, without an interval.

    Raises
    ------
    UnknownNameError
        If a model is none.

    Notes
    -----
    The interval score punishes width and misses; it is comparable within a target only, and here
    even the level is assumed for projections. ``error_percent`` of a projection and of a yardstick
    are of different counts.

    Examples
    --------
    >>> import odforecast as od
    >>> table = od.evidence.published(models=[]).set_index("id")
    >>> row = table.loc["source-2023"]
    >>> round(float(row["error_percent"]), 1), bool(row["held"])
    (-25.3, False)
    """
    from odforecast.vintage import bundled

    here = bundled()
    releases = here if archive is None else archive
    table = printed()
    came = [_came(row, releases) for row in rows_of(table)]
    table["came"] = [value for value, _, _ in came]
    table["came_from"] = [source for _, source, _ in came]
    known = [_known(row, releases) for row in rows_of(table)]
    at = table.columns.get_loc("known_then")
    assert isinstance(at, int)
    table["known_then"] = [value for value, _ in known]
    table.insert(at + 1, "known_from", [source for _, source in known])
    table["settled"] = [settled for _, _, settled in came]
    table = _scored(table)
    return beside(table, here, releases, tuple(models), draws, seed)


def _scored(table: pd.DataFrame) -> pd.DataFrame:
    """Errors, and scores where there is an interval."""
    said, came = (table[c].to_numpy(dtype=float) for c in ("said", "came"))
    error = said - came
    percent = np.where(np.isnan(said), table["error_percent"].to_numpy(), 100 * error / came)
    low, high = (table[c].to_numpy(dtype=float) for c in ("low", "high"))
    there = ~np.isnan(low + high + came)
    held = np.where(there, (low <= came) & (came <= high), np.nan)
    score, wis = np.full(len(table), np.nan), np.full(len(table), np.nan)
    levels = table["level"].fillna(LEVEL).to_numpy(dtype=float)
    for i in np.flatnonzero(there):
        score[i] = interval_score(low[i], high[i], came[i], round(1 - levels[i], 12))
        wis[i] = wis_of((low[i], said[i], high[i]), came[i], levels[i])
    return table.assign(
        error=error, error_percent=percent, held=held, interval_score=score, wis=wis
    )


def _came(row: dict[str, Any], releases: Archive) -> tuple[float, str, bool]:
    """What came, from where, and whether it has settled."""
    given = float(row["came"])
    if not np.isnan(given) or not row["counts"] or row["kind"] == "study":
        return given, str(row["came_from"]), not np.isnan(given)
    last = np.datetime64(str(row["last"]), "M")
    for day in reversed(releases.releases()):  # of a class, the newest that holds it
        try:
            panel = panel_of(releases, str(day), str(row["counts"]))
        except OdforecastError:
            continue
        value = reported_in(panel, last)
        if not np.isnan(value):
            age = int((np.datetime64(panel.release, "M") - last).astype(int))
            return value, f"release {panel.release}", age >= SETTLED
    return float("nan"), f"no {row['counts']} of these months in the releases at hand", False


def _known(row: dict[str, Any], releases: Archive) -> tuple[float, str]:
    """What was reported on the day of a predicted value, and from where."""
    given = float(row["known_then"])
    if not np.isnan(given):
        return given, "printed the same day"
    if row["kind"] != "predicted value":
        return given, ""
    try:
        panel = panel_of(releases, str(row["published"]), str(row["counts"]))
    except OdforecastError:
        return given, "not in the releases at hand"
    last = np.datetime64(str(row["last"]), "M")
    expected = last - int(float(row["ahead"])) * ONE_MONTH
    if panel.last_month != expected:
        return given, "not in the releases at hand"
    return reported_in(panel, last), f"release {panel.release}"
