"""A forecast put into a hub: the right file name in the right place, with what the hub asks for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from odforecast.errors import DataError, ForecastError, one_of
from odforecast.forecast import Forecast
from odforecast.geography.places import lookup
from odforecast.hub.file_check import OUTPUT_TYPES, check_hub
from odforecast.hub.files import _texts, to_hub
from odforecast.hub.layout import MODEL_METADATA, Hub
from odforecast.hub.metadata import built_in, model_metadata, write_metadata
from odforecast.hub.naming import TEAM, label_of, model_id, submission_stem
from odforecast.hub.target_data import write_typed
from odforecast.io import replacing
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES, LOCATION, MONTH, VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.say import quoted
from odforecast.vintage import Archive

#: Formats that are written.
FORMATS: Final = ("parquet", "csv")


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
        Its as-of date must be a round's ``origin_date``.
    hub : path or Hub
        A hub as :func:`odforecast.hub.init` makes it.
    name : str, optional
        ``TEAM-MODEL``. Default: team ``odforecast``, and the model's label by the mapping of
        :mod:`odforecast.hub.naming`.
    output_types : sequence of str, optional
        ``"quantile"``, ``"sample"``, ``"pmf"``. Default: those that the hub asks for and the
        forecast can give.
    samples : int, optional
        Default: as many as the hub asks for at least.
    format : {"parquet", "csv"}
    own : bool
        As for :func:`odforecast.to_hub`.

    Returns
    -------
    Path
        ``model-output/TEAM-MODEL/DATE-TEAM-MODEL.FORMAT``: whole, or not there. An earlier one
        is replaced. Of a built-in model whose metadata are lacking they are written too. Only
        places, targets and months that the round asks for are in it.

    Raises
    ------
    DataError
        If the hub has no such round, counts something else, asks for other columns or refuses the
        format; the model is somebody's own and has no metadata there; or the round was submitted
        in another format.
    ForecastError
        If ``forecast`` is none, or an output type was asked for that it cannot give: samples that
        are not joint as the hub wants them are refused, not faked.

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
            f"forecast is {quoted(forecast)}, and no Forecast",
            hint="submit what a model's forecast(...) gives",
        )
    there = hub if isinstance(hub, Hub) else Hub.open(hub)
    label = forecast.provenance.get("label", forecast.provenance.get("model", ""))
    called = model_id(label) if name is None else name
    stem = submission_stem(forecast.as_of, called)
    round_ = _round_of(there, forecast)
    if format not in FORMATS or format not in round_.get("file_format", there.file_formats):
        raise DataError(
            f"the hub takes no {format!r}",
            hint=one_of(format, [f for f in there.file_formats if f in FORMATS]),
        )
    table = _rows(forecast, round_, output_types, samples, own)
    path = there.model_output_dir / called / f"{stem}.{format}"
    if others := [p for p in sorted(path.parent.glob(f"{stem}.*")) if p.name != path.name]:
        raise DataError(
            f"{there.relative(others[0])}: the round was submitted already, in another format",
            hint=f"remove it, or give format={others[0].suffix[1:]!r}",
        )
    _metadata(there, called, label)
    _write(table, path, format)
    return path


def panel_of_round(hub: Hub, archive: Archive, day: str) -> Panel:
    """What a round of a hub knew, as a model takes it.

    Parameters
    ----------
    hub : Hub
        As :func:`odforecast.hub.init` makes it.
    archive : Archive
        The releases it was made from.
    day : str
        The round's ``origin_date``.

    Returns
    -------
    Panel
        Of a release; or, where the rounds are of the past again, cut from the newest release as it
        was when the hub was made.

    Raises
    ------
    DataError
        If the hub has no such round, was not made here, or the archive does not give the round.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> hub = od.hub.init(tempfile.mkdtemp() + "/hub", od.bundled(), kind="pseudo-clean",
    ...                   start="2024-01", end="2024-02")
    >>> panel_of_round(hub, od.bundled(), "2024-06-15").last_month
    np.datetime64('2024-01')
    """
    from odforecast.backtesting.origin import origins

    facts = hub.admin.get("additional_metadata", {})
    dates = _dates(hub)
    if not {"indicator", "rounds", "truth_release"} <= set(facts):
        raise DataError(
            f"{hub.root} was not made by odforecast hub init",
            hint="forecast what its rounds knew yourself, and give that to od.hub.submit",
        )
    if not dates:
        raise DataError(*_no_rounds(hub))
    if day not in dates:
        raise DataError(f"{hub.root} has no round {day}", hint=one_of(day, sorted(dates)[-12:]))
    kind, indicator = facts["rounds"], facts["indicator"]
    if kind == VINTAGE_REAL:
        found = archive.as_of(day).panel(indicator)
    else:
        seen = archive.until(facts["truth_release"])
        month = str(dates[day]["last_data_date"])[:7]
        panels = [o.panel for o in origins(seen, kind, month, month, donors=1, indicator=indicator)]
        found = next(p for p in panels if p is not None)
    has = found.release if kind == VINTAGE_REAL else found.as_of
    if has.isoformat() != day or str(found.last_month) != dates[day]["last_data_date"][:7]:
        raise DataError(
            f"the archive does not give round {day} of {hub.root}: it has {has}, known to "
            f"{found.last_month}",
            hint="take the archive the hub was made from",
        )
    return found


def origin_dates(hub: Hub) -> list[str]:
    """Origin dates of a hub's rounds, in order."""
    return sorted(_dates(hub))


