"""A forecast put into a hub: the right file name in the right place, with what the hub asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from odforecast.errors import DataError, ForecastError, one_of
from odforecast.forecasts import Forecast
from odforecast.geography.places import LOCATIONS
from odforecast.hub.files import csv_lines, id_texts, to_hub, write_parquet
from odforecast.hub.layout import (
    MODEL_METADATA,
    TEAM,
    Hub,
    Round,
    Samples,
    label_of,
    model_id,
    submission_stem,
)
from odforecast.hub.making import built_in, facts_of, write_metadata
from odforecast.io import replacing
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES, LOCATION, MONTH, VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.say import quoted
from odforecast.scoring.files import OUTPUT_TYPES, check_hub
from odforecast.vintage import Archive

#: Formats that are written.
FORMATS: Final = ("parquet", "csv")
#: Codes of places; regions have none.
_CODES: Final = {x.state: x.code for x in LOCATIONS}


class _NoSamplesError(ForecastError):
    """Samples that are not as the hub wants them."""


#: What may be left out where it was not asked for, by output type.
_LEFT_OUT: Final[dict[str, type[Exception]]] = {"sample": _NoSamplesError, "pmf": ForecastError}


def submit(
    forecast: Forecast,
    hub: str | os.PathLike[str] | Hub,
    *,
    name: str | None = None,
    output_types: Sequence[str] | None = None,
    samples: int | None = None,
    format: str = "parquet",
    own: bool = False,
) -> Path:
    """Write a forecast into a hub, as a submission to the round of its origin.

    Parameters
    ----------
    forecast : Forecast
        Its as-of date must be an ``origin_date`` of the hub.
    name : str, optional
        ``TEAM-MODEL``. Default: ``odforecast`` and the model's label
        (:func:`odforecast.hub.model_id`).
    output_types : sequence of str, optional
        ``"quantile"``, ``"sample"``, ``"pmf"``. Default: those the hub asks for and the forecast
        can give.
    samples : int, optional
        Default: the fewest the hub asks for.
    format : {"parquet", "csv"}
    own : bool
        As for :func:`odforecast.to_hub`.

    Returns
    -------
    Path
        ``model-output/TEAM-MODEL/DATE-TEAM-MODEL.FORMAT``, whole or absent. An earlier one is
        replaced; missing metadata of a built-in model are written.

    Raises
    ------
    DataError
        If the hub has no such round, counts something else, or refuses the format; a model of your
        own has no metadata; or the round was submitted in another format.
    ForecastError
        If ``forecast`` is not a forecast, or it cannot give a requested output type.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> hub = od.hub.init(tempfile.mkdtemp() + "/hub", od.bundled())
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("naive+delay").fit(panel).forecast(draws=100)
    >>> path = od.hub.submit(forecast, hub)
    >>> hub.relative(path)
    'model-output/odforecast-naive__delay/2026-01-14-odforecast-naive__delay.parquet'
    """
    if not isinstance(forecast, Forecast):
        raise ForecastError(
            f"forecast is {quoted(forecast)}, not a Forecast",
            hint="submit what a model's forecast(...) returns",
        )
    there = hub if isinstance(hub, Hub) else Hub.open(hub)
    label = forecast.provenance.get("label", forecast.provenance.get("model", ""))
    called = model_id(label) if name is None else name
    stem = submission_stem(forecast.as_of, called)
    round_ = _round_of(there, forecast)
    taken = [f for f in round_.file_format or there.file_formats if f in FORMATS]
    if format not in taken:
        raise DataError(f"the hub does not take {format!r}", hint=one_of(format, taken))
    table = _rows(forecast, round_, output_types=output_types, samples=samples, own=own)
    path = there.model_output_dir / called / f"{stem}.{format}"
    if others := [p for p in sorted(path.parent.glob(f"{stem}.*")) if p.name != path.name]:
        raise DataError(
            f"{there.relative(others[0])}: the round was submitted already, in another format",
            hint=f"remove it, or give format={others[0].suffix[1:]!r}",
        )
    if not any(p.stem == called and p.suffix in (".yml", ".yaml") for p in there.metadata_files()):
        # A submission without metadata is refused by the hub's checks.
        if not (called.partition("-")[0] == TEAM and built_in(label) and label_of(called) == label):
            raise DataError(
                f"{there.root}: no {MODEL_METADATA}/{called}.yml, so the hub does not know the "
                "model",
                hint="write it first; the files beside it are examples",
            )
        write_metadata(label, there.root)
    if format == "parquet":
        write_parquet(table.assign(output_type_id=id_texts(table)), path)
    else:
        with replacing(path) as part:
            part.write_bytes(csv_lines(table))
    return path


def panel_of_round(hub: Hub, archive: Archive, day: str) -> Panel:
    """What was known on an origin date of a hub, as a model takes it."""
    from odforecast.backtesting.origin import origins

    facts = facts_of(hub)
    _, end = _asked(hub, day)
    kind = facts["rounds"]
    indicator = facts["indicator"]
    if kind == VINTAGE_REAL:
        found = archive.as_of(day).panel(indicator)
    else:
        seen = archive.until(facts["truth_release"])
        month = end[:7]
        panels = [
            o.panel
            for o in origins(seen, kind, start=month, end=month, donors=1, indicator=indicator)
        ]
        found = next(p for p in panels if p is not None)
    has = found.release if kind == VINTAGE_REAL else found.as_of
    if has.isoformat() != day or str(found.last_month) != end[:7]:
        raise DataError(
            f"the archive does not give round {day} of {hub.root}: it has {has}, known to "
            f"{found.last_month}",
            hint="use the archive that the hub was made from",
        )
    return found


def asked_until(hub: Hub, day: str) -> int:
    """The furthest horizon that the round of an ``origin_date`` asks for."""
    tasks = _asked(hub, day)[0].tasks
    return max(int(str(h)) for task in tasks for h in task.choice("horizon").values)


def _asked(hub: Hub, day: str) -> tuple[Round, str]:
    """The round of an origin date, and the end of the last month known then."""
    days = hub.origins
    if not hub.rounds:
        raise DataError(
            f"{hub.config / 'tasks.json'}: no rounds, so nothing is asked for",
            hint="odforecast hub init DIR creates a hub with rounds",
        )
    if not days:
        raise DataError(
            f"{hub.root}: no round has an origin_date",
            hint="hubs with other columns take files of their own form",
        )
    if day not in days:
        raise DataError(f"{hub.root} has no round {day}", hint=one_of(day, days))
    number, end = days[day]
    return hub.tasks_config.rounds[number], end


def _round_of(hub: Hub, forecast: Forecast) -> Round:
    """The round of a forecast's origin; it must know and count what the forecast does."""
    counted = (hub.admin.get("additional_metadata") or {}).get("indicator")
    if counted and forecast.panel is not None and forecast.panel.indicator != counted:
        raise DataError(
            f"the hub counts {counted!r}, and the forecast is of {forecast.panel.indicator!r}",
            hint="take a hub of that count",
        )
    day = forecast.as_of.isoformat()
    round_, end = _asked(hub, day)
    if end and end[:7] != str(forecast.last_month):
        raise DataError(
            f"round {day} is known to {end[:7]}, and the forecast to {forecast.last_month}",
            hint="horizons would mean other months: forecast from what the round knew",
        )
    for task in round_.tasks:
        if odd := sorted(set(task.task_ids).symmetric_difference(HUB_COLUMNS[:5])):
            raise DataError(
                f"{hub.root}: round {day} has other columns, such as {odd[0]}",
                hint="write files of that form by hand",
            )
    return round_


