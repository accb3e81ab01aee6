"""A forecast put into a hub: the right file name in the right place, with what the hub asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from odforecast.errors import DataError, ForecastError, one_of
from odforecast.forecasts import Forecast
from odforecast.geography.places import LOCATIONS
from odforecast.hub.files import csv_lines, id_texts, thinned, to_hub, write_parquet
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
_LEFT_OUT: Final[dict[str, type[Exception]]] = {
    "sample": _NoSamplesError,
    "pmf": ForecastError,
}


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
    opened = hub if isinstance(hub, Hub) else Hub.open(hub)
    label = forecast.provenance.get("label", forecast.provenance.get("model", ""))
    hub_name = model_id(label) if name is None else name
    stem = submission_stem(forecast.as_of, hub_name)
    round_ = _round_of(opened, forecast)
    hub_formats = round_.file_format or opened.file_formats
    formats = [name for name in hub_formats if name in FORMATS]
    if format not in formats:
        raise DataError(
            f"the hub does not take {format!r}", hint=one_of(format, formats)
        )
    table = _rows(forecast, round_, output_types=output_types, samples=samples, own=own)
    path = opened.model_output_dir / hub_name / f"{stem}.{format}"
    for file in sorted(path.parent.glob(f"{stem}.*")):
        if file.name != path.name:
            raise DataError(
                f"{opened.relative(file)}: the round was submitted already, in another format",
                hint=f"remove it, or give format={file.suffix[1:]!r}",
            )
    metadata = (f"{hub_name}.yml", f"{hub_name}.yaml")
    if not any(file.name in metadata for file in opened.metadata_files()):
        # A submission without metadata is refused by the hub's checks.
        is_ours = hub_name.partition("-")[0] == TEAM and built_in(label)
        if not is_ours or label_of(hub_name) != label:
            raise DataError(
                f"{opened.root}: no {MODEL_METADATA}/{hub_name}.yml, so the hub does not know the "
                "model",
                hint="write it first; the files beside it are examples",
            )
        write_metadata(label, opened.root)
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
    _, end = _round_of_day(hub, day)
    kind = facts["rounds"]
    indicator = facts["indicator"]
    month = end[:7]
    if kind == VINTAGE_REAL:
        panel = archive.as_of(day).panel(indicator)
        panel_day = panel.release
    else:
        releases = archive.until(facts["truth_release"])
        of_month = origins(
            releases,
            kind,
            start=month,
            end=month,
            donors=1,
            indicator=indicator,
        )
        panel = next(origin.panel for origin in of_month if origin.panel is not None)
        panel_day = panel.as_of
    if panel_day.isoformat() != day or str(panel.last_month) != month:
        raise DataError(
            f"the archive does not give round {day} of {hub.root}: it has {panel_day}, known to "
            f"{panel.last_month}",
            hint="use the archive that the hub was made from",
        )
    return panel


def asked_until(hub: Hub, day: str) -> int:
    """The furthest horizon that the round of an ``origin_date`` asks for."""
    round_, _ = _round_of_day(hub, day)
    horizons = [
        value for task in round_.tasks for value in task.choice("horizon").values
    ]
    return max(int(str(horizon)) for horizon in horizons)


def _round_of_day(hub: Hub, day: str) -> tuple[Round, str]:
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
    indicator = (hub.admin.get("additional_metadata") or {}).get("indicator")
    if (
        indicator
        and forecast.panel is not None
        and forecast.panel.indicator != indicator
    ):
        raise DataError(
            f"the hub counts {indicator!r}, and the forecast is of {forecast.panel.indicator!r}",
            hint="take a hub of that count",
        )
    day = forecast.as_of.isoformat()
    round_, end = _round_of_day(hub, day)
    if end and end[:7] != str(forecast.last_month):
        raise DataError(
            f"round {day} is known to {end[:7]}, and the forecast to {forecast.last_month}",
            hint="horizons would mean other months: forecast from what the round knew",
        )
    for task in round_.tasks:
        unlike = sorted(set(task.task_ids).symmetric_difference(HUB_COLUMNS[:5]))
        if unlike:
            raise DataError(
                f"{hub.root}: round {day} has other columns, such as {unlike[0]}",
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
    for kind in kinds or [""]:
        if kind not in OUTPUT_TYPES:
            raise ForecastError(
                f"unknown output type {kind!r}", hint=one_of(kind, OUTPUT_TYPES)
            )
    parts = []
    written = set()
    for task in round_.tasks:
        codes = task.choice("location").values
        horizons = task.choice("horizon").values
        places = [state for state in forecast.locations if _CODES.get(state) in codes]
        targets = [
            str(name)
            for name in task.choice("target").values
            if name in forecast.targets
        ]
        if not places:
            continue
        selected = forecast
        if len(places) < len(forecast.locations):
            selected = forecast.select(places)
        for kind, output in task.outputs.items():
            if kind not in kinds or not (targets or kind == "pmf"):
                continue
            try:
                if kind == "sample":
                    params = output.output_type_id_params or Samples()
                    table = _samples(
                        selected, params, targets=targets, samples=samples, own=own
                    )
                else:
                    table = to_hub(
                        selected,
                        HUB_QUANTILES,
                        targets=targets,
                        output_type=kind,
                        own=own,
                    )
            except _LEFT_OUT.get(kind, ()):
                # What the forecast cannot give is left out, unless it was asked for.
                if output_types is not None or (kind == "pmf" and own):
                    raise
                continue
            # A count that needs a hidden month has no forecast, so no row.
            rows = table[table["horizon"].isin(horizons) & table["value"].notna()]
            if len(rows):
                parts.append(rows)
                written.add(kind)
    missing = set(output_types or ()) - written
    if missing:
        raise ForecastError(f"the round asks for no {sorted(missing)[0]}")
    if not parts:
        raise ForecastError("the round asks for nothing that the forecast has")
    table = pd.concat(parts, ignore_index=True)
    return check_hub(table, levels=HUB_QUANTILES, source="submission")


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
    n_draws = len(forecast.draws)
    reason = ""
    if n is None:
        reason = "the hub does not say how many samples it takes (min_samples_per_task)"
    elif not (lowest or 1) <= n <= (highest or n):
        reason = f"the hub takes {lowest or 1} to {highest or 'any'} samples, not {n}"
    elif n_draws < n:
        reason = f"the forecast has {n_draws} draws, and {n} samples are asked for"
    compound = params.compound_taskid_set
    for axis, column in ((MONTH, "horizon"), (LOCATION, "location")):
        if (
            compound is not None
            and column not in compound
            and axis not in forecast.joint
        ):
            reason = f"the hub's samples are one course over {axis}s, the forecast's draws are not"
    if reason or n is None:
        raise _NoSamplesError(
            reason, hint="submit quantiles: output_types=['quantile']"
        )
    return to_hub(
        thinned(forecast, n),
        targets=targets,
        output_type="sample",
        own=own,
    )