def asked_until(hub: Hub, day: str) -> int:
    """The furthest horizon that a round asks for.

    Parameters
    ----------
    hub : Hub
    day : str
        The round's ``origin_date``.
    """
    tasks = _dates(hub)[day]["model_tasks"]
    return max(int(h) for task in tasks for h in _values(task["task_ids"]["horizon"]))


def _dates(hub: Hub) -> dict[str, dict[str, Any]]:
    """Origin dates of a hub, and the round of each."""
    return {
        str(value): round_
        for round_ in hub.rounds
        for task in round_.get("model_tasks", ())
        for value in _values(task.get("task_ids", {}).get("origin_date", {}))
    }


def _no_rounds(hub: Hub) -> tuple[str, str]:
    """Why a hub takes nothing, and what to do: it has no rounds, or rounds of another form."""
    if not hub.rounds:
        return (
            f"{hub.config / 'tasks.json'}: no rounds, so nothing is asked for",
            "odforecast hub init DIR makes a hub with rounds",
        )
    return (
        f"{hub.root}: no round has an origin_date",
        "hubs with other columns take files of their own form",
    )


def _round_of(hub: Hub, forecast: Forecast) -> dict[str, Any]:
    """The round of a forecast's origin."""
    counted = hub.admin.get("additional_metadata", {}).get("indicator")
    if counted and forecast.panel is not None and forecast.panel.indicator != counted:
        raise DataError(
            f"the hub counts {counted!r}, and the forecast is of {forecast.panel.indicator!r}",
            hint="take a hub of that count",
        )
    day = forecast.as_of.isoformat()
    dates = _dates(hub)
    if not dates:
        raise DataError(*_no_rounds(hub))
    if day not in dates:
        raise DataError(f"{hub.root} has no round {day}", hint=one_of(day, sorted(dates)[-12:]))
    round_ = dates[day]
    last = round_.get("last_data_date")
    if last is not None and str(last)[:7] != str(forecast.last_month):
        raise DataError(
            f"round {day} is known to {str(last)[:7]}, and the forecast to {forecast.last_month}",
            hint="horizons would mean other months: forecast from what the round knew",
        )
    for task in round_["model_tasks"]:
        wants = set(task["task_ids"])
        if wants != set(HUB_COLUMNS) - {"output_type", "output_type_id", "value"}:
            odd = sorted(wants.symmetric_difference(HUB_COLUMNS[:5]))
            raise DataError(
                f"{hub.root}: the columns of round {day} are others, {odd[0]} for one",
                hint="write files of that form by hand",
            )
    return round_