def _rows(
    forecast: Forecast,
    round_: Round,
    output_types: Sequence[str] | None,
    samples: int | None,
    own: bool,
) -> pd.DataFrame:
    """What the round asks for and the forecast has."""
    kinds = OUTPUT_TYPES if output_types is None else tuple(output_types)
    if wrong := [k for k in kinds or [""] if k not in OUTPUT_TYPES]:
        raise ForecastError(
            f"unknown output type {wrong[0]!r}", hint=one_of(wrong[0], OUTPUT_TYPES)
        )
    parts = []
    for task in round_.tasks:
        codes, targets, horizons = (
            task.choice(name).values for name in ("location", "target", "horizon")
        )
        places = [s for s in forecast.locations if _CODES.get(s) in codes]
        seen = forecast.select(places) if 0 < len(places) < len(forecast.locations) else forecast
        wanted = [str(t) for t in targets if t in forecast.targets]
        for kind, asked in task.outputs.items() if places else ():
            if kind not in kinds or not (wanted or kind == "pmf"):
                continue
            try:
                if kind == "sample":
                    params = asked.output_type_id_params or Samples()
                    table = _samples(seen, params, targets=wanted, samples=samples, own=own)
                else:
                    table = to_hub(seen, HUB_QUANTILES, targets=wanted, output_type=kind, own=own)
            except _LEFT_OUT.get(kind, ()):
                # What the forecast cannot give is left out, unless it was asked for.
                if output_types is not None or (kind == "pmf" and own):
                    raise
                continue
            # A count that needs a hidden month has no forecast, so no row.
            parts.append(table[table["horizon"].isin(horizons) & table["value"].notna()])
    table = pd.concat([p for p in parts if len(p)] or [pd.DataFrame(columns=list(HUB_COLUMNS))])
    missing = set(output_types or ()) - set(table["output_type"])
    if table.empty or missing:
        what = f"no {sorted(missing)[0]}" if missing else "nothing that the forecast has"
        raise ForecastError(f"the round asks for {what}")
    return check_hub(table.reset_index(drop=True), levels=HUB_QUANTILES, source="submission")


def _samples(
    forecast: Forecast,
    params: Samples,
    targets: Sequence[str],
    samples: int | None,
    own: bool,
) -> pd.DataFrame:
    """Samples as a set of tasks wants them; refused where the draws are not."""
    lowest = params.min_samples_per_task
    highest = params.max_samples_per_task
    n = lowest if samples is None else samples
    have = len(forecast.draws)
    reason = ""
    if n is None:
        reason = "the hub does not say how many samples it takes (min_samples_per_task)"
    elif not (lowest or 1) <= n <= (highest or n):
        reason = f"the hub takes {lowest or 1} to {highest or 'any'} samples, not {n}"
    elif have < n:
        reason = f"the forecast has {have} draws, and {n} samples are asked for"
    single = params.compound_taskid_set
    for axis, column in ((MONTH, "horizon"), (LOCATION, "location")):
        if single is not None and column not in single and axis not in forecast.joint:
            reason = f"the hub's samples are one course over {axis}s, the forecast's draws are not"
    if reason or n is None:
        raise _NoSamplesError(reason, hint="submit quantiles: output_types=['quantile']")
    # Evenly over the draws: members of a mixture stand one behind the other.
    kept = np.arange(n) * have // n
    known = forecast.known if forecast.known.ndim == 2 else forecast.known[kept]
    fewer = replace(
        forecast,
        draws=forecast.draws[kept],
        known=known,
        beside={},
    )
    return to_hub(
        fewer,
        targets=targets,
        output_type="sample",
        own=own,
    )
