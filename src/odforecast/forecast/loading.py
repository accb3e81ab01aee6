"""A saved forecast read again, bit for bit: every file's checksum first, then what it holds."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ForecastError
from odforecast.forecast.codec import decode, decode_months, from_bytes, numbers, panel_from
from odforecast.forecast.file import DATA, INDEX, KIND, VERSION, checksum
from odforecast.forecast.forecast import Forecast
from odforecast.months import ONE_MONTH

if TYPE_CHECKING:
    import pyarrow as pa

    from odforecast.panel import Panel


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
    >>> panel = od.bundled().as_of().panel()
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
    """What :mod:`odforecast.forecast.file` made of draws, as it was."""
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
    if record.get("checksum") != checksum(record):
        raise ForecastError(f"{index} is not what was saved: its checksum differs", hint=damaged)
    return record


def _table(folder: Path, entry: dict[str, str]) -> pa.Table:
    """A Parquet file of a folder, with its checksum checked."""
    if not DATA.fullmatch(entry["file"]):
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
