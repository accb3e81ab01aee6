"""A forecast in a folder: JSON for what it is, Parquet for its numbers.

::

    ohio/
      forecast.json            what it is, and names and SHA-256 of the files below
      draws-HASH.parquet       a row per location and draw, a column per month
      known-HASH.parquet       a row per location, a column per month before the draws
      panel-HASH.parquet       a row per location and month, a column per layer
      beside-0-HASH.parquet    the same of panels beside it
      part-0-draws-HASH.parquet  the same of a drug class that it carries, and part-0-known

``forecast.json`` is written last and takes the old one's place at once, so that a folder holds a
whole forecast, the old or the new one, at every moment. :mod:`odforecast.forecast.loading` reads
it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import fields
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ForecastError
from odforecast.forecast.codec import encode, encode_months, panel_record, to_bytes
from odforecast.io import replacing
from odforecast.months import ONE_MONTH
from odforecast.names import COUNTIES

if TYPE_CHECKING:
    import pyarrow as pa

    from odforecast.forecast.forecast import Forecast

INDEX = "forecast.json"
KIND = "odforecast forecast"
#: Raised whenever a reader of the version before would misread the file. Files of 2 carry drug
#: classes, of 3 a state's own counts or counties; a forecast without any of these is written as 1,
#: which older readers know.
VERSION = 3
#: Names of its files with numbers.
DATA = re.compile(r"(part-\d+-)?(draws|known|panel|(beside-\d+)+)-[0-9a-f]{16}\.parquet")
#: Fields of a forecast that are not plain values.
_SPECIAL = ("draws", "months", "known", "panel", "beside")


def save_forecast(
    forecast: Forecast, path: str | os.PathLike[str], overwrite: bool = False
) -> Path:
    """Write a forecast into a folder; see :meth:`odforecast.Forecast.save`."""
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ForecastError(f"{folder} is a file", hint="a forecast is saved as a folder")
    there = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    if INDEX in there and not overwrite:
        raise ForecastError(
            f"{folder} holds a forecast already", hint="save elsewhere, or with overwrite=True"
        )
    # Hidden files are those of a writer that was killed, or of the file system.
    ours = re.compile(rf"{re.escape(INDEX)}|\..*|{DATA.pattern}")
    if foreign := sorted(n for n in there if not ours.fullmatch(n)):
        raise ForecastError(
            f"{folder} holds other things ({foreign[0]})", hint="give a folder of its own"
        )
    tables: dict[str, pa.Table] = {}
    record = _record(forecast, tables)
    held = {name: to_bytes(table) for name, table in tables.items()}
    files = {}
    for name, content in held.items():
        digest = hashlib.sha256(content).hexdigest()
        files[name] = {"file": f"{name}-{digest[:16]}.parquet", "sha256": digest}
    record["files"] = files
    record["checksum"] = checksum(record)
    try:
        for name, content in held.items():
            with replacing(folder / files[name]["file"]) as part:
                part.write_bytes(content)
        with replacing(folder / INDEX) as part:
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ForecastError(f"{folder} cannot be written: {error.strerror or error}") from error
    # Only now is what stood here before not needed any more.
    for name in there - {entry["file"] for entry in files.values()}:
        if DATA.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
    return folder


def _record(forecast: Forecast, tables: dict[str, pa.Table]) -> dict[str, Any]:
    """A forecast as JSON, its numbers put into ``tables``."""
    record = {
        "kind": KIND,
        "version": _version(forecast),
        "odforecast": installed_version("odforecast"),
        **_paths(forecast, tables),
        "panel": None if forecast.panel is None else panel_record(forecast.panel, tables),
    }
    if forecast.beside:
        record["parts"] = []
    beside = {} if forecast.panel is None else forecast.panel.beside
    for i, (short, part) in enumerate(forecast.beside.items()):
        held = _paths(part, tables, f"part-{i}-")
        if part.panel is None:
            held["panel"] = None
        elif short in beside and beside[short].data_hash == part.panel.data_hash:
            held["panel"] = "beside"  # it is there already
        else:
            held["panel"] = panel_record(part.panel, tables, f"part-{i}-panel")
        record["parts"].append([short, held])
    return record


def _version(forecast: Forecast) -> int:
    """The oldest format that holds the forecast."""
    panel = forecast.panel
    if panel is not None and (panel.own is not None or panel.dataset == COUNTIES):
        return 3
    return 2 if forecast.beside else 1


def _paths(forecast: Forecast, tables: dict[str, pa.Table], prefix: str = "") -> dict[str, Any]:
    """Draws and plain fields, the panel and what is beside it apart."""
    import pyarrow as pa

    places = np.array(forecast.locations, dtype=object)
    n_draws, n_loc, n_months = forecast.draws.shape
    paths = forecast.draws.transpose(1, 0, 2).reshape(n_loc * n_draws, n_months)
    columns: dict[str, Any] = {
        "location": np.repeat(places, n_draws),
        "draw": np.tile(np.arange(n_draws, dtype=np.int32), n_loc),
    }
    columns |= {str(m): paths[:, i] for i, m in enumerate(forecast.months)}
    before = forecast.months[0] - np.arange(11, 0, -1) * ONE_MONTH
    # Without draws of its own a month is known: one row per location, else one per draw, too.
    months = forecast.known.swapaxes(0, -2).reshape(-1, 11)
    rows = np.repeat(places, len(months) // n_loc)
    known = {str(m): months[:, i] for i, m in enumerate(before)}
    tables[f"{prefix}draws"] = pa.table(columns)
    tables[f"{prefix}known"] = pa.table({"location": rows, **known})
    return {
        "fields": {
            f.name: encode(getattr(forecast, f.name), f.name)
            for f in fields(forecast)
            if f.name not in _SPECIAL
        },
        "months": encode_months(forecast.months),
        "draws": n_draws,
    }


def checksum(record: dict[str, Any]) -> str:
    """SHA-256 of all that a record says, itself left out."""
    held = {k: v for k, v in record.items() if k != "checksum"}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()
