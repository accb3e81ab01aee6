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
Nothing is pickled: a file from somebody else can hold wrong numbers, but it can run no code.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ForecastError
from odforecast.io import replacing
from odforecast.months import ONE_MONTH, Months
from odforecast.names import COUNTIES
from odforecast.panel import Floats, Own, Panel, Triangle
from odforecast.panel.triangle import SAID

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
#: Columns that say which row it is; all others are numbers.
KEYS = ("location", "draw", "month")


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


def read_forecast(folder: Path, make: Callable[..., Forecast]) -> Forecast:
    """What :func:`save_forecast` wrote; ``make`` is the class, which this module may not import."""
    record = _index(folder)
    try:
        tables = {name: _table(folder, entry) for name, entry in record["files"].items()}
        return _forecast(record, tables, make)
    except ForecastError:
        raise
    except Exception as error:
        # The checksums hold, so somebody wrote the files by hand: whatever is wrong, say where.
        what = str(error).partition("\n")[0]
        raise ForecastError(
            f"{folder} does not hold a forecast ({type(error).__name__}: {what})",
            hint="save the forecast again",
        ) from error


def _forecast(
    record: dict[str, Any], tables: dict[str, pa.Table], make: Callable[..., Forecast]
) -> Forecast:
    """A forecast and its drug classes, from the index and the tables."""
    panel = None if record["panel"] is None else panel_from(record["panel"], tables)
    parts = {}
    for i, (short, held) in enumerate(record.get("parts", [])):
        of: Panel | None = None
        if held["panel"] == "beside":
            assert panel is not None
            of = panel.beside[short]
        elif held["panel"] is not None:
            of = panel_from(held["panel"], tables)
        parts[short] = make(**_fields(held, tables, f"part-{i}-"), panel=of)
    return make(**_fields(record, tables, ""), panel=panel, beside=parts)


def _fields(record: dict[str, Any], tables: dict[str, pa.Table], prefix: str) -> dict[str, Any]:
    """The fields that :func:`_paths` put into a record and tables, as they were."""
    plain = {name: decode(value) for name, value in record["fields"].items()}
    months = decode_months(record["months"])
    shape = (len(plain["locations"]), record["draws"], months.size)
    paths = numbers(tables[f"{prefix}draws"], [str(m) for m in months]).reshape(shape)
    before = months[0] - np.arange(11, 0, -1) * ONE_MONTH
    known = numbers(tables[f"{prefix}known"], [str(m) for m in before])
    if len(known) != shape[0]:
        known = known.reshape(*shape[:2], 11).transpose(1, 0, 2)
    return {"draws": paths.transpose(1, 0, 2), "months": months, "known": known, **plain}


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


def checksum(record: dict[str, Any]) -> str:
    """SHA-256 of all that a record says, itself left out."""
    held = {k: v for k, v in record.items() if k != "checksum"}
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def encode(value: object, where: str) -> Any:
    """A value as JSON, with a tag where JSON has no such type.

    Raises
    ------
    ForecastError
        If the value has no form in the file; ``where`` says what it is.

    Examples
    --------
    >>> encode((np.datetime64("2025-04"), "OH"), "pair")
    {'tuple': [{'month': '2025-04'}, 'OH']}
    """
    if value is None or isinstance(value, bool | int | float | str):
        # numpy's float64 is a float, but only numpy would know it again.
        if type(value).__module__ == "builtins":
            return value
    elif isinstance(value, np.datetime64):
        return {"month": str(value)}
    elif type(value) is dt.date:
        return {"date": value.isoformat()}
    elif isinstance(value, tuple):
        return {"tuple": [encode(v, where) for v in value]}
    elif isinstance(value, frozenset):
        return {"set": sorted(encode(v, where) for v in value)}
    elif isinstance(value, Mapping) and all(isinstance(k, str) for k in value):
        return {"map": [[k, encode(v, f"{where}[{k!r}]")] for k, v in value.items()]}
    raise ForecastError(
        f"{where} is a {type(value).__name__}, which a saved forecast cannot hold",
        hint="give text, a number, a date, or tuples and mappings of those",
    )


def decode(value: Any) -> Any:
    """What :func:`encode` made, as it was.

    Examples
    --------
    >>> decode(encode({"seed": "1"}, "provenance"))
    {'seed': '1'}
    """
    if not isinstance(value, dict):
        return value
    ((tag, held),) = value.items()
    if tag == "month":
        return np.datetime64(held)
    if tag == "date":
        return dt.date.fromisoformat(held)
    if tag == "tuple":
        return tuple(decode(v) for v in held)
    if tag == "set":
        return frozenset(held)
    if tag == "map":
        return {k: decode(v) for k, v in held}
    raise ValueError(f"unknown kind of value {tag!r}")


def encode_months(months: Months) -> list[Any]:
    """Consecutive months: the first, and how many."""
    return [str(months[0]), int(months.size)]


def decode_months(held: list[Any]) -> Months:
    """What :func:`encode_months` made, as it was."""
    first, size = held
    return np.asarray(np.datetime64(first, "M") + np.arange(size) * ONE_MONTH)