def _rows(
    forecast: Forecast,
    round_: Mapping[str, Any],
    output_types: Sequence[str] | None,
    samples: int | None,
    own: bool,
) -> pd.DataFrame:
    """All rows that the round asks for and the forecast can give."""
    kinds = OUTPUT_TYPES if output_types is None else tuple(output_types)
    if wrong := [kind for kind in kinds or ("",) if kind not in OUTPUT_TYPES]:
        raise ForecastError(
            f"unknown output type {wrong[0]!r}", hint=one_of(wrong[0], OUTPUT_TYPES)
        )
    parts = []
    for task in round_["model_tasks"]:
        ids = task["task_ids"]
        places = [s for s in forecast.locations if _code(s) in _values(ids["location"])]
        if not places:
            continue
        seen = forecast if tuple(places) == forecast.locations else forecast.select(places)
        for kind, asked in task["output_type"].items():
            if kind not in kinds:
                continue
            found = _of_kind(seen, kind, asked, _values(ids["target"]), samples, own,
                             insist=output_types is not None)  # fmt: skip
            if found is not None:
                # A count that needs a hidden month has no forecast, so no row.
                asked_for = found["horizon"].isin(_values(ids["horizon"]))
                parts.append(found[asked_for & found["value"].notna()])
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=HUB_COLUMNS)
    missing = set(output_types or ()) - set(table["output_type"])
    if table.empty or missing:
        what = sorted(missing)[0] if missing else "what the forecast has"
        raise ForecastError(f"the round asks for no {what}")
    return check_hub(table, levels=HUB_QUANTILES, source="submission")


def _of_kind(
    forecast: Forecast,
    kind: str,
    asked: Mapping[str, Any],
    targets: Sequence[str],
    samples: int | None,
    own: bool,
    *,
    insist: bool,
) -> pd.DataFrame | None:
    """Rows of one output type of one set of tasks; None where the forecast cannot give it."""
    wanted = [t for t in targets if t in forecast.targets]
    if kind == "pmf":
        try:
            return to_hub(forecast, output_type="pmf", own=own)
        except ForecastError:
            if insist or own:
                raise
            return None
    if not wanted:
        return None
    if kind == "quantile":
        return to_hub(forecast, HUB_QUANTILES, wanted, own=own)
    params = asked["output_type_id_params"]
    lowest, highest = params["min_samples_per_task"], params["max_samples_per_task"]
    n, have = lowest if samples is None else samples, len(forecast.draws)
    single = set(params.get("compound_taskid_set", ("location", "horizon")))
    lacking = [axis for axis, column in ((LOCATION, "location"), (MONTH, "horizon"))
               if column not in single and axis not in forecast.joint]  # fmt: skip
    reason = ""
    if lacking:
        reason = (
            f"the hub's samples are one course over {lacking[0]}s, the forecast's draws are not"
        )
    elif not lowest <= n <= highest:
        reason = f"the hub takes {lowest} to {highest} samples, not {n}"
    elif have < n:
        reason = f"the forecast has {have} draws, and {n} samples are asked for"
    if reason:
        if insist:
            raise ForecastError(reason, hint="submit quantiles: output_types=['quantile']")
        return None
    # Evenly over the draws: members of a mixture stand one behind the other.
    kept = forecast.draws[np.arange(n) * have // n]
    known = forecast.known if forecast.known.ndim == 2 else forecast.known[np.arange(n) * have // n]
    fewer = replace(forecast, draws=kept, known=known, beside={})
    return to_hub(fewer, targets=wanted, output_type="sample", own=own)


def _metadata(hub: Hub, name: str, label: str) -> None:
    """See that the hub knows the model: a submission without metadata is refused there."""
    if any(p.stem == name and p.suffix in (".yml", ".yaml") for p in hub.metadata_files()):
        return
    ours = name.partition("-")[0] == TEAM and built_in(label) and label_of(name) == label
    if not ours:
        raise DataError(
            f"{hub.root}: no {MODEL_METADATA}/{name}.yml, so the hub does not know the model",
            hint="write it first; the files beside it are examples",
        )
    write_metadata(model_metadata(label), hub.root)


def _write(table: pd.DataFrame, path: Path, format: str) -> None:
    ids = _texts(table["output_type_id"])
    with replacing(path) as part:
        if format == "parquet":
            write_typed(table.assign(output_type_id=ids), part)
        else:
            text = table.assign(
                origin_date=table["origin_date"].dt.strftime("%Y-%m-%d"),
                target_end_date=table["target_end_date"].dt.strftime("%Y-%m-%d"),
                output_type_id=ids,
            )
            part.write_bytes(text.to_csv(index=False, lineterminator="\n").encode())


def _values(asked: Mapping[str, Any]) -> list[Any]:
    """Values of a task id, required and optional."""
    return [*(asked.get("required") or ()), *(asked.get("optional") or ())]


def _code(state: str) -> str:
    try:
        return lookup(state).code
    except LookupError:
        return ""
