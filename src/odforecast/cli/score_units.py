"""Scores of what :mod:`odforecast.cli.score_read` read: unit by unit, and of draws as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odforecast.cli.screen import note
from odforecast.errors import ScoringError
from odforecast.names import HUB_QUANTILES, SCENARIO_ID, TARGETS

if TYPE_CHECKING:
    import pandas as pd

    from odforecast.cli.score_read import Held
    from odforecast.forecast import Forecast
    from odforecast.hub.tables import Known
    from odforecast.scoring import Truth


#: Levels of quantiles, rising.
type Levels = tuple[float, ...]


def score_files(held: list[Held], truth: Truth, known: Known) -> pd.DataFrame:
    """Scores of all files: a row per unit, with model, file and truth.

    Parameters
    ----------
    held : list of Held
    truth : Truth
    known : callable
        The panel of the release known on a day.

    Returns
    -------
    DataFrame
        The score table, with ``file`` and ``n_levels``: how many quantile levels WIS is over.

    Raises
    ------
    ScoringError
        If a file counts other deaths, or repeats a forecast.
    """
    import pandas as pd

    from odforecast.scoring.columns import UNIT_KEYS

    parts = []
    for one in held:
        if one.indicator and one.indicator != truth.panel.indicator:
            raise ScoringError(
                f"{one.path} is of {one.indicator!r}, the truth of {truth.panel.indicator!r}",
                hint="say what is counted with --indicator",
            )
        part = _score_one(one, truth, known)
        part.insert(0, "model", one.model)
        part.insert(1, "file", str(one.path))
        part["truth"] = truth.kind
        part["truth_release"] = pd.Timestamp(truth.release)
        parts.append(part)
    scores = pd.concat(parts, ignore_index=True)
    keys = [k for k in UNIT_KEYS if k in scores]
    twice = scores.duplicated(["model", *keys])
    if twice.any():
        row = scores[twice].iloc[0]
        day = "" if pd.isna(row["as_of"]) else f", as of {row['as_of']:%Y-%m-%d}"
        raise ScoringError(
            f"{row['file']} repeats a forecast of model {row['model']}: {row['location']}, "
            f"{row['target']}, {row['month']:%Y-%m}{day}",
            hint="name files by model, so that two models are not taken for one",
        )
    return scores


def _score_one(one: Held, truth: Truth, known: Known) -> pd.DataFrame:
    import pandas as pd

    from odforecast.hub.tables import score_levels, score_trend
    from odforecast.scoring import score as score_forecast
    from odforecast.scoring import score_hub

    if one.forecast is not None:
        made = one.forecast
        tables = [score_forecast(made, truth, target) for target in TARGETS
                  if target in made.targets]  # fmt: skip
        part = pd.concat(tables, ignore_index=True)
        part.insert(0, "as_of", pd.Timestamp(made.as_of).as_unit("s"))
        part.insert(1, "last_month", made.last_month.astype("datetime64[s]"))
        return part.assign(n_levels=len(HUB_QUANTILES))
    if one.table is not None:
        assert one.levels is not None
        part = score_levels(one.table, one.levels, truth)
        if "donor" in one.table:
            part["donor"] = one.table["donor"].to_numpy()
        return part.assign(n_levels=len(one.levels))
    assert one.hub is not None
    trend = one.hub["output_type"] == "pmf"
    parts = []
    if not trend.all():
        part = score_hub(one.hub, truth.observed)
        parts.append(part.assign(n_levels=_levels_of(one.hub)))
    if trend.any():
        parts.append(score_trend(one.hub, truth, known).assign(n_levels=0))
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def _levels_of(table: pd.DataFrame) -> int:
    """How many levels the WIS of a hub file is over; of samples, those of hubs."""
    rows = table[table["output_type"] == "quantile"]
    return int(rows["output_type_id"].nunique()) if len(rows) else len(HUB_QUANTILES)


def check_levels(held: Sequence[Held], baseline: str | None) -> None:
    """Refuse to relate WIS over some levels to WIS over others.

    Levels count, not their number: of three, 0.05, 0.5, 0.95 and 0.25, 0.5, 0.75 give other scores.

    Parameters
    ----------
    held : sequence of Held
    baseline : str, optional
        Model that others are related to; without one there is a note only.

    Raises
    ------
    ScoringError
        With two models, or two files of one, and their levels.
    """
    found: dict[tuple[str, Levels], Path] = {}
    for one in held:
        for levels in _level_sets(one):
            found.setdefault((one.model, levels), one.path)
    if len({levels for _, levels in found}) < 2:
        return
    least, most = (pick(found, key=lambda x: len(x[1])) for pick in (min, max))
    alike = len(least[1]) == len(most[1])
    if alike:
        most = next(x for x in found if x[1] != least[1])
    names = [f"{m} ({found[m, x].name})" if least[0] == most[0] else m for m, x in (least, most)]
    said = [f"{len(x)} levels" for x in (least[1], most[1])]
    if alike:
        said = [_shown(least[1], most[1]), _shown(most[1], least[1])]
    text = f"WIS of {names[0]} is over {said[0]}, of {names[1]} over {said[1]}"
    if baseline is not None:
        raise ScoringError(text, hint="another score: relate files with the same levels")
    note(f"{text}: these are different scores")


def _level_sets(one: Held) -> set[Levels]:
    """Levels that the WIS of a file is over, by origin; of draws, those of hubs."""
    if one.table is not None:
        return {_rounded(one.levels or ())}
    if one.hub is None:
        return {_rounded(HUB_QUANTILES)}
    rows = one.hub[one.hub["output_type"] == "quantile"]
    found = set() if (one.hub["output_type"] != "sample").all() else {_rounded(HUB_QUANTILES)}
    # Those of one origin are the same for all its units: scores of others were refused.
    return found | {_rounded(part["output_type_id"].unique())
                    for _, part in rows.groupby("origin_date", sort=False)}  # fmt: skip


def _rounded(levels: Iterable[Any]) -> Levels:
    return tuple(sorted(round(float(x), 9) for x in levels))


def _shown(levels: Levels, beside: Levels) -> str:
    """Levels, or of many one that the others lack."""
    if len(levels) <= 5:
        return f"levels {', '.join(f'{x:g}' for x in levels)}"
    own = next(x for x in levels if x not in beside)
    return f"{len(levels)} levels with {own:g}"


def joint_table(files: list[Held], truth: Truth, known: Known) -> pd.DataFrame:
    """Scores of draws as a whole, of every origin, target and scenario with samples.

    Parameters
    ----------
    files : list of Held
    truth : Truth
    known : callable
        The panel of the release known on a day.

    Returns
    -------
    DataFrame
        ``model``, ``as_of`` and, where there are scenarios, ``scenario_id`` before the columns of
        :func:`odforecast.scoring.joint.joint_scores`.

    Raises
    ------
    ScoringError
        If no file holds draws.
    """
    import pandas as pd

    from odforecast.hub.tables import forecast_of_samples, known_panel
    from odforecast.scoring.joint import joint_scores

    parts = []
    for one in files:
        made: list[tuple[dict[str, str], Forecast, str]] = []
        if one.forecast is not None:
            made = [({}, one.forecast, t) for t in TARGETS if t in one.forecast.targets]
        elif one.hub is not None:
            drawn = one.hub[one.hub["output_type"] == "sample"]
            named = [SCENARIO_ID] if SCENARIO_ID in drawn else []
            for key, rows in drawn.groupby(["origin_date", "target", *named], sort=True):
                forecast = forecast_of_samples(rows, str(key[1]), model=one.model)
                panel, _ = known_panel(known, truth, forecast.as_of, forecast.last_month)
                forecast = replace(forecast, panel=panel)
                made.append((dict(zip(named, map(str, key[2:]))), forecast, str(key[1])))
        for labels, forecast, target in made:
            table = joint_scores(forecast, truth, target=target)
            first: dict[str, Any] = {"model": one.model, "as_of": pd.Timestamp(forecast.as_of)}
            for place, (name, value) in enumerate((first | labels).items()):
                table.insert(place, name, value)
            parts.append(table)
    if not parts:
        raise ScoringError(
            "--joint: no file holds draws",
            hint="write samples: odforecast forecast --output-type sample --out FILE",
        )
    return pd.concat(parts, ignore_index=True)