def to_bytes(table: pa.Table) -> bytes:
    """A table as Parquet: every bit of every number is kept.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from_bytes(to_bytes(pa.table({"value": [0.1]})))["value"].to_pylist()
    [0.1]
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = [name for name in table.column_names if name not in KEYS]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        # A dictionary may join values that compare equal, 0.0 and -0.0; bytes do not.
        use_dictionary=["location"],
        column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
    )
    held: bytes = sink.getvalue().to_pybytes()
    return held


def from_bytes(held: bytes) -> pa.Table:
    """What :func:`to_bytes` wrote."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(held))


def numbers(table: pa.Table, names: list[str]) -> Floats:
    """Columns of a table, shape (rows, columns)."""
    if not names:
        return np.empty((table.num_rows, 0))
    return np.stack([table[name].to_numpy() for name in names], axis=1)


def layers_of(panel: Panel) -> list[str]:
    """Names of a panel's arrays (L, T)."""
    held = ((f.name, getattr(panel, f.name)) for f in fields(panel))
    return [n for n, v in held if isinstance(v, np.ndarray) and v.ndim == 2]


def panel_record(panel: Panel, tables: dict[str, pa.Table], name: str = "panel") -> dict[str, Any]:
    """A panel as JSON, its numbers put into ``tables``, those of panels beside it too.

    Parameters
    ----------
    panel : Panel
    tables : dict of str to Table
        Filled: one table per panel, a row per location and month, a column per layer and per
        earlier release.
    name : str
        Key of the panel in ``tables``.
    """
    import pyarrow as pa

    layers = layers_of(panel)
    columns: dict[str, Any] = {
        "location": np.repeat(np.array(panel.locations, dtype=object), panel.months.size),
        "month": np.tile(panel.months.astype("datetime64[ms]"), len(panel.locations)),
    }
    columns |= {layer: getattr(panel, layer).ravel() for layer in layers}
    triangle = panel.triangle
    if triangle is not None:
        columns |= _said_columns(triangle)
    tables[name] = pa.table(columns)
    special = {*layers, "months", "beside", "triangle", "own"}
    plain = {
        f.name: encode(getattr(panel, f.name), f"panel.{f.name}")
        for f in fields(panel)
        if f.name not in special
    }
    return {
        "table": name,
        "fields": plain,
        "months": encode_months(panel.months),
        "layers": layers,
        "triangle": None if triangle is None else encode(triangle.releases, "triangle"),
        "beside": [
            [key, panel_record(other, tables, f"{name.removesuffix('panel')}beside-{i}")]
            for i, (key, other) in enumerate(panel.beside.items())
        ],
        "data_hash": panel.data_hash,
        # Named only where there are any: a file without them is what it was.
        **({} if panel.own is None else {"own": _own_record(panel.own)}),
    }


def _said_columns(triangle: Triangle) -> dict[str, Floats]:
    """A column per earlier release and layer; what is one number a place stands in every month."""
    columns: dict[str, Floats] = {}
    for name, layer in triangle.layers.items():
        cells = layer if layer.ndim == 3 else np.broadcast_to(
            layer[..., None], triangle.reported.shape
        )  # fmt: skip
        columns |= {f"{name} {day}": t.ravel() for day, t in zip(triangle.releases, cells)}
    return columns


def _triangle_from(
    releases: tuple[dt.date, ...], table: pa.Table, shape: tuple[int, int]
) -> Triangle:
    """What :func:`_said_columns` put into a table."""
    layers = {}
    for name in ("reported", *SAID, "all_deaths"):
        if name != "reported" and not {f"{name} {d}" for d in releases[:1]} & {*table.column_names}:
            continue
        counts = numbers(table, [f"{name} {day}" for day in releases])
        layers[name] = counts.T.reshape(len(releases), *shape)
    if "all_deaths" in layers:
        layers["all_deaths"] = layers["all_deaths"][:, :, 0]
    return Triangle(releases, **layers)


def _own_record(own: Own) -> dict[str, Any]:
    """A state's own counts as JSON."""
    return {
        "locations": list(own.locations),
        "months": own.months.astype(str).tolist(),
        "deaths": own.deaths.tolist(),
        "as_of": own.as_of.astype(str).tolist(),
        "complete": own.complete,
        "basis": own.basis,
    }


def _own_from(held: dict[str, Any]) -> Own:
    """What :func:`_own_record` made, as it was."""
    return Own(
        tuple(held["locations"]),
        np.array(held["months"], dtype="datetime64[M]"),
        np.array(held["deaths"], dtype=float),
        np.array(held["as_of"], dtype="datetime64[D]"),
        held["complete"],
        held["basis"],
    )


def panel_from(record: dict[str, Any], tables: Mapping[str, pa.Table]) -> Panel:
    """What :func:`panel_record` made, as it was.

    Raises
    ------
    ValueError
        If the numbers are not those that were saved.
    """
    plain = {name: decode(value) for name, value in record["fields"].items()}
    months = decode_months(record["months"])
    shape = (len(plain["locations"]), months.size)
    table = tables[record["table"]]
    triangle = None
    if record["triangle"] is not None:
        releases = decode(record["triangle"])
        triangle = _triangle_from(releases, table, shape)
    panel = Panel(
        months=months,
        triangle=triangle,
        beside={key: panel_from(other, tables) for key, other in record["beside"]},
        own=_own_from(record["own"]) if "own" in record else None,
        **{layer: table[layer].to_numpy().reshape(shape) for layer in record["layers"]},
        **plain,
    )
    if panel.data_hash != record["data_hash"]:
        raise ValueError("the panel is not the one that was saved")
    return panel
