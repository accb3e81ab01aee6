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
whole forecast, the old or the new one, at every moment.
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
from odforecast.forecast.codec import (
    decode,
    decode_months,
    encode,
    encode_months,
    from_bytes,
    numbers,
    panel_from,
    panel_record,
    to_bytes,
)
from odforecast.io import replacing
from odforecast.months import ONE_MONTH
from odforecast.names import COUNTIES

if TYPE_CHECKING:
    import pyarrow as pa

    from odforecast.forecast.forecast import Forecast
    from odforecast.panel import Panel

INDEX = "forecast.json"
KIND = "odforecast forecast"
#: Raised whenever a reader of the version before would misread the file. Files of 2 carry drug
#: classes, of 3 a state's own counts or counties; a forecast without any of these is written as 1,
#: which older readers know.
VERSION = 3
_DATA = re.compile(r"(part-\d+-)?(draws|known|panel|(beside-\d+)+)-[0-9a-f]{16}\.parquet")
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
    ours = re.compile(rf"{re.escape(INDEX)}|\..*|{_DATA.pattern}")
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
    record["checksum"] = _checksum(record)
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
        if _DATA.fullmatch(name):
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


def _checksum(record: dict[str, Any]) -> str:
    """SHA-256 of all that a record says, itself left out."""
    held = {k: v for k, v in record.items() if k != "checksum"}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def load_forecast(path: str | os.PathLike[str]) -> Forecast:
    """A forecast that :meth:`odforecast.Forecast.save` wrote, bit for bit, with its panel.

    Parameters
    ----------
    path : path
        The folder.

    Returns
    -------
    Forecast

    Raises
    ------
    ForecastError
        If there is no forecast, a file is missing, cut short or changed, or a newer odforecast
        wrote it; names the file.

    Examples
    --------
    >>> import tempfile
    >>> import odforecast as od
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(draws=50)
    >>> folder = forecast.save(tempfile.mkdtemp() + "/drift")
    >>> again = od.load_forecast(folder)
    >>> bool((again.draws == forecast.draws).all()), again.panel.data_hash == panel.data_hash
    (True, True)
    """
    folder = Path(path)
    record = _index(folder)
    try:
        tables = {name: _table(folder, entry) for name, entry in record["files"].items()}
        return _forecast(record, tables)
    except ForecastError:
        raise
    except Exception as error:
        # The checksums hold, so somebody wrote the files by hand: whatever is wrong, say where.
        what = str(error).partition("\n")[0]
        raise ForecastError(
            f"{folder} does not hold a forecast ({type(error).__name__}: {what})",
            hint="save the forecast again",
        ) from error


def _forecast(record: dict[str, Any], tables: dict[str, pa.Table]) -> Forecast:
    panel = None if record["panel"] is None else panel_from(record["panel"], tables)
    parts = {}
    for i, (short, held) in enumerate(record.get("parts", [])):
        of: Panel | None = None
        if held["panel"] == "beside":
            assert panel is not None
            of = panel.beside[short]
        elif held["panel"] is not None:
            of = panel_from(held["panel"], tables)
        parts[short] = _from_paths(held, tables, f"part-{i}-", panel=of)
    return _from_paths(record, tables, "", panel=panel, beside=parts)


def _from_paths(
    record: dict[str, Any], tables: dict[str, pa.Table], prefix: str, **held: Any
) -> Forecast:
    """What :func:`_paths` made, as it was."""
    from odforecast.forecast.forecast import Forecast

    plain = {name: decode(value) for name, value in record["fields"].items()}
    months = decode_months(record["months"])
    shape = (len(plain["locations"]), record["draws"], months.size)
    paths = numbers(tables[f"{prefix}draws"], [str(m) for m in months]).reshape(shape)
    before = months[0] - np.arange(11, 0, -1) * ONE_MONTH
    known = numbers(tables[f"{prefix}known"], [str(m) for m in before])
    if len(known) != shape[0]:
        known = known.reshape(*shape[:2], 11).transpose(1, 0, 2)
    return Forecast(draws=paths.transpose(1, 0, 2), months=months, known=known, **held, **plain)


def _index(folder: Path) -> dict[str, Any]:
    """The JSON of a folder, with its checksum checked."""
    index = folder / INDEX
    damaged = "the file is damaged; take another copy, or make the forecast again"
    try:
        record = json.loads(index.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise ForecastError(
            f"no saved forecast at {folder}: there is no {INDEX}",
            hint="give the folder that forecast.save wrote",
        ) from None
    except OSError as error:
        raise ForecastError(f"{index} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ForecastError(f"{index} is no JSON ({error})", hint=damaged) from error
    if not isinstance(record, dict) or record.get("kind") != KIND:
        raise ForecastError(
            f"{index} is no saved forecast", hint="give the folder that forecast.save wrote"
        )
    version = record.get("version")
    # The version comes before the checksum: a newer format may count it in another way.
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ForecastError(
            f"{index} has format {version!r}, and this odforecast reads up to {VERSION}",
            hint="update odforecast",
        )
    if record.get("checksum") != _checksum(record):
        raise ForecastError(f"{index} is not what was saved: its checksum differs", hint=damaged)
    return record


def _table(folder: Path, entry: dict[str, str]) -> pa.Table:
    """A Parquet file of a folder, with its checksum checked."""
    if not _DATA.fullmatch(entry["file"]):
        raise ForecastError(f"{folder / INDEX} names {entry['file']!r}, which is none of its files")
    path = folder / entry["file"]
    missing = "copy the whole folder, or make the forecast again"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ForecastError(f"{path} is missing", hint=missing) from None
    except OSError as error:
        raise ForecastError(f"{path} cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ForecastError(f"{path} is not what was saved: its checksum differs", hint=missing)
    return from_bytes(content)
